"""The MLP baseline, against scikit-learn's forward pass, finite differences and the means."""

from __future__ import annotations

import numpy as np
from scipy.optimize import approx_fprime
from sklearn.neural_network import MLPClassifier

from pointsman.estimate.unseen.logistic import log_losses, towards_scores
from pointsman.estimate.unseen.perceptron import HiddenLayer


def test_a_net_by_hand() -> None:
    """x = (1, 2), hidden 1 − 2 + ½ → 0 and 2 · 2 = 4, output 3 · 0 + ¼ · 4 − 1 = 0."""
    inner, outer = np.array([[1.0, 0.0], [-1.0, 2.0]]), np.array([[3.0], [0.25]])
    logits = HiddenLayer().logits((inner, np.array([0.5, 0.0]), outer, np.array([-1.0])), np.array([[1.0, 2.0]]))
    np.testing.assert_allclose(logits, [[0.0]])


def test_the_slopes_are_the_slopes() -> None:
    """Every entry of A, a, B, b against finite differences of the loss, with a missing cell."""
    rng = np.random.default_rng(0)
    shapes = [(3, 5), (5,), (5, 2), (2,)]
    sizes = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
    design, score = rng.normal(size=(6, 3)), rng.random((6, 2))
    score[2, 1] = np.nan

    def unpack(flat: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(flat[a:b].reshape(s) for a, b, s in zip(sizes, sizes[1:], shapes, strict=False))

    def loss(flat: np.ndarray) -> float:
        return float(log_losses(HiddenLayer().logits(unpack(flat), design), score).sum() / 11)

    at = rng.normal(size=sizes[-1])
    towards = towards_scores(HiddenLayer().logits(unpack(at), design), score)
    slopes = np.concatenate([s.ravel() for s in HiddenLayer().slopes(unpack(at), design, towards)])
    np.testing.assert_allclose(slopes, approx_fprime(at, loss, 1e-7), atol=1e-5)


def test_agrees_with_scikit_learn() -> None:
    """With the weights of scikit-learn's perceptron (many outputs, ReLU) it gives its probabilities."""
    rng = np.random.default_rng(0)
    design, labels = rng.normal(size=(80, 4)), rng.integers(0, 2, (80, 3))
    reference = MLPClassifier((7,), random_state=0)
    for _ in range(5):
        reference.partial_fit(design, labels, classes=np.arange(3))
    (inner, outer), (inner_offset, offset) = reference.coefs_, reference.intercepts_
    logits = HiddenLayer().logits((inner, inner_offset, outer, offset), design)
    np.testing.assert_allclose(1.0 / (1.0 + np.exp(-logits)), reference.predict_proba(design), atol=1e-9)


def test_starts_at_the_means() -> None:
    """Before the first step every row's logits are the base, whatever the prompt."""
    start = HiddenLayer().start(5, np.array([0.3, -1.0]), np.random.default_rng(0))
    logits = HiddenLayer().logits(start, np.random.default_rng(1).normal(size=(4, 5)))
    np.testing.assert_allclose(logits, np.tile([0.3, -1.0], (4, 1)), rtol=1e-6)
