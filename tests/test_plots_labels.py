"""Words on a picture: apart, in order and on the sheet; short, and still told apart."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from pointsman.evaluate.plots import (
    short_names,
)
from pointsman.evaluate.plots.labels import apart


@settings(max_examples=60)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=15), st.floats(0.001, 0.05))
def test_labels_move_as_little_as_isotonic_regression_says(wanted: list[float], gap: float) -> None:
    """Without walls, the least-squares positions that are apart are scikit-learn's isotonic fit on shifted ends."""
    placed = apart(wanted, gap, -100.0, 100.0)
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(len(wanted))
    fitted = IsotonicRegression().fit_transform(np.arange(len(wanted)), np.array(wanted)[order] - steps) + steps
    assert np.array(placed)[order] == pytest.approx(fitted, abs=1e-6)


@given(st.lists(st.floats(-1, 2), min_size=1, max_size=15), st.floats(0.01, 0.06))
def test_labels_are_apart_in_order_and_on_the_sheet(wanted: list[float], gap: float) -> None:
    """Whatever the ends of the lines, no two names overlap and none leaves the sheet."""
    placed = apart(wanted, gap, 0.0, 1.0)
    order = sorted(range(len(wanted)), key=lambda at: wanted[at])
    ranked = [placed[at] for at in order]
    assert all(after - before >= gap - 1e-9 for before, after in pairwise(ranked))
    assert ranked[0] >= -1e-9
    assert ranked[-1] <= 1 + 1e-9


def test_short_names_by_hand() -> None:
    """The provider goes where it isn't needed; a cut keeps the digits that tell sizes apart."""
    assert short_names(["a/x", "b/x", "b/y"]) == {"a/x": "a/x", "b/x": "b/x", "b/y": "y"}
    assert short_names(["meta-llama/Llama-3.1-70B-Instruct"], 18)["meta-llama/Llama-3.1-70B-Instruct"].startswith(
        "Llama-3.1-70"
    )


@given(st.lists(st.text("ab/-12", min_size=1, max_size=30), max_size=6), st.integers(6, 30))
def test_short_names_fit(names: list[str], limit: int) -> None:
    """Every name gets one, none is longer than the limit, and whole names stay apart."""
    found = short_names(names, limit)
    assert set(found) == set(names)
    assert all(len(short) <= limit for short in found.values())
    assume(all(len(name) <= limit for name in names))
    assert len(set(found.values())) == len(set(names))
