"""One call: what is posted and what is void, whatever becomes of it; in front of a scripted upstream."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import orjson
import pytest

from made_serving import ADMIN, USD, Board, Talk, chat, endpoint, model, rates, scheme_of, settings_of
from pointsman.ledger.entries import Line
from pointsman.pool.billing import bill
from pointsman.pool.cards import Endpoint, Shape, Usage
from pointsman.pool.settings import FailureSettings, FundRule, ServerSettings
from pointsman.serve.attempt import Attempt
from pointsman.serve.client import ClientGone
from pointsman.serve.connector import TellingConnector
from pointsman.serve.upstreams.adapter import UpstreamFault
from pointsman.serve.upstreams.anthropic import AnthropicAdapter
from pointsman.serve.wire.codec_usage import usage_of_message
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.query import Query
from stub_upstream import Stub, start_stub

FUNDS = (FundRule("all", 100 * USD), FundRule("tpm", 10**6, "tokens"), FundRule("rpm", 100, "requests"))
RATES = rates(2, 10, cached=0.2, cache_write=2.5)
FAILURE = FailureSettings(first_token_s=0.15, between_tokens_s=0.15, total_s=5.0)
DEADLINE_S = 0.3

Told = dict[str, Any]
Run = Callable[[Attempt, float], Awaitable[None]]


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with start_stub() as running:
        yield running


def board_of(at: Endpoint, failure: FailureSettings = FAILURE) -> Board:
    server = ServerSettings(client_timeout_s=0.1)
    one = model("stub/one", endpoints=(at,), price=RATES)
    return Board(scheme_of(settings_of(one, funds=FUNDS, failure=failure, server=server), quality=[0.9]))


async def opened(attempt: Attempt, deadline: float) -> None:
    """The answer, or the beginning of the stream."""
    await attempt.open(deadline)


async def streamed(attempt: Attempt, deadline: float) -> None:
    """A whole stream, to a client that reads all of it."""
    await attempt.open(deadline)
    await attempt.pump(Talk().client, deadline)
    attempt.last_bytes(None)


def called(at: Endpoint, query: Query, run: Run = opened) -> tuple[Attempt, Board, BaseException | None]:
    """One attempt, carried out and closed, and what it raised."""

    async def go() -> tuple[Attempt, Board, BaseException | None]:
        board = board_of(at)
        plan = await board.switchboard.decide(query, ADMIN)
        raised = None
        async with aiohttp.ClientSession(connector=TellingConnector(), cookie_jar=aiohttp.DummyCookieJar()) as session:
            attempt = Attempt(plan, plan.first_held, 0, at, session, board.till)
            try:
                await run(attempt, asyncio.get_running_loop().time() + DEADLINE_S)
            except (UpstreamFault, Refusal, ClientGone) as error:
                raised = error
            attempt.close()
            attempt.close()  # closing twice settles once
            await asyncio.sleep(0)
        assert not board.troubles
        assert board.book.open_holds() == []
        assert board.book.audit().ok
        return attempt, board, raised

    return asyncio.run(go())


def spent(board: Board) -> tuple[int, int, int]:
    """On dollars, tokens and requests."""
    return board.fund("all")[1], board.fund("tpm")[1], board.fund("rpm")[1]


def script(stub: Stub, name: str, **told: Any) -> Endpoint:
    stub.script(name, **told)
    return endpoint("e", f"{stub.url}/v1", name)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


# What was used


def test_an_answer_is_posted_as_reported(stub: Stub) -> None:
    """100 tokens in, 40 of them cached, 20 out: 120 + 8 + 200 micro-dollars, 120 tokens and a call are spent."""
    at = script(stub, "plain", input_tokens=100, cached_tokens=40, output_tokens=20)
    attempt, board, raised = called(at, chat())
    assert raised is None
    assert attempt.usage == Usage(100, 20, cached_tokens=40)
    assert spent(board) == (60 * 2_000 + 40 * 200 + 20 * 10_000, 120, 1)
    assert attempt.cost_nano == spent(board)[0]
    assert attempt.receipt == (Line("all", attempt.cost_nano), Line("tpm", 120), Line("rpm", 1))
    assert attempt.hop().fault is None
    assert attempt.hop().cost_nano == attempt.cost_nano
    assert b"w w w" in attempt.body


def test_a_stream_is_posted_as_reported(stub: Stub) -> None:
    """The usage of the last chunk counts, asked for though the client didn't ask."""
    at = script(stub, "streams", input_tokens=100, output_tokens=20)
    attempt, board, raised = called(at, chat(stream=True), streamed)
    assert raised is None
    assert attempt.usage == Usage(100, 20)
    assert spent(board) == (100 * 2_000 + 20 * 10_000, 120, 1)


@pytest.mark.parametrize("stream", [False, True])
def test_where_nothing_is_reported_it_is_counted(stub: Stub, stream: bool) -> None:
    """Without usage, the input as it was counted for the hold and a token for every four characters of the answer."""
    at = script(stub, "silent", usage="none", text="x" * 42)
    attempt, board, raised = called(at, chat(stream=stream), streamed if stream else opened)
    assert raised is None
    assert attempt.usage == Usage(round(attempt.plan.input_tokens), 11, estimated=True)
    assert spent(board)[2] == 1
    assert spent(board)[0] == bill(attempt.usage, RATES)


def test_what_is_above_the_hold_is_booked_and_told(stub: Stub) -> None:
    """An answer of more tokens than were held for costs what it costs; the overrun is known."""
    at = script(stub, "long", input_tokens=10, output_tokens=5_000)
    attempt, board, _ = called(at, chat())
    assert attempt.cost_nano == 10 * 2_000 + 5_000 * 10_000
    assert attempt.held_nano < attempt.cost_nano
    assert attempt.overrun_nano == attempt.cost_nano - attempt.held_nano
    assert board.till.balances()[0].overrun == attempt.overrun_nano


def test_an_hour_in_the_cache_costs_its_own() -> None:
    """Of 50 tokens that Anthropic wrote to its cache, the 20 that stay for an hour are told apart and billed so."""
    told = {
        "input_tokens": 10,
        "cache_read_input_tokens": 5,
        "cache_creation_input_tokens": 50,
        "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 20},
        "output_tokens": 7,
    }
    usage = usage_of_message(told)
    assert usage == Usage(65, 7, cached_tokens=5, cache_write_tokens=50, cache_write_1h_tokens=20)
    dear = rates(1, 1, cache_write=2, cache_write_1h=10)
    assert bill(usage, dear) == 15 * 1_000 + 30 * 2_000 + 20 * 10_000 + 7 * 1_000
    at = endpoint("e", kind="anthropic", shapes=frozenset({"messages"}))
    shapes: tuple[Shape, ...] = ("messages", "chat")
    for shape in shapes:
        relay = AnthropicAdapter().relay(chat(shape=shape, max_tokens=9, stream=True), at)
        head = {"id": "m", "model": "c", "role": "assistant", "content": [], "usage": told | {"output_tokens": 1}}
        relay.feed(b"data: " + orjson.dumps({"type": "message_start", "message": head}) + b"\n\n")
        last = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}
        relay.feed(b"data: " + orjson.dumps(last) + b"\n\n")
        assert relay.usage == usage


@pytest.mark.parametrize(
    "odd", [None, 5, {}, {"ephemeral_1h_input_tokens": "many"}, {"ephemeral_1h_input_tokens": 10**6}]
)
def test_odd_reports_of_the_cache_are_no_fault(odd: Any) -> None:
    """What isn't a count counts as none, and no part is larger than its whole."""
    usage = usage_of_message({"input_tokens": 1, "cache_creation_input_tokens": 9, "cache_creation": odd})
    assert usage is not None
    assert 0 <= usage.cache_write_1h_tokens <= 9


# Faults that cost nothing


@pytest.mark.parametrize(
    ("told", "kind", "status"),
    [
        ({"status": 400}, "refused", 400),
        ({"status": 401}, "credentials", 401),
        ({"status": 404}, "credentials", 404),
        ({"status": 429, "retry_after": 3}, "overloaded", 429),
        ({"status": 500}, "server", 500),
        ({"status": 503}, "overloaded", 503),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_that_says_no_costs_nothing(stub: Stub, told: Told, kind: str, status: int, stream: bool) -> None:
    """Every status other than 200 voids the hold, and the fault says what it was."""
    attempt, board, raised = called(script(stub, f"no-{status}", **told), chat(stream=stream))
    assert isinstance(raised, UpstreamFault)
    assert (raised.kind, raised.status, attempt.fault) == (kind, status, kind)
    assert raised.retry_after_s == (3.0 if "retry_after" in told else None)
    assert spent(board) == (0, 0, 0)
    assert (attempt.usage, attempt.cost_nano, attempt.receipt) == (None, 0, ())


def test_an_upstream_that_is_not_there_costs_nothing() -> None:
    """A refused connection is void."""
    attempt, board, raised = called(endpoint("e", f"http://127.0.0.1:{free_port()}/v1"), chat())
    assert isinstance(raised, UpstreamFault)
    assert attempt.fault == "connect"
    assert spent(board) == (0, 0, 0)


def test_what_cannot_be_said_costs_nothing(stub: Stub) -> None:
    """A query that the upstream's language has no words for was never sent."""
    at = endpoint("e", f"{stub.url}/v1", "claude", kind="anthropic", shapes=frozenset({"messages"}))
    before = stub.calls()["count"]
    attempt, board, raised = called(at, chat(n=2))
    assert isinstance(raised, Refusal)
    assert spent(board) == (0, 0, 0)
    assert stub.calls()["count"] == before
    assert attempt.settled


def test_an_error_before_a_stream_begins_costs_nothing(stub: Stub) -> None:
    """An error event in place of the first token is a no as well."""
    attempt, board, raised = called(script(stub, "early", error_after=0, usage="none"), chat(stream=True))
    assert isinstance(raised, UpstreamFault)
    assert attempt.fault == "server"
    assert spent(board) == (0, 0, 0)


# Faults that may have cost


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"hang": "headers"}, "timeout"),
        ({"hang": "first"}, "timeout"),
        ({"garbage": "html"}, "garbage"),
        ({"cut": "headers"}, "broken"),
        ({"cut": "first"}, "broken"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_that_may_have_answered_is_paid_for_its_input(
    stub: Stub, told: Told, kind: str, stream: bool
) -> None:
    """Nobody knows what a call came to that hung, broke off or can't be read: the input at least, as an estimate."""
    attempt, board, raised = called(script(stub, "murky", **told), chat(stream=stream))
    assert isinstance(raised, UpstreamFault)
    assert attempt.fault == ("broken" if stream and kind == "garbage" else kind)  # a page is a stream without events
    assert attempt.usage == Usage(round(attempt.plan.input_tokens), 0, estimated=True)
    assert spent(board) == (round(attempt.plan.input_tokens) * 2_000, round(attempt.plan.input_tokens), 1)


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"cut": "middle"}, "broken"),
        ({"hang": "middle"}, "timeout"),
        ({"garbage": "json"}, "garbage"),
        ({"error_after": 10}, "server"),
    ],
)
def test_a_stream_that_breaks_off_is_paid_for_what_came(stub: Stub, told: Told, kind: str) -> None:
    """However a stream ends before its end, the tokens written until then are posted, an error event among them."""
    at = script(stub, f"breaks-{kind}", **{"text": "four char word list " * 10, "between_s": 0.001} | told)
    attempt, board, raised = called(at, chat(stream=True), streamed)
    assert isinstance(raised, UpstreamFault)
    assert attempt.fault == kind
    assert attempt.usage is not None
    assert attempt.usage.estimated
    assert attempt.usage.output_tokens == -(-attempt.stream.output_chars // 4) > 0
    assert spent(board)[0] == bill(attempt.usage, RATES)


def test_reported_so_far_is_the_least(stub: Stub) -> None:
    """A stream that reports usage in every chunk and is cut: what it reported counts, marked as not the end."""
    at = script(stub, "every", usage="every", cut="middle", input_tokens=77, output_tokens=30, between_s=0.001)
    attempt, _, raised = called(at, chat(stream=True), streamed)
    assert isinstance(raised, UpstreamFault)
    assert attempt.usage == Usage(77, 30, estimated=True)


def test_a_client_that_leaves_pays_for_what_came(stub: Stub) -> None:
    """A stream that nobody reads any more is cut, and the tokens that came until then are posted."""
    at = script(stub, "left", output_tokens=200, between_s=0.005)

    async def half(attempt: Attempt, deadline: float) -> None:
        await attempt.open(deadline)
        talk = Talk()
        pump = asyncio.ensure_future(attempt.pump(talk.client, deadline))
        while attempt.stream.output_chars < 10:
            await asyncio.sleep(0.001)
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)

    attempt, board, _ = called(at, chat(stream=True), half)
    assert attempt.usage is not None
    assert attempt.usage.estimated
    assert 2 < attempt.usage.output_tokens < 200
    assert spent(board)[2] == 1


def test_a_client_that_does_not_read_is_left(stub: Stub) -> None:
    """Bytes that nobody takes for the client's time-out end the call, as if the client had gone."""

    async def stuck(attempt: Attempt, deadline: float) -> None:
        await attempt.open(deadline)
        talk = Talk()
        talk.stuck = asyncio.Event()
        await attempt.pump(talk.client, deadline + 5)

    attempt, _, raised = called(script(stub, "unread", output_tokens=50, between_s=0.002), chat(stream=True), stuck)
    assert isinstance(raised, ClientGone)
    assert attempt.fault is None
    assert attempt.usage is not None
    assert attempt.usage.estimated


def test_a_redirect_is_not_followed(stub: Stub) -> None:
    """A key is sent to the address in the configuration and nowhere else: a redirect is an upstream's fault."""
    attempt, _, raised = called(script(stub, "elsewhere", status=307), chat())
    assert isinstance(raised, UpstreamFault)
    assert attempt.fault is not None
    assert stub.calls()["by_model"]["elsewhere"] == 1


def test_a_huge_answer_is_refused(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer above the limit is garbage, however it is sent, and its input is paid for."""
    monkeypatch.setattr("pointsman.serve.attempt.ANSWER_BYTES", 10_000)
    attempt, _, raised = called(script(stub, "huge", size=50_000), chat())
    assert isinstance(raised, UpstreamFault)
    assert attempt.fault == "garbage"
    assert attempt.usage is not None
    assert attempt.usage.estimated


def test_nothing_is_read_of_what_has_not_begun(stub: Stub) -> None:
    """An attempt without an answer or a stream has neither, and says so."""

    async def nothing(attempt: Attempt, deadline: float) -> None:
        with pytest.raises(RuntimeError, match="no stream"):
            _ = attempt.stream
        with pytest.raises(RuntimeError, match="no answer"):
            _ = attempt.body

    _, board, _ = called(script(stub, "unasked"), chat(), nothing)
    assert spent(board) == (0, 0, 0)
