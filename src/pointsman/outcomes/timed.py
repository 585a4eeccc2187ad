"""Outcome folders as a log: the dense set, and when and with which probability each cell came about.

Takes folders; gives `records.Outcomes` with arrays beside them, NaN where a part doesn't say. What is read and refused
is as in `reading`. Puts nothing in order: `order` says in which order the queries came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pointsman.outcomes.checks import optional_numbers
from pointsman.outcomes.reading import part_files, read_several, read_table, steadily
from pointsman.records import Floats, Ints, Outcomes


@dataclass(frozen=True, slots=True)
class Timed:
    """Q queries on M models, and what the optional columns say.

    Attributes:
        outcomes: as `read_several` gives them.
        at_s: float [Q, M], Unix seconds, NaN where not known.
        propensity: float [Q, M], NaN where not known.
    """

    outcomes: Outcomes
    at_s: Floats
    propensity: Floats

    @property
    def asked_s(self) -> Floats:
        """Float [Q]: when each query was first answered, NaN where no row says."""
        known = np.isfinite(self.at_s)
        first = np.where(known, self.at_s, np.inf).min(axis=1, initial=np.inf)
        return np.where(np.isfinite(first), first, np.nan)

    @property
    def order(self) -> Ints:
        """Int [Q]: rows by time; one of no known time stays behind the one before it in the parts."""
        asked = self.asked_s
        latest = np.maximum.accumulate(np.where(np.isfinite(asked), np.arange(len(asked)), -1))
        carried = np.where(latest >= 0, asked[np.maximum(latest, 0)], -np.inf)
        return np.argsort(carried, kind="stable")


def read_timed(folders: Sequence[Path]) -> Timed:
    """Several folders as one log; of the same query and model the last folder's last part counts.

    Raises:
        InputError: as for `read_several`.
    """
    return steadily(lambda: _timed(folders))


def _timed(folders: Sequence[Path]) -> Timed:
    outcomes = read_several(folders)
    row_of = {name: row for row, name in enumerate(outcomes.prompt_ids)}
    column_of = {name: column for column, name in enumerate(outcomes.models)}
    planes = {name: np.full(outcomes.score.shape, np.nan) for name in ("at_s", "propensity")}
    for path in (path for folder in folders for path in part_files(folder)):
        table = read_table(path, ("prompt_id", "model", *planes))
        # A part may have come since: its rows are in the next reading.
        pairs = zip(table.column("prompt_id").to_pylist(), table.column("model").to_pylist(), strict=True)
        there = [(row_of.get(name, -1), column_of.get(model, -1)) for name, model in pairs]
        rows, columns = np.array(there, np.int64).T
        kept = (rows >= 0) & (columns >= 0)
        for name, plane in planes.items():
            plane[rows[kept], columns[kept]] = optional_numbers(table, str(path), name)[kept]
    return Timed(outcomes, **planes)
