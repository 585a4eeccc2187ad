"""Values as they cross from one process to the other: plain ones by value, all others by a number.

A plain value is written as JSON: itself where JSON has it, else a mapping of one tag. What isn't plain stays where it
is: `{"mine": 7}` is the sender's object 7, `{"yours": 7}` the receiver's. So what a model's code hands to its tests
is either plain data, rebuilt here from text and without any behaviour of the code's own, or a proxy.
"""

from __future__ import annotations

import builtins
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

Encode = Callable[[Any], Any]

# Type -> tag, how it's written with plain values, how it's read back from them.
SHAPES: dict[type, tuple[str, Encode, Encode]] = {
    bytes: ("bytes", bytes.hex, bytes.fromhex),
    bytearray: ("bytearray", bytearray.hex, bytearray.fromhex),
    tuple: ("tuple", list, tuple),
    set: ("set", list, set),
    frozenset: ("frozenset", list, frozenset),
    dict: ("dict", lambda value: [list(pair) for pair in value.items()], dict),
    Counter: ("Counter", lambda value: [list(pair) for pair in value.items()], lambda pairs: Counter(dict(pairs))),
    OrderedDict: ("OrderedDict", lambda value: [list(pair) for pair in value.items()], OrderedDict),
    defaultdict: (
        "defaultdict",
        lambda value: [list(pair) for pair in value.items()],
        lambda pairs: defaultdict(None, pairs),
    ),
    deque: ("deque", list, deque),
    complex: ("complex", lambda value: [value.real, value.imag], lambda pair: complex(*pair)),
    range: ("range", lambda value: [value.start, value.stop, value.step], lambda ends: range(*ends)),
    Decimal: ("Decimal", str, Decimal),
    Fraction: ("Fraction", lambda value: [value.numerator, value.denominator], lambda parts: Fraction(*parts)),
    datetime: ("datetime", datetime.isoformat, datetime.fromisoformat),
    date: ("date", date.isoformat, date.fromisoformat),
    time: ("time", time.isoformat, time.fromisoformat),
    timedelta: (
        "timedelta",
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda parts: timedelta(*parts),
    ),
}
READ_BACK = {tag: read for tag, _, read in SHAPES.values()}
CHANGING = (list, dict, set, bytearray, deque)
INHERITED: tuple[Any, ...] = (int, float, str, bytes, tuple, list, dict, set, frozenset)
JSON_INTEGERS = 2**63


def encode(value: Any, foreign: Encode) -> Any:
    """A value as JSON can carry it.

    Args:
        value: anything.
        foreign: how to write what isn't plain.

    Raises:
        RecursionError: it contains itself.
    """
    kind = type(value)
    if value is None or kind in (bool, str, float) or (kind is int and -JSON_INTEGERS < value < JSON_INTEGERS):
        return value
    if kind is int:
        return {"int": hex(value)}
    if kind is list:
        return [encode(one, foreign) for one in value]
    if kind in SHAPES:
        tag, write, _ = SHAPES[kind]
        return {tag: encode(write(value), foreign)}
    if (name := getattr(value, "__name__", None)) and getattr(builtins, str(name), None) is value:
        return {"builtin": str(name)}
    return foreign(value)


def decode(written: Any, foreign: Callable[[str, dict[str, Any]], Any]) -> Any:
    """The value that was written.

    Args:
        written: what `encode` gave, from the other side: anything may be wrong with it.
        foreign: reads the tags that aren't plain ("mine", "yours", "builtin").

    Raises:
        ValueError, TypeError, ArithmeticError, LookupError: it's no value.
    """
    if isinstance(written, list):
        return [decode(one, foreign) for one in written]
    if not isinstance(written, dict):
        return written
    ((tag, content), *_) = written.items()
    if tag == "int":
        return int(content, 16)
    if tag in READ_BACK:
        return READ_BACK[tag](decode(content, foreign))
    return foreign(tag, written)


def plain_part(value: Any) -> Any:
    """The plain value inside an object whose class inherits from a plain type, such as a named tuple; else None."""
    for base in INHERITED:
        if isinstance(value, base):
            return base(value)
    return None


def refill(old: Any, new: Any) -> None:
    """Gives a list, mapping or set the content of another of its kind, as the function that was handed it left it."""
    if type(old) is not type(new) or old == new:
        return
    if isinstance(old, dict | set):
        old.clear()
        old.update(new)
    elif isinstance(old, list | bytearray):
        old[:] = new
    elif isinstance(old, deque):
        old.clear()
        old.extend(new)
