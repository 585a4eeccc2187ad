"""The matrix factorisation baseline of RouteLLM (arXiv 2406.18665) and UniRoute (arXiv 2502.08773).

quality(x, h) = sigmoid(u(x)·v_h + b_h), u(x) = Aᵀx linear in the prompt's vector: a logistic regression for every
model whose weights, over all models, have rank `RANK` at most. RouteLLM fits it on which of two answers was preferred;
here it is the log loss of each score, as routing needs. A new model can't be placed: its labels must be in what is
fitted on, be it probes ("retrained") or all training prompts ("clairvoyant"). See `logistic` for the fit.
"""

from __future__ import annotations

import numpy as np

from pointsman.estimate.unseen.adam import Arrays
from pointsman.estimate.unseen.logistic import Cells, FittedNet, fitted_net
from pointsman.records import Floats, Outcomes, Prompts

RANK = 16
WEIGHT_DECAY = 1.0


class Factors:
    """(x A) V + b: A [D, R] of prompts, V [R, N] of models, b [N]."""

    weight_decay = (WEIGHT_DECAY, WEIGHT_DECAY, 0.0)

    def start(self, width: int, base: Floats, rng: np.random.Generator) -> Arrays:
        """V starts at zero, so that the outputs start at `base`; A is random, so that the factors differ."""
        inner = (rng.standard_normal((width, RANK)) * np.sqrt(1.0 / width)).astype(np.float32)
        return inner, np.zeros((RANK, len(base)), np.float32), base.astype(np.float32)

    def logits(self, parameters: Arrays, design: Cells) -> Cells:
        """[Q, N] from a design [Q, D]."""
        inner, outer, offset = parameters
        return np.asarray((design @ inner) @ outer + offset)

    def slopes(self, parameters: Arrays, design: Cells, towards: Cells) -> Arrays:
        """The loss's slopes in A, V, b from those in the logits."""
        inner, outer, _ = parameters
        return design.T @ (towards @ outer.T), (design @ inner).T @ towards, towards.sum(axis=0)


def fit_factorisation(outcomes: Outcomes, prompts: Prompts, seed: int) -> FittedNet:
    """The baseline fitted on n outcomes of N models: from a handful of probes to a whole history.

    Args:
        outcomes: scores in [0, 1], NaN where missing.
        prompts: the same n prompts.
        seed: of every draw; the same seed gives the same factors.

    Raises:
        InputError: outcomes that nothing can be learned from, or a model without a score or a cost.
    """
    return fitted_net(Factors(), outcomes, prompts, seed)
