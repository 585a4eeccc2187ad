"""Do estimates mean what they say? Reliability tables and expected calibration error.

Pure functions over arrays: predictions on held-out rows and what was observed, NaN where nothing was. Plots are drawn
elsewhere. Whether estimates are *sharp* is another question: the mean is perfectly calibrated and useless.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointsman.errors import InputError
from pointsman.records import Floats, Ints

BINS = 10


@dataclass(frozen=True)
class Reliability:
    """One row a bin, of rising prediction; bins of equal width over [0, 1].

    Attributes:
        predicted: float [B], mean prediction, NaN in an empty bin.
        observed: float [B], mean outcome, NaN in an empty bin.
        count: int [B], cells.
    """

    predicted: Floats
    observed: Floats
    count: Ints

    @property
    def error(self) -> float:
        """Expected calibration error: the mean over cells of |predicted − observed| of their bin (NaN if none)."""
        if self.count.sum() == 0:
            return float("nan")
        gap = np.where(self.count > 0, np.abs(self.predicted - self.observed), 0.0)
        return float((gap * self.count).sum() / self.count.sum())


@dataclass(frozen=True)
class Calibration:
    """Reliability over all cells, and of each model in the order of the columns."""

    overall: Reliability
    models: tuple[Reliability, ...]


def reliability(predicted: Floats, observed: Floats, bins: int = BINS) -> Reliability:
    """Bin predictions and compare their means with those of the outcomes.

    Args:
        predicted: floats of any shape, within [0, 1].
        observed: the same shape, NaN where missing; such cells count nowhere.
        bins: how many, of equal width; a prediction of 1 belongs to the last.

    Raises:
        InputError: shapes differ or there is no bin.
    """
    if predicted.shape != observed.shape:
        raise InputError(
            f"predictions have shape {predicted.shape}, outcomes {observed.shape}",
            place="calibration",
            remedy="pass both for the same rows and models",
        )
    if bins < 1:
        raise InputError(f"bins is {bins}", place="calibration", remedy="use at least one")
    known = np.isfinite(observed) & np.isfinite(predicted)
    p, y = predicted[known], observed[known]
    index = np.clip((p * bins).astype(np.int64), 0, bins - 1)
    count = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(index, weights=values, minlength=bins) / count for values in (p, y)]
    return Reliability(means[0], means[1], count)


def calibration(predicted: Floats, observed: Floats, bins: int = BINS) -> Calibration:
    """Reliability overall and per model of predictions [Q, M]; see `reliability`."""
    each = tuple(reliability(predicted[:, m], observed[:, m], bins) for m in range(predicted.shape[1]))
    return Calibration(reliability(predicted, observed, bins), each)
