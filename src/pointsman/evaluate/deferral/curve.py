"""The deferral curve: quality against cost as the price of money falls, exactly, and what is read off it.

One convention for every method. A method gives `quality` [Q, N] and decision costs `cost_usd` [Q, N] for Q test prompts
and the N models of the pool. At every price lambda >= 0 a prompt goes to argmax(quality - lambda cost), ties to the
cheaper model. Lambda isn't sampled: a prompt changes its model only where its own upper concave hull has a corner, so
all corners of all prompts, sorted, are the whole curve. Prompts whose corners coincide switch together, and the
straight line between two points of the curve is the random mixture of the two; estimates that are the same for all
prompts therefore trace the Pareto hull of the models' means (ZeroRouter).

x is the mean recorded cost of the choices over the mean recorded cost of the pool's dearest model, y the mean recorded
score. To the left of its first point and to the right of its last one a curve is flat. With costs that differ from
prompt to prompt a curve may bend back: it is sorted by x, and of points with equal x the last holds.

Takes arrays; chooses no price, no model and no method. Refuses a missing cell and a pool in which nothing costs money.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np

from pointsman.errors import InputError
from pointsman.records import Floats, Ints

POINTS = 101  # of a curve as it is saved: relative costs 0, 0.01, ..., 1
_SAME = 1e-12  # corners nearer than this, relatively, differ by rounding alone


@dataclass(frozen=True, slots=True)
class Curve:
    """P points, x rising strictly.

    Attributes:
        relative_cost: float [P], x.
        quality: float [P], y.
        best_quality, best_cost: the pool's most accurate model's mean score, and its own x.
    """

    relative_cost: Floats
    quality: Floats
    best_quality: float
    best_cost: float

    @property
    def peak(self) -> float:
        """The highest quality anywhere on the curve."""
        return float(self.quality.max())


def deferral_curve(quality: Floats, cost_usd: Floats, score: Floats, paid_usd: Floats) -> Curve:
    """The curve of estimates on recorded outcomes.

    Args:
        quality: [Q, N], what is expected.
        cost_usd: [Q, N] or [N], what the decisions take the costs to be.
        score, paid_usd: [Q, N], what was recorded.

    Raises:
        InputError: a cell is not a finite number, or no model of the pool cost anything.
    """
    costs = np.ascontiguousarray(np.broadcast_to(cost_usd, quality.shape), dtype=np.float64)
    for name, cells in (("quality", quality), ("cost", costs), ("score", score), ("recorded cost", paid_usd)):
        _check_finite(name, cells)
    start, price, prompt, before, after = _switches(np.ascontiguousarray(quality, dtype=np.float64), costs)
    rows, order = np.arange(len(quality)), np.argsort(-price, kind="stable")
    last = _lasts(price[order])
    prompt, before, after = prompt[order], before[order], after[order]

    def walk(cells: Floats) -> Floats:
        gained = np.cumsum(cells[prompt, after] - cells[prompt, before])[last]
        walked: Floats = (cells[rows, start].sum() + np.concatenate([[0.0], gained])) / len(quality)
        return walked

    return _curve(walk(paid_usd), walk(score), score, paid_usd)


def mixture_curve(models: Ints, score: Floats, paid_usd: Floats) -> Curve:
    """The curve of random mixtures of neighbours in a list of models, whatever the prompt.

    Args:
        models: columns, in the order in which neighbours are mixed.
        score, paid_usd: [Q, N], what was recorded.

    Raises:
        InputError: as `deferral_curve`.
    """
    _check_finite("score", score)
    _check_finite("recorded cost", paid_usd)
    return _curve(paid_usd.mean(axis=0)[models], score.mean(axis=0)[models], score, paid_usd)


def area(curve: Curve, share: float = 1.0) -> float:
    """Mean quality over relative costs from 0 to `share`: the integral of y over x, divided by `share`."""
    inside = (curve.relative_cost > 0) & (curve.relative_cost < share)
    x = np.concatenate([[0.0], curve.relative_cost[inside], [share]])
    return float(np.trapezoid(np.interp(x, curve.relative_cost, curve.quality), x) / share)


def quality_neutral_cost(curve: Curve) -> float:
    """QNC: the least cost at which the curve reaches the most accurate model's quality, over that model's cost.

    Returns:
        The ratio, infinite if the curve never gets there.
    """
    # The mixture that ends at that very model comes within rounding of its mean.
    reached = np.flatnonzero(curve.quality >= curve.best_quality - 1e-12)
    if not len(reached):
        return math.inf
    at = int(reached[0])
    cost = curve.relative_cost[at]
    if at:
        x, y = curve.relative_cost[at - 1 : at + 1], curve.quality[at - 1 : at + 1]
        cost = x[0] + (x[1] - x[0]) * min(1.0, (curve.best_quality - y[0]) / (y[1] - y[0]))
    if curve.best_cost == 0.0:
        return 1.0 if cost == 0.0 else math.inf
    return float(cost / curve.best_cost)


def sampled(curve: Curve) -> tuple[Floats, Floats]:
    """The curve at `POINTS` even relative costs from 0 to 1: (relative costs, qualities)."""
    x = np.linspace(0.0, 1.0, POINTS)
    return x, np.interp(x, curve.relative_cost, curve.quality)


def _check_finite(name: str, cells: Floats) -> None:
    if not np.isfinite(cells).all():
        row, column = np.argwhere(~np.isfinite(cells))[0]
        raise InputError(
            f"the {name} of model {column} is not a finite number",
            place=f"test prompt {row}",
            remedy="leave out rows and models with missing cells (--min-coverage)",
        )


def _curve(paid: Floats, quality: Floats, score: Floats, paid_usd: Floats) -> Curve:
    """Points in the order of the sweep as a curve, against the pool's dearest model."""
    costs, scores = paid_usd.mean(axis=0), score.mean(axis=0)
    if not costs.max() > 0:
        raise InputError(
            "no model of the pool cost anything on the test prompts, so there is no relative cost",
            place="cost_usd",
            remedy="record costs, or leave out models without them",
        )
    order = np.argsort(paid, kind="stable")
    x, y = paid[order] / costs.max(), quality[order]
    last = np.concatenate([np.diff(x) > 0, [True]])
    best = int(np.lexsort((costs, -scores))[0])
    return Curve(x[last], y[last], float(scores[best]), float(costs[best] / costs.max()))


def _lasts(price: Floats) -> Ints:
    """Where each run of equal prices ends; `price` falls."""
    if not len(price):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.concatenate([np.diff(price) < -_SAME * price[:-1], [True]]))


@numba.njit(cache=True, nogil=True)
def _switches(  # type: ignore[no-untyped-def] # pragma: no cover (compiled)
    quality, cost
):
    """Every prompt's walk along its upper concave hull, from its cheapest model to its best one.

    Returns:
        The models [Q] that prompts start with; then, for all S switches: price, prompt, model before, model after.
    """
    count, models = quality.shape
    start = np.zeros(count, np.int64)
    price, where = np.empty(count * models), np.empty((3, count * models), np.int64)
    done = 0
    for q in range(count):
        for m in range(1, models):
            c, least = cost[q, m], cost[q, start[q]]
            if c < least or (c == least and quality[q, m] > quality[q, start[q]]):
                start[q] = m
        at = start[q]
        while True:
            after, slope = -1, 0.0
            for m in range(models):
                if quality[q, m] > quality[q, at] and cost[q, m] > cost[q, at]:
                    here = (quality[q, m] - quality[q, at]) / (cost[q, m] - cost[q, at])
                    # On one line the farthest: those between are never the one best.
                    if here > slope or (here == slope and after >= 0 and cost[q, m] > cost[q, after]):
                        after, slope = m, here
            if after < 0:
                break
            price[done] = slope
            where[0, done], where[1, done], where[2, done] = q, at, after
            done += 1
            at = after
    return start, price[:done], where[0, :done], where[1, :done], where[2, :done]
