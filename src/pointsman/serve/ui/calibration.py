"""Whether estimates come true: expected quality against the feedback that came, in bins of equal counts.

Takes what was expected of the model that served and the score that its answer got; gives bins with Wilson's 95 %
intervals (JASA 22, 1927; for scores between 0 and 1 they are too wide rather than too narrow) and the expected
calibration error (Naeini and others, AAAI 2015). It corrects nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointsman.records import Floats

MOST_BINS = 10
LEAST_IN_BIN = 10
Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of which much the same was expected.

    Attributes:
        expected: mean estimate.
        got: mean feedback, and its 95 % interval `low` to `high`.
        count: of answers.
    """

    expected: float
    got: float
    low: float
    high: float
    count: int


def bins_of(expected: Floats, got: Floats) -> list[Bin]:
    """At most ten bins of at least ten answers each, the least expected first; none of fewer than ten answers.

    Args:
        expected, got: float [N].
    """
    number = min(MOST_BINS, len(expected) // LEAST_IN_BIN)
    if number == 0:
        return []
    order = np.argsort(expected, kind="stable")
    return [_bin(expected[rows], got[rows]) for rows in np.array_split(order, number)]


def _bin(expected: Floats, got: Floats) -> Bin:
    mean = float(got.mean())
    low, high = wilson(mean, len(got))
    return Bin(float(expected.mean()), mean, low, high, len(got))


def wilson(mean: float, n: int) -> tuple[float, float]:
    """Where the true mean of n scores in [0, 1] lies with a probability of 0.95."""
    centre = (mean + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * float(np.sqrt(mean * (1 - mean) / n + Z * Z / (4 * n * n)))
    return min(mean, max(0.0, centre - half)), max(mean, min(1.0, centre + half))


def calibration_error(bins: list[Bin]) -> float | None:
    """How far feedback is from what was expected, by the bins' counts; None without any."""
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.got - one.expected) for one in bins) / total if total else None
