"""What a new model's answers will cost, from a few of them.

Its rates are read off the probes (`cost.infer_tariff`); how long it answers follows from its mean length and from how
long the known models' answers to the prompt are against theirs to others, with a slope drawn towards one. Where the
rates don't explain its costs, what is left of the cost after the input side is treated like a length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointsman.estimate.cost import CostTargets, cost_targets
from pointsman.records import Floats, Outcomes

_SLOPE_VARIANCE = 0.25  # how far a model's slope may be from one, as a prior variance


@dataclass(frozen=True)
class Lengths:
    """Expected targets of a model: level + slope × (relative length of the prompt's answers − 1).

    Attributes:
        targets: what is learned of the costs, and the rates for the rest.
        level, slope: float [K], one a target.
    """

    targets: CostTargets
    level: Floats
    slope: Floats

    def to_money(self, relative_length: Floats, input_tokens: Floats) -> tuple[Floats, Floats]:
        """Expected cost in USD and expected input plus output tokens, each [Q, N].

        Args:
            relative_length: float [Q], expected lengths of the known models' answers over their mean.
            input_tokens: float [Q].
        """
        expected = self.level + np.multiply.outer(relative_length - 1.0, self.slope)
        return self.targets.to_money(expected, input_tokens)


def fit_lengths(asked: Outcomes, relative_length: Floats) -> Lengths:
    """From the outcomes [n, N] of probes and the relative lengths [n] expected there; missing cells are left out."""
    targets = cost_targets(asked)
    away = relative_length - 1.0
    fitted = [_line(away, targets.values[:, k]) for k in range(targets.values.shape[1])]
    level, slope = np.array(fitted, dtype=np.float64).reshape(-1, 2).T
    return Lengths(targets, level, slope)


def _line(away: Floats, value: Floats) -> tuple[float, float]:
    """Level at the mean length, and slope; a target without a value is taken for an average one."""
    known = np.isfinite(value)
    if not known.any():
        return 1.0, 1.0
    x, y = away[known], value[known]
    mean = float(y.mean())
    centred = x - x.mean()
    # The slope is in units of the target's mean, which is one unless the target is zero throughout.
    left = y - mean - mean * centred
    noise = max(float(left @ left) / len(y), 1e-9)
    more = float(centred @ left) / (float(centred @ centred) + noise / _SLOPE_VARIANCE)
    slope = mean + more
    return mean - slope * float(x.mean()), slope
