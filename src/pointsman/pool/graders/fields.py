"""Reads the fields of a grader's spec, and refuses what no grader can use, by name and with a remedy. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from math import isfinite
from typing import Any

from pointsman.errors import InputError


class Fields:
    """The fields of one spec; each is asked for once, and `done` refuses those that nobody asked for."""

    def __init__(self, spec: Mapping[str, Any], kind: str) -> None:
        self.spec, self.kind = spec, kind
        self.known = {"kind"}

    def refusal(self, name: str, what: str, remedy: str) -> InputError:
        """The error that says what is wrong with a field."""
        return InputError(f"`{name}` {what}", place=f"grader of kind `{self.kind}`", remedy=remedy)

    def _taken(self, name: str) -> Any:
        self.known.add(name)
        return self.spec.get(name)

    def given(self, name: str) -> bool:
        """Whether the field is there."""
        self.known.add(name)
        return self.spec.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """A text; it must be there and not be blank where there is no default."""
        value = self._taken(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not (value.strip() or default is not None):
            raise self.refusal(name, "is no text" if value is not None else "is missing", f"write `{name}: …`")
        return value

    def texts(self, name: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """A text or a list of them, none blank."""
        value = self._taken(name)
        if value is None and default is not None:
            return tuple(default)
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list | tuple) or not (found or default is not None):
            raise self.refusal(name, "is no list of texts", f'write `{name}: ["…"]`')
        if not all(isinstance(one, str) and one.strip() for one in found):
            raise self.refusal(name, "holds something that is no text, or is blank", 'quote each: "3"')
        return tuple(found)

    def number(self, name: str, default: float | None = None, *, least: float | None = None) -> float:
        """A finite number, not below `least`."""
        value = self._taken(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(float(value)):
            raise self.refusal(name, "is no number", f"write for example `{name}: 1.5`")
        if least is not None and value < least:
            raise self.refusal(name, f"is {value}", f"use at least {least:g}")
        return float(value)

    def whole(self, name: str, default: int | None = None, *, least: int = 0, most: int = 10**9) -> int:
        """A whole number in a range."""
        value = self._taken(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.refusal(name, f"is {value!r}", f"use a whole number, {least} to {most}")
        return value

    def truth(self, name: str, *, default: bool = False) -> bool:
        """True or false."""
        value = self._taken(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.refusal(name, f"is {value!r}", "write true or false")
        return value

    def mapping(self, name: str) -> Mapping[str, Any]:
        """A mapping with names for keys; empty where there is none."""
        value = self._taken(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise self.refusal(name, "is no mapping of names", f"write `{name}: {{name: value}}`")
        return value

    def items(self, name: str) -> Sequence[Any]:
        """A list that isn't empty."""
        value = self._taken(name)
        if not isinstance(value, list | tuple) or not value:
            raise self.refusal(name, "is no list, or an empty one", f"write `{name}: […]`")
        return value

    def anything(self, name: str) -> Any:
        """The field as it is."""
        return self._taken(name)

    def one_of(self, name: str, allowed: Sequence[str], default: str) -> str:
        """One of a few words."""
        value = self._taken(name)
        if value is None:
            return default
        if value not in allowed:
            raise self.refusal(name, f"is {value!r}", f"use one of {', '.join(allowed)}")
        return str(value)

    def done(self) -> None:
        """Nothing else may be in the spec.

        Raises:
            InputError: a field that this kind doesn't have; says which was probably meant.
        """
        for name in self.spec:
            if name not in self.known:
                close = get_close_matches(str(name), sorted(self.known), n=1)
                remedy = f"did you mean `{close[0]}`" if close else f"use {', '.join(sorted(self.known))}"
                raise self.refusal(str(name), "is no field of this kind", remedy)
