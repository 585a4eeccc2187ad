"""The relays under test: started on a core of their own, told apart by nothing but their names.

Each answers `POST /v1/chat/completions` in front of the same upstream, with the key that it gives. The gateway runs
with everything on: a ledger in SQLite with three funds that every query draws on, a virtual key, the journal, metrics,
JSON logs in a file, prices, and estimators fitted on 18 models' recorded outcomes.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import psutil
import yaml

from pointsman.evaluate.simulated import simulate
from pointsman.outcomes import read, write

HERE = Path(__file__).parent
RELAY_CORE, OTHER_CORE = 0, 1
MASTER_KEY = "sk-bench-master-key-0123456789"
LEAST_SCORED = 10_000
START_S = 600.0
LITELLM = "litellm[proxy]==1.106.10"


@dataclass
class Subject:
    """A relay that runs.

    Attributes:
        name: what it is.
        port: where it listens on loopback.
        key: what it wants to be given.
        process: its own.
        start_s: from its start to its first good answer.
    """

    name: str
    port: int
    key: str
    process: subprocess.Popen[bytes]
    start_s: float = 0.0

    def tree(self) -> list[psutil.Process]:
        """Its processes."""
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]

    def rss_mb(self) -> float:
        """Resident memory of all its processes."""
        return float(sum(each.memory_info().rss for each in self.tree())) / 1e6

    def cpu_s(self) -> float:
        """Processor seconds used so far."""
        return sum(sum(each.cpu_times()[:2]) for each in self.tree())

    def pause(self, *, paused: bool) -> None:
        """Stops it while another is measured, or lets it go on."""
        for each in self.tree():
            each.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def on_core(core: int) -> None:
    """Pins this process; a machine with a single core runs everything there."""
    os.sched_setaffinity(0, {core} & os.sched_getaffinity(0) or os.sched_getaffinity(0))


def pinned(
    core: int, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None, *, piped: bool = False
) -> subprocess.Popen[bytes]:
    """A process on one core, its output in a file; one thread for each numerical library, since it has one core."""
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    with log.open("ab") as errors:
        return subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else errors,
            stderr=errors,
            env={**os.environ, **single, **(env or {})},
        )


@contextmanager
def upstream(folder: Path, pause_ms: float) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The upstream's address and process."""
    command = [sys.executable, str(HERE / "upstream.py"), "--pause-ms", str(pause_ms)]
    process = pinned(OTHER_CORE, command, folder / "upstream.log", piped=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}", process
    finally:
        process.kill()
        process.wait()


def ask(port: int, key: str, body: Mapping[str, Any], timeout_s: float = 10.0) -> bytes:
    """One chat, whole."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        data=orjson.dumps(body),
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:
        found: bytes = answer.read()
    return found


def until_answered(subject: Subject, began: float) -> Subject:
    """Waits for the first good answer; raises where the process ends before it."""
    body = {"model": "auto", "messages": [{"role": "user", "content": "Are you there?"}]}
    while time.monotonic() - began < START_S:
        if subject.process.poll() is not None:
            raise RuntimeError(f"{subject.name} ended with code {subject.process.returncode}; see its log")
        try:
            ask(subject.port, subject.key, body)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{subject.name} answers {error.code}: {error.read()[:500]!r}") from None
        except OSError:
            time.sleep(0.05)
        else:
            subject.start_s = time.monotonic() - began
            return subject
    raise RuntimeError(f"{subject.name} doesn't answer")


@contextmanager
def running(
    name: str, command: Sequence[str], port: int, key: str, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[Subject]:
    """A relay that answers; ended with the block."""
    began = time.monotonic()
    process = pinned(RELAY_CORE, command, log, env)
    try:
        yield until_answered(Subject(name, port, key, process), began)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def bare(folder: Path, upstream_url: str) -> Iterator[Subject]:
    """The server and client libraries alone."""
    port = free_port()
    command = [sys.executable, str(HERE / "bare.py"), "--upstream", upstream_url, "--port", str(port)]
    with running("bare", command, port, "none", folder / "bare.log") as subject:
        yield subject


# The gateway ----------------------------------------------------------------------------------------------------------


def history_in(folder: Path, data: Path) -> tuple[Path, list[str], int]:
    """Where recorded outcomes are, the models with enough of them, and how many rows there are."""
    if not (data / "outcomes.parquet").is_file():
        data = folder / "simulated"
        if not data.exists():
            write(simulate(18_000, seed=1), data)
    found = read(data)
    scored = np.isfinite(found.score).sum(axis=0)
    return data, [name for name, count in zip(found.models, scored, strict=True) if count >= LEAST_SCORED], len(found)


def configuration(folder: Path, upstream_url: str, history: Path, names: Sequence[str]) -> Path:
    """pointsman.yaml: every model at the one upstream, three funds that every query draws on."""
    models = [
        {
            "id": f"bench/{name.rpartition('/')[2]}",
            "base_url": f"{upstream_url}/v1",
            "kind": "openai",
            "key": "none",
            "rates": {"input": round(0.1 + 0.15 * i, 2), "output": round(0.4 + 0.6 * i, 2)},
            "context": 32_768,
            "max_output": 4_096,
            "capabilities": ["tools", "json", "streaming"],
            "history": name,
        }
        for i, name in enumerate(names)
    ]
    settings = {
        "state": str(folder / "state"),
        "master_key": "os.environ/POINTSMAN_MASTER_KEY",
        "models": models,
        "funds": [
            {"name": "month", "amount": 1_000_000, "window": {"calendar": "month", "zone": "Europe/Berlin"}},
            {"name": "tokens", "amount": 1_000_000_000, "unit": "tokens", "window": "1m"},
            {"name": "requests", "amount": 100_000_000, "unit": "requests", "window": {"calendar": "day"}},
        ],
        "learning": {"history": str(history.resolve())},
        "telemetry": {"log": "json", "metrics": True},
    }
    path = folder / "pointsman.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    return path


@contextmanager
def pointsman(folder: Path, upstream_url: str, data: Path) -> Iterator[Subject]:
    """The gateway with everything on. It is started twice: the first start fits and keeps the estimators."""
    history, names, _ = history_in(folder, data)
    path = configuration(folder, upstream_url, history, names)
    command = [sys.executable, "-c", "from pointsman.cli import main; main()"]
    env = {"POINTSMAN_MASTER_KEY": MASTER_KEY}
    made = subprocess.run(
        [*command, "keys", "create", "--state", str(folder / "state"), "--json"],
        check=True,
        capture_output=True,
        env={**os.environ, **env},
    )
    key, port = str(json.loads(made.stdout)["secret"]), free_port()
    serve = [*command, "serve", "--config", str(path), "--port", str(port)]
    with running("pointsman, first start", serve, port, key, folder / "pointsman.log", env) as first:
        first_s = first.start_s
    with running("pointsman", serve, port, key, folder / "pointsman.log", env) as subject:
        print(f"pointsman: {len(names)} models with history, {first_s:.1f} s for the first start (it fits)", flush=True)
        yield subject


# LiteLLM --------------------------------------------------------------------------------------------------------------


def make_litellm(folder: Path) -> Path:
    """An environment with LiteLLM's proxy exactly as locked, by hash; gives its python."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        lock = HERE / "litellm.lock"
        # Without dependencies of dependencies: the lock has them all, one of them (certifi) a little older than asked.
        install = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(lock)]
        subprocess.run(install, check=True)
    return python


@contextmanager
def litellm(folder: Path, upstream_url: str, python: Path) -> Iterator[Subject]:
    """LiteLLM's proxy: one model, a master key, no data base, one worker, its own defaults otherwise."""
    port = free_port()
    settings = {
        "model_list": [
            {
                "model_name": "auto",
                "litellm_params": {"model": "openai/bench", "api_base": f"{upstream_url}/v1", "api_key": "none"},
            }
        ],
        "general_settings": {"master_key": MASTER_KEY},
    }
    path = folder / "litellm.yaml"
    path.write_text(yaml.safe_dump(settings))
    command = [str(python.with_name("litellm")), "--config", str(path), "--host", "127.0.0.1", "--port", str(port)]
    env = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # no look-up over the network
        "LITELLM_TELEMETRY": "False",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        "NO_PROXY": "127.0.0.1",
        "PATH": f"{python.parent}:{os.environ.get('PATH', '')}",
    }
    with running("litellm", [*command, "--num_workers", "1"], port, MASTER_KEY, folder / "litellm.log", env) as subject:
        yield subject


@contextmanager
def all_of(folder: Path, upstream_url: str, data: Path, python: Path | None) -> Iterator[list[Subject]]:
    """Every relay that can be had, paused."""
    with ExitStack() as stack:
        subjects = [
            stack.enter_context(bare(folder, upstream_url)),
            stack.enter_context(pointsman(folder, upstream_url, data)),
        ]
        if python is not None:
            subjects.append(stack.enter_context(litellm(folder, upstream_url, python)))
        for subject in subjects:
            subject.pause(paused=True)
        yield subjects
