"""What keeps decisions true while traffic runs: receipts and arrivals in, a new scheme out, every few seconds.

Looks at estimates of decided queries, at balances and at tallies; solves prices anew in a thread (the solver runs
without the interpreter's lock), takes over new rates at midnight UTC, new keys, and new fits. Every change is a whole
new `Scheme`, swapped in by one assignment. It decides nothing itself, and a tick that fails leaves all as it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pointsman.decide.arrivals import Arrivals, expect
from pointsman.decide.live import solve_prices
from pointsman.decide.policies.standing import StandingState
from pointsman.decide.terms import Terms
from pointsman.ledger.entries import Balance
from pointsman.pool.settings import FundRule
from pointsman.records import Estimates, Floats, Mask
from pointsman.router import Moment, embed, route
from pointsman.serve.scheme import NANO, Scheme, in_units

RECENT_ROWS = 1_000  # latest queries that stand for what comes
HISTORY_ROWS = 2_000  # and as many of the history's, at most
LEAST_SHARE = 0.05  # of a horizon without a window: money that outlives its time is not spent all at once


class Traffic:
    """The latest queries as prices are solved on them, and how often they come. One worker's share of the traffic."""

    def __init__(self, per_day: float, workers: int) -> None:
        self.workers = workers
        self.arrivals: Arrivals = expect(per_day)
        self._recent: deque[tuple[Estimates, list[tuple[int, ...]], Mask]] = deque()
        self._rows = 0
        self._arrived = 0

    def witness(self, estimates: Estimates, drawn: list[tuple[int, ...]], allowed: Mask) -> None:
        """A batch that was decided."""
        self._arrived += len(drawn)
        self._recent.append((estimates, drawn, allowed))
        self._rows += len(drawn)
        while self._rows - len(self._recent[0][1]) >= RECENT_ROWS:
            self._rows -= len(self._recent.popleft()[1])

    def passed(self, seconds: float) -> None:
        """So much time has passed since the last call."""
        self.arrivals = self.arrivals.look(self._arrived * self.workers, seconds)
        self._arrived = 0

    def forget(self) -> None:
        """Other models or funds are in force: the rows kept no longer fit."""
        self._recent.clear()
        self._rows = 0

    def rows(self, funds: int) -> tuple[Estimates, Mask, Mask] | None:
        """The latest queries: estimates [R, M], the funds they draw on [R, F], the models allowed [R, M]."""
        if not self._recent:
            return None
        batches = list(self._recent)
        drawn = np.zeros((self._rows, funds), np.bool_)
        for j, rows in enumerate(rows for _, listed, _ in batches for rows in listed):
            drawn[j, list(rows)] = True
        return (
            Estimates.stacked([batch for batch, _, _ in batches]),
            drawn,
            np.concatenate([mask for _, _, mask in batches]),
        )


def posed(
    scheme: Scheme, traffic: Traffic, balances: Mapping[str, Balance], granted_ns: Mapping[str, int], now_ns: int
) -> tuple[Estimates, Mask, Floats, Floats, Mask]:
    """The program that the funds pose now: rows, who draws on what, what is left, what is to come, who is allowed.

    The latest queries and the history's share the rows; a history row draws on funds as one of the latest queries
    does (or on those without keys and tags), since nobody knows who will ask. No row may go to a model that doesn't
    serve, whoever could name it.
    """
    funds = len(scheme.funds)
    remaining = np.array([_left(rule, balances.get(rule.name)) for rule in scheme.funds], np.float64)
    to_come = np.array(
        [
            traffic.arrivals.expected(_horizon_s(rule, balances.get(rule.name), granted_ns.get(rule.name), now_ns))
            for rule in scheme.funds
        ],
        np.float64,
    )
    recent = traffic.rows(funds)
    typical = scheme.typical.take(slice(0, HISTORY_ROWS))
    if recent is None:
        common = np.array([not rule.keys and not rule.tags for rule in scheme.funds], np.bool_)
        drawn = np.broadcast_to(common, (len(typical), funds))
        return typical, drawn, remaining, to_come, np.broadcast_to(scheme.serving, typical.quality.shape)
    rows, drawn, allowed = recent
    allowed = allowed & scheme.serving  # a model may have been retired since
    like = np.resize(np.arange(len(rows)), len(typical))
    return (
        Estimates.stacked([rows, typical]),
        np.concatenate([drawn, drawn[like]]),
        remaining,
        to_come,
        np.concatenate([allowed, allowed[like]]),
    )


def _left(rule: FundRule, balance: Balance | None) -> float:
    """What a fund can pay in its horizon. A rolling window gives everything back within its length."""
    if balance is None:
        return in_units(rule.amount, rule.unit)
    left = balance.amount - balance.held if rule.window.kind == "rolling" else balance.remaining
    return in_units(max(0, left), rule.unit)


def _horizon_s(rule: FundRule, balance: Balance | None, granted_ns: int | None, now_ns: int) -> float:
    """Over how long it has to last."""
    if rule.window.kind == "rolling":
        return float(rule.window.length_s)
    if rule.window.kind == "calendar" and balance is not None and balance.resets_ns is not None:
        return max(1.0, (balance.resets_ns - now_ns) / NANO)
    age = 0.0 if granted_ns is None else (now_ns - granted_ns) / NANO
    return max(rule.pace_over_s - age, LEAST_SHARE * rule.pace_over_s)


def solved(scheme: Scheme, program: tuple[Estimates, Mask, Floats, Floats, Mask]) -> Floats:
    """Prices [F] of the funds in force; runs in a thread."""
    rows, drawn, remaining, to_come, allowed = program
    start = scheme.snapshot.price
    return solve_prices(
        rows,
        scheme.snapshot.funds,
        drawn,
        remaining,
        to_come,
        np.zeros(len(remaining)) if start is None else start,
        allowed,
    )


def warm_up(scheme: Scheme) -> None:
    """Decides and solves once for nobody, so that what is compiled at its first use is there before the first query."""
    prompts = embed(["How far is it?"], scheme.snapshot.embedder)
    allowed = np.ones((1, len(scheme.models)), np.bool_)
    drawn = (tuple(range(len(scheme.funds))),)
    route(
        prompts,
        scheme.snapshot,
        np.full(len(scheme.funds), np.inf),
        Moment(0, 0.0),
        terms=Terms(allowed, drawn, np.zeros(1), np.zeros(allowed.shape), np.zeros(allowed.shape)),
    )
    if scheme.funds:
        solved(scheme, posed(scheme, Traffic(1.0, 1), {}, {}, 0))


def with_prices(scheme: Scheme, price: Floats) -> Scheme:
    """The same scheme at new prices."""
    state = StandingState(price, scheme.snapshot.funds)
    return replace(scheme, snapshot=replace(scheme.snapshot, state=state))


def prices_of(scheme: Scheme) -> dict[str, float]:
    """By fund."""
    price = scheme.snapshot.price
    if price is None:
        return {}
    return {rule.name: float(one) for rule, one in zip(scheme.funds, price, strict=True)}
