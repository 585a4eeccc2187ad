"""From what each source publishes to one long table of outcomes.

One converter a source: verified files in, the table of `outcomes.COLUMNS` and a line of notes out. Every published
schema is read strictly: a missing column or a strange value is an `InputError` that names the file; a score outside
[0, 1] or a missing cost leaves that cell out and is counted in the notes. Nothing is downloaded here, nothing written.
"""

from __future__ import annotations

import json
import math
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from pointsman import outcomes
from pointsman.errors import InputError
from pointsman.evaluate.data import importers
from pointsman.evaluate.data.catalog import (
    EMBEDLLM,
    LLMROUTERBENCH,
    OPEN_LLM_LEADERBOARD,
    ROUTERBENCH,
    SPROUT,
    SPROUT_O3MINI,
    Downloaded,
)
from pointsman.evaluate.data.rates import LEADERBOARD_RATES, SPROUT_RATES, tier_rate
from pointsman.evaluate.data.restricted_pickle import Column, read_pickled_table
from pointsman.evaluate.data.tables import Raw
from pointsman.records import Floats, Ints

Converter = Callable[[Sequence[Downloaded]], tuple[pa.Table, str]]


@dataclass(frozen=True, slots=True)
class _Dense:
    """Outcomes of Q queries on M models before they become a long table; every number [Q, M], NaN where missing."""

    ids: Sequence[str]
    texts: Sequence[str]
    datasets: Sequence[str]
    models: Sequence[str]
    score: Floats
    cost_usd: Floats
    input_tokens: Floats
    output_tokens: Floats


def _long(dense: _Dense) -> tuple[pa.Table, str]:
    """The long table without the cells whose score is out of range, and how many those were."""
    with np.errstate(invalid="ignore"):
        off = (dense.score < 0) | (dense.score > 1) | np.isinf(dense.score)
    table = outcomes.dense_table(
        prompt_ids=_distinct(dense.ids),
        texts=dense.texts,
        datasets=dense.datasets,
        models=dense.models,
        score=np.where(off, np.nan, dense.score),
        cost_usd=np.where(off, np.nan, dense.cost_usd),
        output_tokens=dense.output_tokens,
        input_tokens=dense.input_tokens,
    )
    return table, f"{int(off.sum()):,} cells with a score outside [0, 1] are left out." if off.any() else ""


def _distinct(ids: Sequence[str]) -> list[str]:
    """The ids, with `#2`, `#3`, … behind those that appear again."""
    seen: dict[str, int] = {}
    out = []
    for name in ids:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return out


def _strange(file: Downloaded, what: str) -> InputError:
    return InputError(
        what, place=f"{file.repo}/{file.path}", remedy="the published form has changed; report it to Pointsman"
    )


# --- RouterBench ----------------------------------------------------------------------------------------------------


def _routerbench(files: Sequence[Downloaded]) -> tuple[pa.Table, str]:
    """The wide table out of the pickle, by the rules of `importers`."""
    (file,) = files
    columns = read_pickled_table(file.local)
    if "sample_id" not in columns:
        raise _strange(file, "has no column `sample_id`")
    made = {name: _arrow(file, name, values) for name, values in columns.items()}
    made["sample_id"] = pa.array(_distinct(made["sample_id"].cast(pa.large_string()).to_pylist()), pa.large_string())
    raw = Raw(file.path, made, np.arange(1, len(made["sample_id"]) + 1))
    table, report = importers.convert(raw, {}, dataset=ROUTERBENCH.name, skip_bad=True)
    return table, " ".join(f"{count:,} cells left out: {reason}." for reason, count in report.rejected.items())


def _arrow(file: Downloaded, name: str, values: Column) -> pa.Array:
    try:
        return pa.array(values, from_pandas=True)
    except pa.ArrowException as error:
        raise _strange(file, f"column `{name}` mixes text and numbers") from error


# --- SPROUT ---------------------------------------------------------------------------------------------------------


def _sprout(files: Sequence[Downloaded]) -> tuple[pa.Table, str]:
    """One struct column a model, with `score`, `num_input_tokens`, `num_output_tokens`; several files a split."""
    shards = [_sprout_shard(file) for file in files]
    models = sorted({model for shard in shards for model in shard.models})
    unpriced = next((model for model in models if model not in SPROUT_RATES), None)
    if unpriced is not None:
        raise _strange(files[0], f"model `{unpriced}` has no known rate")
    rates = np.array([SPROUT_RATES[model] for model in models])
    number = {
        name: np.concatenate([_reordered(shard, name, models) for shard in shards])
        for name in ("score", "input_tokens", "output_tokens")
    }
    cost = (number["input_tokens"] * rates[:, 0] + number["output_tokens"] * rates[:, 1]) / 1e6
    cost = np.where(np.isnan(number["score"]), np.nan, cost)
    ids, texts, datasets = (sum((list(getattr(s, key)) for s in shards), []) for key in ("ids", "texts", "datasets"))
    return _long(_Dense(ids, texts, datasets, models, cost_usd=cost, **number))


def _sprout_shard(file: Downloaded) -> _Dense:
    try:
        parquet = pq.ParquetFile(file.local)
        models = [field.name for field in parquet.schema_arrow if _is_answer(field.type)]
        wanted = [f"{model}.{name}" for model in models for name in ANSWER_FIELDS]
        table = parquet.read(columns=["key", "dataset", "prompt", *wanted])  # the answers' texts stay on the disk
    except (pa.ArrowException, OSError) as error:
        raise _strange(file, "is not a readable parquet file") from error
    missing = next((name for name in ("key", "dataset", "prompt") if name not in table.column_names), None)
    if missing or not models:
        raise _strange(file, f"has no column `{missing}`" if missing else "has no column with a model's answers")
    split = Path(file.path).name.partition("-")[0]
    numbers = {name: np.stack([_answers(table, model, name) for model in models], 1) for name in ANSWER_FIELDS}
    return _Dense(
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


def _reordered(shard: _Dense, name: str, models: Sequence[str]) -> Floats:
    """The shard's numbers with one column for each of `models`, NaN for those it does not have."""
    values: Floats = getattr(shard, name)
    out = np.full((len(values), len(models)), np.nan)
    out[:, [models.index(model) for model in shard.models]] = values
    return out


# --- Open LLM Leaderboard v2 ------------------------------------------------------------------------------------------

SAMPLES = re.compile(r"samples_leaderboard_(?P<task>\w+?)_(?P<run>\d{4}-\d{2}-\d{2}T[\d\-.]+)\.jsonl?$")
LEADERBOARD_TASKS = ("bbh_", "gpqa_", "math_", "mmlu_pro", "musr_")


def _leaderboard(files: Sequence[Downloaded]) -> tuple[pa.Table, str]:
    """Each model's newest file of each task, joined by task and document number."""
    models = list(LEADERBOARD_RATES)
    rows: dict[str, int] = {}
    texts: list[str] = []
    cells: list[tuple[int, int, float, float, float]] = []
    strangers = 0
    for (model, task), file in sorted(_newest(files).items()):
        for doc, text, score, sent, written in _leaderboard_records(file, task):
            row = rows.setdefault(f"{task}:{doc}", len(rows))
            if row == len(texts):
                texts.append(text)
            if texts[row] == text:
                cells.append((row, models.index(model), score, sent, written))
            else:
                strangers += 1
    table, notes = _long(_leaderboard_dense(list(rows), texts, models, cells))
    other = f"{strangers:,} records whose text differs from the other models' are left out." if strangers else ""
    return table, " ".join(filter(None, (notes, other)))


def _newest(files: Sequence[Downloaded]) -> dict[tuple[str, str], Downloaded]:
    newest: dict[tuple[str, str], tuple[str, Downloaded]] = {}
    for file in files:
        found = SAMPLES.search(file.path)
        model = file.repo.partition("/")[2].removesuffix("-details").replace("__", "/", 1)
        if not found or model not in LEADERBOARD_RATES or not found["task"].startswith(LEADERBOARD_TASKS):
            continue
        key = (model, found["task"])
        newest[key] = max(newest.get(key, ("", file)), (found["run"], file), key=lambda pair: pair[0])
    if not newest:
        raise _strange(files[0], "is no file of a leaderboard task")
    return {key: file for key, (_, file) in newest.items()}


def _leaderboard_records(file: Downloaded, task: str) -> Iterator[tuple[int, str, float, float, float]]:
    """(document number, question, score, input tokens, output tokens) of every record."""
    metric = "acc" if task == "mmlu_pro" else "exact_match" if task.startswith("math_") else "acc_norm"
    for line, record in _json_records(file):
        try:
            text = _question(record["doc"])
            prompt = _first_text(record.get("arguments")) or text
            answer = _first_text(record.get("resps")) or "" if task.startswith("math_") else ""
            yield int(record["doc_id"]), text, _truth(record[metric]), _tokens(prompt), _tokens(answer)
        except (KeyError, TypeError, ValueError) as error:
            raise _strange(file, f"line {line} is no record of `{task}` ({error})") from error


def _json_records(file: Downloaded) -> Iterator[tuple[int, dict[str, Any]]]:
    with file.local.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise _strange(file, f"line {number} is not JSON") from error
            if not isinstance(record, dict):
                raise _strange(file, f"line {number} is no JSON object")
            yield number, record


def _question(doc: Mapping[str, Any]) -> str:
    """The bare question, without the shots: as the harness's `leaderboard` tasks put it together."""
    if "narrative" in doc:
        return f"{doc['narrative']}\n\n{doc['question']}"
    if "options" in doc:
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        options = "\n".join(f"{letter}. {option}" for letter, option in zip(letters, doc["options"], strict=False))
        return f"{doc['question']}\n{options}"
    return str(next(doc[key] for key in ("input", "problem", "Question") if key in doc))


def _first_text(value: object) -> str:
    """The first text inside nested lists and objects: the prompt of a record's arguments, or its answer."""
    while isinstance(value, list | dict):
        value = next(iter(value.values() if isinstance(value, dict) else value), None)
    return value if isinstance(value, str) else ""


def _truth(value: object) -> float:
    """0 or 1; the files have it as number, boolean or text."""
    if isinstance(value, str):
        value = {"true": 1.0, "false": 0.0}.get(value.lower(), value)
    return float(value)  # type: ignore[arg-type]  # whatever else it is raises, and is refused


def _tokens(text: str) -> float:
    return float(math.ceil(len(text) / outcomes.CHARACTERS_PER_TOKEN))


def _leaderboard_dense(
    ids: Sequence[str],
    texts: Sequence[str],
    models: Sequence[str],
    cells: Sequence[tuple[int, int, float, float, float]],
) -> _Dense:
    score, sent, written = (np.full((len(ids), len(models)), np.nan) for _ in range(3))
    numbers = np.array(cells)
    at = (numbers[:, 0].astype(np.int64), numbers[:, 1].astype(np.int64))
    score[at], sent[at], written[at] = numbers[:, 2], numbers[:, 3], numbers[:, 4]
    cost = (sent + written) * np.array([LEADERBOARD_RATES[model] for model in models]) / 1e6
    datasets = [name.rpartition(":")[0] for name in ids]
    return _Dense(ids, texts, datasets, models, score, cost, sent, written)


# --- EmbedLLM -------------------------------------------------------------------------------------------------------

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


def _embedllm(files: Sequence[Downloaded]) -> tuple[pa.Table, str]:
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
    dense = _Dense([str(n) for n in ids], texts, datasets, models, score, cost, sent, np.full(shape, np.nan))
    table, notes = _long(dense)
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
                    raise _strange(file, "has a row with nothing in a column that is needed")
                labels.add(batch)
    except (pa.ArrowException, KeyError) as error:
        raise _strange(file, f"is no CSV with the columns {', '.join(LABEL_COLUMNS)}") from error


# --- LLMRouterBench ---------------------------------------------------------------------------------------------------

COST_MODELS = frozenset(
    "claude-sonnet-4 deepseek-r1-0528 deepseek-v3-0324 deepseek-v3.1-terminus gemini-2.5-flash gemini-2.5-pro glm-4.6 "
    "gpt-5 gpt-5-chat intern-s1 kimi-k2-0905 qwen3-235b-a22b-2507 qwen3-235b-a22b-thinking-2507".split()  # noqa: SIM905
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


def _llmrouterbench(files: Sequence[Downloaded]) -> tuple[pa.Table, str]:
    """JSON results in one archive, read as a stream and never unpacked.

    The newest file of a (benchmark, split, model) counts, and where two splits hold the same query the larger file.
    """
    (file,) = files
    results: dict[tuple[str, str, str], _Result] = {}
    for result in _results(file):
        key = (result.dataset, result.split, result.model)
        results[key] = max(results.get(key, result), result, key=lambda kept: kept.stamp)
    if not results:
        raise _strange(file, "holds no result of a model with recorded costs")
    rows: dict[tuple[str, str], int] = {}
    cells: dict[tuple[int, str], tuple[float, float, float, float]] = {}
    for result in sorted(results.values(), key=lambda kept: (kept.dataset, -len(kept.records), kept.split, kept.model)):
        for text, *numbers in result.records:
            row = rows.setdefault((result.dataset, text), len(rows))
            cells.setdefault((row, result.model), (numbers[0], numbers[1], numbers[2], numbers[3]))
    return _long(_result_dense(rows, cells))


def _results(file: Downloaded) -> Iterator[_Result]:
    try:
        with tarfile.open(file.local, "r|gz") as archive:
            for member in archive:
                if not member.isfile() or not member.name.endswith(".json"):
                    continue
                if COST_MODELS.isdisjoint(Path(member.name).parts):
                    continue
                body = archive.extractfile(member)
                result = _result(file, member.name, body.read()) if body else None
                if result:
                    yield result
    except (tarfile.TarError, OSError, EOFError) as error:
        raise _strange(file, "is not a readable archive") from error


def _result(file: Downloaded, name: str, body: bytes) -> _Result | None:
    """None for a model without recorded costs, another benchmark, or a demonstration run."""
    try:
        payload = json.loads(body)
        dataset, model = payload["dataset_name"], payload["model_name"]
        plain = re.sub(r"[^a-z0-9]", "", dataset.lower().replace("²", "2")).removesuffix("bench")
        if model not in COST_MODELS or payload.get("demo") or not {plain, plain + "bench"} & COST_DATASETS:
            return None
        records = [_result_record(record) for record in payload["records"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _strange(file, f"`{name}` is no result file") from error
    stamp = re.search(r"\d{8}_\d{6}", name)
    kept = [record for record in records if record]
    return _Result(dataset, str(payload["split"]), model, stamp[0] if stamp else "", kept)


def _result_record(record: Mapping[str, Any]) -> tuple[str, float, float, float, float] | None:
    text = record.get("prompt") or record.get("origin_query")
    if not isinstance(text, str) or not text.strip() or record.get("score") is None:
        return None
    score, cost, sent, written = (
        math.nan if (value := record.get(key)) is None else float(value)
        for key in ("score", "cost", "prompt_tokens", "completion_tokens")
    )
    if cost < 0 or (cost == 0 and not (sent == 0 and written == 0)):
        cost = math.nan  # tokens without a price are not free
    return text, score, cost, sent, written


def _result_dense(
    rows: Mapping[tuple[str, str], int], cells: Mapping[tuple[int, str], tuple[float, float, float, float]]
) -> _Dense:
    models = sorted({model for _, model in cells})
    column = {model: number for number, model in enumerate(models)}
    planes = np.full((4, len(rows), len(models)), np.nan)
    for (row, model), numbers in cells.items():
        planes[:, row, column[model]] = numbers
    score, cost, sent, written = planes
    score = np.where(np.isnan(cost), np.nan, score)
    ids = [f"{dataset}:{outcomes.prompt_id_of(text)}" for dataset, text in rows]
    return _Dense(ids, [t for _, t in rows], [d for d, _ in rows], models, score, cost, sent, written)


CONVERTERS: dict[str, Converter] = {
    ROUTERBENCH.name: _routerbench,
    SPROUT.name: _sprout,
    SPROUT_O3MINI.name: _sprout,
    OPEN_LLM_LEADERBOARD.name: _leaderboard,
    EMBEDLLM.name: _embedllm,
    LLMROUTERBENCH.name: _llmrouterbench,
}
