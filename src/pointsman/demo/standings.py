"""The same traffic under five policies: replayed with the gateway's own estimates, funds, failures and newcomer.

Takes a scene, what the gateway had learned before and after the newcomer came, and when; gives one `Standing` a policy.
Every policy gets the same: estimates, money, which models are there and up, and a second try, since all of them pass
over a model that is down or can't pay, as the gateway does. Each decision is `router.decide`'s, by `evaluate.replay`.
Between the chapters a policy begins anew on the money that is left, as with any new snapshot. It runs no traffic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pointsman.decide.policies import Briefing, Policy, Traits, View, make_policy
from pointsman.decide.program import FundTable, compile_funds
from pointsman.demo.scene import Scene
from pointsman.estimate.embedder import Embedder
from pointsman.estimate.fitted import Estimator
from pointsman.evaluate.plugin.ride import columns_of, funds_among
from pointsman.evaluate.replay import Case, replay
from pointsman.evaluate.scenarios import Phase, World
from pointsman.records import Estimates, Floats, Fund, Ints, Mask, Outcomes
from pointsman.router import embed


@dataclass(frozen=True, slots=True)
class Known:
    """What the gateway had learned at some moment; both name models as the history does.

    Attributes:
        estimator: of the models known by then.
        held_out: estimates of rows of the history by fits that didn't see them.
    """

    estimator: Estimator
    held_out: Estimates


@dataclass(frozen=True, slots=True)
class Joined:
    """How the newcomer came.

    Attributes:
        at_s: when it was taken in.
        known: what the gateway knew from then on.
        spent_usd: what its probes drew on its fund.
    """

    at_s: float
    known: Known
    spent_usd: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What a policy made of the traffic.

    Attributes:
        policy: its name.
        quality: mean true score over all queries, 0 where nobody served.
        error: standard error of that mean.
        cost_usd: of all.
        served: share of the queries.
        shares: of the queries, by the model that served them.
    """

    policy: str
    quality: float
    error: float
    cost_usd: float
    served: float
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Asking:
    """A policy with the gateway's manners: it passes over a model that is down or can't pay, and loses no query to it.

    Args:
        policy: whose scores they are.
    """

    policy: Policy

    @property
    def traits(self) -> Traits:
        """The policy's, but asking first."""
        return replace(self.policy.traits, ask_first=True)

    def begin(self, briefing: Briefing) -> Any:
        """The policy's."""
        return self.policy.begin(briefing)

    def scores(self, state: Any, view: View) -> tuple[Floats, Any]:
        """The policy's."""
        return self.policy.scores(state, view)

    def price(self, state: Any) -> Floats | None:
        """The policy's."""
        return self.policy.price(state)


@dataclass(frozen=True, slots=True)
class CheapestFirst:
    """The model that is expected to cost least, then the next."""

    @property
    def traits(self) -> Traits:
        """Takes whatever can pay."""
        return Traits("blend", floor=float("-inf"))

    def begin(self, briefing: Briefing) -> None:
        """Nothing to know."""

    def scores(self, state: None, view: View) -> tuple[Floats, None]:
        """The less, the better."""
        return -view.estimates.cost_usd, state

    def price(self, state: Any) -> None:
        """None."""


POLICIES: Mapping[str, Policy] = {
    "paced": make_policy("paced"),
    "port": Asking(make_policy("port@blend")),
    "best-first": make_policy("greedy-feasible@blend"),
    "cheapest-first": CheapestFirst(),
    "random": Asking(make_policy("random")),
}


@dataclass(frozen=True, slots=True)
class Chapter:
    """A stretch of the traffic with the same models known.

    Attributes:
        rows: of the queries in order of arrival.
        columns: int [m], the models that are there.
        estimates: of those queries, [rows, m].
        held_out: of the history, [H, m].
        phases: which of the models are up, counted from the stretch's beginning.
    """

    rows: slice
    columns: Ints
    estimates: Estimates
    held_out: Estimates
    phases: tuple[Phase, ...]


def standings(scene: Scene, known: Known, joined: Joined | None, embedder: Embedder, seed: int) -> list[Standing]:
    """Every policy of `POLICIES` on the whole plan, the best first."""
    traffic = scene.traffic.take(np.array([one.row for one in scene.plan.queries], np.int64))
    told = chapters(scene, traffic, known, joined, embedder)
    funds = fund_table(scene, 0.0 if joined is None else joined.spent_usd)
    made = [
        standing(name, scene, traffic, ridden(policy, scene, traffic, told, funds, seed))
        for name, policy in POLICIES.items()
    ]
    return sorted(made, key=lambda one: -one.quality)


def fund_table(scene: Scene, spent_usd: float) -> FundTable:
    """The scene's funds over its models, the newcomer's without what its probes took."""
    left = {id: usd - (spent_usd if id == scene.newcomer else 0.0) for id, usd in scene.funds_usd.items()}
    return compile_funds([Fund(id, max(0.0, left[id]), models=(id,)) for id in scene.ids], scene.ids)


def chapters(scene: Scene, traffic: Outcomes, known: Known, joined: Joined | None, embedder: Embedder) -> list[Chapter]:
    """Before the newcomer and with it; one chapter where it never came."""
    count = len(traffic)
    turn = count if joined is None else scene.plan.arrived(joined.at_s)
    told = [(slice(0, turn), known)] + ([] if joined is None else [(slice(turn, count), joined.known)])
    return [_chapter(scene, traffic, rows, one, embedder) for rows, one in told if rows.stop > rows.start]


def _chapter(scene: Scene, traffic: Outcomes, rows: slice, known: Known, embedder: Embedder) -> Chapter:
    there = [i for i, id in enumerate(scene.ids) if id in known.estimator.models]
    places = np.array([known.estimator.models.index(scene.ids[i]) for i in there], np.int64)
    part = traffic.take(np.arange(rows.start, rows.stop))
    expected = known.estimator.estimate(embed(part.texts, embedder, part.input_tokens))
    return Chapter(
        rows,
        np.array(there, np.int64),
        columns_of(expected, places),
        columns_of(known.held_out, places),
        phases(scene, rows, [scene.ids[i] for i in there]),
    )


def phases(scene: Scene, rows: slice, ids: Sequence[str]) -> tuple[Phase, ...]:
    """Which models are up, over a stretch of the queries: all of them but while the failing one fails."""
    plan, as_ever = scene.plan, np.ones(len(ids))
    all_up: Mask = np.ones(len(ids), np.bool_)
    down = np.array([id != scene.failing for id in ids])
    turns = [(plan.arrived(plan.fails_s), all_up), (plan.arrived(plan.recovers_s), down), (rows.stop, all_up)]
    found: list[Phase] = []
    for stop, up in turns:
        end = min(max(stop, rows.start), rows.stop) - rows.start
        if end > (found[-1].stop if found else 0):
            found.append(Phase(end, up, as_ever))
    return tuple(found)


def ridden(
    policy: Policy, scene: Scene, traffic: Outcomes, told: Sequence[Chapter], funds: FundTable, seed: int
) -> Ints:
    """int [N], the column that serves each query, -1 for nobody."""
    model, remaining = np.full(len(traffic), -1, np.int64), funds.budget.copy()
    truth = _truth(traffic)
    for chapter in told:
        among, kept = funds_among(funds, remaining, chapter.columns)
        case = Case(
            chapter.estimates,
            chapter.held_out,
            columns_of(truth.take(chapter.rows), chapter.columns),
            among,
            _world(scene, chapter),
            seed,
        )
        result = replay(policy, case)
        model[chapter.rows] = np.where(result.model >= 0, chapter.columns[result.model], -1)
        remaining[kept] = np.maximum(0.0, among.budget - result.spent)
    return model


def _world(scene: Scene, chapter: Chapter) -> World:
    """Time and forecast count from the chapter's beginning to the plan's end."""
    plan, rows = scene.plan, chapter.rows
    began = plan.at_s[rows.start] if rows.start else 0.0
    left_s = max(1e-9, plan.seconds - began)
    forecast = max(1, plan.expected - rows.start)
    return World(np.arange(rows.stop - rows.start), (plan.at_s[rows] - began) / left_s, forecast, chapter.phases)


def _truth(traffic: Outcomes) -> Estimates:
    """What each model makes of each query; a cell that nobody knows can't be replayed and is left at nothing."""
    tokens = traffic.output_tokens + traffic.input_tokens[:, None]
    return Estimates(traffic.score, traffic.cost_usd, tokens, np.zeros_like(traffic.score))


def standing(name: str, scene: Scene, traffic: Outcomes, model: Ints) -> Standing:
    """What the choices come to."""
    rows = np.flatnonzero(model >= 0)
    count = max(1, len(model))
    scores = np.zeros(count)
    scores[rows] = traffic.score[rows, model[rows]]
    return Standing(
        name,
        float(scores.mean()),
        float(scores.std()) / count**0.5,
        float(traffic.cost_usd[rows, model[rows]].sum()),
        len(rows) / count,
        {id: float((model == i).sum()) / count for i, id in enumerate(scene.ids)},
    )
