"""The part of a demo with traffic in it: keys made, traffic and story side by side, then what they come to.

Takes a scene in front of a gateway that is ready; gives an `Account`. SIGINT and SIGTERM end the traffic early, and the
account is made all the same. It starts and ends no process.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from pointsman.demo.administration import Administration
from pointsman.demo.configuration import key_wishes
from pointsman.demo.report import Account, Teller, live_of
from pointsman.demo.scene import Judge, Scene
from pointsman.demo.standings import Known, standings
from pointsman.demo.story import Story, known_now
from pointsman.demo.traffic import Traffic
from pointsman.demo.watching import Glance
from pointsman.errors import InputError
from pointsman.estimate.embedders import load_embedder
from pointsman.serve.server import settings_at

LOOK_S = 0.5
LATELY_S = 10.0
PRICED_S = 5.0  # for the first prices, which are solved a second after the start
SETTLED_S = 5.0  # for what is held to be posted, at the end


@dataclass(frozen=True)
class Opened:
    """A gateway that is ready, and what it serves.

    Attributes:
        scene: what is played.
        config: the gateway's configuration.
        servers: addresses of the models, by id.
        url: the gateway's address.
        master_key: of it.
        seed: of everything.
        began_s: when the command was given, by the clock that never goes back.
        ready_s: how long it took from there to here.
    """

    scene: Scene
    config: Path
    servers: Mapping[str, str]
    url: str
    master_key: str
    seed: int
    began_s: float
    ready_s: float


async def play(opened: Opened, judge: Judge, patience_s: float, teller: Teller) -> Account:
    """Plays it.

    Args:
        judge: scores the answers.
        patience_s: how long a client waits for one.

    Raises:
        InputError: the gateway knows nothing of its models.
    """
    settings = settings_at(opened.config)
    known = known_now(settings)
    if known is None:
        raise InputError("the gateway learned nothing from the past", place=str(opened.config))
    scene, stop = opened.scene, asyncio.Event()
    async with contextlib.aclosing(Administration(opened.url, opened.master_key)) as admin:
        with _told_to_stop(stop):
            keys = {str(wish["id"]): await admin.make_key(wish) for wish in key_wishes(scene)}
            await _priced(admin)
            traffic = Traffic(scene, opened.url, keys, judge, patience_s)
            story = Story(scene, admin, settings, opened.servers, lambda: traffic.passed_s, teller.event)
            stopped_s = await _together(scene, traffic, story, admin, stop, teller)
        teller.say("the same traffic under five policies")
        return await _account(opened, known, traffic, story, admin, stopped_s)


@contextlib.contextmanager
def _told_to_stop(stop: asyncio.Event) -> Iterator[None]:
    """SIGINT and SIGTERM set an event, for the length of a block."""
    loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


async def _priced(admin: Administration) -> None:
    """Waits for the first prices: until they are there, money is worth nothing."""
    deadline = time.monotonic() + PRICED_S
    while time.monotonic() < deadline and not any(one["price"] for one in await admin.balances()):
        await asyncio.sleep(0.1)


async def _together(
    scene: Scene, traffic: Traffic, story: Story, admin: Administration, stop: asyncio.Event, teller: Teller
) -> float | None:
    """Runs both until the traffic has ended, and the story with it; when it was stopped, None where it wasn't."""
    over = asyncio.Event()
    beside = asyncio.gather(story.run(over), _look(scene, traffic, story, admin, over, teller))
    noting = asyncio.create_task(_stopped(traffic, stop, over, teller))
    try:
        await traffic.run(stop)
    finally:
        over.set()
        await beside
        stopped_s = await noting
    return stopped_s


async def _stopped(traffic: Traffic, stop: asyncio.Event, over: asyncio.Event, teller: Teller) -> float | None:
    """Ends the story as soon as the traffic is stopped, and says when that was."""
    waiting = [asyncio.create_task(event.wait()) for event in (stop, over)]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    if not stop.is_set():
        return None
    over.set()
    teller.say("stopping: the answers in flight come in, then the table")
    return traffic.passed_s


async def _look(
    scene: Scene, traffic: Traffic, story: Story, admin: Administration, over: asyncio.Event, teller: Teller
) -> None:
    """Tells what can be seen, again and again."""
    while not over.is_set():
        with contextlib.suppress(httpx.HTTPError, InputError):  # a look that fails is followed by another
            teller.glance(_glance(scene, traffic, story, await admin.balances()))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), LOOK_S)


def _glance(scene: Scene, traffic: Traffic, story: Story, balances: list[dict[str, Any]]) -> Glance:
    served = sum(one.ending == "served" for one in traffic.answers)
    return Glance(
        traffic.passed_s,
        scene.plan.seconds,
        traffic.per_second,
        traffic.sent,
        served,
        len(traffic.answers) - served,
        balances,
        traffic.shares(LATELY_S),
        story.next,
    )


async def _account(
    opened: Opened, known: Known, traffic: Traffic, story: Story, admin: Administration, stopped_s: float | None
) -> Account:
    scene, seconds = opened.scene, opened.scene.plan.seconds
    balances = await _settled(admin)
    ok = bool((await admin.audit())["ok"])
    live = live_of(scene, traffic.answers, traffic.sent, balances, story.probes_usd, ledger_ok=ok)
    embedder = load_embedder(story.settings.learning.embedder)
    made = await asyncio.to_thread(standings, scene, known, story.joined, embedder, opened.seed)
    first = min((one.at_s for one in traffic.answers if one.ending == "served"), default=None)
    first_s = None if first is None else traffic.began_s - opened.began_s + first
    ran_s = seconds if stopped_s is None else min(stopped_s, seconds)
    return Account(scene, opened.seed, opened.ready_s, first_s, ran_s, story.events, made, live)


async def _settled(admin: Administration) -> list[dict[str, Any]]:
    """The balances once nothing is held any more, or after a while."""
    deadline = time.monotonic() + SETTLED_S
    while True:
        balances = await admin.balances()
        if time.monotonic() > deadline or not any(one["held"] for one in balances):
            return balances
        await asyncio.sleep(0.1)
