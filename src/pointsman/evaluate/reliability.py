"""How true the estimates are: quality as estimated against scores as recorded, on the tested rows.

Takes a prepared `Bench`, gives one reliability table a source of estimates; keeps them beside the rows of the bench,
in `reliability.json`, for the report. It judges calibration only: whether estimates tell models and queries apart is
what the policies' performance says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pointsman.decide.policies import Source
from pointsman.errors import InputError
from pointsman.estimate.calibration import Reliability, reliability
from pointsman.evaluate.json_files import write_aside
from pointsman.evaluate.prepare import Bench

FILE = "reliability.json"
# Exact neighbours are left out: their curve lies on that of the approximate ones.
NAMES: dict[Source, str] = {"blend": "ours", "neighbours-hnsw": "k nearest (PORT)", "text": "TF-IDF ridge"}


def measure_reliability(bench: Bench) -> dict[str, Reliability]:
    """A table for every source in `NAMES` that the bench has, over all tested (query, model) pairs."""
    return {
        name: reliability(bench.estimates[source].quality, bench.test.score)
        for source, name in NAMES.items()
        if source in bench.estimates
    }


def save_reliability(found: Mapping[str, Reliability], folder: Path) -> None:
    """Writes the tables with their expected calibration error (ECE); empty bins are null."""
    plain = {name: {**_columns(table), "ece": _plain(table.error)} for name, table in found.items()}
    write_aside(folder / FILE, (json.dumps(plain, indent=1) + "\n").encode())


def load_reliability(folder: Path) -> dict[str, Reliability]:
    """What `save_reliability` wrote; nothing where there is no file.

    Raises:
        InputError: the file holds something else.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        return {name: _table(columns) for name, columns in json.loads(path.read_text(encoding="utf-8")).items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError("this is no reliability table", place=str(path), remedy="delete it and run again") from None


def _columns(table: Reliability) -> dict[str, list[float | None]]:
    return {name: [_plain(v) for v in getattr(table, name)] for name in ("predicted", "observed", "count")}


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _table(columns: Mapping[str, list[float | None]]) -> Reliability:
    predicted, observed = (np.array(columns[name], dtype=np.float64) for name in ("predicted", "observed"))
    return Reliability(predicted, observed, np.array(columns["count"], dtype=np.int64))
