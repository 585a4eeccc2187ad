"""A monotone last step that makes expected scores mean what they say.

A blend of linear maps and shrunken leaves is right on average and in slope, but where scores are highly predictable it
stays too far from 0 and 1. The correction compares held-out expectations with what was observed in twenty bins and
moves each bin part of the way, rising throughout, linear in between and parallel beyond. Where the blend is right
already it changes next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointsman.records import Floats

BINS = 20
PRIOR_ROWS = 20.0


@dataclass(frozen=True)
class Correction:
    """Knots of a rising, piecewise linear map from expected to corrected scores."""

    expected: Floats
    corrected: Floats

    def apply(self, quality: Floats) -> Floats:
        """Corrected scores within [0, 1], of any shape."""
        return np.clip(np.interp(quality, self.expected, self.corrected), 0.0, 1.0)


def fit_correction(held_out: Floats, score: Floats) -> Correction:
    """The map for expectations [N, M] that didn't see their own outcomes [N, M] (NaN where missing).

    Each bin is drawn towards no change as if `PRIOR_ROWS` rows of M cells in it had shown none.
    """
    known = np.isfinite(score)
    order = np.argsort(held_out[known], kind="stable")
    expected, observed = held_out[known][order], score[known][order]
    cuts = np.unique(np.linspace(0, len(expected), BINS + 1).astype(np.int64))
    size = np.diff(cuts)
    at = np.add.reduceat(expected, cuts[:-1]) / size
    gap = np.add.reduceat(observed, cuts[:-1]) / size - at
    to = np.maximum.accumulate(at + gap * size / (size + PRIOR_ROWS * score.shape[1]))
    # One knot at a distance on either side: beyond the outer bins the map runs parallel, so ranks are kept.
    return Correction(np.r_[at[0] - 9.0, at, at[-1] + 9.0], np.r_[to[0] - 9.0, to, to[-1] + 9.0])


def no_correction() -> Correction:
    """The map that changes nothing, for histories too short to judge by."""
    return Correction(np.array([-9.0, 9.0]), np.array([-9.0, 9.0]))
