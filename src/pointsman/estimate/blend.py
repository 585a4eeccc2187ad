"""The project's own estimator: cheap learned maps from a prompt's vector and surface to quality and cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.estimate.cost import CostTargets, cost_targets
from pointsman.estimate.features import surface
from pointsman.estimate.fitted import Fitted, check_history, check_width
from pointsman.estimate.ridge import Ridge, fit_ridge
from pointsman.records import Estimates, Floats, Outcomes, Prompts


@dataclass(frozen=True)
class Blend:
    """A fitted blend; see `fit_blend`."""

    models: tuple[str, ...]
    width: int
    centre: Floats
    scale: Floats
    quality: Ridge
    cost: Ridge
    targets: CostTargets
    error: Floats

    def estimate(self, prompts: Prompts) -> Estimates:
        """Quality, cost, tokens and spread of Q prompts, each [Q, M]."""
        check_width(prompts.vectors.shape[1], self.width)
        design = _design(prompts, self.centre, self.scale)
        return _assemble(
            self.quality.predict(design), self.cost.predict(design), self.targets, self.error, prompts.input_tokens
        )


def _raw(prompts: Prompts) -> NDArray[np.float32]:
    return np.hstack([prompts.vectors, surface(prompts.texts)])


def _design(prompts: Prompts, centre: Floats, scale: Floats) -> Floats:
    return np.asarray((_raw(prompts) - centre) * scale, np.float64)


def _assemble(
    quality: Floats, cost: Floats, targets: CostTargets, error: Floats, input_tokens: Floats
) -> Estimates:
    cost_usd, tokens = targets.to_money(cost, input_tokens)
    q = np.clip(quality, 0.0, 1.0)
    return Estimates(q, cost_usd, tokens, np.broadcast_to(error, q.shape).copy())


def fit_blend(history: Outcomes, prompts: Prompts, *, seed: int = 0) -> Fitted:
    """Fit on a history; see the module."""
    check_history(history, prompts)
    raw = _raw(prompts)
    width = prompts.vectors.shape[1]
    centre = raw.mean(axis=0, dtype=np.float64)
    deviation = raw.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > 1e-6, 1.0 / np.maximum(deviation, 1e-6), 0.0)
    scale[:width] = np.sqrt(width)
    design = _design(prompts, centre, scale)
    targets = cost_targets(history)
    quality, quality_out = fit_ridge(design, history.score)
    cost, cost_out = fit_ridge(design, targets.values)
    error = np.sqrt(np.nanmean((history.score - quality_out) ** 2, axis=0) / np.sqrt(len(history)))
    fitted = Blend(history.models, width, centre, scale, quality, cost, targets, error)
    return Fitted(fitted, _assemble(quality_out, cost_out, targets, error, prompts.input_tokens))
