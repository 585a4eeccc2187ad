"""Explanations, cost in exact text, headers of answers; the API's description."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import aiohttp
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from made_serving import ADMIN, USD, Board, chat, endpoint, model, priced, rates, scheme_of, settings_of
from pointsman import __version__
from pointsman.ledger.entries import Balance
from pointsman.pool.cards import Usage
from pointsman.pool.settings import FundRule, WindowRule
from pointsman.serve import app
from pointsman.serve.attempt import Attempt
from pointsman.serve.explain import MOST_EXPLAINED, answer_headers, balance_json, cost_of, explanation, rate_limits, usd
from pointsman.serve.openapi import docs_page, document
from pointsman.serve.plan import Plan
from pointsman.serve.wire.query import Query

FUNDS = (
    FundRule("all", 100 * USD),
    FundRule("rpm", 60, "requests", WindowRule("rolling", 60)),
    FundRule("rpd", 10, "requests", WindowRule("calendar", every="day")),
    FundRule("tpm", 9_000, "tokens", WindowRule("rolling", 60)),
)


def attempted(query: Query, models: int = 2, prices: float = 0.0) -> tuple[Attempt, Board]:
    """An attempt that wasn't sent, with a plan that holds."""
    made = [
        model(f"p/m{i}", price=rates(1, 4), endpoints=(endpoint(f"e{i}", "http://127.0.0.1:9/v1", key="up-secret"),))
        for i in range(models)
    ]
    quality = [0.9 - i / 100 for i in range(models)]
    board = Board(priced(scheme_of(settings_of(*made, funds=FUNDS), quality=quality), all=prices))
    plan = asyncio.run(board.switchboard.decide(query, ADMIN))
    session = cast(aiohttp.ClientSession, None)
    return Attempt(plan, plan.first_held, plan.column, made[plan.column].endpoints[0], session, board.till), board


def headers_of(attempt: Attempt, board: Board) -> dict[str, str]:
    balances = {balance.fund: balance for balance in board.till.balances()}
    return {name.decode(): value.decode() for name, value in answer_headers(attempt.plan, attempt, balances)}


@pytest.mark.parametrize(
    ("nano", "told"),
    [
        (0, "0"),
        (1, "0.000000001"),
        (300_000, "0.0003"),
        (USD, "1"),
        (12 * USD + 500_000_000, "12.5"),
        (-5, "-0.000000005"),
    ],
)
def test_dollars_by_hand(nano: int, told: str) -> None:
    """Exact text without needless zeros."""
    assert usd(nano) == told


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(-(10**20), 10**20))
def test_dollars_are_exact(nano: int) -> None:
    """Whatever the amount, the text says just that many nano-dollars."""
    assert Decimal(usd(nano)) * USD == nano
    assert "e" not in usd(nano)


def test_what_every_answer_carries() -> None:
    """Model, decision, the gateway's own milliseconds; the cost only once it is settled."""
    attempt, board = attempted(chat())
    plan = attempt.plan
    plan.stages_s = {"read": 0.001, "decide": 0.0005}
    headers = headers_of(attempt, board)
    assert headers["x-pointsman-model"] == "p/m0"
    assert headers["x-pointsman-decision-id"] == plan.decision_id
    assert headers["x-pointsman-overhead-ms"] == "1.500"
    assert not {"x-pointsman-cost-usd", "x-pointsman-explanation"} & set(headers)
    attempt.settled, attempt.cost_nano = True, 300_000
    assert headers_of(attempt, board)["x-pointsman-cost-usd"] == "0.0003"


def test_limits_are_those_of_the_tightest_fund() -> None:
    """Of two funds in requests, the one with less left is told, and that in tokens; dollars are nobody's rate limit."""
    attempt, board = attempted(chat())
    headers = headers_of(attempt, board)
    held = next(line.amount for line in attempt.held.lines if line.fund == "tpm")
    assert headers["x-ratelimit-limit-requests"] == "10"
    assert headers["x-ratelimit-remaining-requests"] == "9"
    assert headers["x-ratelimit-limit-tokens"] == "9000"
    assert headers["x-ratelimit-remaining-tokens"] == str(9_000 - held)
    assert rate_limits(attempt, {}) == []


def test_an_explanation_by_hand() -> None:
    """Who, why, the funds' prices and each candidate's quality, charge and score, rounded."""
    attempt, _ = attempted(chat(), prices=10.0)
    plan = attempt.plan
    told = explanation(plan)
    assert (told["decision_id"], told["model"], told["reason"]) == (plan.decision_id, "p/m0", "best")
    assert told["input_tokens_counted"] == round(plan.input_tokens)
    assert told["funds"][0] == {"fund": "all", "unit": "usd", "price": 10.0}
    assert [one["model"] for one in told["candidates"]] == ["p/m0", "p/m1"]
    first = told["candidates"][0]
    assert first["score"] == pytest.approx(first["quality"] - first["charge"])
    assert first["charge"] == pytest.approx(10.0 * first["cost_usd"])
    orjson.dumps(told)


def test_a_decision_without_money_names_who_it_would_be() -> None:
    """A plan that holds nothing names the best; one without anybody, nobody."""
    attempt, _ = attempted(chat())
    plan = attempt.plan
    plan.held = None
    assert explanation(plan)["model"] == "p/m0"
    plan.ranked = []
    assert explanation(plan)["model"] is None


def test_the_debug_header_is_bounded() -> None:
    """With many models the header has the best ones alone; it is ASCII in one line, and names no key and no address."""
    attempt, board = attempted(chat(pointsman={"debug": True}), models=MOST_EXPLAINED + 10)
    header = headers_of(attempt, board)["x-pointsman-explanation"]
    told = orjson.loads(header)
    assert len(told["candidates"]) == MOST_EXPLAINED
    assert len(explanation(attempt.plan)["candidates"]) == MOST_EXPLAINED + 10
    assert "\n" not in header
    assert "up-secret" not in header
    assert "127.0.0.1" not in header


def test_the_cost_of_a_settled_call() -> None:
    """Exact text and exact nano-dollars, and whether they were estimated."""
    attempt, _ = attempted(chat())
    attempt.usage, attempt.cost_nano = Usage(1, 1, estimated=True), 7
    assert cost_of(attempt) == {
        "decision_id": attempt.plan.decision_id,
        "model": "p/m0",
        "cost_usd": "0.000000007",
        "cost_nano_usd": 7,
        "usage_estimated": True,
    }


def test_balances_as_they_are_told() -> None:
    """Whole units, the price, and dollars as text where the fund is money."""
    money = Balance("all", "usd", 2 * USD, 1, 2, 3, 0, None)
    calls = Balance("rpm", "requests", 60, 1, 2, 57, 0, 99)
    told = balance_json([money, calls], {"all": 0.5})
    assert told[0]["remaining_usd"] == "0.000000003"
    assert (told[0]["price"], told[1]["price"]) == (0.5, None)
    assert (told[1]["remaining"], told[1]["resets_ns"]) == (57, 99)
    assert "remaining_usd" not in told[1]


# Candidates, made when they are read


def test_candidates_are_a_sequence() -> None:
    """Length, places, slices and iteration agree, from the best score down."""
    attempt, _ = attempted(chat(), models=5)
    candidates = attempt.plan.candidates
    listed = list(candidates)
    assert len(candidates) == len(listed) == 5
    assert [candidates[i] for i in range(5)] == listed
    assert list(candidates[1:3]) == listed[1:3]
    assert candidates[-1] == listed[-1]
    assert [one.score for one in listed] == sorted((one.score for one in listed), reverse=True)


def test_a_plan_without_money_has_no_hold() -> None:
    """Asking for one is a fault of the caller's."""
    plan: Plan = attempted(chat())[0].plan
    plan.held = None
    with pytest.raises(RuntimeError, match="nothing is held"):
        _ = plan.first_held


# The API's description


class Page(HTMLParser):
    """What a page refers to and runs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in {"href", "src"} and value]


def test_every_path_described_is_answered() -> None:
    """Each path and method of the document is a route of the application."""
    for path, methods in document()["paths"].items():
        route, _ = app.found(path.replace("{id}", "x"))
        assert route is not None, path
        assert {method.upper() for method in methods} <= set(route.methods), path


def test_every_route_is_described() -> None:
    """Nothing that a client may ask for is left out, but pages that lead to the description and aliases of others."""
    described = set(document()["paths"])
    left_out = {"/", "/docs", "/openapi.json", "/health", "/health/liveness"}
    for path in (*app.OTHERS, *(f"/v1{path}" for path in app.QUERIES)):
        assert path in described | left_out, path
    assert "/admin/keys/{id}" in described


def test_the_description_is_whole() -> None:
    """OpenAPI 3.1 as JSON: operations with ids that are unique, a body where there is one, parameters in the path."""
    whole = document()
    assert orjson.loads(orjson.dumps(whole)) == whole
    assert (whole["openapi"], whole["info"]["version"]) == ("3.1.0", __version__)
    operations = [(path, one) for path, methods in whole["paths"].items() for one in methods.values()]
    ids = [one["operationId"] for _, one in operations]
    assert len(set(ids)) == len(ids)
    for path, one in operations:
        assert ("parameters" in one) == ("{" in path)
        assert {"200", "4XX", "5XX"} <= set(one["responses"])


def test_the_page_needs_nobody_else() -> None:
    """No script, nothing from another host, every path on it."""
    page = docs_page()
    read = Page(page)
    assert "script" not in read.tags
    assert read.links == ["/openapi.json"]
    for path in document()["paths"]:
        assert f"<code>{path}</code>" in page


def test_the_wishes_described_are_those_that_are_read() -> None:
    """Each wish of the description is accepted, and an unknown one is refused."""
    wishes: dict[str, Any] = document()["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]
    described = wishes["application/json"]["schema"]["properties"]["pointsman"]["properties"]
    examples = {"array": ["x"], "number": 1, "string": "x", "boolean": True}
    asked = chat(pointsman={name: examples[schema["type"]] for name, schema in described.items()}).wishes
    assert (asked.models, asked.trade_off, asked.max_cost_nano, asked.session) == (("x",), 1.0, USD, "x")
    assert (asked.tags, asked.residency, asked.debug, asked.stream_cost) == (("x",), ("x",), True, True)


def test_nothing_is_written(tmp_path: Path) -> None:
    """The description is made in memory, once."""
    assert document() is document()
    assert docs_page() is docs_page()
    assert list(tmp_path.iterdir()) == []
