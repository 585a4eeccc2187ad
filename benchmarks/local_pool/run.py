"""The pool onboarded for real: llama.cpp, the front, a gateway, and `pointsman onboard` once for each model.

    cd benchmarks && python -m local_pool.run --folder FOLDER [--probes 600] [--most-characters 4000] [--to DIR]

Everything lies in FOLDER: probes.jsonl, pointsman.yaml, the gateway's state, logs, and what llama.cpp answered. Begun
again it goes on. At the end the outcomes of all models are written to DIR as an outcome folder, with what made them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from local_pool.export import export
from local_pool.front import available
from local_pool.settings import model_entries
from pointsman.errors import InputError
from pointsman.onboard.choosing import without_twins
from pointsman.pool.probes import Probe, read_probes, spread_probes, suite, write_probes

HERE = Path(__file__).parent
READY_S = 180.0
MASTER = "sk-local-pool"  # a gateway on this machine alone, for the length of the run
AT_ONCE = 8


def main() -> None:
    """Onboards every model whose weights are installed, then writes the outcomes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--probes", type=int, default=600, help="of the suite, spread over its skills")
    parser.add_argument("--most-characters", type=int, default=4_000, help="longer probes are left out")
    parser.add_argument("--to", type=Path, help="where the outcomes go. [default: FOLDER/outcomes]")
    given = parser.parse_args()
    folder: Path = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    probes = folder / "probes.jsonl"
    if not probes.exists():
        write_probes(chosen(suite(), given.probes, given.most_characters), probes)
    with running_front(folder) as front:
        config = configure(folder, front)
        with running_gateway(folder, config) as gateway:
            for setting in available():
                onboard(setting.model, config, gateway, probes)
    size = export(folder / "state" / "outcomes", given.to or folder / "outcomes", read_probes(probes))
    print(f"{size.outcomes:,} outcomes: {size.queries:,} probes x {size.models} models")


def chosen(probes: Sequence[Probe], n: int, most_characters: int) -> tuple[Probe, ...]:
    """n probes spread over skills and difficulties, by chance within them; none that is too long."""
    short = [one for one in without_twins(probes) if len(one.system) + len(one.prompt) <= most_characters]
    return spread_probes(short, n)


def configure(folder: Path, front: str) -> Path:
    """Writes the gateway's configuration; one fund pays for everything."""
    path = folder / "pointsman.yaml"
    settings: dict[str, Any] = {
        "state": str(folder / "state"),
        "master_key": MASTER,
        "server": {"host": "127.0.0.1", "port": free_port()},
        "models": model_entries(front, available()),
        "funds": [{"name": "all", "amount": 1}],
        # Slow models on a shared machine: what waits for a slot isn't lost.
        "failure": {"first_token": "590s", "between_tokens": "590s", "retries": 2, "cooldown_after": 50},
    }
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path


def onboard(model: str, config: Path, gateway: str, probes: Path) -> None:
    """`pointsman onboard`, every probe; its profile goes to the screen."""
    command = [sys.executable, "-m", "pointsman", "onboard", model, "--config", str(config), "--url", gateway]
    # The gateway fits while the next model is asked.
    asked = ["--probes", str(probes), "--force-all", "--no-wait", "--concurrency", str(AT_ONCE)]
    began = time.monotonic()
    subprocess.run([*command, *asked], check=True)
    print(f"{model}: {time.monotonic() - began:.0f} s\n", flush=True)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running_front(folder: Path) -> Iterator[str]:
    """The front's address, once all of llama.cpp is ready."""
    command = [sys.executable, "-m", "local_pool.front", "--folder", str(folder / "front")]
    with (folder / "front.log").open("ab") as log, _running(command, subprocess.PIPE, log) as process:
        assert process.stdout is not None
        address = next((line for line in process.stdout if line.startswith(b"http://")), b"")
        if not address:
            raise InputError("the front doesn't start", place=str(folder / "front.log"), remedy="see there")
        yield address.decode().strip()


@contextlib.contextmanager
def running_gateway(folder: Path, config: Path) -> Iterator[str]:
    """The gateway's address, once it is ready."""
    url = "http://127.0.0.1:{port}".format(**yaml.safe_load(config.read_text())["server"])
    command = [sys.executable, "-m", "pointsman", "serve", "--config", str(config)]
    with (folder / "gateway.log").open("ab") as log, _running(command, log, log) as process:
        deadline = time.monotonic() + READY_S
        while not _ready(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise InputError("the gateway doesn't start", place=str(folder / "gateway.log"), remedy="see there")
            time.sleep(0.2)
        yield url


def _ready(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/health/readiness", timeout=5, trust_env=False).status_code == 200
    return False


@contextlib.contextmanager
def _running(command: Sequence[str], out: Any, log: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process for the length of a block; ended by its number, waited for."""
    path = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    given = {**os.environ, "PYTHONPATH": path}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=log, env=given)
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(40)
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
