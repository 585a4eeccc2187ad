"""What is like the history and what isn't, and what that adds to the spread."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from pointsman.estimate.blend import fit_blend
from pointsman.estimate.embedders import load_embedder
from pointsman.estimate.familiar import ANCHORS, REACH_SHARE, fit_familiar
from pointsman.records import Outcomes
from pointsman.router import embed

RNG = np.random.default_rng(3)


def test_distances_by_hand() -> None:
    """Three prompts at right angles but for two alike: the reach is the farthest's distance, 1; beyond is opposite."""
    vectors = np.array([[1, 0], [2, 0], [0, 1]], np.float32)
    found = fit_familiar(vectors, np.array([[1.0], [1.0], [0.0]]), 0)
    # Nearest other anchors at 0, 0 and 1; the 99 % point lies 0.98 of the way from the second to the third.
    assert found.reach == pytest.approx(0.98)
    # Scores 1, 1, 0 have variance 2/9; with one of 1/4 more: (3 · 2/9 + 1/4) / 4.
    assert found.scatter == pytest.approx([np.sqrt((2 / 3 + 0.25) / 4)])
    opposite = np.array([[-1, -1]], np.float32)
    assert found.strangeness(vectors) == pytest.approx([0, 0, 0])
    assert found.strangeness(opposite) == pytest.approx([1 - 0.98 / (1 + np.sqrt(0.5))], abs=1e-6)
    widened = found.widened(np.full((1, 1), 0.3), opposite)
    assert widened == pytest.approx(np.sqrt(0.09 + found.strangeness(opposite)[0] ** 2 * (2 / 3 + 0.25) / 4), abs=1e-6)


def test_the_reach_of_a_long_history() -> None:
    """As scipy's cosine distances say: 99 of 100 of the history's other rows keep to it, and so do new ones."""
    vectors = RNG.normal(size=(4_000, 12)).astype(np.float32) + 1
    found = fit_familiar(vectors[:3_000], RNG.random((3_000, 2)), 0)
    near = cdist(vectors[3_000:], found.anchors, "cosine").min(axis=1)
    assert found.strangeness(vectors[3_000:]) == pytest.approx(np.maximum(0, 1 - found.reach / near), abs=1e-4)
    assert len(found.anchors) == ANCHORS
    assert abs((near > found.reach).mean() - (1 - REACH_SHARE)) < 0.015


@given(st.integers(0, 40), st.integers(1, 6), st.integers(0, 2**16))
def test_spread_never_shrinks(rows: int, width: int, seed: int) -> None:
    """Any history, even of one prompt or of equal ones: w is in [0, 1), and no spread gets smaller or infinite."""
    rng = np.random.default_rng(seed)
    history = rng.integers(-1, 2, (rows + 1, width)).astype(np.float32)
    score = np.where(rng.random((rows + 1, 3)) < 0.5, rng.random((rows + 1, 3)), np.nan)
    found = fit_familiar(history, score, seed)
    prompts = rng.integers(-2, 3, (9, width)).astype(np.float32)
    strange = found.strangeness(prompts)
    assert ((strange >= 0) & (strange < 1)).all()
    spread = rng.random((9, 3))
    widened = found.widened(spread, prompts)
    assert (widened >= spread).all()
    assert np.isfinite(widened).all()


def test_a_tiny_certain_history_is_not_certain_of_other_things() -> None:
    """Sums that both models get right, products that one never does: a poem's spread is wide, a sum's isn't."""
    texts = [f"How much is {a} + {b}?" for a in range(6) for b in range(4)]
    texts += [f"What is {a} times {b} times 37?" for a in range(6) for b in range(4)]
    score = np.array([[1.0, 1.0]] * 24 + [[1.0, 0.0]] * 24)
    rows = np.ones((48, 2))
    history = Outcomes(
        [str(i) for i in range(48)],
        texts,
        ["x"] * 48,
        ("a", "b"),
        score,
        rows * 0.001,
        rows * 5,
        np.full(48, 9.0),
        "",
        True,
    )
    embedder = load_embedder("wordllama")
    fitted = fit_blend(history, embed(texts, embedder, history.input_tokens), threads=1)
    found = fitted.estimator.estimate(embed(["How much is 3 + 2?", "Write a poem about autumn leaves."], embedder))
    assert (found.spread[0] < 0.05).all()
    assert found.spread[1, 1] > 0.3
    assert found.spread[1, 0] > found.spread[0, 0] + 0.02


def test_nothing_is_surer_than_equal_scores() -> None:
    """By hand: forty scores of 0 count as a variance of 0.25 / 41, so their mean has a standard error of 0.0123."""
    vectors = np.eye(40, dtype=np.float32)
    familiar = fit_familiar(vectors, np.zeros((40, 1)), seed=0)
    assert familiar.least == pytest.approx([np.sqrt(0.25 / 41 / 40)])
    texts = [f"What is {n} plus {n + 3}?" for n in range(40)]
    history = Outcomes(
        [str(n) for n in range(40)],
        texts,
        ["sums"] * 40,
        ("one",),
        np.zeros((40, 1)),
        np.full((40, 1), 1e-4),
        np.full((40, 1), 5.0),
        np.full(40, 6.0),
    )
    fitted = fit_blend(history, embed(texts, load_embedder("wordllama")), seed=0)
    assert (fitted.held_out.spread >= familiar.least - 1e-12).all()
