"""PORT and the baselines of its paper (Wu & Silwal, arXiv 2509.02718), as published.

All are judged by the paper's rule: a query sent to a model whose fund can't pay it is lost. Nothing here is
improved; what can be improved is in `paced.py` and, for the baselines, in `honest.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize

from pointsman.decide.policies.policy import Briefing, Source, Traits, View
from pointsman.errors import InputError
from pointsman.records import Floats

BLIND = float("-inf")  # as published, a query goes to its best score even when that is negative


@dataclass(frozen=True, slots=True)
class PortState:
    """What PORT keeps: the estimates of its first part, then the prices learned from them."""

    briefing: Briefing
    quality: tuple[Floats, ...] = ()
    cost_usd: tuple[Floats, ...] = ()
    gamma: Floats | None = None


@dataclass(frozen=True, slots=True)
class Port:
    """Algorithm 1 of the paper: random on the first part, one optimisation, then argmax(alpha d − gamma g).

    Args:
        alpha: weight of quality, published 1e-4.
        epsilon: the first part's share of the expected queries, published 0.025.
        source: its estimates; as published the mean of k neighbours from an HNSW index.
    """

    alpha: float = 1e-4
    epsilon: float = 0.025
    source: Source = "neighbours-hnsw"

    def __post_init__(self) -> None:
        if not self.alpha > 0:
            raise InputError(f"alpha {self.alpha} is not positive", place="port", remedy="the paper uses 1e-4")
        if not 0 < self.epsilon < 1:
            raise InputError(f"eps {self.epsilon} is not between 0 and 1", place="port", remedy="the paper uses 0.025")

    @property
    def traits(self) -> Traits:
        """Blind, and indifferent to the sign of a score."""
        return Traits(self.source, ask_first=False, floor=BLIND)

    def begin(self, briefing: Briefing) -> PortState:
        """Knows the funds and the number of queries to come; takes nothing from the history's scores."""
        if not _one_fund_a_model(briefing):
            raise InputError(
                "the published algorithm needs exactly one usd fund for every model",
                place="port",
                remedy="use the policy `paced`, which takes any funds",
            )
        return PortState(briefing)

    def scores(self, state: PortState, view: View) -> tuple[Floats, PortState]:
        """Random in the first part, alpha d − gamma g after it."""
        first = max(0, int(np.ceil(self.epsilon * state.briefing.forecast)) - view.seen)
        explored = min(first, len(view.estimates))
        scores = np.empty_like(view.estimates.quality)
        if explored:
            scores[:explored] = _random_or_drop(state.briefing.seed, view.seen, explored, scores.shape[1])
            state = _remember(state, view, explored)
        if explored < len(view.estimates):
            gamma = self._learn(state) if state.gamma is None else state.gamma
            state = replace(state, gamma=gamma)
            gain = self.alpha * view.estimates.quality - gamma * view.estimates.cost_usd
            scores[explored:] = gain[explored:]
        return scores, state

    def _learn(self, state: PortState) -> Floats:
        """Eq. for gamma*: min over [0, 1]^M of eps Σ gamma B + Σ_j max_i (alpha d − gamma g), from 1/M."""
        budget = _budget_of_models(state.briefing)
        quality, cost = np.vstack(state.quality), np.vstack(state.cost_usd)

        def value(gamma: Floats) -> float:
            gain = self.alpha * quality - gamma * cost
            return float(self.epsilon * (gamma @ budget) + gain.max(axis=1).sum())

        start = np.full(budget.size, 1.0 / budget.size)
        found = minimize(value, start, method="L-BFGS-B", bounds=[(0.0, 1.0)] * budget.size)
        return np.asarray(found.x, dtype=np.float64)

    def price(self, state: PortState) -> Floats | None:
        """gamma / alpha: PORT's prices in quality per dollar, in the order of the funds."""
        if state.gamma is None:
            return None
        model_of_fund = state.briefing.funds.draws.argmax(axis=1)
        return np.asarray(state.gamma[model_of_fund] / self.alpha)


def _one_fund_a_model(briefing: Briefing) -> bool:
    draws = briefing.funds.draws
    return bool((draws.sum(axis=0) == 1).all() and (draws.sum(axis=1) == 1).all() and (briefing.funds.unit == 0).all())


def _budget_of_models(briefing: Briefing) -> Floats:
    return np.asarray(briefing.funds.budget @ briefing.funds.draws, dtype=np.float64)


def _random_or_drop(seed: int, seen: int, queries: int, models: int) -> Floats:
    """Scores that choose uniformly among the models and nobody."""
    lots = np.random.default_rng((seed, seen)).integers(0, models + 1, size=queries)
    scores = np.full((queries, models + 1), -np.inf)
    scores[np.arange(queries), lots] = 1.0
    return scores[:, :models]


def _remember(state: PortState, view: View, rows: int) -> PortState:
    return replace(
        state,
        quality=(*state.quality, view.estimates.quality[:rows]),
        cost_usd=(*state.cost_usd, view.estimates.cost_usd[:rows]),
    )


@dataclass(frozen=True, slots=True)
class Random:
    """A uniformly random model for every query."""

    @property
    def traits(self) -> Traits:
        """Blind; looks at no estimate."""
        return Traits("neighbours-hnsw", ask_first=False, floor=BLIND)

    def begin(self, briefing: Briefing) -> int:
        """Only the seed."""
        return briefing.seed

    def scores(self, state: int, view: View) -> tuple[Floats, int]:
        """Independent uniform numbers."""
        lots = np.random.default_rng((state, view.seen, 1)).random(view.estimates.quality.shape)
        return lots, state

    def price(self, state: Any) -> None:
        """None."""


@dataclass(frozen=True, slots=True)
class GreedyPerf:
    """The model of highest estimated quality: Greedy-Perf, KNN-Perf and the text model's, by source."""

    source: Source = "neighbours-hnsw"
    ask_first: bool = False

    @property
    def traits(self) -> Traits:
        """Blind as published; `greedy-feasible` is this one asking first."""
        return Traits(self.source, ask_first=self.ask_first, floor=BLIND)

    def begin(self, briefing: Briefing) -> None:
        """Nothing to know."""

    def scores(self, state: None, view: View) -> tuple[Floats, None]:
        """The estimated quality."""
        return view.estimates.quality, state

    def price(self, state: Any) -> None:
        """None."""


@dataclass(frozen=True, slots=True)
class GreedyCost:
    """The model with most estimated budget left after the query: Greedy-Cost, KNN-Cost and the text model's."""

    source: Source = "neighbours-hnsw"

    @property
    def traits(self) -> Traits:
        """Blind."""
        return Traits(self.source, ask_first=False, floor=BLIND)

    def begin(self, briefing: Briefing) -> Floats:
        """Every model's budget."""
        return _budget_of_models(briefing)

    def scores(self, state: Floats, view: View) -> tuple[Floats, Floats]:
        """One-hot: each choice lowers the estimated budget that the next query sees."""
        left = state.copy()
        scores = np.full(view.estimates.cost_usd.shape, -np.inf)
        for j, cost in enumerate(view.estimates.cost_usd):
            i = int((left - cost).argmax())
            left[i] -= cost[i]
            scores[j, i] = 1.0
        return scores, left

    def price(self, state: Any) -> None:
        """None."""
