"""How sure a mean, a correlation and a change are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pointsman.onboard.intervals import correlation_interval, mean_interval, paired_change


def test_mean_by_hand() -> None:
    """Three of four right: Beta(3.5, 1.5) between its 5 % and 95 % points, 0.346 and 0.964."""
    found = mean_interval(np.array([1.0, 1.0, 0.0, 1.0]))
    assert (found.mean, found.n) == (0.75, 4)
    # The Beta's distribution function by the midpoint rule: x^2.5 (1 - x)^0.5.
    x = (np.arange(200_000) + 0.5) / 200_000
    mass = np.cumsum(x**2.5 * (1 - x) ** 0.5)
    low, high = x[np.searchsorted(mass / mass[-1], [0.05, 0.95])]
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_nothing_is_known_of_none() -> None:
    """No score says nothing: all of [0, 1]."""
    assert mean_interval(np.array([])) == mean_interval(np.array([]))
    found = mean_interval(np.array([]))
    assert (found.low, found.high, found.n) == (0.0, 1.0, 0)


def test_all_right_reaches_one() -> None:
    """All right, or all wrong: the bound is the end itself, and the other one is away from it."""
    assert mean_interval(np.ones(10)).high == 1.0
    assert 0.7 < mean_interval(np.ones(10)).low < 0.9
    assert mean_interval(np.zeros(10)).low == 0.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=80))
def test_mean_lies_within(scores: list[float]) -> None:
    """The mean is inside its interval, the interval inside [0, 1], and more of the same narrows it."""
    found, more = mean_interval(np.array(scores)), mean_interval(np.array(scores * 4))
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert more.high - more.low <= found.high - found.low + 1e-9


def test_coverage() -> None:
    """Nine in ten intervals of twenty draws hold the true share."""
    rng = np.random.default_rng(1)
    held = [
        (one := mean_interval((rng.random(20) < share).astype(float))).low <= share <= one.high
        for share in rng.random(3_000)
    ]
    assert 0.88 < np.mean(held) < 0.93


def test_correlation() -> None:
    """As scipy's own interval for Pearson's correlation; nothing where it isn't defined."""
    rng = np.random.default_rng(2)
    one = rng.random(30)
    other = 0.5 * one + rng.random(30)
    found, theirs = correlation_interval(one, other), stats.pearsonr(one, other)
    assert found is not None
    between = theirs.confidence_interval(0.9)
    assert (found.mean, found.low, found.high) == pytest.approx((theirs.statistic, between.low, between.high))
    assert correlation_interval(np.ones(30), other) is None
    assert correlation_interval(one[:3], other[:3]) is None


def test_change_by_hand() -> None:
    """Differences 0, -1, -1, 0: mean -0.5, standard error √(1/3)/2, t = √3, p = 0.1817."""
    found = paired_change(np.array([1.0, 1.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0, 0.0]))
    assert found is not None
    assert (found.before, found.after, found.difference.mean) == (0.75, 0.25, -0.5)
    assert found.p == pytest.approx(0.18169, abs=1e-5)
    assert not found.changed


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0])), min_size=2, max_size=60))
def test_change_is_students(pairs: list[tuple[float, float]]) -> None:
    """The p and the interval are those of scipy's paired t-test; equal scores are no change."""
    before, after = np.array(pairs).T
    found = paired_change(before, after)
    assert found is not None
    if np.ptp(after - before) > 0:
        theirs = stats.ttest_rel(after, before)
        between = theirs.confidence_interval(0.9)
        assert found.p == pytest.approx(theirs.pvalue)
        assert (found.difference.low, found.difference.high) == pytest.approx((between.low, between.high))
    else:
        assert found.changed == bool(before[0] != after[0])


def test_too_few_pairs() -> None:
    """One pair tells nothing of a change."""
    assert paired_change(np.ones(1), np.zeros(1)) is None
