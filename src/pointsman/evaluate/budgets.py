"""How an experiment's money is split over the models (PORT, arXiv 2509.02718, experimental protocol).

The total is a factor times the true cost of sending every tested query to the cheapest model; the split's weights
come from the history's means alone.
"""

from __future__ import annotations

import re

import numpy as np

from pointsman.errors import InputError
from pointsman.records import Floats, Fund, Outcomes

SPLITS = ("weighted", "cost", "perf", "uniform", "random", "extreme")
SWEPT_SPLITS = ("weighted", "cost", "perf", "uniform", "random", *(f"extreme-{h}" for h in range(1, 6)))
POOL = "pool"


def check_split(split: str) -> str:
    """The split's name, if there is one.

    Raises:
        InputError: unknown; `extreme` alone means `extreme-1`, and `extreme-H` favours the H worst models.
    """
    if split in SPLITS or re.fullmatch(r"extreme-[1-9]\d*", split):
        return split
    raise InputError(f"split {split!r} is unknown", place="--split", remedy=f"use {', '.join(SPLITS)} or extreme-H")


def check_factor(factor: float) -> float:
    """The factor, if it is a finite number above zero.

    Raises:
        InputError: otherwise.
    """
    if not (np.isfinite(factor) and factor > 0):
        raise InputError(f"factor {factor} is not above zero", place="--factor", remedy="the paper uses 0.25 to 2")
    return factor


def total_budget(test: Outcomes, factor: float) -> float:
    """`factor` × the true cost in dollars of the model on which all tested queries together cost least."""
    return float(check_factor(factor) * np.nansum(test.cost_usd, axis=0).min())


def split_weights(split: str, history: Outcomes, rng: np.random.Generator) -> Floats:
    """Share [M] of the total for every model, summing to one.

    Args:
        split: see `SPLITS`; perf and cost are a model's mean score and mean cost in the history.
        rng: for `random`: U(5, 30) for each model, one draw an order.
    """
    perf = np.nanmean(history.score, axis=0)
    cost = np.maximum(np.nanmean(history.cost_usd, axis=0), 1e-12)
    kind, _, worst = check_split(split).partition("-")
    match kind:
        case "weighted":
            weights = np.sqrt(perf / cost)
        case "cost":
            weights = np.sqrt(1.0 / cost)
        case "perf":
            weights = perf
        case "uniform":
            weights = np.ones_like(perf)
        case "random":
            weights = rng.uniform(5.0, 30.0, size=perf.shape)
        case _:
            weights = _extreme(perf / cost, int(worst or 1))
    total = weights.sum()
    return np.asarray(weights / total if total > 0 else np.full(perf.shape, 1.0 / perf.size))


def _extreme(value: Floats, h: int) -> Floats:
    """Weight 50 for the h models of lowest value, 12.5 h / (M − h) for the others: 80 % sits on the worst."""
    if h >= value.size:
        raise InputError(
            f"extreme-{h} needs more than {h} models, there are {value.size}",
            place="--split",
            remedy=f"use extreme-1 to extreme-{value.size - 1}",
        )
    weights = np.full(value.shape, 12.5 * h / (value.size - h))
    weights[np.argsort(value, kind="stable")[:h]] = 50.0
    return weights


def budget_funds(models: tuple[str, ...], weights: Floats, total_usd: float, *, pooled: bool = False) -> list[Fund]:
    """One usd fund a model by its weight, or the same total in one fund over all."""
    if pooled:
        return [Fund(POOL, total_usd)]
    return [Fund(m, float(w * total_usd), models=(m,)) for m, w in zip(models, weights, strict=True)]
