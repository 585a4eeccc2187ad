"""How well a model is known after onboarding: recorded outcomes replayed through `onboard()`, routed under budgets.

As `pointsman bench plugin` does, one model joins after a third of the queries and another leaves after two thirds. The
newcomer comes in through `onboard()` with an upstream that replays what is recorded: probes are chosen among the rows
of the history, asked, graded by the recorded score, and the model is placed by its answers. Printed is the performance
(sum of the true scores of the served queries) as a share of that with the newcomer known by the whole history, for
chosen and for random probes, and with early stopping, which also says how many probes it asked.

    python benchmarks/onboarding.py --data data/openllm_lb_v2 [--probes 64] [--orders 2] [--newcomers 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pointsman.decide.policies import Paced
from pointsman.decide.program import FundTable
from pointsman.estimate.blend import fit_blend
from pointsman.estimate.unseen.extended import past_of
from pointsman.estimate.unseen.place import Probes
from pointsman.evaluate.plugin.ground import Asked, Before, Known, eligible_models, make_ground
from pointsman.evaluate.plugin.ground import Ground as Bench
from pointsman.evaluate.plugin.newcomer import Scene, make_scene, with_newcomer
from pointsman.evaluate.plugin.plan import Pair, Request, Task, draw_pairs
from pointsman.evaluate.plugin.ride import Knowledge, Ride
from pointsman.evaluate.plugin.spaces import MeanSpace, Spaces
from pointsman.evaluate.prepare import Setting, default_test
from pointsman.onboard.asking import Answered, Replaying
from pointsman.onboard.choosing import most_telling
from pointsman.onboard.folder import Folder, Plan, fingerprint_of
from pointsman.onboard.ground import TYPICAL_ROWS, Ground, Money, by_kind
from pointsman.onboard.ground import Known as KnownModels
from pointsman.onboard.run import Rim, asked_outcomes, onboard
from pointsman.outcomes import complete, read
from pointsman.pool.graders.grade import Grade, Reply
from pointsman.pool.probes.probe import Probe
from pointsman.records import Estimates, Ints, Outcomes

NANO = 1_000_000_000
MOST_HISTORY = 8_000
CANDIDATES = 2_000


@dataclass(frozen=True)
class Way:
    """How a newcomer comes in."""

    name: str
    chosen: bool
    stops: bool


WAYS = (Way("chosen", True, False), Way("random", False, False), Way("chosen, stops early", True, True))


@dataclass(frozen=True)
class Line:
    """What one way came to on one pair."""

    way: str
    of_full: float
    gained: float
    gainable: float
    asked: int


def main() -> None:
    """Runs all pairs and prints a line a pair and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of outcomes")
    parser.add_argument("--probes", type=int, default=64)
    parser.add_argument("--orders", type=int, default=2)
    parser.add_argument("--newcomers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began = time.perf_counter()
    outcomes, _ = complete(read(args.data), 0.97)
    test = default_test(len(outcomes))
    setting = Setting(test, history=min(MOST_HISTORY, len(outcomes) - test), seed=args.seed)
    request = Request(setting, orders=args.orders, newcomers=args.newcomers, probes=(args.probes,))
    bench = make_ground(outcomes, request)
    print(f"{outcomes.title}: {len(bench.models)} models, {test:,} tested, {len(bench.history.outcomes):,} of history")
    lines: list[Line] = []
    before: dict[str, tuple[Before, KnownModels]] = {}
    for pair in draw_pairs(eligible_models(bench), request):
        if pair.newcomer not in before:
            before[pair.newcomer] = known_before(bench, pair.newcomer)
        found = one_pair(bench, pair, *before[pair.newcomer], args.probes)
        lines += found
        shares = ", ".join(f"{line.way} {100 * line.of_full:.2f} % ({line.asked})" for line in found)
        print(f"  order {pair.order}, {pair.newcomer}: {shares}; {time.perf_counter() - began:.0f} s", flush=True)
    report(lines)


def report(lines: list[Line]) -> None:
    """Means over the pairs."""
    for way in WAYS:
        some = [line for line in lines if line.way == way.name]
        shares = [100 * line.of_full for line in some]
        gainable = sum(line.gainable for line in some)
        gain = 100 * sum(line.gained for line in some) / gainable if gainable > 0 else float("nan")
        asked = statistics.fmean(line.asked for line in some)
        print(
            f"{way.name}: {statistics.fmean(shares):.2f} % of full history's performance (least {min(shares):.2f} %), "
            f"{gain:.0f} % of what it gains, {asked:.1f} probes"
        )


def known_before(bench: Bench, newcomer: str) -> tuple[Before, KnownModels]:
    """What was known without the newcomer, as the plug-in bench and as an onboarding hold it."""
    column = bench.models.index(newcomer)
    others = np.delete(np.arange(len(bench.models)), column)
    history = bench.history.outcomes.only(others)
    fitted = fit_blend(history, bench.history.prompts, seed=bench.request.setting.seed)
    past = past_of(history, bench.history.prompts, fitted, bench.request.setting.seed)
    known = Known(fitted.estimator.estimate(bench.test.prompts), fitted.held_out)
    return Before(column, others, known, Spaces(past.space, {}, MeanSpace())), KnownModels(
        history, bench.history.prompts, past
    )


def one_pair(bench: Bench, pair: Pair, before: Before, known: KnownModels, probes: int) -> list[Line]:
    """Every way, from the same first third of the queries."""
    scene = make_scene(bench, before, Task("transfer", probes, pair))
    started = Ride(scene.case)
    started.play(Paced(), scene.others(), scene.joins)
    never = performance(started, scene, scene.others())
    full = performance(started, scene, scene.everyone())
    lines = []
    for way in WAYS:
        asked = onboarded(scene, started, known, way, probes)
        got = performance(started, scene, with_newcomer(scene, scene.before.spaces.transfer, asked))
        lines.append(Line(way.name, got / full, got - never, full - never, len(asked)))
    return lines


def performance(started: Ride, scene: Scene, knowledge: Knowledge) -> float:
    """The rest of a ride that has come to the newcomer's time."""
    trip = copy(started)
    trip.model, trip.remaining = started.model.copy(), started.remaining.copy()
    trip.play(Paced(), knowledge, scene.leaves)
    trip.play(Paced(), knowledge.without(scene.leaver), scene.arrivals)
    return float(trip.scores().sum())


def onboarded(scene: Scene, started: Ride, known: KnownModels, way: Way, n: int) -> Probes:
    """The newcomer through `onboard()`: what its answers came to, for placing it."""
    seed = scene.case.seed
    rows = np.random.default_rng((seed, 54, scene.newcomer)).permutation(len(known.history))[:CANDIDATES]
    past = scene.ground.history.take(rows)
    candidates = tuple(as_probe(past.outcomes, row) for row in range(len(rows)))
    answered = known.history.take(rows)
    telling = most_telling(candidates, n, known.past.space, past.prompts, answered)
    probes = telling if way.chosen else candidates[:n]
    at = np.array([int(probe.id) for probe in probes])
    ground = pool_at(scene, started, known, past.take(at))
    recorded = past.outcomes.only(np.array([scene.newcomer]))
    with tempfile.TemporaryDirectory() as folder:
        findings = onboard(*planned(folder, probes, recorded), ground, concurrency=1, stop_early=way.stops)
    done = [one for one in findings.kept if one.answer is not None]
    which = np.array([int(np.flatnonzero(at == int(one.probe_id))[0]) for one in done])
    return Probes(
        ground.probes.take(which),
        asked_outcomes(scene.ground.models[scene.newcomer], ground, which, done),
        answered.take(at[which]),
    )


def as_probe(outcomes: Outcomes, row: int) -> Probe:
    """A row of a history as a probe; its id is the row."""
    return Probe(str(row), outcomes.datasets[row], "medium", "und", outcomes.texts[row], {"kind": "recorded"})


def planned(folder: str, probes: tuple[Probe, ...], recorded: Outcomes) -> tuple[Plan, tuple[Probe, ...], Rim]:
    """A plan in a folder, its probes, and a rim that replays."""
    plan = Plan(recorded.models[0], tuple(one.id for one in probes), fingerprint_of(probes), "", 0, NANO, 0.0)
    kept = Folder(Path(folder))
    kept.write_plan(plan)
    score, cost, length = (table[:, 0] for table in (recorded.score, recorded.cost_usd, recorded.output_tokens))

    def answer(row: int) -> Answered:
        tokens = None if np.isnan(length[row]) else round(float(length[row]))
        return Answered(Reply(""), 0.0, round(float(cost[row]) * NANO), None, tokens)

    def grade(probe: Probe, _reply: Reply) -> Grade:
        return Grade(float(np.clip(score[int(probe.id)], 0.0, 1.0)), "recorded")

    ask = Replaying({probe.id: answer(int(probe.id)) for probe in probes})
    return plan, probes, Rim(ask, grade, kept, None, plan.model, lambda: 0.0, lambda _seconds: None)


def pool_at(scene: Scene, started: Ride, known: KnownModels, asked: Asked) -> Ground:
    """The pool at the newcomer's time: typical queries, and the money and the queries that are left."""
    others, newcomer = scene.before.others, scene.newcomer
    sampled = np.sort(np.random.default_rng((scene.case.seed, 55)).permutation(len(known.history))[:TYPICAL_ROWS])
    funds, order = scene.case.funds, np.append(others, newcomer)
    table = FundTable(funds.names, started.remaining, funds.unit, funds.draws[:, order])
    to_come = np.full(len(funds), float(scene.arrivals - scene.joins))
    return Ground(
        scene.ground.models[newcomer],
        known.models,
        held_out(known, sampled),
        known.prompts.take(sampled),
        by_kind([known.history.datasets[row] for row in sampled.tolist()]),
        known,
        sampled,
        Money(table, started.remaining, to_come),
        asked.prompts,
        asked.outcomes.only(others),
    )


def held_out(known: KnownModels, rows: Ints) -> Estimates:
    """Estimates of history rows that didn't see them; every row of the history is kept, it is short enough."""
    return known.past.held_out.take(rows)


if __name__ == "__main__":
    main()
