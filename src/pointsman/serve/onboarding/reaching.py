"""The gateway that an onboarding asks through: the one that runs, or one started for it and ended after it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pointsman.errors import InputError
from pointsman.pool.settings import Settings
from pointsman.serve.onboarding.asking import Administration
from pointsman.serve.onboarding.onboardings import own_address

START_S = 180.0
STOP_S = 40.0
LOG = "gateway.log"


@contextmanager
def reached(settings: Settings, config: Path, url: str | None, folder: Path) -> Iterator[tuple[Administration, bool]]:
    """Administration of a gateway that is ready, and whether it was started here.

    Args:
        settings: as the configuration says.
        config: the file.
        url: where it answers; None takes the configuration's address, and starts one where nobody answers there.
        folder: for the log of one that is started.

    Raises:
        InputError: nobody answers at `url`, or the one that was started doesn't get ready.
    """
    admin = Administration(url or own_address(settings.server), settings.master_key)
    try:
        if admin.answers():
            yield admin, False
            return
    finally:
        admin.close()
    if url is not None:
        raise InputError("no gateway answers", place=url, remedy="start it with `pointsman serve`, or leave --url out")
    with _started(config, folder) as (own_url, process):
        admin = Administration(own_url, settings.master_key)
        try:
            _wait_until_ready(admin, process, folder / LOG)
            yield admin, True
        finally:
            admin.close()


@contextmanager
def _started(config: Path, folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "pointsman", "serve", "--config", str(config)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (folder / LOG).open("wb") as log:
        # A session of its own: Ctrl-C is for the asking, which still needs its answers settled.
        process = subprocess.Popen(  # noqa: S603 (this package's own command)
            command, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(admin: Administration, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while not admin.answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise InputError(
                "the gateway that was started doesn't get ready",
                place=str(log),
                remedy="see its log",
            )
        time.sleep(0.1)
