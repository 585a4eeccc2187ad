"""One exchange in front of a scripted upstream: hops, retries, fallbacks, hedging, the stream's end, its account."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
import pytest

from made_serving import ADMIN, USD, Board, Talk, chat, endpoint, model, rates, scheme_of, settings_of
from pointsman.pool.cards import Model
from pointsman.pool.settings import FailureSettings, FundRule, RoutingSettings
from pointsman.serve.client import ClientGone
from pointsman.serve.exchange import Exchange, PassedOn, Rig
from pointsman.serve.finished import Finished
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.query import Query
from stub_upstream import Stub, start_stub

FUNDS = (FundRule("all", 100 * USD), FundRule("calls", 1_000, "requests"))
QUALITY = (0.9, 0.8, 0.7, 0.6)
NAMES = ("one", "two", "three", "four")
STREAM_END = b"data: [DONE]\n\n"


@pytest.fixture(scope="module")
def running() -> Iterator[Stub]:
    with start_stub() as stub:
        yield stub


@pytest.fixture
def stub(running: Stub) -> Stub:
    running.reset()
    return running


@dataclass
class Scene:
    """What one exchange left behind."""

    talk: Talk
    board: Board
    raised: BaseException | None = None
    finished: list[Finished] = field(default_factory=list)

    @property
    def seen(self) -> Finished:
        (one,) = self.finished
        return one

    @property
    def hops(self) -> list[tuple[str, str | None]]:
        return [(hop.model.partition("/")[2], hop.fault) for hop in self.seen.hops]

    def kinds(self) -> dict[str, str]:
        """How each hold ended, by the number behind its id."""
        entries = self.board.book.entries()
        return {entry.id.partition(":")[2]: entry.kind for entry in entries if entry.kind in {"post", "void"}}


def models(stub: Stub, **endpoints: list[str]) -> tuple[Model, ...]:
    """Four models from best to worst, each with one endpoint, or with those that are named."""
    return tuple(
        model(
            f"stub/{name}",
            price=rates(2, 10),
            endpoints=tuple(
                endpoint(f"{name}@{i}", f"{stub.url}/v1", up) for i, up in enumerate(endpoints.get(name, [name]))
            ),
        )
        for name in NAMES
    )


def board_of(made: tuple[Model, ...], funds: tuple[FundRule, ...] = FUNDS, **failure: Any) -> Board:
    limits = FailureSettings(
        **{"backoff_s": 0.001, "first_token_s": 0.2, "between_tokens_s": 0.2, "total_s": 3.0} | failure
    )
    settings = settings_of(*made, funds=funds, failure=limits, routing=RoutingSettings(patience_s=0.01))
    return Board(scheme_of(settings, quality=QUALITY[: len(made)]))


Beside = Callable[[Talk, Board, "asyncio.Task[None]"], Awaitable[None]]


def exchanged(board: Board, query: Query, beside: Beside | None = None) -> Scene:
    """One query, all the way; `beside` runs at the same time."""

    async def go() -> Scene:
        talk = Talk()
        scene = Scene(talk, board)
        plan = await board.switchboard.decide(query, ADMIN)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            rig = Rig(board.switchboard, board.till, board.health, session, random.Random(0))
            exchange = Exchange(rig, plan, talk.client, time.time_ns(), time.perf_counter())
            task = asyncio.ensure_future(exchange.run(scene.finished.append))
            if beside is not None:
                await beside(talk, board, task)
            (scene.raised,) = await asyncio.gather(task, return_exceptions=True)
            await asyncio.sleep(0)
        board.till.flush()
        assert board.book.open_holds() == []
        assert board.book.audit().ok
        assert not board.troubles
        assert isinstance(scene.raised, ClientGone | Refusal | asyncio.CancelledError | None), scene.raised
        return scene

    return asyncio.run(go())


def asked(stub: Stub) -> dict[str, int]:
    counts: dict[str, int] = stub.calls()["by_model"]
    return counts


# Answers


def test_an_answer_and_its_account(stub: Stub) -> None:
    """The upstream's answer with our headers; what was witnessed has its cost, its usage and its hold."""
    stub.script("one", input_tokens=100, output_tokens=10)
    scene = exchanged(board_of(models(stub)), chat())
    assert scene.talk.status == 200
    assert scene.talk.json["choices"][0]["message"]["content"].startswith("w w")
    headers = scene.talk.answer_headers
    assert headers["x-pointsman-model"] == "stub/one"
    assert headers["x-pointsman-cost-usd"] == "0.0003"
    assert headers["x-pointsman-decision-id"] == scene.seen.decision_id
    assert (headers["x-ratelimit-limit-requests"], headers["content-type"]) == ("1000", "application/json")
    seen = scene.seen
    assert (seen.outcome, seen.status, seen.reason, seen.model, seen.endpoint) == (
        "served", 200, "best", "stub/one", "one@0",
    )  # fmt: skip
    assert seen.cost_nano == 300_000
    assert seen.usage is not None
    assert (seen.usage.input_tokens, seen.usage.output_tokens) == (100, 10)
    assert seen.funds == (("all", 300_000), ("calls", 1))
    assert {"decide", "hold", "connect", "first_token"} <= set(seen.stages_s)
    assert 0 <= seen.overhead_s <= seen.total_s
    assert scene.kinds() == {"0": "post"}


def test_a_stream_and_its_account(stub: Stub) -> None:
    """The chunks as they come, the end marker last; served, though the server then says that the client has gone."""
    stub.script("one", input_tokens=100, output_tokens=10, between_s=0.002)
    scene = exchanged(board_of(models(stub)), chat(stream=True))
    assert scene.talk.body.endswith(STREAM_END)
    assert scene.talk.body.count(b'"content":"w "') == 10
    assert b'"prompt_tokens"' not in scene.talk.body
    assert scene.talk.sent[-1].get("more_body", False) is False
    assert "x-pointsman-cost-usd" not in scene.talk.answer_headers
    assert (scene.raised, scene.seen.outcome, scene.seen.status) == (None, "served", 200)
    assert scene.board.fund("all") == (0, 300_000)


def test_a_stream_tells_its_cost_on_request(stub: Stub) -> None:
    """A last chunk before the end marker, with what the ledger booked."""
    stub.script("one", input_tokens=100, output_tokens=10)
    scene = exchanged(board_of(models(stub)), chat(stream=True, pointsman={"stream_cost": True}))
    last = orjson.loads(scene.talk.body.removesuffix(STREAM_END).rstrip().rpartition(b"data: ")[2])
    assert last["pointsman"] == {
        "decision_id": scene.seen.decision_id,
        "model": "stub/one",
        "cost_usd": "0.0003",
        "cost_nano_usd": 300_000,
        "usage_estimated": False,
    }


def test_a_slow_end_of_the_upstreams_is_no_client_that_left(stub: Stub) -> None:
    """An upstream that leaves its connection open after the end marker: the answer is complete and counts as served."""

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        chunk = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n'
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + chunk + STREAM_END)
        await asyncio.sleep(0.1)
        writer.close()

    async def go() -> list[Finished]:
        server = await asyncio.start_server(slowly, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        board = board_of((model("stub/one", endpoints=(endpoint("one", f"http://127.0.0.1:{port}/v1"),)),))
        plan, talk, seen = await board.switchboard.decide(chat(stream=True), ADMIN), Talk(), list[Finished]()
        async with aiohttp.ClientSession() as session:
            rig = Rig(board.switchboard, board.till, board.health, session, random.Random(0))
            await Exchange(rig, plan, talk.client, 0, time.perf_counter()).run(seen.append)
        server.close()
        assert talk.body.endswith(STREAM_END)
        return seen

    (seen,) = asyncio.run(go())
    assert (seen.outcome, seen.status) == ("served", 200)


# Hops


def test_the_next_best_answers_where_the_best_cannot(stub: Stub) -> None:
    """A server error, once retried, then the next model by score: each hop has a hold of its own, and one is paid."""
    stub.script("one", status=500)
    scene = exchanged(board_of(models(stub)), chat())
    assert scene.talk.answer_headers["x-pointsman-model"] == "stub/two"
    assert scene.hops == [("one", "server"), ("one", "server"), ("two", None)]
    assert scene.kinds() == {"0": "void", "1": "void", "2": "post"}
    assert scene.seen.outcome == "served"
    assert asked(stub) == {"one": 2, "two": 1}


def test_a_retry_is_enough_for_what_passes(stub: Stub) -> None:
    """A fault that is gone at the second call costs no model."""
    stub.script("one", {"status": 503}, {})
    scene = exchanged(board_of(models(stub)), chat())
    assert scene.hops == [("one", "overloaded"), ("one", None)]
    assert scene.board.health.state("one@0", 0.0) == "open"


def test_another_endpoint_comes_before_another_model(stub: Stub) -> None:
    """A model with two addresses is asked at the second one, without a pause and without a retry being used up."""
    stub.script("bad", status=503)
    board = board_of(models(stub, one=["bad", "good"]), retries=0, backoff_s=60.0)
    scene = exchanged(board, chat())
    assert scene.hops == [("one", "overloaded"), ("one", None)]
    assert scene.seen.endpoint == "one@1"
    assert asked(stub) == {"bad": 1, "good": 1}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"retries": 0, "fallbacks": 0}, ["one"]),
        ({"retries": 2, "fallbacks": 0}, ["one", "one", "one"]),
        ({"retries": 0, "fallbacks": 2}, ["one", "two", "three"]),
        ({"retries": 1, "fallbacks": 1}, ["one", "one", "two"]),
        ({"retries": 0, "fallbacks": 9}, ["one", "two", "three", "four"]),
    ],
)
def test_so_many_hops_and_no_more(stub: Stub, settings: dict[str, Any], expected: list[str]) -> None:
    """Retries are counted over the whole exchange, fallbacks by model; when they are used up the client hears why."""
    for name in NAMES:
        stub.script(name, status=503)
    scene = exchanged(board_of(models(stub), **settings), chat())
    assert [name for name, _ in scene.hops] == expected
    assert isinstance(scene.raised, Refusal)
    assert (scene.raised.type, scene.raised.status) == ("upstream_overloaded", 503)
    assert (scene.seen.outcome, scene.seen.status) == ("upstream_failed", 503)
    assert set(scene.kinds().values()) == {"void"}
    assert not scene.talk.sent


def test_a_named_model_has_no_stand_in(stub: Stub) -> None:
    """Who asks for a model by name gets it or an error, never another one."""
    stub.script("three", status=500)
    scene = exchanged(board_of(models(stub)), chat("stub/three"))
    assert asked(stub) == {"three": 2}
    assert isinstance(scene.raised, Refusal)
    assert scene.raised.status == 502


def test_a_bad_request_is_the_clients_own(stub: Stub) -> None:
    """A 400 is passed on in the upstream's own words: no retry, no other model, no harm to the endpoint's health."""
    stub.script("one", status=400)
    scene = exchanged(board_of(models(stub)), chat())
    assert isinstance(scene.raised, PassedOn)
    assert scene.raised.status == 400
    assert scene.raised.raw is not None
    assert "error" in orjson.loads(scene.raised.raw)
    assert asked(stub) == {"one": 1}
    assert not scene.board.health.troubled


def test_our_own_credentials_are_not_the_clients(stub: Stub) -> None:
    """A 401 of the upstream's is our fault: another model is asked, and the same one not again."""
    stub.script("one", status=401)
    scene = exchanged(board_of(models(stub)), chat())
    assert scene.hops == [("one", "credentials"), ("two", None)]


def test_a_language_without_words_for_it_is_passed_over(stub: Stub) -> None:
    """A query that the best model's API can't express goes to the next one; where none can, it is refused by field."""
    claude = model(
        "stub/claude",
        endpoints=(endpoint("claude@0", f"{stub.url}/v1", kind="anthropic", shapes=frozenset({"messages"})),),
    )
    scene = exchanged(board_of((claude, *models(stub)[:2])), chat(n=2))
    assert scene.hops == [("claude", None), ("one", None)]
    assert scene.kinds() == {"0": "void", "1": "post"}
    alone = exchanged(board_of((claude,)), chat(n=2))
    assert isinstance(alone.raised, Refusal)
    assert alone.raised.status < 500
    assert asked(stub) == {"one": 1}


def test_a_hang_before_the_first_token_falls_back(stub: Stub) -> None:
    """A stream whose first token doesn't come in time is given up and paid for its input; the next model streams."""
    stub.script("one", hang="first")
    scene = exchanged(board_of(models(stub), retries=0, first_token_s=0.05), chat(stream=True))
    assert scene.hops == [("one", "timeout"), ("two", None)]
    assert scene.kinds() == {"0": "post", "1": "post"}
    assert scene.talk.body.endswith(STREAM_END)
    assert scene.seen.cost_nano == sum(hop.cost_nano for hop in scene.seen.hops)


def test_time_is_up_for_all_hops_together(stub: Stub) -> None:
    """The whole exchange has one deadline, and who waited for it hears that time was up."""
    stub.script("one", hang="headers")
    scene = exchanged(board_of(models(stub), total_s=0.05, retries=0, fallbacks=0), chat())
    assert isinstance(scene.raised, Refusal)
    assert (scene.raised.type, scene.raised.status) == ("upstream_timeout", 504)


def test_a_long_pause_is_not_waited_for(stub: Stub) -> None:
    """An upstream that wants a minute's rest isn't called again in this exchange: the next model is asked at once."""
    stub.script("one", status=429, retry_after=60)
    scene = exchanged(board_of(models(stub), total_s=600.0), chat())
    assert scene.hops == [("one", "overloaded"), ("two", None)]
    for name in NAMES:
        stub.script(name, status=429, retry_after=60)
    alone = exchanged(board_of(models(stub), fallbacks=0), chat())
    assert isinstance(alone.raised, Refusal)
    assert alone.raised.retry_after_s == 60.0


def test_a_hop_needs_money(stub: Stub) -> None:
    """Where nothing can be held for another hop there is none, and the client hears of the upstream's fault."""
    stub.script("one", status=503)
    funds = (*FUNDS, FundRule("once", 0, "requests", models=("stub/two", "stub/three", "stub/four")))
    scene = exchanged(board_of(models(stub), funds, retries=0), chat())
    assert scene.hops == [("one", "overloaded")]
    assert isinstance(scene.raised, Refusal)


def test_failures_close_an_endpoint_for_the_next_query(stub: Stub) -> None:
    """After three failures in a row the next exchange begins elsewhere."""
    stub.script("one", status=500)
    board = board_of(models(stub), retries=2)
    assert exchanged(board, chat()).hops == [("one", "server")] * 3 + [("two", None)]
    assert exchanged(board, chat()).hops == [("two", None)]


# The stream's middle


@pytest.mark.parametrize(
    ("told", "fault"), [({"cut": "middle"}, "broken"), ({"hang": "middle"}, "timeout"), ({"error_after": 6}, "server")]
)
def test_a_stream_that_fails_in_the_middle_ends_with_an_error(stub: Stub, told: dict[str, Any], fault: str) -> None:
    """After the first byte there is no other model: an error event ends the stream, and what came is paid for."""
    stub.script("one", output_tokens=12, between_s=0.002, **told)
    scene = exchanged(board_of(models(stub), between_tokens_s=0.05), chat(stream=True))
    assert scene.talk.status == 200
    *_, last = [line for line in scene.talk.body.split(b"\n\n") if line and line != b"data: [DONE]"]
    error = orjson.loads(last.partition(b"data: ")[2])["error"]
    assert error["type"] in {"upstream_error", "upstream_timeout"}
    assert error["code"] == fault
    assert scene.talk.sent[-1].get("more_body", False) is False
    assert scene.seen.outcome == "upstream_failed"
    assert scene.hops == [("one", fault)]
    assert scene.kinds() == {"0": "post"}
    assert scene.seen.usage is not None
    assert scene.seen.usage.output_tokens > 0
    assert scene.seen.usage.estimated
    assert asked(stub) == {"one": 1}
    assert scene.board.health.troubled


def test_a_client_that_leaves_a_stream(stub: Stub) -> None:
    """The upstream is cut off, what came until then is posted, and nobody else is asked."""
    stub.script("one", output_tokens=500, between_s=0.005)

    async def leave(talk: Talk, board: Board, task: asyncio.Task[None]) -> None:
        while len(talk.sent) < 3:
            await asyncio.sleep(0.002)
        talk.gone.set()
        await asyncio.wait([task])

    scene = exchanged(board_of(models(stub)), chat(stream=True), leave)
    assert isinstance(scene.raised, ClientGone)
    assert scene.seen.outcome == "client_gone"
    assert scene.kinds() == {"0": "post"}
    assert scene.seen.usage is not None
    assert 0 < scene.seen.usage.output_tokens < 500
    assert not scene.board.health.troubled


def test_a_client_that_leaves_before_the_first_token(stub: Stub) -> None:
    """Nobody waits for a first token that nobody would read: the call is cut off and paid for, and no other is made."""
    stub.script("one", hang="first")

    async def leave(talk: Talk, board: Board, task: asyncio.Task[None]) -> None:
        await asyncio.sleep(0.05)
        talk.gone.set()
        await asyncio.wait([task])

    scene = exchanged(board_of(models(stub), first_token_s=60.0, total_s=60.0), chat(stream=True), leave)
    assert isinstance(scene.raised, ClientGone)
    assert (scene.seen.outcome, scene.seen.status) == ("client_gone", 499)
    assert scene.kinds() == {"0": "post"}
    assert asked(stub) == {"one": 1}
    assert not scene.talk.sent


@pytest.mark.parametrize("told", [{"hang": "headers"}, {"output_tokens": 500, "between_s": 0.005}])
@pytest.mark.parametrize("stream", [False, True])
def test_a_gateway_that_drains_settles(stub: Stub, told: dict[str, Any], stream: bool) -> None:
    """A cancelled exchange, wherever it is, leaves nothing held and says that it ended."""
    stub.script("one", **told)

    async def drain(talk: Talk, board: Board, task: asyncio.Task[None]) -> None:
        await asyncio.sleep(0.04)
        task.cancel()
        await asyncio.wait([task])

    scene = exchanged(board_of(models(stub), first_token_s=2.0), chat(stream=stream), drain)
    if scene.seen.outcome == "served":  # a whole answer may have been quicker
        assert not stream
        return
    assert isinstance(scene.raised, asyncio.CancelledError)
    assert set(scene.kinds()) == {"0"}


# Hedging


def test_a_slow_first_token_is_raced(stub: Stub) -> None:
    """The second model is asked too after a while; it wins, the first is cut off, and both are booked."""
    stub.script("one", first_token_s=1.0)
    scene = exchanged(board_of(models(stub), hedge_after_s=0.03, first_token_s=5.0), chat(stream=True))
    assert scene.talk.answer_headers["x-pointsman-model"] == "stub/two"
    assert scene.seen.model == "stub/two"
    assert scene.kinds() == {"0": "post", "1": "post"}
    assert [hop.model for hop in scene.seen.hops] == ["stub/one", "stub/two"]
    assert all(hop.cost_nano > 0 for hop in scene.seen.hops)
    assert scene.seen.cost_nano == sum(hop.cost_nano for hop in scene.seen.hops)


def test_the_first_may_still_win_the_race(stub: Stub) -> None:
    """The slow one comes before its rival: it answers, and the rival is cut off and booked."""
    stub.script("one", first_token_s=0.1)
    stub.script("two", hang="first")
    scene = exchanged(board_of(models(stub), hedge_after_s=0.02, first_token_s=5.0), chat())
    assert scene.seen.model == "stub/one"
    assert scene.kinds() == {"0": "post", "1": "post"}


def test_a_quick_answer_has_no_rival(stub: Stub) -> None:
    """Nobody else is asked or held for where the first token comes in time."""
    scene = exchanged(board_of(models(stub), hedge_after_s=2.0), chat())
    assert asked(stub) == {"one": 1}
    assert scene.kinds() == {"0": "post"}


def test_a_rival_that_fails_leaves_the_first_its_time(stub: Stub) -> None:
    """An error of the second model's is no reason to give the first one up."""
    for name in NAMES[1:]:
        stub.script(name, status=400)
    stub.script("one", first_token_s=0.1)
    scene = exchanged(board_of(models(stub), hedge_after_s=0.02, first_token_s=5.0), chat())
    assert scene.seen.model == "stub/one"
    assert scene.seen.outcome == "served"


def test_a_race_needs_a_ledger(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be held for a rival because the ledger is out of reach, the first one goes on and answers."""
    stub.script("one", first_token_s=0.1)
    board = board_of(models(stub), hedge_after_s=0.02, first_token_s=5.0)

    async def lose(talk: Talk, board: Board, task: asyncio.Task[None]) -> None:
        def fail(_: Any) -> Any:
            raise Refusal("ledger_unavailable", "Gone.")

        monkeypatch.setattr(board.till, "hold", fail)
        await asyncio.wait([task])

    scene = exchanged(board, chat(), lose)
    assert (scene.seen.outcome, scene.hops) == ("served", [("one", None)])


def test_where_both_fail_the_client_hears_of_it(stub: Stub) -> None:
    """Nothing is left held, and a refusal says what the last one's fault was."""
    for name in NAMES:
        stub.script(name, status=500, connect_s=0.04)
    scene = exchanged(board_of(models(stub), hedge_after_s=0.01, retries=0), chat())
    assert isinstance(scene.raised, Refusal)
    assert set(scene.kinds().values()) == {"void"}
    assert len(scene.kinds()) == len(scene.seen.hops)
