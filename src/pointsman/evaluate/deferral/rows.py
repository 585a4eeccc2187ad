"""The saved rows of a deferral bench: `meta.json` says what was run on what, `trials.jsonl` holds one line a row.

Takes finished rows, one at a time, and gives them back. An interruption costs the rows in progress and nothing else;
opening the folder again resumes it. Refuses the rows of another bench, a second writer and a line that can't be read.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Self

from pointsman.errors import InputError
from pointsman.evaluate.deferral.records import (
    COSTS,
    PROBINGS,
    ROWS_FILE,
    DeferralMeta,
    DeferralRows,
    TrialRow,
    checked_values,
    record_of,
)
from pointsman.evaluate.rows import META_FILE
from pointsman.evaluate.rows_folder import (
    LineFile,
    document,
    read_document,
    read_lines,
    refuse_other_bench,
    unique_keys,
    write_aside,
)

__all__ = [
    "COSTS",
    "PROBINGS",
    "ROWS_FILE",
    "DeferralMeta",
    "DeferralRows",
    "DeferralWriter",
    "TrialRow",
    "read_deferral",
]


def read_deferral(folder: Path) -> DeferralRows:
    """All that a deferral bench has saved in `folder` so far; a torn last line is ignored.

    Raises:
        InputError: the folder has no meta.json, or a file holds something else than rows (with its line number).
    """
    meta = _read_meta(folder)
    rows = read_lines(folder / ROWS_FILE, _row)
    unique_keys(rows, folder / ROWS_FILE)
    return DeferralRows(meta, tuple(rows))


def _read_meta(folder: Path) -> DeferralMeta:
    return read_document(folder / META_FILE, _meta, "bench deferral")


def _meta(raw: object, place: str, remedy: str) -> DeferralMeta:
    return record_of(DeferralMeta, raw, place, remedy)


def _row(raw: object, place: str, remedy: str) -> TrialRow:
    return record_of(TrialRow, raw, place, remedy)


class DeferralWriter:
    """Appends finished rows to a folder; opening the folder again resumes it.

    Args:
        folder: made if it isn't there.
        meta: must agree with the folder's own in everything but the command, which is replaced.

    Raises:
        InputError: another writer has the folder, it holds rows of something else, or rows that can't be read.
    """

    def __init__(self, folder: Path, meta: DeferralMeta) -> None:
        self.folder = folder
        with ExitStack() as files:
            self._rows = files.enter_context(closing(LineFile(folder / ROWS_FILE)))
            path = folder / META_FILE
            if path.is_file():
                refuse_other_bench(_read_meta(folder), meta, path)
            write_aside(path, document(checked_values(meta, "meta")))
            self._done = {row.key for row in read_deferral(folder).rows}
            self._files = files.pop_all()

    def done_keys(self) -> frozenset[str]:
        """Keys of the rows that are on the disk."""
        return frozenset(self._done)

    def append(self, row: TrialRow) -> None:
        """Put one finished row on the disk.

        Raises:
            InputError: the key is there already, or a value is not fit to be saved.
        """
        place = f"row {row.key!r}"
        if row.key in self._done:
            raise InputError("its key is there already", place=place)
        self._rows.append(checked_values(row, place))
        self._done.add(row.key)

    def close(self) -> None:
        """Let the folder go; nothing is pending."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self.close()
