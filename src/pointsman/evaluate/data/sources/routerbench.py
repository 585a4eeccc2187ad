"""RouterBench (arXiv 2403.12031): one pickled DataFrame in the wide shape.

Takes the verified file; gives the long table by the rules of `importers`, without running the pickle. Prompts are
Python texts of lists of turns, joined by blank lines; costs as recorded; output tokens estimated from the answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pointsman.evaluate.data import importers
from pointsman.evaluate.data.catalog import ROUTERBENCH, Downloaded
from pointsman.evaluate.data.restricted_pickle import Column, read_pickled_table
from pointsman.evaluate.data.sources.dense import distinct, strange
from pointsman.evaluate.data.tables import Raw


def convert(files: Sequence[Downloaded]) -> tuple[pa.Table, str]:
    """The wide table out of the pickle, by the rules of `importers`."""
    (file,) = files
    columns = read_pickled_table(file.local)
    if "sample_id" not in columns:
        raise strange(file, "has no column `sample_id`")
    made = {name: _arrow(file, name, values) for name, values in columns.items()}
    made["sample_id"] = pa.array(distinct(made["sample_id"].cast(pa.large_string()).to_pylist()), pa.large_string())
    raw = Raw(file.path, made, np.arange(1, len(made["sample_id"]) + 1))
    table, report = importers.convert(raw, {}, dataset=ROUTERBENCH.name, skip_bad=True)
    return table, " ".join(f"{count:,} cells left out: {reason}." for reason, count in report.rejected.items())


def _arrow(file: Downloaded, name: str, values: Column) -> pa.Array:
    try:
        return pa.array(values, from_pandas=True)
    except pa.ArrowException as error:
        raise strange(file, f"column `{name}` mixes text and numbers") from error
