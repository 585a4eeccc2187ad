"""Decisions made again from the text of their prompt, through `router.route`, where all that it takes is still there.

Takes decisions as they were kept, prompts by decision, and a state folder; gives how many could be made again and how
many of them come out in the same order. It takes the prompt (`learning.store_prompts`), the fit (the latest few are
kept) and what the scheme had added to it (`beliefs`). Changes nothing, and tells no word of a prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from pointsman.decide.policies.standing import Standing, StandingState
from pointsman.decide.program import FundTable
from pointsman.decide.terms import Terms
from pointsman.estimate.embedder import Embedder
from pointsman.estimate.fitted import Estimator
from pointsman.router import Moment, Snapshot, embed, route
from pointsman.serve.again.beliefs import estimator_of
from pointsman.serve.again.decided import Kept, order_of
from pointsman.serve.scheme import counted_tokens

MOST_IN_MEMORY = 4


@dataclass(frozen=True, slots=True)
class FromText:
    """How many decisions could be made again from their text, and how many come out in the same order."""

    decisions: int
    same_order: int


def from_texts(kept: Iterable[Kept], texts: Mapping[str, str], state: Path, embedder: Embedder) -> FromText:
    """Makes every decision again that can be.

    Args:
        kept: the journal's.
        texts: prompts by the id of their decision.
        embedder: as it was when they were made.
    """
    found = lru_cache(MOST_IN_MEMORY)(lambda name: estimator_of(state, name))
    decisions = same = 0
    for one in kept:
        text, estimator = texts.get(one.id), found(one.beliefs) if one.beliefs else None
        if text is None or estimator is None or not one.input_chars:
            continue
        decisions += 1
        same += _order(one, text, estimator, embedder) == [one.models[i] for i in one.ranked]
    return FromText(decisions, same)


def _order(kept: Kept, text: str, estimator: Estimator, embedder: Embedder) -> list[str]:
    """Models in the order to ask in, from the text."""
    models = estimator.models
    column = np.array([models.index(name) for name in kept.models])
    funds, count = len(kept.funds), len(models)
    draws = np.zeros((funds, count), np.bool_)
    draws[:, column] = kept.funds.draws
    table = FundTable(kept.funds.names, kept.funds.budget, kept.funds.unit, draws)
    allowed, bonus, saved = np.zeros((1, count), np.bool_), np.zeros((1, count)), np.zeros((1, count))
    allowed[0, column], bonus[0, column], saved[0, column] = True, kept.bonus, kept.saved_usd
    snapshot = Snapshot(embedder, estimator, table, Standing(), StandingState(kept.price, table))
    prompts = embed([text], embedder, np.array([counted_tokens(kept.input_chars, 0)]))
    terms = Terms(allowed, None, np.array([kept.money_price]) if kept.money_price else None, saved, bonus)
    _, estimates, scores, _ = route(prompts, snapshot, np.full(funds, np.inf), Moment(0, 0.0), terms=terms)
    cost_usd = estimates.cost_usd[0]
    ranked = [models[i] for i in order_of(kept, scores[0], cost_usd, bonus[0])]
    if kept.explored:
        first = kept.models[kept.ranked[0]]
        ranked = [first, *(name for name in ranked if name != first)]
    return ranked
