"""Is a long table one of outcomes? Its columns and types, its cells, and that no row contradicts another.

Takes an Arrow table; gives its rows as codes and float64 arrays (`Part`), NaN where a cell is null. Refuses at the
first fault with an `InputError` that names file, row, column and remedy, never a prompt's text: a missing column, NaN
or infinity written as a value, a score outside [0, 1], one query and model twice, one id with two texts.
Opens no file and does not put parts together (`reading` does).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pointsman.errors import InputError
from pointsman.outcomes.layout import (
    COLUMNS,
    NUMBER_COLUMNS,
    OPTIONAL_COLUMNS,
    OPTIONAL_NUMBER_COLUMNS,
    OPTIONAL_TEXT_COLUMNS,
    TEXT_COLUMNS,
)
from pointsman.records import Floats, Ints, Mask


@dataclass(frozen=True, slots=True)
class Part:
    """One file's rows, checked. R rows, P distinct queries, N distinct models, both by first appearance.

    `ids`, `texts`, `datasets` are P strings, `models` N strings; `prompt` and `model` are codes [R] into them;
    the numbers are float [R], NaN where not recorded.
    """

    place: str
    ids: list[str]
    texts: list[str]
    datasets: list[str]
    models: list[str]
    prompt: Ints
    model: Ints
    score: Floats
    input_tokens: Floats
    output_tokens: Floats
    cost_usd: Floats


def check(table: pa.Table, place: str) -> None:
    """Refuses a long table that `read` would refuse, before it is written.

    Args:
        table: one row per query and model with the eight `COLUMNS`, and any of `OPTIONAL_COLUMNS`; others are ignored.
        place: what to call it in the message.

    Raises:
        InputError: names the first bad row, the column and the remedy.
    """
    part_of(table, place)


def part_of(table: pa.Table, place: str) -> Part:
    """The rows of a long table, checked; refuses as `check` does."""
    _check_columns(table, place)
    coded = {name: _codes(table.column(name), place, name) for name in TEXT_COLUMNS}
    numbers = {name: _numbers(table.column(name), place, name) for name in NUMBER_COLUMNS}
    prompt, ids, first = coded["prompt_id"]
    model, models, _ = coded["model"]
    for name in OPTIONAL_NUMBER_COLUMNS:
        if name in table.column_names:
            optional_numbers(table, place, name)
    _check_once(prompt, model, len(models), place)
    for name in ("prompt", "dataset"):
        _check_same(coded[name][0], prompt, first, place, name)
    texts = coded["prompt"][1].take(pa.array(coded["prompt"][0][first])).to_pylist()
    datasets = coded["dataset"][1].take(pa.array(coded["dataset"][0][first])).to_pylist()
    return Part(place, ids.to_pylist(), texts, datasets, models.to_pylist(), prompt, model, **numbers)


def _check_columns(table: pa.Table, place: str) -> None:
    for name in COLUMNS + OPTIONAL_COLUMNS:
        count = table.column_names.count(name)
        if count > 1 or (not count and name in COLUMNS):
            what = f"column `{name}` is missing" if not count else f"column `{name}` appears {count} times"
            raise InputError(
                what, place=place, remedy=f"give exactly the columns {', '.join(COLUMNS)}; others are ignored"
            )
        if count:
            _check_type(table.schema.field(name).type, place, name)
    if not table.num_rows:
        raise InputError("holds no rows", place=place, remedy="give at least one outcome")


def _check_type(kind: pa.DataType, place: str, name: str) -> None:
    if name in TEXT_COLUMNS:
        good, wanted = is_text(kind), "text"
    elif name in OPTIONAL_TEXT_COLUMNS:
        good, wanted = is_text(kind) or pa.types.is_null(kind), "text"
    else:
        good, wanted = _is_number(kind), "numbers"
    if not good:
        raise InputError(
            f"holds {kind}, expected {wanted}",
            place=f"{place}, column `{name}`",
            remedy=f"write it as {wanted}, or use `pointsman data import` with --map",
        )


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds strings, plain or as a dictionary."""
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind))


def _codes(column: pa.ChunkedArray, place: str, name: str) -> tuple[Ints, pa.Array, Ints]:
    """Codes [R] by first appearance, the distinct values [V] in that order, and the first row of each [V]."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    array = column.unify_dictionaries().combine_chunks()
    distinct = array.dictionary.dictionary_encode()
    indices = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    if array.null_count or array.dictionary.null_count:
        nulls = (indices < 0) | array.dictionary_decode().is_null().to_numpy(zero_copy_only=False)
        raise InputError("is missing", place=cell_place(place, first_bad(nulls), name), remedy="every row needs one")
    raw = distinct.indices.to_numpy(zero_copy_only=False).astype(np.int64)[indices]
    codes, first = _renumbered(raw, len(distinct.dictionary))
    values = distinct.dictionary.take(pa.array(raw[first]))
    if name != "dataset":
        empty = pc.equal(pc.utf8_trim_whitespace(values), "").to_numpy(zero_copy_only=False)
        if empty.any():
            raise InputError(
                "is empty", place=cell_place(place, int(first[first_bad(empty)]), name), remedy="every row needs one"
            )
    return codes, values, first


def _renumbered(raw: Ints, count: int) -> tuple[Ints, Ints]:
    """`raw` codes below `count` renumbered by first appearance, and each one's first row; unused codes vanish."""
    rows = len(raw)
    first = np.full(count, rows, np.int64)
    first[raw[::-1]] = np.arange(rows - 1, -1, -1)  # the last assignment wins, so the smallest row stays
    order = np.argsort(first, kind="stable")[: int((first < rows).sum())]
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(len(order))
    return rank[raw], first[order]


def optional_numbers(table: pa.Table, place: str, name: str) -> Floats:
    """One of `OPTIONAL_NUMBER_COLUMNS`, checked: float [R], NaN where it is null or the table has no such column."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    return _numbers(table.column(name), place, name)


_WANTED = {"score": "a number in [0, 1]", "propensity": "a number above 0 and at most 1"}


def _numbers(column: pa.ChunkedArray, place: str, name: str) -> Floats:
    values = column.cast(pa.float64()).to_numpy()
    null = column.is_null().to_numpy()
    upper = 1.0 if name in _WANTED else np.inf
    low = values <= 0.0 if name == "propensity" else values < 0.0
    bad = ~null & ~(np.isfinite(values) & ~low & (values <= upper))
    if bad.any():
        row = first_bad(bad)
        wanted = _WANTED.get(name, "a finite number of at least zero")
        raise InputError(
            f"{values[row]:g} is not {wanted}",
            place=cell_place(place, row, name),
            remedy="correct it, or leave it null where nothing was recorded",
        )
    return np.where(null, np.nan, values)


def _check_once(prompt: Ints, model: Ints, models: int, place: str) -> None:
    cell = prompt * models + model
    order = np.argsort(cell, kind="stable")
    again = order[1:][cell[order[1:]] == cell[order[:-1]]]
    if len(again):
        row = int(again.min())
        earlier = int(np.argmax(cell == cell[row]))
        raise InputError(
            f"the same prompt_id and model as row {earlier + 1}",
            place=f"{place}, row {row + 1}",
            remedy="keep one row per query and model; a correction goes into a later part",
        )


def _check_same(values: Ints, prompt: Ints, first: Ints, place: str, name: str) -> None:
    differs = values != values[first][prompt]
    if differs.any():
        row = first_bad(differs)
        raise InputError(
            f"differs from row {int(first[prompt[row]]) + 1}, which has the same prompt_id",
            place=cell_place(place, row, name),
            remedy="give every distinct text its own prompt_id",
        )


def cell_place(place: str, row: int, column: str) -> str:
    """A cell as a message names it; rows count from 1."""
    return f"{place}, row {row + 1}, column `{column}`"


def first_bad(bad: Mask) -> int:
    """The first row that is marked."""
    return int(np.argmax(bad))
