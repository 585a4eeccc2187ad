"""The folder of a deferral bench: a `resumable` one, its rows in `trials.jsonl`. Refuses what `records` finds unfit."""

from __future__ import annotations

from pathlib import Path

from pointsman.evaluate.deferral.records import META, ROWS_FILE, TRIAL, DeferralMeta, DeferralRows, TrialRow
from pointsman.evaluate.resumable import Layout, RowWriter

_TRIALS = Layout(META, TRIAL, ROWS_FILE, "bench deferral")


def read_deferral(folder: Path) -> DeferralRows:
    """All that a deferral bench has saved in `folder` so far; a torn last line is ignored.

    Raises:
        InputError: the folder has no meta.json, or a file holds something else than rows (with its line number).
    """
    return DeferralRows(*_TRIALS.read(folder))


class DeferralWriter(RowWriter[DeferralMeta, TrialRow]):
    """Appends finished rows; see `RowWriter`."""

    layout = _TRIALS
