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
    target, turned = filled @ basis, np.stack([member @ basis for member in members])
    grams = np.einsum("ind,jnd->dij", turned, turned, optimize=True)
    moments = np.einsum("ind,nd->di", turned, target, optimize=True)
    common = least_squares_above_zero(grams.sum(axis=0), moments.sum(axis=0))
    weights = np.column_stack(
        [_drawn(gram, moment, common, len(target)) for gram, moment in zip(grams, moments, strict=True)]
    )
    return Stack(np.stack([(basis * w) @ basis.T for w in weights]), weights, common)


def _directions(filled: Floats) -> Floats:
    """Principal directions across the outputs, [K, K], strongest first."""
    centred = filled - filled.mean(axis=0)
    _, basis = np.linalg.eigh(centred.T @ centred)
    return np.ascontiguousarray(basis[:, ::-1])


def _drawn(gram: Floats, moment: Floats, common: Floats, rows: int) -> Floats:
    """Weights of one direction, with `PRIOR_ROWS` imagined rows on which the common weights are right."""
    prior = np.diag(gram) * (PRIOR_ROWS / rows)
    return least_squares_above_zero(gram + np.diag(prior), moment + prior * common)


def least_squares_above_zero(gram: Floats, moment: Floats) -> Floats:
    """The w ≥ 0 [J] of least wᵀ·gram·w − 2·momentᵀ·w; directions that the data don't decide stay near zero."""
    slack = 1e-9 * np.trace(gram) + 1e-12
    root = np.linalg.cholesky(gram + slack * np.eye(len(gram)))
    return np.asarray(nnls(root.T, np.linalg.solve(root, moment))[0], np.float64)
