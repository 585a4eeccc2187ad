"""The file that an index is saved in: a body, arrays, and a JSON account of both at the very end.

    body (the backend's own bytes, may be empty) | arrays, each on a 64-byte border | account | its length | mark

The account comes last so that the body starts at byte zero, where a backend can map it into memory by itself, and
so that a file cut short has no account and is refused. It is written aside and renamed when complete.
It knows bytes and arrays, and nothing about vectors.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import InputError

MARK = b"PTSMIDX1"
BORDER = 64
TAIL = struct.Struct("<Q8s")
ACCOUNT_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class IndexFile:
    """An index file that was read: what its writer noted, and its arrays (mapped into memory, or copied).

    Attributes:
        path: where it is.
        notes: the writer's own JSON.
        arrays: by name.
        body_bytes: length of the body at the start of the file.
    """

    path: Path
    notes: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]
    body_bytes: int


def write_index_file(
    path: Path,
    notes: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    write_body: Callable[[Path], None] | None = None,
) -> None:
    """Write a file that `read_index_file` reads.

    Args:
        path: replaced if it exists, only when the new file is complete.
        notes: JSON values.
        arrays: of numbers, by name.
        write_body: writes the body to the path it is given.

    Raises:
        InputError: the folder can't be written.
    """
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(b"")
        if write_body is not None:
            write_body(aside)
        with aside.open("ab") as file:
            _append(file, notes, arrays)
        aside.replace(path)
    except (OSError, RuntimeError) as error:  # a backend's own writer raises RuntimeError
        raise InputError(
            f"can't be written ({error})", place=str(path), remedy="give a folder with room that can be written"
        ) from error
    finally:
        with suppress(OSError):
            aside.unlink()


def read_index_file(path: Path, *, mmap: bool = True) -> IndexFile:
    """What is in an index file.

    Args:
        path: written by `write_index_file`.
        mmap: leave the arrays on disk, read-only and shared between processes; else copy them.

    Raises:
        InputError: no such file, not an index file, or one cut short.
    """
    account, body_bytes = _account(path)
    mapped = {name: _array(path, *place) for name, place in account["arrays"].items()}
    arrays = mapped if mmap else {name: np.array(array) for name, array in mapped.items()}
    return IndexFile(path, account["notes"], arrays, body_bytes)


def _append(file: IO[bytes], notes: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    body_bytes = file.seek(0, 2)
    places = {}
    for name, array in arrays.items():
        file.write(b"\0" * (-file.tell() % BORDER))
        places[name] = (array.dtype.str, list(array.shape), file.tell())
        file.write(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    text = json.dumps({"notes": dict(notes), "arrays": places, "body_bytes": body_bytes}).encode()
    file.write(text + TAIL.pack(len(text), MARK))


def _account(path: Path) -> tuple[dict[str, Any], int]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL.size))
            length, mark = TAIL.unpack(file.read())
            if mark != MARK or length > min(ACCOUNT_LIMIT, size):
                raise ValueError("no account at the end")
            file.seek(size - TAIL.size - length)
            account: dict[str, Any] = json.loads(file.read(length))
            return account, int(account["body_bytes"])
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", place=str(path), remedy="build the index") from error
    except (ValueError, KeyError, struct.error) as error:
        raise InputError("not an index file, or cut short", place=str(path), remedy="build the index again") from error


def _array(path: Path, kind: str, shape: list[int], offset: int) -> NDArray[Any]:
    if 0 in shape:
        return np.empty(shape, dtype=kind)
    return np.memmap(path, dtype=kind, mode="r", offset=offset, shape=tuple(shape))
