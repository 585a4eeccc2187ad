"""The folder in which a bench keeps its rows: one immutable list of runs that an interruption can't spoil.

Takes finished runs, one at a time, and keeps them in a folder:

- `meta.json`: what was run on what;
- `runs.jsonl`: one line a run, flushed to the disk before the next one starts;
- `traces.jsonl`: how money, prices and quality went over time, for some of the runs.

Gives them back as `rows.Rows`. A line counts once its line end is on the disk: what an interruption tore off is
ignored on reading, cut away on writing, and costs the run in progress only. Refuses a whole line that can't be read
(with its number), a second writer, and the rows of another bench. Changes no line that was written.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeVar

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

Saved = TypeVar("Saved", Run, Trace)


def read_rows(folder: Path) -> Rows:
    """All that a bench has saved in `folder` so far.

    A torn last line is ignored, and so is a trace whose run was not finished; of two traces of one run the later holds.

    Raises:
        InputError: the folder has no meta.json, or a file holds something else than rows (with its line number).
    """
    meta = _read_meta(folder / META_FILE)
    runs = _read_lines(Run, folder / RUNS_FILE)
    keys = _unique_keys(runs, folder / RUNS_FILE)
    traces = {trace.key: trace for trace in _read_lines(Trace, folder / TRACES_FILE) if trace.key in keys}
    return Rows(meta, tuple(runs), traces)


def _read_meta(path: Path) -> Meta:
    if not path.is_file():
        raise InputError(
            "no such file", place=str(path), remedy="give the folder that `pointsman bench budget --out` wrote"
        )
    remedy = "start again in a fresh folder"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as unread:
        raise InputError(f"not JSON ({unread})", place=str(path), remedy=remedy) from None
    return record_of(Meta, raw, str(path), remedy)


def _read_lines(kind: type[Saved], path: Path) -> list[Saved]:
    if not path.is_file():
        return []
    whole = path.read_bytes().split(b"\n")[:-1]
    return [_read_line(kind, line, f"{path}, line {number}") for number, line in enumerate(whole, start=1)]


def _read_line(kind: type[Saved], line: bytes, place: str) -> Saved:
    remedy = "delete the line, and the command that wrote it will make that run again"
    try:
        raw = json.loads(line)
    except ValueError as unread:
        raise InputError(f"not JSON ({unread})", place=place, remedy=remedy) from None
    return record_of(kind, raw, place, remedy)


def _unique_keys(runs: Iterable[Run], path: Path) -> set[str]:
    keys: set[str] = set()
    for number, run in enumerate(runs, start=1):
        if run.key in keys:
            raise InputError(
                f"key {run.key!r} is there twice", place=f"{path}, line {number}", remedy="delete one of the two lines"
            )
        keys.add(run.key)
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
        folder.mkdir(parents=True, exist_ok=True)
        self._runs = (folder / RUNS_FILE).open("ab")
        self._traces = (folder / TRACES_FILE).open("ab")
        try:
            _lock(self._runs, folder)
            _same_bench(folder / META_FILE, meta)
            for file in (self._runs, self._traces):
                _cut_torn_line(file)
            write_aside(folder / META_FILE, document(plain_values(record_of(Meta, _raw(meta), "meta", ""))))
            self._done = {run.key for run in read_rows(folder).runs}
        except BaseException:
            self.close()
            raise

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
            _append(self._traces, _line(record_of(Trace, _raw(trace), f"trace {trace.key!r}", "")))
        _append(self._runs, _line(record_of(Run, _raw(run), place, "")))
        self._done.add(run.key)

    def close(self) -> None:
        """Let the folder go; nothing is pending."""
        self._traces.close()
        self._runs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self.close()


def _raw(record: Meta | Run | Trace) -> dict[str, object]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _line(record: Run | Trace) -> str:
    return json.dumps(plain_values(record), allow_nan=False, ensure_ascii=False) + "\n"


def _append(file: IO[bytes], line: str) -> None:
    file.write(line.encode())
    file.flush()
    os.fsync(file.fileno())


def _lock(file: IO[bytes], folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise InputError(
            "another bench is writing into this folder", place=str(folder), remedy="wait for it, or give another --out"
        ) from None


def _same_bench(path: Path, meta: Meta) -> None:
    """Refuse to mix the rows of two benches; a longer command (more orders, more policies) is the same bench."""
    if not path.is_file():
        return
    old = _read_meta(path)
    for field in fields(meta):
        before, now = getattr(old, field.name), getattr(meta, field.name)
        if field.name != "command" and before != now:
            raise InputError(
                f"the folder holds rows with `{field.name}` {excerpt(before)}, this command has {excerpt(now)}",
                place=str(path),
                remedy="give another --out, or delete the folder",
            )


def _cut_torn_line(file: IO[bytes]) -> None:
    """Without this the next line would be glued to what an interruption left."""
    whole = Path(file.name).read_bytes().rfind(b"\n") + 1
    file.truncate(whole)
