"""The linear program that budgets pose, as frozen arrays: Q queries, M models, F funds.

    max  Σ_j w_j Σ_i q_ji x_ji   s.t.  Σ_j w_j Σ_i a_fji x_ji ≤ B_f for every fund f,   Σ_i x_ji ≤ 1 for every query j

a_fji is what query j sent to model i takes from fund f: the amount in the fund's unit where the model draws on the
fund, else nothing. The queries are what history says will arrive; w_j is how many arrivals row j stands for.
Takes estimates and funds, gives a checked `Program`, and prices the pairs (`charges`). It solves nothing, and it
refuses what no solver could use: NaN, negative amounts, unknown models, funds nobody can draw on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from pointsman.errors import InputError
from pointsman.records import UNITS, Estimates, Floats, Fund, Ints, Mask

USD, TOKENS, REQUESTS = (UNITS.index(unit) for unit in ("usd", "tokens", "requests"))
_NOTHING = 1e-100  # below this, one over the budget leaves the range of a float


@dataclass(frozen=True, slots=True)
class FundTable:
    """F funds compiled against an ordered tuple of M models.

    Attributes:
        names: F names.
        budget: float [F], each in its own unit, at least zero.
        unit: int [F], positions in `records.UNITS`.
        draws: bool [F, M], whether a model draws on a fund.
    """

    names: tuple[str, ...]
    budget: Floats
    unit: Ints
    draws: Mask

    def __len__(self) -> int:
        return len(self.names)

    @property
    def closed(self) -> Mask:
        """Funds, bool [F], that hold nothing: no finite price keeps queries off them, so they close their pairs."""
        return self.budget < _NOTHING

    def with_budget(self, budget: Floats) -> FundTable:
        """The same funds holding `budget` (float [F]) instead: what remains of them, for example."""
        if budget.shape != self.budget.shape or not (np.isfinite(budget).all() and (budget >= 0).all()):
            raise InputError(
                "the budgets are not one finite number of at least zero for each fund",
                place=f"funds {', '.join(self.names)}",
                remedy=f"pass {len(self.names)} numbers",
            )
        return FundTable(self.names, np.asarray(budget, dtype=np.float64), self.unit, self.draws)

    def take(self, rows: Ints) -> FundTable:
        """The funds at `rows`, in that order."""
        names = tuple(self.names[row] for row in rows)
        return FundTable(names, self.budget[rows], self.unit[rows], self.draws[rows])


def compile_funds(funds: Sequence[Fund], models: Sequence[str]) -> FundTable:
    """Lay out funds over the columns of an estimate.

    Raises:
        InputError: no funds, two of one name, a fund naming an unknown model, a fund that matches no model.
    """
    if not funds:
        raise InputError("no funds are given", remedy="give at least one fund, or there is nothing to route within")
    seen: set[str] = set()
    for fund in funds:
        if fund.name in seen:
            raise InputError("two funds have this name", place=f"fund {fund.name!r}", remedy="rename one of them")
        seen.add(fund.name)
    return FundTable(
        tuple(fund.name for fund in funds),
        np.array([fund.amount for fund in funds], dtype=np.float64),
        np.array([UNITS.index(fund.unit) for fund in funds], dtype=np.int64),
        np.stack([_drawing(fund, models) for fund in funds]),
    )


def _drawing(fund: Fund, models: Sequence[str]) -> Mask:
    if fund.models is None:
        drawing = np.ones(len(models), dtype=np.bool_)
    else:
        for model in fund.models:
            if model not in models:
                raise _unknown_model(fund, model, models)
        drawing = np.isin(np.array(models, dtype=str), np.array(fund.models, dtype=str))
    if not drawing.any():
        raise InputError("the fund matches no model", place=f"fund {fund.name!r}", remedy="give at least one model")
    return drawing


def _unknown_model(fund: Fund, model: str, models: Sequence[str]) -> InputError:
    close = get_close_matches(model, models, n=1)
    known = ", ".join(models[:8]) + (", …" if len(models) > 8 else "")
    remedy = f"did you mean {close[0]!r}" if close else f"the models are {known or 'none'}"
    return InputError(f"model {model!r} is unknown", place=f"fund {fund.name!r}", remedy=remedy)


@dataclass(frozen=True, slots=True)
class Amounts:
    """What each (query, model) pair takes, a float [Q, M] for each unit that some fund is in.

    `usd` and `tokens` are None where no fund needs them. Requests are one for every pair and never stored.
    """

    usd: Floats | None = None
    tokens: Floats | None = None

    def of(self, unit: int) -> Floats | None:
        """The amounts in `UNITS[unit]`; None for requests, which are 1 everywhere."""
        if unit == REQUESTS:
            return None
        amount = self.usd if unit == USD else self.tokens
        if amount is None:
            raise InputError(
                f"a fund is in {UNITS[unit]} but no amounts in {UNITS[unit]} are given",
                place="amounts",
                remedy=f"pass `{UNITS[unit]}`, a table of queries by models",
            )
        return amount

    def take(self, rows: Ints | slice) -> Amounts:
        """The amounts of the queries at `rows`."""
        return Amounts(*(None if table is None else table[rows] for table in (self.usd, self.tokens)))


def amounts_of(estimates: Estimates, funds: FundTable) -> Amounts:
    """The expected amounts in the units that `funds` are in, without copying."""
    units = set(funds.unit.tolist())
    return Amounts(
        estimates.cost_usd if USD in units else None,
        estimates.tokens if TOKENS in units else None,
    )


def unit_prices(price: Floats, funds: FundTable) -> Floats:
    """[units, M]: what a model's next dollar, token and request are worth, all funds together."""
    unit_price = np.zeros((len(UNITS), funds.draws.shape[1]))
    np.add.at(unit_price, funds.unit, np.asarray(price)[:, None] * funds.draws)
    return unit_price


def charges(price: Floats, funds: FundTable, amounts: Amounts, queries: int | None = None) -> Floats:
    """Σ_f p_f a_fji, in quality: what sending query j to model i takes from what the others could have had.

    Args:
        price: float [F], quality per unit of each fund.
        queries: Q; needed only where no table of amounts tells it (funds in requests alone).

    Returns:
        float [Q, M].
    """
    return charges_at(unit_prices(price, funds), amounts, queries)


def charges_at(unit_price: Floats, amounts: Amounts, queries: int | None = None) -> Floats:
    """The same from `unit_prices` [units, M], for a caller that keeps them from batch to batch."""
    tables = [(unit, table) for unit, table in enumerate((amounts.usd, amounts.tokens)) if table is not None]
    rows = len(tables[0][1]) if tables else queries
    if rows is None:
        raise InputError("the number of queries is unknown", place="charges", remedy="pass `queries`")
    total: Floats | None = None
    for unit, table in tables:
        total = unit_price[unit] * table if total is None else total + unit_price[unit] * table
    by_request = unit_price[REQUESTS]
    return np.tile(by_request, (rows, 1)) if total is None else total + by_request


@dataclass(frozen=True, slots=True)
class Program:
    """One instance of the linear program above; arrays are checked once, then read-only by convention.

    Attributes:
        quality: float [Q, M].
        amounts: what the pairs take, at least in every unit of `funds`.
        funds: budgets and who draws on them.
        weights: float [Q] above zero: how many expected arrivals a row stands for.
        allowed: bool [Q, M], False where a query must not go to a model; None where everything is allowed.

    Raises:
        InputError: shapes that don't fit, NaN or infinite cells, negative amounts, weights not above zero.
    """

    quality: Floats
    amounts: Amounts
    funds: FundTable
    weights: Floats
    allowed: Mask | None = None

    def __post_init__(self) -> None:
        shape = (self.quality.shape[0], self.funds.draws.shape[1])
        _check_table("quality", self.quality, shape)
        for unit in set(self.funds.unit.tolist()):
            table = self.amounts.of(unit)
            if table is not None:
                _check_table(UNITS[unit], table, shape, least=0.0)
        _check_weights(self.weights, shape[0])
        if self.allowed is not None and self.allowed.shape != shape:
            raise InputError(f"`allowed` has shape {self.allowed.shape}, expected {shape}", place="program")

    def __len__(self) -> int:
        return len(self.quality)

    def take(self, rows: Ints | slice) -> Program:
        """The program of the queries at `rows` alone, with the same funds."""
        allowed = None if self.allowed is None else self.allowed[rows]
        return Program(self.quality[rows], self.amounts.take(rows), self.funds, self.weights[rows], allowed)


def program_of(
    estimates: Estimates, funds: FundTable, weights: Floats | None = None, allowed: Mask | None = None
) -> Program:
    """The program that estimates and funds pose; each row stands for one arrival unless `weights` say otherwise."""
    rows = np.ones(len(estimates)) if weights is None else weights
    return Program(estimates.quality, amounts_of(estimates, funds), funds, rows, allowed)


def _check_table(name: str, table: Floats, shape: tuple[int, int], least: float = -np.inf) -> None:
    if table.shape != shape:
        raise InputError(
            f"`{name}` has shape {table.shape}, expected {shape} (queries, models)",
            place="program",
            remedy="pass one row a query and one column a model",
        )
    if table.size == 0:
        raise InputError(f"`{name}` has no cells", place="program", remedy="give at least one query and one model")
    # Two reductions, no temporary: this runs at every re-solve. A NaN fails both comparisons.
    if not (table.min() >= least and table.max() < np.inf and table.min() > -np.inf):
        row, column = np.argwhere(~(np.isfinite(table) & (table >= least)))[0]
        raise InputError(
            f"`{name}` is {table[row, column]}",
            place=f"program, row {row}, column {column}",
            remedy="give finite numbers" + (" of at least zero" if least == 0 else "") + "; leave out what is missing",
        )


def _check_weights(weights: Floats, queries: int) -> None:
    if weights.shape != (queries,):
        raise InputError(f"`weights` has shape {weights.shape}, expected {(queries,)}", place="program")
    if not (weights.min() > 0 and weights.max() < np.inf):
        row = int(np.argmin((weights > 0) & np.isfinite(weights)))
        raise InputError(
            f"`weights` is {weights[row]}", place=f"program, row {row}", remedy="give finite weights above zero"
        )


def open_pairs(program: Program) -> Mask | None:
    """Pairs, bool [Q, M], that are allowed and take nothing from an empty fund; None where every pair is open.

    A fund of zero has no finite price. It closes the pairs that would take from it instead; free pairs stay open.
    """
    open_ = program.allowed
    for fund in np.flatnonzero(program.funds.closed):
        drawn = program.amounts.of(int(program.funds.unit[fund]))
        takes = program.funds.draws[fund] & (True if drawn is None else drawn > 0)
        open_ = ~takes & (True if open_ is None else open_)
    return None if open_ is None else np.broadcast_to(open_, program.quality.shape)
