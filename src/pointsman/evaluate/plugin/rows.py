"""The saved rows of `bench plugin`: what a row is, and the strict way from and to plain JSON values.

`PluginMeta` says what was run on what; a `PluginRow` is one variant on one order of arrivals, newcomer and leaver;
`PluginRows` is a whole folder, from which every table, picture and export is made. Refuses a missing, unknown or unfit
field and a row that contradicts itself. Opens no file (`folder`), computes no mean (`summary`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

from pointsman.errors import InputError
from pointsman.evaluate.rows import excerpt, json_value

ROWS_FILE = "rides.jsonl"
MOMENTS = 101  # shares 0, 0.01, ..., 1 of the arrivals


@dataclass(frozen=True, slots=True)
class PluginMeta:
    """What a folder of rows is about.

    Attributes:
        dataset: title of the outcome set.
        simulated: True where no real model answered.
        models: ids of all M models.
        test, history: numbers of queries.
        split, factor: of the budget.
        newcomers: how many models join in every order, 0 for all that may.
        embedder: text to vectors.
        left_out: one sentence on rows and models that were not used; empty if none.
        command: the command line that made the rows.
        seed: what all randomness comes from.
        version: of Pointsman.
    """

    dataset: str
    simulated: bool
    models: tuple[str, ...]
    test: int
    history: int
    split: str
    factor: float
    newcomers: int
    embedder: str
    left_out: str
    command: str
    seed: int
    version: str


@dataclass(frozen=True, slots=True)
class PluginRow:
    """One variant on one pair.

    Attributes:
        key: stable id; a folder holds it once.
        variant, probes, order, newcomer, leaver: what was run; `probes` is 0 for a reference.
        arrivals: queries in all.
        joins, leaves: the first arrivals with the newcomer (all of them: it never came) and without the leaver.
        performance: sum of the scores of the served queries.
        cost_usd: what they cost.
        served, served_by_newcomer: queries served, in all and by the newcomer.
        fund_usd, spent_usd: what the newcomer's fund held, and what was spent of it.
        probes_usd: what its probes cost outside of the fund.
        settled: arrivals after joining until its budget is well spent, see `spending`; None if never.
        progress: sum of scores at `MOMENTS` even shares of the arrivals.
        seconds: placing and replaying.
    """

    key: str
    variant: str
    probes: int
    order: int
    newcomer: str
    leaver: str
    arrivals: int
    joins: int
    leaves: int
    performance: float
    cost_usd: float
    served: int
    served_by_newcomer: int
    fund_usd: float
    spent_usd: float
    probes_usd: float
    settled: int | None
    progress: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class PluginRows:
    """A folder, read: its meta, and its rows in the order they were written."""

    meta: PluginMeta
    rows: tuple[PluginRow, ...]


Record = TypeVar("Record", PluginMeta, PluginRow)


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


def _count_or_none(value: object) -> int | None:
    return None if value is None else _count(value)


def _amount(value: object) -> float:
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    # Compared before it is converted: a whole number of 400 digits has no float.
    if not real or not 0 <= value < 1e300:  # type: ignore[operator]
        raise ValueError("a finite number of at least zero")
    return float(value)  # type: ignore[arg-type]


def _many(check: Callable[[object], Any]) -> Callable[[object], tuple[Any, ...]]:
    def checked(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError("a list")
        return tuple(check(item) for item in value)

    return checked


# By the field's annotation, which is text here (`from __future__ import annotations`).
_CHECKS: dict[object, Callable[[object], object]] = {
    "str": _text,
    "bool": _flag,
    "int": _count,
    "int | None": _count_or_none,
    "float": _amount,
    "tuple[str, ...]": _many(_text),
    "tuple[float, ...]": _many(_amount),
}


def record_of(kind: type[Record], raw: object, place: str, remedy: str) -> Record:
    """A `kind` from plain or NumPy values; InputError at `place` for a missing, unknown or unfit field."""
    if not isinstance(raw, Mapping):
        raise InputError("expected a JSON object", place=place, remedy=remedy)
    checks = {one.name: _CHECKS[one.type] for one in fields(kind)}
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
    if isinstance(record, PluginRow) and (conflict := _conflict(record)):
        raise InputError(conflict, place=place, remedy=remedy)
    return record


def _conflict(row: PluginRow) -> str:
    """What in a row contradicts itself; empty if nothing."""
    if len(row.progress) != MOMENTS:
        return f"`progress` must have {MOMENTS} values"
    if row.spent_usd > row.fund_usd * (1 + 1e-9):
        return "`spent_usd` is more than `fund_usd`"
    if not row.served_by_newcomer <= row.served <= row.arrivals:
        return "`served_by_newcomer`, `served` and `arrivals` contradict each other"
    return ""


def checked_values(record: Record, place: str) -> dict[str, object]:
    """The record as JSON values, once it is found fit to be saved.

    Raises:
        InputError: a value is not.
    """
    raw = {field.name: getattr(record, field.name) for field in fields(record)}
    checked = record_of(type(record), raw, place, "")
    return {one.name: json_value(getattr(checked, one.name)) for one in fields(checked)}
