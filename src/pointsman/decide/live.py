"""Prices for live traffic: funds of different windows, and funds that only some queries draw on.

Rows stand for typical queries; a fund f has to pay for `to_come[f]` of them, those still expected in the rest of its
own window, so its budget for R rows is what it has left × R / to_come. That makes one linear program of funds that
would otherwise never be comparable:

    max  Σ_j Σ_i q_ji x_ji   s.t.  Σ_j Σ_i d_jf a_fji x_ji ≤ B_f for every fund f,   Σ_i x_ji ≤ 1 for every row j

with d_jf whether row j can draw on fund f at all (a key's budget, a tag's limit). It is solved as a whole by the
descent of `dual`, with the same certificate: a key's fund and the pool's trade with each other, which solving one
after the other gets wrong where both bind. Only the reading of the rows is new: it sums by fund and not by model, so
hundreds of funds cost what each row draws on. It knows no clock, no ledger and no key; it runs without the
interpreter's lock, so it may stand in a thread beside the decisions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from pointsman.decide.dual import Layout, Reading, descend_from
from pointsman.decide.program import REQUESTS, Amounts, FundTable, amounts_of
from pointsman.errors import InputError
from pointsman.records import Estimates, Floats, Ints, Mask

TOLERANCE = 1e-3
_MOST_PASSES = 300
_NOTHING = 1e-100  # below this, one over the budget leaves the range of a float
# exp(-32) is 1e-14: an option that far below the best one gets no share, at no cost to the certificate.
_NEGLIGIBLE = 32.0


@dataclass(frozen=True, slots=True)
class LivePrices:
    """What a unit of each fund is worth, and how well that is known; as `dual.Prices`, for R rows.

    Attributes:
        price: float [F], quality per unit; 0 for a fund that doesn't bind or is empty (an empty one can't pay anyway).
        bound: an upper bound on the quality that the rows can reach within the budgets.
        value: what one fractional assignment does reach.
        passes: passes over all rows.
        converged: whether (bound − value) / bound is within the tolerance asked for.
    """

    price: Floats
    bound: float
    value: float
    passes: int
    converged: bool


@dataclass(frozen=True, slots=True)
class _Typical:
    """Rows for the kernel: −∞ where a pair is closed, tables only of units in use, funds that may bind alone.

    Attributes:
        quality: float [R, M].
        tables: float [T, R, M], amounts.
        table: int [F'], which table a fund is in, −1 for requests.
        draws: bool [F', M].
        budget: float [F'], above zero, for R rows.
        pattern: int [R], which set of funds a row draws on.
        starts, funds: the sets, laid out one after the other: int [P + 1] and int.
    """

    quality: Floats
    tables: Floats
    table: Ints
    draws: Mask
    budget: Floats
    pattern: Ints
    starts: Ints
    funds: Ints


def solve_prices(
    rows: Estimates,
    table: FundTable,
    drawn: Mask,
    remaining: Floats,
    to_come: Floats,
    start: Floats,
    allowed: Mask | None = None,
) -> Floats:
    """The price of every fund in force; see `live_prices`, whose arguments these are."""
    return live_prices(rows, table, drawn, remaining, to_come, start, allowed).price


def live_prices(
    rows: Estimates,
    table: FundTable,
    drawn: Mask,
    remaining: Floats,
    to_come: Floats,
    start: Floats,
    allowed: Mask | None = None,
    *,
    tolerance: float = TOLERANCE,
) -> LivePrices:
    """Prices with their certificate.

    Args:
        rows: estimates of R typical queries, at today's rates.
        table: the F funds; what they hold is in `remaining`.
        drawn: bool [R, F], whether a row can draw on a fund (which models do is the table's).
        remaining: float [F], what each fund has left in its window, in its unit.
        to_come: float [F], how many queries are expected in the rest of its window, of all kinds: the share that
            draws on the fund is in `drawn`. 0 says that nobody comes: the fund has no price.
        start: float [F], earlier prices; zeros where there are none.
        allowed: bool [R, M], False where a row must not go to a model.
        tolerance: the relative gap to stop at.

    Raises:
        InputError: shapes that don't fit, or numbers that aren't finite and at least zero.
    """
    _check(rows, table, drawn, remaining, to_come, start, allowed)
    price = np.zeros(len(table))
    if len(rows) == 0:
        return LivePrices(price, 0.0, 0.0, 0, True)
    with np.errstate(divide="ignore", over="ignore"):
        budget = np.where(to_come > 0, remaining * (len(rows) / to_come), np.inf)
    closed = budget < _NOTHING
    quality = _open_quality(rows, table, drawn & closed, allowed)
    amounts = amounts_of(rows, table)
    binding = _may_bind(amounts, table, drawn, budget, quality) & ~closed
    typical = _typical(quality, amounts, table, drawn, budget, np.flatnonzero(binding))
    best = float(np.maximum(0.0, quality.max(axis=1)).sum())
    if not binding.any() or best <= 0.0:
        return LivePrices(price, best, best, 0, True)
    end = descend_from(
        _Reader(typical),
        _layout(len(typical.budget)),
        start[binding] * typical.budget,
        best=best,
        weight=float(len(rows)),
        tolerance=tolerance,
        most=_MOST_PASSES,
    )
    price[binding] = end.point.scaled / typical.budget
    return LivePrices(price, end.point.bound, end.point.value, end.passes, end.converged)


def _check(
    rows: Estimates,
    table: FundTable,
    drawn: Mask,
    remaining: Floats,
    to_come: Floats,
    start: Floats,
    allowed: Mask | None,
) -> None:
    queries, models = rows.quality.shape
    funds = len(table)
    shapes = {
        "drawn": (drawn.shape, (queries, funds)),
        "remaining": (remaining.shape, (funds,)),
        "to_come": (to_come.shape, (funds,)),
        "start": (start.shape, (funds,)),
        "allowed": ((queries, models) if allowed is None else allowed.shape, (queries, models)),
        "table": (table.draws.shape, (funds, models)),
    }
    for name, (shape, expected) in shapes.items():
        if shape != expected:
            raise InputError(f"`{name}` has shape {shape}, expected {expected}", place="live prices")
    for name, numbers in (("remaining", remaining), ("to_come", to_come), ("start", start), ("cost", rows.cost_usd)):
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < np.inf):
            raise InputError(
                f"`{name}` is not finite and at least zero throughout",
                place="live prices",
                remedy="give every fund and every row a number of at least zero",
            )


def _open_quality(rows: Estimates, table: FundTable, drawn_closed: Mask, allowed: Mask | None) -> Floats:
    """Quality, −∞ where a row must not go or would take from a fund that has nothing left."""
    quality = rows.quality if allowed is None else np.where(allowed, rows.quality, -np.inf)
    amounts = amounts_of(rows, table)
    for fund in np.flatnonzero(drawn_closed.any(axis=0)):
        amount = amounts.of(int(table.unit[fund]))
        takes = table.draws[fund] & (True if amount is None else amount > 0)
        quality = np.where(drawn_closed[:, fund, None] & takes, -np.inf, quality)
    return quality


def _may_bind(amounts: Amounts, table: FundTable, drawn: Mask, budget: Floats, quality: Floats) -> Mask:
    """Funds, bool [F], that couldn't pay if every row took as much from them as it can."""
    useful = quality > 0
    most = np.zeros(len(table))
    for fund, unit in enumerate(table.unit):
        who = np.flatnonzero(drawn[:, fund])
        amount = amounts.of(int(unit))
        taken = 1.0 if amount is None else amount[who]
        most[fund] = np.max(np.where(useful[who] & table.draws[fund], taken, 0.0), axis=1, initial=0.0).sum()
    return most > budget


def _typical(
    quality: Floats, amounts: Amounts, table: FundTable, drawn: Mask, budget: Floats, binding: Ints
) -> _Typical:
    pattern, first = _patterns(drawn[:, binding])
    patterns = drawn[np.ix_(first, binding)]
    _, funds = np.nonzero(patterns)
    starts = np.concatenate([[0], np.cumsum(patterns.sum(axis=1))])
    units = [unit for unit in np.unique(table.unit[binding]).tolist() if unit != REQUESTS]
    tables = [given for unit in units if (given := amounts.of(unit)) is not None]
    where = {unit: at for at, unit in enumerate(units)}
    return _Typical(
        np.ascontiguousarray(quality, dtype=np.float64),
        np.stack(tables).astype(np.float64) if tables else np.empty((0, *quality.shape)),
        np.array([where.get(unit, -1) for unit in table.unit[binding].tolist()], dtype=np.int64),
        np.ascontiguousarray(table.draws[binding]),
        np.ascontiguousarray(budget[binding]),
        pattern,
        np.asarray(starts, dtype=np.int64),
        np.asarray(funds, dtype=np.int64),
    )


def _patterns(drawn: Mask) -> tuple[Ints, Ints]:
    """Which set of funds each row draws on, int [R], and a row for each set; `np.unique` takes thirty times as long."""
    known: dict[bytes, int] = {}
    pattern = [known.setdefault(row.tobytes(), len(known)) for row in np.packbits(drawn, axis=1)]
    first = np.empty(len(known), dtype=np.int64)
    first[pattern[::-1]] = np.arange(len(pattern))[::-1]
    return np.array(pattern, dtype=np.int64), first


def _layout(funds: int) -> Layout:
    """Every fund a cell of its own, budgets scaled to 1, and one cell more for what no fund limits."""
    weight = np.hstack([np.eye(funds), np.zeros((funds, 1))])
    return Layout(np.zeros(1, dtype=np.int64), weight, np.arange(funds, dtype=np.int64), funds + 1)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Passes over the rows for `dual.descend_from`, told by fund."""

    rows: _Typical

    def __call__(self, scaled: Floats, temperature: float) -> Reading:
        rows = self.rows
        funds, models = rows.draws.shape
        spent, curvature = np.zeros(funds + 1), np.zeros((funds + 1, funds + 1))
        value = np.zeros((len(rows.starts) - 1, models))
        weight = np.where(rows.draws, 1.0 / rows.budget[:, None], 0.0)
        exact, smooth = _read(
            rows.quality,
            rows.tables,
            rows.table,
            weight,
            rows.pattern,
            rows.starts,
            rows.funds,
            scaled,
            temperature,
            spent,
            value,
            curvature,
        )
        by_limit = np.zeros(funds + 1)
        _limit(rows.draws, rows.starts, rows.funds, spent, value, by_limit)
        return Reading(exact, smooth, spent, by_limit, curvature + np.triu(curvature, 1).T)


@numba.njit(cache=True, nogil=True)
def _limit(draws, starts, funds, spent, value, by_limit):  # type: ignore[no-untyped-def]
    """Add value [P, M] under the most overdrawn fund that it needs, under the last cell where it needs none.

    An assignment scaled down by that fund alone keeps every other one too.
    """
    for p in range(value.shape[0]):
        for i in range(value.shape[1]):
            worst, most = by_limit.shape[0] - 1, -1.0
            for at in range(starts[p], starts[p + 1]):
                f = funds[at]
                if draws[f, i] and spent[f] > most:
                    worst, most = f, spent[f]
            by_limit[worst] += value[p, i]


@numba.njit(cache=True, nogil=True, fastmath={"nsz", "contract", "reassoc", "arcp"})
def _read(  # type: ignore[no-untyped-def]  # noqa: C901, PLR0912
    quality, tables, table, weight, pattern, starts, funds, scaled, temperature, spent, value, curvature
):
    """Add every row into spent, value and the upper triangle of curvature; Σ best score, and the same smoothed."""
    models, stored = quality.shape[1], tables.shape[0]
    unit_price = np.zeros((starts.shape[0] - 1, stored + 1, models))
    for p in range(starts.shape[0] - 1):
        for at in range(starts[p], starts[p + 1]):
            f = funds[at]
            u = table[f] if table[f] >= 0 else stored
            for i in range(models):
                unit_price[p, u, i] += scaled[f] * weight[f, i]
    score, share, near = np.empty(models), np.empty(models), np.empty(models, np.int64)
    taken = np.empty((weight.shape[0], models))
    mean = np.empty(weight.shape[0])
    exact = smooth = 0.0
    for j in range(quality.shape[0]):
        p = pattern[j]
        best = 0.0
        for i in range(models):
            score[i] = quality[j, i] - unit_price[p, stored, i]
            for u in range(stored):
                score[i] -= unit_price[p, u, i] * tables[u, j, i]
            best = max(best, score[i])
        count = 0
        total = np.exp(-best / temperature)
        for i in range(models):
            if score[i] > best - _NEGLIGIBLE * temperature:
                near[count] = i
                share[count] = np.exp((score[i] - best) / temperature)
                total += share[count]
                count += 1
        exact += best
        smooth += best + temperature * np.log(total)
        for k in range(count):
            share[k] /= total
            value[p, near[k]] += share[k] * quality[j, near[k]]
        for at in range(starts[p], starts[p + 1]):
            f = funds[at]
            mean[f] = 0.0
            for k in range(count):
                i = near[k]
                taken[f, k] = weight[f, i] * (tables[table[f], j, i] if table[f] >= 0 else 1.0)
                mean[f] += share[k] * taken[f, k]
            spent[f] += mean[f]
        for at in range(starts[p], starts[p + 1]):
            f = funds[at]
            for other in range(at, starts[p + 1]):
                g = funds[other]
                both = 0.0
                for k in range(count):
                    both += share[k] * taken[f, k] * taken[g, k]
                curvature[f, g] += both - mean[f] * mean[g]
    return exact, smooth
