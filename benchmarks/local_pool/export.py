"""The outcomes of an onboarding run as sample data: one outcome folder, labelled with how it was made.

Takes the gateway's own log of outcomes and the probes that were asked; gives a folder with `outcomes.parquet`, raw
answers and graders in it, and `dataset.yaml`. Rows of anything else than these probes are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from local_pool.settings import SETTINGS
from pointsman.outcomes import COLUMNS, About, Size, part_files, prompt_id_of, size_of, write_table
from pointsman.pool.probes import Probe

KEPT = (*COLUMNS, "answer", "grader")
ABOUT = About(
    title="local pool (real small models, our own probes)",
    licence="Apache-2.0; in Gemma's answers Google claims no rights (Gemma terms of use, 3.3)",
    source="made by benchmarks/local_pool/run.py, see docs/local_pool.md",
    notes=(
        "Real answers of SmolLM2-135M-Instruct at seven settings and of Gemma 3 270M (base), through llama.cpp on one "
        "machine, asked and graded by `pointsman onboard` through the gateway. Tokens are what was really sent and "
        "made; the rates are ours, since nobody sells these models. Models this small are wrong most of the time: the "
        "set shows how routing works, and says nothing of models that anybody would use."
    ),
)


def export(log: Path, folder: Path, probes: Sequence[Probe]) -> Size:
    """Writes the folder, all at once.

    Args:
        log: the gateway's outcomes; of the same probe and model the later row counts.
        folder: is replaced, if it holds outcomes.
        probes: what was asked.

    Raises:
        InputError: nothing is there, or what is there is malformed.
    """
    table = latest(pq.read_table(path) for path in part_files(log))
    table = in_order(table, [prompt_id_of(one.prompt) for one in probes], [one.model for one in SETTINGS])
    write_table(table, folder, ABOUT, overwrite=True, optional=True)
    return size_of(table)


def latest(parts: Iterable[pa.Table]) -> pa.Table:
    """The parts as one table of `KEPT`, the last row of every probe and model."""
    whole = pa.concat_tables([part.select(list(KEPT)) for part in parts if "answer" in part.column_names])
    keys = list(zip(whole["prompt_id"].to_pylist(), whole["model"].to_pylist(), strict=True))
    last = {key: row for row, key in enumerate(keys)}
    return whole.take(pa.array(sorted(last.values())))


def in_order(table: pa.Table, prompt_ids: Sequence[str], models: Sequence[str]) -> pa.Table:
    """Its rows of these probes and models, probe by probe; texts coded as a dictionary."""
    place = [pc.index_in(table[name], pa.array(of)) for name, of in (("prompt_id", prompt_ids), ("model", models))]
    table = table.append_column("probe", place[0]).append_column("setting", place[1])
    table = table.filter(pc.and_(table["probe"].is_valid(), table["setting"].is_valid()))
    table = table.sort_by([("probe", "ascending"), ("setting", "ascending")]).select(list(KEPT))
    for number, name in enumerate(KEPT):
        if pa.types.is_large_string(table.schema.field(name).type):
            table = table.set_column(number, name, table[name].dictionary_encode())
    return table
