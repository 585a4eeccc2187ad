"""In which order models are asked: those worth their price by score, and what scarcity lets follow them.

Takes one query's scores, worths and expected costs over models; gives places in order. Live decisions and a replay of
their log go through the same lines. Knows no funds and raises nothing: an empty list is the caller's to explain.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pointsman.records import Floats


def by_score(scores: Floats) -> list[int]:
    """Places [M] with a finite score, the best first; of equal ones the first first."""
    order = np.argsort(-scores, kind="stable")
    found: list[int] = order[np.isfinite(scores[order])].tolist()
    return found


def within_cost(most_usd: float | None, cost_usd: Floats, order: Sequence[int]) -> list[int]:
    """Those of the places whose expected cost is within a limit; all of them where there is none."""
    return [i for i in order if most_usd is None or cost_usd[i] <= most_usd]


def by_worth(worth: Floats, cost_usd: Floats, order: Sequence[int], *, serve_cheapest: bool) -> tuple[list[int], int]:
    """The places to ask, in order, and how many of them are worth their price.

    Args:
        worth: [M], quality less the funds' charges; above zero it is worth serving.
        order: places by score.
        serve_cheapest: the others follow, the cheapest first.
    """
    good = [i for i in order if worth[i] > 0.0]
    if not serve_cheapest:
        return good, len(good)
    rest = sorted((i for i in order if worth[i] <= 0.0), key=lambda i: float(cost_usd[i]))
    return good + rest, len(good)
