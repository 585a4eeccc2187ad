"""The outcome folder: what each model scored, cost and wrote on each query, on disk.

A folder holds `outcomes.parquet` (one row per query and model), any number of later parts `outcomes-*.parquet`, and
an optional `dataset.yaml`. Takes folders and gives `records.Outcomes`, dense arrays with NaN where nothing was
recorded; and the way back. A null in a parquet column means "not recorded"; NaN and infinity are refused.

Everything is written aside and renamed, so a reader never sees half a file. Refuses to guess: a malformed file is one
`InputError` that names file, row, column and remedy. It never prints or logs a prompt's text, and it does not know
where outcomes come from (downloads and foreign tables are `evaluate.data`).
"""

from __future__ import annotations

import difflib
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from pointsman.errors import InputError
from pointsman.records import Floats, Ints, Mask, Outcomes

TEXT_COLUMNS = ("prompt_id", "prompt", "dataset", "model")
NUMBER_COLUMNS = ("score", "input_tokens", "output_tokens", "cost_usd")
COLUMNS = TEXT_COLUMNS + NUMBER_COLUMNS

MAIN_FILE = "outcomes.parquet"
PART_FILES = "outcomes-*.parquet"
ABOUT_FILE = "dataset.yaml"

CHARACTERS_PER_TOKEN = 4.0
"""How a text's tokens are estimated where nobody counted them: the usual rule of thumb for English."""

PART_DIGITS = 12


@dataclass(frozen=True, slots=True)
class About:
    """What `dataset.yaml` says of a folder; every field is optional.

    Attributes:
        title: what to call the set in a table; the folder's name where empty.
        licence: under which terms the outcomes and prompts may be used.
        source: where they come from.
        notes: what a reader of a figure should know.
        simulated: True where no real model answered.
    """

    title: str = ""
    licence: str = ""
    source: str = ""
    notes: str = ""
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What happened to one query on one model, as it is appended to a log; None where not known.

    Attributes:
        prompt_id: the query; see `prompt_id_of` for an id that follows from the text.
        prompt: its text.
        dataset: the task it came from.
        model: who answered.
        score: in [0, 1].
        cost_usd: at least zero.
        input_tokens, output_tokens: at least zero.
    """

    prompt_id: str
    prompt: str
    dataset: str
    model: str
    score: float | None = None
    cost_usd: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What `complete` did not keep, for one line under every table.

    Attributes:
        models: (model, its share of complete cells) of every model dropped, worst first.
        rows: how many queries were dropped after that.
        models_kept, rows_kept: what remains.
        min_coverage: the threshold that was applied.
    """

    models: tuple[tuple[str, float], ...]
    rows: int
    models_kept: int
    rows_kept: int
    min_coverage: float

    def __str__(self) -> str:
        kept = f"{self.rows_kept:,} rows x {self.models_kept} models kept"
        if not self.models and not self.rows:
            return f"nothing left out: {kept}"
        parts = []
        if self.models:
            parts.append(f"{_models_text(self.models)} (recorded on fewer than {self.min_coverage:.1%} of the rows)")
        if self.rows:
            parts.append(f"{self.rows:,} incomplete row{'s' if self.rows > 1 else ''}")
        return f"left out {' and '.join(parts)}: {kept}"


def _models_text(models: Sequence[tuple[str, float]], shown: int = 5) -> str:
    names = ", ".join(f"{name} {share:.1%}" for name, share in models[:shown])
    more = f" and {len(models) - shown} more" if len(models) > shown else ""
    return f"{len(models)} model{'s' if len(models) > 1 else ''}: {names}{more}"


def prompt_id_of(text: str) -> str:
    """An id that follows from the text alone, so that two writers never give one text two ids or one id two texts."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def token_estimates(texts: Sequence[str]) -> Floats:
    """Tokens of each text where nobody counted them: characters / 4, rounded up, at least one. Float [len(texts)]."""
    lengths = np.fromiter((len(text) for text in texts), np.float64, len(texts))
    return np.maximum(np.ceil(lengths / CHARACTERS_PER_TOKEN), 1.0)


# --- reading ----------------------------------------------------------------------------------------------------


def read(folder: Path) -> Outcomes:
    """The folder's outcomes, dense.

    Queries are in the order of their first row, models in the order of their names. `input_tokens` is the mean over
    the models that recorded it (tokenizers differ); where no model did, it is estimated from the text's length by
    `token_estimates`. A later part (`outcomes-*.parquet`, in the order of their names, after `outcomes.parquet`)
    replaces what an earlier one says of the same query and model.

    Args:
        folder: holds `outcomes.parquet` and / or parts, optionally `dataset.yaml`.

    Returns:
        Outcomes with score, cost_usd and output_tokens float64 [Q, M], NaN where not recorded.

    Raises:
        InputError: the folder or a file in it is missing or malformed; names file, row, column and remedy.
    """
    folder = Path(folder)
    files = part_files(folder)
    about = read_about(folder)
    return _dense([_read_part(path) for path in files], about)


def part_files(folder: Path) -> list[Path]:
    """The folder's parquet files in the order in which they are read; at least one.

    Raises:
        InputError: there is no such folder, or no outcomes in it.
    """
    if not folder.is_dir():
        raise InputError(
            "is a file, not a folder" if folder.exists() else "there is no such folder",
            place=str(folder),
            remedy=f"give a folder that holds {MAIN_FILE}; `pointsman data fetch` and `data import` make one",
        )
    main = folder / MAIN_FILE
    files = ([main] if main.exists() else []) + sorted(folder.glob(PART_FILES))
    if not files:
        raise InputError(
            f"there is no {MAIN_FILE} in it",
            place=str(folder),
            remedy="give an outcome folder; `pointsman data fetch` and `data import` make one",
        )
    return files


def read_about(folder: Path) -> About:
    """What `dataset.yaml` says, with the folder's name as title where it says nothing.

    Raises:
        InputError: it is not YAML, not a mapping, has an unknown key or a value of the wrong type.
    """
    path = folder / ABOUT_FILE
    about = About(**_about_fields(path)) if path.exists() else About()
    return about if about.title else replace(about, title=folder.resolve().name)


def _about_fields(path: Path) -> dict[str, Any]:
    known = {field.name: bool if field.name == "simulated" else str for field in fields(About)}
    values = _load_yaml(path)
    for key, value in values.items():
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean `{close[0]}`" if close else f"use only {', '.join(known)}"
            raise InputError(f"unknown key `{key}`", place=str(path), remedy=hint)
        if not isinstance(value, known[key]):
            wanted = "true or false" if known[key] is bool else "text"
            raise InputError(
                f"`{key}` is {type(value).__name__}, expected {wanted}", place=str(path), remedy=f"write {wanted}"
            )
    return values


def _load_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise InputError("is not readable YAML", place=place, remedy="correct or delete the file") from error
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise InputError("is not a mapping", place=str(path), remedy="write lines such as `title: My queries`")
    return values


@dataclass(frozen=True, slots=True)
class _Part:
    """One file's rows, checked. R rows, P distinct queries, N distinct models, both by first appearance.

    `ids`, `texts`, `datasets` are P strings, `models` N strings; `prompt` and `model` are codes [R] into them;
    the numbers are float [R], NaN where not recorded.
    """

    place: str
    ids: list[str]
    texts: list[str]
    datasets: list[str]
    models: list[str]
    prompt: Ints
    model: Ints
    score: Floats
    input_tokens: Floats
    output_tokens: Floats
    cost_usd: Floats


def _read_part(path: Path) -> _Part:
    try:
        schema = pq.read_schema(path)
        present = [name for name in COLUMNS if name in schema.names]
        texts = [name for name in TEXT_COLUMNS if name in present and _is_text(schema.field(name).type)]
        table = pq.read_table(path, columns=present, read_dictionary=texts, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            "is not a readable parquet file", place=str(path), remedy="write it again or fetch it again"
        ) from error
    return _checked(table, str(path))


def _is_text(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_string_view(value))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind))


def _at(place: str, row: int, column: str) -> str:
    return f"{place}, row {row + 1}, column `{column}`"


def check(table: pa.Table, place: str) -> None:
    """Refuses a long table that `read` would refuse, before it is written.

    Args:
        table: one row per query and model with the eight `COLUMNS`; others are ignored.
        place: what to call it in the message.

    Raises:
        InputError: names the first bad row, the column and the remedy.
    """
    _checked(table, place)


def _checked(table: pa.Table, place: str) -> _Part:
    _check_columns(table, place)
    coded = {name: _codes(table.column(name), place, name) for name in TEXT_COLUMNS}
    numbers = {name: _numbers(table.column(name), place, name) for name in NUMBER_COLUMNS}
    prompt, ids, first = coded["prompt_id"]
    model, models, _ = coded["model"]
    _check_once(prompt, model, len(models), place)
    for name in ("prompt", "dataset"):
        _check_same(coded[name][0], prompt, first, place, name)
    texts = coded["prompt"][1].take(pa.array(coded["prompt"][0][first])).to_pylist()
    datasets = coded["dataset"][1].take(pa.array(coded["dataset"][0][first])).to_pylist()
    return _Part(place, ids.to_pylist(), texts, datasets, models.to_pylist(), prompt, model, **numbers)


def _check_columns(table: pa.Table, place: str) -> None:
    for name in COLUMNS:
        count = table.column_names.count(name)
        if count != 1:
            what = f"column `{name}` is missing" if not count else f"column `{name}` appears {count} times"
            raise InputError(
                what, place=place, remedy=f"give exactly the columns {', '.join(COLUMNS)}; others are ignored"
            )
        kind = table.schema.field(name).type
        good = _is_text(kind) if name in TEXT_COLUMNS else _is_number(kind)
        if not good:
            wanted = "text" if name in TEXT_COLUMNS else "numbers"
            raise InputError(
                f"holds {kind}, expected {wanted}",
                place=f"{place}, column `{name}`",
                remedy=f"write it as {wanted}, or use `pointsman data import` with --map",
            )
    if not table.num_rows:
        raise InputError("holds no rows", place=place, remedy="give at least one outcome")


def _codes(column: pa.ChunkedArray, place: str, name: str) -> tuple[Ints, pa.Array, Ints]:
    """Codes [R] by first appearance, the distinct values [V] in that order, and the first row of each [V]."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    array = column.unify_dictionaries().combine_chunks()
    distinct = array.dictionary.dictionary_encode()
    indices = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    if array.null_count or array.dictionary.null_count:
        nulls = (indices < 0) | array.dictionary_decode().is_null().to_numpy(zero_copy_only=False)
        raise InputError("is missing", place=_at(place, _first(nulls), name), remedy="every row needs one")
    raw = distinct.indices.to_numpy(zero_copy_only=False).astype(np.int64)[indices]
    codes, first = _renumbered(raw, len(distinct.dictionary))
    values = distinct.dictionary.take(pa.array(raw[first]))
    if name != "dataset":
        empty = pc.equal(pc.utf8_trim_whitespace(values), "").to_numpy(zero_copy_only=False)
        if empty.any():
            raise InputError(
                "is empty", place=_at(place, int(first[_first(empty)]), name), remedy="every row needs one"
            )
    return codes, values, first


def _renumbered(raw: Ints, count: int) -> tuple[Ints, Ints]:
    """`raw` codes below `count` renumbered by first appearance, and each one's first row; unused codes vanish."""
    rows = len(raw)
    first = np.full(count, rows, np.int64)
    first[raw[::-1]] = np.arange(rows - 1, -1, -1)  # the last assignment wins, so the smallest row stays
    order = np.argsort(first, kind="stable")[: int((first < rows).sum())]
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(len(order))
    return rank[raw], first[order]


def _first(bad: Mask) -> int:
    return int(np.argmax(bad))


def _numbers(column: pa.ChunkedArray, place: str, name: str) -> Floats:
    values = column.cast(pa.float64()).to_numpy()
    null = column.is_null().to_numpy()
    upper = 1.0 if name == "score" else np.inf
    bad = ~null & ~(np.isfinite(values) & (values >= 0.0) & (values <= upper))
    if bad.any():
        row = _first(bad)
        wanted = "a number in [0, 1]" if name == "score" else "a finite number of at least zero"
        raise InputError(
            f"{values[row]:g} is not {wanted}",
            place=_at(place, row, name),
            remedy="correct it, or leave it null where nothing was recorded",
        )
    return np.where(null, np.nan, values)


def _check_once(prompt: Ints, model: Ints, models: int, place: str) -> None:
    cell = prompt * models + model
    order = np.argsort(cell, kind="stable")
    again = order[1:][cell[order[1:]] == cell[order[:-1]]]
    if len(again):
        row = int(again.min())
        earlier = int(np.argmax(cell == cell[row]))
        raise InputError(
            f"the same prompt_id and model as row {earlier + 1}",
            place=f"{place}, row {row + 1}",
            remedy="keep one row per query and model; a correction goes into a later part",
        )


def _check_same(values: Ints, prompt: Ints, first: Ints, place: str, name: str) -> None:
    differs = values != values[first][prompt]
    if differs.any():
        row = _first(differs)
        raise InputError(
            f"differs from row {int(first[prompt[row]]) + 1}, which has the same prompt_id",
            place=_at(place, row, name),
            remedy="give every distinct text its own prompt_id",
        )


def _dense(parts: Sequence[_Part], about: About) -> Outcomes:
    models = sorted({model for part in parts for model in part.models})
    number = {model: column for column, model in enumerate(models)}
    row_of: dict[str, int] = {}
    texts: list[str] = []
    datasets: list[str] = []
    places = [_place_prompts(part, row_of, texts, datasets) for part in parts]
    cells = np.full((4, len(texts), len(models)), np.nan)
    for part, rows in zip(parts, places, strict=True):
        at = (rows[part.prompt], np.array([number[model] for model in part.models])[part.model])
        for plane, values in zip(
            cells, (part.score, part.cost_usd, part.output_tokens, part.input_tokens), strict=True
        ):
            plane[at] = values
    score, cost, written, sent = cells
    return Outcomes(
        list(row_of),
        texts,
        datasets,
        tuple(models),
        np.ascontiguousarray(score),
        np.ascontiguousarray(cost),
        np.ascontiguousarray(written),
        _mean_or_estimate(sent, texts),
        about.title,
        about.simulated,
    )


def _place_prompts(part: _Part, row_of: dict[str, int], texts: list[str], datasets: list[str]) -> Ints:
    """Adds the part's new queries at the end and gives each of its queries its row, int [P]."""
    rows = np.empty(len(part.ids), np.int64)
    for code, (prompt_id, text, dataset) in enumerate(zip(part.ids, part.texts, part.datasets, strict=True)):
        row = row_of.setdefault(prompt_id, len(texts))
        if row == len(texts):
            texts.append(text)
            datasets.append(dataset)
        elif texts[row] != text:
            raise InputError(
                "differs from an earlier file's text for the same prompt_id",
                place=_at(part.place, _first(part.prompt == code), "prompt"),
                remedy="give every distinct text its own prompt_id",
            )
        rows[code] = row
    return rows


def _mean_or_estimate(sent: Floats, texts: Sequence[str]) -> Floats:
    """Mean over the models that recorded input tokens, [Q]; from the text's length where none did."""
    known = ~np.isnan(sent)
    count = known.sum(axis=1)
    total = np.where(known, sent, 0.0).sum(axis=1)
    mean = total / np.maximum(count, 1)
    return np.where(count > 0, mean, token_estimates(texts)) if (count == 0).any() else mean


# --- what a benchmark can use -------------------------------------------------------------------------------------


def complete(outcomes: Outcomes, min_coverage: float = 0.97) -> tuple[Outcomes, LeftOut]:
    """The models recorded on at least `min_coverage` of the rows, then the rows complete in score and cost.

    Args:
        outcomes: [Q, M], NaN where missing.
        min_coverage: in (0, 1].

    Returns:
        Outcomes without a missing score or cost, and what was left out.

    Raises:
        InputError: `min_coverage` is out of range, or nothing is left.
    """
    check_coverage(min_coverage)
    recorded = ~(np.isnan(outcomes.score) | np.isnan(outcomes.cost_usd))
    share = recorded.mean(axis=0) if len(outcomes) else np.zeros(len(outcomes.models))
    keep = share >= min_coverage - 1e-12  # a share is a ratio of integers: do not lose a model to rounding
    rows = recorded[:, keep].all(axis=1) & bool(keep.any())
    if not rows.any():
        raise InputError(
            f"no row is complete for the models recorded on at least {min_coverage:.1%} of the rows",
            place=outcomes.title,
            remedy=f"lower --min-coverage; the best model covers {share.max(initial=0.0):.1%}",
        )
    dropped = sorted((float(share[m]), outcomes.models[m]) for m in np.flatnonzero(~keep))
    left_out = LeftOut(
        tuple((name, part) for part, name in dropped),
        int((~rows).sum()),
        int(keep.sum()),
        int(rows.sum()),
        min_coverage,
    )
    return outcomes.only(np.flatnonzero(keep)).take(np.flatnonzero(rows)), left_out


def check_coverage(min_coverage: float) -> None:
    """Refuses a share that is not in (0, 1]."""
    if not 0.0 < min_coverage <= 1.0:
        raise InputError(f"{min_coverage!r} is not in (0, 1]", place="--min-coverage", remedy="give for example 0.97")


# --- writing ------------------------------------------------------------------------------------------------------


def write(
    outcomes: Outcomes,
    folder: Path,
    *,
    licence: str = "",
    source: str = "",
    notes: str = "",
    overwrite: bool = False,
) -> None:
    """Writes a folder that `read` gives back; a cell with neither score nor cost is left out of the table.

    A query or a model without any cell leaves no trace, and models come back in the order of their names.

    Raises:
        InputError: a value that `read` would refuse, or `folder` holds something already (see `write_table`).
    """
    about = About(outcomes.title, licence, source, notes, outcomes.simulated)
    table = dense_table(
        prompt_ids=outcomes.prompt_ids,
        texts=outcomes.texts,
        datasets=outcomes.datasets,
        models=outcomes.models,
        score=outcomes.score,
        cost_usd=outcomes.cost_usd,
        output_tokens=outcomes.output_tokens,
        input_tokens=outcomes.input_tokens,
    )
    write_table(table, folder, about, overwrite=overwrite)


def dense_table(
    *,
    prompt_ids: Sequence[str],
    texts: Sequence[str],
    datasets: Sequence[str],
    models: Sequence[str],
    score: Floats,
    cost_usd: Floats,
    output_tokens: Floats,
    input_tokens: Floats,
) -> pa.Table:
    """The long table of dense arrays: one row per cell that has a score or a cost, query by query.

    Args:
        prompt_ids, texts, datasets: Q strings each.
        models: M ids.
        score, cost_usd, output_tokens: float [Q, M], NaN where not recorded.
        input_tokens: float [Q, M], or [Q] where it is the same for every model.
    """
    shape = (len(texts), len(models))
    query, model = np.nonzero(~(np.isnan(score) & np.isnan(cost_usd)))
    sent = np.broadcast_to(input_tokens if input_tokens.ndim == 2 else input_tokens[:, None], shape)
    columns = {
        "prompt_id": _dictionary(query, prompt_ids),
        "prompt": _dictionary(query, texts),
        "dataset": _dictionary(query, datasets),
        "model": _dictionary(model, models),
        "score": _nullable(score[query, model]),
        "input_tokens": _nullable(sent[query, model]),
        "output_tokens": _nullable(output_tokens[query, model]),
        "cost_usd": _nullable(cost_usd[query, model]),
    }
    return pa.table(columns)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is in a long table; `missing_cells` of queries x models lack a score or a cost."""

    outcomes: int
    queries: int
    models: int
    missing_cells: int


def size_of(table: pa.Table) -> Size:
    """The size of a long table, each of whose rows is one cell."""
    queries, models = (len(table.column(name).unique()) for name in ("prompt_id", "model"))
    whole = pc.and_(table.column("score").is_valid(), table.column("cost_usd").is_valid())
    return Size(table.num_rows, queries, models, queries * models - int(pc.sum(whole).as_py() or 0))


def _dictionary(codes: Ints, values: Sequence[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(list(values), pa.large_string()))


def _nullable(values: Floats) -> pa.Array:
    return pa.array(values, pa.float64(), mask=np.isnan(values))


def write_table(table: pa.Table, folder: Path, about: About, *, overwrite: bool = False) -> None:
    """Writes a long table as an outcome folder: checked first, made aside, then renamed.

    Args:
        table: the eight `COLUMNS`, one row per query and model.
        folder: must not exist, or be empty; with `overwrite` it may be an outcome folder, which is replaced.
        about: becomes `dataset.yaml`; empty fields are not written.

    Raises:
        InputError: the table is malformed, or the folder is taken. Nothing is changed then.
    """
    folder = Path(folder)
    check_free(folder, overwrite=overwrite)
    check(table, about.title or str(folder))
    with _aside(folder) as aside:
        _write_parquet(table.select(list(COLUMNS)), aside / MAIN_FILE)
        said = {key: value for key, value in asdict(about).items() if value}
        (aside / ABOUT_FILE).write_text(yaml.safe_dump(said, sort_keys=False, allow_unicode=True), encoding="utf-8")


def check_free(folder: Path, *, overwrite: bool = False) -> None:
    """Refuses a destination that holds something: anything at all, or with `overwrite` anything but outcomes.

    Raises:
        InputError: names the folder and what to do.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError("is a file, not a folder", place=str(folder), remedy="give another folder")
    held = [path.name for path in folder.iterdir()]
    ours = {MAIN_FILE, ABOUT_FILE, *(path.name for path in folder.glob(PART_FILES))}
    strangers = sorted(set(held) - ours)
    if held and not overwrite:
        raise InputError("exists already and is not empty", place=str(folder), remedy="give another folder or --force")
    if strangers:
        raise InputError(
            f"holds `{strangers[0]}`, which is no part of an outcome folder, so it is not replaced",
            place=str(folder),
            remedy="give another folder",
        )


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder` that takes its place at the end; removed if anything fails."""
    folder = folder.absolute()
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(parents=True)
        yield aside
        _swap(aside, folder)
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror})", place=str(folder), remedy="check the path, rights and free space"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _swap(aside: Path, folder: Path) -> None:
    """Puts `aside` in the place of `folder`; what was there comes back if that fails."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        folder.rename(old)
    try:
        aside.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _write_parquet(table: pa.Table, path: Path) -> None:
    """Compressed, flushed to the disk before it may be renamed."""
    with path.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())


# --- the log ------------------------------------------------------------------------------------------------------


class OutcomeLog:
    """Outcomes appended while the system runs; several processes may append to one folder.

    Every append is one new part, written aside and linked into place under the next free number, so a reader sees
    all of it or nothing and no part is ever changed. `read` merges the parts; the later wins. Nothing is graded or
    estimated here: what is not known is None.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def append(self, rows: Iterable[OutcomeRow]) -> Path | None:
        """Adds the rows as one part and gives its path; None where there are no rows.

        Raises:
            InputError: a row that `read` would refuse; nothing is written then.
            OSError: the disk is full or the folder not writable; nothing is left behind then either.
        """
        listed = list(rows)
        if not listed:
            return None
        table = _row_table(listed)
        check(table, "outcomes to append")
        self.folder.mkdir(parents=True, exist_ok=True)
        aside = self.folder / f".outcomes.{os.getpid()}.{get_ident()}.partial"
        try:
            _write_parquet(table, aside)
            return self._link(aside)
        finally:
            aside.unlink(missing_ok=True)

    def _link(self, aside: Path) -> Path:
        number = 1 + max((_part_number(path) for path in self.folder.glob(PART_FILES)), default=0)
        while True:
            part = self.folder / f"outcomes-{number:0{PART_DIGITS}d}.parquet"
            try:
                os.link(aside, part)  # fails where the name is taken: unlike a rename, it never replaces
            except FileExistsError:
                number += 1
            else:
                return part

    def read(self) -> Outcomes:
        """Everything appended so far, and `outcomes.parquet` below it; see `read`."""
        return read(self.folder)


def _part_number(path: Path) -> int:
    digits = path.stem.removeprefix("outcomes-")
    return int(digits) if digits.isdecimal() else 0


def _row_table(rows: Sequence[OutcomeRow]) -> pa.Table:
    try:
        texts = {name: pa.array([getattr(row, name) for row in rows], pa.large_string()) for name in TEXT_COLUMNS}
        numbers = {name: pa.array([getattr(row, name) for row in rows], pa.float64()) for name in NUMBER_COLUMNS}
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(
            "a value is of the wrong type", place="outcomes to append", remedy="give text, numbers or None"
        ) from error
    return pa.table(texts | numbers)
