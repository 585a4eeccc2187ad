"""A new model's mean over its probes: what UniRoute calls the zero router, and the ground the others stand on.

`place_means` gives every prompt the same estimate, so that deferral between two models is a matter of cost alone
(arXiv 2502.08773, the ZeroRouter; K-means with K = 1). The means over groups of probes, which clusters and neighbours
are made of, and the constant cost of a model are worked out here too. Missing cells are left out of every mean. The
prompt is never looked at; nothing is learned from other models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from pointsman.errors import InputError
from pointsman.estimate.unseen.place import Probes
from pointsman.records import Estimates, Floats, Outcomes, Prompts

_WIDEST_VARIANCE = 0.25  # of a score in [0, 1]


@dataclass(frozen=True)
class Means:
    """The same estimate for every prompt; see `place_means`.

    Attributes:
        models: ids of the N models.
        quality: float [N], mean score.
        spread: float [N], its standard error, see `group_means`.
        cost_usd: float [N], mean cost.
        tokens: float [N], mean input plus output tokens.
    """

    models: tuple[str, ...]
    quality: Floats
    spread: Floats
    cost_usd: Floats
    tokens: Floats

    def estimate(self, prompts: Prompts) -> Estimates:
        """The means, once a prompt, each [Q, N]."""
        rows = len(prompts)
        return self.with_quality(np.tile(self.quality, (rows, 1)), np.tile(self.spread, (rows, 1)))

    def with_quality(self, quality: Floats, spread: Floats) -> Estimates:
        """Estimates [Q, N] of which only the costs are these means."""
        rows = len(quality)
        return Estimates(quality, np.tile(self.cost_usd, (rows, 1)), np.tile(self.tokens, (rows, 1)), spread)


def place_means(probes: Probes) -> Means:
    """Each asked model's means over the probes that it was asked.

    Where the answer's length wasn't recorded, an answer counts as its input tokens alone.

    Raises:
        InputError: a model without a single recorded cost.
    """
    asked = probes.asked
    quality, spread = group_means(np.ones((1, len(probes))), asked.score)
    return Means(asked.models, quality[0], spread[0], _mean_cost(asked), _mean_tokens(asked))


def group_means(groups: csr_array | Floats, score: Floats) -> tuple[Floats, Floats]:
    """Mean score of each model over each group of rows, and the standard error of that mean.

    A group in which a model has no score falls back on the model's mean over all rows, with that mean's error (the
    paper doesn't say what to do). The error of a mean over n scores of variance v is √((v + ¼ / (n + 1)) / (n + 1)):
    as if one more score of the widest possible variance had been seen, so that one score, or equal ones, never look
    certain. It is at most ½.

    Args:
        groups: 0/1 [G, n], which rows are in which group.
        score: float [n, N], NaN where missing.

    Returns:
        mean and error, float [G, N]; NaN and ½ for a model without any score.
    """
    known = np.isfinite(score)
    filled = np.where(known, score, 0.0)
    count, total, squares = groups @ known.astype(np.float64), groups @ filled, groups @ filled**2
    empty = count == 0
    count = np.where(empty, known.sum(axis=0), count)
    total = np.where(empty, filled.sum(axis=0), total)
    squares = np.where(empty, (filled**2).sum(axis=0), squares)
    mean = np.where(count > 0, np.clip(total / np.maximum(count, 1.0), 0.0, 1.0), np.nan)
    variance = np.maximum(squares / np.maximum(count, 1.0) - np.where(count > 0, mean, 0.0) ** 2, 0.0)
    return mean, np.sqrt((variance + _WIDEST_VARIANCE / (count + 1.0)) / (count + 1.0))


def _mean_cost(asked: Outcomes) -> Floats:
    known = np.isfinite(asked.cost_usd)
    if not known.any(axis=0).all():
        raise InputError(
            f"model {asked.models[int(known.any(axis=0).argmin())]!r} has no cost on any of {len(asked)} probes",
            place="probes",
            remedy="record what at least one of its answers cost, 0 if it was free",
        )
    return np.asarray(np.where(known, asked.cost_usd, 0.0).sum(axis=0) / known.sum(axis=0), np.float64)


def _mean_tokens(asked: Outcomes) -> Floats:
    """Mean tokens over the probes with any record of the model (there is one, or its cost would have been refused)."""
    seen = np.isfinite(asked.score) | np.isfinite(asked.cost_usd) | np.isfinite(asked.output_tokens)
    tokens = asked.input_tokens[:, None] + np.nan_to_num(asked.output_tokens, nan=0.0)
    return np.asarray(np.where(seen, tokens, 0.0).sum(axis=0) / seen.sum(axis=0), np.float64)
