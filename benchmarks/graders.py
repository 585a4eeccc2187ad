"""How well each kind of grader agrees with a person, on the labelled replies beside this file.

    python benchmarks/graders.py [--json FILE] [--misses]

Takes `graders_labelled.yaml`, and `graders_fresh.yaml`, for which no grader was changed. Prints the
table of docs/graders.md, how long a run of code takes, and which locks are in force. `--misses` lists the replies that
a grader and the label disagree about.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pointsman.pool.graders import Reply, grader_of, sandbox
from pointsman.pool.graders.agreement import Agreement, Labelled, measure, read_labelled, said

LABELLED = Path(__file__).with_name("graders_labelled.yaml")
FRESH = Path(__file__).with_name("graders_fresh.yaml")


def table(found: dict[str, Agreement]) -> str:
    """The agreement by kind, as Markdown."""
    rows = [
        "| kind | replies | agreement | false passes | false fails | can't tell | kappa |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for kind, one in found.items():
        share, kappa = ("{:.2f} ({:.2f} to {:.2f})".format(*value) for value in (one.share, one.kappa))
        rows.append(
            f"| {kind} | {one.items} | {share} | {one.false_passes} | {one.false_fails} | {one.unclear} | {kappa} |"
        )
    return "\n".join(rows)


def misses(items: tuple[Labelled, ...]) -> list[str]:
    """The replies that the grader says something else of than the label."""
    told = [(item, said(item)) for item in items]
    return [
        f"{item.spec['kind']}: {item.right} but graded {found}: {item.reply.text or item.reply.tool_calls!r}"
        for item, found in told
        if found is not item.right
    ]


def run_ms(runs: int = 15) -> float:
    """Median milliseconds of grading one small program, start of the process and all."""
    grader = grader_of({"kind": "code", "entry": "f", "tests": "assert f(1) == 2"})
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        grader.grade(Reply("def f(x):\n    return x + 1"))
        times.append(time.perf_counter() - started)
    return 1e3 * statistics.median(times)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args()
    fresh = read_labelled(FRESH)
    items = read_labelled(LABELLED) + fresh
    found = measure(items, np.random.default_rng(0))
    found["fresh ones alone"] = measure(fresh, np.random.default_rng(0))["all kinds"]
    print(table(found))
    print(f"\ncode: {run_ms():.0f} ms a run; locks in force: {', '.join(sandbox.layers())}")
    if options.misses:
        print("\n".join(misses(items)))
    if options.json:
        options.json.write_text(json.dumps({kind: asdict(one) for kind, one in found.items()}, indent=1))


if __name__ == "__main__":
    main()
