"""Means of few scores, and how sure they are. Arrays in, `Interval` out; nothing is drawn by chance.

A mean of scores in [0, 1] has the interval of a Beta posterior from Jeffreys' prior, Beta(½ + Σs, ½ + Σ(1 − s)) (Brown,
Cai and DasGupta, Statistical Science 16, 2001): right for scores of 0 and 1, too wide rather than too narrow for those
between, and honest for three of them. A correlation has Fisher's; a mean of paired differences has Student's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.special import betaincinv, ndtri

from pointsman.records import Floats

LEVEL = 0.9
LEAST_PAIRS = 4  # for a correlation: Fisher's standard error is 1 / √(n − 3)
CHANGED_BELOW = 0.05


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and where the true one lies with a probability of 0.9.

    Attributes:
        mean: of n values.
        low, high: the bounds.
        n: how many.
    """

    mean: float
    low: float
    high: float
    n: int


def mean_interval(scores: Floats, level: float = LEVEL) -> Interval:
    """Of n scores in [0, 1]; of none it is all of [0, 1] about a half."""
    n, total = len(scores), float(np.sum(scores))
    tail = (1.0 - level) / 2.0
    low, high = betaincinv(0.5 + total, 0.5 + n - total, [tail, 1.0 - tail]).tolist()
    mean = total / n if n else 0.5
    # Jeffreys' bounds are inside of 0 and 1 even where every score is one of them.
    return Interval(mean, 0.0 if total == 0 else min(low, mean), 1.0 if total == n else max(high, mean), n)


def correlation_interval(one: Floats, other: Floats, level: float = LEVEL) -> Interval | None:
    """Pearson's correlation of two rows of scores; None for few pairs, or where one of them never varies."""
    n = len(one)
    if n < LEAST_PAIRS or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    mean = float(np.clip(np.corrcoef(one, other)[0, 1], -1.0, 1.0))
    if abs(mean) == 1.0:
        return Interval(mean, mean, mean, n)
    half = float(ndtri(0.5 + level / 2.0)) / np.sqrt(n - 3)
    low, high = np.tanh([np.arctanh(mean) - half, np.arctanh(mean) + half]).tolist()
    return Interval(mean, low, high, n)


@dataclass(frozen=True, slots=True)
class Change:
    """The same probes, scored twice.

    Attributes:
        before, after: mean scores.
        difference: after less before, with its 90 % interval.
        p: two-sided, that chance alone does this to a model that hasn't changed (a paired t-test).
        changed: whether p is below 0.05.
    """

    before: float
    after: float
    difference: Interval
    p: float
    changed: bool


def paired_change(before: Floats, after: Floats, level: float = LEVEL) -> Change | None:
    """Of n pairs; None for fewer than two."""
    n = len(before)
    if n < 2:
        return None
    away = after - before
    mean, error = float(away.mean()), float(away.std(ddof=1)) / np.sqrt(n)
    # Differences that are all the same have no error: then zero is no change, and anything else is one.
    p = float(2.0 * stats.t.sf(abs(mean) / error, n - 1)) if error > 0.0 else float(mean == 0.0)
    half = float(stats.t.ppf(0.5 + level / 2.0, n - 1)) * error
    difference = Interval(mean, mean - half, mean + half, n)
    return Change(float(before.mean()), float(after.mean()), difference, p, p < CHANGED_BELOW)
