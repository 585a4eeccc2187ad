"""Live events: one look for all who watch, nobody who can hold up the others or the gateway's end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from gateway_kit import GatewayProcess, running_gateway, wait_until
from made_dashboard import LOOK, MASTER, OURS, dashboard_settings, made_gateway, scope_of
from made_serving import Talk
from pointsman.pool.settings import DashboardSettings
from pointsman.serve.app import App
from pointsman.serve.gateway import Gateway
from pointsman.serve.ui import live
from pointsman.serve.ui.hub import SEATS, WAITING, Hub, Look
from pointsman.serve.ui.live import Watching, event
from pointsman.serve.ui.seal import Granted
from stub_upstream import start_stub
from test_ui_decisions import fresh
from test_ui_now import ALARM

# The hub


def counting() -> tuple[Callable[[], Look], list[int]]:
    """A look that numbers its events, and the numbers so far."""
    seen: list[int] = []

    async def look() -> bytes:
        seen.append(len(seen))
        return b"%d" % seen[-1]

    return lambda: look, seen


def run(act: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await act()

    asyncio.run(limited())


def test_one_look_for_all() -> None:
    """All who watch get the same events of one look; after the last one nobody looks any more."""

    async def act() -> None:
        begin, seen = counting()
        hub = Hub()
        one, two = hub.join(begin, 0.001), hub.join(begin, 0.001)
        assert one is not None
        assert two is not None
        assert [await one.next(), await one.next()] == [await two.next(), await two.next()] == [b"0", b"1"]
        hub.leave(one)
        hub.leave(two)
        looks = len(seen)
        await asyncio.sleep(0.02)
        assert len(seen) == looks
        again = hub.join(begin, 0.001)
        assert again is not None
        assert await again.next() == b"%d" % looks
        hub.leave(again)

    run(act)


def test_who_is_too_slow_is_dropped() -> None:
    """A watcher that is too far behind loses the seat; the others don't notice."""

    async def act() -> None:
        begin, _ = counting()
        hub = Hub()
        slow, quick = hub.join(begin, 0.0), hub.join(begin, 0.0)
        assert slow is not None
        assert quick is not None
        for number in range(WAITING + 2):
            assert await quick.next() == b"%d" % number
        assert slow.over.is_set()
        assert not quick.over.is_set()
        hub.leave(slow)
        hub.leave(quick)

    run(act)


def test_seats_are_limited() -> None:
    """There are so many seats; one that is given back is free, and none is when the gateway stops."""

    async def act() -> None:
        begin, _ = counting()
        hub = Hub()
        seats = [hub.join(begin, 60.0) for _ in range(SEATS)]
        assert None not in seats
        assert hub.join(begin, 60.0) is None
        assert seats[0] is not None
        hub.leave(seats[0])
        last = hub.join(begin, 60.0)
        assert last is not None
        hub.close()
        assert last.over.is_set()
        hub.leave(last)
        assert hub.join(begin, 60.0) is None

    run(act)


def test_a_look_that_fails() -> None:
    """One look that fails is said and forgotten; the next one is made."""

    async def act() -> None:
        looks = 0

        async def look() -> bytes:
            nonlocal looks
            looks += 1
            if looks == 1:
                raise ValueError("bad luck")
            return b"there"

        hub = Hub()
        seat = hub.join(lambda: look, 0.001)
        assert seat is not None
        assert await seat.next() == b"there"
        hub.leave(seat)

    run(act)


# What a look finds


@contextmanager
def watched(folder: Path) -> Iterator[Gateway]:
    with made_gateway(dashboard_settings(folder)) as made:
        yield made


def events_of(told: bytes) -> list[tuple[str, Any]]:
    """Names and values of events."""
    found = []
    for block in filter(None, told.decode().split("\n\n")):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append((fields["event"], orjson.loads(fields["data"])))
    return found


def looked(watching: Watching) -> dict[str, Any]:
    return dict(events_of(asyncio.run(watching.look())))


def test_an_event_by_hand() -> None:
    """As the standard has it: a name, one line of data, an empty line."""
    assert event("pulse", {"a": 'line\n"end"'}) == b'event: pulse\ndata: {"a":"line\\n\\"end\\""}\n\n'


def test_a_look_finds_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps, decisions and alarms are told once; where nothing happened there is nothing to tell."""
    with watched(tmp_path) as gateway:
        gateway.journal.add(fresh(0))
        gateway.journal.flush()
        watching = Watching(gateway)
        assert asyncio.run(watching.look()) == b""
        gateway.journal.add(fresh(1))
        gateway.journal.feedback("dec_0000", 0.5)
        gateway.journal.flush()
        told = looked(watching)
        assert [row["decision_id"] for row in told["decisions"]["rows"]] == ["dec_0001"]
        assert told["decisions"]["scores"] == [{"decision_id": "dec_0000", "feedback": 0.5}]
        gateway.drifting.alarms.raise_(ALARM)
        assert [alarm["id"] for alarm in looked(watching)["alarms"]["alarms"]] == ["a-1"]
        assert asyncio.run(watching.look()) == b""

        now = time.time()
        gateway.beating.pulse.note([fresh(2)], now)
        asyncio.run(gateway.beating.keep(now + 2, gateway.till.by_fund(), {"pool": 0.5}, gateway.settings.dashboard))
        monkeypatch.setattr(time, "time", lambda: now + 4.5)
        pulses = [told for name, told in events_of(asyncio.run(watching.look())) if name == "pulse"]
        assert sum(told["point"]["queries"] for told in pulses) == 1
        assert [told["funds"]["funds"]["pool"][3] for told in pulses if told["funds"]["funds"]] == [0.5]
        assert [fund["name"] for fund in pulses[-1]["balances"]] == ["pool", "calls"]
        assert asyncio.run(watching.look()) == b""


def test_another_configuration_is_told(tmp_path: Path) -> None:
    """Other models are news; new prices, or the same settings built again, aren't."""
    with watched(tmp_path) as gateway:
        watching = Watching(gateway)
        gateway.rebuild()
        assert looked(watching) == {}
        gateway.settings = replace(gateway.settings, models=gateway.settings.models[:1])
        gateway.rebuild()
        assert looked(watching) == {"changed": {}}
        assert looked(watching) == {}


def test_onboardings_are_told_while_they_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as one runs, at every look, and once when it has ended."""
    with watched(tmp_path) as gateway:
        watching = Watching(gateway)
        for running, tells in (({"p-m"}, True), ({"p-m"}, True), (set(), True), (set(), False)):
            monkeypatch.setattr(gateway.onboardings, "running", lambda found=running: found)
            assert ("onboarding" in looked(watching)) is tells


def test_what_cannot_be_read_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one file locked the rest is told all the same."""
    with watched(tmp_path) as gateway:
        watching = Watching(gateway)
        monkeypatch.setattr(watching, "_latest", replace(watching._latest, path=tmp_path / "none.sqlite"))
        gateway.drifting.alarms.raise_(ALARM)
        assert list(looked(watching)) == ["alarms"]


# One watcher, in process


def watcher(headers: dict[str, str] | None = None) -> Talk:
    talk = Talk([b""])
    talk.client.scope.update(scope_of("GET", "/ui/api/live", OURS | (headers or {"authorization": f"Bearer {LOOK}"})))
    return talk


def served(gateway: Gateway, talk: Talk) -> asyncio.Task[None]:
    app = App(lambda: gateway)
    app.gateway = gateway
    return asyncio.create_task(app(talk.client.scope, talk.receive, talk.send))


async def begun(talk: Talk) -> None:
    while len(talk.sent) < 2:
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("how", ["leaves", "stops", "expires", "stuck", "another key", "switched off"])
def test_every_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """When the client leaves, the gateway stops or the session ends, the seat is free and nobody waits."""

    async def act(gateway: Gateway) -> None:
        talk = watcher(cookie_of(gateway, 0.3) if how == "expires" else None)
        task = served(gateway, talk)
        await begun(talk)
        assert talk.sent[1]["body"] == b"retry: 2000\n\n"
        if how == "leaves":
            talk.gone.set()
        elif how == "stuck":
            talk.stuck = asyncio.Event()
            await asyncio.sleep(0.05)
            gateway.front.close()
        elif how == "another key":
            gateway.settings = replace(gateway.settings, dashboard=DashboardSettings(key="sk-another"))
        elif how == "switched off":
            gateway.settings = replace(gateway.settings, dashboard=DashboardSettings(enabled=False, key=LOOK))
        elif how == "stops":
            gateway.front.close()
        await asyncio.wait_for(task, 10)
        assert not gateway.front.hub._seats
        assert gateway.front.hub._task is None

    monkeypatch.setattr(live, "STEP_S", 0.01)
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.02)
    with watched(tmp_path) as gateway:
        asyncio.run(act(gateway))


def cookie_of(gateway: Gateway, seconds: float) -> dict[str, str]:
    granted = Granted("viewer", changes=False, expires_s=time.time() + seconds)
    return {"cookie": f"pointsman_ui={gateway.front.seal.sign(granted, LOOK)}"}


def test_a_sign_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing happens a comment is sent now and then, so that nobody in between takes it for dead."""
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.01)

    async def act(gateway: Gateway) -> None:
        talk = watcher()
        task = served(gateway, talk)
        while len(talk.sent) < 4:
            await asyncio.sleep(0.005)
        talk.gone.set()
        await task
        assert talk.sent[2]["body"].startswith(b":")
        headers = dict(talk.sent[0]["headers"])
        assert headers[b"content-type"].startswith(b"text/event-stream")
        assert b"content-security-policy" in headers

    with watched(tmp_path) as gateway:
        asyncio.run(act(gateway))


def test_no_seat_is_left(tmp_path: Path) -> None:
    """Whoever comes when all seats are taken is told to come again."""

    async def act(gateway: Gateway) -> None:
        begin, _ = counting()
        seats = [gateway.front.hub.join(begin, 60.0) for _ in range(SEATS)]
        talk = watcher()
        await served(gateway, talk)
        assert talk.sent[0]["status"] == 429
        for seat in seats:
            assert seat is not None
            gateway.front.hub.leave(seat)

    with watched(tmp_path) as gateway:
        asyncio.run(act(gateway))


# A running gateway


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("gateway")
    funds = [{"name": "pool", "amount": 5, "window": "1mo"}]
    with start_stub() as stub, running_gateway(folder, stub, funds=funds, dashboard={"key": LOOK}) as made:
        yield made


def test_a_query_is_seen_live(running: GatewayProcess) -> None:
    """Who watches sees a query's row, its step and what it left in the funds, without asking again."""
    with httpx.stream("GET", f"{running.url}/ui/api/live", headers=running.headers, trust_env=False) as stream:
        lines = stream.iter_lines()
        next(lines)
        decision_id = running.chat().headers["x-pointsman-decision-id"]
        seen, rows, name = 0, list[str](), ""
        for line in lines:
            name = line.removeprefix("event: ") if line.startswith("event: ") else name
            if line.startswith("data: "):
                told = orjson.loads(line.removeprefix("data: "))
                seen += told["point"]["queries"] if name == "pulse" else 0
                rows += [row["decision_id"] for row in told["rows"]] if name == "decisions" else []
            if seen and rows:
                break
    assert (seen, rows) == (1, [decision_id])


def test_a_stop_waits_for_no_watcher(running: GatewayProcess) -> None:
    """A gateway that is told to stop does, while somebody watches, long before its drain is over."""
    with httpx.stream("GET", f"{running.url}/ui/api/live", headers=running.headers, trust_env=False) as stream:
        lines = stream.iter_lines()
        next(lines)
        began = time.monotonic()
        running.stop()
        with suppress(httpx.HTTPError):
            list(lines)
    assert time.monotonic() - began < 15  # of 30 s that queries would have
    assert "Traceback" not in running.log
    assert "without completing" not in running.log
    assert MASTER not in running.log
    wait_until(lambda: not running.owners())
