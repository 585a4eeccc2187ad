"""A soak: mixed load for half an hour, and whether anything grew or leaked meanwhile.

    python benchmarks/soak/run.py [--minutes 30] [--workers 2] [--rate 60] [--json FILE] [--folder DIR]

Every 10 s the memory, descriptors, threads and connections of each worker are written down, with the open holds and
what waits for the journal. It passes if, after warm-up, no worker's memory grew by more than 2 % over the rest of the
run, every hold ended, descriptors and threads are back where they were before the load, the audit is in order, no
answer was other than expected and the gateway stopped when it was told to. It ends by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml
from rich.console import Console
from rich.table import Table
from scipy.stats import theilslopes

sys.path.insert(0, str(Path(__file__).parents[1]))
from soak.traffic import Traffic

ROOT = Path(__file__).parents[2]
MASTER_KEY = "sk-soak-master-key-0123456789"
SAMPLE_S = 10.0
WARM_UP = 1 / 3  # of the run: caches of conversations fill slowly
GROWTH = 0.02  # of a worker's memory, over the rest of the run
SPARE = 6  # descriptors more than before the load: a data base opened since, a connection that is just closing
SETTLE_S = 45.0  # the longest keep-alive, the drain of what is in flight
COMMAND = [sys.executable, "-c", "from pointsman.cli import main; main()"]


@dataclass(frozen=True)
class Sample:
    """One worker at one moment."""

    at_s: float
    pid: int
    rss_mb: float
    descriptors: int
    threads: int
    connections: int
    holds: int
    waiting: int


@dataclass(frozen=True)
class Verdict:
    """One thing that has to hold."""

    what: str
    found: str
    wanted: str
    ok: bool


# What runs


def configuration(folder: Path, upstream: str, workers: int) -> Path:
    """pointsman.yaml: models that work, models that fail, funds that can always pay."""

    def model(id: str, name: str, **more: Any) -> dict[str, Any]:
        return {
            "id": id, "base_url": f"{upstream}/v1", "kind": "openai", "key": "none", "model": name,
            "rates": {"input": 0.5, "output": 2}, "context": 64_000, "max_output": 4_000,
            "capabilities": ["tools", "vision", "json", "streaming"], "tier": "medium", **more,
        }  # fmt: skip

    models = [
        model("ok/big", "big", tier="frontier", tags=["real"], rates={"input": 5, "output": 20, "cached": 0.5}),
        model("ok/small", "small;first_token_s=0.02", tier="small", tags=["real"], rates={"input": 0.1, "output": 0.4}),
        model(
            "ok/claude",
            "claude",
            kind="anthropic",
            tier="large",
            tags=["real"],
            rates={"input": 3, "output": 15, "cached": 0.3},
        ),
        model("ok/slow", "slow;first_token_s=0.1;between_s=0.03;output_tokens=40"),
        model("ok/embed", "embed", capabilities=["embeddings"], shapes=["embeddings"], rates={"input": 0.02}),
        model("bad/errors", "errors;status=503"),
        model("bad/limited", "limited;status=429;retry_after=1"),
        model("bad/cut", "cut;cut=middle"),
        model("bad/garbage", "garbage;garbage=json"),
        model("bad/hangs", "hangs;hang=first"),
    ]
    del models[4]["max_output"]
    settings = {
        "state": "state",
        "master_key": "os.environ/POINTSMAN_MASTER_KEY",
        "server": {"workers": workers, "drain": "10s"},
        "models": models,
        "aliases": {"auto": {"tags": ["real"]}, "any": {}},
        "failure": {"first_token": "1s", "between_tokens": "2s", "total": "20s", "backoff": "50ms", "cooldown": "3s"},
        "learning": {"store_prompts": True, "resolve": "2s"},
        "telemetry": {"log": "json", "keep_decisions": "10m"},
    }
    funds = (
        "funds:\n"
        "  - {name: month, amount: 1000000, window: 1mo}\n"
        "  - {name: tokens, amount: 100000000, unit: tokens, window: 1m}\n"
        "  - name: day\n    window: {calendar: day}\n    amount: 999999  # of the day\n"
    )
    path = folder / "pointsman.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False) + funds)
    return path


@contextmanager
def upstream() -> Iterator[str]:
    """The scripted upstream of the tests, in a process of its own; its address."""
    command = [sys.executable, str(ROOT / "tests" / "stub_upstream.py"), "--port", "0", "--with-parent", "--no-record"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


@contextmanager
def gateway(folder: Path, config: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The gateway, killed if it is still there at the end."""
    with (folder / "gateway.log").open("ab") as log:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--config", str(config), "--port", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(),
        )
    try:
        until_ready(port, process)
        yield process
    finally:
        for each in [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []:
            each.kill()
        process.kill()
        process.wait()


def environment() -> dict[str, str]:
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    return {**os.environ, **single, "POINTSMAN_MASTER_KEY": MASTER_KEY}


def until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    """Waits until it answers."""
    for _ in range(1200):
        assert process.poll() is None, "the gateway ended; see its log"
        try:
            get(port, "/health/readiness")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the gateway doesn't answer")


def get(port: int, path: str) -> bytes:
    """A page, with the master key."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", headers={"authorization": f"Bearer {MASTER_KEY}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        found: bytes = answer.read()
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# What is looked at


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes that answer: the gateway itself, or its children that serve."""
    top = psutil.Process(process.pid)
    serving = [each for each in top.children() if "resource_tracker" not in " ".join(each.cmdline())]
    return [each for each in serving if each.is_running()] or [top]


def open_holds(state: Path) -> int:
    """As the ledger says."""
    with closing(sqlite3.connect(f"file:{state / 'ledger.sqlite'}?mode=ro", uri=True, timeout=10)) as book:
        return int(book.execute("SELECT count(*) FROM holds WHERE state = 'held'").fetchone()[0])


def waiting(port: int) -> int:
    """Rows that the workers' journals have yet to write."""
    lines = get(port, "/metrics").decode().splitlines()
    return round(sum(float(line.split()[-1]) for line in lines if line.startswith("pointsman_journal_waiting")))


def look(process: subprocess.Popen[bytes], state: Path, port: int, began: float) -> list[Sample]:
    """Every worker now."""
    holds, queued = open_holds(state), waiting(port)
    return [
        Sample(
            time.monotonic() - began,
            each.pid,
            each.memory_info().rss / 1e6,
            each.num_fds(),
            each.num_threads(),
            len(each.net_connections()),
            holds,
            queued,
        )
        for each in workers_of(process)
    ]


async def watched(
    traffic: Traffic, process: subprocess.Popen[bytes], state: Path, port: int, asked: argparse.Namespace
) -> list[Sample]:
    """The load, and samples beside it."""
    began, seconds = time.monotonic(), 60 * asked.minutes
    load = asyncio.create_task(traffic.run(seconds, asked.rate, asked.clients))
    found: list[Sample] = []
    while not load.done():
        await asyncio.wait({load}, timeout=SAMPLE_S)
        now = await asyncio.to_thread(look, process, state, port, began)
        found += now
        if len(found) // len(now) % 6 == 1:
            memory = ", ".join(f"{one.rss_mb:.0f}" for one in now)
            done = traffic.tally.done.total()
            print(f"{now[0].at_s:6.0f} s  {done:7,} acts  {memory} MB  {now[0].holds} holds", flush=True)
    await load
    return found


# What is judged


def grown(samples: list[Sample], seconds: float) -> list[Verdict]:
    """Memory of each worker after warm-up: the median slope over all pairs of samples, times the time."""
    by_pid: dict[int, list[Sample]] = defaultdict(list)
    for one in samples:
        if one.at_s >= WARM_UP * seconds:
            by_pid[one.pid].append(one)
    verdicts = []
    for pid, mine in by_pid.items():
        if len(mine) < 4:
            verdicts.append(Verdict(f"memory of worker {pid}", "too few samples", "4 or more", False))
            continue
        slope = theilslopes([one.rss_mb for one in mine], [one.at_s for one in mine]).slope
        span, middle = mine[-1].at_s - mine[0].at_s, sorted(one.rss_mb for one in mine)[len(mine) // 2]
        growth = slope * span
        text = f"{growth:+.1f} MB of {middle:.0f} in {span / 60:.1f} min ({slope * 3600:+.1f} MB/h)"
        verdicts.append(Verdict(f"memory of worker {pid}", text, f"≤ {GROWTH:.0%}", growth <= GROWTH * middle))
    return verdicts


def settled(process: subprocess.Popen[bytes], before: list[Sample], state: Path, port: int) -> list[Verdict]:
    """After the load has ended: holds, descriptors and threads, with the time to let go of them."""
    until = time.monotonic() + SETTLE_S
    while True:
        now = look(process, state, port, time.monotonic())
        most, threads = max(one.descriptors for one in now), max(one.threads for one in now)
        first, first_threads = max(one.descriptors for one in before), max(one.threads for one in before)
        verdicts = [
            Verdict("holds still open", str(now[0].holds), "0", now[0].holds == 0),
            Verdict("rows that wait for the journal", str(now[0].waiting), "0", now[0].waiting == 0),
            Verdict("descriptors of a worker", f"{first} before, {most} after", f"+{SPARE}", most <= first + SPARE),
            # The pool of asyncio makes a thread when it needs one and keeps it: a handful for each core.
            Verdict(
                "threads of a worker", f"{first_threads} before, {threads} after", "+16", threads <= first_threads + 16
            ),
            Verdict(
                "workers", f"{sorted(o.pid for o in now)}", "the same", {o.pid for o in now} == {o.pid for o in before}
            ),
        ]
        if all(one.ok for one in verdicts) or time.monotonic() > until:
            return verdicts
        time.sleep(1)


def answered(traffic: Traffic, log: Path) -> list[Verdict]:
    """What clients saw, and what the gateway said of itself."""
    wrong = traffic.tally.wrong.total()
    faults = sum(b"fault of the gateway" in line for line in log.read_bytes().splitlines())
    return [
        Verdict("acts", f"{traffic.tally.done.total():,}", "> 0", traffic.tally.done.total() > 0),
        Verdict("answers other than expected", str(wrong), "0", wrong == 0),
        Verdict("status 500", str(traffic.tally.statuses[500]), "0", traffic.tally.statuses[500] == 0),
        Verdict("faults of its own in the log", str(faults), "0", faults == 0),
    ]


def audited(port: int) -> Verdict:
    """The ledger."""
    try:
        found = json.loads(get(port, "/admin/audit"))
    except OSError as error:
        return Verdict("audit", str(error), "ok", False)
    return Verdict("audit", "ok" if found["ok"] else str(found["problems"][:3]), "ok", bool(found["ok"]))


def stopped(process: subprocess.Popen[bytes]) -> Verdict:
    """It ends when it is told to."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        return Verdict("stop on SIGTERM", "not within 30 s", "< 30 s", False)
    return Verdict("stop on SIGTERM", f"{time.monotonic() - began:.1f} s, code {process.returncode}", "< 30 s", True)


def soak(folder: Path, asked: argparse.Namespace) -> tuple[list[Sample], list[Verdict], Traffic]:
    """All of it."""
    port, log = free_port(), folder / "gateway.log"
    with upstream() as address:
        config = configuration(folder, address, asked.workers)
        made = subprocess.run(
            [*COMMAND, "keys", "create", "--state", str(folder / "state"), "--json"],
            check=True, capture_output=True, env=environment(),
        )  # fmt: skip
        key = json.loads(made.stdout)["secret"]
        traffic = Traffic(f"http://127.0.0.1:{port}", MASTER_KEY, key, config, random.Random(1))
        with gateway(folder, config, port) as process:
            time.sleep(3)
            before = look(process, folder / "state", port, time.monotonic())
            samples = asyncio.run(watched(traffic, process, folder / "state", port, asked))
            verdicts = grown(samples, 60 * asked.minutes)
            verdicts += settled(process, before, folder / "state", port)
            verdicts += [*answered(traffic, log), audited(port), stopped(process)]
    return samples, verdicts, traffic


def show(samples: list[Sample], verdicts: list[Verdict], traffic: Traffic) -> bool:
    """The table; whether all is well."""
    console = Console()
    table = Table(title="soak")
    for column in ("", "found", "wanted", ""):
        table.add_column(column, overflow="fold")
    for one in verdicts:
        table.add_row(one.what, one.found, one.wanted, "ok" if one.ok else "NO")
    console.print(table)
    most = max(samples, key=lambda one: one.rss_mb)
    print(f"most memory {most.rss_mb:.0f} MB, most descriptors {max(one.descriptors for one in samples)}")
    print("acts:", dict(traffic.tally.done.most_common()))
    print("statuses:", dict(sorted(traffic.tally.statuses.items())))
    for what, count in traffic.tally.wrong.most_common(12):
        print(f"  unexpected, {count} times: {what}")
    ok = all(one.ok for one in verdicts)
    print("PASS" if ok else "FAIL")
    return ok


def main() -> None:
    """Soaks, prints, and ends with 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=60.0, help="acts a second")
    parser.add_argument("--clients", type=int, default=40)
    parser.add_argument("--folder", type=Path, help="kept, with log and state")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name) if asked.folder is None else asked.folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        samples, verdicts, traffic = soak(folder, asked)
    ok = show(samples, verdicts, traffic)
    if asked.json:
        found = {
            "ok": ok,
            "verdicts": [asdict(one) for one in verdicts],
            "acts": dict(traffic.tally.done),
            "statuses": {str(status): count for status, count in traffic.tally.statuses.items()},
            "unexpected": dict(traffic.tally.wrong),
            "samples": [asdict(one) for one in samples],
        }
        asked.json.write_text(json.dumps(found, indent=1, default=bool) + "\n")
    raise SystemExit(0 if ok else 1)


if __name__ == "__main__":
    main()
