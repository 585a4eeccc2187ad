"""The latest exchanges of the journal, read beside the gateway: on a connection of its own, in a thread.

Takes a state folder; gives bodies as they were written, one after the other, so that no more than one is held as
values. It opens the file for reading alone, so writers don't wait for it, and where there is no file yet nothing has
happened yet.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pointsman.errors import InputError
from pointsman.serve.journal_file import read_body

JOURNAL = "decisions.sqlite"
_LATEST = "select body, score from exchanges order by number desc limit ?"
_ONE = "select number, body, score from exchanges where decision_id = ?"


def latest(state: Path, most: int) -> Iterator[tuple[bytes, float | None]]:
    """Bodies and scores of at most so many exchanges, the newest first.

    Raises:
        InputError: the journal can't be read.
    """
    return _rows(state, _LATEST, (most,))


def numbered(state: Path, decision_id: str) -> tuple[int, dict[str, Any]] | None:
    """One exchange with its number in the journal; None where it isn't written, or was too long ago.

    Raises:
        InputError: the journal can't be read.
    """
    for number, body, score in _rows(state, _ONE, (decision_id,)):
        return int(number), read_body(body) | {"score": score}
    return None


def _rows(state: Path, sql: str, values: Sequence[object]) -> Iterator[Any]:
    path = state / JOURNAL
    if not path.is_file():
        return
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
            yield from db.execute(sql, values)
    except sqlite3.Error as error:
        raise InputError(f"decisions can't be read: {error}", place=str(path), remedy="try again") from None
