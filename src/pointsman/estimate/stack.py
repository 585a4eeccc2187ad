"""How far to trust each member of a blend: non-negative weights, direction by direction.

Models fail together, so scores are turned to their principal directions across models first: the leading one is how
hard a prompt is for everyone and can be learned well, the last ones are one model's whims and mostly noise. Each
direction gets its own non-negative weights on the members' cross-fitted predictions, drawn towards one common set of
weights as if that had been seen on `PRIOR_ROWS` rows. Weights below one shrink: the result is a conditional mean, which
is what a router that maximises over models needs (no winner's curse). Takes and gives arrays of deviations from the
means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from pointsman.records import Floats

PRIOR_ROWS = 300.0


@dataclass(frozen=True)
class Stack:
    """Weights of J members.

    Attributes:
        mixing: float [J, K, K]: the blend is Σ_j member_j @ mixing[j].
        weights: float [J, K], of each direction, strongest direction first.
        common: float [J], what the weights are drawn towards.
    """

    mixing: Floats
    weights: Floats
    common: Floats

    def blend(self, members: Sequence[Floats]) -> Floats:
        """The blend [Q, K] of the members' predictions, J times [Q, K]."""
        return np.asarray(sum(member @ mix for member, mix in zip(members, self.mixing, strict=True)), np.float64)


def fit_stack(outputs: Floats, members: Sequence[Floats]) -> Stack:
    """Weights that explain `outputs` best, by least squares.

    Args:
        outputs: float [N, K], deviations from the means, NaN where missing.
        members: J predictions of them, float [N, K] each, none of which saw its own row.
    """
    # A missing cell is filled with what the members say on average, and so moves no weight away from them.
    filled = np.where(np.isfinite(outputs), outputs, np.mean(members, axis=0))
    basis = _directions(filled)
    target, turned = filled @ basis, [member @ basis for member in members]
    common = nnls(np.column_stack([t.ravel() for t in turned]), target.ravel())[0]
    weights = np.column_stack(
        [_drawn(np.column_stack([t[:, d] for t in turned]), target[:, d], common) for d in range(basis.shape[1])]
    )
    return Stack(np.stack([(basis * w) @ basis.T for w in weights]), weights, common)


def _directions(filled: Floats) -> Floats:
    """Principal directions across the outputs, [K, K], strongest first."""
    centred = filled - filled.mean(axis=0)
    _, basis = np.linalg.eigh(centred.T @ centred)
    return np.ascontiguousarray(basis[:, ::-1])


def _drawn(turned: Floats, target: Floats, common: Floats) -> Floats:
    """Non-negative least squares with `PRIOR_ROWS` imagined rows on which the common weights are right."""
    size = np.sqrt(PRIOR_ROWS * np.mean(turned**2, axis=0)) + 1e-9
    prior = np.diag(size)
    return np.asarray(nnls(np.vstack([turned, prior]), np.concatenate([target, size * common]))[0], np.float64)
