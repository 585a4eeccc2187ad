"""Models as points on a map: near each other where they err on the same prompts.

Takes scores [N, M] of common prompts; gives two coordinates a model by classical multidimensional scaling (Torgerson,
Psychometrika 17, 1952) of the distances between the models' error vectors, which is how UniRoute describes a model
(arXiv 2502.08773). A distance is the root of the mean squared difference of scores over the prompts that both have.
Models that share too few prompts with the others have no place on it.
"""

from __future__ import annotations

import numpy as np

from pointsman.records import Floats, Ints

LEAST_SHARED = 20
LEAST_MODELS = 3  # two are always a line


def squared_distances(score: Floats) -> tuple[Floats, Floats]:
    """Mean squared differences of score over the prompts that two models share [M, M], and how many those are.

    Args:
        score: float [N, M], NaN where nothing was recorded. The distance of two models without any is NaN.
    """
    there = np.isfinite(score)
    weight = there.astype(np.float64)
    filled = np.where(there, score, 0.0)
    squares = (filled**2).T @ weight
    shared = weight.T @ weight
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.maximum(0.0, squares + squares.T - 2.0 * filled.T @ filled) / shared, shared


def comparable(shared: Floats, least: int = LEAST_SHARED) -> Ints:
    """The models every two of which share enough prompts: whoever lacks most is left out until that holds."""
    kept = np.flatnonzero(np.diag(shared) >= least)
    while len(kept):
        lacking = (shared[np.ix_(kept, kept)] < least).sum(axis=1)
        if not lacking.any():
            break
        kept = np.delete(kept, int(lacking.argmax()))
    return kept


def scaled(squared: Floats, dimensions: int = 2) -> Floats:
    """Points [M, dimensions] whose distances are near the given ones; as near as can be where those are Euclidean.

    The sign of an axis is free: its largest coordinate is made positive, so that a map doesn't turn over.
    """
    models = len(squared)
    centring = np.eye(models) - 1.0 / models
    values, vectors = np.linalg.eigh(-0.5 * centring @ squared @ centring)
    top = np.argsort(-values)[:dimensions]
    points = vectors[:, top] * np.sqrt(np.maximum(values[top], 0.0))
    largest = points[np.abs(points).argmax(axis=0), np.arange(points.shape[1])]
    turned = points * np.where(largest < 0.0, -1.0, 1.0)
    return np.hstack([turned, np.zeros((models, dimensions - turned.shape[1]))])


def likeness(score: Floats) -> tuple[Ints, Floats]:
    """Which models [K] have a place on the map, and where [K, 2]; none where fewer than three can be compared."""
    squared, shared = squared_distances(score)
    kept = comparable(shared)
    if len(kept) < LEAST_MODELS:
        return kept[:0], np.empty((0, 2))
    return kept, scaled(squared[np.ix_(kept, kept)])
