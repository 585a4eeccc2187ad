"""A log made a set of outcomes: one row a query and model, rows of one text on several models joined.

Takes a folder of parts as a gateway leaves it; gives a long table in the order in which queries came, for
`writing.write_table`. Live rows bear the id of their decision, so the same text asked twice has two of them; joined,
both bear the id that follows from the text, and of one text and model the latest row with a score stands, else the
latest. Refuses nothing that `read` would take, and changes nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pointsman.outcomes.layout import COLUMNS, OPTIONAL_COLUMNS
from pointsman.outcomes.reading import part_files, steadily
from pointsman.outcomes.texts import prompt_id_of
from pointsman.outcomes.upkeep import plain, whole
from pointsman.records import Mask

PROBE = "probe:"  # how the data sets of probes begin


def log_table(folder: Path, *, probes: bool = True, joined: bool = True) -> pa.Table:
    """The log's rows, each of a query and model once, with those of the optional columns that it has.

    Args:
        probes: whether outcomes of probes are among them.
        joined: whether rows of one text are put together under one id.

    Raises:
        InputError: no folder, no outcomes in it, or a part that can't be read.
    """
    table = steadily(lambda: pa.concat_tables(map(_part, part_files(folder)), promote_options="default"))
    table = _latest(table, "prompt_id")
    if not probes:
        table = table.filter(pa.array(~of_probes(table)))
    table = _in_time(table)
    return _joined(table) if joined else table


def _part(path: Path) -> pa.Table:
    table = whole(path)
    return plain(table.select([name for name in (*COLUMNS, *OPTIONAL_COLUMNS) if name in table.column_names]))


def of_probes(table: pa.Table) -> Mask:
    """Rows of a part that are outcomes of probes, bool [R]."""
    found: Mask = pc.starts_with(plain(table.select(["dataset"])).column(0), PROBE).to_numpy(zero_copy_only=False)
    return found.astype(np.bool_)


def _in_time(table: pa.Table) -> pa.Table:
    if "at_s" not in table.column_names:
        return table
    at_s = table.column("at_s").to_numpy(zero_copy_only=False)
    latest = np.maximum.accumulate(np.where(np.isfinite(at_s), np.arange(len(at_s)), -1))
    carried = np.where(latest >= 0, at_s[np.maximum(latest, 0)], -np.inf)
    return table.take(pa.array(np.argsort(carried, kind="stable")))


def _joined(table: pa.Table) -> pa.Table:
    """One id a text; its first data set holds for all of its rows."""
    texts = table.column("prompt").to_pylist()
    ids = {text: prompt_id_of(text) for text in dict.fromkeys(texts)}
    first: dict[str, str] = {}
    for text, dataset in zip(texts, table.column("dataset").to_pylist(), strict=True):
        first.setdefault(text, dataset)
    for name, values in (("prompt_id", ids), ("dataset", first)):
        column = pa.array([values[text] for text in texts], pa.large_string())
        table = table.set_column(table.column_names.index(name), name, column)
    return _latest(table, "prompt_id", scored_first=True)


def _latest(table: pa.Table, key: str, *, scored_first: bool = False) -> pa.Table:
    """Of one key and model the last row (with a score, if any has one), at the place of the first."""
    chosen: dict[tuple[str, str], int] = {}
    scored = table.column("score").is_valid().to_pylist()
    pairs = zip(table.column(key).to_pylist(), table.column("model").to_pylist(), strict=True)
    for row, pair in enumerate(pairs):
        before = chosen.get(pair)
        if before is None or not scored_first or scored[row] or not scored[before]:
            chosen[pair] = row
    return table.take(pa.array(np.array(list(chosen.values()), np.int64)))
