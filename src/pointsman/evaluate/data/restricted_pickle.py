"""Tables out of a pickle, without running it.

RouterBench is published as a pickled pandas DataFrame, and unpickling runs whatever the file asks for. Here every
name that a pickle may ask for is mapped to an inert stand-in of ours that only remembers what it was given; no class
or function of pandas, numpy or the standard library is ever looked up, and any other name is refused. numpy itself
is not trusted with the file either (a forged `dtype` state can make it read raw bytes as object pointers): arrays
are rebuilt from their bytes for a fixed list of plain dtypes. The reader is the standard library's own in Python, cut
down to the opcodes that a table needs: the one in C is four times faster, but a file of ten bytes can make it ask for
gigabytes.

Takes a file with one DataFrame of text, number and boolean columns, as written by pandas 1.x, 2.x or 3.x; gives its
columns. Refuses everything else: other objects, extension columns, dates, nested values, several objects in one file.
"""

from __future__ import annotations

import io
import math
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import InputError

Column = NDArray[Any]
"""One column [rows]: float, int or bool, or object holding str, float, int, bool or None."""

PLAIN_DTYPES = ("f8", "f4", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1")
BYTE_ORDERS = {"<": "<", ">": ">", "=": "<", "|": "<"}
PLAIN_VALUES = (str, float, int, bool, type(None))


class Refused(Exception):  # noqa: N818 - it says why; the error a person reads is an InputError
    """The pickle asks for something that no table of plain columns needs."""


DAMAGE = (
    Refused,
    pickle.UnpicklingError,
    *(OSError, EOFError, ImportError, ValueError, TypeError, AttributeError, LookupError),
    *(ArithmeticError, MemoryError, RecursionError),
)
"""Everything that bytes which are no table can make the reader raise."""


def read_pickled_table(path: Path) -> dict[str, Column]:
    """The columns of the DataFrame pickled in `path`, by name, in order; nothing in the file is executed.

    Raises:
        InputError: the file is not readable, is no such table, or asks for anything beyond one.
    """
    try:
        file = io.BytesIO(path.read_bytes())
        frame = _Reader(file).load()
        if file.read(1) or not isinstance(frame, _Frame):
            raise Refused("it holds something other than one table")
        return frame.columns()
    except DAMAGE as error:
        raise InputError(
            f"is not a pickled table of plain columns: {error if isinstance(error, Refused) else 'it is damaged'}",
            place=str(path),
            remedy="fetch it again; do not open it with pandas or pickle, which would run what it asks for",
        ) from error


OPCODES = (
    *("PROTO", "FRAME", "STOP", "MARK", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
    *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
    *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT"),
    *("GLOBAL", "STACK_GLOBAL", "REDUCE", "NEWOBJ", "BUILD"),
)
"""What a table needs: no persistent ids, no extension registry, no out-of-band buffers, no sets, no protocol 0 or 1."""


class _Reader(pickle._Unpickler):
    """The standard opcode reader, with the only door to the outside world walled up."""

    read: Callable[[int], bytes]
    append: Callable[[object], None]
    pop_mark: Callable[[], list[object]]
    stack: list[Any]

    def find_class(self, module: str, name: str) -> object:
        """The stand-in for `module.name`, by exact name: no import, no attribute look-up, no dotted path."""
        try:
            return STAND_INS[module, name]
        except KeyError:
            raise Refused(f"it asks for `{module}.{name}`") from None

    def _bytearray8(self) -> None:
        size = int.from_bytes(self.read(8), "little")
        data = self.read(min(size, sys.maxsize))  # never allocate what a file merely claims to hold
        if len(data) != size:
            raise Refused("it ends too early")
        self.append(bytearray(data))

    def _setitem(self) -> None:
        value = self.stack.pop()
        self._fill([self.stack.pop(), value])

    def _setitems(self) -> None:
        self._fill(self.pop_mark())

    def _fill(self, items: list[object]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or not all(type(key) is str for key in items[::2]):
            raise Refused("a mapping has strange keys")
        target.update(zip(items[::2], items[1::2], strict=True))

    dispatch: ClassVar[dict[int, Callable[..., None]]] = {
        **{getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]] for name in OPCODES},
        pickle.BYTEARRAY8[0]: _bytearray8,
        pickle.SETITEM[0]: _setitem,
        pickle.SETITEMS[0]: _setitems,
    }


# --- stand-ins: what the names in the file stand for ---------------------------------------------------------------


class _Inert:
    """Base of every stand-in: no attribute may be set from the file unless the class says how."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise Refused(f"it sets `{name}` on an object")

    def __setstate__(self, state: object) -> None:
        raise Refused("it sets the state of something that has none")

    def _put(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


class _Token(_Inert):
    """A class that the file merely names, such as numpy.ndarray; cannot be called."""

    __slots__ = ("name",)
    name: str

    def __init__(self, name: str) -> None:
        self._put(name=name)


class _Call(_Inert):
    """A function that the file may call, and what we do instead."""

    __slots__ = ("function",)
    function: Callable[..., object]

    def __init__(self, function: Callable[..., object]) -> None:
        self._put(function=function)

    def __call__(self, *args: object) -> object:
        return self.function(*args)


class _Dtype(_Inert):
    """numpy.dtype: a code out of a short list and a byte order; whatever else its state says must be empty."""

    __slots__ = ("code", "order")
    code: str
    order: str

    def __init__(self, code: object, *_: object) -> None:
        if code != "O8" and code not in PLAIN_DTYPES:
            raise Refused(f"it holds an array of dtype {code!r:.20}")
        self._put(code=code, order="<")

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or state[1] not in BYTE_ORDERS:
            raise Refused("a dtype has a strange state")
        if any(part is not None for part in state[2:5]):
            raise Refused("it holds an array of records")
        self._put(order=BYTE_ORDERS[state[1]])

    def plain(self) -> np.dtype[Any]:
        if self.code == "O8":
            raise Refused("it holds raw object pointers")
        return np.dtype(self.order + self.code)


class _Array(_Inert):
    """numpy.ndarray: rebuilt from bytes of a plain dtype, or from a list of plain values."""

    __slots__ = ("values",)
    values: Column

    def __init__(self, values: Column | None = None) -> None:
        self._put(values=np.empty(0) if values is None else values)

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise Refused("an array has a strange state")
        _, shape, dtype, fortran, data = state
        if isinstance(data, list) and isinstance(dtype, _Dtype) and dtype.code == "O8":
            self._put(values=_object_array(data, _shape(shape, len(data))))
        else:
            self._put(values=_plain_array(data, dtype, shape, "F" if fortran else "C"))


def _shape(shape: object, size: int) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape) or math.prod(shape) != size:
        raise Refused("an array's shape does not fit its data")
    return shape


def _object_array(data: list[object], shape: tuple[int, ...]) -> Column:
    if not all(isinstance(value, PLAIN_VALUES) for value in data):
        raise Refused("a cell holds something other than text or a number")
    flat = np.empty(len(data), object)
    flat[:] = data
    return flat.reshape(shape)


def _plain_array(data: object, dtype: object, shape: object, order: object, axes: object = None) -> Column:
    if not isinstance(data, bytes | bytearray) or not isinstance(dtype, _Dtype):
        raise Refused("an array's data are not bytes")
    flat = np.frombuffer(bytes(data), dtype.plain())
    dims = _shape(shape, len(flat))
    if order == "K" and isinstance(axes, tuple):
        return flat.reshape(dims).transpose(axes)
    return flat.reshape(dims, order="F" if order == "F" else "C")


def _reconstruct(kind: object, *_: object) -> _Array:
    if not isinstance(kind, _Token) or kind.name != "ndarray":
        raise Refused("it rebuilds something other than an array")
    return _Array()


def _frombuffer(data: object, dtype: object, shape: object, order: object, axes: object = None) -> _Array:
    return _Array(_plain_array(data, dtype, shape, order, axes))


def _scalar(dtype: object, data: object = b"") -> object:
    return _plain_array(data, dtype, (), "C").item()


def _latin1_bytes(text: object, encoding: object = "") -> bytes:
    """How Python 3 writes bytes in the old pickle protocols: `_codecs.encode(text, 'latin1')`."""
    if not isinstance(text, str) or encoding != "latin1":
        raise Refused("it encodes something other than bytes")
    return text.encode("latin1")


def _slice(*args: object) -> slice:
    if len(args) != 3 or not all(type(n) is int or n is None for n in args):
        raise Refused("a slice has strange bounds")
    return slice(*args)


class _Index(_Inert):
    """The labels of an axis: a list, or a range of which only the length matters."""

    __slots__ = ("labels",)
    labels: Sequence[object]

    def __init__(self, labels: Sequence[object]) -> None:
        self._put(labels=labels)


def _new_index(kind: object, state: object) -> _Index:
    if not isinstance(kind, _Token) or not isinstance(state, dict):
        raise Refused("an axis is strange")
    if kind.name == "RangeIndex":
        return _Index(range(*(_whole(state.get(key)) for key in ("start", "stop", "step"))))
    data = state.get("data")
    if not isinstance(data, _Array) or data.values.ndim != 1:
        raise Refused("an axis is not a plain list of labels")
    return _Index(data.values.tolist())


def _whole(value: object) -> int:
    if type(value) is not int:
        raise Refused("a range has strange bounds")
    return value


class _Block(_Inert):
    """Some columns of one dtype, [columns, rows], and which columns they are."""

    __slots__ = ("placement", "values")
    values: Column
    placement: slice | list[int]

    def __init__(self, values: object, placement: object) -> None:
        if not isinstance(values, _Array) or values.values.ndim != 2:
            raise Refused("a column is of an extension type, such as dates or categories")
        if isinstance(placement, _Array) and placement.values.dtype.kind in "iu":
            placement = [int(n) for n in placement.values.ravel()]
        if not isinstance(placement, slice | list):
            raise Refused("a block of columns is strange")
        self._put(values=values.values, placement=placement)


def _unpickle_block(values: object, placement: object, *_: object) -> _Block:
    return _Block(values, placement)


class _Manager(_Inert):
    """pandas' BlockManager: its blocks and axes, in the two forms in which pandas has written them."""

    __slots__ = ("axes", "blocks")
    blocks: Sequence[object]
    axes: Sequence[object]

    def __init__(self, blocks: object = (), axes: object = ()) -> None:
        if not isinstance(blocks, tuple | list) or not isinstance(axes, tuple | list):
            raise Refused("a table's blocks are strange")
        self._put(blocks=blocks, axes=axes)

    def __setstate__(self, state: object) -> None:
        """As pandas before 1.3 wrote it: (…, {"0.14.1": {"axes": [], "blocks": [{"values": , "mgr_locs": }]}})."""
        last = state[-1] if isinstance(state, tuple) and state else None
        kept = last.get("0.14.1") if isinstance(last, dict) else None
        if not isinstance(kept, dict) or not isinstance(kept.get("blocks"), list):
            raise Refused("a table's state is strange")
        made = [_Block(block["values"], block["mgr_locs"]) for block in kept["blocks"]]
        self._put(blocks=made, axes=kept.get("axes"))


class _Frame(_Inert):
    """pandas' DataFrame: a manager, read into columns once all of the file is there."""

    __slots__ = ("manager",)
    manager: _Manager | None

    def __init__(self) -> None:
        self._put(manager=None)

    def __new__(cls, *_: object) -> _Frame:
        frame = object.__new__(cls)
        frame._put(manager=None)
        return frame

    def __setstate__(self, state: object) -> None:
        manager = state.get("_mgr", state.get("_data")) if isinstance(state, dict) else None
        if not isinstance(manager, _Manager):
            raise Refused("a table's state is strange")
        self._put(manager=manager)

    def columns(self) -> dict[str, Column]:
        names, rows = self._names_and_rows()
        found: dict[int, Column] = {}
        for block in self.manager.blocks if self.manager else ():
            if not isinstance(block, _Block):
                raise Refused("a table's blocks are strange")
            where = block.placement
            places = range(len(names))[where] if isinstance(where, slice) else where
            if block.values.shape != (len(places), rows):
                raise Refused("a block of columns does not fit the table")
            found.update(zip(places, block.values, strict=True))
        if sorted(found) != list(range(len(names))):
            raise Refused("a column is missing or appears twice")
        return {name: found[place] for place, name in enumerate(names)}

    def _names_and_rows(self) -> tuple[list[str], int]:
        axes = self.manager.axes if self.manager else ()
        labels = [axis.labels for axis in axes if isinstance(axis, _Index)]
        if len(labels) != 2 or len(axes) != 2:
            raise Refused("a table's axes are strange")
        names = list(labels[0])
        if not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
            raise Refused("a column's name is not text, or appears twice")
        return [str(name) for name in names], len(labels[1])


def _stand_ins() -> Mapping[tuple[str, str], object]:
    """Every name that a DataFrame of plain columns needs, over pandas 1.x to 3.x and numpy 1.x and 2.x."""
    made: dict[tuple[str, str], object] = {
        ("pandas.core.frame", "DataFrame"): _Frame,
        ("pandas", "DataFrame"): _Frame,
        ("pandas.core.internals.managers", "BlockManager"): _Manager,
        ("pandas._libs.internals", "_unpickle_block"): _Call(_unpickle_block),
        ("pandas.core.indexes.base", "_new_Index"): _Call(_new_index),
        ("pandas.core.indexes.base", "Index"): _Token("Index"),
        ("pandas", "Index"): _Token("Index"),
        ("pandas.core.indexes.range", "RangeIndex"): _Token("RangeIndex"),
        ("pandas", "RangeIndex"): _Token("RangeIndex"),
        ("pandas.core.indexes.numeric", "Int64Index"): _Token("Index"),
        ("builtins", "slice"): _Call(_slice),
        ("__builtin__", "slice"): _Call(_slice),
        ("_codecs", "encode"): _Call(_latin1_bytes),
        ("numpy", "ndarray"): _Token("ndarray"),
        ("numpy", "dtype"): _Dtype,
    }
    for core in ("numpy.core", "numpy._core"):
        made[f"{core}.multiarray", "_reconstruct"] = _Call(_reconstruct)
        made[f"{core}.multiarray", "scalar"] = _Call(_scalar)
        made[f"{core}.numeric", "_frombuffer"] = _Call(_frombuffer)
    return made


STAND_INS = _stand_ins()
