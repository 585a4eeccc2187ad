"""A foreign table of outcomes into an outcome folder, with a report of what was in it.

Two shapes are understood: long, one row per query and model, and RouterBench's wide one, one row per query with the
columns `<model>` (score), `<model>|total_cost` (US dollars) and optionally `<model>|model_response`. Columns are
found by name, by a short list of aliases, or by the reader's own mapping. By default the first bad row is an error;
with `skip_bad` bad rows are dropped and counted by reason. Refuses to guess what a column of money is in: unless it
is called `cost_usd` or `total_cost_usd` it has to be mapped.
"""

from __future__ import annotations

import ast
import difflib
import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pointsman import outcomes
from pointsman.errors import InputError
from pointsman.evaluate.data.tables import Raw, Rejected, read_raw
from pointsman.outcomes import COLUMNS, NUMBER_COLUMNS, TEXT_COLUMNS
from pointsman.records import Floats, Ints, Mask

ALIASES: dict[str, tuple[str, ...]] = {
    "prompt_id": ("sample_id", "question_id", "query_id"),
    "prompt": ("question", "query"),
    "dataset": ("eval_name", "task", "category", "benchmark"),
    "model": ("model_name", "llm"),
    "score": ("label", "correct", "correctness"),
    "input_tokens": ("prompt_tokens", "num_input_tokens"),
    "output_tokens": ("completion_tokens", "num_output_tokens"),
    "cost_usd": ("total_cost_usd",),
}
REQUIRED = ("prompt", "model", "score", "cost_usd")
WIDE_COST = "|total_cost"
WIDE_ANSWER = "|model_response"
NOTHING = ("", "na", "nan", "null", "none")
NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import found.

    Attributes:
        file, folder: from and to.
        layout: "long" or "wide".
        columns: which column of the file became which of ours.
        rows_read: rows of the file, without its header.
        outcomes: rows written: one per query and model.
        queries, models: how many of each.
        missing_cells: of queries x models, those without both score and cost.
        rejected: how many rows (wide: cells) were dropped, by reason; empty unless bad rows are skipped.
        examples: the first few of them.
    """

    file: str
    folder: str
    layout: str
    columns: dict[str, str]
    rows_read: int
    outcomes: int
    queries: int
    models: int
    missing_cells: int
    rejected: dict[str, int]
    examples: tuple[Rejected, ...]


def import_file(
    file: Path,
    folder: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    about: outcomes.About | None = None,
    skip_bad: bool = False,
    overwrite: bool = False,
) -> ImportReport:
    """Reads `file`, checks it, writes the outcome folder.

    Args:
        file: CSV, TSV, JSON lines (each also gzipped) or parquet.
        folder: see `outcomes.write_table`.
        mapping: our column to the file's, where the names differ.
        about: becomes `dataset.yaml`; the title is the file's name where empty.
        skip_bad: drop bad rows instead of refusing the file.
        overwrite: replace an outcome folder that is there already.

    Raises:
        InputError: a bad row (its number, column and remedy), a missing column, or nothing is left.
    """
    outcomes.check_free(folder, overwrite=overwrite)
    stem = file.name.partition(".")[0]
    table, report = convert(read_raw(file), mapping or {}, dataset=stem, skip_bad=skip_bad, folder=str(folder))
    said = about or outcomes.About()
    said = replace(said, title=said.title or stem, source=said.source or file.name)
    outcomes.write_table(table, folder, said, overwrite=overwrite)
    return report


def convert(
    raw: Raw, mapping: Mapping[str, str], *, dataset: str, skip_bad: bool, folder: str = ""
) -> tuple[pa.Table, ImportReport]:
    """A foreign table's long table and report; see `import_file`.

    Args:
        raw: the table as it came.
        mapping: our column to the table's.
        dataset: what to write where the table has no such column.
        skip_bad: drop bad rows instead of raising.
        folder: named in the report.
    """
    wide = any(name.endswith(WIDE_COST) for name in raw.columns)
    cells = _wide_cells(raw, mapping, dataset) if wide else _long_cells(raw, mapping, dataset)
    sound, found = _judge(cells)
    rejected = tuple(sorted([*raw.broken, *found], key=lambda bad: bad.row))
    if rejected and not skip_bad:
        raise _refusal(raw.place, rejected[0])
    keep = np.flatnonzero(sound & cells.recorded())
    if not len(keep):
        raise InputError("no usable row is left", place=raw.place, remedy="check the column mapping with --map")
    table = cells.table(keep)
    report = ImportReport(
        file=raw.place,
        folder=folder,
        layout="wide" if wide else "long",
        columns=dict(cells.used),
        rows_read=len(raw.rows) + len(raw.broken),
        rejected=dict(Counter(bad.reason for bad in rejected).most_common()),
        examples=rejected[:5],
        **asdict(outcomes.size_of(table)),
    )
    return table, report


def _refusal(place: str, bad: Rejected) -> InputError:
    column = f", column `{bad.column}`" if bad.column else ""
    remedy = "correct it, or leave such rows out with --skip-bad"
    return InputError(bad.reason, place=f"{place}, row {bad.row}{column}", remedy=remedy)


# --- cells: every query and model of the table, whatever its shape --------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cells:
    """C cells of a foreign table. `texts` are dictionary arrays [C], `numbers` float [C] with NaN where nothing is
    recorded, `unreadable` marks [C] what should be a number and is none; `source` names the column of a cell.
    """

    row: Ints
    texts: dict[str, pa.DictionaryArray]
    numbers: dict[str, Floats]
    unreadable: dict[str, Mask]
    used: dict[str, str]
    models: Sequence[str] = ()

    def source(self, name: str, cell: int) -> str:
        """The file's column behind our column `name` at a cell."""
        suffix = {"score": "", "cost_usd": WIDE_COST, "output_tokens": WIDE_ANSWER}.get(name)
        if self.models and suffix is not None:
            return self.models[cell % len(self.models)] + suffix
        return self.used.get(name, name)

    def recorded(self) -> Mask:
        return ~(np.isnan(self.numbers["score"]) & np.isnan(self.numbers["cost_usd"]))

    def table(self, keep: Ints) -> pa.Table:
        numbers = {name: values[keep] for name, values in self.numbers.items()}
        at = pa.array(keep)
        columns = {name: values.take(at) for name, values in self.texts.items()}
        columns |= {name: pa.array(values, mask=np.isnan(values)) for name, values in numbers.items()}
        return pa.table({name: columns[name] for name in COLUMNS})


def _judge(cells: _Cells) -> tuple[Mask, list[Rejected]]:
    """Which cells are sound, bool [C], and the first problem of each one that is not."""
    problem = np.zeros(len(cells.row), np.int64)
    reasons: list[tuple[str, str]] = [("", "")]

    def mark(bad: Mask, name: str, reason: str) -> None:
        reasons.append((name, reason))
        problem[bad & (problem == 0)] = len(reasons) - 1

    for name in ("prompt", "model", "prompt_id"):
        mark(_blank(cells.texts[name]), name, "is missing")
    for name in NUMBER_COLUMNS:
        values = cells.numbers[name]
        mark(cells.unreadable[name], name, "is not a number")
        mark(values < 0, name, "is negative")
    mark(cells.numbers["score"] > 1, "score", "is above 1")
    for name in ("prompt", "dataset"):
        mark(_conflicting(cells, name, problem == 0), name, "differs from an earlier row with the same prompt_id")
    mark(_repeated(cells, problem == 0), "model", "appears again for the same prompt_id")
    bad = np.flatnonzero(problem)
    found = [(int(cell), *reasons[problem[cell]]) for cell in bad]
    return problem == 0, [Rejected(int(cells.row[cell]), cells.source(name, cell), why) for cell, name, why in found]


def _codes(values: pa.DictionaryArray) -> Ints:
    found: Ints = values.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def _blank(values: pa.DictionaryArray) -> Mask:
    empty = pc.equal(pc.utf8_trim_whitespace(values.dictionary), "").to_numpy(zero_copy_only=False)
    blank: Mask = np.append(empty, True)[_codes(values)]  # a null has code -1: the appended one
    return blank


def _conflicting(cells: _Cells, name: str, good: Mask) -> Mask:
    ids, values = _codes(cells.texts["prompt_id"]), _codes(cells.texts[name])
    rows = np.flatnonzero(good)[::-1]
    first = np.full(len(cells.texts["prompt_id"].dictionary) + 1, -1)
    first[ids[rows]] = rows  # the last assignment wins: the first good row of each query
    conflict: Mask = good & (values != values[first[ids]])
    return conflict


def _repeated(cells: _Cells, good: Mask) -> Mask:
    ids, models = _codes(cells.texts["prompt_id"]), _codes(cells.texts["model"])
    cell = ids * (len(cells.texts["model"].dictionary) + 1) + models
    rows = np.flatnonzero(good & cells.recorded())
    _, first = np.unique(cell[rows], return_index=True)
    again = np.zeros(len(ids), bool)
    again[np.delete(rows, first)] = True
    return again


# --- the long shape -----------------------------------------------------------------------------------------------


def _long_cells(raw: Raw, mapping: Mapping[str, str], dataset: str) -> _Cells:
    used = _resolve(raw, mapping, COLUMNS, REQUIRED)
    count = len(raw.rows)
    texts = {name: _texts(raw, used[name]) for name in TEXT_COLUMNS if name in used}
    numbers, unreadable = {}, {}
    for name in NUMBER_COLUMNS:
        numbers[name], unreadable[name] = _numbers(raw, used[name]) if name in used else _unknown(count)
    return _Cells(raw.rows, _with_defaults(texts, count, dataset), numbers, unreadable, used)


def _resolve(raw: Raw, mapping: Mapping[str, str], targets: Sequence[str], required: Sequence[str]) -> dict[str, str]:
    """Our columns and the file's column for each, as far as there is one."""
    for ours, theirs in mapping.items():
        if ours not in targets:
            raise InputError(f"`{ours}` is no column of ours", place="--map", remedy=f"use {', '.join(targets)}")
        if theirs not in raw.columns:
            close = difflib.get_close_matches(theirs, list(raw.columns), n=1)
            hint = f"did you mean `{close[0]}`" if close else f"it has {_listed(raw.columns)}"
            raise InputError(f"there is no column `{theirs}`", place=raw.place, remedy=hint)
    used = {name: mapping.get(name) or _by_name(raw, name) for name in targets}
    missing = next((name for name in required if used[name] is None), None)
    if missing is not None:
        raise InputError(
            f"no column for `{missing}`",
            place=raw.place,
            remedy=f"name it with --map {missing}=COLUMN; the file has {_listed(raw.columns)}",
        )
    return {name: theirs for name, theirs in used.items() if theirs is not None}


def _by_name(raw: Raw, name: str) -> str | None:
    return next((theirs for theirs in (name, *ALIASES[name]) if theirs in raw.columns), None)


def _listed(columns: Mapping[str, object], shown: int = 12) -> str:
    names = [f"`{name}`" for name in columns]
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def _texts(raw: Raw, name: str) -> pa.DictionaryArray:
    """A column of text or whole numbers, null where it has nothing or something nested."""
    values = raw.columns[name]
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_nested(values.type) or pa.types.is_floating(values.type) or pa.types.is_binary(values.type):
        place = f"{raw.place}, column `{name}`"
        raise InputError(f"holds {values.type}, expected text", place=place, remedy="map another column with --map")
    return values.cast(pa.large_string()).dictionary_encode()


def _with_defaults(texts: dict[str, pa.DictionaryArray], count: int, dataset: str) -> dict[str, pa.DictionaryArray]:
    """Adds a prompt_id that follows from the text, and `dataset` where the table names none."""
    if "prompt_id" not in texts:
        prompts = texts["prompt"]
        ids = pa.array([outcomes.prompt_id_of(text) for text in prompts.dictionary.to_pylist()], pa.large_string())
        texts["prompt_id"] = pa.DictionaryArray.from_arrays(prompts.indices, ids)
    given = texts.get("dataset")
    named = given.dictionary_decode() if given is not None else pa.nulls(count, pa.large_string())
    texts["dataset"] = named.fill_null(dataset).dictionary_encode()
    return texts


def _unknown(count: int) -> tuple[Floats, Mask]:
    return np.full(count, np.nan), np.zeros(count, bool)


def _numbers(raw: Raw, name: str) -> tuple[Floats, Mask]:
    """Float [R] with NaN where nothing is recorded, and bool [R] where there is something that is no number."""
    values = raw.columns[name]
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values, unreadable = _parsed(values)
    elif pa.types.is_nested(values.type) or pa.types.is_binary(values.type) or pa.types.is_temporal(values.type):
        values, unreadable = pa.nulls(len(values), pa.float64()), values.is_valid()
    else:
        unreadable = pa.array(np.zeros(len(values), bool))
    numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    bad = unreadable.to_numpy(zero_copy_only=False) | np.isinf(numbers)
    nested = raw.nested.get(name) if raw.nested else None
    return numbers, bad if nested is None else bad | nested


def _parsed(values: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Text as numbers, null where it says nothing; and where it says something else."""
    low = pc.utf8_lower(pc.utf8_trim_whitespace(values)).fill_null("")
    low = pc.replace_with_mask(low, pc.equal(low, "true"), pa.scalar("1", low.type))
    low = pc.replace_with_mask(low, pc.equal(low, "false"), pa.scalar("0", low.type))
    number = pc.match_substring_regex(low, NUMBER)
    nothing = pc.is_in(low, pa.array(NOTHING, low.type))
    plain = pc.replace_substring_regex(pc.if_else(number, low, pa.scalar(None, low.type)), r"^\+", "")
    return plain.cast(pa.float64()), pc.invert(pc.or_(number, nothing))


# --- RouterBench's wide shape ---------------------------------------------------------------------------------------


def _wide_cells(raw: Raw, mapping: Mapping[str, str], dataset: str) -> _Cells:
    """Query by query, model by model: R x M cells."""
    used = _resolve(raw, mapping, ("prompt_id", "prompt", "dataset"), ("prompt",))
    models = _wide_models(raw)
    count = len(raw.rows)
    texts = _with_defaults({name: _texts(raw, theirs) for name, theirs in used.items()}, count, dataset)
    texts["prompt"] = _turns_joined(texts["prompt"])
    query = np.repeat(np.arange(count), len(models))
    cells = {name: values.take(pa.array(query)) for name, values in texts.items()}
    cells["model"] = pa.DictionaryArray.from_arrays(
        pa.array(np.tile(np.arange(len(models)), count), pa.int32()), pa.array(models, pa.large_string())
    )
    planes = {
        "score": [_numbers(raw, model) for model in models],
        "cost_usd": [_numbers(raw, model + WIDE_COST) for model in models],
        "output_tokens": [(_answer_tokens(raw, model), np.zeros(count, bool)) for model in models],
        "input_tokens": [_unknown(count) for _ in models],
    }
    numbers = {name: np.stack([values for values, _ in plane], 1).ravel() for name, plane in planes.items()}
    unreadable = {name: np.stack([bad for _, bad in plane], 1).ravel() for name, plane in planes.items()}
    return _Cells(raw.rows[query], cells, numbers, unreadable, used, models)


def _wide_models(raw: Raw) -> list[str]:
    models = [name.removesuffix(WIDE_COST) for name in raw.columns if name.endswith(WIDE_COST)]
    missing = next((model for model in models if model not in raw.columns), None)
    if missing is not None:
        raise InputError(
            f"there is a column `{missing}{WIDE_COST}` but no column `{missing}` with its scores",
            place=raw.place,
            remedy="give both for every model",
        )
    return models


def _answer_tokens(raw: Raw, model: str) -> Floats:
    """Output tokens estimated from the recorded answer's length; NaN where there is none."""
    values = raw.columns.get(model + WIDE_ANSWER)
    if values is None or not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return np.full(len(raw.rows), np.nan)
    lengths = pc.utf8_length(values).cast(pa.float64()).to_numpy(zero_copy_only=False)
    tokens: Floats = np.ceil(lengths / outcomes.CHARACTERS_PER_TOKEN)
    return tokens


def _turns_joined(prompts: pa.DictionaryArray) -> pa.DictionaryArray:
    """RouterBench writes a query as Python's text of a list of turns; here the turns are joined by a blank line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # a text that only looks like a list may hold stray escapes
        texts = [_turns(text) for text in prompts.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(prompts.indices, pa.array(texts, pa.large_string()))


def _turns(text: str) -> str:
    if not re.match(r"\s*\[\s*['\"]", text):
        return text
    try:
        turns = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    whole = isinstance(turns, list) and all(isinstance(turn, str) for turn in turns)
    return "\n\n".join(turns) if whole else text
