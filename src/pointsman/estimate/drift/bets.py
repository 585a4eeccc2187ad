"""What is bet on: functions of a rank in [0, 1] that are 1 on average, so that nobody wins where nothing changes.

A stream whose law doesn't change gives ranks that are uniform, whatever that law is. Each bet here multiplies money by
a function of the rank whose mean is 1; it grows where ranks pile up somewhere. Takes nothing, gives tables over cells
of equal width, each row's mean exactly 1. Nothing is learned from a stream, since a bet may not look at its data.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pointsman.records import Floats

CELLS = 1_024
TILTS = (0.25, 0.5, 1.0)  # of straight lines 1 + tilt (1 − 2p): small shifts of everything
POWERS = (0.12, 0.35, 0.65)  # of κ p^(κ−1): values that were never seen before, or hardly ever
STEPS = (0.15, 0.3, 0.5, 0.7)  # where a step falls: scores of 0 and 1, by the share of failures
LIFTS = (1.4, 2.0)  # how much likelier ranks below it become
SPANS = (2, 4, 8, 16)  # [0, 1] cut in so many parts, of each of which it is bet that it grows, and that it shrinks
GROWTHS = (1.5, 3.0)
SHRINKAGE = 0.4


@lru_cache(maxsize=1)
def shift_bets() -> Floats:
    """Bets that values became lower (first half of the rows) or higher (second half), float [K, CELLS]."""
    edge = np.linspace(0.0, 1.0, CELLS + 1)
    lower = [np.diff(edge + tilt * (edge - edge**2)) * CELLS for tilt in TILTS]
    lower += [np.diff(edge**power) * CELLS for power in POWERS]
    lower += [_step(0.0, at, lift) for at in STEPS for lift in LIFTS if at * lift < 1.0]
    rows = np.array(lower)
    return np.concatenate([rows, rows[:, ::-1]])


@lru_cache(maxsize=1)
def share_bets() -> Floats:
    """Bets that the values of some interval of ranks became more frequent or rarer, float [K, CELLS]."""
    rows = [
        _step(part / parts, (part + 1) / parts, change)
        for parts in SPANS
        for part in range(parts)
        for change in (*GROWTHS, SHRINKAGE)
        if change / parts < 1.0
    ]
    return np.array(rows)


def _step(start: float, end: float, change: float) -> Floats:
    """`change` on an interval, and outside of it what makes the mean 1."""
    edge = np.linspace(0.0, 1.0, CELLS + 1)
    inside = np.diff(np.clip(edge, start, end)) * CELLS
    return inside * change + (1.0 - inside) * (1.0 - change * (end - start)) / (1.0 - (end - start))
