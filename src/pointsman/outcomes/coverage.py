"""What a benchmark can use of a set with gaps: the models and rows that are complete, and what was left out.

Takes `records.Outcomes` with NaN where a cell is missing; gives one without a missing score or cost, and a `LeftOut`
that says in one sentence what it cost. Fills no gap, and refuses a set of which nothing would remain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pointsman.errors import InputError
from pointsman.records import Outcomes


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
