"""The methods of the deferral bench: what each looks at, and that it looks at nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.estimate.unseen.attributes import attribute_vectors
from pointsman.evaluate.deferral.methods import METHODS, Reader, judge_area, not_dominated, parse_methods
from pointsman.evaluate.deferral.protocol import Parting, Trial, make_trial
from pointsman.evaluate.deferral.roster import ROSTER, entry_of
from pointsman.evaluate.simulated import simulate
from pointsman.records import Estimates, Outcomes, Prompts

RANKED = [name for name in METHODS if entry_of(name).ranked]
CLAIRVOYANT = [name for name in METHODS if not entry_of(name).ranked]


@pytest.fixture(scope="module")
def trial() -> Trial:
    """A parting of 300 simulated queries: four known models, two unseen ones, 30 validation prompts."""
    return make_trial(*_set(), 0, Parting(3))


def _set() -> tuple[Outcomes, Prompts]:
    world = simulate(300, seed=2).only(np.array([0, 2, 4, 6, 8, 10]))
    rng = np.random.default_rng(0)
    tasks = {name: rng.normal(size=16) for name in sorted(set(world.datasets))}
    vectors = np.array([tasks[name] for name in world.datasets]) + rng.normal(size=(300, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return world, Prompts(world.texts, vectors.astype(np.float32), world.input_tokens)


def estimates(name: str, trial: Trial, probes: int) -> Estimates:
    """What a method says of the test prompts after the first `probes` validation prompts."""
    return METHODS[name].fit(trial)(trial.probes(np.arange(probes))).estimate(trial.test_prompts)


# ---- an example by hand


def test_not_dominated_by_hand() -> None:
    """From the cheapest on, only models that are better than all cheaper ones; of equals the first."""
    quality = np.array([0.5, 0.4, 0.7, 0.7, 0.6])
    cost = np.array([1.0, 2.0, 4.0, 5.0, 3.0])
    assert not_dominated(quality, cost).tolist() == [0, 4, 2]
    assert not_dominated(np.array([0.5, 0.5]), np.array([1.0, 1.0])).tolist() == [0]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8))
def test_a_model_is_left_out_if_and_only_if_another_is_as_good_and_as_cheap(models: list[tuple[int, int]]) -> None:
    """The definition, model by model; of equal models one stays."""
    quality, cost = np.array(models, dtype=np.float64).T
    kept = set(not_dominated(quality, cost).tolist())
    for m, (q, c) in enumerate(models):
        better = {n for n, (r, d) in enumerate(models) if r >= q and d <= c and (r, d) != (q, c)}
        same = {n for n, one in enumerate(models) if one == (q, c)}
        assert (m in kept) <= (not better)
        assert bool(better) or len(kept & same) == 1


# ---- the list


def test_every_method_is_on_the_roster() -> None:
    """Methods are listed in the roster's order."""
    names = [entry.name for entry in ROSTER]
    assert list(METHODS) == [name for name in names if name in METHODS]
    assert parse_methods("all") == tuple(METHODS)
    assert parse_methods(" knn,zero , knn") == ("knn", "zero")


@pytest.mark.parametrize("text", ["", " , ", "knn,nobody"])
def test_unknown_methods_are_refused(text: str) -> None:
    """The message lists those that there are."""
    with pytest.raises(InputError, match="use all, or some of zero, pareto-random, knn"):
        parse_methods(text)


# ---- what each method gives and looks at


@pytest.mark.parametrize("name", METHODS)
def test_every_method_estimates_the_pool_on_the_test_prompts(trial: Trial, name: str) -> None:
    """Quality in [0, 1], costs and spread finite and not below zero, a column an unseen model."""
    placed = METHODS[name].fit(trial)(trial.probes(np.arange(20)))
    found = placed.estimate(trial.test_prompts)
    assert placed.models == trial.test.models
    for cells in (found.quality, found.cost_usd, found.tokens, found.spread):
        assert cells.shape == trial.test.score.shape
        assert np.isfinite(cells).all()
        assert (cells >= 0).all()
    assert found.quality.max() <= 1


@pytest.mark.parametrize("name", METHODS)
def test_every_method_runs_in_a_static_pool(name: str) -> None:
    """All models are the pool, and known."""
    trial = make_trial(*_set(), 0, Parting(3, static=True))
    assert estimates(name, trial, 0).quality.shape == (90, 6)


@pytest.mark.parametrize("name", RANKED)
def test_ranked_methods_see_nothing_of_an_unseen_model_but_its_probes(trial: Trial, name: str) -> None:
    """Other test scores, other labels of unseen models, other answers off the probes: the same estimates."""
    other = replace(
        trial, test=_upside_down(trial.test), everything=_upside_down(trial.everything), cost_usd=2 * trial.cost_usd
    )
    asked = trial.asked.score.copy()
    asked[12:] = 1 - asked[12:]
    other = replace(other, asked=replace(trial.asked, score=asked))
    one, two = estimates(name, trial, 12), estimates(name, other, 12)
    assert one.quality.tolist() == two.quality.tolist()
    assert one.cost_usd.tolist() == two.cost_usd.tolist()


@pytest.mark.parametrize("name", CLAIRVOYANT)
def test_clairvoyant_methods_see_more(trial: Trial, name: str) -> None:
    """They change with what no other method may see, and not with the probes."""
    other = replace(trial, test=_upside_down(trial.test), everything=_upside_down(trial.everything))
    assert estimates(name, trial, 5).quality.tolist() == estimates(name, trial, 30).quality.tolist()
    assert estimates(name, trial, 5).quality.tolist() != estimates(name, other, 5).quality.tolist()


def _upside_down(outcomes: Outcomes) -> Outcomes:
    return replace(outcomes, score=1 - outcomes.score)


def test_the_oracle_knows_the_test_and_nothing_else(trial: Trial) -> None:
    """It says the recorded outcomes, and refuses other prompts."""
    oracle = METHODS["oracle"].fit(trial)(trial.probes(np.arange(5)))
    assert oracle.estimate(trial.test_prompts).quality.tolist() == trial.test.score.tolist()
    with pytest.raises(InputError, match="180 prompts, answers to 90"):
        oracle.estimate(trial.prompts)


# ---- the pieces


def test_the_judge_prefers_the_truth(trial: Trial) -> None:
    """The area that chooses K is larger for the scores themselves than for their means, and for those than for lies."""
    known = trial.validation
    means = np.tile(known.score.mean(axis=0), (len(known), 1))
    assert judge_area(known.score, known) > judge_area(means, known) > judge_area(1 - known.score, known)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["What is x?", "Write a poem", "", "def f(): pass"]), min_size=1), min_size=1))
def test_attributes_read_once_are_those_read_anew(calls: list[list[str]]) -> None:
    """Whatever was asked before, the rows are those of `attribute_vectors`."""
    reader = Reader()
    for texts in calls:
        assert reader(texts).tolist() == attribute_vectors(texts).tolist()
