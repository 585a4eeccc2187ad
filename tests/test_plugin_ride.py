"""A model joins a replay and another leaves: what is served by whom, by hand and against a plain replay."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from pointsman.decide.policies import Paced
from pointsman.decide.program import compile_funds
from pointsman.evaluate.plugin.ground import Asked, Before, Ground, Known, arriving, make_case
from pointsman.evaluate.plugin.newcomer import (
    Scene,
    live_probes,
    make_scene,
    probe_rows,
    random_probes,
    ride,
    with_newcomer,
)
from pointsman.evaluate.plugin.plan import PROBED, REFERENCES, Pair, Request, Task, Variant
from pointsman.evaluate.plugin.ride import Knowledge, Ride, columns_of, funds_among, insert_column, stretch
from pointsman.evaluate.plugin.run import make_row
from pointsman.evaluate.plugin.spaces import MeanSpace, Spaces
from pointsman.evaluate.prepare import Setting, truth_of
from pointsman.evaluate.replay import Case, replay
from pointsman.evaluate.scenarios import Phase, World
from pointsman.records import Estimates, Fund, Outcomes, Prompts
from worlds import estimates_of, outcomes

ALL: tuple[Variant, ...] = (*REFERENCES, *PROBED)
SPACES = Spaces(MeanSpace(), {2: MeanSpace(), 8: MeanSpace(), 30: MeanSpace()}, MeanSpace())


def asked(some: Outcomes) -> Asked:
    return Asked(some, Prompts(some.texts, np.zeros((len(some), 2), np.float32), some.input_tokens))


def task_of(variant: Variant, probes: int = 2, order: int = 0) -> Task:
    return Task(variant, 0 if variant in REFERENCES else probes, Pair(order, "new", "leaver"))


# ---- nine queries by hand


def flat(queries: int) -> Outcomes:
    """Every query costs a dollar anywhere; scores 0.5 on `old`, 1 on `new`, 0.8 on `leaver`."""
    names = [f"q{j}" for j in range(queries)]
    ones = np.ones((queries, 3))
    score = ones * np.array([0.5, 1.0, 0.8])
    return Outcomes(names, names, ["d"] * queries, ("old", "new", "leaver"), score, ones, ones, np.ones(queries))


def by_hand(fund_of_new: float) -> Scene:
    """Nine queries, nine dollars for each of the others; all is known exactly."""
    test, past = asked(flat(9)), asked(flat(6))
    known = Known(truth_of(test.outcomes), truth_of(past.outcomes))
    others = np.array([0, 2])
    apart = Known(columns_of(known.tested, others), columns_of(known.history, others))
    amounts = {"old": 9.0, "new": fund_of_new, "leaver": 9.0}
    funds = compile_funds([Fund(m, amount, models=(m,)) for m, amount in amounts.items()], test.outcomes.models)
    everything = Phase(9, np.ones(3, dtype=np.bool_), np.ones(3))
    world = World(np.arange(9), np.arange(9) / 9, 9, (everything,))
    case = Case(known.tested, known.history, truth_of(test.outcomes), funds, world, 0)
    ground = Ground(Request(Setting(9), probes=(2,)), test, past, known)
    return Scene(ground, Before(1, others, apart, SPACES), case, 1, 2, 3, 6)


@pytest.mark.parametrize(
    ("variant", "served", "performance"),
    [
        ("from-the-start", [1] * 9, 9.0),
        ("full-history", [2, 2, 2, 1, 1, 1, 1, 1, 1], 8.4),
        ("never", [2, 2, 2, 2, 2, 2, 0, 0, 0], 6.3),
        ("transfer", [2, 2, 2, 1, 1, 1, 1, 1, 1], 8.4),
        ("kmeans", [2, 2, 2, 1, 1, 1, 1, 1, 1], 8.4),
        ("mean", [2, 2, 2, 1, 1, 1, 1, 1, 1], 8.4),
        ("exploration", [2, 2, 2, 1, 1, 1, 1, 1, 1], 8.4),
    ],
)
def test_nine_queries_by_hand(variant: Variant, served: list[int], performance: float) -> None:
    """With money for all, every query goes to the best model that is there: 0.8 before joining, 1 after, 0.5 at last.

    from-the-start: 9 x 1. Joining after three: 3 x 0.8 + 6 x 1. Never: 6 x 0.8, and 3 x 0.5 once the leaver is gone.
    """
    scene, task = by_hand(9.0), task_of(variant)
    trip = ride(scene, task)
    assert trip.model.tolist() == served
    row = make_row(scene, task, trip, 0.0)
    assert row.performance == pytest.approx(performance)
    assert row.cost_usd == pytest.approx(9.0)
    assert row.spent_usd == pytest.approx(served.count(1))
    assert row.served_by_newcomer == served.count(1)
    assert row.progress[0] == 0.0
    assert row.progress[-1] == pytest.approx(performance)
    assert row.probes_usd == (2.0 if variant in ("transfer", "kmeans", "mean") else 0.0)


@pytest.mark.parametrize("variant", [variant for variant in ALL if variant != "never"])
def test_a_short_fund_is_not_overspent(variant: Variant) -> None:
    """With three dollars the newcomer serves at most three queries, and nobody goes without for that."""
    trip = ride(by_hand(3.0), task_of(variant))
    assert 1 <= (trip.model == 1).sum() <= 3
    assert (trip.model >= 0).all()
    assert trip.remaining.min() >= 0


def test_a_fund_that_pays_for_nothing_changes_nothing() -> None:
    """A newcomer that can't be paid even once is never explored: the ride is that of `never`."""
    never, explored = ride(by_hand(0.5), task_of("never")), ride(by_hand(0.5), task_of("exploration"))
    assert explored.model.tolist() == never.model.tolist()


# ---- random worlds


@dataclass(frozen=True)
class Made:
    scene: Scene
    test: Outcomes
    past: Outcomes


def made(queries: int = 600, models: int = 5, *, seed: int = 0, order: int = 0) -> Made:
    """A random world in which model 2 joins and model 1 leaves; estimates are noisy views of the truth."""
    names = ("a", "leaver", "new", "d", "e", "f", "g")[:models]
    test, past = (replace(outcomes(queries, models, seed + more), models=names) for more in (0, 10_000))
    known = Known(estimates_of(test, seed), estimates_of(past, seed + 10_000))
    others = np.delete(np.arange(models), 2)
    apart = Known(columns_of(known.tested, others), columns_of(known.history, others))
    ground = Ground(Request(Setting(queries, seed=seed), factor=0.6, probes=(8, 30)), asked(test), asked(past), known)
    before = Before(2, others, apart, SPACES)
    return Made(make_scene(ground, before, task_of("never", order=order)), test, past)


@pytest.mark.parametrize("variant", ALL)
@pytest.mark.parametrize("seed", [0, 1])
def test_nobody_is_served_by_who_is_not_there(variant: Variant, seed: int) -> None:
    """Nothing goes to the newcomer before it joins, nor to the leaver after it left, and no fund is overspent."""
    scene = made(seed=seed).scene
    trip = ride(scene, task_of(variant, 8))
    joins = {"from-the-start": 0, "never": 600}.get(variant, 200)
    assert not (trip.model[:joins] == 2).any()
    assert variant == "never" or (trip.model[joins:] == 2).any()
    assert not (trip.model[400:] == 1).any()
    assert (trip.model[:400] == 1).any()
    assert trip.remaining.min() >= 0
    assert (trip.drawn().sum(axis=0) <= scene.case.funds.budget * (1 + 1e-12)).all()
    np.testing.assert_allclose(trip.drawn().sum(axis=0) + trip.remaining, scene.case.funds.budget)


def test_the_leaver_keeps_what_it_has_left() -> None:
    """What the leaver has not spent when it leaves is there at the end."""
    scene = made().scene
    trip = Ride(scene.case)
    trip.play(Paced(), scene.everyone(), scene.leaves)
    left = trip.remaining[1]
    trip.play(Paced(), scene.everyone().without(1), scene.arrivals)
    assert left > 0
    assert trip.remaining[1] == left


def test_a_model_that_is_not_there_has_neither_column_nor_fund() -> None:
    """The snapshot after leaving knows no estimate and no fund of the leaver, so no price of it can matter."""
    scene = made().scene
    gone = scene.everyone().without(1)
    funds, kept = funds_among(scene.case.funds, scene.case.funds.budget, gone.columns)
    assert gone.columns.tolist() == [0, 2, 3, 4]
    assert gone.arrivals.quality.shape == (600, 4)
    assert funds.names == ("a", "new", "d", "e")
    assert kept.tolist() == [0, 2, 3, 4]
    assert funds.draws.shape == (4, 4)


def test_never_is_a_replay_without_the_model() -> None:
    """Until the leaver leaves, `never` decides what a plain replay decides in a world that has no such model."""
    one = made()
    scene, others = one.scene, np.array([0, 1, 3, 4])
    case, test = scene.case, one.test.only(others)
    amounts = case.funds.budget[others]
    funds = compile_funds(
        [Fund(m, float(b), models=(m,)) for m, b in zip(test.models, amounts, strict=True)], test.models
    )
    phase = Phase(600, np.ones(4, dtype=np.bool_), np.ones(4))
    world = replace(case.world, phases=(phase,))
    estimates = scene.before.known.tested.take(world.order)
    plain = replay(
        Paced(), Case(estimates, scene.before.known.history, truth_of(test).take(world.order), funds, world, case.seed)
    )
    trip = ride(scene, task_of("never"))
    assert trip.model[:400].tolist() == np.where(plain.model >= 0, others[plain.model], -1)[:400].tolist()


def test_exploration_starts_with_its_first_queries() -> None:
    """Right after joining the first n queries go to the newcomer; then it is one of many."""
    trip = ride(made().scene, task_of("exploration", 8))
    assert (trip.model[200:208] == 2).all()
    assert not (trip.model[208:] == 2).all()


def test_live_outcomes_tell_nothing_of_the_others() -> None:
    """Queries that went to the newcomer are its probes, in their true scores; the others were not asked them."""
    one = made()
    trip = ride(one.scene, task_of("exploration", 8))
    probes = live_probes(trip, one.scene)
    served = one.scene.case.world.order[trip.served_by(2)]
    np.testing.assert_array_equal(probes.asked.score[:, 0], one.test.score[served, 2])
    assert probes.asked.models == ("new",)
    assert probes.known.models == ("a", "leaver", "d", "e")
    assert np.isnan(probes.known.score).all()
    assert np.isnan(probes.known.cost_usd).all()


def test_fewer_probes_are_a_prefix_of_more() -> None:
    """Probes are rows of the history; 8 are the first of 30, and another order of arrivals has others."""
    scene = made().scene
    rows = probe_rows(scene, 30)
    assert len(set(rows.tolist())) == 30
    assert probe_rows(scene, 8).tolist() == rows[:8].tolist()
    assert probe_rows(made(order=1).scene, 30).tolist() != rows.tolist()
    probes, past = random_probes(scene, 8), scene.ground.history.outcomes
    np.testing.assert_array_equal(probes.asked.score[:, 0], past.score[rows[:8], 2])
    np.testing.assert_array_equal(probes.known.score, past.score[rows[:8]][:, [0, 1, 3, 4]])


def test_the_newcomer_gets_a_column_for_arrivals_and_history() -> None:
    """Prices are solved with the newcomer's estimated history: its column there is the space's, the others' stay."""
    scene = made().scene
    probes = random_probes(scene, 8)
    known = with_newcomer(scene, MeanSpace(), probes)
    mean = probes.asked.score.mean()
    np.testing.assert_allclose(known.history.quality[:, 2], mean)
    np.testing.assert_allclose(known.arrivals.quality[:, 2], mean)
    np.testing.assert_array_equal(known.history.quality[:, [0, 1, 3, 4]], scene.before.known.history.quality)
    expected = scene.before.known.tested.cost_usd[scene.case.world.order]
    np.testing.assert_array_equal(known.arrivals.cost_usd[:, [0, 1, 3, 4]], expected)


@pytest.mark.parametrize("variant", ALL)
def test_the_same_seed_rides_the_same_way(variant: Variant) -> None:
    """Two rides from the same task serve every query alike."""
    first, second = (ride(made().scene, task_of(variant, 8)) for _ in range(2))
    assert first.model.tolist() == second.model.tolist()


def test_budgets_are_those_of_all_models() -> None:
    """The newcomer's fund is part of the total, whether it joins or not."""
    scene = made().scene
    total = 0.6 * scene.ground.test.outcomes.cost_usd.sum(axis=0).min()
    assert make_case(scene.ground, 0).funds.budget.sum() == pytest.approx(total)
    assert scene.case.funds.names == scene.ground.models


def test_a_stretch_is_a_world_of_its_own() -> None:
    """The last six of nine queries: time from 0, six still to come, of the world's own order."""
    phase = Phase(9, np.ones(3, dtype=np.bool_), np.ones(3))
    world = World(np.arange(9)[::-1], np.arange(9) / 9, 9, (phase,))
    part = stretch(world, 3, 6, 2)
    assert part.order.tolist() == [5, 4, 3]
    np.testing.assert_allclose(part.elapsed, [0, 1 / 6, 2 / 6])
    assert part.forecast == 6
    assert part.phases[0].stop == 3
    assert stretch(replace(world, forecast=18), 3, 6, 2).forecast == 12


def test_inserted_columns_can_be_taken_out_again() -> None:
    """A column put in before column 1 is column 1, and without it all is as before."""
    rng = np.random.default_rng(0)
    tables = [rng.random((4, 3)) for _ in range(4)]
    one = Estimates(*(table[:, :1] + 1 for table in tables))
    joined = insert_column(Estimates(*tables), one, 1)
    np.testing.assert_array_equal(joined.quality[:, 1], one.quality[:, 0])
    back = Knowledge(np.arange(4), joined, joined).without(1)
    np.testing.assert_array_equal(back.history.spread, tables[3])
    assert back.columns.tolist() == [0, 2, 3]


def test_arrivals_come_in_their_order() -> None:
    """What is known of the arrivals is in the case's order, the history's rows as they were."""
    scene = made().scene
    known = arriving(scene.ground.known, np.arange(5), scene.case)
    np.testing.assert_array_equal(known.arrivals.quality, scene.ground.known.tested.quality[scene.case.world.order])
    assert known.history is scene.ground.known.history
