"""The client's side: bodies within limits, answers and refusals in its shape, and knowing that it has left."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from made_serving import Talk
from pointsman.serve.client import ClientGone
from pointsman.serve.wire.errors import STATUS, ErrorType, Refusal


def body_of(talk: Talk, limit: int = 100, timeout_s: float = 5.0) -> bytes:
    return asyncio.run(talk.client.body(limit, timeout_s))


def refused(talk: Talk, limit: int = 100, timeout_s: float = 5.0) -> Refusal:
    with pytest.raises(Refusal) as caught:
        body_of(talk, limit, timeout_s)
    return caught.value


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5))
def test_a_body_is_its_parts(parts: list[bytes]) -> None:
    """However it is cut up, the body is whole and in order, up to the limit and not beyond it."""
    whole = b"".join(parts)
    assert body_of(Talk(parts)) == whole
    if whole:
        assert refused(Talk(parts), limit=len(whole) - 1).status == 413
    assert body_of(Talk(parts), limit=len(whole)) == whole


def test_a_declared_length_is_believed_where_it_is_too_large() -> None:
    """A body that says it is too large isn't read at all; one that lies is counted."""
    talk = Talk([b"small"], [("content-length", "101")])
    assert refused(talk).status == 413
    assert talk._left == [b"small"]
    assert refused(Talk([b"x" * 60, b"x" * 60], [("content-length", "3")])).status == 413
    assert body_of(Talk([b"ok"], [("content-length", "nonsense")])) == b"ok"


def test_compressed_bodies_are_refused() -> None:
    """415 says what to do; `identity` is no compression."""
    assert refused(Talk([b"x"], [("content-encoding", "gzip")])).status == 415
    assert body_of(Talk([b"x"], [("content-encoding", "identity")])) == b"x"


def test_a_body_that_never_comes_is_given_up() -> None:
    """408 after the time-out."""
    refusal = refused(Talk([b"x"], hang=True), timeout_s=0.01)
    assert refusal.status == 408


def test_a_client_that_leaves_while_sending_has_gone() -> None:
    """Nobody is answered then."""

    async def leave() -> None:
        talk = Talk([b"x"], hang=True)
        talk.gone.set()
        with pytest.raises(ClientGone):
            await talk.client.body(100, 5.0)
        assert talk.client.gone

    asyncio.run(leave())


def test_headers_are_read_by_lower_case_name() -> None:
    """Of a header that comes twice the last counts; bytes outside of ASCII are kept as they are."""
    talk = Talk(headers=[("x-a", "1"), ("x-a", "2"), ("x-b", "ü")])
    assert talk.client.headers["x-a"] == "2"
    assert talk.client.headers["x-b"] == "ü".encode().decode("latin-1")


def test_a_whole_answer() -> None:
    """Status, length and body in two messages, after which nothing can be refused any more."""
    talk = Talk()
    assert not talk.client.started
    asyncio.run(talk.client.json({"a": 1}, 201, [(b"x-y", b"z")]))
    assert (talk.status, talk.json) == (201, {"a": 1})
    assert talk.answer_headers["content-length"] == "7"
    assert talk.answer_headers["x-y"] == "z"
    assert (talk.client.started, talk.client.status) == (True, 201)


def test_a_stream() -> None:
    """The head with the first bytes, then more, then the end; no message is empty but the last."""

    async def stream(talk: Talk) -> None:
        await talk.client.begin([(b"x-y", b"z")], b"")
        await talk.client.more(b"one")
        await talk.client.end(b"two")

    talk = Talk()
    asyncio.run(stream(talk))
    assert talk.answer_headers["content-type"].startswith("text/event-stream")
    assert [(each.get("body"), each.get("more_body", False)) for each in talk.sent[1:]] == [
        (b"one", True),
        (b"two", False),
    ]


@pytest.mark.parametrize(("seconds", "told"), [(0.1, "1"), (1.0, "1"), (1.2, "2"), (5.0, "5"), (30.0, "30")])
def test_when_to_come_again_is_whole_seconds(seconds: float, told: str) -> None:
    """Rounded up, so that who comes then isn't too early, and at least one."""
    talk = Talk()
    asyncio.run(talk.client.refuse(Refusal("budget_exceeded", "No money.", retry_after_s=seconds)))
    assert (talk.status, talk.answer_headers["retry-after"]) == (429, told)


@pytest.mark.parametrize("kind", STATUS)
def test_refusals_in_both_shapes(kind: ErrorType) -> None:
    """Every type has its status, OpenAI's object and Anthropic's, and its headers are sent along."""
    shown: dict[bool, Any] = {}
    for anthropic in (False, True):
        talk = Talk()
        refusal = Refusal(kind, "Why.", param="p", code="c", headers={"allow": "GET"})
        asyncio.run(talk.client.refuse(refusal, anthropic=anthropic, headers=[(b"x-y", b"z")]))
        assert talk.status == STATUS[kind]
        assert (talk.answer_headers["allow"], talk.answer_headers["x-y"]) == ("GET", "z")
        assert "retry-after" not in talk.answer_headers
        shown[anthropic] = orjson.loads(talk.body)
    assert shown[False] == {"error": {"message": "Why.", "type": kind, "param": "p", "code": "c"}}
    assert shown[True]["type"] == "error"
    assert shown[True]["error"]["message"] == "Why."


def test_leaving_is_noticed() -> None:
    """`left` waits over whatever else comes, until the client is gone."""

    async def leave() -> None:
        talk = Talk([b"late", b"parts"])
        waits = asyncio.ensure_future(talk.client.left())
        await asyncio.sleep(0)
        assert not waits.done()
        talk.gone.set()
        await waits
        assert talk.client.gone

    asyncio.run(leave())
