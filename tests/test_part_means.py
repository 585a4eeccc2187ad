"""The part that only knows means, and the question whether there is more to know: by hand and as properties."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.estimate.part import means_part, shrunk_means, varies
from pointsman.estimate.views import Views
from pointsman.records import Floats

NAN = float("nan")


def some_views(rows: int, width: int) -> Views:
    rng = np.random.default_rng(0)
    linear = rng.normal(size=(rows, width)).astype(np.float32)
    return Views(linear[:, :2].copy(), np.zeros((rows, 3), np.uint8), linear)


@st.composite
def tables(draw: st.DrawFn) -> Floats:
    """Any few outputs, with anything from no cell missing to all."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    table = rng.choice([0.0, 0.5, 1.0], size=(draw(st.integers(1, 8)), draw(st.integers(1, 3))))
    table[rng.random(table.shape) < draw(st.sampled_from([0.0, 0.5, 0.9, 1.0]))] = NAN
    return table


def test_means_by_hand() -> None:
    """Three cells of mean 2/3 in all: (1 + 1 + 2/3) / 3 for the first output, (0 + 2/3) / 2 for the second."""
    part = means_part(4, np.array([[1.0, NAN], [1.0, 0.0]]))
    np.testing.assert_allclose(part.predict(some_views(2, 4)), [[8 / 9, 1 / 3]] * 2)


def test_nothing_known_gives_zero() -> None:
    """Outputs without a single known cell are expected to be nothing, not an error."""
    np.testing.assert_array_equal(means_part(2, np.full((3, 2), NAN)).predict(some_views(1, 2)), np.zeros((1, 2)))


@settings(max_examples=50, deadline=None)
@given(tables(), st.integers(0, 5))
def test_every_prompt_gets_the_shrunk_means(outputs: Floats, rows: int) -> None:
    """Whatever a prompt looks like, it gets `shrunk_means`, which lie between the least and the greatest output."""
    found = means_part(4, outputs).predict(some_views(rows, 4))
    assert found.shape == (rows, outputs.shape[1])
    np.testing.assert_allclose(found, np.tile(shrunk_means(outputs), (rows, 1)))
    if np.isfinite(outputs).any():
        assert ((found >= np.nanmin(outputs) - 1e-12) & (found <= np.nanmax(outputs) + 1e-12)).all()


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ([[1.0, 0.0], [1.0, 0.0]], False),
        ([[1.0, 0.0], [1.0, 0.5]], True),
        ([[1.0, NAN], [NAN, 0.0]], False),
        ([[NAN, NAN], [NAN, NAN]], False),
        ([[NAN, 0.2], [0.7, NAN], [NAN, 0.3]], True),
    ],
)
def test_variation_by_hand(outputs: list[list[float]], expected: bool) -> None:
    """Two values of one output are variation; different outputs, and missing cells, are not."""
    assert varies(np.array(outputs)) is expected


@settings(max_examples=50, deadline=None)
@given(tables())
def test_variation_is_what_pandas_counts(outputs: Floats) -> None:
    """There is variation exactly where pandas counts more than one known value in a column; nothing warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert varies(outputs) == bool((pd.DataFrame(outputs).nunique() > 1).any())
