"""Prices: the dual of `program`, smoothed and solved by Newton steps over the funds.

    D(p) = Σ_f p_f B_f + Σ_j w_j max(0, max_i (q_ji − Σ_f p_f a_fji)),   p ≥ 0          ("serve nobody" is the 0)

Takes a `Program`, gives `Prices` with a certificate: the bound D(p), and the value of a fractional assignment that
keeps every budget, so the gap between them is known and not hoped for. The maximum is replaced by
t·log(1 + Σ_i exp(·/t)); its derivative is a fractional assignment, its curvature says how far a price may move, and
t falls until the gap is closed. A query is read in one pass and forgotten, so the same descent serves rows in memory
and rows in a stream (`streaming`). It doesn't give the exact vertex nor a whole assignment (`polish` does), and it
draws no random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numba
import numpy as np

from pointsman.decide.program import FundTable, Program, open_pairs
from pointsman.errors import InputError
from pointsman.records import Floats, Ints, Mask

# exp(-32) is 1e-14: an option that far below the best one gets no share, at no cost to the certificate.
_NEGLIGIBLE = 32.0
# Temperatures, in the quality that an average query can reach: where a cold and a warm descent begin, how they fall.
_HOT, _WARM, _COOLING, _COLDEST = 0.3, 0.03, 0.4, 1e-9
_WARM_PASSES = 100
_LEAST_DAMPING, _MOST_DAMPING, _MOST_TRIALS = 1e-9, 1e6, 6
_RESOLUTION = 1e-13  # of the dual value: what rounding may hide in a sum over the queries
_SMALL = 8000  # rows; more are begun on a sample of one in _THINNING
_THINNING = 8


@dataclass(frozen=True, slots=True)
class Prices:
    """What a unit of each fund is worth, and how well that is known.

    Attributes:
        price: float [F], quality per unit of the fund, in the fund's own unit; 0 where the fund never binds.
        closed: bool [F], funds of zero: no finite price, price is 0, and no query that takes from them can be sent.
        bound: D(price), an upper bound on what any assignment within the budgets can reach.
        value: what one fractional assignment within the budgets does reach.
        iterations: passes over all queries; the cheap ones over a sample, to begin with, don't count.
        converged: whether the gap is within the tolerance asked for.
    """

    price: Floats
    closed: Mask
    bound: float
    value: float
    iterations: int
    converged: bool

    @property
    def gap(self) -> float:
        """(bound − value) / bound: the certificate, at least the distance of `bound` from the optimum."""
        return (self.bound - self.value) / self.bound if self.bound > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the funds sit in the plane of (unit in use, model) cells, budgets scaled to 1.

    Attributes:
        units: units in use, positions in `UNITS`.
        weight: float [F', units in use × M], 1/B_f where an open fund is drawn on.
        open_: int [F'], the funds with a budget above zero.
        models: M.
    """

    units: Ints
    weight: Floats
    open_: Ints
    models: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Queries laid out for the kernel: −∞ where a pair is closed, one table for each unit in use but requests.

    Always contiguous and read-only, so that the kernel is compiled for one kind of array and not for each it meets.
    """

    quality: Floats
    tables: Floats
    weights: Floats

    def __post_init__(self) -> None:
        for name in ("quality", "tables", "weights"):
            view = np.ascontiguousarray(getattr(self, name), dtype=np.float64).view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one pass over all queries says at some prices and temperature t.

    Attributes:
        exact: Σ_j w_j max(0, best score).
        smooth: the same, smoothed; between `exact` and `exact` + Σ w · t log(M + 1).
        spent: float [units in use × M], taken by the fractional assignment.
        value: float [M], quality it reaches, by model.
        curvature: float [units in use × M, the same], t times the second derivative.
    """

    exact: float
    smooth: float
    spent: Floats
    value: Floats
    curvature: Floats

    def __add__(self, other: Reading) -> Reading:
        return Reading(
            self.exact + other.exact,
            self.smooth + other.smooth,
            self.spent + other.spent,
            self.value + other.value,
            self.curvature + other.curvature,
        )


Reader = Callable[[Floats, float], Reading]


def layout_of(funds: FundTable) -> Layout:
    """The funds as a matrix over (unit in use, model) cells."""
    open_ = np.flatnonzero(~funds.closed)
    units = np.unique(funds.unit)
    models = funds.draws.shape[1]
    weight = np.zeros((len(open_), len(units), models))
    weight[np.arange(len(open_)), np.searchsorted(units, funds.unit[open_])] = (
        funds.draws[open_] / funds.budget[open_, None]
    )
    return Layout(units, weight.reshape(len(open_), len(units) * models), open_, models)


def rows_of(program: Program, layout: Layout) -> Rows:
    """The queries of a program for the kernel; copies only what closed pairs and a second unit force it to."""
    open_ = open_pairs(program)
    quality = program.quality if open_ is None else np.where(open_, program.quality, -np.inf)
    tables = [table for unit in layout.units if (table := program.amounts.of(int(unit))) is not None]
    if len(tables) == 1:
        return Rows(quality, tables[0][None], program.weights)
    return Rows(quality, np.stack(tables) if tables else np.empty((0, *quality.shape)), program.weights)


def read_rows(rows: Rows, unit_price: Floats, temperature: float) -> Reading:
    """One pass over the rows: unit_price are float [units in use × M], in quality per unit."""
    models = rows.quality.shape[1]
    spent, value = np.zeros(unit_price.size), np.zeros(models)
    curvature = np.zeros((unit_price.size, unit_price.size))
    exact, smooth = _read(
        rows.quality, rows.tables, rows.weights, unit_price.reshape(-1, models), temperature, spent, value, curvature
    )
    upper = np.triu(curvature, 1)
    return Reading(exact, smooth, spent, value, curvature + upper.T)


@numba.njit(cache=True, nogil=True, fastmath={"nsz", "contract", "reassoc", "arcp"})
def _read(  # noqa: C901, PLR0912
    quality: Floats,
    tables: Floats,
    weights: Floats,
    unit_price: Floats,
    temperature: float,
    spent: Floats,
    value: Floats,
    curvature: Floats,
) -> tuple[float, float]:
    """Add every row into spent, value and the upper triangle of curvature; see `Reading`."""
    queries, models = quality.shape
    units, stored = unit_price.shape[0], tables.shape[0]
    score = np.empty(models)
    near = np.empty(models, np.int64)
    share = np.empty(models)
    drawn = np.empty((units, models))
    exact = smooth = 0.0
    floor = _NEGLIGIBLE * temperature
    for j in range(queries):
        for i in range(models):
            score[i] = quality[j, i]
        for u in range(units):
            if u < stored:
                for i in range(models):
                    score[i] -= unit_price[u, i] * tables[u, j, i]
            else:
                for i in range(models):
                    score[i] -= unit_price[u, i]
        best = 0.0
        for i in range(models):
            best = max(best, score[i])
        count = 0
        total = np.exp(-best / temperature)
        for i in range(models):
            if score[i] > best - floor:
                near[count] = i
                share[count] = np.exp((score[i] - best) / temperature)
                total += share[count]
                count += 1
        weight = weights[j]
        exact += weight * best
        smooth += weight * (best + temperature * np.log(total))
        for k in range(count):
            i = near[k]
            share[k] /= total
            value[i] += weight * share[k] * quality[j, i]
            for u in range(units):
                drawn[u, k] = tables[u, j, i] if u < stored else 1.0
                spent[u * models + i] += weight * share[k] * drawn[u, k]
        for u in range(units):
            for k in range(count):
                row = u * models + near[k]
                pull = weight * share[k] * drawn[u, k]
                for v in range(u, units):
                    curvature[row, v * models + near[k]] += pull * drawn[v, k]
                    for other in range(k if v == u else 0, count):
                        curvature[row, v * models + near[other]] -= pull * share[other] * drawn[v, other]
    return exact, smooth


@dataclass(frozen=True, slots=True)
class Point:
    """Scaled prices (price × budget), what the queries say there, and the certificate that follows.

    `slope` is 1 − the share of each fund that is spent; `unsettled` is the part of the gap that more steps at this
    temperature would close, the rest of it is the temperature's own.
    """

    scaled: Floats
    reading: Reading
    slope: Floats
    smooth: float
    bound: float
    value: float
    unsettled: float

    @property
    def gap(self) -> float:
        """What is between the bound and the value, in quality."""
        return self.bound - self.value


@dataclass(frozen=True, slots=True)
class Descent:
    """Where a descent ended, how cold, after how many passes, and whether its gap is within the tolerance."""

    point: Point
    temperature: float
    passes: int
    converged: bool


def look(read: Reader, layout: Layout, scaled: Floats, temperature: float) -> Point:
    """Read the queries at these prices; bound the optimum from above and, by a feasible assignment, from below."""
    reading = read(scaled @ layout.weight, temperature)
    used = layout.weight @ reading.spent
    keep = _kept(layout, used)
    total = float(scaled.sum())
    lost = float(reading.value @ (1.0 - keep))
    return Point(
        scaled=scaled,
        reading=reading,
        slope=1.0 - used,
        smooth=total + reading.smooth,
        bound=total + reading.exact,
        value=max(0.0, float(reading.value @ keep)),
        unsettled=float(scaled @ np.maximum(0.0, 1.0 - used)) + max(0.0, lost),
    )


def _kept(layout: Layout, used: Floats) -> Floats:
    """The share of each model's queries, float [M], that keeps every fund: its most overdrawn fund says."""
    most = np.max((layout.weight > 0) * used[:, None], axis=0, initial=1.0)
    return np.asarray(1.0 / most.reshape(-1, layout.models).max(axis=0, initial=1.0))


def descend(
    read: Reader, layout: Layout, scaled: Floats, *, temperature: float, tolerance: float, most: int
) -> Descent:
    """Follow the minimum of the smoothed dual as the temperature falls, until the gap is within the tolerance.

    Args:
        read: one pass over the queries.
        scaled: float [F'], the prices to begin at, times the budgets.
        temperature: where to begin, in quality of one query.
        tolerance: the relative gap to stop at.
        most: passes allowed.
    """
    coldest = temperature * _COLDEST
    point, passes = look(read, layout, scaled, temperature), 1
    settled: list[Floats] = []
    while True:
        point, taken = _settle(read, layout, point, temperature=temperature, tolerance=tolerance, most=most - passes)
        passes += taken
        converged = point.gap <= tolerance * point.bound
        if converged or passes >= most or temperature < coldest:
            return Descent(point, temperature, passes, converged)
        settled.append(point.scaled)
        temperature *= _COOLING
        point = look(read, layout, _ahead(settled), temperature)
        passes += 1


def _ahead(settled: list[Floats]) -> Floats:
    """A guess at the next temperature's minimum: half of what a straight line through the last two would give."""
    if len(settled) < 2:
        return settled[-1]
    return np.maximum(0.0, settled[-1] + 0.5 * _COOLING * (settled[-1] - settled[-2]))


def _settle(
    read: Reader, layout: Layout, point: Point, *, temperature: float, tolerance: float, most: int
) -> tuple[Point, int]:
    """Newton steps at one temperature, until what they could still close is small against the temperature's gap."""
    damping, passes = _LEAST_DAMPING, 0
    while passes < most and point.gap > tolerance * point.bound:
        own = point.gap - point.unsettled
        if point.unsettled <= 0.3 * max(own, tolerance * point.bound):
            break
        step = _newton(layout, point, temperature, damping)
        if point.slope @ step >= 0:
            break
        trial, taken = _search(read, layout, point, step, temperature)
        passes += taken
        damping = max(_LEAST_DAMPING, damping * 0.2) if taken == 1 else max(0.1, damping * 10.0)
        if trial is None and (damping > _MOST_DAMPING or -(point.slope @ step) <= _RESOLUTION * point.bound):
            break
        point = trial or point
    return point, passes


def _newton(layout: Layout, point: Point, temperature: float, damping: float) -> Floats:
    """A step along which the smoothed dual falls at first.

    Demand falls with its price roughly as an exponential, so far from the balance the step balances the logarithm
    of demand (u·log u in place of u − 1): no overshoot where too little is asked for, no crawl where far too much is.
    Damping adds the curvature of a demand that halves when its price doubles: where few queries waver between models
    the measured curvature is no guide for a long step.
    """
    used = 1.0 - point.slope
    floor = 0.1 * max(point.bound, 1e-200) / len(used)
    curvature = layout.weight @ point.reading.curvature @ layout.weight.T / temperature
    curvature += damping * np.diag(curvature.diagonal() + (used + 1e-3) / (point.scaled + floor))
    live = (point.scaled > 0) | (point.slope < 0)
    if np.abs(point.slope[live]).max(initial=0.0) > 0.2:
        bent = np.where(used > 0, -used * np.log(np.maximum(used, 1e-3)), 1.0)
        step = _bounded_step(point.scaled, bent, curvature)
        if point.slope @ step < 0:
            return step
    return _bounded_step(point.scaled, point.slope, curvature)


def _search(read: Reader, layout: Layout, point: Point, step: Floats, temperature: float) -> tuple[Point | None, int]:
    """Shorten the step until the smoothed dual falls; the point reached, or None, and the passes it took."""
    length, descent = 1.0, -float(point.slope @ step)
    for passes in range(1, _MOST_TRIALS + 1):
        trial = look(read, layout, point.scaled + length * step, temperature)
        gained = point.smooth - trial.smooth
        # Where rounding hides what a step gains, its certificate still tells.
        better = trial.unsettled < 0.5 * point.unsettled and abs(gained) <= _RESOLUTION * point.bound
        if better or gained >= max(1e-4 * descent * length, _RESOLUTION * point.bound):
            return trial, passes
        # The slope along the step was −descent and is `rise` now: go where a straight line between them is zero.
        rise = max(0.0, float(trial.slope @ step))
        length *= min(0.5, max(0.1, descent / (descent + rise)))
    return None, _MOST_TRIALS


def _bounded_step(scaled: Floats, slope: Floats, curvature: Floats) -> Floats:
    """The step d ≥ −scaled that minimises slope·d + ½ d·curvature·d, by changing the set of prices that go to zero."""
    held = (scaled <= 0) & (slope > 0)
    step = np.zeros_like(scaled)
    for _ in range(20):
        free = ~held
        step = np.where(held, -scaled, 0.0)
        if free.any():
            right = -slope[free] - curvature[np.ix_(free, held)] @ step[held]
            step[free] = np.linalg.solve(curvature[np.ix_(free, free)], right)
        wrong = (free & (scaled + step < 0)) | (held & (slope + curvature @ step < 0))
        if not wrong.any():
            break
        held = held ^ wrong
    return np.maximum(step, -scaled)


def solve(program: Program, *, start: Floats | None = None, tolerance: float = 1e-4, most_passes: int = 400) -> Prices:
    """The price of every fund, to a relative gap of `tolerance` that the answer carries with it.

    Args:
        program: estimates, budgets and weights.
        start: float [F], earlier prices, quality per unit: the descent begins near them and colder. Useless ones
            cost a little time and change nothing else.
        tolerance: (bound − value) / bound to stop at.
        most_passes: passes over the queries after which to give up and say so (`converged` is False).

    Raises:
        InputError: a tolerance that is not above zero, `start` of the wrong shape, negative or not finite.
    """
    check_request(program.funds, start, tolerance)
    layout = layout_of(program.funds)
    rows = rows_of(program, layout)
    warm = np.zeros(len(layout.open_))
    if start is not None:
        warm = start[layout.open_] * program.funds.budget[layout.open_]
    return prices_of(program.funds, layout, solve_rows(rows, layout, warm, tolerance, most_passes))


def solve_rows(rows: Rows, layout: Layout, warm: Floats, tolerance: float, most: int) -> Descent:
    """`solve` after the layout: from `warm` (float [F'], price × budget) if any is above zero, else from a sample."""
    if not warm.any() and len(rows.quality) > _SMALL:
        sample = sample_of(rows, len(rows.quality) // _THINNING)
        warm = solve_rows(sample, layout, warm, min(0.5, 10 * tolerance), most).point.scaled
    best = float(rows.weights @ np.maximum(0.0, rows.quality.max(axis=1)))
    read = partial(read_rows, rows)
    return descend_from(read, layout, warm, best=best, weight=float(rows.weights.sum()), tolerance=tolerance, most=most)


def descend_from(
    read: Reader, layout: Layout, warm: Floats, *, best: float, weight: float, tolerance: float, most: int
) -> Descent:
    """Descend from earlier prices, or hot from zero where there are none or they lead nowhere.

    Args:
        warm: float [F'], price × budget.
        best: Σ_j w_j max(0, max_i q_ji), what the queries could reach if nothing cost anything.
        weight: Σ_j w_j.
        most: passes allowed in all.
    """
    unit, passes = max(best, 1e-200) / weight, 0
    if warm.any():
        # No price × budget exceeds what there is to gain, so neither need the first guess.
        warm = np.minimum(warm, best)
        allowed = min(_WARM_PASSES, most)
        end = descend(read, layout, warm, temperature=_WARM * unit, tolerance=tolerance, most=allowed)
        passes = end.passes
        if end.converged or passes >= most:
            return end
    cold = np.zeros_like(warm)
    end = descend(read, layout, cold, temperature=_HOT * unit, tolerance=tolerance, most=most - passes)
    return replace(end, passes=end.passes + passes)


def sample_of(rows: Rows, size: int) -> Rows:
    """`size` rows spread evenly, standing for all of them; the same ones every time."""
    total = len(rows.quality)
    stride = int(total * 0.6180339887)
    while math.gcd(stride, total) != 1:
        stride += 1
    chosen = np.arange(size) * stride % total
    weights = rows.weights[chosen]
    return Rows(rows.quality[chosen], rows.tables[:, chosen], weights * (rows.weights.sum() / weights.sum()))


def prices_of(funds: FundTable, layout: Layout, end: Descent) -> Prices:
    """A descent's end in the funds' own units."""
    price = np.zeros(len(funds))
    price[layout.open_] = end.point.scaled / funds.budget[layout.open_]
    return Prices(price, funds.closed, end.point.bound, end.point.value, end.passes, end.converged)


def check_request(funds: FundTable, start: Floats | None, tolerance: float) -> None:
    if not 0 < tolerance < 1:
        raise InputError(f"tolerance {tolerance!r} is not between 0 and 1", place="solve", remedy="try 1e-4")
    if start is not None and (start.shape != (len(funds),) or not (start.min() >= 0 and start.max() < np.inf)):
        raise InputError(
            "`start` is not one finite price of at least zero for each fund",
            place="solve",
            remedy=f"pass {len(funds)} prices of an earlier solve, or leave it out",
        )
