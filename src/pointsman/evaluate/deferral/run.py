"""`bench deferral`: every planned trial and method, in parallel over the cores, saved trial by trial.

Takes outcomes and a `Request`, appends rows to a folder through `rows.DeferralWriter`. Texts are embedded once; trials
and fits are made in worker processes with one thread each. Rows that are in the folder are not made again, so an
interruption loses the trials in progress and nothing else. Tables and pictures are made elsewhere, from the rows alone.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from pointsman.errors import InputError
from pointsman.estimate.embedders import load_embedder
from pointsman.estimate.fitted import Estimator
from pointsman.estimate.unseen.probing import pick_probes
from pointsman.evaluate.deferral.coverage import count_covered, has_intervals
from pointsman.evaluate.deferral.curve import (
    Curve,
    area,
    deferral_curve,
    mixture_curve,
    quality_neutral_cost,
    sampled,
)
from pointsman.evaluate.deferral.methods import METHODS, not_dominated, transfer_of
from pointsman.evaluate.deferral.protocol import Parting, Trial, check_size, make_trial, validation_size
from pointsman.evaluate.deferral.records import COSTS, TrialRow
from pointsman.evaluate.deferral.rows import DeferralWriter
from pointsman.records import Ints, Outcomes, Prompts

Report = Callable[[str, int, int], None]


def _first(_trial: Trial, probes: int) -> Ints:
    """The validation prompts are in a random order already."""
    return np.arange(probes)


def _picked(trial: Trial, probes: int) -> Ints:
    return pick_probes(transfer_of(trial), trial.validation_prompts, trial.validation, probes)


# Which validation prompts an unseen model is asked, chosen without a label of one.
PICKS: dict[str, Callable[[Trial, int], Ints]] = {"random": _first, "picked": _picked}


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for; see `pointsman bench deferral --help`.

    Attributes:
        methods: names of `methods.METHODS`.
        trials: how many.
        probes: numbers of probes; empty for all validation prompts, and in a static pool.
        parting: how prompts and models are parted.
        costs: "constant": decisions take every model at its mean cost over the prompts that aren't tested;
            "estimated": at what each method estimates.
        probing: "random" or "picked".
    """

    methods: tuple[str, ...]
    trials: int = 20
    probes: tuple[int, ...] = ()
    parting: Parting = field(default_factory=Parting)
    costs: str = "constant"
    probing: str = "random"


@dataclass(frozen=True)
class Ground:
    """What all trials share: the outcomes, and the same rows as prompts."""

    outcomes: Outcomes
    prompts: Prompts


@dataclass(frozen=True, slots=True)
class Task:
    """One method on one trial, with all numbers of probes that are missing; 0 stands for a static pool's labels."""

    trial: int
    method: str
    probes: tuple[int, ...]
    probing: str
    costs: str
    parting: Parting

    def key(self, probes: int) -> str:
        """Stable id of a row: what was run, spelled out."""
        return f"{self.method}|p{probes}|{self.probing}|t{self.trial}"


def make_ground(outcomes: Outcomes, embedder: str = "wordllama", cache: Path | None = None) -> Ground:
    """Embeds all texts, once for all trials."""
    vectors = load_embedder(embedder, cache=cache).embed(outcomes.texts)
    return Ground(outcomes, Prompts(outcomes.texts, vectors, outcomes.input_tokens))


def check(request: Request, outcomes: Outcomes) -> Request:
    """The request, with its numbers of probes in ascending order, if it makes sense on these outcomes.

    Raises:
        InputError: a set that can't be parted, no trial, an unknown way, or numbers of probes that there aren't.
    """
    check_size(outcomes, request.parting)
    if request.trials < 1:
        raise InputError(f"{request.trials} trials are asked", place="--trials", remedy="use at least 1")
    for option, value, known in (("--costs", request.costs, COSTS), ("--probing", request.probing, PICKS)):
        if value not in known:
            raise InputError(f"{value!r} is unknown", place=option, remedy=f"use {' or '.join(known)}")
    if request.parting.static:
        return _check_static(request)
    there = validation_size(len(outcomes))
    for asked in request.probes:
        if not 1 <= asked <= there:
            raise InputError(
                f"{asked} probes are asked, a trial has {there:,} validation prompts",
                place="--probes",
                remedy=f"use 1 to {there}",
            )
    return replace(request, probes=tuple(sorted(set(request.probes))) or (there,))


def _check_static(request: Request) -> Request:
    for option, given in (("--probes", bool(request.probes)), ("--probing picked", request.probing == "picked")):
        if given:
            raise InputError(
                "a static pool has no probes: all labels outside the test are there",
                place=option,
                remedy="leave it out, or leave out --static",
            )
    return replace(request, probes=(0,))


def run_deferral(
    ground: Ground,
    request: Request,
    writer: DeferralWriter,
    *,
    workers: int | None = None,
    progress: Report = lambda _stage, _done, _all: None,
) -> None:
    """Makes every row of the request that the folder doesn't hold yet.

    Args:
        ground: outcomes complete in score and cost, and their prompts.
        request: as `check` gave it.
        workers: processes; None takes one a core, 1 works in this process.
        progress: called with a stage, the rows done and all rows.

    Raises:
        InputError: a trial on which no model of the pool cost anything, or as the methods.
    """
    tasks = _tasks(request, writer.done_keys())
    whole = request.trials * len(request.methods) * len(request.probes)
    done = whole - sum(len(task.probes) for task in tasks)
    progress("trials", done, whole)
    with tempfile.TemporaryDirectory(prefix="pointsman-") as folder:
        path = Path(folder) / "ground.pickle"
        path.write_bytes(pickle.dumps(ground))
        for rows in _run_all(tasks, path, workers or os.cpu_count() or 1):
            for row in rows:
                writer.append(row)
            done += len(rows)
            progress(f"{rows[0].method}, trial {rows[0].trial}", done, whole)


def _tasks(request: Request, done: frozenset[str]) -> list[Task]:
    """What is missing, trial by trial, so that every method has run on the same trials if it is interrupted."""
    found = []
    for trial in range(request.trials):
        for method in request.methods:
            task = Task(trial, method, request.probes, request.probing, request.costs, request.parting)
            missing = tuple(probes for probes in request.probes if task.key(probes) not in done)
            if missing:
                found.append(replace(task, probes=missing))
    return found


def _run_all(tasks: list[Task], path: Path, workers: int) -> Iterator[tuple[TrialRow, ...]]:
    """Every trial in one process, because its methods share what is made of it."""
    trials = [list(group) for _, group in groupby(tasks, key=lambda task: task.trial)]
    if workers == 1 or len(trials) < 2:
        with threadpool_limits(1):
            for task in tasks:
                yield run_task(path, task)
        return
    # Fresh interpreters: a fork would copy the parent's threads' locks.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(trials)), mp_context=context, initializer=_one_thread)
    try:
        for future in as_completed([pool.submit(_run_trial, path, group) for group in trials]):
            yield from future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _run_trial(path: Path, tasks: list[Task]) -> list[tuple[TrialRow, ...]]:
    return [run_task(path, task) for task in tasks]


def _one_thread() -> None:
    threadpool_limits(1)


@lru_cache(maxsize=1)
def _ground(path: Path) -> Ground:
    ground = pickle.loads(path.read_bytes())  # noqa: S301 (written a moment ago by the parent, in its own folder)
    assert isinstance(ground, Ground)  # noqa: S101
    deferral_curve(np.eye(2), np.ones(2), np.eye(2), np.ones((2, 2)))  # loads compiled code before a clock runs
    return ground


@lru_cache(maxsize=1)  # tasks come trial by trial
def _trial(path: Path, number: int, parting: Parting) -> Trial:
    ground = _ground(path)
    return make_trial(ground.outcomes, ground.prompts, number, parting)


@lru_cache(maxsize=8)
def _probe_rows(path: Path, number: int, parting: Parting, probing: str, probes: int) -> Ints:
    """Rows of the validation to ask: the same for every method."""
    return PICKS[probing](_trial(path, number, parting), probes)


def run_task(path: Path, task: Task) -> tuple[TrialRow, ...]:
    """One row for every number of probes of the task: pure but for the clock.

    Args:
        path: where the pickled `Ground` lies.
    """
    trial, method = _trial(path, task.trial, task.parting), METHODS[task.method]
    started = time.perf_counter()
    place = method.fit(trial)
    fitting = time.perf_counter() - started
    rows = []
    for probes in task.probes:
        asked = trial.probes(_probe_rows(path, task.trial, task.parting, task.probing, probes))
        started = time.perf_counter()
        estimator = place(asked)
        curve = _curve(trial, estimator, task)
        seconds = fitting + time.perf_counter() - started
        rows.append(_row(task, probes, curve, seconds, _covered(trial, estimator)))
    return tuple(rows)


def _curve(trial: Trial, estimator: Estimator, task: Task) -> Curve:
    test, estimates = trial.test, estimator.estimate(trial.test_prompts)
    costs = trial.cost_usd if task.costs == "constant" else estimates.cost_usd
    if METHODS[task.method].mixes:
        models = not_dominated(estimates.quality[0], np.broadcast_to(costs, estimates.quality.shape)[0])
        return mixture_curve(models, test.score, test.cost_usd)
    return deferral_curve(estimates.quality, costs, test.score, test.cost_usd)


def _covered(trial: Trial, estimator: Estimator) -> tuple[int, int]:
    return count_covered(estimator, trial) if has_intervals(estimator) else (0, 0)


def _row(task: Task, probes: int, curve: Curve, seconds: float, covered: tuple[int, int]) -> TrialRow:
    x, y = sampled(curve)
    return TrialRow(
        key=task.key(probes),
        trial=task.trial,
        method=task.method,
        probes=probes,
        probing=task.probing,
        area=area(curve),
        area50=area(curve, 0.5),
        qnc=quality_neutral_cost(curve),
        peak=curve.peak,
        seconds=seconds,
        relative_cost=tuple(x.tolist()),
        quality=tuple(y.tolist()),
        intervals=covered[0],
        covered=covered[1],
    )
