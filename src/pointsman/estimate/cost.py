"""Money per token, learned from an outcome log, and the expected cost of a new prompt.

The input side of a cost is known before routing (tokens × rate); only the answer's length is uncertain. A model's
rates are not in the log, so they are inferred by a robust non-negative regression of cost on input and output tokens.
Where that explains the recorded costs (nearly) exactly, the cost of a new prompt is `input tokens × input rate +
expected output tokens × output rate`, and exact when there is no output. Where it doesn't (another tokenizer, a fixed
prefix, a surcharge), what remains after the input side is regressed like an answer length. All expectations are
conditional means: budgets add costs up, so a median would be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from pointsman.records import Floats, Outcomes

_TRIMS = 4
EXACT_WITHIN = 0.02
EXACT_SHARE = 0.97


@dataclass(frozen=True)
class Tariff:
    """Inferred rates, one entry a model.

    Attributes:
        input_usd: float [M], USD per input token, at least zero.
        output_usd: float [M], USD per output token, at least zero.
        exact: bool [M], True where these rates explain at least 97 % of the recorded costs to within 2 %.
    """

    input_usd: Floats
    output_usd: Floats
    exact: NDArray[np.bool_]

    def cost(self, input_tokens: Floats, output_tokens: Floats) -> Floats:
        """USD [Q, M] for input tokens [Q] and output tokens [Q, M]."""
        return input_tokens[:, None] * self.input_usd + output_tokens * self.output_usd


def infer_tariff(history: Outcomes) -> Tariff:
    """The rates that best explain the costs in `history`, model by model, ignoring missing cells."""
    rates = np.array(
        [
            _rates_of_one(history.input_tokens, history.output_tokens[:, m], history.cost_usd[:, m])
            for m in range(len(history.models))
        ]
    )
    return Tariff(rates[:, 0], rates[:, 1], rates[:, 2] > 0.5)


def _rates_of_one(input_tokens: Floats, output_tokens: Floats, cost_usd: Floats) -> tuple[float, float, float]:
    """Input rate, output rate, and 1.0 if they explain the costs exactly enough."""
    known = np.isfinite(cost_usd) & np.isfinite(output_tokens) & np.isfinite(input_tokens)
    if not known.any():
        return 0.0, 0.0, 0.0
    tokens = np.column_stack([input_tokens[known], output_tokens[known]])
    cost = cost_usd[known]
    rates = _trimmed_nnls(tokens, cost)
    error = np.abs(tokens @ rates - cost)
    exact = (error <= EXACT_WITHIN * np.maximum(cost, 1e-15)).mean() >= EXACT_SHARE
    return float(rates[0]), float(rates[1]), float(exact)


def _trimmed_nnls(tokens: Floats, cost: Floats) -> Floats:
    """Non-negative least squares, refitted without the rows that the last fit left far out (6 median errors)."""
    kept = np.ones(len(cost), bool)
    scale = np.maximum(tokens.mean(axis=0), 1e-9)
    unit = max(float(cost.mean()), 1e-300)
    rates = np.zeros(2)
    for _ in range(_TRIMS):
        rates = nnls(tokens[kept] / scale, cost[kept] / unit)[0] * unit / scale
        error = np.abs(tokens @ rates - cost)
        kept = error <= max(6.0 * float(np.median(error)), 1e-9 * unit)
    return np.asarray(rates, np.float64)


@dataclass(frozen=True)
class CostTargets:
    """What is still to be learned about cost once rates and input tokens are known.

    Attributes:
        tariff: the inferred rates.
        scale: float [K], mean of each target, so that targets average one.
        values: float [H, K], the targets over their means: output tokens of every model, then, for the models
            whose tariff isn't exact, the cost left after the input side. NaN where missing.
        remainder: int [R], the models that have such a second target.
    """

    tariff: Tariff
    scale: Floats
    values: Floats
    remainder: NDArray[np.int64]

    def to_money(self, expected: Floats, input_tokens: Floats) -> tuple[Floats, Floats]:
        """Expected cost in USD and expected tokens, each [Q, M], from expected targets [Q, K] (floored at zero)."""
        m = len(self.tariff.input_usd)
        raw = np.maximum(expected, 0.0) * self.scale
        output = raw[:, :m]
        cost = self.tariff.cost(input_tokens, output)
        rest = raw[:, m:] + input_tokens[:, None] * self.tariff.input_usd[self.remainder]
        cost[:, self.remainder] = rest
        return cost, input_tokens[:, None] + output


def cost_targets(history: Outcomes) -> CostTargets:
    """The tariff of `history` and the targets that its rates leave open."""
    tariff = infer_tariff(history)
    remainder = np.flatnonzero(~tariff.exact)
    left = history.cost_usd[:, remainder] - history.input_tokens[:, None] * tariff.input_usd[remainder]
    targets = np.column_stack([history.output_tokens, left])
    scale = _scales(targets, len(history.models))
    return CostTargets(tariff, scale, targets / scale, remainder)


def _scales(targets: Floats, models: int) -> Floats:
    """The targets' means, 1 for one that is zero throughout.

    A model whose answers were never counted is taken for an average one, and adds nothing if no model's were.
    """
    known = np.isfinite(targets)
    mean = np.abs(np.where(known, targets, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
    seen = known[:, :models].any(axis=0)
    mean[:models][~seen] = mean[:models][seen].mean() if seen.any() else 0.0
    return np.where((mean > 0) | ~known.any(axis=0), mean, 1.0)
