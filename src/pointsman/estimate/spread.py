"""How far a quality estimate may be off because the history was this one and not another of its size.

`spread` is the standard error of the expectation under redrawn histories: the deviation that estimates of the same
prompt would show if the whole fit were repeated on fresh histories of equal length. It says nothing of the scatter
of single outcomes around the expectation, nor of what no estimator could see in the prompt.

It is measured: two fits on disjoint parts of the history answer for rows that neither saw; half their squared
difference is the error variance at that part's length. Variance is taken to fall with the square root of the length,
because a fit that chooses its own complexity spends new rows on detail as well as on steadiness (measured on four
real sets, docs/decisions/0002-estimator.md; with 1 / length the spread came out a fifth too small). The measured
variances are explained by the outcome's own variance and by how remote the prompt is, with two weights fitted by
non-negative least squares, so that the spread of a new prompt costs next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from pointsman.records import Floats

_LEAST_VARIANCE = 0.01


@dataclass(frozen=True)
class Spread:
    """Fitted weights of the error variance.

    Attributes:
        plain, remote: variance per outcome variance, and more of it per unit of remoteness.
        models: float [M], the outcome variance of each model relative to q (1 − q).
    """

    plain: float
    remote: float
    models: Floats

    def of(self, quality: Floats, remoteness: Floats) -> Floats:
        """Standard errors [Q, M] for expected qualities [Q, M] and remoteness [Q]."""
        variance = _outcome_variance(quality) * self.models
        return np.sqrt(variance * (self.plain + self.remote * remoteness)[:, None])


def _outcome_variance(quality: Floats) -> Floats:
    return np.maximum(quality * (1.0 - quality), _LEAST_VARIANCE)


def relative_variance(score: Floats, held_out: Floats) -> Floats:
    """Each model's mean squared error over the mean of q (1 − q), float [M]; 1 for well-calibrated 0/1 scores.

    Drawn towards the mean over the models as if that had been seen on ten rows.
    """
    known = np.isfinite(score)
    error = np.where(known, (score - held_out) ** 2, 0.0).sum(axis=0)
    variance = np.where(known, _outcome_variance(held_out), 0.0).sum(axis=0)
    overall = error.sum() / variance.sum()
    ten_rows = 10.0 * _outcome_variance(held_out).mean()
    return np.asarray((error + ten_rows * overall) / (variance + ten_rows), np.float64)


def fit_spread(models: Floats, first: Floats, second: Floats, remoteness: Floats, share: float) -> Spread:
    """Weights from two independent estimates of the same rows.

    Args:
        models: as `relative_variance`.
        first, second: float [N, M], estimates by fits on disjoint parts of the history that saw none of these rows.
        remoteness: float [N].
        share: length of one part over the length of the history.
    """
    measured = (first - second) ** 2 / 2.0 * np.sqrt(share)
    unit = _outcome_variance((first + second) / 2.0) * models
    relative = (measured / unit).mean(axis=1)
    plain, remote = nnls(np.column_stack([np.ones(len(relative)), remoteness]), relative)[0]
    return Spread(float(plain), float(remote), models)


def plain_spread(models: Floats, rows: int) -> Spread:
    """What holds for a mean of `rows` outcomes, where the history is too short to measure."""
    return Spread(1.0 / max(rows, 1), 0.0, models)
