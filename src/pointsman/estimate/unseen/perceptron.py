"""The MLP baseline of UniRoute (arXiv 2502.08773): one hidden layer, one sigmoid output a model, log loss.

The models it speaks of must be in what it is fitted on: it can't place a new one. Fitted on a new model's probes it is
the paper's "retrained" baseline, with the new models' labels on all training prompts its "clairvoyant" one; the same
function serves both. Sizes are ours (the paper's aren't known to us). See `logistic` for the fit.
"""

from __future__ import annotations

import numpy as np

from pointsman.estimate.unseen.adam import Arrays
from pointsman.estimate.unseen.logistic import Cells, FittedNet, fitted_net
from pointsman.records import Floats, Outcomes, Prompts

HIDDEN = 64
WEIGHT_DECAY = 1.0


class HiddenLayer:
    """max(0, x A + a) B + b: A [D, H], a [H], B [H, N], b [N]."""

    weight_decay = (WEIGHT_DECAY, 0.0, WEIGHT_DECAY, 0.0)

    def start(self, width: int, base: Floats, rng: np.random.Generator) -> Arrays:
        """B starts at zero, so that the outputs start at `base`; A as He et al. (2015) say."""
        inner = (rng.standard_normal((width, HIDDEN)) * np.sqrt(2.0 / width)).astype(np.float32)
        zeros = np.zeros(HIDDEN, np.float32)
        return inner, zeros, np.zeros((HIDDEN, len(base)), np.float32), base.astype(np.float32)

    def logits(self, parameters: Arrays, design: Cells) -> Cells:
        """[Q, N] from a design [Q, D]."""
        inner, inner_offset, outer, offset = parameters
        return np.asarray(np.maximum(design @ inner + inner_offset, 0.0) @ outer + offset)

    def slopes(self, parameters: Arrays, design: Cells, towards: Cells) -> Arrays:
        """The loss's slopes in A, a, B, b from those in the logits."""
        inner, inner_offset, outer, _ = parameters
        hidden = np.maximum(design @ inner + inner_offset, 0.0)
        back = (towards @ outer.T) * (hidden > 0.0)
        return design.T @ back, back.sum(axis=0), hidden.T @ towards, towards.sum(axis=0)


def fit_perceptron(outcomes: Outcomes, prompts: Prompts, seed: int) -> FittedNet:
    """The baseline fitted on n outcomes of N models: from a handful of probes to a whole history.

    Args:
        outcomes: scores in [0, 1], NaN where missing.
        prompts: the same n prompts.
        seed: of every draw; the same seed gives the same net.

    Raises:
        InputError: outcomes that nothing can be learned from, or a model without a score or a cost.
    """
    return fitted_net(HiddenLayer(), outcomes, prompts, seed)
