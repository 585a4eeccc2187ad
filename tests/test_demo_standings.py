"""The demo's end table: the same traffic, estimates, money and failures for every policy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from pointsman.demo.plan import Plan, Planned
from pointsman.demo.report import Account, Live, json_of, live_of, sentences_of, table_of
from pointsman.demo.scene import Scene, simulated_scene, without
from pointsman.demo.standings import (
    POLICIES,
    Joined,
    Known,
    chapters,
    fund_table,
    phases,
    ridden,
    standing,
    standings,
)
from pointsman.demo.told import Event
from pointsman.demo.traffic import Answer
from pointsman.demo.watching import Glance, clock, of_model, shown
from pointsman.estimate.embedders import load_embedder
from pointsman.records import Estimates, Outcomes, Prompts


@dataclass(frozen=True)
class Knowing:
    """An estimator that knows the truth of a scene's traffic, by its texts."""

    outcomes: Outcomes

    @property
    def models(self) -> tuple[str, ...]:
        return self.outcomes.models

    def estimate(self, prompts: Prompts) -> Estimates:
        row = {text: i for i, text in enumerate(self.outcomes.texts)}
        rows = [row[text] for text in prompts.texts]
        return estimates_of(self.outcomes.take(np.array(rows, np.int64)))


def estimates_of(outcomes: Outcomes) -> Estimates:
    tokens = outcomes.output_tokens + outcomes.input_tokens[:, None]
    return Estimates(outcomes.score, outcomes.cost_usd, tokens, np.zeros_like(tokens))


def known_of(outcomes: Outcomes) -> Known:
    return Known(Knowing(outcomes), estimates_of(outcomes))


def by_hand() -> Scene:
    """Four queries a second apart; `good` is right and dear, `bad` wrong and cheap, and `good` fails for the third."""
    queries = tuple(Planned(row, float(row), "search", False, False) for row in range(4))
    plan = Plan(4.0, 1.0, queries, 0.5, 1.5, 2.5)
    traffic = Outcomes(
        [f"q{i}" for i in range(4)],
        [f"text {i}" for i in range(4)],
        ["d"] * 4,
        ("x/good", "x/bad"),
        np.tile([1.0, 0.25], (4, 1)),
        np.tile([1.0, 0.1], (4, 1)),
        np.tile([10.0, 10.0], (4, 1)),
        np.full(4, 5.0),
    )
    funds = {"x/good": 10.0, "x/bad": 10.0}
    entries: dict[str, Any] = {"x/good": {}, "x/bad": {}}
    return Scene("by hand", entries, traffic, traffic, plan, "x/new", "x/good", funds, (), {})


def test_best_first_by_hand() -> None:
    """With money for everything the best model serves all but what comes while it fails, which goes to the other."""
    scene = by_hand()
    told = chapters(scene, scene.traffic, known_of(scene.traffic), None, load_embedder("wordllama"))
    model = ridden(POLICIES["best-first"], scene, scene.traffic, told, fund_table(scene, 0.0), 0)
    assert model.tolist() == [0, 0, 1, 0]
    found = standing("best-first", scene, scene.traffic, model)
    assert found.quality == pytest.approx((3 * 1.0 + 0.25) / 4)
    assert found.cost_usd == pytest.approx(3.1)
    assert found.served == 1.0


def test_no_policy_goes_where_money_or_the_model_is_missing() -> None:
    """With money for one good answer, every policy gives at most one, and none while the model fails."""
    scene = replace(by_hand(), funds_usd={"x/good": 1.5, "x/bad": 0.25})
    told = chapters(scene, scene.traffic, known_of(scene.traffic), None, load_embedder("wordllama"))
    for policy in POLICIES.values():
        model = ridden(policy, scene, scene.traffic, told, fund_table(scene, 0.0), 1)
        assert Counter(model.tolist())[0] <= 1
        assert Counter(model.tolist())[1] <= 2
        assert model[2] != 0


def test_phases_by_hand() -> None:
    """The failing model is down from its failure to its return, counted within each chapter."""
    scene = by_hand()
    first = phases(scene, slice(0, 4), ["x/good", "x/bad"])
    assert [(one.stop, one.open_models.tolist()) for one in first] == [
        (2, [True, True]),
        (3, [False, True]),
        (4, [True, True]),
    ]
    late = phases(scene, slice(2, 4), ["x/good", "x/bad"])
    assert [(one.stop, one.open_models.tolist()) for one in late] == [(1, [False, True]), (2, [True, True])]


def test_paced_leads_when_all_know_the_truth() -> None:
    """On the demo's own traffic with perfect estimates, prices beat the other policies under the same funds."""
    scene = simulated_scene(60, 6, seed=4)
    found = standings(
        scene,
        known_of(without(scene.traffic, scene.newcomer)),
        Joined(30.0, known_of(scene.traffic), 0.0),
        load_embedder("wordllama"),
        0,
    )
    assert found[0].policy == "paced"
    assert {one.policy for one in found} == set(POLICIES)
    total = sum(scene.funds_usd.values())
    for one in found:
        assert one.cost_usd <= total
        assert sum(one.shares.values()) == pytest.approx(one.served)


def test_the_newcomer_serves_nobody_before_it_came() -> None:
    """Before it was taken in the newcomer has no column; what its probes took is off its fund."""
    scene = simulated_scene(60, 6, seed=4)
    known = known_of(without(scene.traffic, scene.newcomer))
    traffic = scene.traffic.take(np.array([one.row for one in scene.plan.queries], np.int64))
    joined = Joined(30.0, known_of(scene.traffic), 1e-4)
    told = chapters(scene, traffic, known, joined, load_embedder("wordllama"))
    model = ridden(POLICIES["best-first"], scene, traffic, told, fund_table(scene, joined.spent_usd), 0)
    column = scene.ids.index(scene.newcomer)
    turn = scene.plan.arrived(30.0)
    assert not (model[:turn] == column).any()
    assert (model[turn:] == column).any()
    before, after = fund_table(scene, 0.0).budget, fund_table(scene, 1e-4).budget
    assert (before - after)[column] == pytest.approx(1e-4)


def test_live_line_by_hand() -> None:
    """Queries that nobody served count as nothing, those that no grader can judge not at all; probes are told apart."""
    scene = by_hand()
    one = scene.plan.queries[0]
    answers = [
        Answer(one, "served", "x/good", 1.0, 0.1),
        Answer(one, "served", "x/bad", None, 0.2),
        Answer(one, "refused", None, None, 0.3, "budget_exceeded"),
    ]
    balances: list[dict[str, Any]] = [
        {"fund": "good", "spent_usd": "1.5", "overrun_usd": "0.1", "held": 0},
        {"fund": "key:search:rpm", "unit": "requests"},
    ]
    live = live_of(scene, answers, 4, balances, 0.5, ledger_ok=True)
    assert live.quality == pytest.approx(1 / 3)  # of four queries, one of which nobody can judge
    assert (live.served, live.refused, live.failed) == (2, 1, 1)
    assert live.cost_usd == pytest.approx(1.0)
    assert live.overrun_usd == pytest.approx(0.1)
    assert live.by_model == {"x/good": 1, "x/bad": 1}


def test_account_can_be_told() -> None:
    """Table, sentences and JSON hold every policy and the live line, and say that a demo was stopped early."""
    scene = by_hand()
    made = [standing(name, scene, scene.traffic, np.array([0, 0, -1, 1])) for name in POLICIES]
    live = Live(4, 0.5, 1.0, 0.0, 3, 1, 0, {"budget_exceeded": 1}, {"x/good": 3}, 0.0, ledger_ok=True)
    account = Account(scene, 0, 1.0, 2.0, 3.0, [Event(1.0, "plugged_in", "…")], made, live)
    assert table_of(account).row_count == len(POLICIES) + 1
    said = " ".join(sentences_of(account))
    for words in ("stopped after 0:03", "1 budget_exceeded", "in balance", "replays are without it"):
        assert words in said
    told = json_of(account)
    assert [one["policy"] for one in told["policies"]] == list(POLICIES)
    assert told["live"]["ledger_ok"] is True


def test_glance_shows_models_alone() -> None:
    """The panel lists the models' funds and no key's."""
    balances: list[dict[str, Any]] = [
        {"fund": "good", "amount_usd": "2", "remaining_usd": "1.5", "spent_usd": "0.5", "price": 3.0},
        {"fund": "key:search:requests", "unit": "requests", "price": None},
    ]
    glance = Glance(61.0, 180.0, 8.0, 5, 4, 1, balances, Counter({"x/good": 4}), "nothing")
    assert shown(glance) is not None
    assert [of_model(one) for one in balances] == [True, False]
    assert clock(61.9) == "1:01"
