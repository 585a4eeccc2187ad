"""What a benchmark can use: the complete models and rows, and what was left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_outcomes import outcome_sets, refusal
from pointsman.outcomes import (
    complete,
)
from pointsman.records import Outcomes


def grid(score: list[list[float]], cost: list[list[float]] | None = None) -> Outcomes:
    points = np.array(score)
    rows, models = points.shape
    names = [f"q{row}" for row in range(rows)]
    money = np.ones_like(points) if cost is None else np.array(cost)
    return Outcomes(
        names, names, names, tuple(f"m{m}" for m in range(models)), points, money, np.zeros_like(points), np.ones(rows)
    )


NAN = float("nan")


def test_complete_by_hand() -> None:
    """First the thin model goes, then the rows that the others leave open; a missing cost is as missing as a score."""
    made = grid(
        [[1, 0, NAN], [1, NAN, NAN], [0, 1, 1], [0, 0, NAN]],
        [[1, 1, 1], [1, 1, 1], [1, 1, 1], [NAN, 1, 1]],
    )
    kept, left_out = complete(made, 0.7)
    assert kept.models == ("m0", "m1")
    assert kept.prompt_ids == ["q0", "q2"]
    assert left_out.models == (("m2", 0.25),)
    assert (left_out.rows, left_out.rows_kept, left_out.models_kept) == (2, 2, 2)
    assert str(left_out) == (
        "left out 1 model: m2 25.0% (recorded on fewer than 70.0% of the rows) and 2 incomplete rows: "
        "2 rows x 2 models kept"
    )


def test_complete_keeps_all_of_a_full_set() -> None:
    """Nothing missing, nothing left out, and one line that says so."""
    kept, left_out = complete(grid([[1, 0], [0, 1]]), 1.0)
    assert len(kept) == 2
    assert str(left_out) == "nothing left out: 2 rows x 2 models kept"


def test_a_long_list_of_models_is_cut() -> None:
    """Five names, then how many more."""
    score = np.full((4, 9), NAN)
    score[:, 0] = 1.0
    score[0] = 1.0
    text = str(complete(grid(score.tolist()), 0.9)[1])
    assert text.startswith("left out 8 models: m1 25.0%, m2 25.0%, m3 25.0%, m4 25.0%, m5 25.0% and 3 more")


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, NAN])
def test_an_impossible_coverage_is_refused(share: float) -> None:
    """It is a share in (0, 1]."""
    assert refusal(lambda: complete(grid([[1.0]]), share)).place == "--min-coverage"


def test_nothing_left_is_an_error() -> None:
    """With every model too thin, or no row whole, it says what to lower."""
    assert "lower --min-coverage" in refusal(lambda: complete(grid([[1, NAN], [NAN, 1]]), 0.9)).remedy
    assert "no row is complete" in refusal(lambda: complete(grid([[1, NAN], [NAN, 1]]), 0.5)).what


@settings(max_examples=100, deadline=None)
@given(outcome_sets(), st.floats(0.05, 1.0))
def test_complete_against_brute_force(made: Outcomes, share: float) -> None:
    """Cell by cell the same models and rows; what is kept has no gap."""
    cells = ~np.isnan(made.score) & ~np.isnan(made.cost_usd)
    models = [m for m in range(len(made.models)) if sum(cells[:, m]) >= share * len(made) - 1e-9]
    rows = [q for q in range(len(made)) if models and all(cells[q, m] for m in models)]
    if not rows:
        refusal(lambda: complete(made, share))
        return
    kept, left_out = complete(made, share)
    assert kept.models == tuple(made.models[m] for m in models)
    assert kept.prompt_ids == [made.prompt_ids[q] for q in rows]
    assert not np.isnan(kept.score).any()
    assert not np.isnan(kept.cost_usd).any()
    assert len(left_out.models) + left_out.models_kept == len(made.models)
    assert left_out.rows + left_out.rows_kept == len(made)
