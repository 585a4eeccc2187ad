"""LLMRouterBench (arXiv 2601.07206): result files in one archive, read as a stream and never unpacked.

Takes the verified archive; gives the long table of its performance-cost setting: 13 models with recorded costs on 10
benchmarks. The newest file of a (benchmark, split, model) counts; where two splits hold the same query, the larger
file does. A record without a cost, or with tokens but a cost of zero, is not free: it is left out.
"""

from __future__ import annotations

import json
import math
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pointsman import outcomes
from pointsman.evaluate.data.catalog import Downloaded
from pointsman.evaluate.data.sources.dense import Dense, long_table, strange

COST_MODELS = frozenset(
    (
        *("claude-sonnet-4", "gemini-2.5-flash", "gemini-2.5-pro", "gpt-5", "gpt-5-chat"),
        *("deepseek-r1-0528", "deepseek-v3-0324", "deepseek-v3.1-terminus", "glm-4.6", "intern-s1"),
        *("kimi-k2-0905", "qwen3-235b-a22b-2507", "qwen3-235b-a22b-thinking-2507"),
    )
)
COST_DATASETS = frozenset(
    ("aime", "livemathbench", "gpqa", "hle", "livecodebench", "mmlupro", "swebench", "simpleqa", "tau2", "arenahard")
)


@dataclass(frozen=True, slots=True)
class _Result:
    """One result file: one model on one benchmark. `records` are (text, score, cost, input, output tokens)."""

    dataset: str
    split: str
    model: str
    stamp: str
    records: Sequence[tuple[str, float, float, float, float]]


def convert(files: Sequence[Downloaded]) -> tuple[pa.Table, str]:
    """JSON results in one archive, read as a stream and never unpacked.

    The newest file of a (benchmark, split, model) counts, and where two splits hold the same query the larger file.
    """
    (file,) = files
    results: dict[tuple[str, str, str], _Result] = {}
    for result in _results(file):
        key = (result.dataset, result.split, result.model)
        results[key] = max(results.get(key, result), result, key=lambda kept: kept.stamp)
    if not results:
        raise strange(file, "holds no result of a model with recorded costs")
    rows: dict[tuple[str, str], int] = {}
    cells: dict[tuple[int, str], tuple[float, float, float, float]] = {}
    for result in sorted(results.values(), key=lambda kept: (kept.dataset, -len(kept.records), kept.split, kept.model)):
        for text, *numbers in result.records:
            row = rows.setdefault((result.dataset, text), len(rows))
            cells.setdefault((row, result.model), (numbers[0], numbers[1], numbers[2], numbers[3]))
    return long_table(_result_dense(rows, cells))


def _results(file: Downloaded) -> Iterator[_Result]:
    texts: dict[str, str] = {}  # every text once: thirteen models answered the same queries
    try:
        with tarfile.open(file.local, "r|gz") as archive:
            for member in archive:
                if not member.isfile() or not member.name.endswith(".json"):
                    continue
                if COST_MODELS.isdisjoint(Path(member.name).parts):
                    continue
                body = archive.extractfile(member)
                result = _result(file, member.name, body.read(), texts) if body else None
                if result:
                    yield result
    except (tarfile.TarError, OSError, EOFError) as error:
        raise strange(file, "is not a readable archive") from error


def _result(file: Downloaded, name: str, body: bytes, texts: dict[str, str]) -> _Result | None:
    """None for a model without recorded costs, another benchmark, or a demonstration run."""
    try:
        payload = json.loads(body)
        dataset, model = payload["dataset_name"], payload["model_name"]
        plain = re.sub(r"[^a-z0-9]", "", dataset.lower().replace("²", "2")).removesuffix("bench")
        if model not in COST_MODELS or payload.get("demo") or not {plain, plain + "bench"} & COST_DATASETS:
            return None
        records = [_result_record(record, texts) for record in payload["records"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise strange(file, f"`{name}` is no result file") from error
    stamp = re.search(r"\d{8}_\d{6}", name)
    kept = [record for record in records if record]
    return _Result(dataset, str(payload["split"]), model, stamp[0] if stamp else "", kept)


def _result_record(record: Mapping[str, Any], texts: dict[str, str]) -> tuple[str, float, float, float, float] | None:
    text = record.get("prompt") or record.get("origin_query")
    if not isinstance(text, str) or not text.strip() or record.get("score") is None:
        return None
    score, cost, sent, written = (
        math.nan if (value := record.get(key)) is None else float(value)
        for key in ("score", "cost", "prompt_tokens", "completion_tokens")
    )
    if cost < 0 or (cost == 0 and not (sent == 0 and written == 0)):
        cost = math.nan  # tokens without a price are not free
    return texts.setdefault(text, text), score, cost, sent, written


def _result_dense(
    rows: Mapping[tuple[str, str], int], cells: Mapping[tuple[int, str], tuple[float, float, float, float]]
) -> Dense:
    models = sorted({model for _, model in cells})
    column = {model: number for number, model in enumerate(models)}
    planes = np.full((4, len(rows), len(models)), np.nan)
    for (row, model), numbers in cells.items():
        planes[:, row, column[model]] = numbers
    score, cost, sent, written = planes
    score = np.where(np.isnan(cost), np.nan, score)
    ids = [f"{dataset}:{outcomes.prompt_id_of(text)}" for dataset, text in rows]
    return Dense(ids, [t for _, t in rows], [d for d, _ in rows], models, score, cost, sent, written)
