"""Open LLM Leaderboard v2: the evaluation harness's own records, one repository a model.

Takes the verified `samples_*` files of CARROT's 18 models; gives the long table joined by task and document number.
The order of the rows is not used: each model's records are in the order of its own data-parallel run. Scores are the
leaderboard's (`acc`, `acc_norm`, `exact_match`); tokens are estimated from the recorded prompt and answer; ranked
multiple choice writes nothing, so its output is zero tokens. Cost = tokens x CARROT's rate.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pointsman import outcomes
from pointsman.evaluate.data.catalog import Downloaded
from pointsman.evaluate.data.rates import LEADERBOARD_RATES
from pointsman.evaluate.data.sources.dense import Dense, long_table, strange

SAMPLES = re.compile(r"samples_leaderboard_(?P<task>\w+?)_(?P<run>\d{4}-\d{2}-\d{2}T[\d\-.]+)\.jsonl?$")
LEADERBOARD_TASKS = ("bbh_", "gpqa_", "math_", "mmlu_pro", "musr_")


def convert(files: Sequence[Downloaded]) -> tuple[pa.Table, str]:
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
    table, notes = long_table(_leaderboard_dense(list(rows), texts, models, cells))
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
        raise strange(files[0], "is no file of a leaderboard task")
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
            raise strange(file, f"line {line} is no record of `{task}` ({error})") from error


def _json_records(file: Downloaded) -> Iterator[tuple[int, dict[str, Any]]]:
    with file.local.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise strange(file, f"line {number} is not JSON") from error
            if not isinstance(record, dict):
                raise strange(file, f"line {number} is no JSON object")
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
) -> Dense:
    score, sent, written = (np.full((len(ids), len(models)), np.nan) for _ in range(3))
    numbers = np.array(cells)
    at = (numbers[:, 0].astype(np.int64), numbers[:, 1].astype(np.int64))
    score[at], sent[at], written[at] = numbers[:, 2], numbers[:, 3], numbers[:, 4]
    cost = (sent + written) * np.array([LEADERBOARD_RATES[model] for model in models]) / 1e6
    datasets = [name.rpartition(":")[0] for name in ids]
    return Dense(ids, texts, datasets, models, score, cost, sent, written)
