"""Foreign tables as they come: CSV, JSON lines and parquet, read into columns with the row each cell came from.

Takes a file; gives `Raw`, where nothing is judged yet but whether a row could be read at all. Refuses files that are
not what their name says. The meaning of the columns is `importers`' business.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from pointsman.errors import InputError
from pointsman.records import Ints, Mask

BLOCK_BYTES = 64 * 2**20
FORMATS = "`.csv`, `.tsv`, `.jsonl` or `.ndjson` (each also with `.gz`), or `.parquet`"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row, or one cell of it, that cannot be used; rows count from 1, without the header."""

    row: int
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class Raw:
    """A table as it came. R rows.

    Attributes:
        place: the file.
        columns: by name, arrays [R] of text, numbers or booleans; null where the file has nothing.
        rows: int [R], which row of the file each one is, from 1.
        broken: rows that could not be read and are not among the R.
        nested: by column, bool [R]: where the file holds a list or an object instead of a value.
    """

    place: str
    columns: Mapping[str, pa.Array]
    rows: Ints
    broken: tuple[Rejected, ...] = ()
    nested: Mapping[str, Mask] | None = None


def read_raw(path: Path) -> Raw:
    """The file's columns.

    Raises:
        InputError: there is no such file, its name has no known ending, or it is not what its name says.
    """
    if not path.is_file():
        raise InputError("there is no such file", place=str(path), remedy=f"give a file that ends in {FORMATS}")
    kind = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    if kind in ("csv", "tsv"):
        return _read_csv(path, "\t" if kind == "tsv" else ",")
    if kind in ("jsonl", "ndjson"):
        return _read_json_lines(path)
    if kind == "parquet":
        return _read_parquet(path)
    raise InputError("has an unknown ending", place=str(path), remedy=f"give a file that ends in {FORMATS}")


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb"))


def _read_csv(path: Path, delimiter: str) -> Raw:
    header = _csv_header(path, delimiter)
    broken: list[Rejected] = []

    def skip(row: pyarrow.csv.InvalidRow) -> str:
        reason = f"has {row.actual_columns} columns instead of {row.expected_columns}"
        broken.append(Rejected(row.number - 1, "", reason))
        return "skip"

    try:
        with _open(path) as file:
            table = pyarrow.csv.read_csv(
                file,
                pyarrow.csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
                pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip),
                pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(header, pa.large_string())),
            )
    except (pa.ArrowException, OSError, EOFError) as error:
        raise InputError("is not readable as CSV in UTF-8", place=str(path), remedy="export it again") from error
    lost = {rejected.row for rejected in broken}
    rows = np.array([row for row in range(1, table.num_rows + len(lost) + 1) if row not in lost], np.int64)
    return Raw(str(path), _columns(table), rows, tuple(broken))


def _csv_header(path: Path, delimiter: str) -> list[str]:
    try:
        with _open(path) as file:
            lines = (line.decode("utf-8-sig" if number == 0 else "utf-8") for number, line in enumerate(file))
            header = next(csv.reader(lines, delimiter=delimiter), [])
    except (UnicodeDecodeError, OSError, EOFError, csv.Error) as error:
        raise InputError("is not readable as CSV in UTF-8", place=str(path), remedy="export it again") from error
    twice = next((name for name in header if header.count(name) > 1), None)
    if not header or twice is not None:
        what = f"column `{twice}` appears twice" if header else "is empty"
        raise InputError(what, place=str(path), remedy="give a first line that names every column once")
    return header


def _columns(table: pa.Table) -> dict[str, pa.Array]:
    return {name: table.column(name).combine_chunks() for name in table.column_names}


def _read_json_lines(path: Path) -> Raw:
    records: list[dict[str, Any]] = []
    rows: list[int] = []
    broken: list[Rejected] = []
    for row, record in _json_objects(path):
        if record is None:
            broken.append(Rejected(row, "", "is not a JSON object"))
        else:
            records.append(record)
            rows.append(row)
    names = list(dict.fromkeys(name for record in records for name in record))
    nested = {name: np.array([isinstance(r.get(name), list | dict) for r in records], bool) for name in names}
    columns = {name: pa.array([_text(r.get(name)) for r in records], pa.large_string()) for name in names}
    return Raw(str(path), columns, np.array(rows, np.int64), tuple(broken), nested)


def _json_objects(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """(line, object) of every line that is not blank; None where it is no JSON object."""
    try:
        with _open(path) as file:
            for row, line in enumerate(file, 1):
                if line.strip():
                    yield row, _json_object(line)
    except (OSError, EOFError) as error:
        raise InputError("cannot be read to its end", place=str(path), remedy="export it again") from error


def _json_object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(value: object) -> str | None:
    """As a CSV would have it, so that one set of rules serves both; None for null and for what is nested."""
    if value is None or isinstance(value, list | dict):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else repr(value)


def _read_parquet(path: Path) -> Raw:
    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise InputError("is not a readable parquet file", place=str(path), remedy="export it again") from error
    nested = {
        name: table.column(name).is_valid().to_numpy()
        for name in table.column_names
        if pa.types.is_nested(table.schema.field(name).type)
    }
    return Raw(str(path), _columns(table), np.arange(1, table.num_rows + 1), nested=nested)
