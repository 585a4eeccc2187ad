"""The log: outcomes appended to a folder while the system runs, by several processes at once if need be.

Takes `OutcomeRow` values; every append is one new part of the folder, whole or not there at all, and no part is ever
changed. Grades and estimates nothing: what is not known is None. Refuses rows that `reading.read` would refuse.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import get_ident

import pyarrow as pa

from pointsman.errors import InputError
from pointsman.outcomes.checks import check
from pointsman.outcomes.layout import (
    NUMBER_COLUMNS,
    OPTIONAL_COLUMNS,
    OPTIONAL_TEXT_COLUMNS,
    PART_FILES,
    TEXT_COLUMNS,
)
from pointsman.outcomes.reading import read
from pointsman.outcomes.writing import write_parquet
from pointsman.records import Outcomes

PART_DIGITS = 12


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What happened to one query on one model, as it is appended to a log; None where not known.

    Attributes:
        prompt_id: the query; see `prompt_id_of` for an id that follows from the text.
        prompt: its text.
        dataset: the task it came from.
        model: who answered.
        score: in [0, 1].
        cost_usd: at least zero.
        input_tokens, output_tokens: at least zero.
        at_s: when it was answered, Unix seconds.
        answer: what was answered.
        propensity: in (0, 1], the probability with which this model was chosen.
        grader: what made the score.
    """

    prompt_id: str
    prompt: str
    dataset: str
    model: str
    score: float | None = None
    cost_usd: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    at_s: float | None = None
    answer: str | None = None
    propensity: float | None = None
    grader: str | None = None


class OutcomeLog:
    """Outcomes appended while the system runs; several processes may append to one folder.

    Every append is one new part, written aside and linked into place under the next free number, so a reader sees
    all of it or nothing and no part is ever changed. `read` merges the parts; the later wins. Nothing is graded or
    estimated here: what is not known is None.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def append(self, rows: Iterable[OutcomeRow]) -> Path | None:
        """Adds the rows as one part and gives its path; None where there are no rows.

        Raises:
            InputError: a row that `read` would refuse; nothing is written then.
            OSError: the disk is full or the folder not writable; nothing is left behind then either.
        """
        listed = list(rows)
        if not listed:
            return None
        table = _row_table(listed)
        check(table, "outcomes to append")
        self.folder.mkdir(parents=True, exist_ok=True)
        aside = self.folder / f".outcomes.{os.getpid()}.{get_ident()}.partial"
        try:
            write_parquet(table, aside)
            return self._link(aside)
        finally:
            aside.unlink(missing_ok=True)

    def _link(self, aside: Path) -> Path:
        number = 1 + max((_part_number(path) for path in self.folder.glob(PART_FILES)), default=0)
        while True:
            part = self.folder / f"outcomes-{number:0{PART_DIGITS}d}.parquet"
            try:
                os.link(aside, part)  # fails where the name is taken: unlike a rename, it never replaces
            except FileExistsError:
                number += 1
            else:
                return part

    def read(self) -> Outcomes:
        """Everything appended so far, and `outcomes.parquet` below it; see `read`."""
        return read(self.folder)


def _part_number(path: Path) -> int:
    digits = path.stem.removeprefix("outcomes-")
    return int(digits) if digits.isdecimal() else 0


def _row_table(rows: Sequence[OutcomeRow]) -> pa.Table:
    """The rows as a table; an optional column that no row has is left out."""
    used = [name for name in OPTIONAL_COLUMNS if any(getattr(row, name) is not None for row in rows)]
    try:
        columns = {name: _column(rows, name) for name in (*TEXT_COLUMNS, *NUMBER_COLUMNS, *used)}
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(
            "a value is of the wrong type", place="outcomes to append", remedy="give text, numbers or None"
        ) from error
    return pa.table(columns)


def _column(rows: Sequence[OutcomeRow], name: str) -> pa.Array:
    kind = pa.large_string() if name in TEXT_COLUMNS or name in OPTIONAL_TEXT_COLUMNS else pa.float64()
    return pa.array([getattr(row, name) for row in rows], kind)
