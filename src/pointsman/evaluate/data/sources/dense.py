"""The shape in which converters hand over: dense arrays, turned into one long table.

Takes outcomes of Q queries on M models as a source has them; leaves out the cells whose score is out of range and
says how many, makes repeated ids distinct. Reads no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pointsman import outcomes
from pointsman.errors import InputError
from pointsman.evaluate.data.catalog import Downloaded
from pointsman.records import Floats


@dataclass(frozen=True, slots=True)
class Dense:
    """Outcomes of Q queries on M models before they become a long table; every number [Q, M], NaN where missing."""

    ids: Sequence[str]
    texts: Sequence[str]
    datasets: Sequence[str]
    models: Sequence[str]
    score: Floats
    cost_usd: Floats
    input_tokens: Floats
    output_tokens: Floats


def long_table(dense: Dense) -> tuple[pa.Table, str]:
    """The long table without the cells whose score is out of range, and how many those were."""
    with np.errstate(invalid="ignore"):
        off = (dense.score < 0) | (dense.score > 1) | np.isinf(dense.score)
    table = outcomes.dense_table(
        prompt_ids=distinct(dense.ids),
        texts=dense.texts,
        datasets=dense.datasets,
        models=dense.models,
        score=np.where(off, np.nan, dense.score),
        cost_usd=np.where(off, np.nan, dense.cost_usd),
        output_tokens=dense.output_tokens,
        input_tokens=dense.input_tokens,
    )
    return table, f"{int(off.sum()):,} cells with a score outside [0, 1] are left out." if off.any() else ""


def distinct(ids: Sequence[str]) -> list[str]:
    """The ids, with `#2`, `#3`, … behind those that appear again."""
    seen: dict[str, int] = {}
    out = []
    for name in ids:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return out


def strange(file: Downloaded, what: str) -> InputError:
    """The refusal of a published file that is not as it was when its converter was written."""
    return InputError(
        what, place=f"{file.repo}/{file.path}", remedy="the published form has changed; report it to Pointsman"
    )
