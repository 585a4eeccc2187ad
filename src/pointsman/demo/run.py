"""One demo from its beginning to its end: a scene, processes, the traffic, the table.

Takes a stage, options and where to speak; gives an `Account`. Ctrl-C and SIGTERM end the traffic and go on to the
table; before and after it they end everything at once. Whatever happens, no process is left, and a temporary folder is
removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from pointsman.demo.children import family
from pointsman.demo.configuration import configure, free_port
from pointsman.demo.report import Account, Teller
from pointsman.demo.stage import Stage
from pointsman.errors import InputError
from pointsman.outcomes import write

MASTER = "sk-demo-"


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
        KeyboardInterrupt: ended before the traffic began, or while the table was made.
    """
    began_s = time.monotonic()
    stage.check()
    port = free_port(options.port)
    with _interruptible(), _folder(options.state) as folder, family(folder) as processes:
        # It starts first, since it takes longest, and waits for its file.
        gateway = processes.start("gateway", "pointsman.demo.gateway_process", speaks=False)
        teller.say("making the past that the gateway learns from")
        scene = stage.scene(options.seconds, options.rate, options.seed)
        write(scene.history, folder / "history")
        servers, master = stage.addresses(scene), MASTER + secrets.token_urlsafe(18)
        config = configure(scene, servers, port, master, folder)
        gateway.tell(str(config))
        teller.say("the gateway fits its estimators, and the models start")
        stage.start(scene, servers, processes, folder)
        playing = _playing()
        url = f"http://127.0.0.1:{port}"
        gateway.wait_until_ready(url)
        ready_s, page = time.monotonic() - began_s, f"{url}/ui/#key={master}"
        teller.say(f"ready after {ready_s:.1f} s. Dashboard: {page}")
        if options.open_browser:
            _open(page, teller)
        opened = playing.Opened(scene, config, servers, url, master, options.seed, began_s, ready_s)
        account: Account = asyncio.run(playing.play(opened, stage.judge(scene), stage.patience_s, teller))
        teller.account(account)
        if options.stay and account.ran_s >= options.seconds:  # who ended it early wants it to end
            _stay(page, teller)
        return account


def _playing() -> ModuleType:
    """The rest of the demo, whose libraries are loaded while the gateway fits."""
    return import_module("pointsman.demo.play")


def _open(page: str, teller: Teller) -> None:
    """Shows the dashboard where there is a browser."""
    with contextlib.suppress(webbrowser.Error):
        if webbrowser.open(page):
            return
    teller.say("no browser was found on this machine; open the address above in one")


def _stay(page: str, teller: Teller) -> None:
    """Until Ctrl-C."""
    teller.say(f"the gateway stays up, to look around at {page}; Ctrl-C ends it")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3_600)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM is as Ctrl-C, for the length of a block."""
    old = signal.signal(signal.SIGTERM, signal.default_int_handler)
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
