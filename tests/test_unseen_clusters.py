"""UniRoute's K-means: by hand, against scikit-learn, and as properties of any probes."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from pointsman.errors import InputError
from pointsman.estimate.unseen.clusters import ROUNDS, Clusters, choose_k, fit_clusters
from pointsman.estimate.unseen.means import place_means
from pointsman.estimate.unseen.place import Probes
from pointsman.records import Floats, Outcomes, Prompts, Vectors
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


def history_of(prompts: Prompts, models: int = 2, seed: int = 0) -> Outcomes:
    return made_outcomes(np.random.default_rng(seed).random((len(prompts), models)))


def fitted(prompts: Prompts, k: int, seed: int = 0) -> Clusters:
    return fit_clusters(history_of(prompts), prompts, k, seed)


def topics(rows: int, count: int, seed: int, models: int = 4) -> tuple[Outcomes, Prompts]:
    """Prompts around `count` directions; which models are good depends on the direction, and 0/1 scores on chance."""
    middles = np.random.default_rng(77).normal(size=(count, 6)) * 4
    skill = np.random.default_rng(78).random((count, models))
    rng = np.random.default_rng(seed)
    topic = np.concatenate([np.arange(count), rng.integers(0, count, rows - count)])
    score = (rng.random((rows, models)) < skill[topic]).astype(np.float64)
    return made_outcomes(score), made_prompts(middles[topic] + 0.1 * rng.normal(size=(rows, 6)))


def minus_squared_error(quality: Floats, outcomes: Outcomes) -> float:
    return -float(np.nanmean((quality - outcomes.score) ** 2))


def test_two_clusters_and_an_empty_one_by_hand() -> None:
    """Means per nearest centroid; nobody was asked near the third, so the mean over all three probes stands in."""
    space = Clusters(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], np.float32))
    prompts = made_prompts(np.array([[1.0, 0.1], [0.1, 1.0], [0.2, 1.0]]))
    asked = made_outcomes(
        np.array([[1.0, 0.0], [0.0, 1.0], [0.5, NAN]]), np.array([[1.0, 2.0], [1.0, 2.0], [4.0, NAN]])
    )
    placed = space.place(Probes(prompts, asked, made_outcomes(np.ones((3, 1)))))
    found = placed.estimate(made_prompts(np.array([[0.9, 0.2], [0.3, 0.9], [-0.9, 0.1]])))
    np.testing.assert_allclose(found.quality, [[1.0, 0.0], [0.25, 1.0], [0.5, 0.5]])
    np.testing.assert_allclose(found.cost_usd, [[2.0, 2.0]] * 3)
    np.testing.assert_allclose(found.spread[0], np.sqrt(0.125 / 2))
    assert found.spread[2, 0] == pytest.approx(np.sqrt((1 / 6 + 1 / 16) / 4))


def test_centroids_of_four_prompts_by_hand() -> None:
    """Two pairs of neighbours make two clusters, each around the middle of its pair."""
    prompts = made_prompts(np.array([[1.0, 0.1], [1.0, -0.1], [-0.1, 1.0], [0.1, 1.0]]))
    found = fitted(prompts, 2).centroids
    side = 1 / np.sqrt(1.01)
    np.testing.assert_allclose(found[np.argsort(found[:, 0])], [[0.0, side], [side, 0.0]], atol=1e-6)


@pytest.mark.parametrize(("k", "seed"), [(2, 0), (7, 1), (25, 2)])
def test_lloyds_rounds_are_scikit_learns(k: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the same seeds, scikit-learn's K-means ends at the same centroids and gives new prompts the same cluster."""
    prompts, new = some_prompts(400, seed), some_prompts(100, seed + 50)
    monkeypatch.setattr("pointsman.estimate.unseen.clusters.ROUNDS", 0)
    seeds = fitted(prompts, k, seed).centroids
    monkeypatch.undo()
    found = fitted(prompts, k, seed)
    oracle = KMeans(k, init=seeds, n_init=1, max_iter=ROUNDS, tol=0.0, algorithm="lloyd").fit(prompts.vectors)
    np.testing.assert_allclose(found.centroids, oracle.cluster_centers_, atol=1e-5)
    np.testing.assert_array_equal(found.assign(new.vectors), oracle.predict(new.vectors))


def test_placed_scores_agree_with_pandas() -> None:
    """A placed model's scores are those of a table grouped by the nearest centroid (found by looking at all)."""
    prompts = some_prompts(200, 3)
    space, probes, new = fitted(prompts, 6), made_probes(80, 4, 4, missing=0.3), some_prompts(40, 5)

    def nearest(vectors: Vectors) -> list[int]:
        return [int(np.argmin([np.linalg.norm(x - c) for c in space.centroids])) for x in vectors]

    table = pd.DataFrame(probes.asked.score).groupby(nearest(probes.prompts.vectors)).mean()
    expected = table.reindex(nearest(new.vectors)).fillna(pd.DataFrame(probes.asked.score).mean())
    np.testing.assert_allclose(space.place(probes).estimate(new).quality, expected.to_numpy(), atol=1e-12)


def inertia(prompts: Prompts, space: Clusters) -> float:
    return float(((prompts.vectors - space.centroids[space.assign(prompts.vectors)]) ** 2).sum())


def test_clusters_are_as_tight_as_scikit_learns() -> None:
    """Our seeds and rounds come within a few per cent of the inertia of scikit-learn's own K-means, on average."""
    prompts = some_prompts(500, 8)
    ours = np.mean([inertia(prompts, fitted(prompts, 20, seed)) for seed in range(8)])
    theirs = np.mean([KMeans(20, n_init=1, random_state=seed).fit(prompts.vectors).inertia_ for seed in range(8)])
    assert ours < 1.05 * theirs


@settings(max_examples=40, deadline=None)
@given(probe_sets(), st.integers(1, 20), st.integers(0, 5))
def test_estimates_are_sound(probes: Probes, k: int, rows: int) -> None:
    """Any probes give finite estimates within bounds, for any number of prompts, clusters without probes included."""
    placed = fitted(some_prompts(20, 9), k).place(probes)
    check_sound(placed.estimate(some_prompts(rows, 1)), rows, len(probes.asked.models))


@settings(max_examples=30, deadline=None)
@given(probe_sets())
def test_one_cluster_is_the_plain_mean(probes: Probes) -> None:
    """With K = 1 it is the zero router."""
    prompts = some_prompts(4, 1)
    one = fitted(some_prompts(20, 9), 1).place(probes)
    check_same(one.estimate(prompts), place_means(probes).estimate(prompts))


@settings(max_examples=30, deadline=None)
@given(probe_sets(), st.integers(1, 12), st.integers(0, 1000))
def test_columns_move_with_their_models_and_rows_with_their_prompts(probes: Probes, k: int, seed: int) -> None:
    """A model is estimated alike in any company, and so is a prompt."""
    order = np.random.default_rng(seed).permutation(len(probes.asked.models)).tolist()
    prompts, space = some_prompts(5, seed), fitted(some_prompts(20, 9), k)
    whole = space.place(probes).estimate(prompts)
    moved = space.place(only_models(probes, order)).estimate(prompts)
    np.testing.assert_allclose(whole.quality[:, order], moved.quality, atol=1e-12)
    np.testing.assert_allclose(whole.spread[:, order], moved.spread, atol=1e-12)
    one = space.place(probes).estimate(prompts.take(np.array([3])))
    np.testing.assert_array_equal(whole.quality[3], one.quality[0])


@settings(max_examples=30, deadline=None)
@given(probe_sets(), st.integers(1, 12))
def test_a_probe_without_scores_changes_nothing(probes: Probes, k: int) -> None:
    """A missing cell is left out of its cluster's mean; it never counts as a zero."""
    longer = with_blank_rows(probes, [0, 0, 0])
    prompts, space = some_prompts(4, 1), fitted(some_prompts(20, 9), k)
    check_same(space.place(longer).estimate(prompts), space.place(probes).estimate(prompts))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(0, 1000))
def test_a_fit_follows_from_its_seed_alone(k: int, seed: int) -> None:
    """The same seed gives the same centroids, whatever the outcomes were; there are K of them, all different."""
    prompts = some_prompts(30, seed)
    one = fit_clusters(history_of(prompts, 3, 1), prompts, k, seed).centroids
    np.testing.assert_array_equal(one, fitted(prompts, k, seed).centroids)
    assert len(np.unique(one, axis=0)) == k


def test_copies_of_a_prompt_make_no_more_clusters_than_there_are_prompts() -> None:
    """Ten rows of three different prompts make three clusters, however many are asked for."""
    prompts = made_prompts(np.random.default_rng(0).normal(size=(3, 8))[[0, 1, 2, 0, 1, 2, 0, 0, 0, 1]])
    assert len(fitted(prompts, 6).centroids) == 3
    assert len(fitted(prompts, 1).centroids) == 1


def test_the_number_of_topics_is_found() -> None:
    """With ten planted topics and enough probes, ten is chosen before five (too coarse) and 50 (too noisy)."""
    (history, prompts), (validation, new) = topics(600, 10, 1), topics(200, 10, 2)
    found = choose_k(history, prompts, validation, new, 400, 3, minus_squared_error, (1, 5, 10, 50, 150))
    assert found == 10


def test_the_rule_by_hand_with_few_probes() -> None:
    """What the judge sees for K = 1 are the known models' means over the drawn probes: no other row counts."""
    history, prompts = topics(50, 5, 1)
    seen: list[Floats] = []

    def judge(quality: Floats, outcomes: Outcomes) -> float:
        assert outcomes.models == history.models
        seen.append(quality)
        return 0.0

    assert choose_k(history, prompts, history, prompts, 8, 4, judge, (1, 3)) == 1  # equal: the smaller
    drawn = np.random.default_rng(4).permutation(50)[:8]
    np.testing.assert_allclose(seen[0], np.tile(history.score[drawn].mean(axis=0), (50, 1)))
    assert [quality.shape for quality in seen] == [(50, 4), (50, 4)]


@pytest.mark.parametrize(("probes", "tried"), [(4, 0), (9, 0), (30, 3), (500, 4)])
def test_candidates_above_probes_or_prompts_are_skipped(probes: int, tried: int) -> None:
    """With less than the smallest candidate K is 1, with one it is that one; none is above what there is."""
    history, prompts = topics(60, 5, 1)
    judged: list[float] = []

    def judge(quality: Floats, outcomes: Outcomes) -> float:
        judged.append(0.0)
        return float(len(judged))

    found = choose_k(history, prompts, history, prompts, probes, 0, judge)
    assert len(judged) == tried
    assert found == {4: 1, 9: 5, 30: 25, 500: 50}[probes]


def test_known_models_without_a_score_on_the_probes_are_left_out() -> None:
    """The judge sees only models that could be placed; missing cells elsewhere are no obstacle."""
    history, prompts = topics(60, 5, 1)
    score = history.score.copy()
    score[:, 2] = NAN
    score[np.random.default_rng(6).permutation(60)[40], 2] = 1.0  # its only score is not on a drawn row
    score[np.random.default_rng(0).random(score.shape) < 0.3] = NAN
    score[np.random.default_rng(6).permutation(60)[40], 2] = 1.0

    def judge(quality: Floats, outcomes: Outcomes) -> float:
        assert outcomes.models == ("m0", "m1", "m3")
        assert np.isfinite(quality).all()
        return minus_squared_error(quality, outcomes)

    chosen = {choose_k(replace(history, score=score), prompts, history, prompts, 20, 6, judge) for _ in range(2)}
    assert len(chosen) == 1


def test_bad_input_is_refused() -> None:
    """Too many clusters or none, vectors of another width, other models to validate on, no probes, no rows."""
    history, prompts = topics(12, 3, 0)
    for k in (0, 13):
        with pytest.raises(InputError, match=f"{k} clusters of 12 prompts"):
            fit_clusters(history, prompts, k, 0)
    space = fit_clusters(history, prompts, 3, 0)
    with pytest.raises(InputError, match="5 dimensions"):
        space.place(made_probes(4, 2, 0))
    with pytest.raises(InputError, match="5 dimensions"):
        space.place(made_probes(4, 2, 0, width=6)).estimate(some_prompts(3, 0))
    fewer = history.only(np.array([0, 1]))
    with pytest.raises(InputError, match="not of the history's models"):
        choose_k(history, prompts, fewer, prompts, 5, 0, minus_squared_error)
    with pytest.raises(InputError, match="0 probes"):
        choose_k(history, prompts, history, prompts, 0, 0, minus_squared_error)
    none = np.zeros(0, np.int64)
    with pytest.raises(InputError, match="history is empty"):
        fit_clusters(history.take(none), prompts.take(none), 1, 0)


def test_survives_pickling() -> None:
    """A placed model can be sent to another process."""
    placed, prompts = fitted(some_prompts(20, 0), 4).place(made_probes(9, 2, 0)), some_prompts(3, 1)
    check_same(pickle.loads(pickle.dumps(placed)).estimate(prompts), placed.estimate(prompts))
