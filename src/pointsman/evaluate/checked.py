"""Strict checks of single values, and the one way from plain JSON values to a frozen record and back.

A check takes a plain or NumPy value and gives Python's own; a ValueError says in words what was expected. A `Shape`
holds a record's checks, field by field. Refuses a missing, unknown or unfit field and a record that contradicts
itself: nothing is guessed, and what isn't finite becomes null, never zero. Opens no file, knows no bench.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, get_type_hints

import numpy as np

from pointsman.errors import InputError

Item = TypeVar("Item")
Record = TypeVar("Record")

Check = Callable[[object], object]

_WHOLE, _REAL = int | np.integer, int | float | np.integer | np.floating


def text(value: object) -> str:
    """Text that isn't empty."""
    if not isinstance(value, str) or not value:
        raise ValueError("text")
    return value


def any_text(value: object) -> str:
    """Text, perhaps empty."""
    if not isinstance(value, str):
        raise ValueError("text, perhaps empty")
    return value


def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def count(value: object) -> int:
    """A whole number of at least zero."""
    if isinstance(value, bool) or not isinstance(value, _WHOLE) or value < 0:
        raise ValueError("a whole number of at least zero")
    return int(value)


def number(value: object, wanted: str = "a finite number") -> float:
    """A finite number; `wanted` is what is told of another value."""
    if isinstance(value, bool) or not isinstance(value, _REAL):
        raise ValueError(wanted)
    try:
        found = float(value)
    except OverflowError:  # A whole number of 400 digits has no float.
        raise ValueError(wanted) from None
    if not math.isfinite(found):
        raise ValueError(wanted)
    return found


def amount(value: object) -> float:
    """A finite number of at least zero."""
    wanted = "a finite number of at least zero"
    if (found := number(value, wanted)) < 0:
        raise ValueError(wanted)
    return found


def series(check: Callable[[object], Item]) -> Callable[[object], tuple[Item, ...]]:
    """A list of what `check` takes."""

    def checked(value: object) -> tuple[Item, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError("a list")
        return tuple(check(item) for item in value)

    return checked


def named(check: Callable[[object], Item]) -> Callable[[object], dict[str, Item]]:
    """An object whose values are what `check` takes."""

    def checked(value: object) -> dict[str, Item]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise ValueError("an object of named values")
        return {name: check(item) for name, item in value.items()}

    return checked


def one_of(words: tuple[str, ...]) -> Callable[[object], str]:
    """One of these words."""

    def checked(value: object) -> str:
        if value not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return str(value)

    return checked


# What a field is held to if its record's shape says nothing else of it.
_BY_TYPE: dict[object, Check] = {
    str: any_text,
    bool: flag,
    int: count,
    float: amount,
    tuple[str, ...]: series(any_text),
    tuple[float, ...]: series(amount),
    Mapping[str, int]: named(count),
    Mapping[str, float]: named(amount),
    Mapping[str, tuple[int, ...]]: named(series(count)),
    Mapping[str, tuple[float, ...]]: named(series(amount)),
}


def nothing_wrong(_: object) -> str:
    """The `conflict` of a record whose fields don't bear on each other."""
    return ""


class Shape(Generic[Record]):
    """What makes values a record of `kind`.

    Args:
        kind: a frozen dataclass.
        conflict: what in a record contradicts itself, in words; empty if nothing.
        own: checks by field, for those that aren't held to what their type says.
    """

    def __init__(self, kind: type[Record], conflict: Callable[[Record], str] = nothing_wrong, /, **own: Check) -> None:
        self._kind: Callable[..., Record] = kind
        self._conflict = conflict
        types = get_type_hints(kind)
        self._checks = {name: own[name] if name in own else _BY_TYPE[types[name]] for name in types}

    @property
    def names(self) -> tuple[str, ...]:
        """Of the record's fields."""
        return tuple(self._checks)

    def read(self, raw: object, place: str, remedy: str) -> Record:
        """The record from plain or NumPy values.

        Raises:
            InputError: at `place`, for a missing, unknown or unfit field, or a record that contradicts itself.
        """
        if not isinstance(raw, Mapping):
            raise InputError("expected a JSON object", place=place, remedy=remedy)
        if wrong := sorted(set(self._checks) ^ {str(name) for name in raw}):
            told = "is missing" if wrong[0] in self._checks else "is not a known field"
            raise InputError(f"`{wrong[0]}` {told}", place=place, remedy=remedy)
        values: dict[str, Any] = {}
        for name, check in self._checks.items():
            try:
                values[name] = check(raw[name])
            except ValueError as unfit:
                told = f"`{name}` is {excerpt(raw[name])}, expected {unfit}"
                raise InputError(told, place=place, remedy=remedy) from None
        record = self._kind(**values)
        if conflict := self._conflict(record):
            raise InputError(conflict, place=place, remedy=remedy)
        return record

    def values(self, record: Record, place: str) -> dict[str, object]:
        """The record as JSON values, once it is found fit to be saved.

        Raises:
            InputError: at `place`, if it is not.
        """
        fit = self.read({name: getattr(record, name) for name in self._checks}, place, "")
        return {name: json_value(getattr(fit, name)) for name in self._checks}


def excerpt(value: object) -> str:
    """A value as a message shows it: cut after 60 letters."""
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def json_value(value: object) -> object:
    """A value as JSON knows it: NaN and infinity as null, tuples as lists."""
    if isinstance(value, Mapping):
        return {name: json_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
