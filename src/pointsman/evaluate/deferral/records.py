"""The saved rows of `bench deferral`: what a row is, and the strict way from and to plain JSON values.

`DeferralMeta` says what was run on what; a `TrialRow` is one method on one trial's prompts and models with one number
of probes; `DeferralRows` is a whole folder, from which every table, picture and export is made.
Refuses a missing, unknown or unfit field. A QNC that is never reached is infinite here and null in JSON.
Opens no file (`rows`), computes no mean (`summary`), knows nothing of methods.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from pointsman.errors import InputError
from pointsman.evaluate.deferral.curve import POINTS
from pointsman.evaluate.rows import excerpt

ROWS_FILE = "trials.jsonl"

PROBINGS = ("random", "picked")
COSTS = ("constant", "estimated")


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One method on one trial.

    Attributes:
        key: stable id; a folder holds it once.
        trial: its number; the same number has the same prompts and models for every method.
        method: its name, see `roster`.
        probes: labelled prompts of every unseen model; 0 in a static pool, where all labels are there.
        probing: how the probes were chosen, "random" or "picked".
        area, area50, qnc, peak: see `curve`; `qnc` is infinite where the curve never gets there.
        seconds: fitting, placing and estimating, on one core.
        relative_cost, quality: the curve at 101 even relative costs from 0 to 1.
        intervals, covered: 90 % intervals looked at, and those that held; 0 and 0 where a method gives none.
    """

    key: str
    trial: int
    method: str
    probes: int
    probing: str
    area: float
    area50: float
    qnc: float
    peak: float
    seconds: float
    relative_cost: tuple[float, ...]
    quality: tuple[float, ...]
    intervals: int
    covered: int


@dataclass(frozen=True, slots=True)
class DeferralMeta:
    """What a folder of rows is about.

    Attributes:
        dataset: title of the outcome set.
        simulated: True where no real model answered.
        models: ids of all models.
        prompts: how many, in all.
        known, unseen: numbers of models in either part; both are all models in a static pool.
        shift: whole tasks were held out for the test.
        static: every model was known.
        costs: "constant" or "estimated", what decisions took the costs to be.
        left_out: one sentence on rows and models that were not used; empty if none.
        command: the command line that made the rows.
        seed: what all randomness comes from.
        version: of Pointsman.
        embedder: text to vectors.
    """

    dataset: str
    simulated: bool
    models: tuple[str, ...]
    prompts: int
    known: int
    unseen: int
    shift: bool
    static: bool
    costs: str
    left_out: str
    command: str
    seed: int
    version: str
    embedder: str = "wordllama"


@dataclass(frozen=True)
class DeferralRows:
    """A folder, read: its meta, and its rows in the order they were written."""

    meta: DeferralMeta
    rows: tuple[TrialRow, ...]


Record = TypeVar("Record", TrialRow, DeferralMeta)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("text")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise ValueError("a whole number of at least zero")
    return int(value)


def _amount(value: object) -> float:
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    # Compared before it is converted: a whole number of 400 digits has no float.
    if not real or not 0 <= value < 1e300:  # type: ignore[operator]
        raise ValueError("a finite number of at least zero")
    return float(value)  # type: ignore[arg-type]


def _ratio(value: object) -> float:
    """An amount, or infinity for null."""
    return math.inf if value is None or (isinstance(value, float) and value == math.inf) else _amount(value)


def _list(value: object) -> list[object] | tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError("a list")
    return value


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(item) for item in _list(value))


def _amounts(value: object) -> tuple[float, ...]:
    return tuple(_amount(item) for item in _list(value))


def _one_of(words: tuple[str, ...]) -> Callable[[object], str]:
    def checked(value: object) -> str:
        if value not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return str(value)

    return checked


_CHECKS: dict[str, dict[str, Callable[[object], object]]] = {
    "TrialRow": {
        **dict.fromkeys(("key", "method"), _text),
        **dict.fromkeys(("trial", "probes", "intervals", "covered"), _count),
        **dict.fromkeys(("area", "area50", "peak", "seconds"), _amount),
        **dict.fromkeys(("relative_cost", "quality"), _amounts),
        "probing": _one_of(PROBINGS),
        "qnc": _ratio,
    },
    "DeferralMeta": {
        **dict.fromkeys(("dataset", "left_out", "command", "version", "embedder"), _text),
        **dict.fromkeys(("simulated", "shift", "static"), _flag),
        **dict.fromkeys(("prompts", "known", "unseen", "seed"), _count),
        "models": _texts,
        "costs": _one_of(COSTS),
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
            told = f"`{name}` is {excerpt(raw[name])}, expected {unfit}"
            raise InputError(told, place=place, remedy=remedy) from None
    record = kind(**values)
    if isinstance(record, TrialRow) and (conflict := _conflict(record)):
        raise InputError(conflict, place=place, remedy=remedy)
    return record


def _conflict(row: TrialRow) -> str:
    """What in a row contradicts itself; empty if nothing."""
    if len(row.relative_cost) != POINTS or len(row.quality) != POINTS:
        return f"`relative_cost` and `quality` must have {POINTS} values each"
    if row.covered > row.intervals:
        return f"{row.covered} intervals held of {row.intervals}"
    return ""


def json_value(value: object) -> object:
    """A value as JSON knows it: infinity and NaN as null, tuples as lists."""
    if isinstance(value, Mapping):
        return {name: json_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def checked_values(record: Record, place: str) -> dict[str, object]:
    """The record as JSON values, once it is found fit to be saved.

    Raises:
        InputError: a value is not.
    """
    raw = {field.name: getattr(record, field.name) for field in fields(record)}
    checked = record_of(type(record), raw, place, "")
    return {field.name: json_value(getattr(checked, field.name)) for field in fields(checked)}
