"""Funds as the dashboard shows them: where each stands, against the pace it was meant to go, and when it will be empty.

Takes rules, balances and where the funds stood a while ago; gives values for JSON. Times are handed in. A forecast here
goes on as a fund went lately: in the last ten minutes, or a fiftieth of its window where that is longer, so that a
busy minute doesn't frighten anybody about a month. What the prices do about it is theirs to decide.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pointsman.ledger.entries import Balance
from pointsman.ledger.window import Window
from pointsman.pool.settings import FundRule, WindowRule
from pointsman.serve.learn import LEAST_SHARE
from pointsman.serve.scheme import NANO, Scheme

LATELY_S = 600
PART = 50  # of a window, that "lately" reaches back at least
IN_TIME = 2 / 3  # a fund of which less will have been spent by its end goes slowly
KEY_FUND = "key:"
NAMED = 3  # of a list, in words

State = Literal["fine", "fast", "slow", "empty"]
LENGTHS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True, slots=True)
class Course:
    """How a fund goes.

    Attributes:
        starts_s, ends_s: of the window in force, Unix seconds; None where it has no such end.
        pace: what would remain now if it were spent evenly; None without an end.
        spend_per_s: lately, whole units a second.
        empty_s: when it is empty if it goes on like that; None where it lasts.
        state: in one word.
    """

    starts_s: float | None
    ends_s: float | None
    pace: float | None
    spend_per_s: float
    empty_s: float | None
    state: State


def course(
    rule: FundRule, balance: Balance, spend_per_s: float, cheapest: float, now_s: float, granted_s: float | None
) -> Course:
    """How a fund goes.

    Args:
        rule: whose.
        balance: where it stands.
        spend_per_s: lately, whole units a second.
        cheapest: whole units that the cheapest query takes.
        now_s: Unix seconds.
        granted_s: when it was first there, for one without a window.
    """
    starts_s, ends_s = bounds(rule, now_s, granted_s)
    pace = None
    if starts_s is not None and ends_s is not None:
        pace = balance.amount * (ends_s - now_s) / (ends_s - starts_s)
    empty_s = _empty_s(rule, balance, spend_per_s, now_s)
    if empty_s is not None and ends_s is not None and empty_s >= ends_s:
        empty_s = None
    state = _state(balance, spend_per_s, cheapest, None if ends_s is None else ends_s - now_s, empty_s)
    return Course(starts_s, ends_s, pace, spend_per_s, empty_s, state)


def _empty_s(rule: FundRule, balance: Balance, spend_per_s: float, now_s: float) -> float | None:
    """When nothing would be left, whatever the window's end.

    A rolling window gives back as it goes, so it lasts if what is spent in its length is no more than it has.
    """
    if rule.window.kind == "rolling":
        if spend_per_s * rule.window.length_s <= balance.amount:
            return None
        spend_per_s -= min(balance.spent, balance.amount) / rule.window.length_s
    return now_s + balance.remaining / spend_per_s if spend_per_s > 0 else None


def lately_s(rule: FundRule, now_s: float, granted_s: float | None) -> float:
    """How far back "lately" reaches for a fund, within its window."""
    starts_s, ends_s = bounds(rule, now_s, granted_s)
    if starts_s is None or ends_s is None:
        return min(max(LATELY_S, rule.window.length_s / PART), rule.window.length_s)
    return min(max(LATELY_S, (ends_s - starts_s) / PART), now_s - starts_s)


def bounds(rule: FundRule, now_s: float, granted_s: float | None) -> tuple[float | None, float | None]:
    """When the window in force began and when it ends.

    Money without a window is spread over `pace` from when it was granted, and then always over a little longer, as the
    prices spread it. A rolling window ends never.
    """
    if rule.window.kind == "rolling":
        return None, None
    if rule.window.kind == "calendar":
        span = window_of(rule.window).span(int(now_s * NANO))
        return span.since_ns / NANO, span.until_ns / NANO
    begun_s = now_s if granted_s is None else granted_s
    return begun_s, max(begun_s + rule.pace_over_s, now_s + LEAST_SHARE * rule.pace_over_s)


def _state(balance: Balance, spend_per_s: float, cheapest: float, left_s: float | None, empty_s: float | None) -> State:
    if balance.remaining < max(1.0, cheapest):
        return "empty"
    if empty_s is not None:
        return "fast"
    if left_s is not None and 0 < balance.spent + spend_per_s * left_s < IN_TIME * balance.amount:
        return "slow"
    return "fine"


def funds_json(
    scheme: Scheme,
    balances: Mapping[str, Balance],
    prices: Mapping[str, float],
    spend_per_s: Mapping[str, float],
    granted_s: Mapping[str, float],
    now_s: float,
) -> list[dict[str, Any]]:
    """The funds in force that there are balances of, in the configuration's order, those of keys after it."""
    cheapest = cheapest_of(scheme, balances)
    found = []
    for rule in scheme.funds:
        name = rule.name
        if name in cheapest:
            rate = spend_per_s.get(name, 0.0)
            how = course(rule, balances[name], rate, cheapest[name], now_s, granted_s.get(name))
            found.append(_json(rule, balances[name], prices.get(name), how))
    return found


def cheapest_of(scheme: Scheme, names: Container[str]) -> dict[str, float]:
    """By fund, of those named, the whole units that a typical query takes of it with the model that takes least."""
    cost, tokens = (np.median(table, axis=0) for table in (scheme.typical.cost_usd, scheme.typical.tokens))
    by_unit = {"usd": cost * NANO, "tokens": tokens, "requests": np.ones(len(scheme.models))}
    draws = scheme.snapshot.funds.draws & scheme.serving
    return {
        rule.name: float(by_unit[rule.unit][models].min()) if models.any() else 1.0
        for rule, models in zip(scheme.funds, draws, strict=True)
        if rule.name in names
    }


def _json(rule: FundRule, balance: Balance, price: float | None, how: Course) -> dict[str, Any]:
    return {
        "name": rule.name,
        "unit": rule.unit,
        "amount": balance.amount,
        "held": balance.held,
        "spent": balance.spent,
        "remaining": balance.remaining,
        "overrun": balance.overrun,
        "price": price,
        "window": window_words(rule.window),
        "starts_s": how.starts_s,
        "ends_s": how.ends_s,
        "pace": how.pace,
        "spend_per_s": how.spend_per_s,
        "empty_s": how.empty_s,
        "state": how.state,
        "of_key": rule.keys[0] if rule.name.startswith(KEY_FUND) else None,
        "draws": draws_words(rule),
    }


def window_of(rule: WindowRule) -> Window:
    """The ledger's window of a rule."""
    return Window(rule.kind, rule.length_s, rule.every, rule.zone)


def window_words(rule: WindowRule) -> str:
    """`once`, `rolling 24 h`, `1 month (Europe/Berlin)`."""
    if rule.kind == "rolling":
        length, unit = next((s, name) for s, name in LENGTHS if rule.length_s % s == 0)
        return f"rolling {rule.length_s // length} {unit}" if rule.length_s != 86_400 else "rolling 24 h"
    return f"1 {rule.every} ({rule.zone})" if rule.kind == "calendar" else "once"


def draws_words(rule: FundRule) -> str:
    """What draws on a fund, in words."""
    lists = {"model": rule.models, "provider": rule.providers, "key": rule.keys, "tag": rule.tags}
    named = [f"{name}{'s' if len(each) > 1 else ''} {_named(each)}" for name, each in lists.items() if each]
    return "; ".join(named) or "all queries"


def _named(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:NAMED])} and {more} more"
