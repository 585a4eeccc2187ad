"""The spread of quality estimates, on errors whose size is known."""

from __future__ import annotations

import numpy as np
import pytest

from pointsman.estimate.spread import fit_spread, plain_spread, relative_variance


def test_a_mean_of_a_hundred_coin_flips() -> None:
    """By hand: a chance of one half estimated from 100 outcomes has a standard error of .5 / √100 = .05."""
    spread = plain_spread(np.ones(1), 100).of(np.array([[0.5]]), np.array([3.0]))
    assert spread[0, 0] == pytest.approx(0.05)


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_known_errors_are_recovered(share: float) -> None:
    """Two estimates with independent errors of known deviation, growing with remoteness, give that deviation back.

    A part of the history has a larger variance than the whole by one over the square root of its share.
    """
    rng = np.random.default_rng(0)
    remoteness = rng.uniform(0.2, 3.0, 20_000)
    truth = np.full((20_000, 2), 0.5)
    deviation = np.sqrt(0.25 * (0.004 + 0.01 * remoteness))[:, None] / share**0.25
    first, second = (truth + deviation * rng.normal(size=truth.shape) for _ in range(2))
    fitted = fit_spread(np.ones(2), first, second, remoteness, share)
    at = np.array([0.5, 2.5])
    wanted = np.sqrt(0.25 * (0.004 + 0.01 * at))
    np.testing.assert_allclose(fitted.of(np.full((2, 2), 0.5), at)[:, 0], wanted, rtol=0.05)


def test_relative_variance_is_one_for_calibrated_outcomes_and_less_for_graded_ones() -> None:
    """Zero-or-one outcomes at their expected chance vary by q (1 − q); scores that hug their expectation vary less."""
    rng = np.random.default_rng(1)
    q = rng.uniform(0.1, 0.9, (20_000, 2))
    score = np.column_stack([rng.random(20_000) < q[:, 0], q[:, 1] + rng.normal(0, 0.05, 20_000)]).astype(float)
    score[::3] = np.nan
    found = relative_variance(score, q)
    assert found[0] == pytest.approx(1.0, abs=0.03)
    assert found[1] < 0.05
