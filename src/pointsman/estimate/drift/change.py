"""Since when, and by how much: a stream's change, told once its detector has rung. Pure functions over arrays.

The change point is the split with the largest likelihood ratio: of two means with a common variance for numbers, of two
distributions for shares. Sizes come with 95 % intervals (Welch's for means, Newcombe's for shares) that take the split
as given; since the split was looked for, a change is on average a little smaller than said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from pointsman.records import Floats, Ints

CONFIDENCE = 0.95
NORMAL = 1.959964  # the normal distribution's quantile for it


@dataclass(frozen=True, slots=True)
class Change:
    """What a stream did.

    Attributes:
        first: place of the first value after the change, among the recent ones.
        before, after: the means, or the shares of the part that changed most.
        low, high: interval of `after` − `before`.
        count_before, count_after: values that these come from.
        part: which part changed most, where the stream has parts; else -1.
    """

    first: int
    before: float
    after: float
    low: float
    high: float
    count_before: int
    count_after: int
    part: int = -1

    @property
    def difference(self) -> float:
        """How much was added."""
        return self.after - self.before


def changed_mean(recent: Floats, older: Floats) -> Change | None:
    """Where and by how much the mean of a stream moved.

    Args:
        recent: float [N], values in the order of time, among which the change is looked for.
        older: float [3], number, sum and sum of squares of the values before them.

    Returns:
        None where there are fewer than two values.
    """
    place = np.arange(1, len(recent) + 1)
    count = older[0] + np.concatenate([[0.0], place])[:-1]  # values before each possible split
    total = older[1] + np.concatenate([[0.0], np.cumsum(recent)])[:-1]
    after_count = len(recent) - place + 1.0
    all_sum = older[1] + recent.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = count * after_count / (count + after_count) * (total / count - (all_sum - total) / after_count) ** 2
    if not np.isfinite(gain).any():
        return None
    first = int(np.nanargmax(gain))
    squares = older[2] + (recent[:first] ** 2).sum()
    before = _summed(count[first], total[first], squares)
    after = _summed(len(recent) - first, recent[first:].sum(), (recent[first:] ** 2).sum())
    half = _welch(before, after)
    gap = after[1] - before[1]
    return Change(first, before[1], after[1], gap - half, gap + half, int(before[0]), int(after[0]))


def _summed(count: float, total: float, squares: float) -> tuple[float, float, float]:
    """Count, mean, and variance of the mean (infinite for a single value)."""
    mean = total / count
    variance = max(0.0, squares / count - mean**2) / (count - 1.0) if count > 1.0 else np.inf
    return float(count), float(mean), float(variance)


def _welch(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """Half the width of the interval of a difference of means; infinite where one has a single value."""
    (n, _, a), (m, _, b) = one, other
    if not np.isfinite(a + b):
        return np.inf
    if a + b <= 0.0:
        return 0.0
    freedom = (a + b) ** 2 / (a**2 / (n - 1.0) + b**2 / (m - 1.0))
    return float(stdtrit(freedom, 0.5 + CONFIDENCE / 2) * np.sqrt(a + b))


def changed_shares(recent: Ints, older: Ints) -> Change | None:
    """Where the shares of a stream's parts changed, and the part that gained most.

    Args:
        recent: int [N], parts in the order of time.
        older: int [B], how often each part came before them.

    Returns:
        None where there are fewer than two values.
    """
    before, total = _tables(recent, older)
    after = total - before
    if total.sum() < 2:
        return None
    gain = _entropy(before) + _entropy(after)
    gain[(before.sum(axis=1) == 0) | (after.sum(axis=1) == 0)] = -np.inf
    first = int(gain.argmax())
    n, m = before[first], after[first]
    part = int((m / m.sum() - n / n.sum()).argmax())
    low, high = _newcombe(n[part], n.sum(), m[part], m.sum())
    shares = float(n[part] / n.sum()), float(m[part] / m.sum())
    return Change(first, *shares, low, high, int(n.sum()), int(m.sum()), part)


def shares_around(recent: Ints, older: Ints, first: int) -> tuple[Floats, Floats]:
    """The shares [B] of all parts before and after a split of the recent values."""
    before = older + np.bincount(recent[:first], minlength=len(older))
    after = np.bincount(recent[first:], minlength=len(older))
    return before / max(1, before.sum()), after / max(1, after.sum())


def _tables(recent: Ints, older: Ints) -> tuple[Floats, Floats]:
    """How often each part came before each possible split [N, B], and in all [B]."""
    came = np.zeros((len(recent), len(older)), np.float64)
    came[np.arange(len(recent)), recent] = 1.0
    before = older + np.cumsum(came, axis=0) - came
    return before, older + came.sum(axis=0)


def _entropy(counts: Floats) -> Floats:
    """Log-likelihood [N] of counts [N, B] at their own shares."""
    total = counts.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(counts > 0, counts * np.log(counts / total), 0.0)
    found: Floats = parts.sum(axis=1)
    return found


def _newcombe(x: float, n: float, y: float, m: float) -> tuple[float, float]:
    """Interval of y/m − x/n from Wilson's intervals (Newcombe 1998, method 10)."""
    (a, low_a, high_a), (b, low_b, high_b) = _wilson(x, n), _wilson(y, m)
    below = np.sqrt((b - low_b) ** 2 + (high_a - a) ** 2)
    above = np.sqrt((high_b - b) ** 2 + (a - low_a) ** 2)
    return float(b - a - below), float(b - a + above)


def _wilson(x: float, n: float) -> tuple[float, float, float]:
    share = x / n
    middle = (share + NORMAL**2 / (2 * n)) / (1 + NORMAL**2 / n)
    half = NORMAL / (1 + NORMAL**2 / n) * np.sqrt(share * (1 - share) / n + NORMAL**2 / (4 * n**2))
    return share, middle - half, middle + half
