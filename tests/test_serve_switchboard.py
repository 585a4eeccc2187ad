"""Decisions for single queries and batches: the hard filters, the one rule, the wishes, what is held."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_serving import ADMIN, USD, Board, Shaky, chat, model, priced, rates, scheme_of, settings_of
from pointsman.ledger.entries import Ending, Held, Line
from pointsman.pool.settings import Alias, FundRule, RoutingSettings, Scarcity, WindowRule
from pointsman.serve import switchboard as module
from pointsman.serve.access import Principal
from pointsman.serve.conversations import conversation, session_digest
from pointsman.serve.deciding import LEAST_CEILING
from pointsman.serve.plan import Plan
from pointsman.serve.scheme import Scheme
from pointsman.serve.switchboard import OPTIONS, Switchboard
from pointsman.serve.till import Till
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.query import Query

TEXT = frozenset({"streaming"})
ALL = FundRule("all", 1_000 * USD)
MODELS = (
    model("acme/big", price=rates(5, 20, cached=0.5), capabilities=TEXT | {"tools", "vision"}, tags=frozenset({"eu"})),
    model("acme/mid", price=rates(1, 4, cached=0.1), capabilities=TEXT | {"tools"}, context_tokens=2_000),
    model("other/small", price=rates(0.1, 0.4), capabilities=TEXT, tags=frozenset({"eu", "fast"})),
    model("other/vectors", price=rates(0.02, 0), capabilities=frozenset({"embeddings"})),
)
QUALITY = (0.9, 0.7, 0.5, 0.1)
COST = (0.02, 0.005, 0.0005, 0.00001)


def plan_of(board: Board, query: Query, principal: Principal = ADMIN) -> Plan:
    return asyncio.run(board.switchboard.decide(query, principal))


def refused(board: Board, query: Query, principal: Principal = ADMIN) -> Refusal:
    with pytest.raises(Refusal) as caught:
        plan_of(board, query, principal)
    return caught.value


def made(*, quality: Sequence[float] = QUALITY, cost: Sequence[float] = COST, **sections: Any) -> Scheme:
    sections = {"funds": (ALL,), **sections}
    return scheme_of(settings_of(*MODELS, **sections), quality=quality, cost_usd=cost)


@pytest.fixture
def board() -> Board:
    return Board(made())


def asked_of(board: Board, query: Query, principal: Principal = ADMIN) -> set[str]:
    """Who passes the hard filters."""
    allowed = board.switchboard.admit(query, principal).allowed
    return {each.id for each, may in zip(MODELS, allowed, strict=True) if may}


def names(plan: Plan) -> list[str]:
    return [plan.scheme.models[i].id for i in plan.ranked]


# A decision


def test_a_decision_by_hand(board: Board) -> None:
    """Money for everyone: the best model first, then the next best, and the hold is the best one's bound."""
    plan = plan_of(board, chat(max_tokens=100))
    assert names(plan) == ["acme/big", "acme/mid", "other/small"]
    assert plan.reason == "best"
    assert plan.column == 0
    sent = int(plan.input_tokens * 1.3) + 1
    assert plan.first_held.lines[0].amount == sent * 5_000 + 100 * 20_000
    assert board.fund("all") == (plan.first_held.lines[0].amount, 0)
    assert plan.first_held.id == f"{plan.decision_id}:0"
    assert [one.model for one in plan.candidates] == names(plan)
    assert plan.candidates[0].score == pytest.approx(0.9)
    assert set(plan.stages_s) == {"decide", "hold"}


def test_a_price_turns_the_order_round() -> None:
    """At 20 of quality a dollar: .5 for the big one, .6 for the middle, .49 for the small one."""
    plan = plan_of(Board(priced(made(), all=20.0)), chat())
    assert names(plan) == ["acme/mid", "acme/big", "other/small"]
    assert plan.candidates[0].charge == pytest.approx(0.1)


def test_a_named_model_is_taken_as_named() -> None:
    """A client's own choice is asked alone, whatever it is worth, and the reason says so."""
    plan = plan_of(Board(priced(made(), all=1_000.0)), chat("acme/big"))
    assert names(plan) == ["acme/big"]
    assert plan.reason == "named"


def test_a_look_holds_nothing(board: Board) -> None:
    """`consider` makes the same decision without money, and is no traffic that prices are solved for."""
    plan = asyncio.run(board.switchboard.consider(chat(), ADMIN))
    assert names(plan)[0] == "acme/big"
    assert plan.held is None
    assert board.book.open_holds() == []
    assert board.witnessed == []


# Hard filters, one by one


def test_an_unknown_model_is_not_found(board: Board) -> None:
    """404 with the parameter's name, in words that a client knows."""
    refusal = refused(board, chat("gpt-9"))
    assert (refusal.status, refusal.param, refusal.code) == (404, "model", "model_not_found")


def test_aliases_go_by_both_names(board: Board) -> None:
    """`auto` and `pointsman/auto` are the same."""
    assert asked_of(board, chat("auto")) == asked_of(board, chat("pointsman/auto"))


def test_a_key_keeps_to_its_models(board: Board) -> None:
    """Its patterns limit an alias; a model outside of them is forbidden by name, and so is an alias without any."""
    key = Principal("k", models=("other/*",))
    assert asked_of(board, chat(), key) == {"other/small"}
    assert refused(board, chat("acme/big"), key).status == 403
    assert refused(Board(made(aliases=(Alias("auto", models=("acme/big",)),))), chat(), key).status == 403


def test_an_alias_keeps_to_its_models_and_tags() -> None:
    """Its patterns and its tags both have to fit."""
    board = Board(made(aliases=(Alias("auto", models=("acme/*",)), Alias("eu", tags=("eu",)))))
    assert asked_of(board, chat("auto")) == {"acme/big", "acme/mid"}
    assert asked_of(board, chat("eu")) == {"acme/big", "other/small"}


def test_a_request_keeps_to_its_wishes(board: Board) -> None:
    """Allowed models and residency tags of the request; what leaves nobody is named."""
    assert asked_of(board, chat(pointsman={"models": ["*/mid", "other/small"]})) == {"acme/mid", "other/small"}
    assert asked_of(board, chat(pointsman={"residency": ["eu"]})) == {"acme/big", "other/small"}
    assert asked_of(board, chat(pointsman={"residency": ["eu", "fast"]})) == {"other/small"}
    for wish, param in (({"models": ["gpt-*"]}, "models"), ({"residency": ["mars"]}, "residency")):
        refusal = refused(board, chat(pointsman=wish))
        assert (refusal.type, refusal.param) == ("no_capable_model", param)


def test_what_a_query_needs_a_model_must_have(board: Board) -> None:
    """Tools and pictures go to models that have them, embeddings to embedding models, which answer nothing else."""
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    assert asked_of(board, chat(tools=tools)) == {"acme/big", "acme/mid"}
    assert asked_of(board, chat(messages=[{"role": "user", "content": picture}])) == {"acme/big"}
    assert asked_of(board, chat(shape="embeddings")) == {"other/vectors"}
    assert "other/vectors" not in asked_of(board, chat())
    assert refused(board, chat("other/small", tools=tools)).type == "no_capable_model"


def test_a_prompt_must_fit(board: Board) -> None:
    """12,000 characters are too much for a context of 2,000 tokens, and so is an answer of 1,990."""
    assert "acme/mid" in asked_of(board, chat())
    assert "acme/mid" not in asked_of(board, chat(content="word " * 2_400))
    assert "acme/mid" not in asked_of(board, chat(max_tokens=1_990))
    refusal = refused(board, chat("acme/mid", content="word " * 2_400))
    assert (refusal.type, refusal.param) == ("no_capable_model", "messages")


def test_a_cooling_endpoint_is_passed_over(board: Board) -> None:
    """A model without an open endpoint isn't a candidate; where that leaves nobody, the client may come again."""
    for _ in range(3):
        board.health.failed("acme/big@1", time.monotonic())
    assert names(plan_of(board, chat())) == ["acme/mid", "other/small"]
    refusal = refused(board, chat("acme/big"))
    assert (refusal.type, refusal.status, refusal.retry_after_s) == ("upstream_overloaded", 503, 5)


# The one rule


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Scheme, list[float], list[float], list[float], float | None, list[list[bool]]]:
    """Models, prices, a knob: everything that the rule looks at."""
    width = draw(st.integers(1, 6))
    quality = draw(st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=width, max_size=width))
    cost = draw(st.lists(st.integers(1, 60).map(lambda n: n / 1_000), min_size=width, max_size=width))
    funds = draw(st.integers(0, 3))
    draws = [draw(st.lists(st.booleans(), min_size=width, max_size=width)) for _ in range(funds)]
    prices = draw(st.lists(st.sampled_from([0.0, 0.0, 3.0, 17.0, 55.0]), min_size=funds, max_size=funds))
    knob = draw(st.sampled_from([None, 0.0, 2.0, 5.0, 9.0, 10.0]))
    scarcity: Scarcity = draw(st.sampled_from(["serve-cheapest", "decline", "queue"]))
    rules = tuple(
        FundRule(f"f{f}", 10**15, models=tuple(f"p/m{i}" for i in range(width) if row[i]) or ("none",))
        for f, row in enumerate(draws)
    )
    alias = Alias("auto", trade_off=knob, scarcity=scarcity, queue_s=0.001)
    made_of = settings_of(*(model(f"p/m{i}") for i in range(width)), funds=rules, aliases=(alias,))
    scheme = scheme_of(made_of, quality=quality, cost_usd=cost)
    return priced(scheme, **{f"f{f}": p for f, p in enumerate(prices)}), quality, cost, prices, knob, draws


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_the_one_rule_against_brute_force(
    world: tuple[Scheme, list[float], list[float], list[float], float | None, list[list[bool]]],
) -> None:
    """Worth is quality less charges; what has any is asked by worth less the knob's price, the rest by cost or not."""
    scheme, quality, cost, prices, knob, draws = world
    alias = scheme.settings.aliases[0]
    width = len(quality)
    worth = [
        quality[i] - sum(p for p, row in zip(prices, draws, strict=True) if row[i]) * cost[i] for i in range(width)
    ]
    money = 0.0 if knob is None else scheme.trade_off_price(knob)
    score = [worth[i] - money * cost[i] for i in range(width)]
    if any(abs(one) < 1e-7 for one in worth):
        return  # on the edge rounding decides
    good = sorted((i for i in range(width) if worth[i] > 0), key=lambda i: (round(-score[i], 9), i))
    rest = sorted((i for i in range(width) if worth[i] <= 0), key=lambda i: (round(-score[i], 9), i))
    rest.sort(key=lambda i: cost[i])
    board = Board(scheme)
    if alias.scarcity == "serve-cheapest":
        plan = plan_of(board, chat())
        assert [cost[i] for i in plan.ranked[len(good) :]] == [cost[i] for i in rest]
        assert plan.reason == ("cheapest_payable" if not good else plan.reason)
    elif good:
        plan = plan_of(board, chat())
        assert len(plan.ranked) == len(good)
    else:
        assert refused(board, chat()).type == "not_worth_it"
        assert board.book.open_holds() == []
        return
    assert [score[i] for i in plan.ranked[: len(good)]] == pytest.approx([score[i] for i in good], rel=1e-9, abs=1e-9)
    assert plan.column == plan.ranked[0]
    assert [one.score for one in plan.candidates] == pytest.approx(sorted(score, reverse=True), rel=1e-9, abs=1e-9)


def test_the_knob_from_end_to_end() -> None:
    """At 0 the best model is taken whatever it costs, at 10 the cheapest whatever it scores."""
    board = Board(made())
    assert names(plan_of(board, chat(pointsman={"trade_off": 0})))[0] == "acme/big"
    assert names(plan_of(board, chat(pointsman={"trade_off": 10}))) == ["other/small", "acme/mid", "acme/big"]


def test_the_requests_knob_beats_the_aliass() -> None:
    """An alias set to cheap is quality alone for a request that says 0; without a word, the alias counts."""
    board = Board(made(aliases=(Alias("auto", trade_off=10.0),)))
    assert names(plan_of(board, chat()))[0] == "other/small"
    assert names(plan_of(board, chat(pointsman={"trade_off": 0})))[0] == "acme/big"


def test_a_knob_never_declines() -> None:
    """The knob ranks what is worth its price in funds; it makes nothing worthless."""
    board = Board(made(aliases=(Alias("auto", trade_off=9.9, scarcity="decline"),)))
    assert len(names(plan_of(board, chat()))) == 3


def test_a_query_may_have_a_price_limit() -> None:
    """The smaller of the request's and the alias's limit on the expected cost counts, and none below it is an error."""
    board = Board(made(aliases=(Alias("auto", max_cost_nano=10_000_000),)))
    assert names(plan_of(board, chat())) == ["acme/mid", "other/small"]
    assert names(plan_of(board, chat(pointsman={"max_cost_usd": 0.001}))) == ["other/small"]
    assert names(plan_of(board, chat(pointsman={"max_cost_usd": 1}))) == ["acme/mid", "other/small"]
    for limit in (0.0001, 0):
        refusal = refused(board, chat(pointsman={"max_cost_usd": limit}))
        assert (refusal.type, refusal.code, refusal.param) == ("budget_exceeded", "max_cost", "max_cost_usd")


# Conversations

TURNS = [
    {"role": "user", "content": "Tell me."},
    {"role": "assistant", "content": "What?"},
    {"role": "user", "content": "All."},
]


def stays(gain: float, *, margin: float = 0.02, cached_tokens: int = 10) -> str:
    """Who gets the next turn of a conversation that the middle model served, where the big one is better by `gain`."""
    scheme = made(
        quality=(0.7 + gain, 0.7, 0.1, 0.1),
        cost=(0.002, 0.002, 0.002, 0.002),
        routing=RoutingSettings(stay_margin=margin),
    )
    board = Board(priced(scheme, all=100.0))
    board.recalled = ("acme/mid", cached_tokens)
    return names(plan_of(board, chat(messages=TURNS)))[0]


def test_a_conversation_stays_until_moving_pays() -> None:
    """It moves when the gain exceeds the margin and the charge for reading again what the old model has cached."""
    saved = 10 * 0.9e-6 * 100.0
    assert stays(0.02 + saved - 1e-5) == "acme/mid"
    assert stays(0.02 + saved + 1e-5) == "acme/big"
    assert stays(1e-6, margin=0.0, cached_tokens=0) == "acme/big"
    assert stays(0.05, margin=0.06, cached_tokens=0) == "acme/mid"


def test_staying_makes_nothing_worth_its_price() -> None:
    """The margin of a conversation ranks what is worth its price; a model that isn't stays unserved."""
    routing = RoutingSettings(stay_margin=0.5)
    scheme = made(quality=(0.1, 0.1, 0.1, 0.1), routing=routing, aliases=(Alias("auto", scarcity="decline"),))
    board = Board(priced(scheme, all=1_000.0))
    board.recalled = ("other/small", 0)
    assert refused(board, chat(messages=TURNS)).type == "not_worth_it"


def test_only_conversations_are_looked_up(board: Board) -> None:
    """A first turn has nothing to stay with; one with a session, or with turns before it, may. A named model stays."""
    board.recalled = ("other/small", 1_000)
    plan_of(board, chat())
    plan_of(board, chat("acme/big", messages=TURNS))
    assert board.asked_for == []
    plan_of(board, chat(pointsman={"session": "s"}))
    plan_of(board, chat(messages=TURNS), Principal("k"))
    assert [key for key, _ in board.asked_for] == ["master", "k"]


def test_a_model_that_is_gone_is_not_stayed_with(board: Board) -> None:
    """A conversation of a model that left the configuration is decided anew."""
    board.recalled = ("acme/retired", 1_000)
    assert names(plan_of(board, chat(messages=TURNS)))[0] == "acme/big"


def test_two_keys_share_no_conversation() -> None:
    """Where a conversation is remembered depends on the key and the digest, sessions and turns apart."""
    found = {conversation(key, digest) for key in ("a", "b", "") for digest in (b"1" * 16, session_digest("1"))}
    assert len(found) == 6
    assert conversation("a" * 200, b"x") == conversation("a" * 200, b"x")
    assert session_digest("\ud800") == session_digest("\ud800")


# Holds


def test_the_best_that_can_be_paid() -> None:
    """Where the best model's fund is empty, the next best is held for, and the reason says that it wasn't the best."""
    funds = (ALL, FundRule("big", 1, models=("acme/big",)))
    plan = plan_of(Board(made(funds=funds)), chat())
    assert (names(plan)[plan.first_held.option], plan.reason) == ("acme/mid", "best_payable")
    assert plan.column == 1


def test_more_models_than_one_hold_tries() -> None:
    """Where none of the first four can be paid, those after them are tried, and the answer says who."""
    models = [model(f"p/m{i}") for i in range(OPTIONS + 2)]
    funds = (FundRule("poor", 1, models=tuple(each.id for each in models[: OPTIONS + 1])),)
    quality = [0.9 - i / 10 for i in range(OPTIONS + 2)]
    board = Board(scheme_of(settings_of(*models, funds=funds), quality=quality))
    plan = plan_of(board, chat())
    assert plan.scheme.models[plan.column].id == f"p/m{OPTIONS + 1}"
    assert plan.reason == "best_payable"


def test_who_is_short_is_told_of_the_best_model() -> None:
    """With more models than one hold tries and money for none, the refusal names the fund of the best one."""
    models = [model(f"p/m{i}") for i in range(OPTIONS + 2)]
    funds = tuple(FundRule(f"f{i}", 0, models=(each.id,)) for i, each in enumerate(models))
    quality = [0.9 - i / 10 for i in range(OPTIONS + 2)]
    assert refused(Board(scheme_of(settings_of(*models, funds=funds), quality=quality)), chat()).code == "f0"


def test_a_refusal_for_money_says_when_to_come_again() -> None:
    """A fund that is spent for the minute gives its name and the seconds; one without a window gives no time."""
    rolling = Board(made(funds=(FundRule("rpm", 1, "requests", WindowRule("rolling", 60)),)))
    plan_of(rolling, chat())
    (hold,) = rolling.book.open_holds()
    rolling.book.end([Ending(hold.id, "post", (Line("rpm", 1),))], time.time_ns())
    refusal = refused(rolling, chat())
    assert (refusal.type, refusal.status, refusal.code) == ("budget_exceeded", 429, "rpm")
    assert refusal.retry_after_s is not None
    assert 1.0 <= refusal.retry_after_s <= 61.0
    empty = refused(Board(made(funds=(FundRule("all", 0),))), chat())
    assert (empty.code, empty.retry_after_s) == ("all", None)


@pytest.mark.parametrize(
    ("rule", "limit", "expected"),
    [
        ("limit", None, 400),  # the quantile: four times the 100 tokens expected
        ("limit", 2_000, 1_000),  # the request's own, as far as the model goes
        ("limit", 30, 30),
        ("quantile", 2_000, 400),
        ("quantile", 30, 30),
        ("model", None, 1_000),
        ("model", 30, 30),
    ],
)
def test_how_long_an_answer_may_get(rule: Any, limit: int | None, expected: int) -> None:
    """Ceilings by rule and by the request's limit, for a model with answers of at most 1,000 tokens."""
    one = model("p/m", max_output_tokens=1_000)
    scheme = scheme_of(settings_of(one, funds=(ALL,), routing=RoutingSettings(ceiling=rule)), quality=[0.5])
    assert plan_of(Board(scheme), chat(max_tokens=limit)).ceilings == [expected]
    both = plan_of(Board(scheme), chat(max_tokens=limit, n=3)).ceilings
    assert both == [3 * expected]


def test_short_answers_have_a_floor_and_vectors_none() -> None:
    """An expected length of nothing is still held for as some tokens; embeddings write none at all."""
    scheme = scheme_of(settings_of(*MODELS, funds=(ALL,)), quality=QUALITY, cost_usd=COST, output_tokens=0.0)
    assert plan_of(Board(scheme), chat()).ceilings[0] == LEAST_CEILING
    assert plan_of(Board(scheme), chat(shape="embeddings")).ceilings == [0] * 4


def test_the_next_hop_is_the_next_best(board: Board) -> None:
    """A further hop is held under an id of its own: the next model that wasn't tried and is up, or the same again."""
    plan = plan_of(board, chat())
    second = board.switchboard.next_hop(plan, 1, frozenset({0}))
    assert second is not None
    assert (second.id, plan.options[second.option].key) == (f"{plan.decision_id}:1", "acme/mid")
    again = board.switchboard.next_hop(plan, 2, frozenset({0, 1}), again=0)
    assert again is not None
    assert plan.options[again.option].key == "acme/big"
    for _ in range(3):
        board.health.failed("acme/mid@1", time.monotonic())
    third = board.switchboard.next_hop(plan, 3, frozenset({0}))
    assert third is not None
    assert plan.options[third.option].key == "other/small"
    assert board.switchboard.next_hop(plan, 4, frozenset({0, 1, 2})) is None
    assert len(board.book.open_holds()) == 4


def test_no_hop_without_money() -> None:
    """Where no fund can pay for another hop there is none."""
    board = Board(made(funds=(FundRule("calls", 1, "requests"),)))
    plan = plan_of(board, chat())
    assert board.switchboard.next_hop(plan, 1, frozenset({plan.column})) is None


# Batches


def together(board: Board, *queries: Query) -> list[Plan | BaseException]:
    async def all_at_once() -> list[Plan | BaseException]:
        return await asyncio.gather(*(board.switchboard.decide(q, ADMIN) for q in queries), return_exceptions=True)

    return asyncio.run(all_at_once())


def summary(plan: Plan) -> tuple[Any, ...]:
    scores = tuple(round(one.score, 9) for one in plan.candidates)
    return plan.ranked, plan.reason, plan.ceilings, plan.first_held.lines, scores


def test_a_batch_is_its_queries_one_by_one() -> None:
    """Queries of one turn, with all kinds of wishes, are decided as if each had come alone, and held for in one act."""
    queries = [
        chat(),
        chat(content="a longer one " * 20, max_tokens=50),
        chat("acme/mid"),
        chat(pointsman={"trade_off": 7}),
        chat(shape="embeddings"),
        chat(messages=TURNS, pointsman={"residency": ["eu"]}),
    ]
    funds = (ALL, FundRule("tpm", 10**6, "tokens"))
    crowd = Board(priced(made(funds=funds), all=12.0))
    crowd.recalled = ("other/small", 20)
    got = together(crowd, *queries)
    assert [len(drawn) for _, drawn, _ in crowd.witnessed] == [6]
    for query, found in zip(queries, got, strict=True):
        alone = Board(priced(made(funds=funds), all=12.0))
        alone.recalled = ("other/small", 20)
        assert isinstance(found, Plan), found
        assert summary(found) == summary(plan_of(alone, query))


def test_large_turns_are_cut() -> None:
    """No more queries than the configured batch are decided at once."""
    board = Board(made(routing=RoutingSettings(batch=4)))
    assert all(isinstance(one, Plan) for one in together(board, *[chat()] * 10))
    assert [len(drawn) for _, drawn, _ in board.witnessed] == [4, 4, 2]


def test_one_bad_query_spoils_no_batch() -> None:
    """A query that is refused in the middle of a batch is refused alone; the others are decided, each once."""
    board = Board(made(aliases=(Alias("auto"), Alias("strict", scarcity="decline")), quality=(0.9, 0.7, 0.5, 0.1)))
    board.switchboard.scheme = priced(board.scheme, all=10_000.0)
    got = together(board, chat(), chat("strict"), chat("auto"), chat(pointsman={"max_cost_usd": 1e-9}))
    assert [type(one).__name__ for one in got] == ["Plan", "Refusal", "Plan", "Refusal"]
    assert [one.type for one in got if isinstance(one, Refusal)] == ["not_worth_it", "budget_exceeded"]
    assert len(board.book.open_holds()) == 2


def test_a_batch_pays_once_for_each() -> None:
    """Ten queries of one turn against calls for six: six plans and four refusals, and no call too many."""
    board = Board(made(funds=(FundRule("calls", 6, "requests"),), routing=RoutingSettings(patience_s=0.01)))
    got = together(board, *[chat()] * 10)
    assert [isinstance(one, Plan) for one in got] == [True] * 6 + [False] * 4
    assert board.fund("calls") == (6, 0)


def test_a_swap_between_two_queries_of_a_turn() -> None:
    """Each query of a turn is decided under the scheme that it was admitted under."""
    board = Board(made())
    other = priced(made(), all=20.0)

    async def swap() -> list[Plan]:
        first = asyncio.ensure_future(board.switchboard.decide(chat(), ADMIN))
        await asyncio.sleep(0)
        return [await first]

    async def both() -> list[Plan]:
        asked = [board.switchboard.admit(chat(), ADMIN)]
        board.switchboard.scheme = other
        asked.append(board.switchboard.admit(chat(), ADMIN))
        return await asyncio.gather(*(board.switchboard._planned(one) for one in asked))

    assert [names(plan)[0] for plan in asyncio.run(both())] == ["acme/big", "acme/mid"]
    assert names(asyncio.run(swap())[0])[0] == "acme/mid"


def test_a_client_that_leaves_in_the_very_turn_holds_nothing(board: Board) -> None:
    """A decision cancelled before it is made holds nothing; one cancelled as it is made gives the money back."""

    async def leave() -> None:
        early = asyncio.ensure_future(board.switchboard.decide(chat(), ADMIN))
        await asyncio.sleep(0)
        early.cancel()
        late = asyncio.ensure_future(board.switchboard.decide(chat(), ADMIN))
        await asyncio.sleep(0)
        board.switchboard._turn()  # the money is held now, and the task hasn't heard of it
        assert len(board.book.open_holds()) == 1
        late.cancel()
        await asyncio.gather(early, late, return_exceptions=True)
        assert early.cancelled()
        assert late.cancelled()

    asyncio.run(leave())
    board.till.flush()
    assert board.book.open_holds() == []
    assert board.book.audit().ok


def test_a_store_that_fails_refuses_everyone(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a ledger nobody is served, and nothing is left held when it fails between two acts."""
    monkeypatch.setattr(module, "LEDGER_PATIENCE_S", 0.05)
    shaky = Shaky()
    till = Till(shaky, lambda what, why: None)
    till.declare(board.scheme.ledger_funds)
    switchboard = replace(board.switchboard, till=till)
    shaky.broken = True

    async def ask(switchboard: Switchboard) -> list[Any]:
        return await asyncio.gather(*(switchboard.decide(chat(), ADMIN) for _ in range(3)), return_exceptions=True)

    assert {one.type for one in asyncio.run(ask(switchboard))} == {"ledger_unavailable"}
    shaky.broken = False
    assert shaky.open_holds() == []


def test_a_ledger_that_is_locked_for_a_moment_is_waited_for(board: Board) -> None:
    """Queries that meet a busy store are put off, together, while the loop goes on; then they are served in order."""
    shaky = Shaky()
    till = Till(shaky, lambda what, why: None)
    till.declare(board.scheme.ledger_funds)
    switchboard = replace(board.switchboard, till=till)
    turns = 0

    async def story() -> list[Plan]:
        nonlocal turns
        shaky.broken = True
        tasks = [asyncio.ensure_future(switchboard.decide(chat(), ADMIN)) for _ in range(3)]
        for _ in range(10):
            await asyncio.sleep(0.02)
            turns += 1
        assert not any(task.done() for task in tasks)
        shaky.broken = False
        return list(await asyncio.gather(*tasks))

    plans = asyncio.run(story())
    assert turns == 10
    assert shaky.holds == [3]
    assert all(plan.held is not None for plan in plans)


def test_a_store_that_fails_at_the_second_try_keeps_the_first() -> None:
    """Who is held for in the first act of a turn is served, though the second act, for the others, fails."""
    models = [model(f"p/m{i}") for i in range(OPTIONS + 1)]
    funds = (FundRule("calls", 1, "requests"),)
    scheme = scheme_of(settings_of(*models, funds=funds), quality=[0.5] * len(models))
    board = Board(replace(scheme, settings=replace(scheme.settings, routing=RoutingSettings(patience_s=0.001))))

    class Once(Shaky):
        def hold(self, asks: Any, at_ns: int) -> Any:
            found = super().hold(asks, at_ns)
            self.broken = True
            return found

    once = Once()
    till = Till(once, lambda what, why: None)
    till.declare(scheme.ledger_funds)
    switchboard = replace(board.switchboard, till=till)

    async def ask() -> list[Any]:
        return await asyncio.gather(*(switchboard.decide(chat(), ADMIN) for _ in range(2)), return_exceptions=True)

    first, second = asyncio.run(ask())
    assert isinstance(first, Plan)
    assert isinstance(first.held, Held)
    assert isinstance(second, Refusal)
    assert [hold.id for hold in once.open_holds()] == [first.held.id]


def test_decision_ids_grow() -> None:
    """Ids are unique and grow with time, which keeps the ledger's index compact."""
    board = Board(made())
    ids = []
    for _ in range(3):
        ids.append(plan_of(board, chat()).decision_id)
        time.sleep(0.002)
    assert ids == sorted(set(ids))
    assert all(one.startswith("dec_") for one in ids)


def test_the_witness_sees_what_was_decided(board: Board) -> None:
    """Estimates, funds drawn on and allowed models of every query, in order."""
    together(board, chat(), chat("acme/mid"))
    ((estimates, drawn, allowed),) = board.witnessed
    assert estimates.quality.shape == (2, 4)
    assert drawn == [(0,), (0,)]
    assert allowed.tolist() == [[True, True, True, False], [False, True, False, False]]
    assert np.allclose(estimates.quality[0], QUALITY)
