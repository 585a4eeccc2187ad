"""The trade-off of this traffic: what the latest queries would have got for other money, or leaning otherwise.

Takes a `DecidedLog`, the funds in force with amounts for the stretch of time that it spans, and a setting of the knob;
decides every query again, in order, through `router.decide`, at prices that `decide.live` solves on the same queries
for the money left, as the gateway does. Qualities and costs are the estimates that were recorded; nothing is asked of
a model and nothing is held.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pointsman.decide.choose import Scarcity
from pointsman.decide.live import solve_prices
from pointsman.decide.policies import View
from pointsman.decide.policies.standing import Standing, StandingState
from pointsman.decide.program import REQUESTS, FundTable, amounts_of
from pointsman.decide.terms import MOST_TRADE_OFF, Terms, drawn_of
from pointsman.pool.settings import FundRule
from pointsman.records import Floats, Ints
from pointsman.router import decide
from pointsman.serve.scheme import NANO, Scheme, in_units, window_of
from pointsman.serve.ui.decided_log import DecidedLog

LEAST_QUERIES = 20
LEAST_KNOWN = 100  # queries that a model was a candidate of, before it stands alone; half of them where they are few
BATCH = 64
SOLVED = 6  # times over the queries
KNOBS = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 9.5, 9.8, 9.9, 9.95, 9.99, 10.0)
DECLINE: Scarcity = "decline"
CHEAPEST: Scarcity = "serve-cheapest"
MOST_TIMES = 4  # a slider goes up to so many times what the configuration gives


@dataclass(frozen=True)
class Played:
    """The queries of a log, decided again.

    Attributes:
        model: int [Q], who serves each, −1 for nobody.
        budget, left: float [F], before and after, in the funds' units.
        runs_out: float [F], the share of the queries after which a fund can't pay anybody; NaN where it lasts.
    """

    model: Ints
    budget: Floats
    left: Floats
    runs_out: Floats


def budgets(log: DecidedLog, scheme: Scheme, amounts: Mapping[str, int], now_ns: int) -> Floats:
    """What each fund [F] has for the time that the queries span, in its unit.

    Its amount times the span over the length of its window (over what it is paced for, where it has none), less what
    other queries drew meanwhile.

    Args:
        amounts: by fund, in whole units, where another amount than the one in force is asked about.
    """
    whole = np.array([in_units(amounts.get(rule.name, rule.amount), rule.unit) for rule in scheme.funds], np.float64)
    length_s = np.array([_length_s(rule, now_ns) for rule in scheme.funds], np.float64)
    found: Floats = np.maximum(0.0, whole * log.span_s / length_s - log.others)
    return found


def _length_s(rule: FundRule, now_ns: int) -> float:
    if rule.window.kind == "rolling":
        return float(rule.window.length_s)
    if rule.window.kind == "calendar":
        span = window_of(rule).span(now_ns)
        return (span.until_ns - span.since_ns) / NANO
    return float(rule.pace_over_s)


def play(log: DecidedLog, funds: FundTable, budget: Floats, money: Floats) -> Played:
    """Every query decided again, in order.

    Args:
        funds: who draws on what.
        budget: float [F].
        money: float [Q], quality per dollar that each query leans with.
    """
    queries = len(log)
    model, left, price = np.full(queries, -1), budget.copy(), np.zeros(len(funds))
    runs_out, least = np.full(len(funds), np.nan), _least(log, funds)
    pause = max(BATCH, queries // SOLVED // BATCH * BATCH)
    for start in range(0, queries, BATCH):
        end = min(start + BATCH, queries)
        if len(funds) and start % pause == 0:
            to_come = np.full(len(funds), float(queries - start))
            price = solve_prices(log.estimates, funds, log.drawn, left, to_come, price, log.allowed)
        model[start:end], left = _decided(log, funds, price, left, money, np.arange(start, end))
        runs_out = np.where(np.isnan(runs_out) & (left < least) & (end < queries), end / queries, runs_out)
    return Played(model, budget, left, runs_out)


def unlimited(log: DecidedLog, funds: FundTable, money: Floats) -> Ints:
    """Who would serve each query [Q] if no fund were ever short: the frontier is made of these."""
    nothing = np.zeros(len(funds))
    return _decided(log, funds, nothing, np.full(len(funds), np.inf), money, np.arange(len(log)))[0]


def _decided(
    log: DecidedLog, funds: FundTable, price: Floats, left: Floats, money: Floats, rows: Ints
) -> tuple[Ints, Floats]:
    """Who serves some queries, and what the funds have left; those that decline rather than take the cheapest first."""
    model, state = np.full(len(rows), -1), StandingState(price, funds)
    for scarcity in (DECLINE, CHEAPEST):
        mine = np.flatnonzero(log.cheapest[rows] == (scarcity == CHEAPEST))
        if len(mine):
            view, terms = _asked(log, funds, left, money, rows[mine])
            choices, _, _ = decide(Standing(), state, view, funds, scarcity=scarcity, terms=terms)
            model[mine], left = choices.model, choices.remaining
    return model, left


def _asked(log: DecidedLog, funds: FundTable, left: Floats, money: Floats, rows: Ints) -> tuple[View, Terms]:
    models = log.allowed.shape[1]
    drawn = drawn_of([tuple(np.flatnonzero(each).tolist()) for each in log.drawn[rows]], len(funds))
    seen, every = int(rows[0]), np.ones(models, np.bool_)
    view = View(log.estimates.take(rows), left, seen, seen / len(log), every, np.ones(models), drawn)
    return view, Terms(log.allowed[rows], None, money[rows], None, log.bonus[rows])


def _least(log: DecidedLog, funds: FundTable) -> Floats:
    """The least that any query can draw on each fund [F]; below it a fund is empty."""
    amounts = amounts_of(log.estimates, funds)
    least = np.zeros(len(funds))
    for f, unit in enumerate(funds.unit.tolist()):
        pairs = log.allowed & log.drawn[:, f, None] & funds.draws[f]
        table = np.ones_like(log.bonus) if unit == REQUESTS else amounts.of(unit)
        least[f] = table[pairs].min() if table is not None and pairs.any() else 0.0
    return least


def outcome_json(log: DecidedLog, played: Played, scheme: Scheme) -> dict[str, Any]:
    """What it came to. A query that nobody serves has a quality of zero."""
    counts = np.bincount(played.model[played.model >= 0], minlength=len(scheme.models))
    queries = max(1, len(log))
    return {
        **sums_of(log, played.model),
        "shares": {model.id: int(n) / queries for model, n in zip(scheme.models, counts, strict=True) if n},
        "funds": [_fund(rule, played, f) for f, rule in enumerate(scheme.funds) if log.drawn[:, f].any()],
    }


def sums_of(log: DecidedLog, model: Ints) -> dict[str, Any]:
    """Mean quality, cost and the share that is served, for who serves each query [Q], −1 for nobody."""
    rows = np.flatnonzero(model >= 0)
    columns, queries = model[rows], max(1, len(log))
    return {
        "quality": float(log.estimates.quality[rows, columns].sum()) / queries,
        "cost_nano": round(float(log.estimates.cost_usd[rows, columns].sum()) * NANO),
        "served": len(rows) / queries,
    }


def _fund(rule: FundRule, played: Played, f: int) -> dict[str, Any]:
    unit = NANO if rule.unit == "usd" else 1
    runs_out = float(played.runs_out[f])
    return {
        "fund": rule.name,
        "unit": rule.unit,
        "amount": round(float(played.budget[f]) * unit),
        "spent": round(float(played.budget[f] - played.left[f]) * unit),
        "runs_out": None if np.isnan(runs_out) else runs_out,
    }


@dataclass(frozen=True)
class Ground:
    """What a page and its replays stand on: the log, the scheme in force, and what comes of it as things are."""

    log: DecidedLog
    scheme: Scheme
    now_ns: int
    here: Played | None

    def at(self, amounts: Mapping[str, int], knob: float) -> Played:
        """The queries decided again with other amounts and another setting of the knob."""
        budget = budgets(self.log, self.scheme, amounts, self.now_ns)
        return play(self.log, self.scheme.snapshot.funds, budget, self.money(knob))

    def money(self, knob: float) -> Floats:
        """Quality per dollar [Q] that each query leans with, at a setting of the knob."""
        return np.where(self.log.by_knob, self.scheme.trade_off_price(knob), self.log.money)

    @property
    def knob(self) -> float:
        """As the configuration has it; none is 0, which leaves everything to the funds' prices."""
        alias = self.scheme.aliases.get(self.log.alias or "auto")
        return 0.0 if alias is None or alias.trade_off is None else alias.trade_off


def ground_of(log: DecidedLog, scheme: Scheme, now_ns: int | None = None) -> Ground:
    """Decides the log as things are; in a thread."""
    found = Ground(log, scheme, time.time_ns() if now_ns is None else now_ns, None)
    if len(log) < LEAST_QUERIES:
        return found
    return replace(found, here=found.at({}, found.knob))


def page_json(ground: Ground) -> dict[str, Any]:
    """The page: where we stand, the frontier over the knob without any budget, each model alone; in a thread."""
    log, scheme, here = ground.log, ground.scheme, ground.here
    return {
        "queries": len(log),
        "from_s": float(log.at_s[0]) if len(log) else None,
        "to_s": float(log.at_s[-1]) if len(log) else None,
        "why": why(ground),
        "knob": ground.knob,
        "here": None if here is None else outcome_json(log, here, scheme),
        "frontier": [] if here is None else [_point(ground, knob) for knob in KNOBS],
        "models": [] if here is None else alone_json(log, scheme),
        "funds": [_slider(rule) for rule in scheme.settings.funds],
    }


def why(ground: Ground) -> str:
    """What the page rests on, or why there is nothing to show."""
    log = ground.log
    if ground.here is None:
        return f"{len(log)} queries asked for an alias so far; {LEAST_QUERIES} are needed."
    return (
        f"The latest {len(log):,} queries that asked for an alias, decided again in order on the estimates recorded "
        f"then, at prices solved on them; they really cost ${log.paid_usd:.6g}. Each fund has the part of its amount "
        f"that falls to the time such queries take to come ({_time(log.span_s)}), less what others drew. Refused "
        "queries aren't among them, and every model is taken to answer. The knob is the trade-off of alias "
        f"{log.alias!r}; the frontier is what it gives where no fund is ever short. A model alone stands for the "
        "queries that it was a candidate of."
    )


def _time(seconds: float) -> str:
    units = (("days", 86_400.0), ("hours", 3_600.0), ("minutes", 60.0))
    name, length = next((unit for unit in units if seconds >= 2 * unit[1]), ("seconds", 1.0))
    return f"{seconds / length:.0f} {name}"


def _point(ground: Ground, knob: float) -> dict[str, Any]:
    model = unlimited(ground.log, ground.scheme.snapshot.funds, ground.money(knob))
    return {"knob": knob} | sums_of(ground.log, model)


def alone_json(log: DecidedLog, scheme: Scheme) -> list[dict[str, Any]]:
    """Every query to one model, without any budget, as far as it was a candidate: means of those, for all queries.

    A model that few of them know, such as one plugged in late, is left out.
    """
    known = log.allowed.sum(axis=0)
    shown = known >= max(1, min(LEAST_KNOWN, len(log) // 2))
    quality = np.where(log.allowed, log.estimates.quality, 0.0).sum(axis=0) / np.maximum(1, known)
    cost = np.where(log.allowed, log.estimates.cost_usd, 0.0).sum(axis=0) / np.maximum(1, known) * len(log)
    return [
        {"id": model.id, "quality": float(quality[i]), "cost_nano": round(float(cost[i]) * NANO)}
        for i, model in enumerate(scheme.models)
        if shown[i]
    ]


def _slider(rule: FundRule) -> dict[str, Any]:
    most = rule.amount * MOST_TIMES if rule.amount else NANO if rule.unit == "usd" else 1_000_000
    return {"name": rule.name, "unit": rule.unit, "amount": rule.amount, "least": rule.amount // 10, "most": most}


def replayed_json(ground: Ground, amounts: Mapping[str, int], knob: float) -> dict[str, Any] | None:
    """Before and after; None where there are too few queries. In a thread."""
    if ground.here is None:
        return None
    after = ground.at(amounts, knob)
    return {
        "before": outcome_json(ground.log, ground.here, ground.scheme),
        "after": outcome_json(ground.log, after, ground.scheme),
        "moved": float((ground.here.model != after.model).mean()),
    }


def check_knob(knob: float) -> bool:
    """Whether it is a setting of the knob."""
    return 0.0 <= knob <= MOST_TRADE_OFF
