"""An outcome folder, read: all of its parquet files as one dense set.

Takes a folder with `outcomes.parquet` and / or parts `outcomes-*.parquet`; gives `records.Outcomes`, arrays with NaN
where nothing was recorded. A later part replaces what an earlier one says of the same query and model.
Refuses to guess: a malformed file is one `InputError` (see `checks`). Changes nothing on the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pointsman.errors import InputError
from pointsman.outcomes.about import About, read_about
from pointsman.outcomes.checks import Part, cell_place, first_bad, is_text, optional_numbers, part_of
from pointsman.outcomes.layout import COLUMNS, MAIN_FILE, PART_FILES, TEXT_COLUMNS
from pointsman.outcomes.texts import token_estimates
from pointsman.records import Floats, Ints, Outcomes


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
    return read_several([Path(folder)])


def read_several(folders: Sequence[Path], *, since: Mapping[str, float] | None = None) -> Outcomes:
    """Several folders as one set, under the first one's title; of the same query and model the last folder counts.

    Args:
        folders: at least one.
        since: Unix seconds by model: rows of that model from before then, or of no known time (no `at_s`), are left
            out. Queries and models of which nothing is left aren't there; nothing at all may be left.

    Raises:
        InputError: as for `read`; one prompt_id with two texts.
    """
    return steadily(lambda: _several(folders, since or {}))


def _several(folders: Sequence[Path], since: Mapping[str, float]) -> Outcomes:
    files = [path for folder in folders for path in part_files(folder)]
    parts = [_read_part(path, since) for path in files]
    return _dense([part for part in parts if part is not None], read_about(folders[0]))


Read = TypeVar("Read")
TRIES = 5


def steadily(read_once: Callable[[], Read]) -> Read:
    """What reads a folder, again from its list of files where one has just gone: `upkeep` put parts together.

    Raises:
        InputError: as `read_once` does; or files keep going.
    """
    for _ in range(TRIES):
        with suppress(FileNotFoundError):
            return read_once()
    raise InputError("its parts keep changing", place="outcomes", remedy="try again when nobody keeps it up")


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


def _read_part(path: Path, since: Mapping[str, float]) -> Part | None:
    """One file, checked; None where `since` leaves nothing of it."""
    table = read_table(path, COLUMNS + (("at_s",) if since else ()))
    part = part_of(table, str(path))
    if since.keys().isdisjoint(part.models):
        return part
    at_s = optional_numbers(table, str(path), "at_s")
    least = np.array([since.get(model, -np.inf) for model in part.models])[part.model]
    kept = np.isneginf(least) | (at_s >= least)  # a time that isn't known is not late enough
    return part_of(table.filter(pa.array(kept)), str(path)) if kept.any() else None


def read_table(path: Path, columns: Sequence[str]) -> pa.Table:
    """Those of the columns that a file has, as they lie there; texts coded as a dictionary. Checks nothing of them.

    Raises:
        InputError: it is no readable parquet file.
        FileNotFoundError: it has gone; see `steadily`.
    """
    try:
        # Opened once: another file may take its name at any moment, and half of each would be neither.
        with path.open("rb") as file:
            schema = pq.ParquetFile(file).schema_arrow
            present = [name for name in columns if name in schema.names]
            texts = [name for name in TEXT_COLUMNS if name in present and is_text(schema.field(name).type)]
            return pq.ParquetFile(file, read_dictionary=texts).read(columns=present)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            "is not a readable parquet file", place=str(path), remedy="write it again or fetch it again"
        ) from error


def _dense(parts: Sequence[Part], about: About) -> Outcomes:
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


def _place_prompts(part: Part, row_of: dict[str, int], texts: list[str], datasets: list[str]) -> Ints:
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
                place=cell_place(part.place, first_bad(part.prompt == code), "prompt"),
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
