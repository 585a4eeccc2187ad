"""Off-policy estimates: by hand, by counting every possible log, and on logs whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.evaluate.offpolicy import Judged, known_of, resampled, value_of
from pointsman.evaluate.simulated import simulate
from pointsman.records import Floats, Ints

NAN = float("nan")


def judged(score: Floats, served: Ints, propensity: Floats, choice: Ints, expected: Floats) -> Judged:
    """A log [N] and a policy's choices (-1: nobody) with estimates [N, M]."""
    rows = np.arange(len(served))
    return Judged(
        score,
        propensity,
        choice == served,
        choice < 0,
        np.where(choice < 0, 0.0, expected[rows, np.maximum(choice, 0)]),
        expected[rows, served],
    )


HAND = Judged(
    np.array([1.0, 0.4]),
    np.array([0.5, 0.5]),
    np.array([True, False]),
    np.array([False, False]),
    np.array([0.8, 0.6]),
    np.array([0.8, 0.5]),
)


def test_two_queries_by_hand() -> None:
    """Weights 2 and 0: IPS 1, SNIPS 1, direct 0.7, doubly robust 0.7 + 2 × 0.2 / 2 = 0.9."""
    found = value_of(HAND)
    assert [round(one.value, 9) for one in (found.direct, found.ips, found.snips, found.robust)] == [0.7, 1.0, 1.0, 0.9]
    known = known_of(HAND)
    assert (known.matched, known.effective, known.mean_weight, known.largest_weight) == (1, 1.0, 1.0, 2.0)
    assert (known.unsupported, known.without_propensity, known.clipped) == (0, 0, 0)


def test_a_declined_query_is_worth_nothing_for_certain() -> None:
    """Of two queries one is declined: SNIPS is half of what the other scored."""
    half = replace(HAND, same=np.array([True, False]), declined=np.array([False, True]), expected=np.array([0.8, 0.0]))
    assert value_of(half).snips.value == 0.5
    assert value_of(half).direct.value == pytest.approx(0.4)


def test_without_propensities_only_the_model_speaks() -> None:
    """IPS, SNIPS and DR are NaN, the direct estimate stays, and every choice is without support."""
    blind = replace(HAND, propensity=np.array([NAN, NAN]))
    found, known = value_of(blind), known_of(blind)
    assert np.isnan([found.ips.value, found.snips.value, found.robust.value]).all()
    assert found.direct.value == pytest.approx(0.7)
    assert (known.without_propensity, known.unsupported, known.effective) == (2, 2, 0.0)


def test_a_certain_log_supports_only_itself() -> None:
    """Where the log left nothing to chance, another choice has no support; the same one has."""
    certain = replace(HAND, propensity=np.ones(2))
    assert known_of(certain).unsupported == 1


def test_an_unscored_query_counts_in_the_model_alone() -> None:
    """The direct part is over all traffic, the correction over what was scored."""
    more = Judged(
        np.array([1.0, NAN]),
        np.array([0.5, 0.5]),
        np.array([True, True]),
        np.array([False, False]),
        np.array([0.8, 0.6]),
        np.array([0.8, 0.6]),
    )
    assert value_of(more).robust.value == pytest.approx(0.7 + 2 * 0.2)
    assert known_of(more).scored == 1


def test_cut_weights_are_told() -> None:
    """A weight of 200 is cut to the limit and counted."""
    rare = replace(HAND, propensity=np.array([0.005, 0.5]))
    assert known_of(rare, clip=100.0).clipped == 1
    assert value_of(rare, clip=100.0).ips.value == pytest.approx(50.0)


def test_unbiased_over_every_log_there_could_have_been() -> None:
    """Three queries, three models, all 27 logs with their probabilities: IPS and DR come to the truth exactly."""
    rng = np.random.default_rng(3)
    truth, expected = rng.random((3, 3)), rng.random((3, 3))
    chance = rng.dirichlet(np.ones(3), size=3)
    choice = np.array([2, 0, 1])
    rows = np.arange(3)
    ips = robust = 0.0
    for log in product(range(3), repeat=3):
        served = np.array(log)
        p = chance[rows, served]
        one = judged(truth[rows, served], served, p, choice, expected)
        with_any = one.same.any()
        found = value_of(one, clip=np.inf, repeats=1)
        # Without one match nothing is told; IPS is zero then, and DR the direct estimate.
        ips += p.prod() * (found.ips.value if with_any else 0.0)
        robust += p.prod() * (found.robust.value if with_any else found.direct.value)
    assert ips == pytest.approx(truth[rows, choice].mean())
    assert robust == pytest.approx(truth[rows, choice].mean())


def test_the_interval_is_the_bootstraps() -> None:
    """Of a plain mean it is near the normal one: mean ± 1.645 standard errors."""
    values = np.random.default_rng(0).random((400, 1))
    (found,) = resampled(values, lambda means: means)
    error = 1.645 * values.std(ddof=1) / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.2 * error)
    assert found.high == pytest.approx(values.mean() + error, abs=0.2 * error)


def test_unbiased_and_covered_on_dense_data() -> None:
    """Recorded outcomes of all models, masked to one by a rule that explores: over 400 logs IPS and DR are unbiased
    and 90 % intervals hold the truth between 85 and 95 times in a hundred.
    """
    outcomes = simulate(2_000, seed=5)
    outcomes = outcomes.only(np.argsort(-outcomes.score.mean(axis=0))[[0, 3, 7, 11]])
    rng = np.random.default_rng(11)
    score = outcomes.score
    models = score.shape[1]
    expected = np.clip(0.6 * score.mean(axis=0) + 0.3 * score + 0.1 * rng.random(score.shape), 0.0, 1.0)
    best = expected.argmax(axis=1)
    choice = (expected - 0.1 * outcomes.cost_usd / outcomes.cost_usd.mean()).argmax(axis=1)
    truth = score[np.arange(len(score)), choice].mean()
    explore, count, repeats = 0.2, 1_500, 400
    found = np.empty((repeats, 3, 3))
    for log in range(repeats):
        rows = rng.integers(0, len(score), count)
        lots = rng.random(count) < explore
        served = np.where(lots, rng.integers(0, models, count), best[rows])
        p = explore / models + (1 - explore) * (served == best[rows])
        one = judged(score[rows, served], served, p, choice[rows], expected[rows])
        told = value_of(one, clip=1e9, repeats=200, seed=log)
        found[log] = [(each.value, each.low, each.high) for each in (told.ips, told.snips, told.robust)]
    for way in range(3):
        value, low, high = found[:, way].T
        assert abs(value.mean() - truth) < 3.5 * value.std() / np.sqrt(repeats) + (0.003 if way == 1 else 0.0)
        assert 0.85 <= ((low <= truth) & (truth <= high)).mean() <= 0.95
    spread = found[:, :, 0].std(axis=0)
    assert spread[2] < spread[0]  # the model takes most of the weights' noise away


@given(st.integers(1, 30), st.integers(0, 1_000))
def test_a_policy_that_does_as_the_log_did_is_worth_what_was_scored(count: int, seed: int) -> None:
    """With every choice the same and certain, IPS, SNIPS and DR are the mean score, whatever the model says."""
    rng = np.random.default_rng(seed)
    score, expected = rng.random(count), rng.random(count)
    plain = np.ones(count, np.bool_)
    one = Judged(score, np.ones(count), plain, ~plain, expected, expected)
    found = value_of(one, repeats=5)
    for each in (found.ips, found.snips, found.robust):
        assert each.value == pytest.approx(score.mean())
    assert known_of(one).effective == pytest.approx(count)
