"""The latest exchanges of the journal, read beside the gateway: on a connection of its own, in a thread.

Takes a state folder; gives bodies as they were written, one after the other, so that no more than one is held as
values. It opens the file for reading alone, so writers don't wait for it, and where there is no file yet nothing has
happened yet.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from pointsman.errors import InputError

JOURNAL = "decisions.sqlite"
TOGETHER = 64
PAUSE_S = 0.001  # after so many rows: decisions share the interpreter with whoever reads them
_LATEST = "select body, score from exchanges order by number desc limit ?"


def latest(state: Path, most: int) -> Iterator[tuple[bytes, float | None]]:
    """Bodies and scores of at most so many exchanges, the newest first.

    Raises:
        InputError: the journal can't be read.
    """
    path = state / JOURNAL
    if not path.is_file():
        return
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
            for looked, (body, score) in enumerate(db.execute(_LATEST, (most,)), 1):
                yield body, score
                if looked % TOGETHER == 0:
                    time.sleep(PAUSE_S)
    except sqlite3.Error as error:
        raise InputError(f"decisions can't be read: {error}", place=str(path), remedy="try again") from None
