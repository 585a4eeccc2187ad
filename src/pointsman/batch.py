"""A file of prompts in, a file of decisions out, in bounded memory.

Reads JSON lines, CSV, parquet or plain text, `CHUNK` prompts at a time; gives one row a prompt, in the file's order.
The file is read twice: once to count and check it, so that a malformed row stops before anything is routed. The
result is written aside and renamed, so half a file is never seen. It sends nothing to any model.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pointsman.decide.choose import Choices
from pointsman.errors import InputError
from pointsman.outcomes import token_estimates
from pointsman.records import REASONS, Estimates, Floats, Prompts
from pointsman.router import Router, embed

CHUNK = 1024
MOST_CHARACTERS = 1_000_000  # a longer prompt is a mistake more often than a wish, and one row must not fill the memory

SCHEMA = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("model", pa.string()),
        ("reason", pa.string()),
        ("quality", pa.float64()),
        ("spread", pa.float64()),
        ("cost_usd", pa.float64()),
        ("tokens", pa.float64()),
        ("score", pa.float64()),
        ("runner_up", pa.string()),
        ("runner_up_score", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One row of the input: an id (its row number where none is given), the text, tokens where the file has them."""

    prompt_id: str
    text: str
    input_tokens: float | None


@dataclass(frozen=True, slots=True)
class Tally:
    """What a batch came to: prompts read, prompts with a model, what their answers are expected to cost and score."""

    prompts: int
    served: int
    cost_usd: float
    quality: float
    by_model: dict[str, int]


def chunks(path: Path) -> Iterator[list[Asked]]:
    """The prompts of a file, `CHUNK` at a time.

    Columns (fields): `prompt`, and optionally `prompt_id` and `input_tokens`. A `.txt` file has one prompt a line.

    Raises:
        InputError: no such file, an unknown kind of file, a row without a text, tokens that are no number.
    """
    if not path.is_file():
        raise InputError("there is no such file", place=str(path), remedy="give a .jsonl, .csv, .parquet or .txt file")
    held: list[Asked] = []
    for number, row in enumerate(_rows(path), start=1):
        held.append(_asked(row, number, path))
        if len(held) == CHUNK:
            yield held
            held = []
    if held:
        yield held


def _rows(path: Path) -> Iterator[Any]:
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return _parquet_rows(path)
    readers: dict[str, Callable[[IO[str], Path], Iterator[Any]]] = {
        ".jsonl": _json_rows,
        ".csv": _csv_rows,
        ".txt": lambda file, _: ({"prompt": line.rstrip("\r\n")} for line in file),
    }
    kind = Path(name).suffix
    if kind not in readers:
        raise InputError(
            f"files of the kind {kind or 'without ending'!r} can't be read",
            place=str(path),
            remedy="give a .jsonl, .csv, .parquet or .txt file (the text ones may be .gz)",
        )
    return _text_rows(path, readers[kind])


def _text_rows(path: Path, reader: Callable[[IO[str], Path], Iterator[Any]]) -> Iterator[Any]:
    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        try:
            yield from reader(file, path)
        except UnicodeDecodeError:
            raise InputError("this is not UTF-8 text", place=str(path), remedy="save the file as UTF-8") from None


def _json_rows(file: IO[str], path: Path) -> Iterator[Any]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError:
                raise InputError(
                    "this is not JSON", place=f"{path}, line {number}", remedy="write one object a line"
                ) from None


def _csv_rows(file: IO[str], path: Path) -> Iterator[Any]:
    csv.field_size_limit(4 * MOST_CHARACTERS)
    reader = csv.DictReader(file)
    if "prompt" not in (reader.fieldnames or ()):
        raise InputError("there is no column `prompt`", place=f"{path}, line 1", remedy="name the column `prompt`")
    yield from reader


def _parquet_rows(path: Path) -> Iterator[Any]:
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"this is not parquet ({error})", place=str(path), remedy="write it anew") from None
    with file:
        names = [name for name in ("prompt_id", "prompt", "input_tokens") if name in file.schema_arrow.names]
        if "prompt" not in names:
            raise InputError("there is no column `prompt`", place=str(path), remedy="name the column `prompt`")
        for batch in file.iter_batches(batch_size=CHUNK, columns=names):
            yield from batch.to_pylist()


def _asked(row: Any, number: int, path: Path) -> Asked:
    place = f"{path}, row {number}"
    text = row.get("prompt") if isinstance(row, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise InputError("there is no text in `prompt`", place=place, remedy="give every row a prompt")
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"the prompt has {len(text):,} characters", place=place, remedy="cut it to a million or fewer")
    return Asked(str(row.get("prompt_id") or number), text, _tokens(row.get("input_tokens"), place))


def _tokens(value: object, place: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        tokens = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        tokens = float("nan")
    if not (np.isfinite(tokens) and tokens >= 0):
        raise InputError(
            f"`input_tokens` is {value!r}", place=place, remedy="give a number of at least zero, or leave it out"
        )
    return tokens


def count(path: Path) -> int:
    """How many prompts a file has; reads and checks every row.

    Raises:
        InputError: as `chunks`, or a file without a prompt.
    """
    found = sum(len(chunk) for chunk in chunks(path))
    if not found:
        raise InputError("the file has no prompt", place=str(path), remedy="give at least one")
    return found


def route_file(path: Path, router: Router, out: Path, progress: Callable[[int], None] = lambda _: None) -> Tally:
    """Routes every prompt of `path` in order and writes the decisions to `out` (parquet).

    Raises:
        InputError: as `chunks`; or `out` is in no folder. Nothing is left behind then.
    """
    if not out.parent.is_dir():
        raise InputError("there is no such folder", place=str(out.parent), remedy="make it first")
    aside = out.with_name(f".{out.name}.part")
    models = router.snapshot.models
    served, tokens_of, seen = np.zeros(len(models), dtype=np.int64), np.zeros(2), 0
    try:
        with pq.ParquetWriter(aside, SCHEMA) as writer:
            for chunk in chunks(path):
                choices, estimates, scores = router.choose(_prompts(chunk, router))
                writer.write_table(_table(chunk, models, choices, estimates, scores))
                chosen = np.flatnonzero(choices.model >= 0)
                pairs = chosen, choices.model[chosen]
                served += np.bincount(choices.model[chosen], minlength=len(models))
                tokens_of += estimates.cost_usd[pairs].sum(), estimates.quality[pairs].sum()
                seen += len(chunk)
                progress(seen)
        aside.replace(out)
    finally:
        aside.unlink(missing_ok=True)
    by_model = {model: int(n) for model, n in zip(models, served, strict=True)}
    return Tally(seen, int(served.sum()), float(tokens_of[0]), float(tokens_of[1]), by_model)


def _prompts(chunk: list[Asked], router: Router) -> Prompts:
    texts = [asked.text for asked in chunk]
    estimated = token_estimates(texts)
    known = np.array([np.nan if a.input_tokens is None else a.input_tokens for a in chunk])
    return embed(texts, router.snapshot.embedder, np.where(np.isnan(known), estimated, known))


def _table(chunk: list[Asked], models: tuple[str, ...], choices: Choices, estimates: Estimates, scores: Floats) -> Any:
    rows, chosen = np.arange(len(chunk)), choices.model
    at = np.maximum(chosen, 0)
    others = scores.copy()
    others[rows[chosen >= 0], at[chosen >= 0]] = -np.inf
    second = others.argmax(axis=1)

    def of_chosen(values: Floats) -> list[float | None]:
        return [float(v) if c >= 0 else None for v, c in zip(values[rows, at], chosen, strict=True)]

    return pa.table(
        [
            [asked.prompt_id for asked in chunk],
            [models[c] if c >= 0 else None for c in chosen],
            [REASONS[r] for r in choices.reason],
            *(
                of_chosen(v)
                for v in (estimates.quality, estimates.spread, estimates.cost_usd, estimates.tokens, scores)
            ),
            [models[i] if np.isfinite(s) else None for i, s in zip(second, others[rows, second], strict=True)],
            [float(s) if np.isfinite(s) else None for s in others[rows, second]],
        ],
        schema=SCHEMA,
    )
