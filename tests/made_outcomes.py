"""Small outcome sets that several tests write, read and refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pointsman.errors import InputError
from pointsman.records import Outcomes

ROWS: list[dict[str, Any]] = [
    {"prompt_id": "q2", "prompt": "two", "dataset": "d", "model": "b", "score": 1.0, "cost_usd": 0.2},
    {"prompt_id": "q2", "prompt": "two", "dataset": "d", "model": "a", "score": 0.5, "cost_usd": 0.1},
    {"prompt_id": "q1", "prompt": "one and a bit", "dataset": "e", "model": "a", "score": 0.0, "cost_usd": 0.3},
]


def table(rows: list[dict[str, Any]]) -> pa.Table:
    blank = {"input_tokens": None, "output_tokens": None}
    schema = pa.schema(
        [(name, pa.string()) for name in ("prompt_id", "prompt", "dataset", "model")]
        + [(name, pa.float64()) for name in ("score", "input_tokens", "output_tokens", "cost_usd")]
    )
    return pa.Table.from_pylist([blank | row for row in rows], schema)


def folder_of(made: pa.Table, folder: Path, name: str = "outcomes.parquet") -> Path:
    folder.mkdir(exist_ok=True)
    pq.write_table(made, folder / name)
    return folder


def refusal(call: Callable[[], object]) -> InputError:
    with pytest.raises(InputError) as caught:
        call()
    return caught.value


numbers = st.one_of(st.just(float("nan")), st.floats(0.0, 1.0))


@st.composite
def outcome_sets(draw: st.DrawFn) -> Outcomes:
    """Small sets with missing cells; every query and every model has at least one."""
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 4)))
    score, cost, written = (draw(hnp.arrays(np.float64, shape, elements=numbers)) for _ in range(3))
    bare = np.isnan(score) & np.isnan(cost)
    score[bare.all(axis=1), 0] = 0.5
    bare = np.isnan(score) & np.isnan(cost)
    score[0, bare.all(axis=0)] = 0.25
    written[np.isnan(score) & np.isnan(cost)] = np.nan
    texts = draw(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"])).filter(str.strip), min_size=shape[0], max_size=shape[0]
        )
    )
    sent = draw(hnp.arrays(np.float64, shape[0], elements=st.floats(0, 1e6)))
    ids = [f"q{number}" for number in draw(st.permutations(range(shape[0])))]
    models = tuple(f"provider/m{number}" for number in range(shape[1]))
    return Outcomes(ids, texts, [f"d{len(t) % 2}" for t in texts], models, score, cost, written, sent, "a set")
