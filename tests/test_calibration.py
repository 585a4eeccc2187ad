"""Reliability tables and calibration errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pointsman.errors import InputError
from pointsman.estimate.calibration import calibration, reliability


def test_two_bins_by_hand() -> None:
    """Bins of width ½: means 0.2 against 0.5 on two cells and 0.8 against 1 on one; error (2·0.3 + 0.2) / 3."""
    table = reliability(np.array([0.1, 0.3, 0.8]), np.array([0.0, 1.0, 1.0]), bins=2)
    np.testing.assert_allclose(table.predicted, [0.2, 0.8])
    np.testing.assert_allclose(table.observed, [0.5, 1.0])
    assert table.count.tolist() == [2, 1]
    assert table.error == pytest.approx(0.8 / 3)


def test_missing_cells_and_empty_bins() -> None:
    """A missing outcome counts nowhere; an empty bin is NaN and adds no error; nothing at all is NaN."""
    table = reliability(np.array([[0.0, 1.0]]), np.array([[0.0, np.nan]]), bins=4)
    assert table.count.tolist() == [1, 0, 0, 0]
    assert np.isnan(table.predicted[1:]).all()
    assert table.error == 0.0
    assert np.isnan(reliability(np.array([0.5]), np.array([np.nan])).error)


@settings(max_examples=40, deadline=None)
@given(arrays(float, (30, 2), elements=st.floats(0, 1)), arrays(float, (30, 2), elements=st.sampled_from([0.0, 1.0])))
def test_bins_hold_every_cell_once(predicted: np.ndarray, observed: np.ndarray) -> None:
    """Counts sum to the cells, weighted means to the overall means, and the models' counts to the whole's."""
    found = calibration(predicted, observed)
    assert found.overall.count.sum() == 60
    total = np.nansum(found.overall.predicted * found.overall.count)
    assert total == pytest.approx(predicted.sum(), abs=1e-9)
    np.testing.assert_array_equal(sum(m.count for m in found.models), found.overall.count)
    assert 0.0 <= found.overall.error <= 1.0


def test_a_calibrated_forecast_has_little_error() -> None:
    """Outcomes drawn at the predicted probabilities give an error near zero, outcomes drawn at half of them don't."""
    rng = np.random.default_rng(0)
    p = rng.random((20_000, 1))
    assert calibration(p, (rng.random(p.shape) < p).astype(float)).overall.error < 0.02
    assert calibration(p, (rng.random(p.shape) < p / 2).astype(float)).overall.error > 0.2


def test_wrong_shapes_are_refused() -> None:
    """Predictions and outcomes of different shapes, or no bins, are an input error."""
    with pytest.raises(InputError, match="shape"):
        reliability(np.zeros(3), np.zeros(4))
    with pytest.raises(InputError, match="bins"):
        reliability(np.zeros(3), np.zeros(3), bins=0)
