"""A policy's value from somebody else's log: direct, by inverse propensity, and doubly robust.

For a query x that the log sent to model a with probability p(a | x) and that scored r, a policy that sends it to π(x):

    direct   mean of q̂(x, π(x))
    IPS      mean of w r,  w = 1[π(x) = a] / p(a | x)                      (Horvitz & Thompson 1952)
    SNIPS    share served × Σ w r / Σ w                                      (Swaminathan & Joachims 2015)
    DR       mean of q̂(x, π(x)) + mean of w (r − q̂(x, a))                   (Dudík, Langford & Li 2011)

with q̂ an estimate that didn't see the query. Weights above a limit are cut to it (Ionides 2008), which biases what it
touches; how many is told. A row whose propensity nobody knows (a client named the model, a fallback answered) stays in
the traffic and weighs nothing: where exploration alone could have served it so, that loses precision and no truth.
Means of scores are over queries with a score: that some get feedback and others don't is taken to be chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointsman.evaluate.offpolicy.intervals import LEVEL, REPEATS, Estimate, resampled
from pointsman.records import Floats, Mask

CLIP = 100.0


@dataclass(frozen=True, slots=True)
class Judged:
    """N logged queries, and what a policy would have done with each.

    Attributes:
        score: float [N] in [0, 1], of the model that answered; NaN where there is no score.
        propensity: float [N] in (0, 1], with which it was chosen; NaN where nobody knows.
        same: bool [N], the policy would have chosen the same model.
        declined: bool [N], it would have served nobody.
        expected: float [N], expected score of the policy's choice; 0 where it declines.
        expected_there: float [N], expected score of the model that answered.
    """

    score: Floats
    propensity: Floats
    same: Mask
    declined: Mask
    expected: Floats
    expected_there: Floats


@dataclass(frozen=True, slots=True)
class OffPolicy:
    """A policy's mean score a query, by each way, with intervals."""

    direct: Estimate
    ips: Estimate
    snips: Estimate
    robust: Estimate


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What there is to know it from.

    Attributes:
        queries: N.
        scored: of them with a score.
        without_propensity: of the scored ones, those whose propensity nobody knows.
        matched: of the scored ones with a propensity, those where the policy would have done the same.
        unsupported: of all queries that the policy serves, those whose choice the log can't have shown: another model
            than the one that was certain, or nobody knows.
        effective: how many equally weighted queries the weights are worth, (Σw)² / Σw².
        mean_weight: over the scored queries; about the share that the policy serves, if chance could have served all.
        largest_weight: before the cut.
        clipped: weights that were cut.
    """

    queries: int
    scored: int
    without_propensity: int
    matched: int
    unsupported: int
    effective: float
    mean_weight: float
    largest_weight: float
    clipped: int


def weights_of(judged: Judged) -> Floats:
    """1[same] / propensity, float [N]; zero without a score or a propensity."""
    usable = judged.same & ~judged.declined & np.isfinite(judged.score) & np.isfinite(judged.propensity)
    return np.where(usable, 1.0 / np.where(usable, judged.propensity, 1.0), 0.0)


def value_of(
    judged: Judged, *, clip: float = CLIP, repeats: int = REPEATS, level: float = LEVEL, seed: int = 0
) -> OffPolicy:
    """Every estimate of the policy's mean score a query.

    Args:
        clip: weights are cut to it.
        repeats, level, seed: of the intervals; see `resampled`.
    """
    scored = np.isfinite(judged.score)
    weight = np.minimum(weights_of(judged), clip)
    reward = np.where(scored, judged.score, 0.0)
    off = np.where(scored, judged.score - judged.expected_there, 0.0)
    columns = np.stack(
        [scored, weight, weight * reward, weight * off, judged.expected, ~judged.declined], axis=1
    ).astype(np.float64)
    found = resampled(columns, _values, repeats=repeats, level=level, seed=seed)
    return OffPolicy(*found)


def _values(means: Floats) -> Floats:
    """Direct, IPS, SNIPS and DR from means [R, 6]."""
    scored, weight, weighted, corrected, expected, served = means.T
    with np.errstate(divide="ignore", invalid="ignore"):
        # Without one weight above zero nothing was seen: no estimate but the model's.
        seen = np.where(weight > 0.0, 1.0, np.nan)
        ips = seen * weighted / scored
        snips = seen * served * weighted / weight
        robust = seen * (expected + corrected / scored)
    return np.stack([expected, ips, snips, robust], axis=1)


def known_of(judged: Judged, *, clip: float = CLIP) -> Knowledge:
    """What the estimates rest on."""
    scored, told = np.isfinite(judged.score), np.isfinite(judged.propensity)
    weight = weights_of(judged)
    cut = np.minimum(weight, clip)
    certain = np.where(told, judged.propensity, 1.0) >= 1.0
    blind = ~judged.declined & (~told | (certain & ~judged.same))
    squares = float((cut**2).sum())
    return Knowledge(
        queries=len(scored),
        scored=int(scored.sum()),
        without_propensity=int((scored & ~told).sum()),
        matched=int((weight > 0).sum()),
        unsupported=int(blind.sum()),
        effective=float(cut.sum()) ** 2 / squares if squares else 0.0,
        mean_weight=float(cut.sum() / scored.sum()) if scored.any() else float("nan"),
        largest_weight=float(weight.max(initial=0.0)),
        clipped=int((weight > clip).sum()),
    )
