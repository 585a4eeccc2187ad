"""UniRoute's K-means: a model is its mean score on each cluster of prompts (arXiv 2502.08773, as published).

1. `fit_clusters`: K-means on the vectors of the training prompts; no outcome is looked at.
2. `Clusters.place`: every probe goes to its nearest centroid, and a new model gets its mean score per cluster. Where
   it has none, its mean over all its probes stands in (the paper doesn't say).
3. `Placed.estimate`: a prompt gets the scores of its nearest centroid; cost is one constant a model.

`choose_k` is the paper's rule for K: route the known models with each. Nothing is shrunk, and a prompt belongs to one
cluster only; this is the reference that better transfer is measured against.

K-means here is Lloyd's rounds from k-means++ seeds (Arthur and Vassilvitskii, 2007; one draw a seed), by Euclidean
distance. A draw of many seeds begins with the draw of fewer, so `choose_k` draws once for all K and gives each a few
rounds: on 7,000 prompts of 256 dimensions, 500 probes and 20 models it takes about 0.5 s on one core.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pointsman.errors import InputError
from pointsman.estimate.fitted import check_history, check_width
from pointsman.estimate.unseen.means import Means, group_means, place_means
from pointsman.estimate.unseen.place import Probes
from pointsman.records import Estimates, Floats, Ints, Outcomes, Prompts, Vectors

CANDIDATES: tuple[int, ...] = (5, 10, 25, 50, 75, 100, 150, 200, 250, 300)
ROUNDS = 100
ROUNDS_TO_CHOOSE = 5
ROWS_TO_CHOOSE = 10_000  # more training prompts than this are drawn from, so that the choice stays quick

Judge = Callable[[Floats, Outcomes], float]
"""How well estimated qualities [Q, M] route outcomes of the same Q prompts and M models; more is better."""

_ROWS_A_BLOCK = 1_024


@dataclass(frozen=True)
class Clusters:
    """A space of K clusters of prompts.

    Attributes:
        centroids: float32 [K, D].
    """

    centroids: Vectors

    def assign(self, vectors: Vectors) -> Ints:
        """The nearest centroid of each vector, int [Q].

        Raises:
            InputError: the vectors are of another width than the centroids.
        """
        check_width(vectors.shape[1], self.centroids.shape[1])
        # In double precision, so that a prompt gets the same cluster alone and in a batch (but for a perfect tie).
        return _nearest(np.asarray(vectors, np.float64), np.asarray(self.centroids, np.float64))

    def place(self, probes: Probes) -> Placed:
        """The asked models' mean scores per cluster, see the module.

        Raises:
            InputError: vectors of another width, or a model without a single recorded cost.
        """
        groups = _groups(self.assign(probes.prompts.vectors), len(self.centroids))
        return Placed(self, place_means(probes), *group_means(groups, probes.asked.score))


@dataclass(frozen=True)
class Placed:
    """Models placed by their scores per cluster.

    Attributes:
        clusters: the space.
        means: of each model over all its probes; the costs are taken from here.
        quality: float [K, N], mean score per cluster.
        spread: float [K, N], its standard error, see `means.group_means`.
    """

    clusters: Clusters
    means: Means
    quality: Floats
    spread: Floats

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of the N models."""
        return self.means.models

    def estimate(self, prompts: Prompts) -> Estimates:
        """The scores of each prompt's cluster, each [Q, N].

        Raises:
            InputError: the vectors are of another width than the centroids.
        """
        cluster = self.clusters.assign(prompts.vectors)
        return self.means.with_quality(self.quality[cluster], self.spread[cluster])


def fit_clusters(history: Outcomes, prompts: Prompts, k: int, seed: int) -> Clusters:
    """K-means on the prompts' vectors.

    With fewer than k distinct vectors there are only as many clusters as that.

    Args:
        history: of the known models; only checked, since clusters are made of prompts alone.
        prompts: the same H training prompts.
        k: how many clusters, from 1 to H.
        seed: of the k-means++ draw.

    Raises:
        InputError: a history that nothing can be learned from, or a k that can't be.
    """
    check_history(history, prompts)
    if not 1 <= k <= len(prompts):
        raise InputError(
            f"{k} clusters of {len(prompts)} prompts", place="clusters", remedy=f"use 1 to {len(prompts)} clusters"
        )
    vectors = np.asarray(prompts.vectors, np.float32)
    seeds = _seeds(vectors, k, np.random.default_rng(seed))
    return Clusters(_settled(vectors, vectors[seeds], ROUNDS))


def choose_k(
    history: Outcomes,
    prompts: Prompts,
    validation_history: Outcomes,
    validation_prompts: Prompts,
    probes: int,
    seed: int,
    judge: Judge,
    candidates: Sequence[int] = CANDIDATES,
) -> int:
    """The paper's rule: the K whose clusters route the known models best.

    The known models are placed by their outcomes on `probes` random training prompts, as new models will be by as
    many probes, and their estimates for the validation prompts are judged. The smaller of two equally good K wins;
    candidates above the number of probes or of training prompts are skipped, and if that leaves none, K is 1.

    Args:
        history, prompts: training outcomes of the known models, and their prompts.
        validation_history, validation_prompts: the same models' on the validation prompts.
        probes: how many probes new models will be asked.
        seed: of the draws.
        judge: the area under the deferral curve, say. Known models without a score on the drawn training prompts
            are left out of what it is given.
        candidates: values of K.

    Raises:
        InputError: a history that nothing can be learned from, other models in the validation outcomes, or fewer
            than one probe.
    """
    check_history(history, prompts)
    check_width(validation_prompts.vectors.shape[1], prompts.vectors.shape[1])
    _check_choice(history, validation_history, probes)
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(history))[: max(ROWS_TO_CHOOSE, probes)]
    asked = rows[:probes]
    tried = sorted(k for k in set(candidates) if k <= len(asked))
    columns = np.flatnonzero(np.isfinite(history.score[asked]).any(axis=0))
    if len(tried) < 2 or len(columns) == 0:
        return tried[0] if tried else 1
    vectors, score = np.asarray(prompts.vectors[rows], np.float32), history.score[asked][:, columns]
    judged = validation_history.only(columns)
    seeds = _seeds(vectors, tried[-1], rng)
    areas = []
    for k in tried:
        clusters = Clusters(_settled(vectors, vectors[seeds[:k]], ROUNDS_TO_CHOOSE))
        quality, _ = group_means(_groups(clusters.assign(vectors[: len(asked)]), len(clusters.centroids)), score)
        areas.append(judge(quality[clusters.assign(validation_prompts.vectors)], judged))
    return tried[int(np.argmax(areas))]


def _check_choice(history: Outcomes, validation_history: Outcomes, probes: int) -> None:
    if validation_history.models != history.models:
        raise InputError(
            "the validation outcomes are not of the history's models, in their order",
            place="choice of K",
            remedy="give both sets the same columns",
        )
    if probes < 1:
        raise InputError(f"{probes} probes", place="choice of K", remedy="ask at least one")


def _groups(cluster: Ints, k: int) -> csr_array:
    """Which rows are in which cluster, 0/1 [K, n]."""
    counts = np.bincount(cluster, minlength=k)
    members = np.argsort(cluster, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)])
    return csr_array((np.ones(len(cluster), np.float32), members, starts), shape=(k, len(cluster)))


def _nearest(vectors: NDArray[np.floating], centroids: NDArray[np.floating]) -> Ints:
    """The nearest centroid of each row, int [Q]; of equally near ones the first."""
    half = (centroids**2).sum(axis=1) / 2.0  # |x − c|² is least where x·c − |c|² / 2 is greatest
    found = np.empty(len(vectors), np.int64)
    for at in range(0, len(vectors), _ROWS_A_BLOCK):
        found[at : at + _ROWS_A_BLOCK] = (vectors[at : at + _ROWS_A_BLOCK] @ centroids.T - half).argmax(axis=1)
    return found


def _seeds(vectors: Vectors, k: int, rng: np.random.Generator) -> Ints:
    """k-means++: rows drawn one by one, each with a chance in proportion to its squared distance from those before.

    Fewer than k where every row coincides with one drawn already.
    """
    length = np.einsum("qd,qd->q", vectors, vectors)
    nothing = np.float32(1e-6) * length.max(initial=1e-12)  # what rounding leaves between equal vectors
    drawn = [int(rng.integers(len(vectors)))]
    distance = np.full(len(vectors), np.inf, np.float32)
    while len(drawn) < k:
        last = drawn[-1]
        np.minimum(distance, length + length[last] - 2.0 * (vectors @ vectors[last]), out=distance)
        distance[distance < nothing] = 0.0
        up_to = np.cumsum(distance, dtype=np.float64)
        if up_to[-1] <= 0.0:
            break
        drawn.append(int(np.searchsorted(up_to, rng.random() * up_to[-1], side="right")))
    return np.array(drawn, np.int64)


def _settled(vectors: Vectors, centroids: Vectors, rounds: int) -> Vectors:
    """Lloyd's rounds: centroids move to the means of what is nearest to them, until nothing changes or `rounds` ran.

    A centroid that nothing is nearest to stays where it is.
    """
    before = np.full(len(vectors), -1, np.int64)
    for _ in range(rounds):
        cluster = _nearest(vectors, centroids)
        if np.array_equal(cluster, before):
            break
        before = cluster
        groups = _groups(cluster, len(centroids))
        count = np.asarray(groups.sum(axis=1))[:, None]
        centroids = np.where(count > 0, (groups @ vectors) / np.maximum(count, 1.0), centroids).astype(np.float32)
    return centroids
