"""The monotone last step of the blend."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.estimate.calibration import reliability
from pointsman.estimate.correction import fit_correction


def test_four_cells_by_hand() -> None:
    """Expected 0.2 where 20 of 20 rows show 0.4, with a prior of 20 rows: half of the way, 0.3; parallel beyond."""
    found = fit_correction(np.full((20 * 20, 1), 0.2), np.full((20 * 20, 1), 0.4))
    np.testing.assert_allclose(found.apply(np.array([0.2, 0.5, 0.0, 1.0])), [0.3, 0.6, 0.1, 1.0])


def test_timid_expectations_are_corrected() -> None:
    """Expectations drawn half-way to ½ are calibrated afterwards, and honest ones stay within a hundredth."""
    rng = np.random.default_rng(0)
    truth = rng.random((20_000, 2))
    score = (rng.random(truth.shape) < truth).astype(float)
    timid = 0.25 + truth / 2
    assert reliability(timid, score).error > 0.1
    assert reliability(fit_correction(timid, score).apply(timid), score).error < 0.015
    assert np.abs(fit_correction(truth, score).apply(truth) - truth).max() < 0.03


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 90), st.booleans())
def test_it_rises_and_stays_within_range(seed: int, rows: int, gaps: bool) -> None:
    """Whatever was observed, a higher expectation is never corrected below a lower one, and all lie in [0, 1]."""
    rng = np.random.default_rng(seed)
    held_out, score = rng.normal(0.5, 0.4, (rows, 2)), rng.random((rows, 2))
    if gaps:
        score[rng.random(score.shape) < 0.5] = np.nan
        score[0, 0] = 1.0
    line = fit_correction(held_out, score).apply(np.linspace(-0.5, 1.5, 101))
    assert (np.diff(line) >= -1e-12).all()
    assert line.min() >= 0
    assert line.max() <= 1
