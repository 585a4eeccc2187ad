"""`bench plugin`: every planned row, in parallel over the cores, one saved at a time.

Takes outcomes and a `Request`, appends rows through a `Writer`. What was known before each newcomer is fitted once and
shared by its orders; rows that the folder holds are not made again, so an interrupted bench loses the rows in progress
and nothing else.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from pointsman.evaluate.plugin.ground import Before, Ground, eligible_models, look_before, make_ground
from pointsman.evaluate.plugin.newcomer import Scene, make_scene, probe_rows, ride
from pointsman.evaluate.plugin.plan import Request, Task, draw_pairs, tasks_of
from pointsman.evaluate.plugin.ride import Ride
from pointsman.evaluate.plugin.rows import MOMENTS, PluginRow
from pointsman.evaluate.plugin.spending import settled_after
from pointsman.records import Outcomes

Report = Callable[[str, int, int], None]


class Writer(Protocol):
    """Where rows go; see `folder.PluginWriter`."""

    def done_keys(self) -> frozenset[str]:
        """Keys of the rows that are there."""

    def append(self, row: PluginRow) -> None:
        """Keep one more."""


def run_plugin(
    outcomes: Outcomes,
    request: Request,
    writer: Writer,
    *,
    cache: Path | None = None,
    workers: int | None = None,
    progress: Report = lambda _stage, _done, _all: None,
) -> None:
    """Makes every row of the request that the folder doesn't hold yet.

    Args:
        outcomes: complete in score and cost.
        cache: a folder for embeddings.
        workers: processes; None takes one a core, 1 works in this process.
        progress: called with a stage, the rows done and all rows.

    Raises:
        InputError: a request that this set can't fulfil.
        OverspendError: a fund was overspent.
    """
    progress("estimates of all models", 0, 0)
    ground = make_ground(outcomes, request, cache)
    todo = [task for pair in draw_pairs(eligible_models(ground), request) for task in tasks_of(pair, request.probes)]
    missing = [task for task in todo if task.key not in writer.done_keys()]
    finished = len(todo) - len(missing)
    progress("estimates without the newcomers", finished, len(todo))
    with tempfile.TemporaryDirectory(prefix="pointsman-") as folder:
        _save(Path(folder) / GROUND_FILE, ground)
        for row in _run_all(missing, Path(folder), workers or os.cpu_count() or 1):
            writer.append(row)
            finished += 1
            progress(f"{row.variant}, order {row.order}", finished, len(todo))


GROUND_FILE = "ground.pickle"


def _run_all(tasks: list[Task], folder: Path, workers: int) -> Iterator[PluginRow]:
    by_newcomer: dict[str, list[Task]] = {}
    for task in tasks:
        by_newcomer.setdefault(task.pair.newcomer, []).append(task)
    if workers == 1 or not tasks:
        for newcomer, some in by_newcomer.items():
            prepare_newcomer(folder, newcomer, None)
            yield from (run_one(folder, task) for task in some)
        return
    # Fresh interpreters: a fork would copy the parent's threads' locks.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context, initializer=_one_thread)
    try:
        pending = {pool.submit(prepare_newcomer, folder, name, 1): some for name, some in by_newcomer.items()}
        yield from _collect(pool, folder, pending)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _collect(pool: ProcessPoolExecutor, folder: Path, prepared: dict[Future[None], list[Task]]) -> Iterator[PluginRow]:
    """Rows as they are done; a newcomer's are begun once what was known before it is there."""
    pending: set[Future[Any]] = set(prepared)
    while pending:
        finished, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in finished:
            result = future.result()
            if future in prepared:
                pending |= {pool.submit(run_one, folder, task) for task in prepared[future]}
            else:
                yield result


def _one_thread() -> None:
    threadpool_limits(1)


# ---- in a worker


def prepare_newcomer(folder: Path, newcomer: str, threads: int | None) -> None:
    """Fits what was known before a newcomer, for the tasks that follow."""
    _save(_before_file(folder, newcomer), look_before(_ground(folder), newcomer, threads))


def run_one(folder: Path, task: Task) -> PluginRow:
    """One row from its task: pure but for the clock."""
    scene = make_scene(_ground(folder), _before(folder, task.pair.newcomer), task)
    started = time.perf_counter()
    trip = ride(scene, task)
    return make_row(scene, task, trip, time.perf_counter() - started)


def make_row(scene: Scene, task: Task, trip: Ride, seconds: float) -> PluginRow:
    """What a finished ride came to."""
    served = np.flatnonzero(trip.model >= 0)
    stops = np.linspace(0, scene.arrivals, MOMENTS).round().astype(np.int64)
    sums = np.concatenate([[0.0], np.cumsum(trip.scores())])
    fund = int(np.flatnonzero(scene.case.funds.draws[:, scene.newcomer])[0])
    held, drawn = float(scene.case.funds.budget[fund]), trip.drawn()[:, fund]
    joins = {"from-the-start": 0, "never": scene.arrivals}.get(task.variant, scene.joins)
    asked = probe_rows(scene, 0 if task.variant == "exploration" else task.probes)
    return PluginRow(
        key=task.key,
        variant=task.variant,
        probes=task.probes,
        order=task.pair.order,
        newcomer=task.pair.newcomer,
        leaver=task.pair.leaver,
        arrivals=scene.arrivals,
        joins=joins,
        leaves=scene.leaves,
        performance=float(sums[-1]),
        cost_usd=float(scene.case.truth.cost_usd[served, trip.model[served]].sum()),
        served=len(served),
        served_by_newcomer=len(trip.served_by(scene.newcomer)),
        fund_usd=held,
        spent_usd=float(drawn.sum()),
        probes_usd=float(scene.ground.history.outcomes.cost_usd[asked, scene.newcomer].sum()),
        settled=settled_after(drawn, held, joins) if joins < scene.arrivals else None,
        progress=tuple(sums[stops].tolist()),
        seconds=seconds,
    )


def _before_file(folder: Path, newcomer: str) -> Path:
    return folder / f"before-{sha256(newcomer.encode()).hexdigest()}.pickle"


@lru_cache(maxsize=1)  # one bench at a time: the next one has another folder
def _ground(folder: Path) -> Ground:
    ground = _load(folder / GROUND_FILE)
    assert isinstance(ground, Ground)  # noqa: S101
    return ground


@lru_cache(maxsize=1)
def _before(folder: Path, newcomer: str) -> Before:
    before = _load(_before_file(folder, newcomer))
    assert isinstance(before, Before)  # noqa: S101
    return before


def _save(path: Path, value: object) -> None:
    path.write_bytes(pickle.dumps(value))


def _load(path: Path) -> object:
    return pickle.loads(path.read_bytes())  # noqa: S301 (written a moment ago by this command, in its own folder)
