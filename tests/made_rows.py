"""Made-up benches that several tests read: a meta, runs, traces, whole rows, and their folder."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from pointsman.evaluate.rows import Meta, Rows, Run, Sweep, Trace
from pointsman.evaluate.rows_folder import RunWriter
from pointsman.evaluate.summary import (
    Value,
    swept_field,
)

# Made-up strengths, so that tables and pictures have something to rank.
STRENGTHS = {
    "port": 0.60,
    "random": 0.42,
    "greedy-perf": 0.25,
    "greedy-cost": 0.46,
    "knn-perf": 0.26,
    "knn-cost": 0.45,
    "batchsplit": 0.66,
    "text-perf": 0.12,
    "text-cost": 0.44,
    "greedy-feasible": 0.80,
    "batchsplit-prorated": 1.03,
    "cheapest-pooled": 1.10,
    "mirror-descent": 1.12,
    "pid-pacing": 1.01,
    "paced": 1.24,
    "paced-pooled": 1.45,
    "approx-optimum": 1.0,
    "optimum": 2.4,
}

PRICED = ("port", "mirror-descent", "pid-pacing", "paced", "paced-pooled")
POOLED = ("cheapest-pooled", "paced-pooled")


def make_meta(models: int = 4, sweep: Sweep | None = None, *, simulated: bool = True, test: int = 1000) -> Meta:
    """What a small made-up bench is about."""
    ids = tuple(f"maker-{number % 3}/model-{number}" for number in range(models))
    left_out = "1 of 5 models and 12 of 2,012 rows were left out for missing cells."
    return Meta("made-up set", simulated, ids, test, 800, left_out, "pointsman bench budget", 0, sweep, "0.1.0")


def make_run(meta: Meta, policy: str, order: int, **changes: object) -> Run:
    """One run with plausible figures, the same for the same arguments; `changes` are laid over it at the end."""
    factor, test, split = (changes.get("factor", 1.0), changes.get("test", meta.test), changes.get("split", "weighted"))
    assert isinstance(factor, float)
    assert isinstance(test, int)
    rng = np.random.default_rng([order, len(policy), *policy.encode(), *str(split).encode()])
    weights = rng.dirichlet(np.ones(len(meta.models)))
    total = 0.08 * factor * test / 1000
    amounts = {model: total * (1 + place) for place, model in enumerate(meta.models)}
    budget = {"pool": sum(amounts.values())} if policy in POOLED else amounts
    counts = rng.multinomial(int(0.7 * test), weights)
    performance = 0.24 * STRENGTHS.get(policy, 0.5) * test * math.sqrt(factor) * (1 + 0.01 * rng.standard_normal())
    spent = {fund: amount * rng.uniform(0.6, 1.0) for fund, amount in budget.items()}
    cost_usd = sum(spent.values())
    run = Run(
        key=f"{policy}|{sorted(changes.items())}|{order}",
        policy=policy,
        split="weighted",
        factor=1.0,
        order=order,
        scenario="iid",
        test=meta.test,
        history=meta.history,
        models=len(meta.models),
        k=5,
        alpha=1e-4,
        eps=0.025,
        embedder="wordllama",
        performance=performance,
        cost_usd=cost_usd,
        efficiency=performance / cost_usd,
        served=int(counts.sum()),
        relative=STRENGTHS.get(policy, 0.5),
        budget=budget,
        spent=spent,
        decide_us_per_query=float(rng.uniform(1, 40)),
        seconds=float(rng.uniform(0.5, 4)),
        served_by={model: int(count) for model, count in zip(meta.models, counts, strict=True)},
        arrivals=test,
    )
    return replace(run, **changes)  # type: ignore[arg-type]


def make_trace(run: Run, points: int = 11) -> Trace:
    """How that run might have gone: money spent early by most, evenly by `paced`."""
    at = np.linspace(0, 1, points)
    rng = np.random.default_rng(len(run.key))
    shape = {fund: at ** (1.0 if run.policy.startswith("paced") else rng.uniform(0.2, 2.5)) for fund in run.budget}
    priced = run.policy in PRICED
    base = {fund: rng.uniform(100, 4000) for fund in run.budget}
    wave = 1 + (0.1 * np.sin(9 * at) if run.policy != "port" else 0 * at)
    return Trace(
        run.key,
        run.policy,
        run.split,
        run.factor,
        run.scenario,
        tuple(at.tolist()),
        {fund: tuple((run.spent[fund] * shape[fund]).tolist()) for fund in run.budget},
        {fund: tuple((base[fund] * wave if priced else at * math.nan).tolist()) for fund in run.budget},
        {model: tuple((at * count).astype(int).tolist()) for model, count in run.served_by.items()},
        tuple((run.performance * at ** (1.0 if run.policy.startswith("paced") else 0.7)).tolist()),
    )


def make_rows(
    meta: Meta,
    *,
    orders: int = 2,
    policies: tuple[str, ...] = tuple(STRENGTHS),
    values: tuple[Value, ...] = (),
    points: int = 11,
) -> Rows:
    """A whole made-up bench: every policy in every order, at every value of the meta's sweep; traces of order 0."""
    changes = [{swept_field(meta.sweep): value} for value in values] if meta.sweep else [{}]
    runs = tuple(make_run(meta, name, o, **change) for change in changes for name in policies for o in range(orders))
    return Rows(meta, runs, {run.key: make_trace(run, points) for run in runs if run.order == 0})


def save(rows: Rows, folder: Path) -> Path:
    """The folder that a bench with these rows would have left."""
    with RunWriter(folder, rows.meta) as writer:
        for run in rows.runs:
            writer.append(run, rows.traces.get(run.key))
    return folder


def bench(performance: dict[str, list[float]], **changes: object) -> Rows:
    """Rows in which every policy has the given performances, one an order."""
    meta = make_meta(2)
    runs = tuple(
        make_run(meta, name, order, performance=value, relative=value / 100, **changes)
        for name, values in performance.items()
        for order, value in enumerate(values)
    )
    return Rows(meta, runs, {})
