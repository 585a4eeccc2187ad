"""The learned map, against K-means, logistic regression, finite differences and itself."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, minimize
from sklearn.linear_model import LogisticRegression

from learned_worlds import outcomes_of, prompts_of, scored, topical, with_gaps
from pointsman.errors import InputError
from pointsman.estimate.fitted import Estimator
from pointsman.estimate.unseen.clusters import Clusters, fit_clusters
from pointsman.estimate.unseen.learned_map import (
    LearnedMap,
    fit_learned_map,
    known_quality,
    log_loss,
    log_loss_slopes,
    share_of,
    softened,
)
from pointsman.estimate.unseen.means import place_means
from pointsman.estimate.unseen.place import Probes, Space
from pointsman.records import Floats, Outcomes, Prompts


def probes_of(outcomes: Outcomes, prompts: Prompts) -> Probes:
    return Probes(prompts, outcomes, outcomes)


def test_two_clusters_by_hand() -> None:
    """θ = (0, ln 3) gives x = 1 the shares ¼, ¾ and x = −1 the shares ¾, ¼.

    One probe on each, right at 1 and wrong at −1: the clusters' scores are ¼ and ¾, so x = 1 expects 10 / 16. Each
    cluster's weights amount to 1 / (1 / 16 + 9 / 16) = 1.6 rows, with a variance of 3 / 16.
    """
    space = LearnedMap(np.array([[0.0, np.log(3.0)]], np.float32), np.zeros(2, np.float32))
    prompts = prompts_of(np.array([[1.0], [-1.0]]))
    placed = space.place(probes_of(outcomes_of(np.array([[1.0], [0.0]])), prompts))
    np.testing.assert_allclose(space.shares(prompts.vectors), [[0.25, 0.75], [0.75, 0.25]], rtol=1e-6)
    np.testing.assert_allclose(placed.quality, [[0.25], [0.75]], rtol=1e-6)
    estimates = placed.estimate(prompts)
    np.testing.assert_allclose(estimates.quality, [[10 / 16], [6 / 16]], rtol=1e-6)
    np.testing.assert_allclose(estimates.spread, np.sqrt((3 / 16 + 0.25 / 2.6) / 2.6), rtol=1e-6)
    np.testing.assert_allclose(estimates.cost_usd, 1.0)
    np.testing.assert_allclose(estimates.tokens, 15.0)


def test_sharp_shares_are_k_means() -> None:
    """With θ so steep that the nearest centroid takes all, quality and spread are those of the K-means space."""
    made, prompts = topical(120, 3, seed=0)
    probes = probes_of(with_gaps(made, 0.3, 1), prompts)
    centroids = np.random.default_rng(0).normal(size=(9, 12)).astype(np.float32)  # some of them near no prompt
    steep = LearnedMap(1e5 * centroids.T, -1e5 * (centroids**2).sum(axis=1) / 2)
    ours, theirs = steep.place(probes).estimate(prompts), Clusters(centroids).place(probes).estimate(prompts)
    np.testing.assert_allclose(ours.quality, theirs.quality, atol=1e-6)
    np.testing.assert_allclose(ours.spread, theirs.spread, atol=1e-6)


def test_a_cluster_without_weight_falls_back_on_the_mean() -> None:
    """Two probes at x = 1 say nothing of a cluster that only x = −1 belongs to."""
    space = LearnedMap(np.array([[50.0, -50.0]], np.float32), np.zeros(2, np.float32))
    probes = probes_of(outcomes_of(np.array([[1.0], [0.0], [1.0]])), prompts_of(np.ones((3, 1))))
    placed, mean = space.place(probes), place_means(probes)
    assert placed.quality[1, 0] == mean.quality[0] == pytest.approx(2 / 3)
    assert placed.spread[1, 0] == mean.spread[0]


def test_one_cluster_is_the_zero_router() -> None:
    """K = 1 gives each model's mean to every prompt."""
    made, prompts = topical(50, 3, seed=1)
    placed = fit_learned_map(made, prompts, 1, seed=0).place(probes_of(made, prompts))
    zero = place_means(probes_of(made, prompts)).estimate(prompts)
    np.testing.assert_allclose(placed.estimate(prompts).quality, zero.quality)
    np.testing.assert_allclose(placed.estimate(prompts).spread, zero.spread)


def test_the_slopes_are_the_slopes() -> None:
    """Every entry of θ and b against finite differences of the loss, with a missing cell and scores in between."""
    rng = np.random.default_rng(0)
    vectors, score, quality = rng.normal(size=(7, 3)), rng.random((7, 2)), rng.uniform(0.1, 0.9, (4, 2))
    score[3, 0] = np.nan

    def loss(flat: np.ndarray) -> float:
        return log_loss((flat[:12].reshape(3, 4), flat[12:]), vectors, score, quality)

    at = rng.normal(size=16)
    theta, offset = log_loss_slopes((at[:12].reshape(3, 4), at[12:]), vectors, score, quality)
    np.testing.assert_allclose(np.concatenate([theta.ravel(), offset]), approx_fprime(at, loss, 1e-7), atol=1e-5)


def test_always_wrong_and_always_right_is_logistic_regression() -> None:
    """With two clusters of scores 0 and 1 the minimum is scikit-learn's logistic regression, in θ₂ − θ₁, b₂ − b₁."""
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(200, 3))
    score = (rng.random((200, 1)) < 1 / (1 + np.exp(-vectors @ [[1.0], [-1.5], [0.5]] - 0.3))).astype(np.float64)
    quality = np.array([[0.0], [1.0]])

    def both(flat: np.ndarray) -> tuple[float, np.ndarray]:
        parameters = flat[:6].reshape(3, 2), flat[6:]
        theta, offset = log_loss_slopes(parameters, vectors, score, quality)
        return log_loss(parameters, vectors, score, quality), np.concatenate([theta.ravel(), offset])

    found = minimize(both, np.zeros(8), jac=True, tol=1e-12).x
    reference = LogisticRegression(C=1e9, tol=1e-9).fit(vectors, score[:, 0])
    np.testing.assert_allclose(np.diff(found[:6].reshape(3, 2), axis=1).T, reference.coef_, atol=1e-3)
    assert found[7] - found[6] == pytest.approx(reference.intercept_[0], abs=1e-3)


def test_known_quality_by_hand() -> None:
    """A cluster with the weights ¾ and ¼ of a right and a wrong, and one more row at the mean ½, scores 1.25 / 2.

    A model that nobody asked is taken for a coin.
    """
    shares, score = np.array([[0.75, 0.25], [0.25, 0.75]]), np.array([[1.0, np.nan], [0.0, np.nan]])
    np.testing.assert_allclose(known_quality(shares, score), [[0.625, 0.5], [0.375, 0.5]])


@given(st.integers(2, 30), st.integers(0, 1_000), st.floats(0.01, 100.0))
def test_the_start_is_the_k_means_assignment(k: int, seed: int, size: float) -> None:
    """Softened, the largest share is the nearest centroid's, and halfway between 1 / K and 1 on average.

    Whatever the vectors' size.
    """
    rng = np.random.default_rng(seed)
    vectors, centroids = size * rng.normal(size=(60, 6)), size * rng.normal(size=(k, 6))
    shares = share_of(softened(centroids, vectors), vectors)
    clusters = Clusters(centroids.astype(np.float32))
    assert (shares.argmax(axis=1) == clusters.assign(vectors.astype(np.float32))).mean() > 0.98
    assert shares.max(axis=1).mean() == pytest.approx((1 + 1 / k) / 2, abs=1e-3)


def test_alike_prompts_can_be_softened() -> None:
    """Centroids and prompts that are all one leave equal shares and nothing to look for."""
    shares = share_of(softened(np.ones((3, 2), np.float32), np.ones((5, 2), np.float32)), np.ones((5, 2)))
    np.testing.assert_allclose(shares, 1 / 3)


def test_learning_helps() -> None:
    """Where topics lie along one direction among many loud ones, the learned shares tell more than the softened ones.

    Judged as it is used: new models, placed on probes, on prompts that nobody saw.
    """
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3_000, 16))
    side = vectors[:, 0] > 0
    ability = rng.choice([0.1, 0.9], size=(2, 9))
    made = outcomes_of((rng.random((3_000, 9)) < ability[side.astype(int)]).astype(np.float64))
    prompts = prompts_of(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    history, asked, fresh = np.arange(2_000), np.arange(2_000, 2_300), np.arange(2_300, 3_000)
    known, unseen = made.only(np.arange(6)), made.only(np.arange(6, 9))
    probes = Probes(prompts.take(asked), unseen.take(asked), known.take(asked))

    def error(space: Space) -> float:
        quality = space.place(probes).estimate(prompts.take(fresh)).quality
        return float(((quality - ability[side[fresh].astype(int)][:, 6:]) ** 2).mean())

    learned = fit_learned_map(known.take(history), prompts.take(history), 8, seed=0)
    start = softened(fit_clusters(known.take(history), prompts.take(history), 8, 0).centroids, prompts.vectors)
    assert error(learned) < 0.6 * error(LearnedMap(start[0].astype(np.float32), start[1].astype(np.float32)))


def test_noise_leaves_the_start_nearly_alone() -> None:
    """Where nothing can be learned, the held-out tenth stops it: on fresh prompts it loses next to nothing."""
    made, prompts = topical(600, 6, seed=2, signal=0.0)
    fresh, asked = topical(1_000, 6, seed=2, signal=0.0, of=1)
    learned = fit_learned_map(made, prompts, 6, seed=0)
    start = softened(fit_clusters(made, prompts, 6, 0).centroids, prompts.vectors)

    def loss(parameters: tuple[np.ndarray, ...]) -> float:
        quality = known_quality(share_of(parameters, prompts.vectors), made.score)
        return log_loss(parameters, asked.vectors, fresh.score, quality)

    assert loss((learned.theta, learned.offset)) < loss(start) + 0.005


def test_few_prompts_leave_the_start() -> None:
    """With fewer than ten there is no tenth to hold out: the softened K-means assignment is the map."""
    made, prompts = topical(9, 2, seed=3)
    learned = fit_learned_map(made, prompts, 3, seed=0)
    centroids = fit_clusters(made, prompts, 3, 0).centroids
    nearest = Clusters(centroids).assign(prompts.vectors)
    np.testing.assert_array_equal(learned.shares(prompts.vectors).argmax(axis=1), nearest)


def test_the_same_seed_gives_the_same_map() -> None:
    """And another seed another one."""
    made, prompts = topical(300, 4, seed=4)
    first, again, other = (fit_learned_map(made, prompts, 5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.theta, again.theta)
    assert np.abs(first.theta - other.theta).max() > 1e-6


def test_known_models_in_another_order_make_the_same_map() -> None:
    """But for rounding; K-means doesn't look at them, and the loss is a mean over them."""
    made, prompts = topical(300, 4, seed=5)
    made = with_gaps(made, 0.2, 0)
    straight = fit_learned_map(made, prompts, 5, 0).shares(prompts.vectors)
    turned = fit_learned_map(made.only(np.array([3, 1, 0, 2])), prompts, 5, 0).shares(prompts.vectors)
    np.testing.assert_allclose(turned, straight, atol=1e-3)


LEARNED, LEARNED_PROMPTS = topical(200, 4, seed=6, width=5)
SPACE = fit_learned_map(LEARNED, LEARNED_PROMPTS, 6, 0)


@settings(deadline=None)
@given(scored())
def test_estimates_are_in_bounds(world: tuple[Outcomes, Prompts]) -> None:
    """Any probes, scores and gaps give finite estimates in bounds, one column a model."""
    made, prompts = world
    space: Space = SPACE
    placed: Estimator = space.place(probes_of(made, prompts))
    assert placed.models == made.models
    estimates = placed.estimate(LEARNED_PROMPTS)
    for cells in (estimates.quality, estimates.cost_usd, estimates.tokens, estimates.spread):
        assert cells.shape == (200, len(made.models))
        assert np.isfinite(cells).all()
    assert (estimates.quality >= 0.0).all()
    assert (estimates.quality <= 1.0).all()
    assert (estimates.spread > 0.0).all()
    assert (estimates.spread <= 0.5 + 1e-9).all()


@settings(max_examples=15, deadline=None)
@given(scored(), st.integers(1, 4))
def test_any_history_can_be_learned_from(world: tuple[Outcomes, Prompts], k: int) -> None:
    """Repeated vectors, gaps, one row, models always right: shares are finite and add up to one."""
    made, prompts = world
    shares = fit_learned_map(made, prompts, min(k, len(made)), 0).shares(prompts.vectors)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert (shares >= 0.0).all()


@settings(deadline=None)
@given(scored())
def test_placing_is_each_models_own_affair(world: tuple[Outcomes, Prompts]) -> None:
    """Another order of models or probes, or company left out, changes nothing; nor do rows that it has no score on."""
    made, prompts = world
    together = SPACE.place(probes_of(made, prompts)).estimate(LEARNED_PROMPTS).quality
    order = np.arange(len(made))[::-1].copy()
    turned = SPACE.place(probes_of(made.take(order), prompts.take(order))).estimate(LEARNED_PROMPTS).quality
    np.testing.assert_allclose(turned, together, atol=1e-9)
    for model in range(len(made.models)):
        rows = np.flatnonzero(np.isfinite(made.score[:, model]))
        alone = made.only(np.array([model])).take(rows)
        quality = SPACE.place(probes_of(alone, prompts.take(rows))).estimate(LEARNED_PROMPTS).quality
        np.testing.assert_allclose(quality[:, 0], together[:, model], atol=1e-9)


@settings(deadline=None)
@given(scored())
def test_wrongs_for_rights_turn_the_estimate_round(world: tuple[Outcomes, Prompts]) -> None:
    """Placed by 1 − score it expects 1 − quality, and is as sure."""
    made, prompts = world
    straight = SPACE.place(probes_of(made, prompts)).estimate(LEARNED_PROMPTS)
    turned = SPACE.place(probes_of(outcomes_of(1.0 - made.score), prompts)).estimate(LEARNED_PROMPTS)
    np.testing.assert_allclose(turned.quality, 1.0 - straight.quality, atol=1e-9)
    np.testing.assert_allclose(turned.spread, straight.spread, atol=1e-6)


def test_gaps_weigh_nothing() -> None:
    """The loss of a row with a gap is that of its other cells."""
    rng = np.random.default_rng(7)
    parameters = rng.normal(size=(3, 4)), rng.normal(size=4)
    vectors, quality = rng.normal(size=(5, 3)), rng.uniform(0.1, 0.9, (4, 2))
    score: Floats = np.column_stack([rng.random(5), np.full(5, np.nan)])
    expected = log_loss(parameters, vectors, score[:, :1], quality[:, :1])
    assert log_loss(parameters, vectors, score, quality) == pytest.approx(expected)


def test_survives_pickling_and_refuses_what_cannot_be() -> None:
    """A pickled space says the same; other widths, no clusters, and more clusters than prompts are refused."""
    again = pickle.loads(pickle.dumps(SPACE.place(probes_of(LEARNED, LEARNED_PROMPTS))))
    expected = SPACE.place(probes_of(LEARNED, LEARNED_PROMPTS)).estimate(LEARNED_PROMPTS)
    np.testing.assert_array_equal(again.estimate(LEARNED_PROMPTS).quality, expected.quality)
    with pytest.raises(InputError, match="3 dimensions"):
        SPACE.place(probes_of(outcomes_of(np.ones((3, 1))), prompts_of(np.eye(3))))
    for k in (0, 201):
        with pytest.raises(InputError, match="clusters of 200 prompts"):
            fit_learned_map(LEARNED, LEARNED_PROMPTS, k, 0)
