"""An outcome folder, written: checked first, made aside, then renamed.

Takes dense outcomes or a long Arrow table; leaves a folder that `reading.read` gives back, or nothing: a reader never
sees half a file, and an interruption leaves the folder as it was. A missing cell is left out of the table or written
as null, never as zero. Refuses a table that `reading.read` would refuse, and a destination that holds anything but
outcomes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from pointsman.errors import InputError
from pointsman.outcomes.about import About
from pointsman.outcomes.checks import check
from pointsman.outcomes.layout import ABOUT_FILE, COLUMNS, MAIN_FILE, OPTIONAL_COLUMNS, PART_FILES
from pointsman.records import Floats, Ints, Outcomes


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


def write_table(
    table: pa.Table, folder: Path, about: About, *, overwrite: bool = False, optional: bool = False
) -> None:
    """Writes a long table as an outcome folder: checked first, made aside, then renamed.

    Args:
        table: the eight `COLUMNS`, one row per query and model.
        folder: must not exist, or be empty; with `overwrite` it may be an outcome folder, which is replaced.
        about: becomes `dataset.yaml`; empty fields are not written.
        optional: whether those of `OPTIONAL_COLUMNS` that the table has are written too.

    Raises:
        InputError: the table is malformed, or the folder is taken. Nothing is changed then.
    """
    folder = Path(folder)
    check_free(folder, overwrite=overwrite)
    check(table, about.title or str(folder))
    more = [name for name in OPTIONAL_COLUMNS if optional and name in table.column_names]
    with _aside(folder) as aside:
        write_parquet(table.select([*COLUMNS, *more]), aside / MAIN_FILE)
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


def write_parquet(table: pa.Table, path: Path) -> None:
    """Compressed, flushed to the disk before it may be renamed."""
    with path.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())
