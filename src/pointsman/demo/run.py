"""One demo from its beginning to its end: scene, processes, traffic and story, the table.

Takes options and where to speak; gives an `Account`. SIGINT and SIGTERM end the traffic and go on to the table; before
the traffic they end everything at once. Whatever happens, no process is left and a temporary folder is removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx

from pointsman.demo.administration import Administration
from pointsman.demo.children import Family, family
from pointsman.demo.configuration import configure, free_port, key_wishes
from pointsman.demo.report import Account, live_of
from pointsman.demo.scene import Scene
from pointsman.demo.stage import Stage
from pointsman.demo.standings import Known, standings
from pointsman.demo.story import Event, Story, known_now
from pointsman.demo.traffic import Traffic
from pointsman.demo.watching import Glance
from pointsman.errors import InputError
from pointsman.estimate.embedders import load_embedder
from pointsman.outcomes import write
from pointsman.pool.settings import Settings
from pointsman.serve.server import settings_at

LOOK_S = 0.5
LATELY_S = 10.0
MASTER = "sk-demo-"
SETTLED_S = 5.0  # for what is held to be posted, at the end


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        seconds: of traffic.
        rate: queries a second.
        seed: of everything.
        port: None takes 8400 or the next free one.
        state: a folder to keep; None takes a temporary one.
        open_browser: whether to show the dashboard.
        stay: whether the gateway stays up after the table, until Ctrl-C.
    """

    seconds: float
    rate: float
    seed: int
    port: int | None
    state: Path | None
    open_browser: bool
    stay: bool


@dataclass(frozen=True, slots=True)
class Teller:
    """Where a demo speaks: sentences, events, a look at what runs every half a second, and the end."""

    say: Callable[[str], None]
    event: Callable[[Event], None]
    glance: Callable[[Glance], None]
    account: Callable[[Account], None]


def check_packages() -> None:
    """Raises:
    InputError: the client that the traffic is sent with is not installed.
    """
    if find_spec("openai") is None:
        raise InputError(
            "the demo's traffic is sent by the `openai` client, which is not installed",
            remedy="pip install 'pointsman[demo]'",
        )


def run(stage: Stage, options: Options, teller: Teller) -> Account:
    """The whole of it.

    Args:
        stage: makes the scene and starts the models.
        options: of the command line.
        teller: is told everything.

    Raises:
        InputError: a taken port, a missing package, a folder in use, a process that doesn't start.
        KeyboardInterrupt: ended before the traffic began.
    """
    began = time.monotonic()
    check_packages()
    stage.check()
    port = free_port(options.port)
    with _interruptible(), _folder(options.state) as folder, family(folder) as processes:
        teller.say("making the past that the gateway learns from")
        scene = stage.scene(options.seconds, options.rate, options.seed)
        write(scene.history, folder / "history")
        servers = stage.start(scene, processes, folder)
        master = MASTER + secrets.token_urlsafe(18)
        config = configure(scene, servers, port, master, folder)
        url = f"http://127.0.0.1:{port}"
        gateway = processes.start("gateway", "pointsman.demo.gateway_process", str(config), speaks=False)
        teller.say("the gateway starts and fits its estimators")
        gateway.wait_until_ready(url)
        settings = settings_at(config)
        before = known_now(settings)
        if before is None:
            raise InputError("the gateway learned nothing from the past", place=str(folder))
        ready_s = time.monotonic() - began
        page = f"{url}/ui/#key={master}"
        teller.say(f"ready after {ready_s:.1f} s. Dashboard: {page}")
        if options.open_browser:
            _open(page, teller)
        run_ = _Run(stage, scene, settings, servers, url, master, teller, began)
        account = asyncio.run(run_.play(before, ready_s, options.seed))
        teller.account(account)
        if options.stay:
            _stay(url, teller)
        return account


@dataclass
class _Run:
    """The part with traffic in it."""

    stage: Stage
    scene: Scene
    settings: Settings
    servers: Any
    url: str
    master: str
    teller: Teller
    began: float

    async def play(self, before: Known, ready_s: float, seed: int) -> Account:
        """Traffic and story, then what they come to."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        admin = Administration(self.url, self.master)
        try:
            keys = {str(wish["id"]): await admin.make_key(wish) for wish in key_wishes(self.scene)}
            traffic = Traffic(self.scene, self.url, keys, self.stage.judge(self.scene), self.stage.patience_s)
            story = Story(self.scene, admin, self.settings, self.servers, lambda: traffic.passed_s, self.teller.event)
            await self._together(traffic, story, admin, stop)
            ran_s = min(traffic.passed_s, self.scene.plan.seconds) if not stop.is_set() else self.stopped_s
            return await self._account(traffic, story, admin, before, ready_s, ran_s, seed)
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
            await admin.close()

    stopped_s: float = 0.0

    async def _together(self, traffic: Traffic, story: Story, admin: Administration, stop: asyncio.Event) -> None:
        """Runs them until the traffic has ended; a story that isn't over by then ends with it."""
        over = asyncio.Event()
        telling = asyncio.create_task(story.run(over))
        looking = asyncio.create_task(self._look(traffic, story, admin, over))
        stopping = asyncio.create_task(self._note_stop(traffic, stop, over))
        try:
            await traffic.run(stop)
        finally:
            over.set()
            ended = await asyncio.gather(telling, looking, stopping, return_exceptions=True)
        for one in ended:
            if isinstance(one, Exception):
                raise one

    async def _note_stop(self, traffic: Traffic, stop: asyncio.Event, over: asyncio.Event) -> None:
        waiting = [asyncio.create_task(event.wait()) for event in (stop, over)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set() and not over.is_set():
            self.stopped_s = min(traffic.passed_s, self.scene.plan.seconds)
            self.teller.say("stopping: the answers in flight come in, then the table")
            over.set()
        for task in waiting:
            task.cancel()

    async def _look(self, traffic: Traffic, story: Story, admin: Administration, over: asyncio.Event) -> None:
        """Tells what can be seen, every half a second."""
        while not over.is_set():
            with contextlib.suppress(httpx.HTTPError, InputError):  # a look that fails is followed by another
                served = sum(one.ending == "served" for one in traffic.answers)
                self.teller.glance(
                    Glance(
                        traffic.passed_s,
                        self.scene.plan.seconds,
                        traffic.per_second,
                        traffic.sent,
                        served,
                        len(traffic.answers) - served,
                        await admin.balances(),
                        traffic.shares(LATELY_S),
                        story.next,
                    )
                )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), LOOK_S)

    async def _account(
        self,
        traffic: Traffic,
        story: Story,
        admin: Administration,
        before: Known,
        ready_s: float,
        ran_s: float,
        seed: int,
    ) -> Account:
        self.teller.say("the same traffic under five policies")
        balances = await self._settled(admin)
        audit = await admin.audit()
        probes_usd = 0.0 if story.joined is None else story.joined.spent_usd
        live = live_of(
            self.scene, traffic.answers, traffic.sent, balances, probes_usd, ledger_ok=bool(audit.get("ok"))
        )
        embedder = load_embedder(self.settings.learning.embedder)
        made = await asyncio.to_thread(standings, self.scene, before, story.joined, embedder, seed)
        first = min((one.at_s for one in traffic.answers if one.ending == "served"), default=None)
        first_s = None if first is None else traffic.began_s - self.began + first
        return Account(self.scene, seed, ready_s, first_s, ran_s, story.events, made, live)

    async def _settled(self, admin: Administration) -> list[dict[str, Any]]:
        """The balances once nothing is held any more, or after a while."""
        deadline = time.monotonic() + SETTLED_S
        while True:
            balances = await admin.balances()
            if time.monotonic() > deadline or not any(float(one["held"]) for one in balances):
                return balances
            await asyncio.sleep(0.1)


def _open(page: str, teller: Teller) -> None:
    """Shows the dashboard where there is a browser."""
    with contextlib.suppress(webbrowser.Error):
        if webbrowser.open(page):
            return
    teller.say("no browser was found on this machine; open the address above in one")


def _stay(url: str, teller: Teller) -> None:
    """Until Ctrl-C."""
    teller.say(f"the gateway stays up at {url}; Ctrl-C ends it")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3_600)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM is as Ctrl-C, for the length of a block."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)


@contextlib.contextmanager
def _folder(state: Path | None) -> Iterator[Path]:
    """A folder for everything; a temporary one is gone afterwards."""
    if state is None:
        with tempfile.TemporaryDirectory(prefix="pointsman-demo-", ignore_cleanup_errors=True) as made:
            yield Path(made)
        return
    if state.exists() and (not state.is_dir() or any(state.iterdir())):
        raise InputError(
            "exists already and is not an empty folder",
            place=f"--state {state}",
            remedy="give another one: a demo begins with full funds",
        )
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    yield state.resolve()
