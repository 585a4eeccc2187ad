"""Recorded outcomes played again, in time order, under budgets, through the same `router.decide` as live queries.

Takes a policy, what it may know, and the truth; gives what was served, spent and scored. The truth is used to settle
a query after its model is chosen, never before. A replay that overspends a fund is a bug and stops with an error.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pointsman.decide.choose import Choices
from pointsman.decide.policies import Briefing, Policy, View
from pointsman.decide.program import Amounts, FundTable, amounts_of
from pointsman.evaluate.scenarios import Phase, World
from pointsman.records import Estimates, Floats, Ints
from pointsman.router import decide

TRACE_POINTS = 100


@dataclass(frozen=True, slots=True)
class Case:
    """One run's arrays, rows in order of arrival.

    Attributes:
        estimates: what the policy's estimator expects of each query.
        history: held-out estimates of the history's queries.
        truth: the recorded outcomes in the same shape (`quality` is the score; `spread` is not read).
        funds: with full budgets.
        world: whose `order` has been applied already.
    """

    estimates: Estimates
    history: Estimates
    truth: Estimates
    funds: FundTable
    world: World
    seed: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a replay came to.

    Attributes:
        model: int [N], the column that served each query, -1 for nobody.
        reason: int [N], see `decide.choose.REASONS`.
        performance: summed score of the served queries.
        cost_usd: what they cost.
        spent: float [F], in each fund's unit.
        priced_at, prices: queries seen at each change of prices, and the prices [changes, F].
        decide_seconds: time spent in scores and choices.
    """

    model: Ints
    reason: Ints
    performance: float
    cost_usd: float
    spent: Floats
    priced_at: Ints
    prices: Floats
    decide_seconds: float

    @property
    def served(self) -> int:
        """Queries that got an answer."""
        return int((self.model >= 0).sum())


class OverspendError(AssertionError):
    """A replay let a fund spend more than it had; it must never happen."""


def replay(policy: Policy, case: Case) -> Result:
    """Plays the case through the policy, batch by batch.

    Raises:
        OverspendError: a fund ended below zero.
    """
    truth, estimates = at_rates(case.truth, case.world), at_rates(case.estimates, case.world)
    if not policy.traits.online:
        estimates = replace(estimates, quality=np.where(_up(case.world), estimates.quality, 0.0))
    started = time.perf_counter()
    state = policy.begin(Briefing(case.funds, case.history, case.world.forecast, case.seed))
    remaining, parts, priced = case.funds.budget.copy(), [], []
    for phase, rows in _batches(policy, case.world):
        batch, seen = estimates.take(rows), rows.start
        view = View(batch, remaining, seen, float(case.world.elapsed[seen]), phase.open_models, phase.rate_factor)
        part, _, state = decide(policy, state, view, case.funds, posted=truth.take(rows))
        remaining = part.remaining
        parts.append(part)
        if (price := policy.price(state)) is not None:
            priced.append((seen, price))
    seconds = time.perf_counter() - started
    return _result(case, truth, parts, remaining, priced, seconds)


def _batches(policy: Policy, world: World) -> Any:
    """(phase, rows) in order; a reference gets everything at once, in the first phase's name."""
    start = 0
    if policy.traits.batch == 0:
        # A reference has seen the outages already (`replay` closes those pairs), so every model counts as up.
        everything = Phase(len(world.order), np.ones_like(world.phases[0].open_models), world.phases[0].rate_factor)
        yield everything, slice(0, len(world.order))
        return
    for phase in world.phases:
        while start < phase.stop:
            stop = min(start + policy.traits.batch, phase.stop)
            yield phase, slice(start, stop)
            start = stop


def _per_query(world: World, values: list[Any]) -> Any:
    starts = [0, *(phase.stop for phase in world.phases[:-1])]
    lengths = [phase.stop - start for phase, start in zip(world.phases, starts, strict=True)]
    return np.repeat(np.stack(values), lengths, axis=0)


def at_rates(estimates: Estimates, world: World) -> Estimates:
    """Costs at the rates of each query's phase; rows in order of arrival."""
    if len(world.phases) == 1:
        return estimates
    factor = _per_query(world, [phase.rate_factor for phase in world.phases])
    return replace(estimates, cost_usd=estimates.cost_usd * factor)


def _up(world: World) -> Any:
    return _per_query(world, [phase.open_models for phase in world.phases])


def _result(
    case: Case, truth: Estimates, parts: list[Choices], remaining: Floats, priced: list[Any], seconds: float
) -> Result:
    model = np.concatenate([part.model for part in parts])
    served = np.flatnonzero(model >= 0)
    spent = case.funds.budget - remaining
    if (remaining < 0).any() or not np.allclose(spent, spent_by(case.funds, amounts_of(truth, case.funds), model)):
        raise OverspendError(f"fund {case.funds.names[int(remaining.argmin())]!r} ended at {remaining.min()}")
    return Result(
        model,
        np.concatenate([part.reason for part in parts]),
        float(truth.quality[served, model[served]].sum()),
        float(truth.cost_usd[served, model[served]].sum()),
        spent,
        np.array([seen for seen, _ in priced], dtype=np.int64),
        np.array([price for _, price in priced]).reshape(len(priced), len(case.funds)),
        seconds,
    )


def spent_by(funds: FundTable, amounts: Amounts, model: Ints) -> Floats:
    """float [F]: what the served queries draw on each fund, summed anew from the choices."""
    return np.asarray(drawn_by(funds, amounts, model).sum(axis=0))


def drawn_by(funds: FundTable, amounts: Amounts, model: Ints) -> Floats:
    """float [N, F]: what each query draws on each fund; nothing where nobody served it."""
    rows = np.arange(len(model))
    drawn = np.zeros((len(model), len(funds)))
    for f, unit in enumerate(funds.unit):
        table = amounts.of(int(unit))
        amount = np.ones(len(model)) if table is None else table[rows, model]
        drawn[:, f] = np.where((model >= 0) & funds.draws[f, model], amount, 0.0)
    return drawn
