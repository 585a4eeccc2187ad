"""What each estimator's parts are worth, cross-validated on histories alone, and what they cost per query.

    python benchmarks/estimators.py --data DIR [--data DIR ...] [--seeds N] [--first-seed N] [--json FILE]

From each outcome folder a random 45 % of the complete rows is taken as history; nothing else is looked at. Every figure
of quality is of held-out estimates: means, PORT's five neighbours (leave-one-out), and by five folds the ridge, the
first trees, all trees, and the blend. AUC and R² are means over models; "between" is the R² of what remains of scores
and estimates once each prompt's mean over models and each model's mean are taken off: the part that tells models apart.
Times are medians with one thread, from prompts with vectors to estimates, surface features included; ratios are what
to quote.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits

from pointsman.estimate.blend import QUALITY_GROWTH, fit_blend, new_task
from pointsman.estimate.calibration import calibration
from pointsman.estimate.embedders import load_embedder
from pointsman.estimate.fitted import Fitted
from pointsman.estimate.neighbours import fit_neighbours
from pointsman.estimate.part import cross_fit
from pointsman.estimate.views import fit_viewer
from pointsman.outcomes import complete, read
from pointsman.records import Floats, Outcomes, Prompts

SHARE = 0.45
BATCH = 256


def auc(score: Floats, quality: Floats) -> float:
    """Chance that a prompt answered better than the median (or rightly) is ranked above one that isn't."""
    right = score > (0.5 if set(np.unique(score)) <= {0.0, 1.0} else float(np.median(score)))
    n, wrong = int(right.sum()), int((~right).sum())
    if n == 0 or wrong == 0:
        return float("nan")
    return float((rankdata(quality)[right].sum() - n * (n + 1) / 2) / (n * wrong))


def merits(score: Floats, quality: Floats) -> dict[str, float]:
    """AUC, R², R² between models, log loss, Brier score and calibration error of estimates [H, M]."""
    quality = np.clip(quality, 0.0, 1.0)
    likely = np.clip(quality, 0.01, 0.99)
    y, q = (cells - cells.mean(axis=1, keepdims=True) for cells in (score, quality))
    y, q = y - y.mean(axis=0), q - q.mean(axis=0)
    return {
        "auc": float(np.nanmean([auc(score[:, m], quality[:, m]) for m in range(score.shape[1])])),
        "r2": 1.0 - float((((score - quality) ** 2).mean(axis=0) / np.maximum(score.var(axis=0), 1e-12)).mean()),
        "between": 1.0 - float(((y - q) ** 2).sum() / (y**2).sum()),
        "log_loss": float(-(score * np.log(likely) + (1 - score) * np.log(1 - likely)).mean()),
        "brier": float(((score - quality) ** 2).mean()),
        "calibration_error": calibration(quality, score).overall.error,
    }


def members(history: Outcomes, prompts: Prompts) -> dict[str, Floats]:
    """Held-out quality by each member of the blend alone."""
    task = new_task(fit_viewer(prompts).look(prompts), len(history), seed=0)
    with ThreadPoolExecutor(2) as pool:
        base, deviations, _ = cross_fit(task, history.score, QUALITY_GROWTH, pool)
    names = ("ridge", "first 100 trees", "400 trees")
    return {"means": base} | {name: base + part for name, part in zip(names, deviations, strict=True)}


def median_us(act: Callable[[], object], queries: int, runs: int) -> float:
    """Median microseconds a query, after two runs that don't count."""
    times = []
    for run in range(runs + 2):
        started = time.perf_counter()
        act()
        if run >= 2:
            times.append(time.perf_counter() - started)
    return 1e6 * statistics.median(times) / queries


def times_us(fits: dict[str, Fitted], prompts: Prompts) -> dict[str, float]:
    """Microseconds a query for every estimator, in batches and alone."""
    found = {}
    batch, alone = prompts.take(np.arange(BATCH)), [prompts.take(np.array([i])) for i in range(100)]
    for name, fit in fits.items():
        found[f"{name}, batches of {BATCH}"] = median_us(lambda fit=fit: fit.estimator.estimate(batch), BATCH, 15)  # type: ignore[misc]
        found[f"{name}, alone"] = median_us(
            lambda fit=fit: [fit.estimator.estimate(one) for one in alone],  # type: ignore[misc]
            len(alone),
            5,
        )
    return found


def measure(folder: Path, seed: int) -> dict[str, object]:
    """Merits, times and seconds to fit on one random history of one folder."""
    outcomes, _ = complete(read(folder))
    rows = np.sort(np.random.default_rng(seed).permutation(len(outcomes))[: int(SHARE * len(outcomes))])
    history = outcomes.take(rows)
    prompts = Prompts(history.texts, load_embedder("wordllama").embed(history.texts), history.input_tokens)
    started, cpu = time.perf_counter(), time.process_time()
    ours = fit_blend(history, prompts)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    ports = fit_neighbours(history, prompts, k=5)
    fits = {"PORT's (exact)": ports, "PORT's (HNSW)": fit_neighbours(history, prompts, k=5, index="hnsw"), "ours": ours}
    held_out = members(history, prompts) | {"five neighbours": ports.held_out.quality, "blend": ours.held_out.quality}
    with threadpool_limits(1):
        found_us = times_us(fits, prompts)
    return {
        "dataset": folder.name,
        "seed": seed,
        "rows": len(history),
        "models": len(history.models),
        "fit_seconds": seconds,
        "fit_cpu_seconds": cpu_seconds,
        "merits": {name: merits(history.score, quality) for name, quality in held_out.items()},
        "cost_error": {name: cost_error(history, fit) for name, fit in fits.items()},
        "us_per_query": found_us,
    }


def cost_error(history: Outcomes, fit: Fitted) -> dict[str, float]:
    """Held-out cost: share of its variance left (mean over models) and bias of the sum (largest over models)."""
    expected = fit.held_out.cost_usd
    left = ((history.cost_usd - expected) ** 2).mean(axis=0) / np.maximum(history.cost_usd.var(axis=0), 1e-30)
    bias = expected.sum(axis=0) / history.cost_usd.sum(axis=0) - 1.0
    return {"variance_left": float(left.mean()), "largest_bias": float(np.abs(bias).max())}


def show(result: dict[str, object]) -> None:
    print(f"\n{result['dataset']}: {result['rows']} rows x {result['models']} models, seed {result['seed']}, ", end="")
    print(f"fitted in {result['fit_seconds']:.1f} s ({result['fit_cpu_seconds']:.1f} s of processor)")
    merits_of, cost_of, us_of = result["merits"], result["cost_error"], result["us_per_query"]
    assert isinstance(merits_of, dict)
    assert isinstance(cost_of, dict)
    assert isinstance(us_of, dict)
    for name, values in merits_of.items():
        print(f"  {name:18s}", "  ".join(f"{key} {value:.4f}" for key, value in values.items()))
    for name, values in cost_of.items():
        print(f"  cost, {name:16s}", "  ".join(f"{key} {value:.4f}" for key, value in values.items()))
    for name, value in us_of.items():
        reference = us_of["PORT's (exact)" + name[name.index(",") :]]
        print(f"  {name:34s} {value:8.1f} us  {value / reference:.3f} of PORT's exact", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = []
    for folder in options.data:
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            results.append(measure(folder, seed))
            show(results[-1])
            if options.json:
                aside = options.json.with_suffix(".part")
                aside.write_text(json.dumps(results, indent=1) + "\n")
                aside.rename(options.json)


if __name__ == "__main__":
    main()
