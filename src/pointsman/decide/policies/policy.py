"""The one shape that every policy has.

A policy turns a batch of estimates into scores; `decide.choose` turns scores into decisions. A policy keeps no
hidden state: `begin` makes its state from what is known before the first query, and `scores` gives back the next
one. It never sees an outcome of the batch that it decides, nor anything that arrives later; the references
(`optimum`, `approx-optimum`) are the exception, and their traits say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from pointsman.decide.program import FundTable
from pointsman.decide.terms import Drawn
from pointsman.records import Estimates, Floats, Mask

Source = Literal["neighbours-hnsw", "neighbours", "blend", "text", "truth"]


@dataclass(frozen=True, slots=True)
class Traits:
    """How a policy is to be run and judged.

    Attributes:
        source: which estimates it is given.
        batch: how many queries it decides at once; 0 means all of them.
        ask_first: whether a model that can't pay is passed over (False: PORT's "lost if it can't pay").
        floor: a score must be above it for a query to be served.
        pooled: judged with the same total in one fund over all models.
        online: False for a reference that sees all queries at once.
        by_query: whether it charges each query for the funds that the query can draw on alone (`View.drawn`); what
            others charge for the rest is given back afterwards.
    """

    source: Source
    batch: int = 256
    ask_first: bool = True
    floor: float = 0.0
    pooled: bool = False
    online: bool = True
    by_query: bool = False


@dataclass(frozen=True, slots=True)
class Briefing:
    """What a policy knows before the first query.

    Attributes:
        funds: with their full amounts.
        history: held-out estimates of the history's queries, distributed like those of queries to come.
        forecast: how many queries are expected over the horizon.
        seed: for policies that draw lots.
    """

    funds: FundTable
    history: Estimates
    forecast: int
    seed: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """What a policy sees when it decides a batch.

    Attributes:
        estimates: of the batch, Q rows.
        remaining: [F] what the funds have left.
        seen: queries that arrived before this batch.
        elapsed: share of the horizon's time that has passed, in [0, 1].
        open_models: [M] which models are up.
        rate_factor: [M] today's rates over those of the history (rates are public: a cut is known when it comes).
        drawn: the funds that each query can draw on; None for all of them.
    """

    estimates: Estimates
    remaining: Floats
    seen: int
    elapsed: float
    open_models: Mask
    rate_factor: Floats
    drawn: Drawn | None = None


class Policy(Protocol):
    """Scores for a batch, and the state to decide the next one with."""

    @property
    def traits(self) -> Traits:
        """How it is to be run and judged."""
        ...

    def begin(self, briefing: Briefing) -> Any:
        """The state before the first query."""
        ...

    def scores(self, state: Any, view: View) -> tuple[Floats, Any]:
        """Scores [Q, M] for the batch in view (-inf forbids), and the next state."""
        ...

    def price(self, state: Any) -> Floats | None:
        """Price [F] of every fund in force, None for a policy that has none."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may set for a policy; each policy takes what concerns it."""

    alpha: float = 1e-4
    epsilon: float = 0.025


def one_hot(chosen: np.ndarray[Any, np.dtype[np.int64]], models: int) -> Floats:
    """Scores that are 1 for the chosen column (-1: none) and -inf elsewhere."""
    scores = np.full((len(chosen), models), -np.inf)
    served = np.flatnonzero(chosen >= 0)
    scores[served, chosen[served]] = 1.0
    return scores
