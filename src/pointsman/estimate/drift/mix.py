"""What traffic is about, coarsely: a partition of the embeddings of a history, by which new queries are counted.

Takes vectors and the names of the data sets that they came from; gives a `Mix`. It keeps centres and shares, no text
and no vector of a prompt. Parts that are alike get neighbouring numbers, since the watch bets on runs of numbers too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from pointsman.estimate.drift.streams import MIX_PARTS
from pointsman.records import Floats, Ints, Vectors

ROWS = 5_000  # as many vectors are clustered at most
MOSTLY = 0.5  # a part is named after a data set that has more of it than this


@dataclass(frozen=True)
class Mix:
    """A partition.

    Attributes:
        centres: float32 [P, D].
        counts: int [P], how many vectors of the history each part has.
        names: P texts: the data set that most of a part came from, "" where none is in the majority.
    """

    centres: Vectors
    counts: Ints
    names: tuple[str, ...]

    def parts(self, vectors: Vectors) -> Ints:
        """The nearest part [Q] of each vector [Q, D]."""
        return _nearest(self.centres, vectors)


def fit_mix(vectors: Vectors, datasets: Sequence[str], seed: int = 0, parts: int = MIX_PARTS) -> Mix:
    """Clusters vectors by k-means.

    Args:
        vectors: float32 [H, D], at least one.
        datasets: H names.
        seed: of the sample and the first centres.
        parts: most parts; fewer where there are fewer different vectors.
    """
    rng = np.random.default_rng(seed)
    sample = vectors[np.sort(rng.permutation(len(vectors))[:ROWS])]
    parts = min(parts, len(np.unique(sample, axis=0)))
    with threadpool_limits(1):
        found = KMeans(parts, n_init=1, random_state=seed, max_iter=50).fit(sample.astype(np.float64))
    centres = _in_order(found.cluster_centers_).astype(np.float32)
    of = _nearest(centres, vectors)
    names = tuple(_name([datasets[i] for i in np.flatnonzero(of == part).tolist()]) for part in range(parts))
    return Mix(centres, np.bincount(of, minlength=parts).astype(np.int64), names)


def _nearest(centres: Vectors, vectors: Vectors) -> Ints:
    nearest: Ints = (vectors @ centres.T - 0.5 * (centres**2).sum(axis=1)).argmax(axis=1)
    return nearest


def _in_order(centres: Floats) -> Floats:
    """Beginning at the one that is farthest from the middle, each followed by the nearest that is left."""
    left = list(range(len(centres)))
    chain = [int(((centres - centres.mean(axis=0)) ** 2).sum(axis=1).argmax())]
    left.remove(chain[0])
    while left:
        following = min(left, key=lambda i: float(((centres[i] - centres[chain[-1]]) ** 2).sum()))
        left.remove(following)
        chain.append(following)
    return centres[chain]


def _name(datasets: Sequence[str]) -> str:
    if not datasets:
        return ""
    name, count = Counter(datasets).most_common(1)[0]
    return name if count > MOSTLY * len(datasets) else ""
