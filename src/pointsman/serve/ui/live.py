"""Live events: what a look every two seconds finds new, for everyone who watches, as server-sent events.

pulse        the latest step, where the funds stood, and how they stand
decisions    what was decided, the newest first, and scores that were given
alarms       when they change
onboarding   while any runs, and once at its end
changed      another configuration, other rates or models are in force
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson

from pointsman.onboard.folder import slug_of
from pointsman.pool.reload import Stamp, stamp
from pointsman.serve.client import Client
from pointsman.serve.gateway import Gateway
from pointsman.serve.pulse import STEP_S, step_of
from pointsman.serve.pulse_file import History
from pointsman.serve.ui.decisions import FILE as DECISIONS
from pointsman.serve.ui.decisions import Latest
from pointsman.serve.ui.hub import Seat
from pointsman.serve.ui.now import LAG_S, alarms_json, read, standing
from pointsman.serve.ui.session import viewer_of
from pointsman.serve.wire.errors import Refusal

RETRY = b"retry: 2000\n\n"
HEARTBEAT = b": still here\n\n"
HEARTBEAT_S = 15.0
LONGEST_S = 24 * 3_600.0  # of one connection that no session ends
GOODBYE_S = 1.0
CAUGHT_UP_S = 60  # most that is told at once, after a while in which nothing could be read


def event(name: str, value: Any) -> bytes:
    """One event."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(value))


class Watching:
    """What one worker's look has seen so far."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._until_s = step_of(time.time() - LAG_S)
        self._latest = Latest(gateway.settings.state / DECISIONS)
        with suppress(sqlite3.Error):
            self._latest.look()
        self._alarms: Stamp | None = stamp(gateway.drifting.alarms.path)
        self._onboarding = False
        self._scheme = gateway.scheme
        self._in_force = _in_force(gateway)

    async def look(self) -> bytes:
        """The events since the last look. What can't be read now shows at the next one."""
        found: list[bytes] = []
        for part in (self._pulse, self._decisions, self._alarmed, self._onboardings, self._changed):
            with suppress(Refusal, sqlite3.Error):
                found += await part()
        return b"".join(found)

    async def _pulse(self) -> list[bytes]:
        at_s = time.time()
        end_s = step_of(at_s - LAG_S)
        if end_s <= self._until_s:
            return []
        begin_s, self._until_s = max(self._until_s, end_s - CAUGHT_UP_S), end_s
        history = await asyncio.to_thread(read, self._gateway, begin_s, end_s)
        balances = await standing(self._gateway, at_s)
        return [
            event("pulse", {"point": step.point(t), "funds": _stood(history, t), "balances": balances})
            for t, step in history.steps.items()
        ]

    async def _decisions(self) -> list[bytes]:
        rows, skipped, scores = await asyncio.to_thread(self._latest.look)
        if not rows and not scores:
            return []
        return [event("decisions", {"rows": rows, "skipped": skipped, "scores": scores})]

    async def _alarmed(self) -> list[bytes]:
        found = stamp(self._gateway.drifting.alarms.path)
        if found == self._alarms:
            return []
        self._alarms = found
        return [event("alarms", {"alarms": await alarms_json(self._gateway)})]

    async def _onboardings(self) -> list[bytes]:
        running = bool(await asyncio.to_thread(self._gateway.onboardings.running))
        before, self._onboarding = self._onboarding, running
        if not running and not before:
            return []
        return [event("onboarding", {"onboardings": await onboardings_json(self._gateway)})]

    async def _changed(self) -> list[bytes]:
        if self._gateway.scheme is self._scheme:
            return []
        before, self._scheme, self._in_force = self._in_force, self._gateway.scheme, _in_force(self._gateway)
        return [] if before == self._in_force else [event("changed", {})]


def _stood(history: History, t: int) -> dict[str, Any]:
    return {"t": t, "funds": history.funds.get(t, {})}


def _in_force(gateway: Gateway) -> tuple[object, ...]:
    """What people mean by another configuration: not prices, nor how often a model has answered."""
    scheme, settings = gateway.scheme, gateway.settings
    return scheme.models, scheme.funds, scheme.day, scheme.fit, settings.aliases, settings.dashboard


async def onboardings_json(gateway: Gateway) -> list[dict[str, Any]]:
    """How far every onboarding is, or what it came to."""
    ids = {slug_of(model.id): model.id for model in gateway.scheme.models}
    return [onboarding_json(told, ids) for told in await asyncio.to_thread(gateway.onboardings.all)]


def onboarding_json(told: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """One onboarding, as `Onboardings.all` tells it; one that ended without a word of its own says its last ones.

    Args:
        ids: of models by the name of their folder, for one that has only just begun.
    """
    progress = told["progress"] or {}
    ended = not told["running"]
    words = (told["said"] or "").strip().splitlines()
    unsaid = words[-1] if words else "it was broken off" if ended and not progress.get("done") else ""
    return {
        "slug": told["id"],
        "model": told["model"] or ids.get(told["id"], told["id"]),
        "stage": progress.get("stage", "beginning"),
        **{name: progress.get(name, 0) for name in ("asked", "graded", "of", "spent_nano")},
        **{name: progress.get(name) for name in ("mean", "low", "high", "eta_s")},
        "done": ended or bool(progress.get("done")),
        "error": progress.get("error") or unsaid,
    }


async def live(gateway: Gateway, client: Client, _: str) -> None:
    """GET /ui/api/live: events until the client leaves, its session ends, or the gateway stops."""
    visitor = viewer_of(gateway, client)
    seat = gateway.front.hub.join(lambda: Watching(gateway).look, STEP_S)
    if seat is None:
        raise Refusal("rate_limit_exceeded", "Too many are watching this worker; try again later.", retry_after_s=10)
    left_s = LONGEST_S if visitor.expires_s is None else visitor.expires_s - time.time()
    try:
        await client.begin([], RETRY)
        await _until_first(max(0.0, left_s), client.left(), seat.over.wait(), _relay(seat, gateway, client))
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await client.end(b"")
    finally:
        gateway.front.hub.leave(seat)


async def _relay(seat: Seat, gateway: Gateway, client: Client) -> None:
    """Events as they come, for as long as the session holds: a changed key, or a dashboard switched off, ends it."""
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                events = await seat.next()
        except TimeoutError:
            events = HEARTBEAT
        if not _holds(gateway, client):
            return
        await client.more(events)


def _holds(gateway: Gateway, client: Client) -> bool:
    try:
        viewer_of(gateway, client)
    except Refusal as refusal:
        return refusal.type == "rate_limit_exceeded"  # somebody else's wrong keys end nobody's view
    return True


async def _until_first(limit_s: float, *acts: Any) -> None:
    """Until one of several acts ends, or time is over; the others are ended then."""
    tasks = [asyncio.ensure_future(act) for act in acts]
    try:
        await asyncio.wait(tasks, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
