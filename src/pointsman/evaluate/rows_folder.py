"""The folder in which a bench keeps its rows: one immutable list of runs that an interruption can't spoil.

Takes finished runs, one at a time, and keeps them in a folder:

- `meta.json`: what was run on what;
- `runs.jsonl`: one line a run, flushed to the disk before the next one starts;
- `traces.jsonl`: how money, prices and quality went over time, for some of the runs.

Gives them back as `rows.Rows`. A line counts once its line end is on the disk: what an interruption tore off is
ignored on reading, cut away on writing, and costs the run in progress only. Refuses a whole line that can't be read
(with its number), a second writer, and the rows of another bench. Changes no line that was written.

The part that knows of no run (`read_document`, `read_lines`, `LineFile`, `refuse_other_bench`) serves other benches'
rows too.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from pointsman.errors import InputError
from pointsman.evaluate.rows import (
    META_FILE,
    RUNS_FILE,
    TRACES_FILE,
    Meta,
    Rows,
    Run,
    Trace,
    excerpt,
    plain_values,
    record_of,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_REDO = "delete the line, and the command that wrote it will make that run again"

Saved = TypeVar("Saved")

# From raw JSON values, a place and a remedy to a record; InputError where they don't fit.
Reader = Callable[[object, str, str], Saved]


class Keyed(Protocol):
    """A record with a stable id, which a file holds once."""

    @property
    def key(self) -> str:
        """The id."""


def read_rows(folder: Path) -> Rows:
    """All that a bench has saved in `folder` so far.

    A torn last line is ignored, and so is a trace whose run was not finished; of two traces of one run the later holds.

    Raises:
        InputError: the folder has no meta.json, or a file holds something else than rows (with its line number).
    """
    meta = read_document(folder / META_FILE, _read_meta, "bench budget")
    runs = read_lines(folder / RUNS_FILE, _read_run)
    keys = unique_keys(runs, folder / RUNS_FILE)
    traces = {trace.key: trace for trace in read_lines(folder / TRACES_FILE, _read_trace) if trace.key in keys}
    return Rows(meta, tuple(runs), traces)


def _read_meta(raw: object, place: str, remedy: str) -> Meta:
    return record_of(Meta, raw, place, remedy)


def _read_run(raw: object, place: str, remedy: str) -> Run:
    return record_of(Run, raw, place, remedy)


def _read_trace(raw: object, place: str, remedy: str) -> Trace:
    return record_of(Trace, raw, place, remedy)


def read_document(path: Path, read: Reader[Saved], command: str) -> Saved:
    """The one record of a JSON file.

    Args:
        read: from raw values to the record.
        command: of `pointsman`, that would have written the file; for the message if it isn't there.

    Raises:
        InputError: no such file, no JSON, or `read` refuses it.
    """
    if not path.is_file():
        raise InputError(
            "no such file", place=str(path), remedy=f"give the folder that `pointsman {command} --out` wrote"
        )
    remedy = "start again in a fresh folder"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as unread:
        raise InputError(f"not JSON ({unread})", place=str(path), remedy=remedy) from None
    return read(raw, str(path), remedy)


def read_lines(path: Path, read: Reader[Saved]) -> list[Saved]:
    """The records of a file with one JSON object a line; none if there is no file, a torn last line left out.

    Raises:
        InputError: a whole line isn't JSON, or `read` refuses it; the line is named.
    """
    if not path.is_file():
        return []
    whole = path.read_bytes().split(b"\n")[:-1]
    return [_read_line(line, read, f"{path}, line {number}") for number, line in enumerate(whole, start=1)]


def _read_line(line: bytes, read: Reader[Saved], place: str) -> Saved:
    try:
        raw = json.loads(line)
    except ValueError as unread:
        raise InputError(f"not JSON ({unread})", place=place, remedy=_REDO) from None
    return read(raw, place, _REDO)


def unique_keys(rows: Iterable[Keyed], path: Path) -> set[str]:
    """The rows' keys.

    Raises:
        InputError: one is there twice.
    """
    keys: set[str] = set()
    for number, row in enumerate(rows, start=1):
        if row.key in keys:
            raise InputError(
                f"key {row.key!r} is there twice", place=f"{path}, line {number}", remedy="delete one of the two lines"
            )
        keys.add(row.key)
    return keys


def write_aside(path: Path, data: bytes) -> None:
    """Write a whole file or nothing: aside in the same folder, flushed to the disk, then renamed over `path`."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def document(value: object) -> bytes:
    """A value as the bytes of a JSON file, for people to read too."""
    return (json.dumps(value, allow_nan=False, ensure_ascii=False, indent=1) + "\n").encode()


class LineFile:
    """A file to which one JSON object a line is appended, each on the disk before the next; one writer at a time.

    Opening it holds it and cuts away what an interruption tore off. A file that is new is made with its folder.

    Raises:
        InputError: another writer has it.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        try:
            self._hold(path)
            # Without this the next line would be glued to what an interruption left.
            self._file.truncate(path.read_bytes().rfind(b"\n") + 1)
        except BaseException:
            self.close()
            raise

    def _hold(self, path: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                "another bench is writing into this folder",
                place=str(path.parent),
                remedy="wait for it, or give another --out",
            ) from None

    def append(self, values: dict[str, object]) -> None:
        """Put one line on the disk."""
        self._file.write((json.dumps(values, allow_nan=False, ensure_ascii=False) + "\n").encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let the file go; nothing is pending."""
        self._file.close()


def refuse_other_bench(old: DataclassInstance, new: DataclassInstance, path: Path) -> None:
    """Refuse to mix the rows of two benches; a longer command (more orders, more policies) is the same bench.

    Raises:
        InputError: what the rows at `path` are about, `old`, differs from `new` in something else than the command.
    """
    for field in fields(new):
        before, now = getattr(old, field.name), getattr(new, field.name)
        if field.name != "command" and before != now:
            raise InputError(
                f"the folder holds rows with `{field.name}` {excerpt(before)}, this command has {excerpt(now)}",
                place=str(path),
                remedy="give another --out, or delete the folder",
            )


class RunWriter:
    """Appends finished runs to a folder; opening the folder again resumes it.

    One writer at a time: a second one is refused while the first is open.

    Args:
        folder: made if it isn't there.
        meta: must agree with the folder's own in everything but the command, which is replaced.

    Raises:
        InputError: another writer has the folder, it holds rows of something else, or rows that can't be read.
    """

    def __init__(self, folder: Path, meta: Meta) -> None:
        self.folder = folder
        with ExitStack() as files:
            self._runs = files.enter_context(closing(LineFile(folder / RUNS_FILE)))
            self._traces = files.enter_context(closing(LineFile(folder / TRACES_FILE)))
            path = folder / META_FILE
            if path.is_file():
                refuse_other_bench(read_document(path, _read_meta, "bench budget"), meta, path)
            write_aside(path, document(plain_values(record_of(Meta, _raw(meta), "meta", ""))))
            self._done = {run.key for run in read_rows(folder).runs}
            self._files = files.pop_all()

    def done_keys(self) -> frozenset[str]:
        """Keys of the runs that are on the disk."""
        return frozenset(self._done)

    def append(self, run: Run, trace: Trace | None = None) -> None:
        """Put one finished run on the disk; its trace goes first, so that a run that counts has its trace.

        Raises:
            InputError: the key is there already, the trace is of another run, or a value is not fit to be saved.
        """
        place = f"run {run.key!r}"
        if run.key in self._done or (trace is not None and trace.key != run.key):
            raise InputError("its key is there already, or its trace has another one", place=place)
        if trace is not None:
            self._traces.append(plain_values(record_of(Trace, _raw(trace), f"trace {trace.key!r}", "")))
        self._runs.append(plain_values(record_of(Run, _raw(run), place, "")))
        self._done.add(run.key)

    def close(self) -> None:
        """Let the folder go; nothing is pending."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self.close()


def _raw(record: Meta | Run | Trace) -> dict[str, object]:
    return {field.name: getattr(record, field.name) for field in fields(record)}
