"""Boosted trees: by hand, against brute force, and on rules that they must find."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.estimate.trees import Binned, Forest, Growth, bin_columns, fit_forest

ONE = Growth(trees=1, depth=1, rate=1.0, penalty=0.0, columns=1.0)


def design(dense: np.ndarray, counts: np.ndarray | None = None) -> tuple[Binned, np.ndarray, np.ndarray]:
    dense = np.asarray(dense, np.float32)
    counts = np.zeros((len(dense), 0), np.uint8) if counts is None else counts
    return bin_columns(dense, counts), dense, counts


def fit(
    dense: np.ndarray, outputs: np.ndarray, growth: Growth, counts: np.ndarray | None = None, seed: int = 0
) -> Forest:
    return fit_forest(design(dense, counts)[0], outputs, growth, np.random.default_rng(seed))


def test_one_stump_by_hand() -> None:
    """Four rows 1, 2, 3, 4 with outputs −1, −1, 1, 1 are split between 2 and 3, and a penalty shrinks the leaves."""
    x, y = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([[-1.0], [-1.0], [1.0], [1.0]])
    tree = fit(x, y, ONE)
    assert tree.thresholds[0, 0] == 2.5
    np.testing.assert_allclose(tree.leaves[0, :, 0], [-1.0, 1.0])
    shrunk = fit(x, y, replace(ONE, penalty=2.0, rate=0.5))
    np.testing.assert_allclose(shrunk.leaves[0, :, 0], [-0.25, 0.25])  # 0.5 · 2 / (2 + 2)


def test_missing_cells_have_no_weight() -> None:
    """A leaf's value for an output is the mean of that output's known cells there, and zero where there are none."""
    x = np.array([[0.0], [0.0], [1.0], [1.0]])
    y = np.array([[2.0, np.nan], [np.nan, np.nan], [-2.0, 1.0], [-2.0, 3.0]])
    np.testing.assert_allclose(fit(x, y, ONE).leaves[0], [[2.0, 0.0], [-2.0, 2.0]])


def brute_force(x: np.ndarray, y: np.ndarray) -> float:
    """Least squared error of any single split of any column (or none)."""
    best = float((y**2).sum())
    for f, cut in itertools.product(range(x.shape[1]), np.unique(x)):
        sides = (x[:, f] > cut, x[:, f] <= cut)
        best = min(best, sum(float(((y[s] - y[s].mean()) ** 2).sum()) for s in sides if s.any()))
    return best


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_a_stump_is_the_best_of_all_splits(seed: int) -> None:
    """With one output a stump's error is the least that trying every split of every column can reach."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 5, (12, 3)).astype(float)
    y = rng.normal(size=(12, 1))
    y -= y.mean()
    left = y - fit(x, y, ONE).predict(np.asarray(x, np.float32), np.zeros((12, 0), np.uint8))
    assert float((left**2).sum()) <= brute_force(x, y) + 1e-4


def test_a_word_count_is_asked_about() -> None:
    """A rule on how often a word occurs (three times or more) is found among the token questions."""
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 6, (200, 4)).astype(np.uint8)
    y = np.where(counts[:, [2]] >= 3, 1.0, -1.0)
    tree = fit(rng.normal(size=(200, 2)), y, ONE, counts)
    assert tree.columns[0, 0] == 2 + 2  # two dense columns come first
    assert tree.thresholds[0, 0] == 2.5
    np.testing.assert_allclose(tree.predict(np.zeros((200, 2), np.float32), counts), y, atol=1e-6)


def test_boosting_learns_an_interaction_of_many_outputs() -> None:
    """Trees of depth two fit "one or the other but not both", which no sum of stumps can, for five outputs at once."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 3)).astype(np.float32)
    y = np.sign(x[:, :1] * x[:, 1:2]) * np.arange(1, 6)
    growth = Growth(trees=150, depth=3, rate=0.2, penalty=1.0, columns=1.0)
    left = y - fit(x, y, growth).predict(x, np.zeros((400, 0), np.uint8))
    assert (left**2).mean() < 0.1 * (y**2).mean()


def test_parts_add_up_and_a_seed_repeats() -> None:
    """The first trees and the rest predict the whole together; the same seed gives the same trees."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(80, 3)).astype(np.float32), rng.normal(size=(80, 2))
    growth, none = Growth(trees=10, depth=3), np.zeros((80, 0), np.uint8)
    forest = fit(x, y, growth)
    together = forest.part(0, 4).predict(x, none) + forest.part(4, 10).predict(x, none)
    np.testing.assert_allclose(together, forest.predict(x, none), atol=1e-5)
    np.testing.assert_array_equal(forest.leaves, fit(x, y, growth).leaves)


def test_taking_rows_is_like_binning_them() -> None:
    """The rows that are left keep their bins and their token questions' answers, renumbered."""
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 3, (30, 2)).astype(np.uint8)
    whole = bin_columns(rng.normal(size=(30, 2)).astype(np.float32), counts)
    kept = rng.random(30) < 0.6
    part = whole.take(kept)
    np.testing.assert_array_equal(part.bins, whole.bins[:, kept])
    for c, (token, step) in enumerate(zip(part.tokens, part.steps, strict=True)):
        yes = part.rows[part.starts[c] : part.starts[c + 1]]
        np.testing.assert_array_equal(yes, np.flatnonzero(counts[kept, token] >= step))


def test_columns_that_never_vary_are_left_alone() -> None:
    """Nothing to ask about gives trees that ask nothing and predict nothing."""
    forest = fit(np.ones((10, 2)), np.arange(10.0)[:, None] - 4.5, replace(ONE, depth=2))
    np.testing.assert_allclose(forest.predict(np.ones((3, 2), np.float32), np.zeros((3, 0), np.uint8)), 0.0, atol=1e-6)
