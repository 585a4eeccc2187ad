"""One blended regression of many outputs on the views of a prompt: a ridge, boosted trees, and how they are mixed.

Members: the ridge on the linear view, the forest's first `EARLY` trees, and the whole forest; the second lets a
direction in which little can be learned stop early. All are linear in their leaves and weights, so the mix is folded
into them once and costs nothing per query. Used for quality (outputs are scores) and for cost (outputs are lengths).
With fewer than `LEAST_ROWS` rows no member is fitted and the means are the answer.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.estimate.ridge import Ridge, fit_ridge
from pointsman.estimate.stack import Stack, fit_stack
from pointsman.estimate.trees import Binned, Forest, Growth, fit_forest
from pointsman.estimate.views import Views
from pointsman.records import Floats, Mask

EARLY = 100
LEAST_ROWS = 30


@dataclass(frozen=True)
class Task:
    """What is to be learned from: N rows.

    Attributes:
        views: of the rows' prompts.
        design: the dense and counted columns, binned.
        folds: int [N], the fold of each row.
        trained: bool [N], rows that may be trained on (all, but for very long histories).
        seed: of every draw.
    """

    views: Views
    design: Binned
    folds: NDArray[np.int64]
    trained: Mask
    seed: int


@dataclass(frozen=True)
class Members:
    """Fitted members and the means they start from."""

    base: Floats
    ridge: Ridge
    forest: Forest

    def deviations(self, views: Views) -> list[Floats]:
        """What each member adds to the means, three times [Q, K]."""
        early = self.forest.part(0, EARLY).predict(views.dense, views.counts)
        late = self.forest.part(EARLY, len(self.forest.columns)).predict(views.dense, views.counts)
        return [self.ridge.predict(views.linear), early, early + late]


@dataclass(frozen=True)
class Part:
    """A fitted blend: `base + linear @ weights + one leaf of every tree`."""

    base: Floats
    weights: NDArray[np.float32]
    forest: Forest

    def predict(self, views: Views) -> Floats:
        """Expected outputs, float [Q, K]."""
        out = views.linear @ self.weights + self.forest.predict(views.dense, views.counts)
        return np.asarray(out + self.base, np.float64)


def shrunk_means(outputs: Floats) -> Floats:
    """Column means [K] of the known cells, with one imagined row at the mean of all of them."""
    known = np.isfinite(outputs)
    total = np.where(known, outputs, 0.0)
    grand = total.sum() / max(int(known.sum()), 1)
    return np.asarray((total.sum(axis=0) + grand) / (known.sum(axis=0) + 1), np.float64)


def fit_members(task: Task, outputs: Floats, rows: Mask, growth: Growth, stream: int) -> Members:
    """Members fitted on `rows` alone."""
    base = shrunk_means(outputs[rows])
    left = outputs[rows] - base
    ridge, _ = fit_ridge(task.views.linear[rows], left)
    forest = fit_forest(task.design.take(rows), left, growth, np.random.default_rng([task.seed, stream]))
    return Members(base, ridge, forest)


def merge(members: Members, stack: Stack) -> Part:
    """Fold the weights of `stack` into the members."""
    linear, early, whole = stack.mixing
    leaves = members.forest.leaves
    mixed = np.concatenate([leaves[:EARLY] @ (early + whole), leaves[EARLY:] @ whole]).astype(np.float32)
    forest = Forest(members.forest.columns, members.forest.thresholds, mixed)
    base = members.base + members.ridge.offset @ linear
    return Part(base, (members.ridge.weights @ linear).astype(np.float32), forest)


def fit_part(task: Task, outputs: Floats, growth: Growth, pool: Executor) -> tuple[Part, Floats, Stack | None]:
    """Fit on all rows, and cross-fit.

    Args:
        task: the rows.
        outputs: float [N, K], NaN where missing.
        growth: of the trees.
        pool: runs the fits, one a fold and one for all rows.

    Returns:
        The fitted part, its cross-fitted predictions [N, K], and the weights (None if the means had to do).
    """
    if len(outputs) < LEAST_ROWS or not varies(outputs):
        return _means_only(task, outputs)
    base, deviations, fits = cross_fit(task, outputs, growth, pool)
    stack = fit_stack((outputs - base)[task.trained], [d[task.trained] for d in deviations])
    return merge(fits[-1], stack), base + stack.blend(deviations), stack


def cross_fit(
    task: Task, outputs: Floats, growth: Growth, pool: Executor
) -> tuple[Floats, tuple[Floats, Floats, Floats], list[Members]]:
    """Fit the members once without each fold and once on all rows.

    Returns:
        For every row the means [N, K] and the members' deviations from them (three times [N, K]) by the fit that
        didn't see it; and the fits, the one on all rows last.
    """
    n_folds = int(task.folds.max()) + 1
    masks = [task.trained & (task.folds != fold) for fold in range(n_folds)] + [task.trained]
    fits = list(pool.map(lambda job: fit_members(task, outputs, job[1], growth, job[0]), enumerate(masks)))
    base = np.zeros(outputs.shape)
    deviations = (np.zeros(outputs.shape), np.zeros(outputs.shape), np.zeros(outputs.shape))
    for fold, members in enumerate(fits[:-1]):
        rows = task.folds == fold
        base[rows] = members.base
        for whole, piece in zip(deviations, members.deviations(task.views.take(rows)), strict=True):
            whole[rows] = piece
    return base, deviations, fits


def varies(outputs: Floats) -> bool:
    """Whether any output has two different known values."""
    known = np.isfinite(outputs)
    most, least = np.where(known, outputs, -np.inf).max(axis=0), np.where(known, outputs, np.inf).min(axis=0)
    return bool((most > least).any())


def means_part(width: int, outputs: Floats) -> Part:
    """A part that gives every prompt the shrunk means of `outputs`, for a linear view of `width` columns."""
    k = outputs.shape[1]
    forest = Forest(np.zeros((0, 1), np.int32), np.zeros((0, 1), np.float32), np.zeros((0, 2, k), np.float32))
    return Part(shrunk_means(outputs), np.zeros((width, k), np.float32), forest)


def _means_only(task: Task, outputs: Floats) -> tuple[Part, Floats, None]:
    part = means_part(task.views.linear.shape[1], outputs)
    held_out = np.zeros(outputs.shape)
    for fold in np.unique(task.folds):
        others = task.folds != fold
        held_out[task.folds == fold] = shrunk_means(outputs[others] if others.any() else outputs)
    return part, held_out, None
