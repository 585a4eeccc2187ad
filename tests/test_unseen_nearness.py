"""Trust in expectations by how near a prompt is to the history."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from pointsman.estimate.unseen.nearness import Trust, _rising, _slopes, fit_trust, near
from pointsman.records import Floats, Outcomes, Prompts, Vectors

NAN = np.nan


def unit(rng: np.random.Generator, rows: int, width: int) -> Vectors:
    drawn = rng.normal(size=(rows, width))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def history(seed: int, rows: int, *, general: bool) -> tuple[Outcomes, Prompts]:
    """Ten topics far apart; what models are good at is one line over all of them (`general`), or each topic's own."""
    rng = np.random.default_rng(seed)
    topic = rng.integers(0, 10, rows)
    centres = unit(rng, 10, 12)
    vectors = centres[topic] + rng.normal(0, 0.1, (rows, 12)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    slope = rng.normal(size=(12, 4))
    talents = rng.normal(size=(10, 4))
    away = vectors @ slope * 0.5 if general else 0.25 * talents[topic]
    score = (rng.random((rows, 4)) < np.clip(0.5 + away, 0.02, 0.98)).astype(np.float64)
    texts = [str(i) for i in range(rows)]
    outcomes = Outcomes(
        texts, texts, ["t"] * rows, ("a", "b", "c", "d"), score, np.ones((rows, 4)), np.ones((rows, 4)), np.ones(rows)
    )
    return outcomes, Prompts(texts, vectors.astype(np.float32), np.ones(rows))


def trust_of(seed: int, *, general: bool) -> Trust:
    outcomes, prompts = history(seed, 1_500, general=general)
    found = fit_trust(outcomes, prompts, prompts.vectors, seed)
    assert found is not None
    return found


def test_drawn_in_by_hand() -> None:
    """At half trust, scores of 0.9 and 0.3 around means of 0.5 and 0.5 keep their sum and half of their difference."""
    trust = Trust(np.eye(2, dtype=np.float32)[:1], np.array([0.5, 0.5]), np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    prompt = np.array([[0.5, np.sqrt(0.75)]], np.float32)
    np.testing.assert_allclose(trust.apply(np.array([[0.9, 0.3]]), prompt), [[0.75, 0.45]], atol=1e-6)


def test_near_agrees_with_scikit_learn() -> None:
    """Mean cosine similarity to the three nearest landmarks."""
    rng = np.random.default_rng(1)
    vectors, landmarks = unit(rng, 20, 5), unit(rng, 30, 5)
    apart, _ = NearestNeighbors(n_neighbors=3, metric="cosine").fit(landmarks).kneighbors(vectors)
    np.testing.assert_allclose(near(vectors, landmarks), (1 - apart).mean(axis=1), atol=1e-5)


def test_slope_of_a_row_by_hand() -> None:
    """Expected ±0.2 and observed ±0.1 is half the way, whatever both share; a missing cell leaves its row's mean."""
    along, weight = _slopes(np.array([[0.6, 0.4], [0.3, NAN]]), np.array([[0.9, 0.5], [0.4, 0.2]]))
    np.testing.assert_allclose(along, [0.5, 0.0], atol=1e-12)
    np.testing.assert_allclose(weight, [0.08, 0.0], atol=1e-12)


def test_talents_of_a_topic_are_not_carried_to_others() -> None:
    """Where each topic has its own best model a far prompt is trusted much less than a near one; where what models
    are good at is one line over all topics, much more of it is kept.
    """
    own = [trust_of(seed, general=False) for seed in range(4)]
    line = [trust_of(seed, general=True) for seed in range(4)]
    far = np.array([[trust.factor[0] for trust in kind] for kind in (own, line)])
    assert far[0].mean() < 0.4 * np.mean([trust.factor[-1] for trust in own])
    assert far[1].mean() > far[0].mean() + 0.2


@given(st.integers(0, 50), st.integers(0, 6))
def test_never_more_than_expected(seed: int, rows: int) -> None:
    """Differences between models only ever shrink, and what they share stays."""
    rng = np.random.default_rng(seed)
    trust = Trust(unit(rng, 5, 3), rng.uniform(0, 1, 4), np.array([-0.5, 0.2, 0.9]), np.sort(rng.uniform(0, 1, 3)))
    expected = rng.uniform(0, 1, (rows, 4))
    found = trust.apply(expected, unit(rng, rows, 3))
    np.testing.assert_allclose(found.mean(axis=1), expected.mean(axis=1), atol=1e-9)

    def differences(cells: Floats) -> Floats:
        away = cells - trust.means
        return np.asarray(np.abs(away - away.mean(axis=1, keepdims=True)), np.float64)

    assert (differences(found) <= differences(expected) + 1e-9).all()


def test_the_map_rises() -> None:
    """Knots rise in both directions, within [0, 1]."""
    rng = np.random.default_rng(3)
    knots, factor = _rising(rng.uniform(-1, 1, 200), rng.normal(0.5, 1.0, 200), rng.uniform(0, 1, 200))
    assert (np.diff(knots) >= 0).all()
    assert (np.diff(factor) >= -1e-12).all()
    assert 0 <= factor[0] <= factor[-1] <= 1


@pytest.mark.parametrize("rows", [1, 199])
def test_a_short_history_measures_nothing(rows: int) -> None:
    """Then nothing is drawn in."""
    outcomes, prompts = history(0, rows, general=True)
    assert fit_trust(outcomes, prompts, prompts.vectors, 0) is None


def test_the_same_for_the_same_seed() -> None:
    """Fitted twice, equal."""
    first, second = trust_of(2, general=False), trust_of(2, general=False)
    np.testing.assert_array_equal(first.factor, second.factor)
    np.testing.assert_array_equal(first.landmarks, second.landmarks)
