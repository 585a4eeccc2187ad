"""How long an answer may get, as a multiple of how long it is expected to be.

Money is held for an answer before its length is known. Takes the lengths that a history recorded and what a fit that
didn't see them expected, gives one factor a model: with the chance asked for, no answer is longer than the factor
times its expectation. That is split conformal prediction (Papadopoulos et al., 2002) with the relative error as score:
it holds for any estimator and any distribution of lengths, as long as new prompts are like the history's. It says
nothing about prompts unlike them, and it is no bound: what is longer is booked as an overrun.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pointsman.errors import InputError
from pointsman.records import Floats, Ints

DEFAULT_FACTOR = 4.0  # lengths are about lognormal, and no lognormal's 95 % point is over 3.9 times its mean
_PRIOR_ROWS = 50.0  # a model's own quantile counts half at as many rows
_LEAST_TOKENS = 1.0


@dataclass(frozen=True)
class Lengths:
    """Factors by model; see `fit_lengths`.

    Attributes:
        factor: float [M], at least above zero.
    """

    factor: Floats

    def ceiling(self, output_tokens: Floats) -> Floats:
        """Output tokens [Q, M] that answers of these expected lengths seldom exceed."""
        return np.maximum(output_tokens, _LEAST_TOKENS) * self.factor

    def over(self, column: Ints, default: float = DEFAULT_FACTOR) -> Lengths:
        """The factors of other models, by their columns here; `default` where a column is -1."""
        if not (self.factor.size or (column < 0).all()):
            raise InputError("there are no factors", place="lengths", remedy="fit them, or use default_lengths")
        own = self.factor.take(np.maximum(column, 0)) if self.factor.size else default
        return Lengths(np.where(column >= 0, own, default))


def default_lengths(models: int) -> Lengths:
    """The factors of models whose answers were never seen."""
    return Lengths(np.full(models, DEFAULT_FACTOR))


def fit_lengths(recorded: Floats, expected: Floats, *, quantile: float = 0.95) -> Lengths:
    """Factors from a history.

    A model's own quantile is drawn, in logarithms, towards that of all models together, half way at 50 rows; a model
    with too few rows to have that quantile at all takes the common one.

    Args:
        recorded: float [H, M], output tokens, NaN where missing.
        expected: float [H, M], what was expected of the same answers by a fit that didn't see them.
        quantile: the chance, in (0, 1), that an answer is no longer than its ceiling.

    Raises:
        InputError: a quantile outside (0, 1), or tables of different shapes.
    """
    if not 0.0 < quantile < 1.0:
        raise InputError(f"quantile is {quantile}", place="lengths", remedy="give a number between 0 and 1")
    if recorded.shape != expected.shape:
        raise InputError(f"{recorded.shape} lengths, {expected.shape} expectations", place="lengths")
    ratio = np.maximum(recorded, _LEAST_TOKENS) / np.maximum(expected, _LEAST_TOKENS)
    common = _conformal(ratio[np.isfinite(ratio)], quantile) or DEFAULT_FACTOR
    return Lengths(np.array([_of_model(column, common, quantile) for column in ratio.T], dtype=np.float64))


def _of_model(ratio: Floats, common: float, quantile: float) -> float:
    known = ratio[np.isfinite(ratio)]
    own = _conformal(known, quantile)
    if own is None:
        return common
    weight = len(known) / (len(known) + _PRIOR_ROWS)
    return math.exp(weight * math.log(own) + (1.0 - weight) * math.log(common))


def _conformal(ratio: Floats, quantile: float) -> float | None:
    """The ⌈(n + 1) · quantile⌉-th smallest, than which the next is no larger with at least that chance; else None."""
    rank = math.ceil((len(ratio) + 1) * quantile)
    return float(np.partition(ratio, rank - 1)[rank - 1]) if rank <= len(ratio) else None
