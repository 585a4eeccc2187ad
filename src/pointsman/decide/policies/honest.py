"""Honest baselines: what a careful engineer would build without prices learned from history.

The published baselines are handicapped (they keep sending queries to models that can't pay). These ask
first, know the horizon, and adapt; they are what `paced` has to beat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pointsman.decide.policies.policy import Briefing, Source, Traits, View
from pointsman.decide.program import FundTable, amounts_of, charges
from pointsman.records import Floats

LARGEST_ERROR = 2.0  # one batch that spends three times its due, or more, says no more than that
LARGEST_SUM = 20.0  # the integral must unwind within a few dozen batches (anti-windup)


@dataclass(frozen=True, slots=True)
class CheapestPooled:
    """Everything to the model of least mean cost, with the same total in one fund."""

    source: Source = "neighbours-hnsw"

    @property
    def traits(self) -> Traits:
        """Pooled."""
        return Traits(self.source, pooled=True)

    def begin(self, briefing: Briefing) -> int:
        """The cheapest column by the history's mean cost."""
        return int(briefing.history.cost_usd.mean(axis=0).argmin())

    def scores(self, state: int, view: View) -> tuple[Floats, int]:
        """One for the cheapest, nothing for the others."""
        scores = np.full(view.estimates.quality.shape, -np.inf)
        scores[:, state] = 1.0
        return scores, state

    def price(self, state: int) -> None:
        """None."""


@dataclass(frozen=True, slots=True)
class DescentState:
    """Prices after the queries so far, and the balances they were learned from."""

    funds: FundTable
    forecast: int
    price: Floats
    remaining: Floats


@dataclass(frozen=True, slots=True)
class MirrorDescent:
    """Online dual mirror descent with entropy (Balseiro, Lu & Mirrokni, 2023): prices from spending alone.

    After every query p_f ← p_f · exp(−step · (1 − spent_f / target_f)), target_f the budget per expected query.

    Args:
        step: learning rate; None takes 1 / sqrt(expected queries), the theory's order.
        source: its estimates.
    """

    step: float | None = None
    source: Source = "neighbours-hnsw"

    @property
    def traits(self) -> Traits:
        """One query at a time, asking first."""
        return Traits(self.source, batch=1)

    def begin(self, briefing: Briefing) -> DescentState:
        """Prices at which a query of mean quality would just pay its target on every fund it draws on."""
        funds = briefing.funds
        target = np.maximum(funds.budget, 1e-300) / max(1, briefing.forecast)
        mean_draw = _mean_draw(funds, briefing)
        start = briefing.history.quality.mean() / np.maximum(mean_draw, target)
        return DescentState(funds, max(1, briefing.forecast), start, funds.budget.copy())

    def scores(self, state: DescentState, view: View) -> tuple[Floats, DescentState]:
        """Quality minus the charge at today's prices."""
        state = self._learn(state, view) if view.seen else state
        scores = view.estimates.quality - charges(
            state.price, state.funds, amounts_of(view.estimates, state.funds), len(view.estimates)
        )
        return scores, state

    def _learn(self, state: DescentState, view: View) -> DescentState:
        step = self.step if self.step is not None else state.forecast**-0.5
        target = np.maximum(state.funds.budget, 1e-300) / state.forecast
        spent = np.minimum((state.remaining - view.remaining) / target, 20.0 / step)
        price = state.price * np.exp(-step * (1.0 - spent))
        return replace(state, price=np.clip(price, 1e-300, 1e300), remaining=view.remaining.copy())

    def price(self, state: DescentState) -> Floats:
        """Today's prices."""
        return state.price


def _mean_draw(funds: FundTable, briefing: Briefing) -> Floats:
    """[F] what a query of the history would draw on each fund, averaged over the models that draw on it."""
    tables = [amounts_of(briefing.history, funds).of(int(unit)) for unit in funds.unit]
    draws = [
        (1.0 if table is None else table.mean(axis=0)) * who for table, who in zip(tables, funds.draws, strict=True)
    ]
    return np.asarray([draw.sum() / who.sum() for draw, who in zip(draws, funds.draws, strict=True)])


@dataclass(frozen=True, slots=True)
class PacingState:
    """The controller's memory of every fund: price, what was left, time passed, summed and last error."""

    funds: FundTable
    price: Floats
    remaining: Floats
    elapsed: float
    total: Floats
    last: Floats


@dataclass(frozen=True, slots=True)
class PidPacing:
    """A PID controller on every fund's price: up when spending runs ahead of time, down when behind.

    The classic of ad pacing. The error is what a batch spent over what it was due of the money left, less one, and at
    most `LARGEST_ERROR`; the price moves multiplicatively.

    Args:
        proportional, integral, derivative: gains on the error of one batch.
        source: its estimates.
    """

    proportional: float = 0.1
    integral: float = 0.01
    derivative: float = 0.02
    source: Source = "neighbours-hnsw"

    @property
    def traits(self) -> Traits:
        """Batches of 50, asking first."""
        return Traits(self.source, batch=50)

    def begin(self, briefing: Briefing) -> PacingState:
        """The same starting prices as mirror descent."""
        start = MirrorDescent().begin(briefing)
        nothing = np.zeros(start.price.shape)
        return PacingState(briefing.funds, start.price, start.remaining, 0.0, nothing, nothing)

    def scores(self, state: PacingState, view: View) -> tuple[Floats, PacingState]:
        """Quality minus the charge at today's prices."""
        state = self._control(state, view) if view.elapsed > state.elapsed else state
        amounts = amounts_of(view.estimates, state.funds)
        return view.estimates.quality - charges(state.price, state.funds, amounts, len(view.estimates)), state

    def _control(self, state: PacingState, view: View) -> PacingState:
        due = state.remaining * (view.elapsed - state.elapsed) / max(1e-9, 1.0 - state.elapsed)
        spent = (state.remaining - view.remaining) / np.maximum(due, 1e-300)
        error = np.clip(spent, 0.0, 1.0 + LARGEST_ERROR) - 1.0
        total = np.clip(state.total + error, -LARGEST_SUM, LARGEST_SUM)
        move = self.proportional * error + self.integral * total + self.derivative * (error - state.last)
        price = np.clip(state.price * np.exp(move), 1e-300, 1e300)
        return replace(
            state, price=price, remaining=view.remaining.copy(), elapsed=view.elapsed, total=total, last=error
        )

    def price(self, state: PacingState) -> Floats:
        """Today's prices."""
        return state.price
