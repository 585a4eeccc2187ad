"""What `ui/src/types.ts` says of the gateway's answers, read so that an answer can be held against it.

Knows just what stands in that file: interfaces and aliases of objects, arrays, tuples, records, unions, texts and the
basic types. A field that isn't described, or is described and isn't there, is found; so is a value of another type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TYPES = Path(__file__).parent.parent / "ui" / "src" / "types.ts"
TOKEN = re.compile(r'"[^"]*"|[A-Za-z_]\w*|[{}()\[\]<>|;:,=?]')
BASIC = {"string": str, "boolean": bool}


@dataclass(frozen=True)
class Kind:
    """A type: its form ("object", "array", "tuple", "record", "union", "text", "name") and what it is made of."""

    form: str
    name: str = ""
    parts: tuple[Kind, ...] = ()
    fields: dict[str, tuple[Kind, bool]] = field(default_factory=dict)


def read_types(text: str) -> dict[str, Kind]:
    """Every exported type by its name."""
    tokens = TOKEN.findall(re.sub(r"//[^\n]*", "", text))
    found: dict[str, Kind] = {}
    rest = _Tokens(tokens)
    while rest.here is not None:
        assert rest.next() == "export"
        word, name = rest.next(), rest.next()
        if word == "type":
            rest.take("=")
        found[name] = rest.kind()
        if rest.here == ";":
            rest.next()
    return found


class _Tokens:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._at = tokens, 0

    @property
    def here(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def take(self, token: str) -> None:
        found = self.next()
        assert found == token, f"{token} expected, {found} found after {self._tokens[self._at - 8 : self._at - 1]}"

    def kind(self) -> Kind:
        parts = [self._one()]
        while self.here == "|":
            self.next()
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Kind("union", parts=tuple(parts))

    def _one(self) -> Kind:
        token = self.next()
        if token == "{":
            found = Kind("object", fields=dict(self._fields()))
        elif token == "(":
            found = self.kind()
            self.take(")")
        elif token == "[":
            found = Kind("tuple", parts=tuple(self._listed("]")))
        elif token == "Record":
            self.take("<")
            found = Kind("record", parts=tuple(self._listed(">")))
        else:
            found = Kind("text", token[1:-1]) if token.startswith('"') else Kind("name", token)
        while self.here == "[":
            self.next()
            self.take("]")
            found = Kind("array", parts=(found,))
        return found

    def _fields(self) -> Iterator[tuple[str, tuple[Kind, bool]]]:
        while self.here != "}":
            name, optional = self.next(), self.here == "?"
            if optional:
                self.next()
            self.take(":")
            yield name, (self.kind(), optional)
            if self.here in (";", ","):
                self.next()
        self.next()

    def _listed(self, end: str) -> Iterator[Kind]:
        while self.here != end:
            if self._tokens[self._at + 1] == ":":  # a tuple's parts may have names
                self._at += 2
            yield self.kind()
            if self.here == ",":
                self.next()
        self.next()


def differences(value: Any, kind: Kind, types: dict[str, Kind], place: str = "") -> list[str]:
    """What of a value isn't as the type says; nothing where it fits."""
    if kind.form == "union":
        tried = [differences(value, part, types, place) for part in kind.parts]
        return min(tried, key=len) if all(tried) else []
    if kind.form == "name":
        return _named(value, kind.name, types, place)
    if kind.form == "text":
        return [] if value == kind.name else [f"{place}: {value!r} is not {kind.name!r}"]
    if kind.form == "object":
        return _object(value, kind, types, place)
    if kind.form == "record":
        return _all(value, dict, types, place, lambda: [(f".{key}", one, kind.parts[1]) for key, one in value.items()])
    if kind.form == "tuple":
        if isinstance(value, list) and len(value) != len(kind.parts):
            return [f"{place}: {len(value)} parts, not {len(kind.parts)}"]
        pairs = zip(value, kind.parts, strict=True) if isinstance(value, list) else ()
        return _all(value, list, types, place, lambda: [(f"[{i}]", *pair) for i, pair in enumerate(pairs)])
    return _all(value, list, types, place, lambda: [(f"[{i}]", one, kind.parts[0]) for i, one in enumerate(value)])


def _all(value: Any, is_a: type, types: dict[str, Kind], place: str, parts: Any) -> list[str]:
    if not isinstance(value, is_a):
        return [f"{place}: {value!r} is no {is_a.__name__}"]
    return [found for at, one, kind in parts() for found in differences(one, kind, types, place + at)]


def _named(value: Any, name: str, types: dict[str, Kind], place: str) -> list[str]:
    if name in types:
        return differences(value, types[name], types, place)
    fits = {
        "unknown": True,
        "null": value is None,
        "number": isinstance(value, int | float) and not isinstance(value, bool),
    }
    ok = fits[name] if name in fits else isinstance(value, BASIC[name])
    return [] if ok else [f"{place}: {value!r} is no {name}"]


def _object(value: Any, kind: Kind, types: dict[str, Kind], place: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place}: {value!r} is no object"]
    needed = {name for name, (_, optional) in kind.fields.items() if not optional}
    found = [f"{place}.{name} is missing" for name in sorted(needed - value.keys())]
    found += [f"{place}.{name} is not described" for name in sorted(value.keys() - kind.fields.keys())]
    for name in kind.fields.keys() & value.keys():
        found += differences(value[name], kind.fields[name][0], types, f"{place}.{name}")
    return found


def fits(value: Any, name: str) -> None:
    """Fails where a value isn't as a type of the file says."""
    types = read_types(TYPES.read_text())
    found = differences(value, types[name], types)
    assert not found, f"{name}: " + "; ".join(found[:20])
