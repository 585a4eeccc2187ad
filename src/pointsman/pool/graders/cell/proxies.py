"""What the tests hold in place of the code's own objects: each use of a proxy asks the code's process.

A proxy never equals a plain value unless its class inherits from a plain type and its plain part does: an object of
the code's own can't call itself equal to whatever it's compared with. Nor does it learn what it's compared with, or
reckoned with, unless the tests name its class: a function that should give a number can't give an object that makes
every difference zero.
"""

from __future__ import annotations

import builtins
import operator
import re
from collections.abc import Callable
from typing import Any

from pointsman.pool.graders.cell.channel import Channel, Message
from pointsman.pool.graders.cell.values import CHANGING, decode, encode, refill

SLOTS = ("_owner", "_number", "_type", "_plain")
CLASS_NAME = re.compile(r"\b[A-Z]\w*")
BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor", "lshift", "rshift")
UNARY = ("neg", "pos", "invert", "abs", "len", "iter", "next", "str", "bool", "int", "float", "complex", "index")
ORDER = ("lt", "le", "gt", "ge")
OTHERS = ("getitem", "setitem", "delitem", "round", "reversed")
MOST_TEXT = 200


class Tester:
    """The tests' side: asks the code's process, and lends it functions."""

    def __init__(self, reading: int, writing: int, tests: str) -> None:
        self.channel = Channel(reading, writing, self.answer)
        self.classes = frozenset(CLASS_NAME.findall(tests))
        self.lent: list[Callable[..., Any]] = []
        self.errors: dict[str, type[Exception]] = {}

    def do(self, operation: str, on: int, *args: Any, **named: Any) -> Any:
        """The result of one operation on one of the code's objects; changed arguments are changed here too.

        Raises:
            Exception: what the code raised, as the nearest class that is known here.
        """
        written = [self.write(one) for one in args]
        names = {name: self.write(one) for name, one in named.items()}
        found = self.channel.ask({"do": operation, "on": on, "args": written, "named": names})
        if "raise" in found:
            raise self.error_of(found["raise"])
        after = found.get("after", [])
        for old, new in zip((*args, *named.values()), after, strict=False):
            if isinstance(old, CHANGING) and new is not None:
                refill(old, self.read(new))
        return self.read(found.get("ok"))

    def answer(self, question: Message) -> Message:
        """Calls a function that was lent to the code; nothing else can be asked of the tests."""
        try:
            function = self.lent[int(question["on"])]
            return {"ok": self.write(function(*[self.read(one) for one in question["args"]]))}
        except Exception as error:
            return {"raise": type(error).__name__}

    def error_of(self, described: Any) -> Exception:
        """An error of the code's, of its own class where the tests know it by name."""
        names = [str(name) for name in described.get("names", [])]
        args = [self.read(one) for one in described.get("args", [])]
        for name in names:
            kind = self.errors.get(name) or getattr(builtins, name, None)
            if isinstance(kind, type) and issubclass(kind, Exception) and kind is not Exception:
                return _raised(kind, args)
        return RuntimeError(f"{names[0] if names else 'error'}: {args}"[:MOST_TEXT])

    def learn_error(self, name: str, names: list[str]) -> type[Exception]:
        """A class to stand for an error class of the code's, below the same builtin class."""
        known = [getattr(builtins, base, None) for base in names[1:]]
        bases = [base for base in known if isinstance(base, type) and issubclass(base, Exception)]
        own = [self.errors[base] for base in names[1:] if base in self.errors]
        self.errors[name] = type(name, tuple((own or bases or [Exception])[:1]), {})
        return self.errors[name]

    def write(self, value: Any) -> Any:
        """A value as it goes out."""
        return encode(value, self.by_number)

    def by_number(self, value: Any) -> Message:
        """The number of the code's object, or of a function that is lent to it from now on."""
        if type(value) is Proxy:
            return {"yours": object.__getattribute__(value, "_number")}
        if not callable(value):
            raise TypeError(f"the tests can't hand over a {type(value).__name__}")
        self.lent.append(value)
        return {"mine": len(self.lent) - 1}

    def read(self, written: Any) -> Any:
        """A value as it comes in."""
        return decode(written, self.foreign)

    def foreign(self, tag: str, written: Message) -> Any:
        """A proxy, a function that it was lent, or a builtin class; builtin functions don't come in."""
        if tag == "mine":
            return Proxy(self, int(written["mine"]), str(written.get("type")), self.read(written.get("plain")))
        if tag == "yours":
            return self.lent[int(written["yours"])]
        found = getattr(builtins, str(written.get("builtin")), None)
        if not isinstance(found, type):
            raise TypeError("this can't be handed over")
        return found


def _raised(kind: type[Exception], args: list[Any]) -> Exception:
    try:
        return kind(*args)
    except Exception:
        return RuntimeError(f"{kind.__name__}: {args}"[:MOST_TEXT])


class Proxy:
    """Stands for one object of the code's process."""

    __slots__ = SLOTS

    def __init__(self, owner: Tester, number: int, kind: str, plain: Any) -> None:
        for name, value in zip(SLOTS, (owner, number, kind, plain), strict=True):
            object.__setattr__(self, name, value)

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._owner.do("call", self._number, *args, **named)

    def __getattr__(self, name: str) -> Any:
        return self._owner.do("getattr", self._number, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._owner.do("setattr", self._number, name, value)

    def __delattr__(self, name: str) -> None:
        self._owner.do("delattr", self._number, name)

    def __instancecheck__(self, instance: Any) -> bool:
        return type(instance) is Proxy and bool(instance._owner.do("isinstance", instance._number, self))

    def __eq__(self, other: object) -> bool:
        if type(other) is Proxy:
            return bool(self._owner.do("eq", self._number, other))
        return self._plain is not None and bool(self._plain == other)

    def __hash__(self) -> int:
        return int(self._owner.do("hash", self._number))

    def __enter__(self) -> Any:
        return self._owner.do("enter", self._number)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return bool(self._owner.do("leave", self._number, kind, None, None))

    def __repr__(self) -> str:
        return str(self._owner.do("repr", self._number))[:MOST_TEXT]


def _forward(operation: str) -> Callable[..., Any]:
    def method(self: Proxy, *args: Any) -> Any:
        return self._owner.do(operation, self._number, *args)

    return method


def _reckoned(operation: str) -> Callable[[Proxy, Any], Any]:
    def method(self: Proxy, other: Any) -> Any:
        if type(other) is Proxy or self._type in self._owner.classes:
            return self._owner.do(operation, self._number, other)
        if self._plain is None:
            return NotImplemented
        return getattr(operator, operation)(self._plain, other)

    return method


def _contains(self: Proxy, item: Any) -> bool:
    if self._type in self._owner.classes:
        return bool(self._owner.do("contains", self._number, item))
    return any(one == item for one in iter(self))


setattr(Proxy, "__contains__", _contains)  # noqa: B010 - as all the others
for _name in (*UNARY, *OTHERS):
    setattr(Proxy, f"__{_name}__", _forward(_name))
for _name in (*BINARY, *ORDER):
    setattr(Proxy, f"__{_name.strip('_')}__", _reckoned(_name))
