"""The saved rows of a bench: what a run is, and what is checked of it (`checked.Shape`).

`Meta` says what was run on what, a `Run` is one policy on one order of arrivals, a `Trace` is how money, prices and
quality went over time; `Rows` is a whole folder, from which every table and picture is made. `META`, `RUN` and `TRACE`
refuse records that aren't fit. Opens no file (`rows_folder`), computes no mean (`summary`), knows nothing of policies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from pointsman.evaluate.checked import Shape, amount, named, number, series, text

Sweep = Literal["volume", "factor", "split", "k", "alpha", "eps", "history", "models", "embedder"]
SWEEPS: tuple[Sweep, ...] = get_args(Sweep)

RUNS_FILE, TRACES_FILE = "runs.jsonl", "traces.jsonl"


@dataclass(frozen=True, slots=True)
class Meta:
    """What a folder of rows is about.

    Attributes:
        dataset: title of the outcome set.
        simulated: True where no real model answered.
        models: ids of the M models.
        test, history: numbers of queries, as the command set them (a sweep's runs may differ).
        left_out: one sentence on rows and models that were not used; empty if none.
        command: the command line that made the rows.
        seed: what all randomness comes from.
        sweep: the parameter that varies, or None.
        version: of Pointsman.
    """

    dataset: str
    simulated: bool
    models: tuple[str, ...]
    test: int
    history: int
    left_out: str
    command: str
    seed: int
    sweep: Sweep | None
    version: str


@dataclass(frozen=True, slots=True)
class Run:
    """One policy on one order of arrivals in one setting.

    Attributes:
        key: stable id; a folder holds it once.
        policy, split, factor, order, scenario: what was run.
        test, history, models: how many test queries, history queries and models.
        k, alpha, eps, embedder: the estimator's and PORT's settings.
        performance: sum of the scores of the served queries.
        cost_usd: what they cost.
        efficiency: performance / cost_usd; NaN if nothing was spent.
        served: queries served.
        relative: performance / that of `approx-optimum`; NaN where that is unknown or zero.
        budget, spent: by fund, in the fund's own unit (dollars in the published experiment).
        decide_us_per_query: microseconds a query from estimates to decision.
        seconds: the whole run.
        served_by: queries served, by model.
        arrivals: queries that arrived; differs from `test` where the forecast of the volume was wrong.
    """

    key: str
    policy: str
    split: str
    factor: float
    order: int
    scenario: str
    test: int
    history: int
    models: int
    k: int
    alpha: float
    eps: float
    embedder: str
    performance: float
    cost_usd: float
    efficiency: float
    served: int
    relative: float
    budget: Mapping[str, float]
    spent: Mapping[str, float]
    decide_us_per_query: float
    seconds: float
    served_by: Mapping[str, int]
    arrivals: int


@dataclass(frozen=True, slots=True)
class Trace:
    """How one run went, at T moments.

    Attributes:
        key: of its run.
        policy, split, factor, scenario: as in the run.
        at: T shares of the queries seen, in [0, 1], never falling.
        spent: by fund, T amounts spent so far.
        price: by fund, T prices in quality per unit; NaN for a policy without prices.
        served_by: by model, T numbers of queries served so far.
        performance: T sums of scores so far.
    """

    key: str
    policy: str
    split: str
    factor: float
    scenario: str
    at: tuple[float, ...]
    spent: Mapping[str, tuple[float, ...]]
    price: Mapping[str, tuple[float, ...]]
    served_by: Mapping[str, tuple[int, ...]]
    performance: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """A folder, read: its meta, its runs in the order they were written, its traces by the key of their run."""

    meta: Meta
    runs: tuple[Run, ...]
    traces: Mapping[str, Trace]


def _sweep(value: object) -> Sweep | None:
    if value is not None and value not in SWEEPS:
        raise ValueError(f"null or one of {', '.join(SWEEPS)}")
    return value


def _quotient(value: object) -> float:
    """An amount, or NaN for null: a quotient whose divisor was zero."""
    return math.nan if _undefined(value) else amount(value)


def _price(value: object) -> float:
    return math.nan if _undefined(value) else number(value)


def _undefined(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _run_conflict(run: Run) -> str:
    if set(run.spent) != set(run.budget):
        return "`spent` and `budget` name different funds"
    if sum(run.served_by.values()) != run.served or run.served > run.arrivals:
        return "`served`, the sum of `served_by` and `arrivals` contradict each other"
    return ""


def _trace_conflict(trace: Trace) -> str:
    every = (trace.performance, *trace.spent.values(), *trace.price.values(), *trace.served_by.values())
    if any(len(one) != len(trace.at) for one in every):
        return "a series is not as long as `at`"
    if list(trace.at) != sorted(trace.at) or max(trace.at, default=0.0) > 1.0:
        return "`at` must never fall and stay within 0 and 1"
    return ""


META = Shape(Meta, dataset=text, models=series(text), sweep=_sweep, version=text)
RUN = Shape(
    Run, _run_conflict, key=text, policy=text, split=text, scenario=text, efficiency=_quotient, relative=_quotient
)
TRACE = Shape(Trace, _trace_conflict, key=text, policy=text, split=text, scenario=text, price=named(series(_price)))
