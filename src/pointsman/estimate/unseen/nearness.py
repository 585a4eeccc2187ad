"""How far to trust what is expected of a prompt that is unlike the history's.

What models are good at, learned on some topics, says less about others, and least about those farthest away. How much
less is measured: a ridge is fitted without whole clusters of the history's prompts and asked about them, and about
prompts held out at random. By how near a prompt is to those that were fitted on, the expected differences between
models are then drawn towards their mean differences: fully trusted where prompts are as near as the history's are to
each other, rising with nearness (isotonic regression). What all models share is left alone, because no choice between
models depends on it. Takes vectors and scores; knows nothing of topics by name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from pointsman.estimate.ridge import fit_ridge
from pointsman.estimate.unseen.clusters import fit_clusters
from pointsman.records import Floats, Ints, Mask, Outcomes, Prompts, Vectors

CLUSTERS, HELD_SHARE = 10, 0.4
MOST_ROWS, LEAST_ROWS, LANDMARKS, TOP = 6_000, 200, 1_000, 3


@dataclass(frozen=True)
class Trust:
    """See the module.

    Attributes:
        landmarks: float32 [L, D], vectors of some of the history's prompts.
        means: float [M], mean scores of the known models.
        nearness, factor: knots of a rising map into [0, 1].
    """

    landmarks: Vectors
    means: Floats
    nearness: Floats
    factor: Floats

    def apply(self, expected: Floats, vectors: Vectors) -> Floats:
        """Expected scores [Q, M] with the differences between models drawn in where the prompts are far away."""
        trusted = np.interp(near(vectors, self.landmarks), self.nearness, self.factor)
        away = expected - self.means
        common = away.mean(axis=1, keepdims=True)
        return np.asarray(self.means + common + trusted[:, None] * (away - common), np.float64)


def near(vectors: Vectors, landmarks: Vectors) -> Floats:
    """Mean cosine similarity to the three nearest landmarks, float [Q]."""
    similar = np.asarray(vectors @ landmarks.T, np.float64)
    top = min(TOP, similar.shape[1])
    return np.asarray(np.partition(similar, -top, axis=1)[:, -top:].mean(axis=1), np.float64)


def fit_trust(history: Outcomes, prompts: Prompts, linear: Vectors, seed: int) -> Trust | None:
    """Measure it on a history (6,000 rows at most).

    Args:
        history, prompts: H outcomes and their prompts.
        linear: float32 [H, L], the prompts' linear view.

    Returns:
        None where the history is too short, has a single model, or nothing can be told apart in it.
    """
    rng = np.random.default_rng((seed, 44))
    rows = np.sort(rng.permutation(len(history))[:MOST_ROWS])
    if len(rows) < LEAST_ROWS or len(history.models) < 2:
        return None
    score, vectors = history.score[rows], prompts.vectors[rows]
    cluster = fit_clusters(history.take(rows), prompts.take(rows), CLUSTERS, seed).assign(vectors)
    away = _clusters_held_out(cluster, rng)
    away_or_held = away | (rng.random(len(rows)) < HELD_SHARE / 2)
    fitted, tested = np.flatnonzero(~away_or_held), np.flatnonzero(away_or_held)
    if not (away.any() and np.isfinite(score[fitted]).any(axis=0).all()):
        return None
    means = np.nanmean(score[fitted], axis=0)
    expected = fit_ridge(linear[rows][fitted], score[fitted])[0].predict(linear[rows][tested])
    along, weight = _slopes(score[tested] - means, expected - means)
    places = near(vectors[tested], vectors[rng.permutation(fitted)[:LANDMARKS]])
    usual = ~away[tested]
    level = (along * weight)[usual].sum() / max(weight[usual].sum(), 1e-12)
    if not (level > 0 and weight.sum() > 0):
        return None
    knots, factor = _rising(places, along / level, weight)
    landmarks = prompts.vectors[rng.permutation(len(history))[:LANDMARKS]]
    return Trust(landmarks, np.nanmean(history.score, axis=0), knots, factor)


def _clusters_held_out(cluster: Ints, rng: np.random.Generator) -> Mask:
    """Rows of whole clusters, drawn while together they stay within 40 %."""
    away = np.zeros(len(cluster), np.bool_)
    for label in rng.permutation(CLUSTERS):
        wider = away | (cluster == label)
        away = wider if wider.mean() <= HELD_SHARE else away
    return away


def _slopes(observed: Floats, expected: Floats) -> tuple[Floats, Floats]:
    """For each row, how far the observed differences between models go along the expected ones, and its weight."""
    known = np.isfinite(observed)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)

    def differences(values: Floats) -> Floats:
        there = np.where(known, values, 0.0)
        return np.where(known, there - there.sum(axis=1, keepdims=True) / count, 0.0)

    seen, told = differences(observed), differences(expected)
    weight = (told**2).sum(axis=1)
    return (seen * told).sum(axis=1) / np.maximum(weight, 1e-12), weight


def _rising(places: Floats, along: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Knots of the isotonic map from nearness to a factor in [0, 1]; constant beyond the outer ones."""
    known = weight > 0
    knots, at = np.unique(places[known], return_inverse=True)
    heavy = np.bincount(at, weight[known])
    mean = np.bincount(at, weight[known] * along[known]) / heavy
    factor = np.clip(isotonic_regression(mean, weights=heavy).x, 0.0, 1.0)
    inner = (factor[1:-1] == factor[:-2]) & (factor[1:-1] == factor[2:])  # on a flat stretch only its ends are knots
    kept = np.concatenate([[True], ~inner, [True]])[-len(knots) :]
    return np.asarray(knots[kept], np.float64), np.asarray(factor[kept], np.float64)
