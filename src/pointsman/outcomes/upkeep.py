"""An outcome folder, kept up: rows taken out for good, and many small parts made one; never seen half done.

Takes a folder; rewrites parts aside and renames them into place, or takes one away that has nothing left, so a reader
sees each part as it was or as it will be. Who appends meanwhile only ever adds parts of new names and is not disturbed;
of those who keep up, one at a time does. What is taken out is not in any file of the folder afterwards.
Decides nothing: which rows go is told.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pointsman.errors import InputError
from pointsman.outcomes.layout import COLUMNS, MAIN_FILE, OPTIONAL_COLUMNS, PART_FILES
from pointsman.outcomes.writing import write_parquet
from pointsman.records import Mask

LOCK_FILE = ".upkeep.lock"
MANY_PARTS = 64
MOST_ROWS = 200_000  # of a part that others are put together with: a larger one is left as it is

Chooser = Callable[[pa.Table], Mask]


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken out: rows, parts that were rewritten, and parts that are gone."""

    rows: int
    rewritten: int
    gone: int


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One who keeps up at a time; others wait."""
    try:
        with (folder / LOCK_FILE).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise InputError(
            f"can't be kept up ({error.strerror})", place=str(folder), remedy="check the path, rights and free space"
        ) from error


def parts_of(folder: Path) -> list[Path]:
    """The folder's parquet files in the order in which they are read; there may be none."""
    main = folder / MAIN_FILE
    return ([main] if main.exists() else []) + sorted(folder.glob(PART_FILES))


def take_out(folder: Path, goes: Chooser) -> Taken:
    """Takes rows out of every part.

    Args:
        goes: from a part's table to bool [R], True for a row that is to go.

    Raises:
        InputError: a part that can't be read, or a folder that can't be written.
    """
    rows = rewritten = gone = 0
    if not folder.is_dir():
        return Taken(0, 0, 0)
    with alone(folder):
        for path in parts_of(folder):
            table = whole(path)
            chosen = goes(table)
            if not chosen.any():
                continue
            rows += int(chosen.sum())
            if chosen.all():
                path.unlink()
                gone += 1
            else:
                _replace(path, table.filter(pa.array(~chosen)))
                rewritten += 1
    return Taken(rows, rewritten, gone)


def compact(folder: Path, least: int = MANY_PARTS) -> int:
    """Makes one part of many small ones, from the first part on; gives how many were put together, 0 where few are.

    The one that is made takes the last one's name, so whatever reads while the others go finds the same rows, some of
    them twice, of which the later, equal one counts. Of one query and model the later row is kept, as `read` would.

    Raises:
        InputError: a part that can't be read, or a folder that can't be written.
    """
    if len(list(folder.glob(PART_FILES))) < least:
        return 0
    with alone(folder):
        small = _small(sorted(folder.glob(PART_FILES)))
        if len(small) < 2:
            return 0
        tables = [whole(path) for path in small]
        names = [name for name in (*COLUMNS, *OPTIONAL_COLUMNS) if any(name in one.column_names for one in tables)]
        joined = pa.concat_tables([plain(one).select(_there(names, one)) for one in tables], promote_options="default")
        _replace(small[-1], _latest(joined.select(names)))
        for path in small[:-1]:
            path.unlink()
    return len(small)


def _there(names: list[str], table: pa.Table) -> list[str]:
    return [name for name in names if name in table.column_names]


def _small(parts: list[Path]) -> list[Path]:
    """The parts behind the last large one: what is put together has to be neighbours, or a later row would lose."""
    found: list[Path] = []
    for path in reversed(parts):
        if whole(path).num_rows > MOST_ROWS:
            break
        found.append(path)
    return found[::-1]


def whole(path: Path) -> pa.Table:
    """A part with all of its columns.

    Raises:
        InputError: it is no readable parquet file.
        FileNotFoundError: it has gone; see `reading.steadily`.
    """
    try:
        with path.open("rb") as file:
            return pq.ParquetFile(file).read()
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise InputError("is not a readable parquet file", place=str(path), remedy="move it away") from error


def plain(table: pa.Table) -> pa.Table:
    """The same with texts that are neither coded nor short, and numbers as float64: parts may differ in both."""
    fields = []
    for field in table.schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        fields.append(pa.field(field.name, pa.large_string() if text else pa.float64()))
    return table.cast(pa.schema(fields))


def _latest(table: pa.Table) -> pa.Table:
    """Of one query and model the last row, at the place of the first."""
    keys = list(zip(table.column("prompt_id").to_pylist(), table.column("model").to_pylist(), strict=True))
    last = {key: row for row, key in enumerate(keys)}
    return table.take(pa.array(np.array(list(last.values()), np.int64)))


def _replace(path: Path, table: pa.Table) -> None:
    aside = path.with_name(f".{path.stem}.upkeep.partial")
    try:
        write_parquet(table, aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
