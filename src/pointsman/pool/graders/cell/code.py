"""The process of a model's code: loads it, locked, then does what its tests ask, object by object.

It never sees the tests, nor the pipe on which their verdict goes out. It can answer wrongly, late or not at all.
"""

from __future__ import annotations

import builtins
import operator
import re
import sys
from types import ModuleType
from typing import Any

from pointsman.pool.graders.cell import locks
from pointsman.pool.graders.cell.channel import Channel, Ended, Message
from pointsman.pool.graders.cell.values import CHANGING, decode, encode, plain_part

# Modules that only compute. Those that a code names are loaded before the locks close; there are no others after.
PERMITTED_NAMES = (
    "abc array base64 binascii bisect calendar cmath collections colorsys contextlib copy csv dataclasses "
    "datetime decimal difflib enum errno fractions functools graphlib hashlib heapq hmac html inspect io "
    "itertools json keyword locale logging math numbers operator pprint queue random re statistics string "
    "struct sys textwrap threading time timeit traceback types typing unicodedata uuid warnings weakref "
    "zlib zoneinfo ast doctest ipaddress pathlib secrets shlex unittest "
)
PERMITTED = frozenset(PERMITTED_NAMES.split())
CODECS = ["latin_1", "iso8859_1", "cp1252", "utf_8_sig", "utf_16", "utf_16_le", "utf_16_be", "hex_codec", "rot_13"]
LATER = {"strptime": "_strptime", "urllib.parse": "urllib.parse", "html.parser": "html.parser"}

OPERATIONS: dict[str, Any] = {
    **{name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge", "contains", "neg", "index")},
    **{name: getattr(operator, name) for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")},
    **{name: getattr(operator, name) for name in ("and_", "or_", "xor", "lshift", "rshift", "pos", "invert")},
    **{name: getattr(operator, name) for name in ("getitem", "setitem", "delitem")},
    **{
        name: getattr(builtins, name) for name in ("len", "iter", "next", "str", "repr", "hash", "bool", "int", "float")
    },
    **{name: getattr(builtins, name) for name in ("abs", "round", "reversed", "getattr", "setattr", "delattr")},
    **{name: getattr(builtins, name) for name in ("isinstance", "complex")},
    "call": lambda what, *args, **named: what(*args, **named),
    "enter": lambda what: type(what).__enter__(what),
    "leave": lambda what, *error: type(what).__exit__(what, *error),
}


def load_permitted(source: str) -> None:
    """Loads the permitted modules that the source names anywhere."""
    for name in sorted(PERMITTED & set(re.findall(r"[a-z_0-9]+", source))):
        __import__(name)
    # Found only when first used, which is too late for a locked process.
    for word, name in LATER.items():
        if word in source:
            __import__(name)
    if "encode" in source or "decode" in source:
        for codec in CODECS:
            __import__(f"encodings.{codec}")


class Owner:
    """Keeps the objects that the tests hold a number of, and does what they ask of them."""

    def __init__(self, reading: int, writing: int) -> None:
        self.channel = Channel(reading, writing, self.answer)
        self.objects: list[Any] = []

    def answer(self, question: Message) -> Message:
        """What one operation gave, or the error that it raised, and what it did to its arguments."""
        try:
            args = [self.read(one) for one in question["args"]]
            named = {name: self.read(one) for name, one in question["named"].items()}
            found = OPERATIONS[question["do"]](self.objects[question["on"]], *args, **named)
            after = [self.write(one) if isinstance(one, CHANGING) else None for one in (*args, *named.values())]
            return {"ok": self.write(found), "after": after}
        except Ended:
            raise
        except BaseException as error:
            return {"raise": self.described(error)}

    def described(self, error: BaseException) -> Message:
        """An error's classes, text and plain arguments."""
        try:
            args = [self.write(one) for one in error.args]
            return {"names": [base.__name__ for base in type(error).__mro__], "args": args}
        except BaseException:
            return {"names": ["RuntimeError"], "args": []}

    def write(self, value: Any) -> Any:
        """A value as it goes out."""
        return encode(value, self.by_number)

    def by_number(self, value: Any) -> Message:
        """An object's number, its class's name, and what is plain about it."""
        if isinstance(value, Callback):
            return {"yours": value.number}
        self.objects.append(value)
        part = plain_part(value)
        inside = {} if part is None else {"plain": self.write(part)}
        return {"mine": len(self.objects) - 1, "type": type(value).__name__, **inside}

    def read(self, written: Any) -> Any:
        """A value as it comes in."""
        return decode(written, self.foreign)

    def foreign(self, tag: str, written: Message) -> Any:
        """One of its own objects, a function of the tests, or a builtin."""
        if tag == "yours":
            return self.objects[written["yours"]]
        if tag == "mine":
            return Callback(self, written["mine"])
        return getattr(builtins, written["builtin"])

    def exported(self, names: dict[str, Any]) -> Message:
        """All that the code defines: values and numbers of objects, and the errors of its own with their bases."""
        found: Message = {}
        for name, value in names.items():
            if name.startswith("__") or isinstance(value, ModuleType):
                continue
            if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == "candidate":
                found[name] = {"error": value.__name__, "names": [base.__name__ for base in value.__mro__]}
            else:
                found[name] = {"value": self.write(value)}
        return found


class Callback:
    """A function of the tests, for the code to call."""

    def __init__(self, owner: Owner, number: int) -> None:
        self.owner, self.number = owner, number

    def __call__(self, *args: Any) -> Any:
        """Asks the tests' process for the result."""
        question = {"do": "call", "on": self.number, "args": [self.owner.write(one) for one in args], "named": {}}
        found = self.owner.channel.ask(question)
        if "ok" in found:
            return self.owner.read(found["ok"])
        raise getattr(builtins, found["raise"], RuntimeError)("raised by a function of the tests")


def run(source: str, reading: int, writing: int, bars: dict[str, Any]) -> None:
    """Locks this process, executes the code, tells the tests what it defines, and serves them until they end."""
    owner = Owner(reading, writing)
    load_permitted(source)
    try:
        force = locks.lock(**bars)
    except locks.Unlocked as error:
        owner.channel.send({"refused": str(error)})
        return
    for name in [name for name in sys.modules if name.startswith(("ctypes", "_ctypes", "pointsman"))]:
        del sys.modules[name]
    module = ModuleType("candidate")
    sys.modules["candidate"] = module
    owner.channel.send({"locked": force})
    try:
        exec(compile(source, "<reply>", "exec"), module.__dict__)  # noqa: S102 - this is what the cell is for
        exported = owner.exported(module.__dict__)
    except BaseException as error:
        owner.channel.send({"raise": owner.described(error)})
        return
    owner.channel.send({"names": exported})
    owner.channel.serve()
