"""The first page: the latest steps of the traffic, where the funds stand, alarms."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pointsman.ledger.entries import Balance
from pointsman.serve.beating import MOST_FUNDS
from pointsman.serve.drift.alarms import Alarm
from pointsman.serve.gateway import Gateway
from pointsman.serve.learn import prices_of
from pointsman.serve.pulse import STEP_S, step_of
from pointsman.serve.pulse_file import FILE, MINUTE_S, History, read_history
from pointsman.serve.scheme import NANO
from pointsman.serve.ui.funds import funds_json
from pointsman.serve.ui.rates import spend_rates

POINTS = 450
FINE_MINUTES = 120  # for so long back there are steps of two seconds
MOST_MINUTES = 14 * 24 * 60
LAG_S = 2.0  # by then every worker has written a step that is over
ALARMS = 200
SEVERE = ("score", "cost")  # somebody pays for these; a change of lengths or topics is only worth knowing


def length_of(minutes: int) -> int:
    """How long a step is, so that there are no more than `POINTS` of them."""
    base = STEP_S if minutes <= FINE_MINUTES else MINUTE_S
    return base * -(-minutes * 60 // (POINTS * base))


async def now_json(gateway: Gateway, minutes: int) -> dict[str, Any]:
    """What `GET /ui/api/now` answers.

    Args:
        minutes: how far back, from 1 to `MOST_MINUTES`.
    """
    at_s, length_s = time.time(), length_of(minutes)
    end_s = step_of(at_s - LAG_S)
    history = await asyncio.to_thread(read, gateway, end_s - minutes * 60, end_s, length_s)
    scheme = gateway.scheme
    return {
        "at_s": at_s,
        "step_s": length_s,
        "points": [step.point(t) for t, step in history.steps.items()][-POINTS:],
        "fund_points": [{"t": t, "funds": funds} for t, funds in history.funds.items()][-POINTS:],
        "funds": await standing(gateway, at_s),
        "alarms": await alarms_json(gateway),
        "models": [model.id for model, serves in zip(scheme.models, scheme.serving, strict=True) if serves],
        "estimates_from": scheme.origin,
    }


def read(gateway: Gateway, begin_s: int, end_s: int, length_s: int = STEP_S) -> History:
    """The pulse of all workers, from the file."""
    return read_history(gateway.settings.state / FILE, begin_s, end_s, length_s)


async def standing(gateway: Gateway, at_s: float, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Funds as they stand.

    Args:
        names: of which; None for the first so many, which are the file's and some keys'.

    Raises:
        Refusal: the ledger can't be read.
    """
    balances = gateway.till.by_fund()
    shown = {name: balances[name] for name in names or list(balances)[:MOST_FUNDS] if name in balances}
    return await asyncio.to_thread(_standing, gateway, shown, at_s)


def _standing(gateway: Gateway, balances: Mapping[str, Balance], at_s: float) -> list[dict[str, Any]]:
    scheme = gateway.scheme
    rules = [rule for rule in scheme.funds if rule.name in balances]
    granted_s = {name: at_ns / NANO for name, at_ns in gateway.granted_ns.copy().items()}
    rates: dict[str, float] = {}
    with suppress(sqlite3.Error):  # without figures of the latest minutes there is no forecast
        rates = spend_rates(gateway.settings.state, rules, balances, granted_s, at_s)
    return funds_json(scheme, balances, prices_of(scheme), rates, granted_s, at_s)


async def alarms_json(gateway: Gateway) -> list[dict[str, Any]]:
    """The latest alarms, those that are active first, the newest of them first."""
    found = await asyncio.to_thread(gateway.drifting.alarms.all)
    found.sort(key=lambda alarm: (alarm.active, alarm.at_s), reverse=True)
    return [alarm_json(alarm) for alarm in found[:ALARMS]]


def alarm_json(alarm: Alarm) -> dict[str, Any]:
    """One alarm, with what came of it."""
    return {
        "id": alarm.id,
        "kind": alarm.kind,
        "model": alarm.model or None,
        "severity": "alarm" if alarm.kind in SEVERE else "warning",
        "what": "; ".join(filter(None, (alarm.says, alarm.note))),
        "since_s": alarm.since_s,
        "active": alarm.active,
        "acknowledged_s": alarm.acknowledged_s,
    }
