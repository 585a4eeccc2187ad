"""What differs from query to query beside its text: who may answer it, whose money it draws on, how it leans.

Takes what a caller knows of each query and gives it to the scores and the choice as arrays. Two kinds are kept apart.
What a query is *worth* is quality minus the funds' charges; only that says whether to serve it at all. How it *leans*
(a trade-off knob, a conversation that would rather stay) ranks the models that are worth it, and never declines a
query. Nothing here knows keys, tags or conversations: they come as rows of the fund table and numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np

from pointsman.decide.program import TOKENS, USD, Amounts, FundTable
from pointsman.errors import InputError
from pointsman.records import Estimates, Floats, Ints, Mask

MOST_TRADE_OFF = 10.0
CHEAPEST_PRICE = 1e9  # quality per dollar: one nano-dollar outweighs all the quality that there is
_LEAST_RANGE = 1e-3  # of mean quality: models that score alike on average still differ query by query


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of Q queries over M models; None means that it doesn't differ from query to query.

    Attributes:
        allowed: bool [Q, M], False where a query must not go to a model.
        drawn: Q tuples of rows of the fund table: the funds that a query can draw on (by key and tags; which model
            draws on which of them stays the table's). None: all of them.
        money_price: float [Q], quality per dollar: how a query leans to cheap models, beside the funds' prices.
        saved_usd: float [Q, M], what a prompt that the upstream has cached saves there; no cost falls below zero.
        bonus: float [Q, M], quality that a model is given for staying with it.
    """

    allowed: Mask | None = None
    drawn: tuple[tuple[int, ...], ...] | None = None
    money_price: Floats | None = None
    saved_usd: Floats | None = None
    bonus: Floats | None = None

    def check(self, queries: int, models: int) -> None:
        """Refuse terms of another shape, which numpy might stretch to fit.

        Raises:
            InputError: which of them, and what it should be.
        """
        for name in ("allowed", "saved_usd", "bonus"):
            table = getattr(self, name)
            if table is not None and table.shape != (queries, models):
                raise _wrong(name, table.shape, (queries, models))
        if self.money_price is not None and self.money_price.shape != (queries,):
            raise _wrong("money_price", self.money_price.shape, (queries,))
        if self.drawn is not None and len(self.drawn) != queries:
            raise _wrong("drawn", (len(self.drawn),), (queries,))

    def discounted(self, estimates: Estimates) -> Estimates:
        """The estimates with what cached prompts save taken off the costs."""
        if self.saved_usd is None:
            return estimates
        cost = np.maximum(0.0, estimates.cost_usd - self.saved_usd)
        return Estimates(estimates.quality, cost, estimates.tokens, estimates.spread)

    def permitted(self, worth: Floats) -> Floats:
        """The worth [Q, M] with -inf where a query must not go."""
        return worth if self.allowed is None else np.where(self.allowed, worth, -np.inf)

    def leaning(self, worth: Floats, cost_usd: Floats) -> Floats:
        """What models are ranked by, float [Q, M], from what they are worth."""
        scores = worth
        if self.money_price is not None:
            scores = scores - self.money_price[:, None] * cost_usd
        return scores if self.bonus is None else scores + self.bonus


def _wrong(name: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> InputError:
    return InputError(f"`{name}` has shape {shape}, expected {expected}", place="terms", remedy="one row a query")


def trade_off_price(trade_off: float, estimates: Estimates) -> float:
    """The price of money, in quality per dollar, that a trade-off between 0 and 10 means for this pool of models.

    0 is no price, 10 is so high a price that the cheapest model wins whatever it scores. Between them the price is
    t / (10 − t) × (range of the models' mean quality) / (range of their mean cost). So the knob has no unit and means
    the same in every pool: at 5, the whole way from the cheapest model to the dearest must buy the whole way from
    the worst to the best; at 8 each dollar must buy four times that, at 2 a quarter. It is the λ of UniRoute
    (arXiv 2502.08773), swept from nothing to infinity over the knob.

    Args:
        trade_off: in [0, 10].
        estimates: of typical queries; of a history, its held-out ones.

    Raises:
        InputError: a trade-off outside [0, 10], or no estimates.
    """
    if not 0.0 <= trade_off <= MOST_TRADE_OFF:
        raise InputError(f"trade_off is {trade_off}", place="trade_off", remedy="give a number from 0 to 10")
    if len(estimates) == 0:
        raise InputError("there are no estimates", place="trade_off", remedy="give at least one typical query")
    if trade_off == 0.0:
        return 0.0
    gain = max(float(np.ptp(estimates.quality.mean(axis=0))), _LEAST_RANGE)
    cost = float(np.ptp(estimates.cost_usd.mean(axis=0)))
    above = gain * trade_off
    below = cost * (MOST_TRADE_OFF - trade_off)
    return min(CHEAPEST_PRICE, above / below) if below > 0.0 else CHEAPEST_PRICE


@dataclass(frozen=True, slots=True)
class Drawn:
    """The same as `Terms.drawn`, for kernels: every distinct set of funds once.

    Attributes:
        group: int [Q], which set is a query's.
        starts: int [G + 1], where each set begins in `rows`.
        rows: int, rows of the fund table, set after set.
    """

    group: Ints
    starts: Ints
    rows: Ints

    def rest(self, funds: int) -> Drawn:
        """The other way round: the funds, of so many, that each query can't draw on."""
        every = range(funds)
        sets = [self.rows[a:b].tolist() for a, b in zip(self.starts[:-1], self.starts[1:], strict=True)]
        return _laid_out(self.group, [[fund for fund in every if fund not in own] for own in map(set, sets)])


def drawn_of(drawn: Sequence[tuple[int, ...]], funds: int) -> Drawn:
    """Sets of funds laid out; a row may be in a set once.

    Raises:
        InputError: a row that isn't there, or is in a set twice.
    """
    known: dict[tuple[int, ...], int] = {}
    group = [known.setdefault(rows, len(known)) for rows in drawn]
    for rows in known:
        if rows and not (min(rows) >= 0 and max(rows) < funds and len(set(rows)) == len(rows)):
            raise InputError(
                f"the funds {rows} are not distinct rows of a table of {funds}",
                place="terms, `drawn`",
                remedy="give rows of the fund table in force",
            )
    return _laid_out(np.array(group, dtype=np.int64), list(known))


def drawn_by_all(funds: int, queries: int) -> Drawn:
    """Every query draws on every fund."""
    return _small(funds, queries) if queries <= _SMALL else _every(funds, queries)


def _every(funds: int, queries: int) -> Drawn:
    rows = np.arange(funds, dtype=np.int64)
    return Drawn(np.zeros(queries, dtype=np.int64), np.array([0, funds], dtype=np.int64), rows)


_SMALL = 64  # queries: a live batch, whose arrays are made once
_small = lru_cache(maxsize=128)(_every)


def _laid_out(group: Ints, sets: Sequence[Sequence[int]]) -> Drawn:
    starts = [0]
    rows: list[int] = []
    for one in sets:
        rows.extend(one)
        starts.append(len(rows))
    return Drawn(group, np.array(starts, dtype=np.int64), np.array(rows, dtype=np.int64))


_NO_TABLE = np.empty((0, 0))


def unit_tables(amounts: Amounts) -> tuple[Floats, Floats]:
    """Dollars and tokens as the kernels take them: a table that no fund needs is empty and never read."""
    usd, tokens = (
        _NO_TABLE if t is None else np.ascontiguousarray(t, dtype=np.float64) for t in (amounts.usd, amounts.tokens)
    )
    return usd, tokens


def charges_drawn(price: Floats, funds: FundTable, amounts: Amounts, drawn: Drawn) -> Floats:
    """As `program.charges`, each query for the funds that it can draw on alone; float [Q, M]."""
    out = np.zeros((len(drawn.group), funds.draws.shape[1]))
    usd, tokens = unit_tables(amounts)
    _charge(price, funds.unit, funds.draws, drawn.group, drawn.starts, drawn.rows, usd, tokens, out)
    return out


# Keeps the interpreter's lock, like the kernels of `choose`.
@numba.njit(cache=True)
def _charge(  # type: ignore[no-untyped-def]
    price, unit, draws, group, starts, rows, usd, tokens, out
):
    for j in range(out.shape[0]):
        for k in range(starts[group[j]], starts[group[j] + 1]):
            f = rows[k]
            if price[f] == 0.0:
                continue
            for i in range(out.shape[1]):
                if draws[f, i]:
                    if unit[f] == USD:
                        amount = usd[j, i]
                    elif unit[f] == TOKENS:
                        amount = tokens[j, i]
                    else:
                        amount = 1.0
                    out[j, i] += price[f] * amount
