"""A file of a million prompts routed over 112 models: time and memory, end to end.

    python benchmarks/million.py [--queries 1000000] [--models 112] [--json FILE]

Prompts are simulated ones with a number put before them; the 112 models are the dozen simulated models repeated with
shuffled scores. What is measured is `batch.route_file`: reading, embedding, estimating, pricing, choosing, writing.
Memory is the process's size just before the first prompt is read, and its peak from then on (Linux).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from decide import history_of
from pointsman import Fund, Router
from pointsman.batch import route_file
from pointsman.evaluate.simulated import simulate

ROWS = 10_000


def write_prompts(path: Path, queries: int) -> None:
    """A parquet file with `queries` distinct prompts."""
    texts = list(simulate(ROWS, seed=2).texts)
    schema = pa.schema([("prompt", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, queries, ROWS):
            rows = min(ROWS, queries - start)
            writer.write_table(pa.table([[f"{start + j}. {texts[j]}" for j in range(rows)]], schema=schema))


def memory_mb(field: str) -> float:
    """Memory of this process: VmRSS is what it has now, VmHWM its peak since `forget_peak`."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields[field].split()[0]) / 1024


def forget_peak() -> None:
    """Starts a new peak at today's size: fitting is not what is measured."""
    Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    """Fits, routes, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=1_000_000)
    parser.add_argument("--models", type=int, default=112)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    history = history_of(4000, asked.models)
    funds = [Fund(m, asked.queries * 2e-7, models=(m,)) for m in history.models]
    with tempfile.TemporaryDirectory() as folder:
        prompts, out = Path(folder) / "prompts.parquet", Path(folder) / "decisions.parquet"
        write_prompts(prompts, asked.queries)
        router = Router.fit(history, funds, volume=asked.queries)
        forget_peak()
        before, started = memory_mb("VmRSS"), time.perf_counter()
        tally = route_file(prompts, router, out)
        seconds = time.perf_counter() - started
        found = {
            "queries": asked.queries,
            "models": asked.models,
            "seconds": seconds,
            "us_per_query": 1e6 * seconds / asked.queries,
            "resident_before_mb": before,
            "peak_mb": memory_mb("VmHWM"),
            "served": tally.served,
        }
    print(json.dumps(found, indent=1))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
