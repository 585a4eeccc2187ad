"""Ours: prices learned from history before the first query, and kept true while money and time run down.

Every so often the dual of `program` is solved again for what is left: the remaining balances against the queries
still expected, which are drawn from the history's held-out estimates and from the latest arrivals. A query goes to
the best model that every fund can pay, and to nobody when no model is worth its price. No query is spent on learning.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pointsman.decide.dual import solve
from pointsman.decide.pacing import Volume
from pointsman.decide.policies.policy import Briefing, Source, Traits, View
from pointsman.decide.program import FundTable, amounts_of, charges_at, program_of, unit_prices
from pointsman.records import UNITS, Estimates, Floats

ROWS_PER_FUND = 60  # a price is set by the queries near its margin: more funds need more rows to see enough of them


@dataclass(frozen=True, slots=True)
class PacedState:
    """What `paced` carries from batch to batch.

    Attributes:
        funds: with their full amounts.
        volume: what is believed about the queries to come.
        sample: held-out estimates of history rows that stand for what will arrive.
        recent: the latest arrivals up to the last solve, newest last, at the history's rates like `sample`.
        fresh: the batches since, joined at the next solve: joining at every decision would cost more than deciding.
        fresh_rows: how many rows they have together.
        price: [F] in force.
        unit_price: [units, M], the same by model and unit, kept because every decision needs it.
        factor: [M] the rate factor that the prices were solved with.
        due: seen count at which prices are solved again.
    """

    funds: FundTable
    volume: Volume
    sample: Estimates
    recent: Estimates
    fresh: tuple[Estimates, ...]
    fresh_rows: int
    price: Floats
    unit_price: Floats
    factor: Floats
    due: int


@dataclass(frozen=True, slots=True)
class Paced:
    """Prices from history, re-solved as money and time run down.

    Args:
        source: its estimates.
        pooled: judged with the same total in one fund.
        rows: most queries that stand for those to come, history and latest arrivals together.
        resolves: how many times, about, prices are solved anew over the horizon.
    """

    source: Source = "blend"
    pooled: bool = False
    rows: int = 3000
    resolves: int = 40

    @property
    def traits(self) -> Traits:
        """Asks first, declines what no model is worth."""
        return Traits(self.source, batch=64, pooled=self.pooled)

    def begin(self, briefing: Briefing) -> PacedState:
        """Prices for the whole horizon, from the history alone."""
        models = briefing.funds.draws.shape[1]
        rows = max(self.rows, ROWS_PER_FUND * len(briefing.funds))
        lots = np.random.default_rng((briefing.seed, 2)).permutation(len(briefing.history))[:rows]
        sample = briefing.history.take(np.sort(lots))
        state = PacedState(
            briefing.funds,
            Volume(max(1, briefing.forecast)),
            sample,
            sample.take(slice(0, 0)),
            (),
            0,
            np.zeros(len(briefing.funds)),
            np.zeros((len(UNITS), models)),
            np.ones(models),
            0,
        )
        return self._solve(state, briefing.funds.budget, 0)

    def scores(self, state: PacedState, view: View) -> tuple[Floats, PacedState]:
        """Quality minus the charge at today's prices."""
        if view.seen >= state.due or not np.array_equal(view.rate_factor, state.factor):
            volume = state.volume.look(view.seen, view.elapsed)
            recent = _joined(state.recent, *state.fresh, most=self.rows // 3)
            state = replace(state, volume=volume, recent=recent, fresh=(), fresh_rows=0, factor=view.rate_factor)
            state = self._solve(state, view.remaining, view.seen)
        amounts = amounts_of(view.estimates, state.funds)
        scores = view.estimates.quality - charges_at(state.unit_price, amounts, len(view.estimates))
        return scores, self._with_batch(state, view)

    def _with_batch(self, state: PacedState, view: View) -> PacedState:
        """The batch among the latest arrivals; what a full window no longer needs is let go."""
        window, batch = self.rows // 3, view.estimates
        if len(batch) > window:
            batch = batch.take(np.arange(len(batch) - window, len(batch)))  # a copy, so that the rest is freed
        if (view.rate_factor != 1.0).any():
            batch = replace(batch, cost_usd=batch.cost_usd / view.rate_factor)
        fresh, rows = (*state.fresh, batch), state.fresh_rows + len(batch)
        while rows - len(fresh[0]) >= window:
            rows, fresh = rows - len(fresh[0]), fresh[1:]
        return replace(state, fresh=fresh, fresh_rows=rows)

    def _solve(self, state: PacedState, remaining: Floats, seen: int) -> PacedState:
        """Prices for what is left of money and time."""
        rows, weights = _expected(state)
        # A weightless row can't be in a program; an empty history has nothing to say, and prices stay where they were.
        if len(rows) == 0:
            return state
        funds = state.funds.with_budget(remaining)
        solved = solve(program_of(rows, funds, weights), start=state.price)
        pause = min(state.volume.forecast / self.resolves, state.volume.to_come / 8)
        unit_price = unit_prices(solved.price, funds)
        return replace(state, price=solved.price, unit_price=unit_price, due=seen + max(16, int(pause)))

    def price(self, state: PacedState) -> Floats:
        """Today's prices."""
        return state.price


def _joined(*batches: Estimates, most: int | None = None) -> Estimates:
    """The batches' rows in order, the last `most` of them."""
    rows = Estimates.stacked(batches)
    return rows if most is None else rows.take(slice(-most, None))


def _expected(state: PacedState) -> tuple[Estimates, Floats]:
    """Rows that stand for the queries to come, at today's rates, and how many of them each stands for.

    History and latest arrivals share the weight by their numbers: early on the history speaks, and a window full of
    arrivals has as much to say as an equal number of history rows, so a lasting change of topics shows.
    """
    rows = _joined(state.sample, state.recent)
    rows = replace(rows, cost_usd=rows.cost_usd * state.factor)
    weights = np.full(len(rows), state.volume.to_come / max(1, len(rows)))
    return rows, weights
