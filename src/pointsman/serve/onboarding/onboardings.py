"""Onboardings that were asked for over HTTP: child processes of a worker, and what all of them have come to.

Takes a model and its limits; starts `pointsman onboard` at low priority against this very gateway, at most one a model
and two at once, over all workers. What each has asked and graded is in `state/onboarding/<slug>`, where every worker
sees it, and so is a lock that its process holds as long as it lives, however it ends. An onboarding that is cancelled
keeps everything that was asked, and goes on where it was when it is asked for again. It asks no model and grades
nothing itself. The process reads the same configuration in the same environment, so no secret is handed to it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman.onboard.folder import PROFILE, PROGRESS, slug_of
from pointsman.pool.settings import ServerSettings, Settings
from pointsman.serve.refitting import request_refit
from pointsman.serve.wire.errors import Refusal

FOLDER = "onboarding"
LOCK, SAID = "process.lock", "process.log"
AT_ONCE = 2
NICE = 10
STOP_S = 10.0
LAST_WORDS = 2_000  # characters
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104 (an address to ask, not to listen on)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an onboarding is asked to do; None where the command's own default holds.

    Attributes:
        model: its id.
        probes: at most so many.
        budget_usd: at most so much, as text, exact.
        shadow: afterwards it gets mirrored traffic and serves nobody.
        judge: the model that grades where a grader needs one.
        again: ask probes that were asked before, to see whether the model has changed.
    """

    model: str
    probes: int | None = None
    budget_usd: str | None = None
    shadow: bool = False
    judge: str | None = None
    again: bool = False


class Onboardings:
    """One worker's hand on them.

    Args:
        settings: whose state folder, configuration and address.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.state / FOLDER
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, wanted: Wanted) -> str:
        """Starts one, and gives the name of its folder.

        Raises:
            Refusal: the settings have no file, this model's is running, or two are.
        """
        settings = self._settings
        if settings.path is None:
            raise Refusal("invalid_request_error", "These settings are no file's: run `pointsman onboard` yourself.")
        slug = slug_of(wanted.model)
        self._folder.mkdir(parents=True, exist_ok=True)
        with _locked(self._folder / ".starting"):  # no other worker counts while this one does
            running = self.running()
            if slug in running:
                raise Refusal("invalid_request_error", f"`{wanted.model}` is being onboarded already.", status=409)
            if len(running) >= AT_ONCE:
                raise Refusal("overloaded", f"{AT_ONCE} onboardings are running; try again later.", retry_after_s=60)
            self._children[slug] = self._spawn(slug, command(settings, wanted))
        log.info("onboarding of %s began", wanted.model)
        return slug

    def _spawn(self, slug: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        folder = self._folder / slug
        folder.mkdir(exist_ok=True)
        with (folder / LOCK).open("wb") as lock, (folder / SAID).open("wb") as said:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            child = subprocess.Popen(  # noqa: S603 (this very program)
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=(lock.fileno(),),  # the lock is the child's from now on
                start_new_session=True,  # a Ctrl-C for the gateway is the gateway's to pass on
            )
            lock.write(str(child.pid).encode())
        with contextlib.suppress(OSError):  # it may have ended already
            os.setpriority(os.PRIO_PROCESS, child.pid, NICE)
        return child

    def running(self) -> set[str]:
        """Names of the folders in which one is going on, whichever worker started it."""
        return {path.parent.name for path in self._folder.glob(f"*/{LOCK}") if _is_held(path)}

    def look(self) -> None:
        """Puts away children that have ended, and sees to it that what they stored is learned from."""
        for slug, child in list(self._children.items()):
            if child.poll() is None:
                continue
            del self._children[slug]
            request_refit(self._settings.state)
            level = logging.WARNING if child.returncode else logging.INFO
            log.log(level, "the onboarding in %s ended with code %s", self._folder / slug, child.returncode)

    def all(self) -> list[dict[str, Any]]:
        """What every onboarding has come to, by name."""
        running = self.running()
        names = {path.parent.name for name in (PROGRESS, PROFILE, LOCK) for path in self._folder.glob(f"*/{name}")}
        return [self._told(slug, slug in running) for slug in sorted(names)]

    def one(self, model: str) -> dict[str, Any] | None:
        """What one has come to, by its model's id or its folder's name, with its profile; None where there is none."""
        for slug in (slug_of(model), Path(model).name):
            folder = self._folder / slug
            if slug and folder.is_dir() and any((folder / name).exists() for name in (PROGRESS, PROFILE, LOCK)):
                return self._told(slug, _is_held(folder / LOCK)) | {"profile": _read(folder / PROFILE)}
        return None

    def cancel(self, model: str) -> bool:
        """Asks one to end; everything that it asked is kept. False where none is running for the model."""
        for slug in (slug_of(model), Path(model).name):
            lock = self._folder / slug / LOCK
            pid = _number(lock) if slug and _is_held(lock) else None
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                return True
        return False

    def close(self) -> None:
        """Ends those that this worker started."""
        for child in self._children.values():
            child.terminate()
        for child in self._children.values():
            try:
                child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._children.clear()

    def _told(self, slug: str, running: bool) -> dict[str, Any]:
        folder = self._folder / slug
        plan, progress = _read(folder / "plan.json"), _read(folder / PROGRESS)
        told = {"id": slug, "object": "onboarding", "model": (plan or {}).get("model"), "running": running}
        ended = not running and not (progress or {}).get("done")
        return told | {"progress": progress, "said": _last_words(folder / SAID) if ended else None}


def command(settings: Settings, wanted: Wanted) -> list[str]:
    """The process of an onboarding."""
    arguments = [sys.executable, "-m", "pointsman", "onboard", wanted.model, "--config", str(settings.path)]
    arguments += ["--url", own_address(settings.server), "--json"]
    if wanted.probes is not None:
        arguments += ["--probes", str(wanted.probes)]
    if wanted.budget_usd is not None:
        arguments += ["--budget", wanted.budget_usd]
    if wanted.judge is not None:
        arguments += ["--judge", wanted.judge]
    arguments += ["--again"] if wanted.again else []
    return arguments + (["--shadow"] if wanted.shadow else [])


def own_address(server: ServerSettings) -> str:
    """Where a gateway with these settings is reached from its own machine."""
    host = EVERYWHERE.get(server.host, server.host)
    return f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_held(path: Path) -> bool:
    """Whether a process that lives holds a file's lock."""
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _number(path: Path) -> int | None:
    written = path.read_text()
    return int(written) if written.isdecimal() else None


def _read(path: Path) -> Mapping[str, Any] | None:
    """A file of JSON, None where there is none that can be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _last_words(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")[-LAST_WORDS:] or None
    except OSError:
        return None
