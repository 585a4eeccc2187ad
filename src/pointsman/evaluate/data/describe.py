"""What is in an outcome folder: sizes, scores, costs, the oracle, the best single model, what is missing.

Pure functions over `records.Outcomes`; a cell that is missing counts nowhere, never as zero. Draws nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pointsman import outcomes
from pointsman.errors import InputError
from pointsman.outcomes import About
from pointsman.records import Floats, Outcomes


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One model's part: over the rows where it was recorded; None where nothing was."""

    model: str
    rows: int
    score: float | None
    cost_usd: float | None
    output_tokens: float | None


@dataclass(frozen=True, slots=True)
class Reach:
    """What routing could reach on a set.

    Attributes:
        rows, models: of the set.
        oracle_score: mean over the rows of the best recorded score.
        oracle_cost_usd: mean cost of the cheapest model that has it.
        best_model, best_score, best_cost_usd: the model of the highest mean score, its means.
        cheapest_model, cheapest_score, cheapest_cost_usd: the model of the lowest mean cost, its means.
        all_wrong, all_right: share of the rows where every recorded score is 0, and where every one is 1.
    """

    rows: int
    models: int
    oracle_score: float | None
    oracle_cost_usd: float | None
    best_model: str
    best_score: float | None
    best_cost_usd: float | None
    cheapest_model: str
    cheapest_score: float | None
    cheapest_cost_usd: float | None
    all_wrong: float | None
    all_right: float | None


@dataclass(frozen=True, slots=True)
class Description:
    """All that `pointsman data describe` says.

    Attributes:
        folder: what was read.
        about: its dataset.yaml.
        rows, models: queries and models; `missing_cells` of rows x models lack a score or a cost.
        input_tokens: mean over the queries.
        datasets: queries by task, most first.
        per_model: by mean score, best first.
        reach: over every recorded cell.
        benchmark: the same over what a benchmark would use; None where it could use nothing.
        left_out: what a benchmark would leave out, or why it could use nothing.
    """

    folder: str
    about: About
    rows: int
    models: int
    missing_cells: int
    input_tokens: float
    datasets: dict[str, int]
    per_model: tuple[ModelLine, ...]
    reach: Reach
    benchmark: Reach | None
    left_out: str


def describe(folder: Path, min_coverage: float = 0.97) -> Description:
    """Reads and measures a folder.

    Args:
        folder: an outcome folder.
        min_coverage: as for a benchmark; see `outcomes.complete`.

    Raises:
        InputError: the folder is malformed, or `min_coverage` is out of range.
    """
    outcomes.check_coverage(min_coverage)
    found = outcomes.read(folder)
    usable, left_out = _usable(found, min_coverage)
    lines = [_line(found, column) for column in range(len(found.models))]
    return Description(
        folder=str(folder),
        about=outcomes.read_about(folder),
        rows=len(found),
        models=len(found.models),
        missing_cells=int((np.isnan(found.score) | np.isnan(found.cost_usd)).sum()),
        input_tokens=float(found.input_tokens.mean()),
        datasets=dict(Counter(found.datasets).most_common()),
        per_model=tuple(sorted(lines, key=lambda line: -1.0 if line.score is None else line.score, reverse=True)),
        reach=reach(found),
        benchmark=reach(usable) if usable else None,
        left_out=left_out,
    )


def _usable(found: Outcomes, min_coverage: float) -> tuple[Outcomes | None, str]:
    try:
        whole, left_out = outcomes.complete(found, min_coverage)
    except InputError as error:
        return None, f"a benchmark could use nothing: {error.what}"
    return whole, str(left_out)


def _mean(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _line(found: Outcomes, column: int) -> ModelLine:
    score = found.score[:, column]
    return ModelLine(
        found.models[column],
        int((~np.isnan(score)).sum()),
        _mean(score),
        _mean(found.cost_usd[:, column]),
        _mean(found.output_tokens[:, column]),
    )


def reach(found: Outcomes) -> Reach:
    """The oracle, the best and the cheapest single model, and how many rows are decided whoever answers."""
    scored = ~np.isnan(found.score).all(axis=1)
    score, cost = found.score[scored], found.cost_usd[scored]
    best = np.where(np.isnan(score), -np.inf, score).max(axis=1, initial=-np.inf)
    worst = np.where(np.isnan(score), np.inf, score).min(axis=1, initial=np.inf)
    cheapest = np.where((score == best[:, None]) & ~np.isnan(cost), cost, np.inf).min(axis=1, initial=np.inf)
    lines = [_line(found, column) for column in range(len(found.models))]
    top = max(lines, key=lambda line: -1.0 if line.score is None else line.score)
    low = min(lines, key=lambda line: np.inf if line.cost_usd is None else line.cost_usd)
    return Reach(
        rows=len(found),
        models=len(found.models),
        oracle_score=_mean(best),
        oracle_cost_usd=_mean(np.where(np.isinf(cheapest), np.nan, cheapest)),
        best_model=top.model,
        best_score=top.score,
        best_cost_usd=top.cost_usd,
        cheapest_model=low.model,
        cheapest_score=low.score,
        cheapest_cost_usd=low.cost_usd,
        all_wrong=_mean((best == 0.0).astype(np.float64)),
        all_right=_mean((worst == 1.0).astype(np.float64)),
    )


# --- what lies where ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FolderLine:
    """One outcome folder found on the disk; `problem` says what is wrong with it, `outcomes` counts its rows."""

    folder: str
    title: str
    licence: str
    simulated: bool
    outcomes: int
    problem: str


def folders_in(roots: Iterable[Path]) -> list[FolderLine]:
    """The outcome folders among the roots and right below them, by path; counted, not read."""
    found: set[Path] = set()
    for root in roots:
        below = [path for path in root.iterdir() if not path.name.startswith(".")] if root.is_dir() else []
        found.update(path for path in (root, *below) if _is_outcome_folder(path))
    return [_folder_line(path) for path in sorted(found)]


def _is_outcome_folder(path: Path) -> bool:
    return path.is_dir() and ((path / outcomes.MAIN_FILE).exists() or any(path.glob(outcomes.PART_FILES)))


def _folder_line(path: Path) -> FolderLine:
    try:
        about = outcomes.read_about(path)
        rows = sum(pq.read_metadata(file).num_rows for file in outcomes.part_files(path))
    except InputError as error:
        return FolderLine(str(path), path.name, "", simulated=False, outcomes=0, problem=str(error))
    except (OSError, ValueError) as error:
        problem = f"a parquet file in it is not readable ({type(error).__name__})"
        return FolderLine(str(path), path.name, "", simulated=False, outcomes=0, problem=problem)
    return FolderLine(str(path), about.title, about.licence, about.simulated, rows, "")
