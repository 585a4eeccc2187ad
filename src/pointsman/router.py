"""The spine: `route(prompts, snapshot, balances)`, the same for the gateway, the command line and the library.

Text -> estimates -> scores at the prices in force -> choices within the funds. A query takes one snapshot and keeps
it; `Router` holds the current one, swaps it by one assignment, and keeps the balances of a single process. A replay
enters at `decide`, with estimates made beforehand. Nothing here does I/O or reads a clock: how much of the horizon
has passed is told to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from pointsman.decide.choose import Choices, Scarcity, choose
from pointsman.decide.policies import Briefing, Paced, Policy, View
from pointsman.decide.program import FundTable, amounts_of, compile_funds
from pointsman.decide.terms import Terms, charges_drawn, drawn_of
from pointsman.errors import InputError
from pointsman.estimate.blend import fit_blend
from pointsman.estimate.embedders import Embedder, load_embedder
from pointsman.estimate.fitted import Estimator
from pointsman.estimate.unseen.extended import Past, past_of
from pointsman.estimate.unseen.place import Probes
from pointsman.estimate.unseen.probing import pick_probes
from pointsman.outcomes import token_estimates
from pointsman.records import REASONS, UNITS, Candidate, Decision, Estimates, Floats, Fund, Ints, Outcomes, Prompts


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a decision depends on but the balances; frozen.

    Attributes:
        embedder: text to vector.
        estimator: vector and text to quality, cost, tokens, spread.
        funds: what limits the money, compiled against the estimator's models.
        policy: estimates to scores.
        state: the policy's own, prices among it.
    """

    embedder: Embedder
    estimator: Estimator
    funds: FundTable
    policy: Policy
    state: Any

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of the models, in the order of all columns."""
        return self.estimator.models

    @property
    def fund_units(self) -> tuple[str, ...]:
        """The unit of each fund."""
        return tuple(UNITS[unit] for unit in self.funds.unit)

    @property
    def price(self) -> Floats | None:
        """float [F], quality per unit of each fund; None for a policy that has none."""
        return self.policy.price(self.state)


@dataclass(frozen=True, slots=True)
class Moment:
    """When a batch comes: how many queries came before it, and the share of the horizon's time that has passed."""

    seen: int
    elapsed: float


def embed(texts: Sequence[str], embedder: Embedder, input_tokens: Floats | None = None) -> Prompts:
    """Texts as the estimators see them; tokens are counted where they aren't given."""
    tokens = token_estimates(texts) if input_tokens is None else np.asarray(input_tokens, dtype=np.float64)
    return Prompts(texts, embedder.embed(texts), tokens)


def decide(
    policy: Policy,
    state: Any,
    view: View,
    funds: FundTable,
    *,
    posted: Estimates | None = None,
    scarcity: Scarcity = "decline",
    terms: Terms | None = None,
) -> tuple[Choices, Floats, Any]:
    """Scores and choices for a batch whose estimates are known; what every decision comes to.

    Args:
        view: the batch's estimates and what the funds have left; `drawn` in it is for the policy to honour, and is
            honoured in the choice.
        posted: what each pair really draws, where a replay knows it; the estimates otherwise.
        terms: what differs by query and is neither in the view's estimates nor in its `drawn`.

    Returns:
        The choices, the scores [Q, M] behind them and the policy's next state.
    """
    scores, state = policy.scores(state, view)
    worth = None
    if view.drawn is not None and not policy.traits.by_query:
        scores = _given_back(scores, policy, state, view, funds)
    if terms is not None:
        worth = terms.permitted(scores)
        scores = terms.leaning(worth, view.estimates.cost_usd)
    held = amounts_of(view.estimates, funds)
    choices = choose(
        scores,
        held if scarcity == "decline" else replace(held, usd=view.estimates.cost_usd),
        funds,
        view.remaining,
        posted=None if posted is None else amounts_of(posted, funds),
        open_models=view.open_models,
        ask_first=policy.traits.ask_first,
        floor=policy.traits.floor,
        scarcity=scarcity,
        worth=worth,
        drawn=view.drawn,
    )
    return choices, scores, state


def _given_back(scores: Floats, policy: Policy, state: Any, view: View, funds: FundTable) -> Floats:
    """The scores without what the policy charged for funds that a query can't draw on.

    For policies that ask first their scores are quality minus charges; the blind ones, as published, have scores of
    another kind, and keep them.
    """
    price = policy.price(state)
    if price is None or view.drawn is None or not policy.traits.ask_first:
        return scores
    return scores + charges_drawn(price, funds, amounts_of(view.estimates, funds), view.drawn.rest(len(funds)))


def route(
    prompts: Prompts,
    snapshot: Snapshot,
    balances: Floats,
    moment: Moment,
    *,
    scarcity: Scarcity = "decline",
    terms: Terms | None = None,
) -> tuple[Choices, Estimates, Floats, Any]:
    """Decides a batch in order; each query's expected draw is off the balances before the next is looked at.

    Args:
        prompts: Q queries.
        snapshot: prices and estimators in force.
        balances: float [F], what each fund has left.
        scarcity: what to do for a query that no model is worth.
        terms: what differs by query beside its text; None where nothing does.

    Returns:
        The choices, the estimates [Q, M] (costs less what `terms` say is saved) and the scores [Q, M] behind them
        (-inf: not allowed), and the policy's next state.

    Raises:
        InputError: terms of other shapes than the batch's, or funds in them that aren't there.
    """
    estimates = snapshot.estimator.estimate(prompts)
    models = len(snapshot.models)
    drawn = None
    if terms is not None:
        terms.check(len(prompts), models)
        estimates = terms.discounted(estimates)
        drawn = None if terms.drawn is None else drawn_of(terms.drawn, len(snapshot.funds))
    view = View(estimates, balances, moment.seen, moment.elapsed, np.ones(models, np.bool_), np.ones(models), drawn)
    choices, scores, state = decide(
        snapshot.policy, snapshot.state, view, snapshot.funds, scarcity=scarcity, terms=terms
    )
    return choices, estimates, scores, state


class Router:
    """Routes queries within funds, in one process.

    >>> router = Router.fit(history, [Fund("openai", 5.0, models=("openai/gpt-4o",)), Fund("all", 20.0)], volume=10_000)
    >>> [decision.model for decision in router.route(["What is 17 * 23?"])]
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        volume: int,
        scarcity: Scarcity = "decline",
        funds: Sequence[Fund] = (),
        past: Past | None = None,
        seed: int = 0,
    ) -> None:
        self.snapshot = snapshot
        self.balances = snapshot.funds.budget.copy()
        self.scarcity: Scarcity = scarcity
        self._funds, self._past, self._seed = tuple(funds), past, seed
        self._volume, self._seen = volume, 0
        self._since, self._passed = 0.0, 0.0

    @classmethod
    def fit(
        cls,
        history: Outcomes,
        funds: Sequence[Fund],
        *,
        volume: int,
        embedder: str | Embedder = "wordllama",
        scarcity: Scarcity = "decline",
        seed: int = 0,
    ) -> Self:
        """A router from past outcomes: estimators in seconds, prices before the first query.

        Args:
            history: past outcomes, cells may be missing (NaN).
            funds: what may be spent on the expected queries.
            volume: how many queries are expected within the funds' horizon.
            embedder: a name for `estimate.embedders.load_embedder`, or an embedder.
            scarcity: what to do for a query that no model is worth.

        Raises:
            InputError: an empty history, funds that match no model, a volume below one.
        """
        if volume < 1:
            raise InputError(f"volume is {volume}", place="Router.fit", remedy="say how many queries you expect")
        table = compile_funds(funds, history.models)
        chosen = load_embedder(embedder) if isinstance(embedder, str) else embedder
        prompts = embed(history.texts, chosen, history.input_tokens)
        fitted = fit_blend(history, prompts, seed=seed)
        policy = Paced()
        state = policy.begin(Briefing(table, fitted.held_out, volume, seed))
        snapshot = Snapshot(chosen, fitted.estimator, table, policy, state)
        past = past_of(history, prompts, fitted, seed)
        return cls(snapshot, volume=volume, scarcity=scarcity, funds=funds, past=past, seed=seed)

    def pick_probes(self, candidates: Outcomes, n: int) -> Ints:
        """The n prompts that would tell most about a new model, as rows of `candidates`, the most telling first.

        Args:
            candidates: a fair sample of the traffic, with the outcomes of the models that the router was fitted on.

        Raises:
            InputError: the router has no history, or there are fewer candidates.
        """
        prompts = embed(candidates.texts, self.snapshot.embedder, candidates.input_tokens)
        return pick_probes(self._history_kept("Router.pick_probes").space, prompts, candidates, n)

    def plug_in(self, asked: Outcomes, known: Outcomes, funds: Sequence[Fund] = ()) -> None:
        """Adds models that the router was never fitted on, by their outcomes on a few probes.

        They are placed by their likeness to the models of the history, prices are solved again for what is left of
        money and volume, and the snapshot is swapped by one assignment; nothing is fitted.

        Args:
            asked: outcomes [n, N] of the new models on n probe prompts, NaN where one wasn't asked.
            known: outcomes [n, M] of the models that the router was fitted on, on the same prompts, NaN where none.
            funds: further money, for example for the new models alone; funds over every model are theirs too.

        Raises:
            InputError: the router has no history, a model is there already, probes or funds that don't fit.
        """
        prompts = embed(asked.texts, self.snapshot.embedder, asked.input_tokens)
        past = self._history_kept("Router.plug_in").place(Probes(prompts, asked, known))
        every = (*self._funds, *funds)
        table = compile_funds(every, past.extended.models)
        balances = np.concatenate([self.balances, table.budget[len(self.balances) :]])
        left = max(1, self._volume - self._seen)
        state = self.snapshot.policy.begin(Briefing(table.with_budget(balances), past.sample(), left, self._seed))
        self._since += max(self._passed, self._share()) * (1.0 - self._since)
        self._funds, self._past = every, past
        self._volume, self._seen, self._passed = left, 0, 0.0
        self.snapshot = replace(self.snapshot, estimator=past.extended, funds=table, state=state)
        self.balances = balances

    def route(
        self, texts: Sequence[str], *, input_tokens: Floats | None = None, elapsed: float | None = None
    ) -> list[Decision]:
        """Decides texts in order and holds their expected cost.

        Args:
            texts: Q prompts.
            input_tokens: float [Q] where known; counted otherwise.
            elapsed: share of the horizon's time that has passed, in [0, 1]; None takes the share of the volume.
        """
        return self.route_prompts(embed(texts, self.snapshot.embedder, input_tokens), elapsed=elapsed)

    def route_prompts(self, prompts: Prompts, *, elapsed: float | None = None) -> list[Decision]:
        """The same for prompts embedded already."""
        if len(prompts) == 0:
            return []
        choices, estimates, scores = self.choose(prompts, elapsed=elapsed)
        return [self._decision(j, choices, estimates, scores) for j in range(len(prompts))]

    def choose(self, prompts: Prompts, *, elapsed: float | None = None) -> tuple[Choices, Estimates, Floats]:
        """The same as arrays: the choices, and the estimates and scores [Q, M] behind them; for large batches."""
        self._passed = self._share() if elapsed is None else self._rest(elapsed)
        choices, estimates, scores, state = route(
            prompts, self.snapshot, self.balances, Moment(self._seen, self._passed), scarcity=self.scarcity
        )
        self.snapshot, self.balances = replace(self.snapshot, state=state), choices.remaining
        self._seen += len(prompts)
        return choices, estimates, scores

    def _history_kept(self, place: str) -> Past:
        if self._past is None:
            raise InputError(
                "the router keeps no history to place a model in", place=place, remedy="make it with Router.fit"
            )
        return self._past

    def _share(self) -> float:
        """How much of the volume that was expected when prices were begun has come."""
        return min(1.0, self._seen / self._volume)

    def _rest(self, elapsed: float) -> float:
        """The share of the whole horizon as a share of what was left of it when prices were begun."""
        return min(1.0, max(0.0, elapsed - self._since) / max(1.0 - self._since, 1e-9))

    def settle(self, decision: Decision, *, cost_usd: float, tokens: float | None = None) -> None:
        """Replaces a decision's hold by what the answer really took; the next re-solve sees it.

        Raises:
            InputError: nobody served the decision, or the amounts are not finite numbers of at least zero.
        """
        candidate = decision.chosen
        if candidate is None:
            raise InputError("the decision has no model", place="Router.settle", remedy="settle served queries only")
        took = candidate.tokens if tokens is None else tokens
        if not (np.isfinite(cost_usd) and cost_usd >= 0 and np.isfinite(took) and took >= 0):
            raise InputError(f"cost {cost_usd}, tokens {took}", place="Router.settle", remedy="give finite amounts")
        over = np.array([cost_usd - candidate.cost_usd, took - candidate.tokens, 0.0])
        funds = self.snapshot.funds
        draws = funds.draws[:, self.snapshot.models.index(candidate.model)]
        self.balances = np.maximum(0.0, self.balances - np.where(draws, over[funds.unit], 0.0))

    def _decision(self, j: int, choices: Choices, estimates: Estimates, scores: Floats) -> Decision:
        chosen = int(choices.model[j])
        order = np.argsort(-scores[j], kind="stable")
        models = self.snapshot.models
        candidates = tuple(
            Candidate(
                models[i],
                quality=float(estimates.quality[j, i]),
                spread=float(estimates.spread[j, i]),
                cost_usd=float(estimates.cost_usd[j, i]),
                tokens=float(estimates.tokens[j, i]),
                charge=float(estimates.quality[j, i] - scores[j, i]),
                score=float(scores[j, i]),
            )
            for i in order
        )
        return Decision(models[chosen] if chosen >= 0 else None, REASONS[int(choices.reason[j])], candidates)
