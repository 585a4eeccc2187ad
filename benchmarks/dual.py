"""Times the price solver against HiGHS and against PORT's own way, in one run on one made-up workload.

    python benchmarks/dual.py [--quick] [--json FILE]

Medians over several runs. `gap` is the certificate that comes with the prices; `true gap` measures the same bound
against the exact optimum. PORT's way is scipy's L-BFGS-B on the unsmoothed dual from 1/M, here with the "serve nobody"
option (without it the problem has no minimum), scaled prices and an exact subgradient, all of which favour it.
The workload is simulated: dearer models are better, queries differ in hardness and length, money for the cheapest
model alone, split evenly over a fund for each model. One thread does the work; numpy and scipy take what they take.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linprog, minimize
from scipy.sparse import csr_array, identity, kron, vstack

from pointsman.decide.dual import solve
from pointsman.decide.polish import solve_exact
from pointsman.decide.program import Amounts, Program, compile_funds
from pointsman.decide.streaming import solve_stream
from pointsman.records import Floats, Fund

# Models, queries, and whether qualities are rounded to 0 or 1.
SIZES = (
    (18, 3_000, False),
    (18, 3_000, True),
    (11, 10_000, False),
    (112, 10_000, False),
    (11, 100_000, False),
    (112, 100_000, False),
)
HIGHS_CELLS = 200_000  # HiGHS takes minutes beyond
EXACT_CELLS = 2_000_000
CHUNK = 10_000

Row = dict[str, Any]


def workload(queries: int, models: int, seed: int = 0, *, rounded: bool = False) -> Program:
    """A program of the shape that routing poses; see the module. Rounded qualities are 0 or 1, full of ties."""
    rng = np.random.default_rng(seed)
    skill = np.sort(rng.normal(0, 1.2, models))
    hardness = rng.normal(0, 1.5, (queries, 1)) - rng.normal(0, 0.5, (queries, models))
    usd = 1e-6 * np.exp(1.2 * skill + rng.normal(6, 0.8, (queries, 1)) + rng.normal(0, 0.3, (queries, models)))
    ids = [f"m{i}" for i in range(models)]
    each = float(usd.sum(axis=0).min()) / models
    funds = compile_funds([Fund(m, each, "usd", (m,)) for m in ids], ids)
    quality = 1 / (1 + np.exp(hardness - skill))
    return Program(np.round(quality) if rounded else quality, Amounts(usd=usd), funds, np.ones(queries))


def timed(run: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median milliseconds, and the last result."""
    taken, result = [], None
    for _ in range(repeats):
        begun = time.perf_counter()
        result = run()
        taken.append(1e3 * (time.perf_counter() - begun))
    return statistics.median(taken), result


def highs_value(program: Program) -> float:
    """The optimum by HiGHS on the whole linear program."""
    queries, models = program.quality.shape
    usd = program.amounts.of(0)
    assert usd is not None
    scaled = (usd / program.funds.budget).ravel()
    cells = np.arange(queries * models)
    budgets = csr_array((scaled, (cells % models, cells)), shape=(models, queries * models))
    once = kron(identity(queries, format="csr"), np.ones((1, models)), format="csr")
    solution = linprog(
        -program.quality.ravel(), A_ub=vstack([budgets, once]), b_ub=np.ones(models + queries), method="highs"
    )
    return float(-solution.fun)


def lbfgs_bound(program: Program) -> float:
    """The dual value where L-BFGS-B stops."""
    usd = program.amounts.of(0)
    assert usd is not None
    scaled = usd / program.funds.budget
    rows = np.arange(len(program))

    def dual(price: Floats) -> tuple[float, Any]:
        score = program.quality - price * scaled
        best = score.argmax(axis=1)
        served = score[rows, best] > 0
        spent = np.bincount(best[served], scaled[rows, best][served], minlength=len(price))
        return float(price.sum() + score[rows, best][served].sum()), 1.0 - spent

    models = program.quality.shape[1]
    size = float(program.quality.max(axis=1).sum())
    ended = minimize(dual, np.full(models, size / models), jac=True, method="L-BFGS-B", bounds=[(0, None)] * models)
    return float(ended.fun)


def measure(models: int, queries: int, rounded: bool, repeats: int) -> Row:
    """One line of the table."""
    program = workload(queries, models, rounded=rounded)
    cells = models * queries
    cold_ms, cold = timed(lambda: solve(program), repeats)
    leaner = program.funds.with_budget(program.funds.budget * 0.9)
    moved = Program(program.quality, program.amounts, leaner, program.weights)
    warm_ms, warm = timed(lambda: solve(moved, start=cold.price), repeats)
    row: Row = {
        "models": models,
        "queries": queries,
        "rounded": rounded,
        "cold_ms": cold_ms,
        "cold_passes": cold.iterations,
    }
    row |= {"warm_ms": warm_ms, "warm_passes": warm.iterations, "gap": max(cold.gap, warm.gap)}
    lbfgs_ms, reached = timed(lambda: lbfgs_bound(program), 1 if cells > HIGHS_CELLS else repeats)
    row |= {"lbfgs_ms": lbfgs_ms, "lbfgs_over_cold": lbfgs_ms / cold_ms}
    if cells <= EXACT_CELLS:
        exact_ms, exact = timed(lambda: solve_exact(program), min(repeats, 3))
        row |= {"exact_ms": exact_ms, "true_gap": (cold.bound - exact.bound) / exact.bound}
        row |= {"lbfgs_true_gap": (reached - exact.bound) / exact.bound}
    if cells <= HIGHS_CELLS:
        highs_ms, value = timed(lambda: highs_value(program), 1)
        row |= {"highs_ms": highs_ms, "highs_over_cold": highs_ms / cold_ms}
        row |= {"highs_over_exact": highs_ms / row["exact_ms"], "highs_difference": exact.value / value - 1.0}
    return row


def measure_stream(queries: int, models: int) -> Row:
    """Prices over chunks that are made anew at every pass, with the peak of all arrays held."""
    base = workload(20_000, models, seed=1)
    usd = base.amounts.of(0)
    assert usd is not None
    funds = base.funds.with_budget(base.funds.budget * (queries / len(base)))
    passes = []

    def chunks() -> Iterator[Program]:
        passes.append(0)
        for number in range(queries // CHUNK):
            rng = np.random.default_rng(number)
            rows = rng.integers(0, len(base), CHUNK)
            quality = np.clip(base.quality[rows] + rng.normal(0, 0.05, (CHUNK, 1)), 0, 1)
            yield Program(quality, Amounts(usd=usd[rows] * rng.lognormal(0, 0.3, (CHUNK, 1))), funds, np.ones(CHUNK))

    making_ms, _ = timed(lambda: sum(len(chunk) for chunk in chunks()), 1)
    passes.clear()
    tracemalloc.start()
    stream_ms, prices = timed(lambda: solve_stream(chunks, funds), 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    row: Row = {"models": models, "queries": queries, "stream_ms": stream_ms, "passes": len(passes)}
    return row | {"making_a_pass_ms": making_ms, "gap": prices.gap, "peak_mb": peak / 1e6}


def show(row: Row) -> None:
    """Print a row as it comes."""
    words = (f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items())
    print("  ".join(words), flush=True)


def main() -> None:
    """Measure, print, and write the rows if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--quick", action="store_true", help="small sizes, fewer runs: under half a minute")
    options = parser.parse_args()
    solve(workload(50, 3))  # compiled once, before the clock runs
    sizes = SIZES[:3] if options.quick else SIZES
    rows = []
    for size in sizes:
        rows.append(measure(*size, 3 if options.quick else 7))
        show(rows[-1])
    rows.append(measure_stream(*((100_000, 18) if options.quick else (1_000_000, 112))))
    show(rows[-1])
    if options.json:
        host = {"cpus": os.cpu_count(), "python": platform.python_version(), "numpy": np.__version__}
        aside = options.json.with_name(options.json.name + ".part")
        aside.write_text(json.dumps({"host": host, "rows": rows}, indent=2) + "\n")
        aside.replace(options.json)


if __name__ == "__main__":
    main()
