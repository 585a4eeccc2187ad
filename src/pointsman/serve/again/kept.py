"""What the journal kept, read by somebody who isn't the gateway: every decision in the order in which it ended.

Takes a state folder; gives plain JSON values, candidates by record, the score beside them. Opens the file for reading
alone, so it may be in use; changes nothing, and holds no prompt since the journal has none.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from pointsman.errors import InputError
from pointsman.serve.journal_file import read_body

JOURNAL = "decisions.sqlite"
_ALL = "select body, score from exchanges order by number"


def kept_decisions(state: Path) -> Iterator[dict[str, Any]]:
    """Every decision that the journal of a state folder still has.

    Raises:
        InputError: there is no journal, or it can't be read.
    """
    path = state / JOURNAL
    if not path.is_file():
        raise InputError("there is no journal of decisions", place=str(path), remedy="give a gateway's state folder")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)) as db:
            for body, score in db.execute(_ALL):
                yield read_body(body) | {"score": score}
    except (sqlite3.Error, ValueError) as error:
        raise InputError(f"the journal can't be read: {error}", place=str(path), remedy="is it a journal?") from None
