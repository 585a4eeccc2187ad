"""The saved rows of a bench: what a run is, and the strict way from and to plain JSON values.

`Meta` says what was run on what, a `Run` is one policy on one order of arrivals, a `Trace` is how money, prices and
quality went over time; `Rows` is a whole folder, from which every table and picture is made.
Takes raw JSON or NumPy values and gives frozen records, and back. Refuses a missing, unknown or unfit field, and a
record that contradicts itself: nothing is guessed, and NaN becomes null, never zero.
Opens no file (`rows_folder`), computes no mean (`summary`), knows nothing of policies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar, get_args

import numpy as np

from pointsman.errors import InputError

Sweep = Literal["volume", "factor", "split", "k", "alpha", "eps", "history", "models", "embedder"]
SWEEPS: tuple[Sweep, ...] = get_args(Sweep)

META_FILE, RUNS_FILE, TRACES_FILE = "meta.json", "runs.jsonl", "traces.jsonl"


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


_WHOLE, _REAL = int | np.integer, int | float | np.integer | np.floating

Item = TypeVar("Item")
Record = TypeVar("Record", Meta, Run, Trace)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("text")
    return value


def _any_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("text, perhaps empty")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, _WHOLE) or value < 0:
        raise ValueError("a whole number of at least zero")
    return int(value)


def _number(value: object, wanted: str = "a finite number") -> float:
    if isinstance(value, bool) or not isinstance(value, _REAL):
        raise ValueError(wanted)
    try:
        number = float(value)
    except OverflowError:  # A whole number of 400 digits has no float.
        raise ValueError(wanted) from None
    if not math.isfinite(number):
        raise ValueError(wanted)
    return number


def _amount(value: object) -> float:
    wanted = "a finite number of at least zero"
    if (number := _number(value, wanted)) < 0:
        raise ValueError(wanted)
    return number


def _quotient(value: object) -> float:
    """An amount, or NaN for null: a quotient whose divisor was zero."""
    return math.nan if _undefined(value) else _amount(value)


def _price(value: object) -> float:
    return math.nan if _undefined(value) else _number(value)


def _undefined(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _sweep(value: object) -> Sweep | None:
    if value is not None and value not in SWEEPS:
        raise ValueError(f"null or one of {', '.join(SWEEPS)}")
    return value


def _series(check: Callable[[object], Item]) -> Callable[[object], tuple[Item, ...]]:
    def checked(value: object) -> tuple[Item, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError("a list")
        return tuple(check(item) for item in value)

    return checked


def _named(check: Callable[[object], Item]) -> Callable[[object], dict[str, Item]]:
    def checked(value: object) -> dict[str, Item]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise ValueError("an object of named values")
        return {name: check(item) for name, item in value.items()}

    return checked


_CHECKS: dict[str, dict[str, Callable[[object], object]]] = {
    "Meta": {
        "dataset": _text,
        "simulated": _flag,
        "models": _series(_text),
        "test": _count,
        "history": _count,
        "left_out": _any_text,
        "command": _any_text,
        "seed": _count,
        "sweep": _sweep,
        "version": _text,
    },
    "Run": {
        **dict.fromkeys(("key", "policy", "split", "scenario"), _text),
        **dict.fromkeys(("order", "test", "history", "models", "k", "served", "arrivals"), _count),
        **dict.fromkeys(("factor", "alpha", "eps", "performance", "cost_usd"), _amount),
        **dict.fromkeys(("decide_us_per_query", "seconds"), _amount),
        **dict.fromkeys(("efficiency", "relative"), _quotient),
        **dict.fromkeys(("budget", "spent"), _named(_amount)),
        "embedder": _any_text,
        "served_by": _named(_count),
    },
    "Trace": {
        **dict.fromkeys(("key", "policy", "split", "scenario"), _text),
        "factor": _amount,
        "at": _series(_amount),
        "spent": _named(_series(_amount)),
        "price": _named(_series(_price)),
        "served_by": _named(_series(_count)),
        "performance": _series(_amount),
    },
}


def record_of(kind: type[Record], raw: object, place: str, remedy: str) -> Record:
    """A `kind` from plain or NumPy values; InputError at `place` for a missing, unknown or unfit field."""
    checks = _CHECKS[kind.__name__]
    if not isinstance(raw, Mapping):
        raise InputError("expected a JSON object", place=place, remedy=remedy)
    if wrong := sorted(set(checks) ^ {str(name) for name in raw}):
        told = "is missing" if wrong[0] in checks else "is not a known field"
        raise InputError(f"`{wrong[0]}` {told}", place=place, remedy=remedy)
    values: dict[str, Any] = {}
    for name, check in checks.items():
        try:
            values[name] = check(raw[name])
        except ValueError as unfit:
            raise InputError(
                f"`{name}` is {excerpt(raw[name])}, expected {unfit}", place=place, remedy=remedy
            ) from None
    record = kind(**values)
    if conflict := _conflict(record):
        raise InputError(conflict, place=place, remedy=remedy)
    return record


def _conflict(record: Meta | Run | Trace) -> str:
    """What in a record contradicts itself; empty if nothing."""
    if isinstance(record, Run):
        if set(record.spent) != set(record.budget):
            return "`spent` and `budget` name different funds"
        if sum(record.served_by.values()) != record.served or record.served > record.arrivals:
            return "`served`, the sum of `served_by` and `arrivals` contradict each other"
    if isinstance(record, Trace):
        series = (record.performance, *record.spent.values(), *record.price.values(), *record.served_by.values())
        if any(len(one) != len(record.at) for one in series):
            return "a series is not as long as `at`"
        if list(record.at) != sorted(record.at) or max(record.at, default=0.0) > 1.0:
            return "`at` must never fall and stay within 0 and 1"
    return ""


def excerpt(value: object) -> str:
    """A value as a message shows it: cut after 60 letters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def plain_values(record: Meta | Run | Trace) -> dict[str, object]:
    """The record as JSON values: NaN as null, tuples as lists."""
    return {field.name: json_value(getattr(record, field.name)) for field in fields(record)}


def json_value(value: object) -> object:
    """A value as JSON knows it: NaN as null, tuples as lists."""
    if isinstance(value, Mapping):
        return {name: json_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    return None if _undefined(value) else value
