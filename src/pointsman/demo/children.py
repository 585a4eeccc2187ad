"""The demo's processes: started, waited for until they answer, and ended together, however the demo ends.

Each has a session of its own, so that Ctrl-C reaches the demo alone, and standard input to end with, so that it ends
with the demo even where that is killed. What they print goes to files beside the state.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from pointsman.errors import InputError

START_S = 300.0  # a few seconds, but for machines that are very busy
STOP_S = 12.0
LAST_WORDS = 600  # characters


class Child:
    """One process.

    Args:
        name: for people, and of its log.
        arguments: of this Python, after `-m`.
        folder: for its log.
        speaks: whether its first line is its address.
    """

    def __init__(self, name: str, arguments: Sequence[str], folder: Path, *, speaks: bool) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 (this very program)
                [sys.executable, "-m", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if speaks else log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")},
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def address(self) -> str:
        """What it says on its first line.

        Raises:
            InputError: it ended without a word.
        """
        line = next((line for line in self._process.stdout or () if line.startswith(b"http://")), b"")
        if not line:
            raise self._failed()
        return line.decode().strip()

    def tell(self, line: str) -> None:
        """Writes one line to its standard input.

        Raises:
            InputError: it has ended.
        """
        pipe = self._process.stdin
        try:
            if pipe is not None:
                pipe.write(line.encode() + b"\n")
                pipe.flush()
        except BrokenPipeError:
            raise self._failed() from None

    def wait_until_ready(self, url: str) -> None:
        """Waits until a gateway answers that it is ready.

        Raises:
            InputError: it ended, or takes too long.
        """
        deadline = time.monotonic() + START_S
        with httpx.Client(trust_env=False, timeout=5) as client:
            while not _ready(client, url):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise self._failed()
                time.sleep(0.1)

    def _failed(self) -> InputError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        words = self.log.read_text(errors="replace")[-LAST_WORDS:].strip()
        return InputError(f"{self.name} doesn't start: {words or 'it says nothing'}", remedy="see above")

    def ask_to_end(self) -> None:
        """Asks it to end, and goes on."""
        if self._process.poll() is None:
            self._process.terminate()

    def end(self, seconds: float) -> None:
        """Waits for its end, and then ends whatever is left of its session."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.1, seconds))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def _ready(client: httpx.Client, url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return client.get(f"{url}/health/readiness").status_code == 200
    return False


class Family:
    """All processes of one demo.

    Args:
        folder: for their logs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []

    def start(self, name: str, *arguments: str, speaks: bool = True) -> Child:
        """One more process; see `Child`."""
        child = Child(name, arguments, self._folder, speaks=speaks)
        self._children.append(child)
        return child

    def close(self) -> None:
        """Ends them, the gateway first, which is the eldest: it settles what is in flight while its models live."""
        for number, child in enumerate(self._children):
            child.ask_to_end()
            if not number:
                child.end(STOP_S)
        deadline = time.monotonic() + STOP_S
        for child in self._children:
            child.end(deadline - time.monotonic())
        self._children.clear()


@contextlib.contextmanager
def family(folder: Path) -> Iterator[Family]:
    """Processes for the length of a block. A second Ctrl-C doesn't keep it from ending them."""
    made = Family(folder)
    try:
        yield made
    finally:
        old = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            made.close()
        finally:
            signal.signal(signal.SIGINT, old)
