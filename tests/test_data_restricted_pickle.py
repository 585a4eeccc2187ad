"""Tables out of pickles that are never run."""

from __future__ import annotations

import os
import pickle
import pickletools
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.evaluate.data.restricted_pickle import STAND_INS, read_pickled_table

MODELS = ("gpt-4", "org/small")


def routerbench_frame(rows: int = 3) -> pd.DataFrame:
    """RouterBench's own layout: texts, scores and answers as objects in one block, costs as floats."""
    columns: dict[str, Any] = {
        "sample_id": [f"mmlu.{row}" for row in range(rows)],
        "prompt": [f"['question {row}']" for row in range(rows)],
        "eval_name": ["mmlu"] * rows,
        **{model: [float(row % 2) for row in range(rows)] for model in MODELS},
        **{f"{model}|model_response": ["['an answer']"] * rows for model in MODELS},
    }
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    for number, model in enumerate(MODELS):
        frame[f"{model}|total_cost"] = np.linspace(0.1, 0.2, rows) * (number + 1)
    frame.columns = pd.Index(frame.columns, dtype=object)
    return frame


def load(data: bytes, tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "table.pkl"
    path.write_bytes(data)
    return read_pickled_table(path)


def refused(data: bytes, tmp_path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load(data, tmp_path)
    assert str(tmp_path) in caught.value.place
    assert "fetch it again" in caught.value.remedy
    return caught.value.what


# --- tables ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_the_published_layout_is_read(tmp_path: Path, protocol: int) -> None:
    """Column by column what pandas itself would give, in the same order, in every protocol of the last twenty years."""
    frame = routerbench_frame()
    found = load(pickle.dumps(frame, protocol=protocol), tmp_path)
    assert list(found) == list(frame.columns)
    for name, values in found.items():
        assert values.tolist() == frame[name].tolist()
    assert found["gpt-4|total_cost"].dtype == np.float64


def test_every_plain_dtype(tmp_path: Path) -> None:
    """Integers, small floats, booleans, numpy scalars among objects, missing values, big-endian numbers."""
    frame = pd.DataFrame(
        {
            "i": np.array([1, 2], np.int16),
            "f": np.array([0.5, np.nan], np.float32),
            "b": [True, False],
            "o": pd.Series([np.float64(1.5), None], dtype=object),
            "s": pd.Series([np.int64(3), "x"], dtype=object),
            "big": np.array([1.0, 2.0], ">f8"),
        }
    )
    frame.columns = pd.Index(frame.columns, dtype=object)
    found = load(pickle.dumps(frame), tmp_path)
    assert found["i"].tolist() == [1, 2]
    assert found["b"].tolist() == [True, False]
    assert found["o"].tolist() == [1.5, None]
    assert found["s"].tolist() == [3, "x"]
    assert found["big"].tolist() == [1.0, 2.0]
    np.testing.assert_array_equal(found["f"], np.array([0.5, np.nan], np.float32))


def test_columns_out_of_order_and_rows_with_labels(tmp_path: Path) -> None:
    """Blocks placed by a list instead of a range, rows labelled by something else than their number."""
    frame = routerbench_frame()[["sample_id", "gpt-4|total_cost", "prompt", "org/small|total_cost"]]
    frame.index = pd.Index([7, 5, 6])
    found = load(pickle.dumps(frame), tmp_path)
    assert {name: values.tolist() for name, values in found.items()} == frame.to_dict("list")


def test_the_layout_of_pandas_before_1_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the manager is made empty and its state carries values and places as plain arrays."""
    modules = (
        "pandas.core.frame",
        "pandas.core.internals.managers",
        "pandas.core.indexes.base",
        "pandas.core.indexes.range",
    )
    fakes = {name: ModuleType(name) for name in modules}

    def fake(module: str, name: str, **methods: Any) -> Any:
        made = type(name, (), {"__module__": module, **methods})
        setattr(fakes[module], name, made)
        return made

    def new_index() -> None:
        raise AssertionError

    index = fake(modules[2], "Index")
    numbers = fake(modules[3], "RangeIndex")
    new_index.__module__, new_index.__qualname__ = modules[2], "_new_Index"
    fakes[modules[2]]._new_Index = new_index  # type: ignore[attr-defined]
    labels = fake(modules[2], "L", __reduce__=lambda s: (new_index, (index, {"data": s.data, "name": None})))()
    labels.data = np.array(["a", "b"], object)
    count = fake(modules[2], "N", __reduce__=lambda _: (new_index, (numbers, {"start": 0, "stop": 2, "step": 1})))()
    state = {
        "axes": [labels, count],
        "blocks": [
            {"values": np.array([["x", "y"]], object), "mgr_locs": slice(0, 1, 1)},
            {"values": np.array([[1.0, 2.0]]), "mgr_locs": np.array([1])},
        ],
    }
    manager = fake(modules[1], "BlockManager", __getstate__=lambda _: ([], [], [], {"0.14.1": state}))()
    frame = fake(modules[0], "DataFrame", __getstate__=lambda _: {"_data": manager, "_typ": "dataframe"})()
    for name, module in fakes.items():
        monkeypatch.setitem(sys.modules, name, module)
    data = pickle.dumps(frame, protocol=4)
    monkeypatch.undo()
    found = load(data, tmp_path)
    assert {name: values.tolist() for name, values in found.items()} == {"a": ["x", "y"], "b": [1.0, 2.0]}


# --- everything else ------------------------------------------------------------------------------------------------


class Runs:
    """Pickles as a call of `function` with `args`."""

    def __init__(self, function: Callable[..., object], *args: object) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def asks_for(module: str, name: str, protocol: int = 4) -> bytes:
    """A pickle that looks up `module.name` and calls it with the text "x"."""
    if protocol < 4:
        return b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"X\x01\x00\x00\x00x\x85R."
    texts = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name))
    return b"\x80\x04" + texts + b"\x93\x8c\x01x\x85R."


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("nt", "system"),
        ("subprocess", "Popen"),
        ("builtins", "eval"),
        ("builtins", "exec"),
        ("builtins", "getattr"),
        ("builtins", "__import__"),
        ("__builtin__", "eval"),
        ("builtins", "open"),
        ("builtins", "object"),
        ("copyreg", "_reconstructor"),
        ("copyreg", "__newobj__"),
        ("operator", "attrgetter"),
        ("functools", "partial"),
        ("importlib", "import_module"),
        ("numpy", "load"),
        ("numpy", "fromfile"),
        ("numpy", "memmap"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy.f2py.crackfortran", "myeval"),
        ("numpy.testing._private.utils", "runstring"),
        ("pandas", "read_pickle"),
        ("pandas", "eval"),
        ("pandas.core.frame", "DataFrame.eval"),
        ("pandas.core.frame", "DataFrame.__init__.__globals__"),
        ("numpy", "ndarray.tofile"),
        ("pandas.compat.pickle_compat", "loads"),
        ("pickle", "loads"),
        ("torch", "load"),
        ("", ""),
    ],
)
def test_no_name_but_a_tables_is_looked_up(tmp_path: Path, module: str, name: str, protocol: int) -> None:
    """Not `os.system`, not a dotted way round, not numpy's or pandas' own loaders: refused by name, before any call."""
    assert refused(asks_for(module, name, protocol), tmp_path).endswith(f"it asks for `{module}.{name}`")


def test_code_in_a_pickle_does_not_run(tmp_path: Path) -> None:
    """Alone, inside a list, inside a real table's cells."""
    mark = tmp_path / "ran"
    command = f"touch {mark}"
    frame = routerbench_frame()
    frame.loc[1, "prompt"] = Runs(os.system, command)
    for evil in (Runs(os.system, command), [1, Runs(eval, f"open({str(mark)!r}, 'w')")], frame):
        refused(pickle.dumps(evil), tmp_path)
        assert not mark.exists()
    assert pickle.loads(pickle.dumps(frame)) is not None  # the plain reader does run it: the attack is a real one
    assert mark.exists()


def crafted(*parts: bytes) -> bytes:
    return b"\x80\x04" + b"".join(parts) + b"."


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def found(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


DTYPE = found("numpy", "dtype")
ARRAY = found("numpy._core.multiarray", "_reconstruct") + found("numpy", "ndarray") + b"K\x00\x85C\x01b\x87R"
OBJECTS = DTYPE + text("O8") + b"\x89\x88\x87R"
FLOATS = DTYPE + text("f8") + b"\x89\x88\x87R"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (ARRAY + b"(K\x01K\x01\x85" + OBJECTS + b"\x89C\x0841414141tb", "raw object pointers"),
        (found("numpy._core.multiarray", "scalar") + OBJECTS + b"C\x0841414141\x86R", "raw object pointers"),
        (ARRAY + b"(K\x01K\x09\x85" + FLOATS + b"\x89C\x0841414141tb", "shape does not fit"),
        (ARRAY + b"(K\x01J\xff\xff\xff\xff\x85" + FLOATS + b"\x89C\x0841414141tb", "shape does not fit"),
        (ARRAY + b"(K\x01K\x01\x85" + OBJECTS + b"\x89](]etb", "something other than text or a number"),
        (DTYPE + text("M8") + b"\x89\x88\x87R", "dtype 'M8'"),
        (DTYPE + text("V8") + b"\x89\x88\x87R", "dtype 'V8'"),
        (FLOATS + b"(K\x03" + text("<") + b"]NNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb", "array of records"),
        (FLOATS + b"(K\x03" + text("?") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb", "strange state"),
        (
            found("numpy._core.multiarray", "_reconstruct") + found("numpy", "dtype") + b"K\x00\x85C\x01b\x87R",
            "than an array",
        ),
        (found("pandas.core.frame", "DataFrame") + b")\x81}" + text("_mgr") + text("x") + b"sb", "state is strange"),
        (found("builtins", "slice") + text("x") + b"\x85R", "strange bounds"),
        (found("_codecs", "encode") + text("x") + text("rot13") + b"\x86R", "something other than bytes"),
        (found("numpy", "ndarray") + b"N}" + text("name") + text("dtype") + b"s\x86b", "state of something"),
        (
            found("_codecs", "encode") + b"N}" + text("function") + found("numpy", "dtype") + b"s\x86b",
            "state of something",
        ),
        (b"}K\x01K\x02s", "strange keys"),
        (b"\x96" + struct.pack("<Q", 2**60) + b"x", "ends too early"),
    ],
)
def test_forged_arrays_and_objects_are_refused(tmp_path: Path, data: bytes, why: str) -> None:
    """Raw pointers, shapes beyond the data, records, replaced functions, claims of size: each by its own name."""
    assert why in refused(crafted(data), tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"\x80\x04",
        b"\x80\x63.",
        crafted(b"K\x01"),
        crafted(text("a pickle of a text")),
        crafted(b"\x82\x01"),
        crafted(text("id") + b"Q"),
        crafted(b"\x97"),
        crafted(b"\x8f(K\x01\x90"),
        crafted(found("pandas.core.frame", "DataFrame") + b")\x81"),
        crafted(found("pandas.core.frame", "DataFrame") + b"}b"),
        crafted(found("numpy", "ndarray") + b")\x81"),
        crafted(found("numpy", "ndarray") + b")R"),
        b"\x80\x02r\xff\xff\xff\xff.",
        b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b".",
        b"cos\nsystem\n(S'true'\ntR.",
        b"(i__main__\nx\n.",
        b"PK\x03\x04 a zip",
    ],
)
def test_damage_is_one_clear_error(tmp_path: Path, data: bytes) -> None:
    """Nothing, half, other objects, extension codes, persistent ids, buffers, sets, old opcodes, giant claims."""
    assert "is not a pickled table" in refused(data, tmp_path)


def test_two_objects_in_a_file_are_refused(tmp_path: Path) -> None:
    """What follows the table is not ignored."""
    data = pickle.dumps(routerbench_frame())
    assert "other than one table" in refused(data + pickle.dumps(1), tmp_path)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": pd.to_datetime(["2024-01-01"])}),
        pd.DataFrame({"a": pd.Categorical(["x"])}),
        pd.DataFrame({"a": pd.Series([{"x": 1}], dtype=object)}),
        pd.DataFrame({"a": pd.Series([["x"]], dtype=object)}),
        pd.DataFrame({"a": [1]}, index=pd.MultiIndex.from_tuples([(1, 2)])),
    ],
)
def test_tables_of_other_things_are_refused(tmp_path: Path, frame: pd.DataFrame) -> None:
    """Dates, categories, nested cells, nested labels."""
    refused(pickle.dumps(frame), tmp_path)


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(InputError, match=r"none\.pkl"):
        read_pickled_table(tmp_path / "none.pkl")


def test_the_door_is_the_list(tmp_path: Path) -> None:
    """Every name that the published layout uses is on the list, and nothing on it is an object of another library."""
    used = {
        tuple(argument.split(" "))
        for protocol in (2, 3)
        for opcode, argument, _ in pickletools.genops(pickle.dumps(routerbench_frame(), protocol=protocol))
        if opcode.name == "GLOBAL" and isinstance(argument, str)
    }
    assert used <= set(STAND_INS)
    assert {(value if isinstance(value, type) else type(value)).__module__ for value in STAND_INS.values()} == {
        "pointsman.evaluate.data.restricted_pickle"
    }


VALID = pickle.dumps(routerbench_frame(2), protocol=4)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_whatever_is_changed_it_is_a_table_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    """Bytes overwritten at random never reach anything but the stand-ins."""
    data = bytearray(VALID)
    for place, value in changes:
        data[place] = value
    path = tmp_path_factory.getbasetemp() / "mutated.pkl"
    path.write_bytes(bytes(data))
    try:
        read = read_pickled_table(path)
    except InputError:
        return
    assert all(isinstance(values, np.ndarray) for values in read.values())


def test_stand_ins_are_not_changed_by_a_file(tmp_path: Path) -> None:
    """After every attack above the reader still reads: nothing a file does outlives it."""
    attack = crafted(found("_codecs", "encode") + b"N}" + text("__doc__") + text("x") + b"s\x86b")
    refused(attack, tmp_path)
    assert load(VALID, tmp_path)["eval_name"].tolist() == ["mmlu", "mmlu"]
