"""JSON on the disk: documents written whole or not at all, and files of lines that an interruption can't spoil.

A line counts once its line end is on the disk: what an interruption tore off is ignored on reading, cut away on
writing, and costs the line in progress only. Refuses a whole line that can't be read (with its number) and a second
writer. Changes no line that was written. Knows no record: what reads one is given.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pointsman.errors import InputError

_REDO = "delete the line, and the command that wrote it will make that run again"

Saved = TypeVar("Saved")

# From raw JSON values, a place and a remedy to a record; InputError where they don't fit.
Reader = Callable[[object, str, str], Saved]


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
