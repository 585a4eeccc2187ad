"""Adam, against the paper's own formulas and scipy's minimum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from pointsman.estimate.unseen.adam import Adam, Arrays
from pointsman.records import Ints


def test_two_steps_by_hand() -> None:
    """From 1 with slopes ½ and −½ at rate 0.1: a whole rate down to 0.9, then back up by 0.1 · (0.005 / 0.19) / 0.5."""
    adam = Adam(0.1, (0.0,))
    (one,) = adam.step((np.array([1.0]),), (np.array([0.5]),))
    assert one[0] == pytest.approx(0.9, abs=1e-8)
    (two,) = adam.step((one,), (np.array([-0.5]),))
    assert two[0] == pytest.approx(0.9 + 0.1 * 0.005 / 0.19 / 0.5, abs=1e-8)


def test_weight_decay_by_hand() -> None:
    """Where there is no slope, a step at rate 0.1 and decay ½ leaves 95 % of an array, and all of one without decay."""
    kept = Adam(0.1, (0.5, 0.0)).step((np.ones(2), np.ones(3)), (np.zeros(2), np.zeros(3)))
    np.testing.assert_allclose(kept[0], 0.95)
    np.testing.assert_allclose(kept[1], 1.0)


@given(st.integers(0, 10**6), st.integers(1, 30))
def test_agrees_with_the_paper(seed: int, steps: int) -> None:
    """Any run of slopes ends where algorithm 1, written out with corrected moments, ends."""
    rng = np.random.default_rng(seed)
    slopes = rng.normal(size=(steps, 4)) * 10.0 ** rng.integers(-4, 3)
    adam = Adam(0.01, (0.0,))
    parameters: Arrays = (rng.normal(size=4),)
    expected, first, second = parameters[0].copy(), np.zeros(4), np.zeros(4)
    for t, slope in enumerate(slopes, 1):
        parameters = adam.step(parameters, (slope,))
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        expected = expected - 0.01 * (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
    np.testing.assert_allclose(parameters[0], expected, rtol=1e-9)


def test_finds_the_minimum_that_scipy_finds() -> None:
    """A logistic loss, whose minimum is the only one, is brought down to where L-BFGS brings it."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 3))
    y = (rng.random(200) < expit(x @ [1.0, -2.0, 0.5])).astype(np.float64)

    def loss(w: np.ndarray) -> float:
        return float(np.mean(np.logaddexp(0.0, x @ w) - y * (x @ w)))

    def slopes(parameters: Arrays, rows: Ints) -> Arrays:
        return (x[rows].T @ (expit(x[rows] @ parameters[0]) - y[rows]) / len(rows),)

    adam = Adam(0.02, (0.0,))
    found: Arrays = (np.zeros(3),)
    for _ in range(1_500):
        found = adam.epoch(found, slopes, np.arange(200), 200, rng)
    np.testing.assert_allclose(found[0], minimize(loss, np.zeros(3)).x, atol=1e-3)


def test_an_epoch_uses_every_row_once() -> None:
    """Batches are of the size asked for, but for the last, and make up the rows."""
    seen: list[Ints] = []

    def note(parameters: Arrays, rows: Ints) -> Arrays:
        seen.append(rows)
        return (np.zeros(1),)

    Adam(0.1, (0.0,)).epoch((np.zeros(1),), note, np.arange(5, 15), 4, np.random.default_rng(0))
    assert [len(rows) for rows in seen] == [4, 4, 2]
    assert sorted(np.concatenate(seen)) == list(range(5, 15))


def test_what_is_given_stays_as_it_was() -> None:
    """Steps make new arrays, in the precision of the old ones; earlier epochs can be kept."""
    before = np.ones(3, np.float32)
    slope = np.full(3, 2.0, np.float32)
    adam = Adam(0.1, (0.0,))
    (first,) = adam.step((before,), (slope,))
    (after,) = adam.step((first,), (slope,))
    assert after.dtype == np.float32
    np.testing.assert_array_equal(before, 1.0)
    np.testing.assert_array_equal(slope, 2.0)
    assert not np.shares_memory(first, after)
