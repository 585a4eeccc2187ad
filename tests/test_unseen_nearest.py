"""A new model's mean over the nearest probes: by hand, against scikit-learn, and as properties of any probes."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsRegressor, NearestNeighbors

from pointsman.errors import InputError
from pointsman.estimate.unseen.means import place_means
from pointsman.estimate.unseen.nearest import choose_neighbours, place_nearest
from pointsman.estimate.unseen.place import Probes
from pointsman.records import Floats, Outcomes, Prompts
from unseen_worlds import (
    NAN,
    check_same,
    check_sound,
    made_outcomes,
    made_probes,
    made_prompts,
    only_models,
    probe_sets,
    some_prompts,
    with_blank_rows,
)


def test_two_neighbours_by_hand() -> None:
    """A prompt between the first two of three probes gets their mean score, and the cost of all three."""
    asked = made_outcomes(np.array([[1.0], [0.5], [0.0]]), np.array([[1.0], [2.0], [6.0]]))
    prompts = made_prompts(np.array([[1.0, 0.0], [0.8, 0.6], [-1.0, 0.0]]))
    probes = Probes(prompts, asked, made_outcomes(np.ones((3, 1))))
    found = place_nearest(probes, k=2).estimate(made_prompts(np.array([[0.95, 0.31], [-1.0, 0.1]])))
    np.testing.assert_allclose(found.quality[:, 0], [0.75, 0.25])
    np.testing.assert_allclose(found.spread[:, 0], np.sqrt((1 / 16 + 1 / 12) / 3))
    np.testing.assert_allclose(found.cost_usd, 3.0)
    np.testing.assert_allclose(found.tokens, (3 + 10 + 4 + 11 + 5 + 12) / 3)


@pytest.mark.parametrize("k", [1, 7, 40])
def test_agrees_with_scikit_learn(k: int) -> None:
    """Qualities are the means over scikit-learn's k nearest probes by cosine."""
    probes, prompts = made_probes(60, 3, 0), some_prompts(25, 1)
    oracle = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(probes.prompts.vectors)
    rows = oracle.kneighbors(prompts.vectors, return_distance=False)
    found = place_nearest(probes, k).estimate(prompts)
    np.testing.assert_allclose(found.quality, probes.asked.score[rows].mean(axis=1), atol=1e-12)


def test_with_missing_cells_each_model_has_its_own_neighbours() -> None:
    """A model's estimates are those of a regressor that was shown the probes it has scores on, and no others."""
    probes, prompts = made_probes(50, 4, 2, missing=0.5), some_prompts(20, 3)
    found = place_nearest(probes, 6).estimate(prompts)
    for column in range(4):
        score = probes.asked.score[:, column]
        known = np.isfinite(score)
        oracle = KNeighborsRegressor(6, metric="cosine", algorithm="brute")
        oracle.fit(probes.prompts.vectors[known], score[known])
        np.testing.assert_allclose(found.quality[:, column], oracle.predict(prompts.vectors), atol=1e-12)


def test_of_equally_near_probes_the_first_count() -> None:
    """Six copies of one prompt: the two that come first are the neighbours."""
    vectors = np.tile([[0.6, 0.8, 0.1]], (6, 1))
    score = np.array([[1.0], [0.5], [0.0], [0.0], [0.0], [0.0]])
    probes = Probes(made_prompts(vectors), made_outcomes(score), made_outcomes(score))
    np.testing.assert_allclose(place_nearest(probes, 2).estimate(some_prompts(4, 0, width=3)).quality, 0.75)


@settings(max_examples=50, deadline=None)
@given(probe_sets(), st.integers(1, 15), st.integers(0, 5))
def test_estimates_are_sound(probes: Probes, k: int, rows: int) -> None:
    """Any probes give finite estimates within bounds, for any number of prompts."""
    check_sound(place_nearest(probes, k).estimate(some_prompts(rows, 1)), rows, len(probes.asked.models))


@settings(max_examples=30, deadline=None)
@given(probe_sets(), st.integers(12, 200))
def test_with_all_probes_for_neighbours_it_is_the_plain_mean(probes: Probes, k: int) -> None:
    """With k at or beyond the number of probes the prompt no longer matters."""
    prompts = some_prompts(4, 1)
    check_same(place_nearest(probes, k).estimate(prompts), place_means(probes).estimate(prompts))


@settings(max_examples=30, deadline=None)
@given(probe_sets(), st.integers(1, 6), st.integers(0, 1000))
def test_columns_move_with_their_models_and_rows_with_their_prompts(probes: Probes, k: int, seed: int) -> None:
    """A model is estimated alike in any company, and so is a prompt."""
    order = np.random.default_rng(seed).permutation(len(probes.asked.models)).tolist()
    prompts = some_prompts(5, seed)
    whole, moved = place_nearest(probes, k), place_nearest(only_models(probes, order), k)
    np.testing.assert_allclose(whole.estimate(prompts).quality[:, order], moved.estimate(prompts).quality, atol=1e-12)
    one = whole.estimate(prompts.take(np.array([3])))
    np.testing.assert_allclose(whole.estimate(prompts).quality[3], one.quality[0], atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(probe_sets(), st.integers(1, 6))
def test_a_probe_without_scores_is_no_neighbour(probes: Probes, k: int) -> None:
    """A prompt that nobody was asked doesn't crowd out those that somebody was."""
    longer = with_blank_rows(probes, [0, 0, 0])
    prompts = some_prompts(4, 1)
    check_same(place_nearest(longer, k).estimate(prompts), place_nearest(probes, k).estimate(prompts))


def history_of(rows: int, models: int, seed: int, *, noise: float) -> tuple[Outcomes, Prompts]:
    """Scores that turn on the sign of each prompt's first dimension, blurred by noise."""
    rng = np.random.default_rng(seed)
    prompts = made_prompts(rng.normal(size=(rows, 2)))
    right = (prompts.vectors[:, :1] > 0).astype(np.float64)
    score = np.clip(0.5 + 0.5 * (1 - noise) * (2 * right - 1) + noise * (rng.random((rows, models)) - 0.5), 0, 1)
    return made_outcomes(score), prompts


def test_few_neighbours_where_scores_are_clear_and_many_where_they_are_noise() -> None:
    """A sharp boundary asks for few neighbours; pure noise for as many as there are."""
    assert choose_neighbours(*history_of(300, 3, 0, noise=0.0), probes=100, seed=0) == 5
    assert choose_neighbours(*history_of(300, 3, 0, noise=1.0), probes=100, seed=0) == 100


def test_the_choice_is_scikit_learns() -> None:
    """The chosen k is the one with the least squared error of scikit-learn's regressor on the same rows."""
    history, prompts = history_of(200, 4, 5, noise=0.8)
    rows = np.random.default_rng(9).permutation(200)
    errors = []
    for k in (5, 10, 25, 50):
        oracle = KNeighborsRegressor(k, metric="cosine", algorithm="brute")
        oracle.fit(prompts.vectors[rows[:60]], history.score[rows[:60]])
        errors.append(((oracle.predict(prompts.vectors[rows[60:]]) - history.score[rows[60:]]) ** 2).mean())
    assert choose_neighbours(history, prompts, 60, seed=9) == (5, 10, 25, 50)[int(np.argmin(errors))]


def test_a_judge_decides_and_sees_only_models_that_were_asked() -> None:
    """The judge gets estimates and outcomes of the same rows, and no model without a score on the probes."""
    history, prompts = history_of(60, 3, 1, noise=0.5)
    score = history.score.copy()
    score[:, 1] = NAN
    score[np.random.default_rng(4).permutation(60)[40], 1] = 1.0  # its only score is not on a drawn probe
    seen = []

    def judge(quality: Floats, outcomes: Outcomes) -> float:
        assert quality.shape == outcomes.score.shape == (40, 2)
        seen.append(outcomes.models)
        return 1.0 if len(seen) == 2 else 0.0

    assert choose_neighbours(replace(history, score=score), prompts, 20, 4, judge=judge) == 10
    assert seen == [("m0", "m2")] * 2  # 5 and 10; the rest are above 20 probes


@pytest.mark.parametrize(("probes", "expected"), [(1, 1), (4, 4), (6, 5), (9, 5)])
def test_with_few_probes_there_is_little_to_choose(probes: int, expected: int) -> None:
    """Candidates above the number of probes are skipped; without any, all probes are neighbours."""
    assert choose_neighbours(*history_of(30, 2, 0, noise=0.5), probes=probes, seed=0) == expected


def test_the_same_seed_makes_the_same_choice_with_missing_cells_too() -> None:
    """Drawn from the seed alone; a history with most cells missing still gives an answer."""
    history, prompts = history_of(120, 3, 2, noise=0.7)
    score = history.score.copy()
    score[np.random.default_rng(0).random(score.shape) < 0.8] = NAN
    history = replace(history, score=score)
    assert len({choose_neighbours(history, prompts, 50, seed=1) for _ in range(3)}) == 1
    one_row = np.array([int(np.isfinite(score).all(axis=1).argmax())])
    whole = replace(history.take(one_row), score=np.ones((1, 3)))
    assert choose_neighbours(whole, prompts.take(one_row), 50, seed=1) == 1


def test_bad_input_is_refused() -> None:
    """No neighbours, no probes, vectors of another width, and vectors that aren't numbers."""
    probes = made_probes(6, 2, 0)
    with pytest.raises(InputError, match="k is 0"):
        place_nearest(probes, 0)
    with pytest.raises(InputError, match="4 dimensions"):
        place_nearest(probes).estimate(some_prompts(2, 0, width=4))
    with pytest.raises(InputError, match="0 probes"):
        choose_neighbours(*history_of(10, 2, 0, noise=0.0), probes=0, seed=0)
    broken = probes.prompts.vectors.copy()
    broken[3, 1] = NAN
    with pytest.raises(InputError, match="row 3"):
        place_nearest(replace(probes, prompts=replace(probes.prompts, vectors=broken)))


def test_survives_pickling() -> None:
    """A placed model can be sent to another process."""
    placed, prompts = place_nearest(made_probes(9, 2, 0, missing=0.4), 3), some_prompts(3, 1)
    check_same(pickle.loads(pickle.dumps(placed)).estimate(prompts), placed.estimate(prompts))
