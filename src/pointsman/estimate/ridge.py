"""Ridge regression of many outputs at once on one dense design, with missing cells.

One eigendecomposition of the Gram matrix serves every penalty and every output; leave-one-out errors are in closed
form, so each output picks its own penalty without refitting. Missing cells (NaN) are filled by the current fit and
the fit repeated: the fixed point is the ridge on the observed cells alone, and stopping early leaves an output with
few cells near its mean, which is where it belongs. Takes and gives arrays; knows nothing of texts or models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.records import Floats

PENALTIES: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0)
_ROUNDS = 8


@dataclass(frozen=True)
class Ridge:
    """A fitted linear map: `design @ weights + offset`.

    Attributes:
        weights: float [D, K].
        offset: float [K].
        penalty: float [K], the penalty each output chose, as a multiple of the rows.
    """

    weights: Floats
    offset: Floats
    penalty: Floats

    def predict(self, design: NDArray[np.floating]) -> Floats:
        """Expected outputs, float [Q, K], for a design [Q, D]."""
        return np.asarray(design @ self.weights + self.offset, np.float64)


def fit_ridge(
    design: NDArray[np.floating], outputs: Floats, penalties: tuple[float, ...] = PENALTIES
) -> tuple[Ridge, Floats]:
    """Fit `outputs` on `design`, minimising Σ (y − x·w − b)² + penalty · N · |w|² for each output.

    Args:
        design: [N, D], columns of comparable scale; an intercept is added and not penalised.
        outputs: [N, K], NaN where missing; every column has at least one value.
        penalties: candidates; each output takes the one with the least leave-one-out squared error.

    Returns:
        The map, and the leave-one-out predictions [N, K] (given the filled cells).
    """
    centre = design.mean(axis=0, dtype=np.float64)
    X = np.asarray(design, np.float64) - centre
    known = np.isfinite(outputs)
    filled = np.where(known, outputs, _column_means(outputs, known))
    values, basis = np.linalg.eigh(X.T @ X)
    scores = X @ basis
    rounds = 1 if known.all() else _ROUNDS
    for _ in range(rounds):
        beta, leave_one_out, penalty = _solve(scores, values, filled, known, penalties)
        filled = np.where(known, outputs, scores @ beta + filled.mean(axis=0))
    weights = basis @ beta
    offset = filled.mean(axis=0) - centre @ weights
    return Ridge(weights, offset, penalty), leave_one_out


def _column_means(outputs: Floats, known: NDArray[np.bool_]) -> Floats:
    return np.asarray(np.where(known, outputs, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1), np.float64)


def _solve(
    scores: Floats, values: Floats, outputs: Floats, known: NDArray[np.bool_], penalties: tuple[float, ...]
) -> tuple[Floats, Floats, Floats]:
    """Best penalty, coefficients in the eigenbasis [D, K] and leave-one-out predictions [N, K], output by output."""
    n, k = outputs.shape
    mean = outputs.mean(axis=0)
    moments = scores.T @ (outputs - mean)
    squares = scores**2
    best = np.full(k, np.inf)
    beta, left_out, chosen = np.zeros(moments.shape), np.tile(mean, (n, 1)), np.full(k, np.inf)
    for penalty in penalties:
        inverse = 1.0 / (np.maximum(values, 0.0) + penalty * n)
        candidate = moments * inverse[:, None]
        leverage = np.minimum(squares @ inverse + 1.0 / n, 1.0 - 1e-9)[:, None]
        fitted = scores @ candidate + mean
        loo = (fitted - leverage * outputs) / (1.0 - leverage)
        error = np.where(known, (outputs - loo) ** 2, 0.0).sum(axis=0)
        better = error < best
        best = np.where(better, error, best)
        beta[:, better], left_out[:, better], chosen[better] = candidate[:, better], loo[:, better], penalty
    return beta, left_out, chosen
