"""Ridge with missing cells, against scikit-learn and itself."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge as Reference

from pointsman.estimate.ridge import fit_ridge


def world(seed: int = 0, n: int = 60, d: int = 5, k: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + 1.0
    return x, x @ rng.normal(size=(d, k)) + 2.0 + rng.normal(size=(n, k))


def test_two_points_by_hand() -> None:
    """Through (−1, −1) and (1, 1) with penalty 1 on two rows: slope 2 / (2 + 2) = ½, offset 0."""
    fitted, _ = fit_ridge(np.array([[-1.0], [1.0]]), np.array([[-1.0], [1.0]]), (1.0,))
    assert fitted.weights[0, 0] == pytest.approx(0.5)
    assert fitted.offset[0] == pytest.approx(0.0)


def test_agrees_with_scikit_learn() -> None:
    """Weights and offset are those of scikit-learn's ridge at the same penalty."""
    x, y = world()
    fitted, _ = fit_ridge(x, y, (0.3,))
    reference = Reference(alpha=0.3 * len(x)).fit(x, y)
    np.testing.assert_allclose(fitted.weights, reference.coef_.T, atol=1e-9)
    np.testing.assert_allclose(fitted.offset, reference.intercept_, atol=1e-9)


def test_leave_one_out_agrees_with_leaving_one_out() -> None:
    """The closed form is what a ridge fitted without the row (same absolute penalty) predicts for it."""
    x, y = world(n=20)
    _, left_out = fit_ridge(x, y, (0.1,))
    for i in range(20):
        others = np.arange(20) != i
        reference = Reference(alpha=0.1 * 20).fit(x[others], y[others])
        np.testing.assert_allclose(left_out[i], reference.predict(x[[i]])[0], atol=1e-8)


def test_missing_cells_count_for_nothing() -> None:
    """With few cells missing the fit is that on the known cells, not one that takes them for zero."""
    x, y = world(n=200)
    y[:20, 0] = np.nan
    fitted, _ = fit_ridge(x, y, (0.05,))
    reference = Reference(alpha=0.05 * 200).fit(x[20:], y[20:, 0])
    np.testing.assert_allclose(fitted.weights[:, 0], reference.coef_, atol=1e-3)


def test_each_output_chooses_its_penalty() -> None:
    """A clear line takes the least penalty, noise the largest."""
    x, y = world(n=100)
    y[:, 0] = x @ np.ones(5)
    y[:, 1] = np.random.default_rng(5).normal(size=100)
    fitted, _ = fit_ridge(x, y)
    assert fitted.penalty[0] < fitted.penalty[1]
