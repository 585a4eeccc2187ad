"""PORT's estimator, by hand and against scikit-learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsRegressor

from pointsman.errors import InputError
from pointsman.estimate.neighbours import fit_neighbours
from pointsman.records import Outcomes, Prompts


def world(n: int = 80, m: int = 3, d: int = 6, seed: int = 0) -> tuple[Outcomes, Prompts]:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, d))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    names = [f"text {i}" for i in range(n)]
    tokens = rng.integers(3, 90, n).astype(float)
    models = tuple(f"m{i}" for i in range(m))
    score, cost, out = rng.random((n, m)), rng.random((n, m)) * 1e-3, rng.integers(1, 400, (n, m)).astype(float)
    return Outcomes(names, names, names, models, score, cost, out, tokens), Prompts(names, vectors, tokens)


def test_two_neighbours_by_hand() -> None:
    """A prompt between the first two of three gets their plain means, and their means' standard error."""
    history, _ = world(3, 1, 2)
    history = replace(history, score=np.array([[0.0], [1.0], [0.3]]), cost_usd=np.array([[1.0], [3.0], [9.0]]))
    vectors = np.array([[1.0, 0.0], [0.8, 0.6], [-1.0, 0.0]], np.float32)
    fitted = fit_neighbours(history, Prompts(history.texts, vectors, history.input_tokens), k=2)
    new = Prompts(["new"], np.array([[0.95, 0.31]], np.float32), np.array([7.0]))
    found = fitted.estimator.estimate(new)
    assert found.quality[0, 0] == pytest.approx(0.5)
    assert found.cost_usd[0, 0] == pytest.approx(2.0)
    assert found.tokens[0, 0] == pytest.approx(7.0 + history.output_tokens[:2].mean())
    assert found.spread[0, 0] == pytest.approx(0.5)  # deviation .707 of two over √2
    assert fitted.held_out.quality[2, 0] == pytest.approx(0.5)  # the last without itself


def test_agrees_with_scikit_learn() -> None:
    """Quality, cost and tokens are those of scikit-learn's unweighted cosine neighbours."""
    (history, prompts), (_, new) = world(), world(20, seed=1)
    found = fit_neighbours(history, prompts, k=5).estimator.estimate(new)
    reference = KNeighborsRegressor(5, metric="cosine", algorithm="brute").fit(prompts.vectors, history.score)
    np.testing.assert_allclose(found.quality, reference.predict(new.vectors), atol=1e-9)
    reference.fit(prompts.vectors, history.cost_usd)
    np.testing.assert_allclose(found.cost_usd, reference.predict(new.vectors), atol=1e-12)


@pytest.mark.parametrize("index", ["exact", "hnsw"])
def test_held_out_is_leave_one_out(index: str) -> None:
    """What is held out for a row is what an estimator without that row says of it."""
    history, prompts = world(25)
    fitted = fit_neighbours(history, prompts, k=3, index=index)  # type: ignore[arg-type]
    for i in range(0, 25, 6):
        others = np.flatnonzero(np.arange(25) != i)
        one = fit_neighbours(history.take(others), prompts.take(others), k=3).estimator.estimate(
            prompts.take(np.array([i]))
        )
        np.testing.assert_allclose(fitted.held_out.quality[i], one.quality[0], atol=1e-6)
        np.testing.assert_allclose(fitted.held_out.cost_usd[i], one.cost_usd[0], atol=1e-9)


def test_missing_cells_are_left_out_of_the_mean() -> None:
    """A neighbour without a score doesn't count; if none has one, the model's mean stands in."""
    history, prompts = world(6, 1)
    score = np.array([[0.2], [np.nan], [np.nan], [np.nan], [np.nan], [0.8]])
    fitted = fit_neighbours(replace(history, score=score), prompts, k=6)
    np.testing.assert_allclose(fitted.estimator.estimate(prompts).quality, 0.5)
    one = fit_neighbours(replace(history, score=score), prompts, k=1).estimator.estimate(prompts)
    np.testing.assert_allclose(one.quality[:, 0], [0.2, 0.5, 0.5, 0.5, 0.5, 0.8])


def test_a_history_of_one_row_and_k_beyond_it() -> None:
    """One row is its own neighbour, and k larger than the history is the whole history."""
    history, prompts = world(1)
    fitted = fit_neighbours(history, prompts, k=5)
    np.testing.assert_allclose(fitted.held_out.quality, history.score)
    np.testing.assert_allclose(fitted.estimator.estimate(prompts).cost_usd, history.cost_usd)


def test_bad_input_is_refused() -> None:
    """No rows, other rows than the prompts', vectors of another width, k of zero, a model without scores."""
    history, prompts = world()
    none = np.zeros(0, np.int64)
    with pytest.raises(InputError, match="history is empty"):
        fit_neighbours(history.take(none), prompts.take(none))
    with pytest.raises(InputError, match="80 outcomes but 79 prompts"):
        fit_neighbours(history, prompts.take(np.arange(79)))
    with pytest.raises(InputError, match="k is 0"):
        fit_neighbours(history, prompts, k=0)
    blank = history.score.copy()
    blank[:, 1] = np.nan
    with pytest.raises(InputError, match="'m1' has no `score`"):
        fit_neighbours(replace(history, score=blank), prompts)
    narrow, fitted = replace(prompts, vectors=prompts.vectors[:, :5]), fit_neighbours(history, prompts)
    with pytest.raises(InputError, match="5 dimensions"):
        fitted.estimator.estimate(narrow)
