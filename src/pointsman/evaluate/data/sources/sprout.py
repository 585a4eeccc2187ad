"""SPROUT (CARROT, arXiv 2502.03261): parquet files with one struct column a model.

Takes the verified files of all splits; gives the long table, with cost = recorded tokens x CARROT's rates. Reads only
score and token counts of each struct; the answers' texts stay on the disk. Refuses a model without a known rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pointsman.evaluate.data.catalog import Downloaded
from pointsman.evaluate.data.rates import SPROUT_RATES
from pointsman.evaluate.data.sources.dense import Dense, long_table, strange
from pointsman.records import Floats


def convert(files: Sequence[Downloaded]) -> tuple[pa.Table, str]:
    """One struct column a model, with `score`, `num_input_tokens`, `num_output_tokens`; several files a split."""
    shards = [_sprout_shard(file) for file in files]
    models = sorted({model for shard in shards for model in shard.models})
    unpriced = next((model for model in models if model not in SPROUT_RATES), None)
    if unpriced is not None:
        raise strange(files[0], f"model `{unpriced}` has no known rate")
    rates = np.array([SPROUT_RATES[model] for model in models])
    number = {
        name: np.concatenate([_reordered(shard, name, models) for shard in shards])
        for name in ("score", "input_tokens", "output_tokens")
    }
    cost = (number["input_tokens"] * rates[:, 0] + number["output_tokens"] * rates[:, 1]) / 1e6
    cost = np.where(np.isnan(number["score"]), np.nan, cost)
    ids = [name for shard in shards for name in shard.ids]
    texts = [text for shard in shards for text in shard.texts]
    datasets = [dataset for shard in shards for dataset in shard.datasets]
    return long_table(Dense(ids, texts, datasets, models, cost_usd=cost, **number))


def _sprout_shard(file: Downloaded) -> Dense:
    try:
        parquet = pq.ParquetFile(file.local)
        models = [field.name for field in parquet.schema_arrow if _is_answer(field.type)]
        wanted = [f"{model}.{name}" for model in models for name in ANSWER_FIELDS]
        table = parquet.read(columns=["key", "dataset", "prompt", *wanted])  # the answers' texts stay on the disk
    except (pa.ArrowException, OSError) as error:
        raise strange(file, "is not a readable parquet file") from error
    missing = next((name for name in ("key", "dataset", "prompt") if name not in table.column_names), None)
    if missing or not models:
        raise strange(file, f"has no column `{missing}`" if missing else "has no column with a model's answers")
    split = Path(file.path).name.partition("-")[0]
    numbers = {name: np.stack([_answers(table, model, name) for model in models], 1) for name in ANSWER_FIELDS}
    return Dense(
        [f"{split}:{key}" for key in table.column("key").to_pylist()],
        table.column("prompt").to_pylist(),
        table.column("dataset").to_pylist(),
        models,
        numbers["score"],
        np.empty(0),
        numbers["num_input_tokens"],
        numbers["num_output_tokens"],
    )


ANSWER_FIELDS = ("score", "num_input_tokens", "num_output_tokens")


def _is_answer(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) and all(kind.get_field_index(name) >= 0 for name in ANSWER_FIELDS)


def _answers(table: pa.Table, model: str, name: str) -> Floats:
    values: Floats = pc.struct_field(table.column(model), name).cast(pa.float64()).to_numpy()
    return values


def _reordered(shard: Dense, name: str, models: Sequence[str]) -> Floats:
    """The shard's numbers with one column for each of `models`, NaN for those it does not have."""
    values: Floats = getattr(shard, name)
    out = np.full((len(values), len(models)), np.nan)
    out[:, [models.index(model) for model in shard.models]] = values
    return out
