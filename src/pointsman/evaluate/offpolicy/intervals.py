"""Intervals by resampling queries: the bootstrap's percentiles of any quotient of sums.

Takes columns of numbers by query and a formula over their means; gives the formula's value and an interval. Queries are
taken as independent draws from the traffic that they stand for (Efron 1979); what drifts within the log, or one user's
queries that go together, make the truth less certain than it says. The same seed gives the same interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pointsman.records import Floats

REPEATS = 1_000
LEVEL = 0.90
_AT_ONCE = 50  # resamples counted together: memory, not speed


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and the interval around it; NaN where the log says nothing."""

    value: float
    low: float
    high: float


def resampled(
    columns: Floats, formula: Callable[[Floats], Floats], *, repeats: int = REPEATS, level: float = LEVEL, seed: int = 0
) -> list[Estimate]:
    """K formulas over the means of C columns, each with its interval.

    Args:
        columns: float [N, C], one row a query.
        formula: from means [R, C] to values [R, K].
        repeats: resamples.
        level: share of resamples inside an interval.
    """
    count = len(columns)
    if count == 0:
        return [Estimate(np.nan, np.nan, np.nan)] * formula(np.zeros((1, columns.shape[1]))).shape[1]
    rng = np.random.default_rng(seed)
    chance = np.full(count, 1.0 / count)
    means = [
        rng.multinomial(count, chance, size=min(_AT_ONCE, repeats - start)) @ columns / count
        for start in range(0, repeats, _AT_ONCE)
    ]
    found = formula(np.concatenate(means))
    value = formula(columns.mean(axis=0)[None, :])[0]
    tail = (1.0 - level) / 2.0
    return [_around(one, found[:, k], tail) for k, one in enumerate(value)]


def _around(value: float, found: Floats, tail: float) -> Estimate:
    finite = found[np.isfinite(found)]
    if not np.isfinite(value) or not len(finite):
        return Estimate(float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(finite, [tail, 1.0 - tail])
    return Estimate(float(value), float(low), float(high))
