"""How long a decision takes, piece by piece, against PORT's own way in the same run.

    python benchmarks/decide.py [--json FILE] [--quick]

18 models, 8,000 past outcomes of the simulated workload's kind. Medians over several runs; ratios are what to quote.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from pointsman.decide.policies import Briefing, View, make_policy
from pointsman.decide.program import compile_funds
from pointsman.estimate.blend import fit_blend
from pointsman.estimate.embedders import load_embedder
from pointsman.estimate.neighbours import fit_neighbours
from pointsman.evaluate.simulated import simulate
from pointsman.records import Estimates, Fund, Outcomes, Prompts
from pointsman.router import Moment, Snapshot, decide, route

MODELS, HISTORY = 18, 8000
PORTS = "estimate, PORT's (k 5, HNSW)"


def median_us(act: Callable[[], object], queries: int, runs: int) -> float:
    """Median microseconds a query over the runs, after two that don't count."""
    for _ in range(2):
        act()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        act()
        times.append(time.perf_counter() - started)
    return 1e6 * statistics.median(times) / queries


def history_of(size: int, models: int) -> Outcomes:
    """Simulated outcomes widened to `models` columns: the spare ones are shuffled copies, which costs the same."""
    base = simulate(size, seed=1)
    rng = np.random.default_rng(0)
    columns = np.arange(models) % len(base.models)
    wide = base.only(columns)
    score = wide.score.copy()
    score[:, len(base.models) :] = rng.permutation(score[:, len(base.models) :])
    names = tuple(f"{name}-{i}" for i, name in enumerate(wide.models))
    return Outcomes(
        wide.prompt_ids, wide.texts, wide.datasets, names, score, wide.cost_usd, wide.output_tokens, wide.input_tokens
    )


def measure(runs: int) -> dict[str, float]:
    """Microseconds a query for every piece, alone and in batches of 256."""
    embedder = load_embedder("wordllama")
    history = history_of(HISTORY, MODELS)
    prompts = Prompts(history.texts, embedder.embed(history.texts), history.input_tokens)
    ours, ports = fit_blend(history, prompts), fit_neighbours(history, prompts, k=5, index="hnsw")
    table = compile_funds([Fund(m, 0.05, models=(m,)) for m in history.models], history.models)
    policy = make_policy("paced")
    state = policy.begin(Briefing(table, ours.held_out, 1_000_000))
    snapshot = Snapshot(embedder, ours.estimator, table, policy, state)
    found: dict[str, float] = {}
    for name, size in (("alone", 1), ("batch of 256", 256)):
        rows = prompts.take(np.arange(size))
        estimates: Estimates = ours.estimator.estimate(rows)
        view = View(estimates, table.budget, 1, 0.0, np.ones(MODELS, np.bool_), np.ones(MODELS))
        text = [
            "What is the sum of the first thirty odd numbers, and why is it a perfect square? Explain in short."
        ] * size
        repeat = max(1, 256 // size)

        def many(act: Callable[[], object], repeat: int = repeat) -> Callable[[], object]:
            return lambda: [act() for _ in range(repeat)]

        pieces: dict[str, Callable[[], object]] = {
            "embed 30 tokens": lambda text=text: embedder.embed(text),  # type: ignore[misc]
            "estimate": lambda rows=rows: ours.estimator.estimate(rows),  # type: ignore[misc]
            PORTS: lambda rows=rows: ports.estimator.estimate(rows),  # type: ignore[misc]
            "price and choose": lambda view=view: decide(policy, state, view, table),  # type: ignore[misc]
            "search + estimate + decide": lambda rows=rows: route(rows, snapshot, table.budget, Moment(1, 0.0)),  # type: ignore[misc]
        }
        for piece, act in pieces.items():
            found[f"{piece}, {name}"] = median_us(many(act), size * repeat, runs)
    return found


def main() -> None:
    """Prints the table; ratios are against PORT's own estimator in the same run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    with threadpool_limits(1):
        found = measure(3 if asked.quick else 15)
    for piece, micros in found.items():
        reference = found[f"{PORTS}, {piece.rpartition(', ')[2]}"]
        print(f"{piece:48s} {micros:9.1f} µs   {micros / reference:6.2f} × PORT's estimate")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
