"""A new model's mean over the probe prompts nearest to a prompt: UniRoute's k-NN baseline (arXiv 2502.08773).

Unweighted, by cosine similarity. The neighbours of a prompt are sought among the probes that the model has a score
on, so that a model which was asked less still gets k of them; with complete scores that is the paper's rule. Nothing
is learned from other models but k itself: `choose_neighbours` tries it on models whose outcomes are known. Cost is
one constant a model, as published. Nothing is weighted by distance or shrunk.

Every probe is looked at: 3,600 prompts, 500 probes and 10 models take about 0.1 s on one core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pointsman.errors import InputError
from pointsman.estimate.fitted import check_history, check_width
from pointsman.estimate.index_rules import checked_vectors
from pointsman.estimate.unseen.clusters import Judge
from pointsman.estimate.unseen.means import Means, group_means, place_means
from pointsman.estimate.unseen.place import Probes
from pointsman.records import Estimates, Floats, Ints, Mask, Outcomes, Prompts, Vectors

CANDIDATES: tuple[int, ...] = (5, 10, 25, 50, 100)
JUDGED_ROWS = 2_000
_CELLS_A_BLOCK = 1 << 20  # similarities at a time: 8 MB


@dataclass(frozen=True)
class Peers:
    """Models that have scores on the same probes.

    Attributes:
        columns: int [C], which models.
        score: float [P, C], on those probes.
        vectors: float32 [P, D], of those probes, unit length.
    """

    columns: Ints
    score: Floats
    vectors: Vectors

    def means(self, vectors: Vectors, k: int) -> tuple[Floats, Floats]:
        """Mean and standard error over the k nearest, float [Q, C]."""
        quality, spread = (np.empty((len(vectors), len(self.columns))) for _ in range(2))
        rows = max(_CELLS_A_BLOCK // len(self.score), 1)
        for at in range(0, len(vectors), rows):
            near = _nearest(vectors[at : at + rows], self.vectors, k)
            quality[at : at + rows], spread[at : at + rows] = group_means(near.astype(np.float64), self.score)
        return quality, spread


@dataclass(frozen=True)
class Nearest:
    """Means over the k nearest probes; see `place_nearest`.

    Attributes:
        means: of each model over all its probes; the costs are taken from here.
        peers: the models, by which probes they have scores on.
        k: how many neighbours.
        width: dimensions of the vectors.
    """

    means: Means
    peers: tuple[Peers, ...]
    k: int
    width: int

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of the N models."""
        return self.means.models

    def estimate(self, prompts: Prompts) -> Estimates:
        """Means over the nearest probes, each [Q, N]; `spread` is their standard error.

        Raises:
            InputError: the vectors are of another width than the probes'.
        """
        check_width(prompts.vectors.shape[1], self.width)
        return self.means.with_quality(*_near(self.peers, prompts.vectors, self.k))


def place_nearest(probes: Probes, k: int = 100) -> Nearest:
    """The estimator of the asked models; with fewer than k probes, all of them are the neighbours.

    Raises:
        InputError: k below 1, vectors that aren't finite, or a model without a single recorded cost.
    """
    if k < 1:
        raise InputError(f"k is {k}", place="nearest probes", remedy="use at least one neighbour")
    vectors = probes.prompts.vectors
    return Nearest(place_means(probes), _peers(vectors, probes.asked.score), k, vectors.shape[1])


def choose_neighbours(
    history: Outcomes,
    prompts: Prompts,
    probes: int,
    seed: int,
    candidates: Sequence[int] = CANDIDATES,
    judge: Judge | None = None,
) -> int:
    """The k that serves the known models best when they are placed as new models will be.

    `probes` random rows of the history (at most half of it) stand in for the probes, and other rows (at most 2,000)
    are judged. The smaller of two equally good k wins. Candidates above the number of probes are skipped; if that
    leaves none, all probes are neighbours.

    Args:
        history, prompts: outcomes of the known models, and their prompts.
        probes: how many probes new models will be asked.
        seed: of the draw of rows.
        candidates: values of k.
        judge: the area under the deferral curve, say; without one, the mean squared error decides. Known models
            without a score on the drawn probes are left out of what it is given.

    Raises:
        InputError: a history that nothing can be learned from, or fewer than one probe.
    """
    check_history(history, prompts)
    if probes < 1:
        raise InputError(f"{probes} probes", place="nearest probes", remedy="ask at least one")
    rows = np.random.default_rng(seed).permutation(len(history))
    asked = max(min(probes, len(rows) // 2), 1)
    tried = sorted(k for k in set(candidates) if k <= asked)
    peers = _peers(prompts.vectors[rows[:asked]], history.score[rows[:asked]])
    if len(tried) < 2 or not peers:
        return tried[-1] if tried else asked
    judged = rows[asked : asked + JUDGED_ROWS]
    columns = np.sort(np.concatenate([one.columns for one in peers]))
    outcomes, vectors = history.only(columns).take(judged), prompts.vectors[judged]
    merit = judge or _accuracy
    return tried[int(np.argmax([merit(_near(peers, vectors, k)[0], outcomes) for k in tried]))]


def _peers(vectors: Vectors, score: Floats) -> tuple[Peers, ...]:
    """The models with any score, grouped by the probes that they have scores on (one group, if none are missing)."""
    unit = checked_vectors(vectors, vectors.shape[1])
    known = np.isfinite(score)
    patterns, group = np.unique(known, axis=1, return_inverse=True)
    found = []
    for number in range(patterns.shape[1]):
        rows, columns = np.flatnonzero(patterns[:, number]), np.flatnonzero(group.ravel() == number)
        if len(rows) > 0:
            found.append(Peers(columns, score[np.ix_(rows, columns)], unit[rows]))
    return tuple(found)


def _near(peers: tuple[Peers, ...], vectors: Vectors, k: int) -> tuple[Floats, Floats]:
    """Quality and spread [Q, N] of all models that have peers."""
    parts = [one.means(vectors, k) for one in peers]
    order = np.argsort(np.concatenate([one.columns for one in peers]))
    return np.hstack([mean for mean, _ in parts])[:, order], np.hstack([error for _, error in parts])[:, order]


def _nearest(vectors: Vectors, probes: Vectors, k: int) -> Mask:
    """Which probes are among a vector's k nearest, [Q, P]; of equally near ones the first."""
    if k >= len(probes):
        return np.ones((len(vectors), len(probes)), np.bool_)
    # Computed in double precision and compared in single, so that rounding doesn't part equally near probes.
    alike = (np.asarray(vectors, np.float64) @ np.asarray(probes, np.float64).T).astype(np.float32)
    last = np.partition(alike, len(probes) - k, axis=1)[:, len(probes) - k, None]
    nearer, even = alike > last, alike == last
    room = k - nearer.sum(axis=1, keepdims=True)
    return np.asarray(nearer | (even & (even.cumsum(axis=1) <= room)), np.bool_)


def _accuracy(quality: Floats, outcomes: Outcomes) -> float:
    """Less squared error is better; scores that aren't there don't count."""
    known = np.isfinite(outcomes.score)
    return -float(((quality - outcomes.score)[known] ** 2).mean()) if known.any() else 0.0
