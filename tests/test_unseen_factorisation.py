"""The factorisation baseline, against logistic regression, finite differences and the means."""

from __future__ import annotations

import numpy as np
from scipy.optimize import approx_fprime, minimize
from sklearn.linear_model import LogisticRegression

from pointsman.estimate.unseen.factorisation import Factors
from pointsman.estimate.unseen.logistic import log_losses, towards_scores
from pointsman.records import Floats


def test_factors_by_hand() -> None:
    """x = (1, 2) has the factors (1 + 2, 2 − 1); a model with v = (1, −2), b = ½ gets 3 − 2 + ½."""
    parameters = np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([[1.0], [-2.0]]), np.array([0.5])
    np.testing.assert_allclose(Factors().logits(parameters, np.array([[1.0, 2.0]])), [[1.5]])


def loss_and_slopes(
    flat: np.ndarray, shapes: list[tuple[int, ...]], design: Floats, score: Floats
) -> tuple[float, np.ndarray]:
    """Mean log loss and its slopes, for parameters laid end to end."""
    sizes = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
    parameters = tuple(flat[a:b].reshape(s) for a, b, s in zip(sizes, sizes[1:], shapes, strict=False))
    logits = Factors().logits(parameters, design)
    slopes = Factors().slopes(parameters, design, towards_scores(logits, score))
    loss = log_losses(logits, score).sum() / np.isfinite(score).sum()
    return float(loss), np.concatenate([s.ravel() for s in slopes])


def test_the_slopes_are_the_slopes() -> None:
    """Every entry of A, V, b against finite differences of the loss, with a missing cell."""
    rng = np.random.default_rng(0)
    shapes: list[tuple[int, ...]] = [(3, 2), (2, 4), (4,)]
    design, score = rng.normal(size=(6, 3)), rng.random((6, 4))
    score[2, 1] = np.nan
    at = rng.normal(size=18)
    measured = approx_fprime(at, lambda flat: loss_and_slopes(flat, shapes, design, score)[0], 1e-7)
    np.testing.assert_allclose(loss_and_slopes(at, shapes, design, score)[1], measured, atol=1e-5)


def test_one_factor_each_is_logistic_regression() -> None:
    """With as many factors as models the loss's minimum is scikit-learn's logistic regression, model by model."""
    rng = np.random.default_rng(1)
    design = rng.normal(size=(150, 3))
    score = (rng.random((150, 2)) < 1 / (1 + np.exp(-design @ rng.normal(size=(3, 2))))).astype(np.float64)
    shapes: list[tuple[int, ...]] = [(3, 2), (2, 2), (2,)]
    found = minimize(loss_and_slopes, rng.normal(size=12), (shapes, design, score), jac=True, tol=1e-12).x
    logits = Factors().logits((found[:6].reshape(3, 2), found[6:10].reshape(2, 2), found[10:]), design)
    for model in range(2):
        reference = LogisticRegression(C=1e9, tol=1e-9).fit(design, score[:, model])
        np.testing.assert_allclose(logits[:, model], reference.decision_function(design), atol=1e-3)


def test_starts_at_the_means() -> None:
    """Before the first step every row's logits are the base, whatever the prompt."""
    start = Factors().start(5, np.array([0.3, -1.0]), np.random.default_rng(0))
    logits = Factors().logits(start, np.random.default_rng(1).normal(size=(4, 5)))
    np.testing.assert_allclose(logits, np.tile([0.3, -1.0], (4, 1)), rtol=1e-6)
