"""Where a prompt would go, without holding anything; who may send one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from made_serving import ADMIN, USD, Board, chat, model, priced, scheme_of, settings_of
from pointsman.pool.settings import Alias, FundRule
from pointsman.serve.plan import Plan
from pointsman.serve.ui.playground import chat_of, routed_json
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.reading import read_query

FUND = FundRule("all", 100 * USD)


def considered(board: Board, **asked: Any) -> Plan:
    return asyncio.run(board.switchboard.consider(chat(**asked), ADMIN))


def board_of(
    *models: Any, quality: Sequence[float], cost_usd: Sequence[float], price: float = 0.0, **more: Any
) -> Board:
    settings = settings_of(*models, funds=(FUND,), **more)
    return Board(priced(scheme_of(settings, quality=quality, cost_usd=cost_usd), all=price))


def test_a_prompt_goes_where_the_rule_says() -> None:
    """By hand: 0.9 − 50 × 0.01 = 0.4 against 0.7 − 50 × 0.001 = 0.65; nothing is held for it."""
    board = board_of(model("p/a"), model("p/b"), quality=[0.9, 0.7], cost_usd=[0.01, 0.001], price=50.0)
    found = routed_json(considered(board), board.health)
    assert (found["model"], found["reason"]) == ("p/b", "best")
    assert [(one["model"], one["score"]) for one in found["candidates"]] == [
        ("p/b", pytest.approx(0.65)),
        ("p/a", pytest.approx(0.4)),
    ]
    assert found["candidates"][0]["why"] == "chosen"
    assert found["candidates"][1]["parts"] == [
        {"fund": "all", "unit": "usd", "price": 50.0, "charge": pytest.approx(0.5)}
    ]
    assert found["funds"] == [{"fund": "all", "unit": "usd", "price": 50.0}]
    assert found["input_tokens"] > 0
    assert (board.fund("all"), board.book.open_holds(), board.witnessed) == ((0, 0), [], [])


def test_who_is_no_candidate_and_why() -> None:
    """Duty, alias, tag, context, rest: each model that can't be asked says what stands in its way."""
    models = (
        model("p/in"),
        model("p/shadow", duty="shadow"),
        model("p/other"),
        model("p/small", context_tokens=9),
        model("p/down"),
        model("q/untagged"),
    )
    alias = Alias("mine", models=("p/in", "p/shadow", "p/small", "p/down"))
    board = board_of(*models, quality=[0.5] * 6, cost_usd=[0.001] * 6, aliases=(Alias("auto"), alias))
    for _ in range(3):
        board.health.failed("p/down@1", time.monotonic())
    found = routed_json(considered(board, model="mine", content="word " * 40), board.health)
    assert {one["model"]: one["why"] for one in found["candidates"]} == {
        "p/in": "chosen",
        "p/shadow": "Not serving: it is in the shadow.",
        "p/other": "Not among the models of alias 'mine'.",
        "p/small": "The prompt doesn't fit its context.",
        "p/down": "All of its endpoints are resting after failures.",
        "q/untagged": "Not among the models of alias 'mine'.",
    }
    named = routed_json(considered(board, model="p/other"), board.health)
    assert (named["model"], named["reason"]) == ("p/other", "named")
    assert named["candidates"][1]["why"] == "Another model was named."


def test_a_tag_that_is_lacking() -> None:
    """An alias that asks for a tag leaves out who doesn't have it."""
    alias = Alias("eu", tags=("eu",))
    models = (model("p/a", tags=frozenset({"eu"})), model("p/b"))
    board = board_of(*models, quality=[0.5, 0.9], cost_usd=[0.001] * 2, aliases=(Alias("auto"), alias))
    found = routed_json(considered(board, model="eu"), board.health)
    assert found["candidates"][1]["why"] == "It lacks a tag of alias 'eu'."


def test_a_prompt_becomes_a_chat() -> None:
    """One message; sent, it is a stream that ends with usage and cost, and the gateway can read it."""
    assert orjson.loads(chat_of({"prompt": "Hello", "model": None}, stream=False)) == {
        "model": "auto",
        "messages": [{"role": "user", "content": "Hello"}],
    }
    query = read_query("chat", chat_of({"prompt": "Hello", "model": "p/a"}, stream=True), {})
    assert (query.model, query.text, query.stream, query.wants_usage) == ("p/a", "Hello", True, True)
    assert query.wishes.stream_cost


@pytest.mark.parametrize("given", [{}, {"prompt": " "}, {"prompt": 3}, {"prompt": "a", "model": 3}])
def test_what_is_no_prompt_is_refused(given: dict[str, Any]) -> None:
    """Nothing, blanks, a number; a model that is no text."""
    with pytest.raises(Refusal):
        chat_of(given, stream=False)
