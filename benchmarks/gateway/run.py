"""How much the gateway costs: against what its libraries relay bare, and against LiteLLM's proxy.

    python benchmarks/gateway/run.py [--litellm PYTHON | --make-litellm DIR] [--rounds 5] [--seconds 4] [--json FILE]

The relay under test has core 0 to itself; upstream and load generator share core 1, and the table says how busy they
were. Rounds are interleaved, the relays not under test are stopped, figures are medians over the rounds and ratios
are taken within a round. Every request asks `auto` with another prompt of about 30 tokens. Where a relay's core isn't
fully busy, the upstream's pauses or another program on the machine hold it back, and its own processor time a request
says more than its requests a second.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from load import Measured, bodies, load, requests
from rich.console import Console
from rich.table import Table
from subjects import OTHER_CORE, Subject, all_of, ask, make_litellm, on_core, upstream

CONNECTIONS = 32
POOL = 20_000
WARM_UP_S = 1.0
ROOT = Path(__file__).parents[2]
Figures = dict[str, dict[str, list[float]]]  # by relay and by what was measured: one a round


@contextmanager
def folder_for(kept: Path | None) -> Iterator[Path]:
    """Where the relays keep their files: the one that is to be kept, or one that goes."""
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name:
            yield Path(name)
    else:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.resolve()


def check(subject: Subject) -> None:
    """Says the right things before it is timed: all 20 words, whole and streamed."""
    body = {"model": "auto", "messages": [{"role": "user", "content": "Count to twenty."}]}
    whole = json.loads(ask(subject.port, subject.key, body))
    assert whole["choices"][0]["message"]["content"].endswith("word19 "), whole
    streamed = ask(subject.port, subject.key, body | {"stream": True}).decode()
    assert "word0 " in streamed, streamed
    assert "word19 " in streamed, streamed
    assert streamed.rstrip().endswith("data: [DONE]"), streamed


@contextmanager
def awake(subject: Subject) -> Iterator[None]:
    """Only this one runs."""
    subject.pause(paused=False)
    try:
        yield
    finally:
        subject.pause(paused=True)


def measure(subject: Subject, source: subprocess.Popen[bytes], seconds: float, seed: int) -> dict[str, float]:
    """One round of one relay."""
    chats = requests(subject.port, subject.key, bodies(POOL, seed, stream=False))
    streams = requests(subject.port, subject.key, bodies(POOL, seed, stream=True))
    load(subject.port, chats, CONNECTIONS, WARM_UP_S)
    others = [psutil.Process(), psutil.Process(source.pid)]
    busy, own = cpu_of(others), subject.cpu_s()
    whole = load(subject.port, chats, CONNECTIONS, seconds)
    used, load_busy = subject.cpu_s() - own, (cpu_of(others) - busy) / whole.seconds
    single = load(subject.port, chats[::-1], 1, seconds / 2)
    load(subject.port, streams, CONNECTIONS, WARM_UP_S / 2)
    busy, own = cpu_of(others), subject.cpu_s()
    streamed = load(subject.port, streams[::-1], CONNECTIONS, seconds)
    stream_used, stream_busy = subject.cpu_s() - own, (cpu_of(others) - busy) / streamed.seconds
    return {
        "requests/s": whole.per_second,
        "p50 ms": whole.quantile_ms(0.5),
        "p99 ms": whole.quantile_ms(0.99),
        "p50 ms, 1 connection": single.quantile_ms(0.5),
        "p99 ms, 1 connection": single.quantile_ms(0.99),
        "streams/s": streamed.per_second,
        "stream p50 ms": streamed.quantile_ms(0.5),
        "RSS MB": subject.rss_mb(),
        "its own µs a request": 1e6 * used / max(1, len(whole.latencies_s)),
        "its own µs a stream": 1e6 * stream_used / max(1, len(streamed.latencies_s)),
        "its core busy": used / whole.seconds,
        "its core busy, streams": stream_used / streamed.seconds,
        "load's core busy": load_busy,
        "load's core busy, streams": stream_busy,
        "failed": float(failed(whole) + failed(single) + failed(streamed)),
    }


def cpu_of(processes: list[psutil.Process]) -> float:
    """Processor seconds used so far."""
    return sum(sum(each.cpu_times()[:2]) for each in processes)


def failed(measured: Measured) -> int:
    """Answers that were no answers."""
    return sum(measured.bad.values())


def rounds_of(subjects: list[Subject], source: subprocess.Popen[bytes], rounds: int, seconds: float) -> Figures:
    """Interleaved: each relay once a round, in turn."""
    found: Figures = defaultdict(lambda: defaultdict(list))
    for number, subject in itertools.product(range(rounds), subjects):
        with awake(subject):
            if number == 0:
                check(subject)
            figures = measure(subject, source, seconds, number)
        for what, value in figures.items():
            found[subject.name][what].append(value)
        print(f"round {number + 1}, {subject.name}: {figures['requests/s']:.0f} requests/s", flush=True)
    for subject in subjects:
        found[subject.name]["seconds to start"].append(subject.start_s)
    return found


def within_rounds(found: Figures, what: str, over: str) -> float:
    """The median over rounds of the gateway's figure over another relay's in the same round."""
    pairs = zip(found["pointsman"][what], found[over][what], strict=True)
    return statistics.median(one / other for one, other in pairs)


def added_ms(found: Figures) -> float:
    """What the gateway adds to bare at one connection, the median over rounds."""
    what = "p50 ms, 1 connection"
    pairs = zip(found["pointsman"][what], found["bare"][what], strict=True)
    return statistics.median(one - other for one, other in pairs)


def judged(found: Figures) -> list[tuple[str, float, str, bool]]:
    """What issue and design ask for: what, figure, target, reached."""
    json_ratio, stream_ratio = within_rounds(found, "requests/s", "bare"), within_rounds(found, "streams/s", "bare")
    added, memory = added_ms(found), max(found["pointsman"]["RSS MB"])
    rows = [
        ("JSON, of bare's requests/s", json_ratio, "≥ 0.5", json_ratio >= 0.5),
        ("streams, of bare's streams/s", stream_ratio, "≥ 0.5", stream_ratio >= 0.5),
        ("added p50 at 1 connection, ms", added, "≤ 1.5", added <= 1.5),
        ("RSS after load, MB", memory, "≤ 400", memory <= 400),
    ]
    if "litellm" in found:
        over = within_rounds(found, "requests/s", "litellm")
        rows.append(("JSON, times LiteLLM's requests/s", over, "≥ 20", over >= 20))
        over = within_rounds(found, "streams/s", "litellm")
        rows.append(("streams, times LiteLLM's streams/s", over, "no target", True))
    return rows


def show(found: Figures, rows: list[tuple[str, float, str, bool]]) -> None:
    """Both tables."""
    console = Console()
    table = Table(title=f"{CONNECTIONS} connections, prompts of 30 tokens, streams of 20 chunks; medians over rounds")
    table.add_column("")
    for name in found:
        table.add_column(name, justify="right")
    for what in found["bare"]:
        cells = [statistics.median(found[name][what]) for name in found]
        table.add_row(what, *(f"{cell:,.0f}" if cell >= 1000 else f"{cell:.3g}" for cell in cells))
    console.print(table)
    targets = Table(title="pointsman against the targets")
    for column in ("", "measured", "target", ""):
        targets.add_column(column, justify="right" if column else "left")
    for what, value, target, reached in rows:
        targets.add_row(what, f"{value:.3g}", target, "yes" if reached else "NO")
    console.print(targets)


def main() -> None:
    """Starts everything, measures, prints; the code is 1 where a target is missed or a request failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--litellm", type=Path, help="python of an environment with litellm[proxy]==1.106.10")
    parser.add_argument("--make-litellm", type=Path, metavar="DIR", help="makes that environment, from litellm.lock")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--pause-ms", type=float, default=1.0, help="between the upstream's chunks")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "openllm_lb_v2")
    parser.add_argument("--folder", type=Path, help="kept, with logs, ledger and fit, for another run")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    python = make_litellm(asked.make_litellm) if asked.make_litellm else asked.litellm
    on_core(OTHER_CORE)
    began = time.time()
    with (
        folder_for(asked.folder) as folder,
        upstream(folder, asked.pause_ms) as (url, process),
        all_of(folder, url, asked.data, python) as subjects,
    ):
        found = rounds_of(subjects, process, asked.rounds, asked.seconds)
    rows = judged(found)
    show(found, rows)
    print(f"{time.time() - began:.0f} s, load average {os.getloadavg()[0]:.1f}")
    if asked.json:
        targets = {what: {"measured": value, "target": target, "reached": ok} for what, value, target, ok in rows}
        asked.json.write_text(json.dumps({"figures": found, "targets": targets}, indent=1) + "\n")
    bad = sum(sum(figures["failed"]) for figures in found.values())
    if bad:
        print(f"{bad:.0f} requests failed")
    raise SystemExit(0 if all(ok for *_, ok in rows) and not bad else 1)


if __name__ == "__main__":
    main()
