"""Exploration: who may be drawn, how often, with which propensity, and what the journal keeps of a decision."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from made_finished import finished
from made_serving import ADMIN, DAY, USD, Board, chat, model, scheme_of, settings_of
from pointsman.errors import InputError
from pointsman.pool.registry import read_settings
from pointsman.pool.settings import Alias, FundRule, RoutingSettings
from pointsman.serve.again.basis import Basis
from pointsman.serve.exploring import Explorer
from pointsman.serve.journal_file import body_of, read_body
from pointsman.serve.plan import Plan
from pointsman.serve.wire.query import Query

MODELS = tuple(model(f"made/{name}") for name in ("best", "good", "fair", "poor"))
QUALITY = (0.9, 0.8, 0.7, 0.1)
COSTS = (0.04, 0.03, 0.02, 0.01)


def board(explore: float = 0.2, **sections: Any) -> Board:
    """Four models that only chance would choose between."""
    routing = RoutingSettings(explore=explore)
    made = Board(scheme_of(settings_of(*MODELS, routing=routing, **sections), quality=QUALITY, cost_usd=COSTS))
    made.switchboard.lots = random.Random(7)
    return made


def decide(made: Board, *queries: Query) -> list[Plan]:
    async def go() -> list[Plan]:
        return list(await asyncio.gather(*(made.switchboard.decide(query, ADMIN) for query in queries)))

    return asyncio.run(go())


def test_propensities_by_hand() -> None:
    """A fifth left to chance among four: 0.05 for each of them, and 0.8 more for the rule's best."""
    explorer = Explorer(0.2, random.Random(1), {})
    found = {explorer.draw(0, [0, 1, 2, 3]) for _ in range(400)}
    assert {(one.column, round(one.propensity, 9)) for one in found} == {(0, 0.85), (1, 0.05), (2, 0.05), (3, 0.05)}
    assert {round(one.propensity, 9) for one in found if one.column == 0} == {0.85}


def test_a_best_that_chance_may_not_draw_and_no_exploration() -> None:
    """A best model that its funds can't pay expectedly keeps 1 − e; a rate of zero leaves nothing to chance."""
    lots = random.Random(1)
    found = {Explorer(0.2, lots, {}).draw(0, [2, 3]) for _ in range(400)}
    assert {(one.column, round(one.propensity, 9)) for one in found} == {(0, 0.8), (2, 0.1), (3, 0.1)}
    assert Explorer(0.0, lots, {}).draw(1, [0, 1]).propensity == 1.0
    assert Explorer(0.2, lots, {}).draw(1, []).propensity == 1.0


@given(rate=st.floats(0.0, 0.2), best=st.integers(0, 5), eligible=st.sets(st.integers(0, 5)))
def test_propensities_of_all_first_choices_sum_to_one(rate: float, best: int, eligible: set[int]) -> None:
    """Whatever the rate and whoever may be drawn: the probabilities told of the possible choices add up."""
    listed = sorted(eligible)
    found: dict[int, float] = {}
    for seed in range(300):
        one = Explorer(rate, random.Random(seed), {}).draw(best, listed)
        found[one.column] = one.propensity
    share = rate / len(listed) if listed else 0.0
    for column in listed:
        found.setdefault(column, share)
    found.setdefault(best, 1.0 - rate)
    assert sum(found.values()) == pytest.approx(1.0)


def test_choices_come_as_often_as_their_propensity_says() -> None:
    """Of 2,000 queries each model is the first choice in its share, within four standard deviations."""
    made, count = board(), 2_000
    plans = [plan for _ in range(20) for plan in decide(made, *[chat() for _ in range(count // 20)])]
    seen = Counter(plan.scheme.models[plan.ranked[0]].id for plan in plans)
    for name, share in (("best", 0.85), ("good", 0.05), ("fair", 0.05), ("poor", 0.05)):
        assert abs(seen[f"made/{name}"] - share * count) < 4 * (count * share * (1 - share)) ** 0.5
    told = {(plan.ranked[0], round(plan.propensity or 0.0, 9)) for plan in plans}
    assert told == {(0, 0.85), (1, 0.05), (2, 0.05), (3, 0.05)}
    drawn = [plan for plan in plans if plan.reason == "explored"]
    assert 0.15 * count < len(drawn) < 0.25 * count
    assert all(plan.leans.explored == (0.2, 4) for plan in drawn)
    assert all(sorted(plan.ranked) == [0, 1, 2, 3] for plan in plans)


def test_chance_draws_only_what_can_be_paid_expectedly() -> None:
    """A fund of two cents pays the two cheaper models: the others are never drawn, and the best keeps 1 − e."""
    made = board(funds=(FundRule("all", USD // 50),))
    plans = [decide(board_of_same(made), chat())[0] for _ in range(150)]
    firsts = {plan.leans.explored and plan.leans.explored[1] for plan in plans}
    assert firsts == {None, 2}
    assert {plan.ranked[0] for plan in plans if plan.reason == "explored"} <= {2, 3}


def board_of_same(made: Board) -> Board:
    """The same scheme over a fresh ledger, so that nothing is spent yet; the lots go on."""
    fresh = Board(made.scheme)
    fresh.switchboard.lots = made.switchboard.lots
    return fresh


def test_where_the_ledger_refuses_the_first_choice_nobody_knows_the_propensity() -> None:
    """The next best is held for, the reason says so, and the row is good for no weighting."""
    made = board(0.0, funds=(FundRule("dear", 0, models=("made/best",)),))
    (plan,) = decide(made, chat())
    assert (plan.scheme.models[plan.column].id, plan.reason, plan.place) == ("made/good", "best_payable", 1)
    assert plan.propensity is None


def test_a_named_model_has_no_propensity() -> None:
    """What the client chose is neither explored nor weighted."""
    plans = decide(board(), *[chat("made/fair")] * 30)
    assert {(plan.reason, plan.propensity) for plan in plans} == {("named", None)}


def test_a_conversation_stays_and_is_not_explored() -> None:
    """Where a conversation was served before, nothing is left to chance: the rule's choice is certain."""
    made = board()
    made.recalled = ("made/good", 10)
    turns = [{"role": who, "content": "and then?"} for who in ("user", "assistant", "user")]
    plans = decide(made, *[chat(messages=turns) for _ in range(60)])
    assert {(plan.ranked[0], plan.propensity) for plan in plans} == {(0, 1.0)}
    assert {plan.leans.stays and plan.leans.stays[0] for plan in plans} == {1}


def test_a_query_that_is_only_considered_draws_no_lot() -> None:
    """`/v1/explain` tells the rule's choice, always."""
    made = board()
    plans = [asyncio.run(made.switchboard.consider(chat(), ADMIN)) for _ in range(60)]
    assert {(plan.ranked[0], plan.propensity, plan.reason) for plan in plans} == {(0, None, "best")}


def test_limits_of_cost_hold_for_chance_too() -> None:
    """An alias that may cost two and a half cents draws among the two models within it."""
    made = board(aliases=(Alias("auto", max_cost_nano=USD // 40),))
    plans = decide(made, *[chat() for _ in range(200)])
    assert {plan.ranked[0] for plan in plans} == {2, 3}
    assert all(plan.leans.limit_usd == 0.025 for plan in plans)


def test_what_the_journal_keeps_of_a_decision() -> None:
    """By hand: prices and who draws, the knob, the order, what the ledger refused; as JSON, in few bytes."""
    funds = (FundRule("all", USD), FundRule("dear", 0, models=("made/best", "made/good")))
    scheme = scheme_of(settings_of(*MODELS, funds=funds), quality=QUALITY, cost_usd=COSTS, prices={"all": 2.0})
    (plan,) = decide(Board(replace(scheme, fit="f1")), chat())
    kept = read_body(body_of(finished(candidates=plan.candidates, basis=Basis(plan), propensity=plan.propensity)))
    basis = kept["basis"]
    assert basis["funds"] == {"all": ["usd", 2.0, None], "dear": ["usd", 0.0, [0, 1]]}
    assert (basis["fit"], basis["day"], basis["scarcity"], basis["ceiling"]) == (
        "f1",
        "2026-11-01",
        "serve-cheapest",
        "limit",
    )
    assert (basis["ranked"], basis["place"]) == ([0, 1, 2, 3], 2)
    assert [name for name, _ in basis["passed"]] == ["made/best", "made/good"]
    assert basis["passed"][0][1][1][0] == "dear"
    assert [one["quality"] for one in kept["candidates"]] == list(QUALITY)
    assert len(orjson.dumps(basis)) < 400
    assert kept["propensity"] is None


def test_the_rate_is_limited(tmp_path: Path) -> None:
    """More than a fifth of the queries is refused with the line."""
    path = tmp_path / "pointsman.yaml"
    given = {
        "models": [
            {"id": "made/a", "base_url": "http://127.0.0.1:9/v1", "rates": {"input": 1, "output": 1}, "key": "none"}
        ]
    }
    for rate, good in ((0.2, True), (0.3, False), (-0.1, False)):
        path.write_text(yaml.safe_dump(given | {"routing": {"explore": rate}}))
        if good:
            assert read_settings(path, {}, DAY).routing.explore == rate
            continue
        with pytest.raises(InputError) as caught:
            read_settings(path, {}, DAY)
        assert "explore" in str(caught.value)
