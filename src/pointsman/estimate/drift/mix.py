"""What traffic is about, coarsely: a partition of the embeddings of a history, by which new queries are counted.

Takes vectors and the names of the data sets that they came from; gives a `Mix`. It keeps centres and shares, no text
and no vector of a prompt. Parts that are alike get neighbouring numbers, since the watch bets on runs of numbers too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pointsman.estimate.drift.streams import MIX_PARTS
from pointsman.records import Floats, Ints, Vectors

ROWS = 5_000  # as many vectors are clustered at most
ROUNDS = 50
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
    """Clusters vectors by k-means (Lloyd's, from k-means++ centres: Arthur and Vassilvitskii 2007).

    Args:
        vectors: float32 [H, D], at least one.
        datasets: H names.
        seed: of the sample and the first centres.
        parts: most parts; fewer where there are fewer different vectors.
    """
    rng = np.random.default_rng(seed)
    sample = vectors[np.sort(rng.permutation(len(vectors))[:ROWS])]
    parts = min(parts, len(np.unique(sample, axis=0)))
    centres = _in_order(_settled(sample, _begun(sample, parts, rng))).astype(np.float32)
    of = _nearest(centres, vectors)
    names = tuple(_name([datasets[i] for i in np.flatnonzero(of == part).tolist()]) for part in range(parts))
    return Mix(centres, np.bincount(of, minlength=parts).astype(np.int64), names)


def _nearest(centres: Vectors, vectors: Vectors) -> Ints:
    nearest: Ints = (vectors @ centres.T - 0.5 * (centres**2).sum(axis=1)).argmax(axis=1)
    return nearest


def _begun(sample: Vectors, parts: int, rng: np.random.Generator) -> Floats:
    """First centres: each is drawn among the vectors with chances like its squared distance to the ones before."""
    chosen = [int(rng.integers(len(sample)))]
    gap = ((sample - sample[chosen[0]]) ** 2).sum(axis=1, dtype=np.float64)
    while len(chosen) < parts:
        chosen.append(int(rng.choice(len(sample), p=gap / gap.sum())))
        gap = np.minimum(gap, ((sample - sample[chosen[-1]]) ** 2).sum(axis=1, dtype=np.float64))
    return sample[chosen].astype(np.float64)


def _settled(sample: Vectors, centres: Floats) -> Floats:
    """Centres moved to the means of what is nearest, until nothing changes sides; an empty part stays where it is."""
    before = np.full(len(sample), -1)
    for _ in range(ROUNDS):
        of = _nearest(centres.astype(np.float32), sample)
        if np.array_equal(of, before):
            break
        before, count = of, np.bincount(of, minlength=len(centres))
        total = np.zeros_like(centres)
        np.add.at(total, of, sample)
        centres = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], centres)
    return centres


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
