"""How far a prompt is from everything in the history, and how unsure that makes of it.

`spread` is measured on the history's own rows; of prompts like none of them it can say nothing, and a short history of
one kind (a few probes that all came out the same) looked nearly certain of everything. So the spread grows with the
share of a prompt's distance to the history that the history itself doesn't bridge: w = 1 − reach / distance, where
`distance` is to the nearest of some anchors drawn from it and `reach` is what 99 % of its own rows keep to. To the
variance w² times that of the model's scores is added: where nothing is known, a score may be whatever scores are.

And no expected score is surer than a mean of equal scores: forty answers that were all wrong leave a standard error of
0.01.

Prompts like the history's keep their spread: one in a hundred is touched, and barely (measured on four sets: 0 to 2 %
of unseen rows of the same set, with a median w of 0.03). Quality stays as it is; no decision depends on the spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.records import Floats, Vectors

ANCHORS = 256
REACH_SHARE = 0.99
_WIDEST_VARIANCE = 0.25  # of a score in [0, 1]
_SAME = 1e-6  # rows nearer than that are one prompt twice, or numbers' own noise


@dataclass(frozen=True)
class Familiar:
    """Anchors of a history; see `fit_familiar`.

    Attributes:
        anchors: float32 [A, D], of length one (or zero).
        reach: the distance to the nearest other anchor that nearly all rows of the history keep to.
        scatter: float [M], standard deviation of each model's scores.
        least: float [M], what no spread is narrower than: the standard error of as many scores that are all equal, one
            more of the widest possible variance counted.
    """

    anchors: NDArray[np.float32]
    reach: float
    scatter: Floats
    least: Floats

    def strangeness(self, vectors: Vectors) -> Floats:
        """w of Q prompts, float [Q] in [0, 1): 0 for those within reach."""
        distance = 1.0 - (_unit(vectors) @ self.anchors.T).max(axis=1)
        return np.asarray(np.maximum(0.0, 1.0 - self.reach / np.maximum(distance, _SAME)), np.float64)

    def widened(self, spread: Floats, vectors: Vectors) -> Floats:
        """The spread [Q, M] of these prompts with what their distance adds."""
        strange = self.strangeness(vectors)
        if not strange.any():
            return spread
        return np.sqrt(spread**2 + (strange[:, None] * self.scatter) ** 2)


def fit_familiar(vectors: Vectors, score: Floats, seed: int) -> Familiar:
    """From a history.

    Args:
        vectors: float [H, D].
        score: float [H, M], NaN where missing; its variance is taken as if one more score of the widest possible
            variance had been seen, so that equal ones never look certain.
        seed: of the anchors.
    """
    rows = np.random.default_rng([seed, 44]).permutation(len(vectors))
    unit = _unit(vectors)
    anchors = unit[rows[:ANCHORS]]
    # Rows beyond the anchors stand for prompts to come; a short history's anchors do it for each other.
    others = unit[rows[ANCHORS : 9 * ANCHORS]]
    near = (others @ anchors.T).max(axis=1) if len(others) >= ANCHORS else _to_the_next(anchors)
    reach = float(np.quantile(1.0 - near, REACH_SHARE)) if len(near) else 0.0
    count = np.maximum(np.isfinite(score).sum(axis=0), 1)
    least = np.sqrt(_WIDEST_VARIANCE / (count + 1.0) / count)
    return Familiar(anchors, max(reach, _SAME), _scatter(score), least)


def _to_the_next(anchors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The likeness of each anchor to the nearest other one, none for a single one."""
    if len(anchors) < 2:
        return np.empty(0, np.float32)
    alike = anchors @ anchors.T
    np.fill_diagonal(alike, -1.0)
    return np.asarray(alike.max(axis=1), np.float32)


def _scatter(score: Floats) -> Floats:
    known = np.isfinite(score)
    count = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, score, 0.0)
    variance = np.maximum((filled**2).sum(axis=0) / count - (filled.sum(axis=0) / count) ** 2, 0.0)
    return np.asarray(np.sqrt((variance * count + _WIDEST_VARIANCE) / (count + 1.0)), np.float64)


def _unit(vectors: Vectors) -> NDArray[np.float32]:
    given = np.asarray(vectors, np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", given, given))[:, None]
    return np.asarray(given / np.maximum(length, np.float32(1e-9)), np.float32)
