"""EmbedLLM (arXiv 2410.02223): long CSV files of several gigabytes with 0/1 labels and nothing else.

Takes the verified files, read as a stream; gives the long table. A query listed under several task variants gets the
mean of its labels. Cost is a proxy, input tokens estimated from the text x a rate by model size; a model of unknown
size has no cost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.csv

from pointsman import outcomes
from pointsman.evaluate.data.catalog import Downloaded
from pointsman.evaluate.data.rates import tier_rate
from pointsman.evaluate.data.sources.dense import Dense, long_table, strange
from pointsman.records import Floats, Ints

LABEL_COLUMNS = {
    "prompt_id": pa.int64(),
    "prompt": pa.large_string(),
    "category": pa.large_string(),
    "model_name": pa.large_string(),
    "label": pa.float64(),
}


@dataclass(slots=True)
class _Labels:
    """EmbedLLM's rows as they stream by: codes instead of texts, each text once."""

    texts: dict[int, str] = field(default_factory=dict)
    datasets: dict[int, str] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)
    query: list[Ints] = field(default_factory=list)
    model: list[Ints] = field(default_factory=list)
    label: list[Floats] = field(default_factory=list)

    def add(self, batch: pa.RecordBatch) -> None:
        ids = batch.column("prompt_id").to_numpy(zero_copy_only=False)
        _, first = np.unique(ids, return_index=True)
        new = [int(row) for row in np.sort(first) if int(ids[row]) not in self.texts]
        at = pa.array(new, pa.int64())
        for name, kept in (("prompt", self.texts), ("category", self.datasets)):
            kept.update(zip(ids[new].tolist(), batch.column(name).take(at).to_pylist(), strict=True))
        models = batch.column("model_name").dictionary_encode()
        codes = [self.models.setdefault(name, len(self.models)) for name in models.dictionary.to_pylist()]
        self.query.append(ids)
        self.model.append(np.array(codes)[models.indices.to_numpy()])
        self.label.append(batch.column("label").to_numpy(zero_copy_only=False))


def convert(files: Sequence[Downloaded]) -> tuple[pa.Table, str]:
    """Long CSV files of several gigabytes, read as a stream; a query's labels under several variants are averaged."""
    labels = _Labels()
    for file in files:
        _stream_labels(file, labels)
    ids, query = np.unique(np.concatenate(labels.query), return_inverse=True)
    models = sorted(labels.models)
    order = np.array([models.index(name) for name in labels.models])
    shape = (len(ids), len(models))
    cell = query * len(models) + order[np.concatenate(labels.model)]
    count = np.bincount(cell, minlength=math.prod(shape)).reshape(shape)
    total = np.bincount(cell, np.concatenate(labels.label), minlength=math.prod(shape)).reshape(shape)
    score = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    texts = [labels.texts[number] for number in ids.tolist()]
    rates = np.array([np.nan if (rate := tier_rate(model)) is None else rate for model in models])
    sent = np.repeat(outcomes.token_estimates(texts)[:, None], len(models), 1)
    cost = np.where(np.isnan(score), np.nan, sent * rates / 1e6)
    datasets = [labels.datasets[number] for number in ids.tolist()]
    dense = Dense([str(n) for n in ids], texts, datasets, models, score, cost, sent, np.full(shape, np.nan))
    table, notes = long_table(dense)
    unpriced = [model for model, rate in zip(models, rates, strict=True) if np.isnan(rate)]
    missing = f"No size is known of {', '.join(unpriced)}: no cost there." if unpriced else ""
    return table, " ".join(filter(None, (notes, missing)))


def _stream_labels(file: Downloaded, labels: _Labels) -> None:
    options = pyarrow.csv.ConvertOptions(column_types=LABEL_COLUMNS, include_columns=list(LABEL_COLUMNS))
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    read = pyarrow.csv.ReadOptions(block_size=16 * 2**20)
    try:
        with pyarrow.csv.open_csv(file.local, read, parse, options) as batches:
            for batch in batches:
                if any(column.null_count for column in batch.columns):
                    raise strange(file, "has a row with nothing in a column that is needed")
                labels.add(batch)
    except (pa.ArrowException, KeyError) as error:
        raise strange(file, f"is no CSV with the columns {', '.join(LABEL_COLUMNS)}") from error
