"""`bench budget`: every planned run, in parallel over the cores, one saved row at a time.

Takes outcomes and a `Request`, appends rows to a folder through `RunWriter`. Estimates are made once a setting;
runs already in the folder are not made again, so an interrupted bench loses the runs in progress and nothing else.
Tables and pictures are made elsewhere, from the rows alone.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from pointsman.decide.policies import Policy, Source, make_policy
from pointsman.decide.program import FundTable, amounts_of, compile_funds
from pointsman.evaluate.budgets import budget_funds, split_weights, total_budget
from pointsman.evaluate.plan import REFERENCE, Circumstance, Request, Task, circumstances
from pointsman.evaluate.prepare import Bench, Preparer, load_bench, save_bench, truth_of
from pointsman.evaluate.reliability import measure_reliability, save_reliability
from pointsman.evaluate.replay import TRACE_POINTS, Case, Result, at_rates, drawn_by, replay
from pointsman.evaluate.rows import Run, Trace
from pointsman.evaluate.rows_folder import RunWriter
from pointsman.evaluate.scenarios import make_world
from pointsman.records import Floats, Mask, Outcomes

Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Done:
    """A finished run and, for the first order, how it went."""

    run: Run
    trace: Trace | None


def run_bench(
    outcomes: Outcomes,
    request: Request,
    writer: RunWriter,
    *,
    cache: Path | None = None,
    workers: int | None = None,
    progress: Report = lambda _stage, _done, _all: None,
    embedders: tuple[str, ...] = ("wordllama",),
) -> None:
    """Makes every run of the request that the folder doesn't hold yet.

    The reference that `relative` is against is always among the runs.

    Args:
        outcomes: complete in score and cost.
        workers: processes; None takes one a core, 1 works in this process.
        progress: called with a stage, the runs done and all runs.
        embedders: for the sweep over embedders.
    """
    places = circumstances(request, len(outcomes), len(outcomes.models), embedders)
    policies = tuple(dict.fromkeys((REFERENCE, *request.policies)))
    todo = [Task(p, at) for at in places for p in policies]
    missing = [task for task in todo if task.key not in writer.done_keys()]
    finished, preparer = len(todo) - len(missing), Preparer(outcomes, cache)
    for setting in dict.fromkeys(task.at.setting for task in missing):
        tasks = [task for task in missing if task.at.setting == setting]
        progress(f"estimates for {setting.test:,} queries ({setting.embedder}, k {setting.k})", finished, len(todo))
        with tempfile.TemporaryDirectory(prefix="pointsman-") as folder:
            path = Path(folder) / "bench.pickle"
            bench = preparer.prepare(setting, _sources(policies))
            save_bench(bench, path)
            if setting == request.base.setting:
                save_reliability(measure_reliability(bench), writer.folder)
            for done in _run_all(tasks, path, workers or os.cpu_count() or 1):
                writer.append(done.run, done.trace)
                finished += 1
                progress(f"{done.run.policy}, order {done.run.order}", finished, len(todo))


def _sources(policies: tuple[str, ...]) -> list[Source]:
    return [make_policy(name).traits.source for name in policies]


def _run_all(tasks: list[Task], path: Path, workers: int) -> Iterator[Done]:
    """Runs in worker processes; each circumstance starts with the reference that its `relative` needs."""
    if workers == 1:
        yield from _run_here(tasks, path)
        return
    # Fresh interpreters: a fork would copy the parent's threads' locks.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(tasks)) or 1, mp_context=context, initializer=_one_thread)
    try:
        waiting: dict[Circumstance, list[Task]] = {}
        for task in tasks:
            waiting.setdefault(task.at, []).append(task)
        pending = {pool.submit(_reference, path, at): at for at in waiting}
        yield from _collect(pool, path, waiting, pending)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _run_here(tasks: list[Task], path: Path) -> Iterator[Done]:
    """The same in this process, one run after another."""
    for at in dict.fromkeys(task.at for task in tasks):
        reference = _reference(path, at)
        for task in tasks:
            if task.at == at:
                yield reference if task.policy == REFERENCE else run_one(path, task, reference.run.performance)


def _collect(
    pool: ProcessPoolExecutor,
    path: Path,
    waiting: dict[Circumstance, list[Task]],
    references: dict[Future[Done], Circumstance],
) -> Iterator[Done]:
    pending: set[Future[Done]] = set(references)
    while pending:
        finished, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in finished:
            done = future.result()
            if future not in references:
                yield done
                continue
            for task in waiting[references[future]]:
                if task.policy == REFERENCE:
                    yield done
                else:
                    pending.add(pool.submit(run_one, path, task, done.run.performance))


def _one_thread() -> None:
    threadpool_limits(1)


@lru_cache(maxsize=1)  # one setting at a time: the next one has another folder
def _bench(path: Path) -> Bench:
    return load_bench(path)


def _reference(path: Path, at: Circumstance) -> Done:
    return run_one(path, Task(REFERENCE, at), None)


def run_one(path: Path, task: Task, reference: float | None) -> Done:
    """One run from its task: pure but for the clock.

    Args:
        path: where `prepare`'s result lies.
        reference: performance of `approx-optimum` in the same circumstance; None for that run itself.
    """
    bench, policy = _bench(path), make_policy(task.policy, task.at.options)
    case = make_case(bench, task.at, policy.traits.source, pooled=policy.traits.pooled)
    return run_case(bench, task, policy, case, reference)


def run_case(bench: Bench, task: Task, policy: Policy, case: Case, reference: float | None) -> Done:
    """The same from its arrays: played, and told as a row."""
    started = time.perf_counter()
    result = replay(policy, case)
    run = _row(bench, task, case, result, reference)
    run = replace(run, seconds=time.perf_counter() - started)
    return Done(run, _trace(bench, run, case, result) if task.at.order == 0 else None)


def make_case(bench: Bench, at: Circumstance, source: Source, *, pooled: bool) -> Case:
    """The arrays of one replay, in order of arrival."""
    seed = at.setting.seed
    world = make_world(at.scenario, bench.test, np.random.default_rng((seed, 10, at.order)))
    weights = split_weights(at.split, bench.history, np.random.default_rng((seed, 11, at.order)))
    funds = budget_funds(bench.test.models, weights, total_budget(bench.test, at.factor), pooled=pooled)
    return Case(
        bench.estimates[source].take(world.order),
        bench.held_out[source],
        truth_of(bench.test).take(world.order),
        compile_funds(funds, bench.test.models),
        world,
        seed * 1000 + at.order,
    )


def _row(bench: Bench, task: Task, case: Case, result: Result, reference: float | None) -> Run:
    at, models = task.at, bench.test.models
    counts = np.bincount(result.model[result.model >= 0], minlength=len(models))
    against = result.performance if reference is None else reference
    return Run(
        key=task.key,
        policy=task.policy,
        split=at.split,
        factor=at.factor,
        order=at.order,
        scenario=at.scenario,
        test=at.setting.test,
        history=len(bench.history),
        models=len(models),
        k=at.setting.k,
        alpha=at.options.alpha,
        eps=at.options.epsilon,
        embedder=at.setting.embedder,
        performance=result.performance,
        cost_usd=result.cost_usd,
        efficiency=result.performance / result.cost_usd if result.cost_usd > 0 else float("nan"),
        served=result.served,
        relative=result.performance / against if against > 0 else float("nan"),
        budget=_by_fund(case.funds, case.funds.budget),
        spent=_by_fund(case.funds, result.spent),
        decide_us_per_query=1e6 * result.decide_seconds / len(result.model),
        seconds=0.0,
        served_by={model: int(n) for model, n in zip(models, counts, strict=True)},
        arrivals=len(result.model),
    )


def _by_fund(funds: FundTable, values: Floats) -> dict[str, float]:
    return {name: float(value) for name, value in zip(funds.names, values, strict=True)}


def _trace(bench: Bench, run: Run, case: Case, result: Result) -> Trace:
    """Cumulative figures at about a hundred moments, recomputed from the choices."""
    count = len(result.model)
    stops = np.unique(np.linspace(0, count, TRACE_POINTS + 1).astype(np.int64))
    truth = at_rates(case.truth, case.world)
    drawn = drawn_by(case.funds, amounts_of(truth, case.funds), result.model)
    served = result.model[:, None] == np.arange(len(bench.test.models))
    score = np.where(served, case.truth.quality, 0.0).sum(axis=1)

    def at_stops(values: Floats | Mask) -> Floats:
        return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])[stops]

    spent, by_model = at_stops(drawn), at_stops(served)
    priced = np.full((len(stops), len(case.funds)), np.nan)
    if len(result.priced_at):
        latest = np.searchsorted(result.priced_at, stops, side="right") - 1
        priced = result.prices[np.maximum(latest, 0)]
    return Trace(
        key=run.key,
        policy=run.policy,
        split=run.split,
        factor=run.factor,
        scenario=run.scenario,
        at=tuple(float(stop) / count for stop in stops),
        spent={name: tuple(spent[:, f].tolist()) for f, name in enumerate(case.funds.names)},
        price={name: tuple(priced[:, f].tolist()) for f, name in enumerate(case.funds.names)},
        served_by={m: tuple(by_model[:, i].astype(int).tolist()) for i, m in enumerate(bench.test.models)},
        performance=tuple(at_stops(score).tolist()),
    )
