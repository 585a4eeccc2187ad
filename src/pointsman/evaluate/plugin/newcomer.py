"""How each variant's newcomer comes in: known throughout, never, placed by probes, or by sending it live queries.

Takes a `Ground`, what was known before the newcomer, and a `Task`; gives the finished `Ride`. The newcomer joins at
`joins`, the leaver's last query is before `leaves`. Probes are random rows of the history, fewer a prefix of more; they
are asked before joining and not paid from the newcomer's fund. A live query is: its one outcome is all that is learned
from it, and what the known models would have made of it stays unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pointsman.decide.policies import Briefing, Paced, Traits, View
from pointsman.estimate.unseen.place import Probes, Space
from pointsman.evaluate.plugin.ground import Before, Ground, Known, arriving, make_case
from pointsman.evaluate.plugin.plan import Task
from pointsman.evaluate.plugin.ride import Knowledge, Ride, insert_column
from pointsman.evaluate.replay import Case
from pointsman.records import Estimates, Floats, Ints, Outcomes

PLACED_EVERY = 400  # arrivals between two placings from live outcomes


@dataclass(frozen=True, slots=True)
class Scene:
    """One pair's circumstances.

    Attributes:
        case: one order of arrivals, all models.
        newcomer, leaver: their columns.
        joins, leaves: the first arrivals with the newcomer, and without the leaver.
    """

    ground: Ground
    before: Before
    case: Case
    newcomer: int
    leaver: int
    joins: int
    leaves: int

    @property
    def arrivals(self) -> int:
        """Queries in all."""
        return len(self.case.world.order)

    def others(self) -> Knowledge:
        """What is known of the models without the newcomer."""
        return arriving(self.before.known, self.before.others, self.case)

    def everyone(self) -> Knowledge:
        """What is known of all models by the whole history."""
        return arriving(self.ground.known, np.arange(len(self.ground.models)), self.case)


def make_scene(ground: Ground, before: Before, task: Task) -> Scene:
    """A pair's circumstances; the newcomer joins after a third of the queries, the leaver leaves after two."""
    case = make_case(ground, task.pair.order)
    count = len(case.world.order)
    leaver = ground.models.index(task.pair.leaver)
    return Scene(ground, before, case, before.newcomer, leaver, count // 3, 2 * count // 3)


def ride(scene: Scene, task: Task) -> Ride:
    """One row's replay, from the first query to the last.

    Raises:
        OverspendError: a fund ended below zero.
    """
    trip = Ride(scene.case)
    match task.variant:
        case "from-the-start":
            _to_the_end(trip, scene, scene.everyone())
        case "never":
            _to_the_end(trip, scene, scene.others())
        case "full-history":
            trip.play(Paced(), scene.others(), scene.joins)
            _to_the_end(trip, scene, scene.everyone())
        case "exploration":
            trip.play(Paced(), scene.others(), scene.joins)
            _explore(trip, scene, task.probes)
        case _:
            trip.play(Paced(), scene.others(), scene.joins)
            space = scene.before.spaces.of(task.variant, task.probes)
            _to_the_end(trip, scene, with_newcomer(scene, space, random_probes(scene, task.probes)))
    return trip


def _to_the_end(trip: Ride, scene: Scene, knowledge: Knowledge) -> None:
    trip.play(Paced(), knowledge, scene.leaves)
    trip.play(Paced(), knowledge.without(scene.leaver), scene.arrivals)


# ---- probes


def random_probes(scene: Scene, number: int) -> Probes:
    """The newcomer's and the others' outcomes on `number` random rows of the history."""
    asked = scene.ground.history.take(probe_rows(scene, number))
    newcomer = asked.outcomes.only(np.array([scene.newcomer]))
    return Probes(asked.prompts, newcomer, asked.outcomes.only(scene.before.others))


def probe_rows(scene: Scene, number: int) -> Ints:
    """Rows of the history, drawn for this order and newcomer; fewer are a prefix of more."""
    seed = scene.ground.request.setting.seed
    rng = np.random.default_rng((seed, 22, scene.case.seed, scene.newcomer))
    return rng.permutation(len(scene.ground.history.outcomes))[:number]


def live_probes(trip: Ride, scene: Scene) -> Probes:
    """What the newcomer has made of the queries that went to it; nobody else was asked them."""
    asked = scene.ground.test.take(scene.case.world.order[trip.served_by(scene.newcomer)])
    newcomer = asked.outcomes.only(np.array([scene.newcomer]))
    return Probes(asked.prompts, newcomer, _unknown(asked.outcomes.only(scene.before.others)))


def _unknown(outcomes: Outcomes) -> Outcomes:
    nothing = np.full(outcomes.score.shape, np.nan)
    return replace(outcomes, score=nothing, cost_usd=nothing.copy(), output_tokens=nothing.copy())


def with_newcomer(scene: Scene, space: Space, probes: Probes) -> Knowledge:
    """What is known once the newcomer is placed: the others as before, its column from the space.

    The column goes for the history's queries too: prices are solved on them, so that its fund gets one as well.
    """
    placed = space.place(probes)
    ground, known = scene.ground, scene.before.known
    tested, past = placed.estimate(ground.test.prompts), placed.estimate(ground.history.prompts)
    at = scene.newcomer
    joined = Known(insert_column(known.tested, tested, at), insert_column(known.history, past, at))
    return arriving(joined, np.arange(len(ground.models)), scene.case)


# ---- exploration


@dataclass(frozen=True, slots=True)
class Exploring:
    """`paced`, but that one model gets every query that it can pay.

    Args:
        column: the model's, in the estimates.
    """

    column: int
    paced: Paced = field(default_factory=Paced)

    @property
    def traits(self) -> Traits:
        """As `paced`."""
        return self.paced.traits

    def begin(self, briefing: Briefing) -> Any:
        """Prices of the others' money; nothing is expected of the model, so its own has none."""
        return self.paced.begin(briefing)

    def scores(self, state: Any, view: View) -> tuple[Floats, Any]:
        """The model above all others."""
        scores, state = self.paced.scores(state, view)
        scores[:, self.column] = 1.0 + np.maximum(scores.max(axis=1), 0.0)
        return scores, state

    def price(self, state: Any) -> Floats:
        """The others' prices."""
        return self.paced.price(state)


def _explore(trip: Ride, scene: Scene, number: int) -> None:
    """The first queries to the newcomer, then placed anew from all of its outcomes every so often."""
    unplaced, fund = _unplaced(scene), scene.case.funds.draws[:, scene.newcomer]
    held = unplaced.history.cost_usd[0, scene.newcomer]
    while (missing := number - len(trip.served_by(scene.newcomer))) > 0:
        if trip.seen == scene.arrivals or trip.remaining[fund].min() < held:
            break
        here, stop = _next(trip, scene, unplaced, missing)
        trip.play(Exploring(int(np.searchsorted(here.columns, scene.newcomer))), here, stop)
    while trip.seen < scene.arrivals:
        tried = len(trip.served_by(scene.newcomer)) > 0
        known = (
            with_newcomer(scene, scene.before.spaces.transfer, live_probes(trip, scene)) if tried else scene.others()
        )
        trip.play(Paced(), *_next(trip, scene, known, PLACED_EVERY))


def _next(trip: Ride, scene: Scene, knowledge: Knowledge, arrivals: int) -> tuple[Knowledge, int]:
    """A chapter of so many arrivals, or fewer where the leaver's time or the last query comes first."""
    if trip.seen < scene.leaves:
        return knowledge, min(trip.seen + arrivals, scene.leaves)
    return knowledge.without(scene.leaver), min(trip.seen + arrivals, scene.arrivals)


def _unplaced(scene: Scene) -> Knowledge:
    """Everyone, the newcomer with nothing expected of it at the others' mean cost, which is held while it is tried."""
    known = scene.before.known
    cost, tokens = float(known.history.cost_usd.mean()), float(known.history.tokens.mean())

    def with_column(estimates: Estimates) -> Estimates:
        column = [np.full((len(estimates), 1), value) for value in (0.0, cost, tokens, 1.0)]
        return insert_column(estimates, Estimates(*column), scene.newcomer)

    joined = Known(with_column(known.tested), with_column(known.history))
    return arriving(joined, np.arange(len(scene.ground.models)), scene.case)
