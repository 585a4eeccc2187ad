"""The adapter of OpenAI-compatible upstreams: calls, answers, streams, faults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from pointsman.pool.cards import Endpoint, Shape, Usage
from pointsman.serve.upstreams.adapter import Relay, UpstreamFault
from pointsman.serve.upstreams.openai import OpenAIAdapter
from pointsman.serve.upstreams.openai_usage import read_usage
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.query import Query
from pointsman.serve.wire.reading import read_query
from stub_replies import FRAMES, WHOLE, failure, failure_frame, reply_to, script_of

EVERY: frozenset[Shape] = frozenset({"chat", "completions", "embeddings", "responses"})
CHAT_ALONE: frozenset[Shape] = frozenset({"chat"})
KEY = "sk-very-secret-key"
ASKS: dict[Shape, dict[str, Any]] = {
    "chat": {"messages": [{"role": "user", "content": "hello"}]},
    "completions": {"prompt": "hello"},
    "embeddings": {"input": "hello"},
    "responses": {"input": "hello"},
    "messages": {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 50},
}
ADAPTER = OpenAIAdapter()


def endpoint(shapes: frozenset[Shape] = EVERY, base_url: str = "http://127.0.0.1:9/v1") -> Endpoint:
    return Endpoint("one", "openai", base_url, "upstream-name", shapes, {"X-Team": "a-team-header"}, KEY)


def ask(shape: Shape = "chat", **fields: Any) -> Query:
    return read_query(shape, orjson.dumps({"model": "auto", **ASKS[shape], **fields}), {})


def stream_of(query: Query, shape: str = "", **script: Any) -> bytes:
    """The upstream's whole stream for a query as it is called."""
    body = orjson.loads(ADAPTER.call(query, endpoint()).body)
    reply = reply_to(shape or query.shape, "upstream-name", body, script_of(script))
    return b"".join(data for data, _ in FRAMES[shape or query.shape](reply))


def pieces(data: bytes, places: list[int]) -> list[bytes]:
    borders = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[begin:end] for begin, end in zip(borders, borders[1:], strict=False)]  # noqa: RUF007


def relayed(relay: Relay, data: bytes, places: list[int] | None = None, cost: Mapping[str, Any] | None = None) -> bytes:
    return b"".join(relay.feed(piece) for piece in pieces(data, places or [])) + relay.finish(cost)


def chunks(stream: bytes) -> list[Any]:
    """The JSON of each event of a stream, the end marker left out."""
    data = [line[6:] for line in stream.split(b"\n") if line.startswith(b"data: ")]
    return [orjson.loads(each) for each in data if each != b"[DONE]"]


# ---- calls


def test_a_call_by_hand() -> None:
    """The body goes through with the upstream's own model name; the key and the endpoint's headers go with it."""
    query = ask(temperature=0.5, unknown={"kept": [1, None]}, pointsman={"session": "s"}, max_tokens=7)
    call = ADAPTER.call(query, endpoint(base_url="http://127.0.0.1:9/v1?api-version=1"))
    assert call.url == "http://127.0.0.1:9/v1/chat/completions?api-version=1"
    assert call.headers == {
        "content-type": "application/json",
        "authorization": f"Bearer {KEY}",
        "x-team": "a-team-header",
    }
    assert orjson.loads(call.body) == {
        "model": "upstream-name",
        **ASKS["chat"],
        "temperature": 0.5,
        "unknown": {"kept": [1, None]},
        "max_tokens": 7,
    }
    assert KEY not in repr(call)
    assert query.body["model"] == "auto"


@pytest.mark.parametrize("shape", ["chat", "completions"])
def test_a_stream_is_asked_for_its_usage(shape: Shape) -> None:
    """Usage is always asked for; what else the client put into its stream options stays."""
    body = orjson.loads(ADAPTER.call(ask(shape, stream=True), endpoint()).body)
    assert body["stream_options"] == {"include_usage": True}
    asked = ask(shape, stream=True, stream_options={"include_usage": False, "other": 1})
    body = orjson.loads(ADAPTER.call(asked, endpoint()).body)
    assert body["stream_options"] == {"include_usage": True, "other": 1}
    assert asked.body["stream_options"]["include_usage"] is False


@pytest.mark.parametrize("shape", ["embeddings", "responses"])
def test_other_shapes_go_as_they_are(shape: Shape) -> None:
    """Embeddings and responses have their usage anyway."""
    call = ADAPTER.call(ask(shape, stream=True), endpoint())
    assert call.url.endswith("/" + shape)
    assert orjson.loads(call.body) == {**ASKS[shape], "model": "upstream-name", "stream": True}


def test_providers_differ() -> None:
    """Mistral takes no stream options and knows `max_tokens` alone, OpenAI wants `max_completion_tokens`."""
    asked = ask(stream=True, max_completion_tokens=9)
    mistral = orjson.loads(ADAPTER.call(asked, endpoint(base_url="https://api.mistral.ai/v1")).body)
    assert mistral["max_tokens"] == 9
    assert not {"stream_options", "max_completion_tokens"} & set(mistral)
    openai = orjson.loads(ADAPTER.call(ask(max_tokens=9), endpoint(base_url="https://api.openai.com/v1")).body)
    assert openai["max_completion_tokens"] == 9
    assert "max_tokens" not in openai


def test_a_reload_changes_the_call() -> None:
    """An endpoint of the same name with another key is another endpoint."""
    assert ADAPTER.call(ask(), endpoint()).headers["authorization"] == f"Bearer {KEY}"
    changed = Endpoint("one", "openai", "http://127.0.0.1:9/v1/", "m", EVERY, key=None)
    call = ADAPTER.call(ask(), changed)
    assert "authorization" not in call.headers
    assert call.url == "http://127.0.0.1:9/v1/chat/completions"


@pytest.mark.parametrize(("shape", "shapes"), [("embeddings", CHAT_ALONE), ("chat", frozenset({"embeddings"}))])
def test_what_an_endpoint_cannot_answer_is_refused(shape: Shape, shapes: frozenset[Shape]) -> None:
    """No chat stands for an embedding, and without chat nothing can be translated."""
    with pytest.raises(Refusal) as caught:
        ADAPTER.call(ask(shape), endpoint(shapes))
    assert caught.value.type == "no_capable_model"


@pytest.mark.parametrize("shape", ["completions", "messages", "responses"])
def test_other_shapes_are_translated_through_chat(shape: Shape) -> None:
    """A shape that the endpoint doesn't speak becomes a chat request, streamed with its usage asked for."""
    call = ADAPTER.call(ask(shape, stream=True), endpoint(CHAT_ALONE))
    body = orjson.loads(call.body)
    assert call.url.endswith("/chat/completions")
    assert (body["model"], body["stream"], body["stream_options"]) == ("upstream-name", True, {"include_usage": True})
    assert body["messages"][-1]["role"] == "user"


def test_signed_thoughts_stay_with_their_provider() -> None:
    """Anthropic's thinking blocks of earlier turns are not sent to a server that doesn't know them."""
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    turns = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "c"},
    ]
    call = ADAPTER.call(ask("messages", messages=turns), endpoint(CHAT_ALONE))
    assert b"thinking_blocks" not in call.body


# ---- whole answers


@pytest.mark.parametrize("shape", ["chat", "completions", "embeddings", "responses"])
def test_a_native_answer_is_untouched(shape: Shape) -> None:
    """The client gets the upstream's own bytes, whatever is in them."""
    query = ask(shape)
    reply = reply_to(shape, "m", query.body, script_of({"cached_tokens": 2, "extra": {"new_field": 1}}))
    body = orjson.dumps(WHOLE[shape](reply), option=orjson.OPT_INDENT_2)
    answer = ADAPTER.read(query, endpoint(), body)
    assert answer.body is body
    made = 0 if shape == "embeddings" else 6
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (reply.input_tokens, made)
    assert answer.output_chars == (0 if shape == "embeddings" else len(reply.text))


@pytest.mark.parametrize("shape", ["completions", "messages", "responses"])
def test_a_translated_answer(shape: Shape) -> None:
    """An answer in chat's shape comes out in the client's, with the same text and usage."""
    query = ask(shape)
    reply = reply_to("chat", "m", {}, script_of({"usage": "deepseek", "cached_tokens": 1, "input_tokens": 9}))
    answer = ADAPTER.read(query, endpoint(CHAT_ALONE), orjson.dumps(WHOLE["chat"](reply)))
    assert answer.usage == Usage(9, 6, cached_tokens=1)
    assert reply.text in answer.body.decode()
    assert "choices" not in orjson.loads(answer.body) or shape == "completions"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"choices":5}', b'{"choices":[5]}', b'{"choices":[{"message":{"tool_calls":3}}]}'],
)
@pytest.mark.parametrize("shapes", [EVERY, CHAT_ALONE])
@pytest.mark.parametrize("shape", ["chat", "completions", "responses"])
def test_an_unreadable_answer(shape: Shape, shapes: frozenset[Shape], body: bytes) -> None:
    """What is no answer is a fault, never an empty success."""
    with pytest.raises(UpstreamFault) as caught:
        ADAPTER.read(ask(shape), endpoint(shapes), body)
    assert caught.value.kind == "garbage"


def test_an_error_with_status_200() -> None:
    """Some routers answer 200 with an error inside."""
    with pytest.raises(UpstreamFault) as caught:
        ADAPTER.read(ask(), endpoint(), b'{"error":{"code":429,"message":"slow down"}}')
    assert caught.value.kind == "overloaded"


# ---- usage


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}, Usage(9, 5)),
        ({"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": None}, Usage(9, 5)),
        ({"prompt_tokens": 9.0, "completion_tokens": 5.0}, Usage(9, 5)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Usage(9, 5, 4, 2, 3),
        ),
        (
            {"input_tokens": 9, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 4}},
            Usage(9, 5, cached_tokens=4),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 5, "prompt_cache_hit_tokens": 4}, Usage(9, 5, cached_tokens=4)),
        ({"prompt_tokens": 9, "completion_tokens": 5, "cached_tokens": 4}, Usage(9, 5, cached_tokens=4)),
        # xAI: reasoning is in the total alone.
        (
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            Usage(32, 103, reasoning_tokens=94),
        ),
        ({"prompt_tokens": 21, "completion_tokens": 0, "total_tokens": 81}, Usage(21, 60, reasoning_tokens=60)),
        ({"prompt_tokens": 7, "total_tokens": 7}, Usage(7, 0)),
        ({"completion_tokens": 3, "total_tokens": 7}, Usage(4, 3)),
        # Parts are never more than their whole.
        ({"prompt_tokens": 2, "completion_tokens": 1, "cached_tokens": 50}, Usage(2, 1, cached_tokens=2)),
        ({"prompt_tokens": None, "completion_tokens": None}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
        ({"prompt_tokens": -5, "completion_tokens": "7"}, None),
        ({"prompt_tokens": 10**30, "completion_tokens": True}, None),
        ({}, None),
    ],
)
def test_complaint_12_usage_in_every_dialect(told: dict[str, Any], usage: Usage | None) -> None:
    """Cached, reasoning and cache-write tokens are known apart; a report that says nothing is none."""
    assert read_usage({"usage": told}) == usage
    assert read_usage({"response": {"usage": told}}) == usage
    assert read_usage({"x_groq": {"usage": told}}) == usage


def test_usage_in_llama_cpps_timings() -> None:
    """Where no usage was asked for, llama.cpp's own counts stand, those of its cache among them."""
    timings = {"cache_n": 20, "prompt_n": 5, "predicted_n": 7, "predicted_ms": 3.5}
    assert read_usage({"timings": timings}) == Usage(25, 7, cached_tokens=20)
    assert read_usage({"usage": None, "timings": {"prompt_n": 5}}) is None


# ---- streams


@pytest.mark.parametrize("shape", ["chat", "completions", "responses"])
@given(places=st.lists(st.integers(0, 5_000)), end=st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_a_stream_cut_at_any_borders_relays_identical_bytes(shape: Shape, places: list[int], end: bytes) -> None:
    """Whatever the cuts and line ends, the client gets what the upstream sent, and usage and length are known."""
    query = ask(shape, stream=True, stream_options={"include_usage": True})
    data = stream_of(query, cached_tokens=3).replace(b"\n", end)
    relay = ADAPTER.relay(query, endpoint())
    assert relayed(relay, data, places) == data
    assert relay.usage is not None
    assert (relay.usage.output_tokens, relay.usage.cached_tokens) == (6, 3)
    assert relay.begun
    assert relay.ended
    assert relay.output_chars == len("The answer to this is forty-two.")


@given(places=st.lists(st.integers(0, 5_000)), shape=st.sampled_from(["chat", "completions"]))
def test_the_usage_chunk_is_hidden_from_who_did_not_ask(places: list[int], shape: Shape) -> None:
    """All other bytes are identical, and the usage is still known."""
    query = ask(shape, stream=True)
    data = stream_of(query)
    [hidden] = [event for event in data.split(b"\n\n") if b'"choices":[]' in event]
    relay = ADAPTER.relay(query, endpoint())
    assert relayed(relay, data, places) == data.replace(hidden + b"\n\n", b"")
    assert relay.usage is not None


@pytest.mark.parametrize("mode", ["every", "timings", "deepseek", "same", "always", "nulls"])
def test_complaint_8_a_stream_knows_its_usage_in_every_dialect(mode: str) -> None:
    """However an upstream reports usage in a stream, it is found."""
    query = ask(stream=True)
    relay = ADAPTER.relay(query, endpoint())
    relayed(relay, stream_of(query, usage=mode, input_tokens=9))
    assert relay.usage is not None
    assert (relay.usage.input_tokens, relay.usage.output_tokens) == (9, 6)


def test_a_stream_without_usage_knows_its_length() -> None:
    """Missing usage is None, not zero, and the characters are there to count by."""
    query = ask(stream=True)
    relay = ADAPTER.relay(query, endpoint())
    relayed(relay, stream_of(query, usage="none", text='Zwölf Boxkämpfer\nsagen "ja".'))
    assert relay.usage is None
    assert 28 <= relay.output_chars <= 40


def test_words_like_the_gateways_own_are_content() -> None:
    """A text about errors and usage is text; only the fields of that name are looked at."""
    query = ask(stream=True)
    text = '{"error": {"message": "x"}, "usage": {"prompt_tokens": 1}} [DONE] "finish_reason":"stop" data: [DONE]'
    data = stream_of(query, text=text)
    relay = ADAPTER.relay(query, endpoint())
    assert b'"choices":[],"usage"' not in relayed(relay, data)
    assert relay.usage is not None
    assert relay.usage.output_tokens > 6


@pytest.mark.parametrize("script", [{"tool_calls": [["f", {"a": 1}]]}, {"thinking": "hm hm"}])
def test_tool_calls_and_thoughts_begin_an_answer(script: dict[str, Any]) -> None:
    """A call or a thought is content: it may be all there is."""
    query = ask(stream=True)
    relay = ADAPTER.relay(query, endpoint())
    fed = [(relay.feed(event + b"\n\n"), relay.begun) for event in stream_of(query, **script).split(b"\n\n")[:2]]
    assert [begun for _, begun in fed] == [False, True]
    assert relay.output_chars > 0


@pytest.mark.parametrize("shape", ["chat", "completions", "responses"])
def test_json_with_blanks_is_measured_alike(shape: Shape) -> None:
    """Servers that put blanks into their JSON are read, if more slowly."""
    query = ask(shape, stream=True)
    data = stream_of(query).replace(b'":', b'": ').replace(b',"', b', "')
    relay = ADAPTER.relay(query, endpoint())
    relayed(relay, data)
    assert relay.output_chars == len("The answer to this is forty-two.")
    assert relay.usage is not None


def test_the_cost_comes_last() -> None:
    """On request a chunk of its own before the end marker holds the cost; the client's library can read it."""
    query = ask(stream=True)
    told = relayed(ADAPTER.relay(query, endpoint()), stream_of(query), cost={"cost_usd": "0.01"})
    assert told.endswith(b"data: [DONE]\n\n")
    assert chunks(told)[-1]["pointsman"] == {"cost_usd": "0.01"}
    assert all(ChatCompletionChunk.model_validate(chunk).id == "chatcmpl-stub" for chunk in chunks(told))
    asked = ask("responses", stream=True)
    last = chunks(relayed(ADAPTER.relay(asked, endpoint()), stream_of(asked), cost={"cost_usd": "0.01"}))[-1]
    assert (last["type"], last["response"]["pointsman"]) == ("response.completed", {"cost_usd": "0.01"})


@pytest.mark.parametrize("shape", ["chat", "completions", "responses"])
def test_a_stream_that_ends_before_its_end(shape: Shape) -> None:
    """A stream cut after its first half is broken."""
    query = ask(shape, stream=True)
    data = stream_of(query)
    relay = ADAPTER.relay(query, endpoint())
    relay.feed(data[: len(data) // 2])
    with pytest.raises(UpstreamFault) as caught:
        relay.finish()
    assert caught.value.kind == "broken"


def test_an_end_without_its_marker() -> None:
    """After a finish reason the marker may be missing or lack its blank line; what comes after an end is dropped."""
    query = ask(stream=True)
    whole = stream_of(query)
    expected = relayed(ADAPTER.relay(query, endpoint()), whole)
    assert relayed(ADAPTER.relay(query, endpoint()), stream_of(query, ending=False)) == expected
    assert relayed(ADAPTER.relay(query, endpoint()), whole.removesuffix(b"\n")) == expected
    assert relayed(ADAPTER.relay(query, endpoint()), whole + b"data: more\n\n") == expected


@pytest.mark.parametrize("shape", ["chat", "completions", "responses"])
@pytest.mark.parametrize("shapes", [EVERY, CHAT_ALONE])
def test_an_error_event(shape: Shape, shapes: frozenset[Shape]) -> None:
    """An error in a stream is a fault, and the events before it in the same bytes are not lost."""
    query = ask(shape, stream=True)
    native = "chat" if shapes == CHAT_ALONE else shape
    begun = stream_of(query, native)[:-40].rpartition(b"\n\n")[0] + b"\n\n"
    relay = ADAPTER.relay(query, endpoint(shapes))
    assert relay.feed(begun[:-200].rpartition(b"\n\n")[0] + b"\n\n" + failure_frame(native))
    with pytest.raises(UpstreamFault) as caught:
        relay.feed(b": late\n\n")
    assert caught.value.kind == "server"
    with pytest.raises(UpstreamFault):
        relay.finish()
    assert b"the gateway's word" in relay.fail({"error": {"message": "the gateway's word", "type": "upstream_error"}})


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 429, "message": ""}, "overloaded"),
        ({"code": "rate_limit_exceeded"}, "overloaded"),
        ({"type": "overloaded_error"}, "overloaded"),
        ({"code": "insufficient_quota", "status": 429}, "credentials"),
        ({"code": 502}, "server"),
        ({"code": 400}, "server"),
        ("text", "server"),
    ],
)
def test_what_an_error_event_means(error: Any, kind: str) -> None:
    """Kinds come of codes and types; nothing of a stream that has begun is the client's fault."""
    relay = ADAPTER.relay(ask(stream=True), endpoint())
    with pytest.raises(UpstreamFault) as caught:
        relay.feed(b"data: " + orjson.dumps({"error": error}) + b"\n\n")
    assert caught.value.kind == kind


def test_a_failed_response() -> None:
    """A failed response is a fault, with its usage kept; an incomplete one is an end."""
    failed = {"type": "response.failed", "response": {"error": {"code": "server_error"}, "usage": {"input_tokens": 3}}}
    relay = ADAPTER.relay(ask("responses", stream=True), endpoint())
    with pytest.raises(UpstreamFault):
        relay.feed(b"event: response.failed\ndata: " + orjson.dumps(failed) + b"\n\n")
    assert relay.usage == Usage(3, 0)
    query = ask("responses", stream=True, max_output_tokens=2)
    assert chunks(relayed(ADAPTER.relay(query, endpoint()), stream_of(query)))[-1]["type"] == "response.incomplete"


@pytest.mark.parametrize(
    "data",
    [
        b"<html>Bad gateway</html>",
        b"data: hello\n\n",
        b"data: []\n\n",
        b'data: {"choices":[{"delta":5}]}\n\n',
        b'data: {"choices":{"a":5}}\n\n',
        b"\x00\xff: no stream\r" * 10,
        b'{"choices":[]}',
        b"",
        b"data: [DONE]\n\n",
    ],
)
@pytest.mark.parametrize("shapes", [EVERY, CHAT_ALONE])
@pytest.mark.parametrize("shape", ["chat", "completions", "responses"])
def test_an_unreadable_stream(shape: Shape, shapes: frozenset[Shape], data: bytes) -> None:
    """What is no stream ends in a fault, and nothing counts as begun."""
    relay = ADAPTER.relay(ask(shape, stream=True), endpoint(shapes))
    with pytest.raises(UpstreamFault) as caught:
        relayed(relay, data)
    assert caught.value.kind in {"garbage", "broken"}
    assert not relay.begun


def test_a_whole_error_in_place_of_a_stream() -> None:
    """An upstream that ignores `stream` and answers with an error object is understood."""
    relay = ADAPTER.relay(ask(stream=True), endpoint())
    relay.feed(orjson.dumps({"error": {"code": 503}}))
    with pytest.raises(UpstreamFault) as caught:
        relay.finish()
    assert caught.value.kind == "overloaded"


@pytest.mark.parametrize("shape", ["completions", "messages", "responses"])
@given(places=st.lists(st.integers(0, 5_000)))
def test_a_translated_stream(shape: Shape, places: list[int]) -> None:
    """A chat stream comes out in the client's shape, the same wherever it was cut."""
    query = ask(shape, stream=True)
    data = stream_of(query, "chat", usage="always", text="Five words are said here.")
    whole, cut = (ADAPTER.relay(query, endpoint(CHAT_ALONE)) for _ in range(2))
    told = relayed(whole, data)
    assert relayed(cut, data, places) == told
    assert all(word in told for word in (b"Five ", b"words ", b"here."))
    assert cut.usage is not None
    assert cut.usage.output_tokens == 5
    assert cut.output_chars == 25


@given(data=st.binary(max_size=200), shape=st.sampled_from(["chat", "responses", "messages"]))
def test_any_bytes_end_in_a_fault_or_an_end(data: bytes, shape: Shape) -> None:
    """Nothing that an upstream sends is more than a fault."""
    relay = ADAPTER.relay(ask(shape, stream=True), endpoint())
    with pytest.raises(UpstreamFault):
        relayed(relay, data)


# ---- faults


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, "refused") for status in (400, 413, 422)),
        *((status, "credentials") for status in (302, 401, 402, 403, 404, 405)),
        *((status, "timeout") for status in (408, 504)),
        *((status, "overloaded") for status in (429, 503, 529)),
        *((status, "server") for status in (500, 502)),
        (204, "garbage"),
    ],
)
def test_what_a_status_means(status: int, kind: str) -> None:
    """Each status has its kind; only the client's own fault is passed on, in its own shape."""
    body = orjson.dumps(failure("chat", status))
    fault = ADAPTER.fault(ask(), endpoint(), status, {"retry-after": "2"}, body)
    assert (fault.kind, fault.status, fault.retry_after_s) == (kind, status, 2.0)
    assert fault.body == (body if kind == "refused" else None)
    assert ADAPTER.fault(ask("messages"), endpoint(), status, {}, body).body is None


def test_money_run_out_is_not_worth_a_retry() -> None:
    """A 429 for an empty account doesn't pass by waiting."""
    body = b'{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}'
    assert not ADAPTER.fault(ask(), endpoint(), 429, {}, body).may_pass


@pytest.mark.parametrize("status", [400, 401, 500])
def test_no_key_and_no_address_reaches_a_client(status: int) -> None:
    """Even where the upstream repeats the key, the address or a header, the client sees none of them."""
    said = f"bad key {KEY} at http://127.0.0.1:9/v1/chat, 127.0.0.1:9, a-team-header"
    fault = ADAPTER.fault(ask(), endpoint(), status, {}, orjson.dumps({"error": {"message": said}}))
    told = f"{fault.message} {fault.body!r} {fault}"
    assert not any(secret in told for secret in (KEY, "127.0.0.1:9", "a-team-header"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"5",
        b'{"error":5}',
        b'{"error":"text"}',
        b'[{"error":{"message":"m"}}]',
        b'{"detail":[1]}',
    ],
)
def test_any_error_body_is_understood(body: bytes) -> None:
    """Servers put their errors in many places, or nowhere."""
    assert ADAPTER.fault(ask(), endpoint(), 400, {}, body).message


# ---- anything that can be read can be said or is refused

FIELDS = st.sampled_from(["role", "content", "type", "text", "user", "tool_calls", "source", "input", "id", "name"])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=10,
)
TOPS = st.sampled_from(
    ["messages", "input", "prompt", "tools", "tool_choice", "stream_options", "text", "system", "stop", "thinking"]
)


@given(shape=st.sampled_from(list(ASKS)), fields=st.dictionaries(TOPS, JSON, max_size=5), stream=st.booleans())
def test_what_is_read_is_called_or_refused(shape: Shape, fields: dict[str, Any], stream: bool) -> None:
    """No body makes the adapter fail: it gives a call or a refusal below 500, translated or not."""
    for shapes in (EVERY, CHAT_ALONE):
        try:
            body = ADAPTER.call(ask(shape, **{**fields, "stream": stream}), endpoint(shapes)).body
        except Refusal as refused:
            status = refused.status
        else:
            status = 400
            assert orjson.loads(body)["model"] == "upstream-name"
        assert 400 <= status < 500
