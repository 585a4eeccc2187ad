"""The protocol: who is trained on, asked and tested, for every trial and seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.evaluate.deferral.protocol import (
    Parting,
    Trial,
    known_models,
    make_trial,
    split_trial,
    validation_size,
)
from pointsman.records import Ints, Outcomes, Prompts
from worlds import outcomes


def prompts_of(world: Outcomes, seed: int = 0) -> Prompts:
    """Random unit vectors for a world's texts."""
    vectors = np.random.default_rng(seed).normal(size=(len(world), 8)).astype(np.float32)
    return Prompts(world.texts, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), world.input_tokens)


def trial_of(world: Outcomes, number: int = 0, **parting: bool) -> Trial:
    return make_trial(world, prompts_of(world), number, Parting(7, **parting))


def parts(world: Outcomes, parting: Parting, number: int = 0) -> tuple[Ints, Ints, Ints]:
    split = split_trial(world, number, parting)
    return split.train, split.validation, split.test


# ---- an example by hand


def test_sizes_by_hand() -> None:
    """100 prompts are parted 60 / 10 / 30, six models four to two."""
    world = outcomes(100, 6, 0)
    split = split_trial(world, 0, Parting())
    assert [len(rows) for rows in (split.train, split.validation, split.test)] == [60, 10, 30]
    assert (len(split.known), len(split.unseen)) == (4, 2)


def test_the_draw_is_that_of_the_seed_and_the_number_of_the_trial() -> None:
    """Trial t of seed s draws from `default_rng((s, t))`: prompts first, then models."""
    world = outcomes(100, 6, 0)
    rng = np.random.default_rng((3, 2))
    order, columns = rng.permutation(100), rng.permutation(6)
    split = split_trial(world, 2, Parting(3))
    assert np.concatenate([split.train, split.validation, split.test]).tolist() == order.tolist()
    assert split.known.tolist() == sorted(columns[:4])


@pytest.mark.parametrize(("models", "known"), [(3, 2), (4, 3), (5, 3), (11, 7), (18, 12), (31, 21), (112, 75)])
def test_two_thirds_of_the_models_are_known(models: int, known: int) -> None:
    """Rounded, with at least two known and one unseen."""
    assert known_models(models) == known


# ---- properties


@settings(max_examples=40, deadline=None)
@given(st.integers(10, 300), st.integers(3, 9), st.integers(0, 50), st.booleans(), st.booleans())
def test_every_prompt_and_model_has_one_part(queries: int, models: int, number: int, shift: bool, static: bool) -> None:
    """Parts are disjoint and cover the set; the validation has the same size in every trial, shifted or not."""
    world = outcomes(queries, models, 1, topics=5)
    split = split_trial(world, number, Parting(0, shift and len(set(world.datasets)) > 1, static))
    rows = np.concatenate([split.train, split.validation, split.test])
    assert sorted(rows.tolist()) == list(range(queries))
    assert len(split.validation) == validation_size(queries) > 0
    assert min(len(split.train), len(split.test)) > 0
    columns = [*split.known, *split.unseen]
    assert sorted(columns) == sorted([*range(models)] * 2 if static else range(models))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=2, max_size=8), st.integers(0, 50))
def test_shift_tests_whole_tasks(sizes: list[int], number: int) -> None:
    """No task is on both sides, something is left to train on, and no further task would come nearer to 30 %."""
    sizes[0] += 12
    world = outcomes(sum(sizes), 4, 0)
    tasks = np.repeat([f"t{place}" for place in range(len(sizes))], sizes)
    world = Outcomes(
        world.prompt_ids, world.texts, tasks.tolist(), world.models, world.score, world.cost_usd, world.output_tokens,
        world.input_tokens,
    )  # fmt: skip
    train, validation, test = parts(world, Parting(0, shift=True), number)
    past = set(tasks[np.concatenate([train, validation])])
    assert past.isdisjoint(tasks[test])
    assert len(train) > 0
    wanted = 0.3 * len(world)
    off = abs(len(test) - wanted)
    assert off <= wanted
    assert all(abs(len(test) + (tasks == task).sum() - wanted) >= off for task in past)


def test_fewer_probes_are_the_start_of_more() -> None:
    """The first n validation prompts of one random order; asked and known outcomes are on the same prompts."""
    trial = trial_of(outcomes(200, 6, 0))
    few, many = trial.probes(np.arange(5)), trial.probes(np.arange(20))
    assert list(few.prompts.texts) == list(many.prompts.texts)[:5]
    assert few.asked.score.tolist() == many.asked.score[:5].tolist()
    assert list(few.asked.texts) == list(few.known.texts) == list(few.prompts.texts)
    assert set(few.asked.models).isdisjoint(few.known.models)


def test_nothing_of_the_test_reaches_what_is_fitted_on() -> None:
    """No test prompt is among those of history, validation, probes or the clairvoyants' outcomes."""
    trial = trial_of(outcomes(200, 6, 0))
    tested = set(trial.test.texts)
    for part in (trial.history, trial.tuning, trial.validation, trial.asked, trial.everything):
        assert tested.isdisjoint(part.texts)
    assert set(trial.history.models).isdisjoint(trial.test.models)
    assert list(trial.test.texts) == list(trial.test_prompts.texts)
    assert list(trial.history.texts) == list(trial.prompts.texts)


def test_constant_costs_are_means_over_what_is_not_tested() -> None:
    """Each unseen model's mean cost over training and validation prompts."""
    world = outcomes(100, 6, 0)
    trial = trial_of(world)
    past = np.concatenate([trial.split.train, trial.split.validation])
    assert trial.cost_usd.tolist() == world.cost_usd[past].mean(axis=0)[trial.split.unseen].tolist()


def test_in_a_static_pool_every_label_outside_the_test_is_there() -> None:
    """History, known and asked outcomes are those of all models on training and validation; K is tuned apart."""
    world = outcomes(100, 6, 0)
    trial = trial_of(world, static=True)
    probes = trial.probes(np.arange(0))
    assert len(trial.history) == len(probes) == 70
    assert trial.history.models == probes.asked.models == probes.known.models == trial.test.models == world.models
    assert len(trial.tuning) == 60


# ---- refusals


def test_sets_that_cant_be_parted_are_refused() -> None:
    """Too few prompts, too few models, and one task alone under shift: each with a remedy."""
    with pytest.raises(InputError, match="9 complete prompts"):
        split_trial(outcomes(9, 5, 0), 0, Parting())
    with pytest.raises(InputError, match="2 models can't be parted"):
        split_trial(outcomes(50, 2, 0), 0, Parting())
    with pytest.raises(InputError, match="all prompts are of one task"):
        split_trial(outcomes(50, 5, 0, topics=1), 0, Parting(shift=True))
