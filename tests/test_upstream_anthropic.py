"""Anthropic as an upstream: native pass-through byte for byte, chat in its language, faults."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_upstreams import ANTHROPIC_USAGE, KEY, TEXT, adapter, answer, endpoint, query, relayed, sent, stream
from pointsman.pool.cards import Usage
from pointsman.serve.upstreams.adapter import UpstreamFault
from pointsman.serve.upstreams.anthropic import AnthropicAdapter
from pointsman.serve.wire.errors import Refusal

HELLO = [{"role": "user", "content": "Hi"}]
NATIVE = {"max_tokens": 9, "messages": HELLO}
USAGE = Usage(20, 7, cached_tokens=8, cache_write_tokens=3)
MARK = {"type": "ephemeral"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "look", "parameters": SCHEMA, "description": "d", "strict": True}}
OLD, MIDDLE, NEW = "claude-sonnet-4-20250514", "claude-sonnet-4-5-20250929", "claude-opus-4-6"


def asked(model: str = NEW, **body: Any) -> dict[str, Any]:
    """What Anthropic gets for a chat request."""
    return sent("chat", {"messages": HELLO, **body}, "anthropic", model)


def test_native_call_changes_the_model_alone() -> None:
    """Fields that nobody here knows, cache marks and thoughts go through; key and version stand in the headers."""
    body = {**NATIVE, "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}], "new": [1]}
    call = adapter("anthropic").call(query("messages", {**body, "pointsman": {"session": "s"}}), endpoint("anthropic"))
    assert orjson.loads(call.body) == {"model": NEW, **body}
    assert call.url == "https://up.test/v1/messages"
    assert call.headers["x-api-key"] == KEY
    assert call.headers["anthropic-version"] == "2023-06-01"
    assert KEY not in repr(call)


def test_native_answer_is_the_same_bytes() -> None:
    """The body is untouched, usage is read with its cached parts inside the total, unknown blocks don't hurt."""
    whole = json.loads(answer("anthropic", "tools"))
    whole["content"].append({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}})
    body = json.dumps(whole, indent=1).encode()
    got = adapter("anthropic").read(query("messages", NATIVE), endpoint("anthropic"), body)
    assert got.body == body
    assert got.usage == USAGE
    assert got.output_chars > 0


@given(st.integers(1, 400), st.sampled_from(["plain", "tools"]))
def test_native_stream_is_the_same_bytes_at_any_borders(size: int, scene: Any) -> None:
    """Whatever the pieces, the client gets the upstream's bytes, pings among them."""
    told = stream("anthropic", scene)
    assert relayed(query("messages", {**NATIVE, "stream": True}), "anthropic", told, size) == told


def test_native_stream_collects_usage_and_keeps_the_end_back() -> None:
    """Until the last report the answer's tokens are counted from its characters and marked as such; then they stand."""
    relay = adapter("anthropic").relay(query("messages", {**NATIVE, "stream": True}), endpoint("anthropic"))
    told = stream("anthropic", "plain")
    middle = told.index(b"content_block_stop")
    relay.feed(told[:40])
    assert (relay.begun, relay.usage) == (False, None)
    relay.feed(told[40:middle])
    assert relay.begun
    assert relay.output_chars == len(TEXT)
    assert relay.usage == Usage(20, -(-len(TEXT) // 4), 8, 3, estimated=True)
    assert not relay.feed(told[middle:]).endswith(b'"message_stop"}\n\n')
    assert relay.ended
    assert relay.usage == USAGE
    last = relay.finish({"cost_usd": "0.01"})
    assert last.startswith(b'event: ping\ndata: {"type":"ping","pointsman":{"cost_usd":"0.01"}}\n\n')
    assert last.endswith(b'"message_stop"}\n\n')
    assert relay.feed(b"data: {}\n\n") == b""


def test_a_stream_without_its_end_is_broken() -> None:
    """In every shape: the upstream closed before `message_stop`."""
    told = stream("anthropic", "plain").partition(b"event: message_stop")[0]
    for shape, body in (("messages", NATIVE), ("chat", {"messages": HELLO})):
        relay = adapter("anthropic").relay(query(shape, {**body, "stream": True}), endpoint("anthropic"))  # type: ignore[arg-type]
        relay.feed(told)
        with pytest.raises(UpstreamFault) as fault:
            relay.finish()
        assert fault.value.kind == "broken"


@pytest.mark.parametrize("shape", ["messages", "chat", "responses"])
def test_an_error_event_is_a_fault_and_what_came_before_stands(shape: Any) -> None:
    """What was said before the error reaches the client, even in the same piece; the next call tells the fault."""
    body = {"input": "Hi"} if shape == "responses" else NATIVE
    relay = adapter("anthropic").relay(query(shape, {**body, "stream": True}), endpoint("anthropic"))
    error = {"type": "error", "error": {"type": "overloaded_error", "message": f"Overloaded at {KEY}"}}
    good = stream("anthropic", "plain").partition(b"event: content_block_stop")[0]
    assert TEXT[:4].encode() in relay.feed(good + b"event: error\ndata: " + json.dumps(error).encode() + b"\n\n")
    with pytest.raises(UpstreamFault) as fault:
        relay.finish()
    assert fault.value.kind == "overloaded"
    assert KEY not in fault.value.message


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, "invalid_request_error", "refused"),
        (401, "authentication_error", "credentials"),
        (402, "billing_error", "credentials"),
        (403, "permission_error", "credentials"),
        (404, "not_found_error", "credentials"),
        (413, "request_too_large", "refused"),
        (429, "rate_limit_error", "overloaded"),
        (500, "api_error", "server"),
        (504, "timeout_error", "timeout"),
        (529, "overloaded_error", "overloaded"),
    ],
)
def test_statuses(status: int, error: str, kind: str) -> None:
    """Each of Anthropic's errors has its kind; only one that is the client's own is passed on, to its own shape."""
    body = json.dumps({"type": "error", "error": {"type": error, "message": "Why."}}).encode()
    speaker, at = adapter("anthropic"), endpoint("anthropic")
    native = speaker.fault(query("messages", NATIVE), at, status, {"retry-after": "7"}, body)
    other = speaker.fault(query("chat", {"messages": HELLO}), at, status, {}, body)
    assert (native.kind, native.status, native.retry_after_s) == (kind, status, 7.0)
    assert native.body == (body if kind == "refused" else None)
    assert other.body is None
    assert (other.message == "Why.") == (kind == "refused")


def test_an_empty_account_is_not_the_clients_fault() -> None:
    """Anthropic says it with status 400; it falls back all the same, and the client isn't told of it."""
    error = {"type": "invalid_request_error", "message": "Your credit balance is too low to access the API."}
    body = json.dumps({"type": "error", "error": error}).encode()
    fault = adapter("anthropic").fault(query("messages", NATIVE), endpoint("anthropic"), 400, {}, body)
    assert (fault.kind, fault.status, fault.body) == ("credentials", 400, None)
    assert "balance" not in fault.message


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"type":"message"}', b'{"content":3}'])
def test_garbage(body: bytes) -> None:
    """An answer that can't be read is garbage in every shape."""
    for asked_for in (query("messages", NATIVE), query("chat", {"messages": HELLO})):
        with pytest.raises(UpstreamFault) as fault:
            adapter("anthropic").read(asked_for, endpoint("anthropic"), body)
        assert fault.value.kind == "garbage"


def test_a_chat_by_hand() -> None:
    """Leading system turns become the prompt, results and what follows one turn; empty texts go, all else stays."""
    call = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"a":"b"}'}}
    made = asked(
        messages=[
            {"role": "system", "content": "One."},
            {
                "role": "developer",
                "content": [{"type": "text", "text": "Two.", "cache_control": {"type": "ephemeral"}}],
            },
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "t1", "content": "rain"},
            {"role": "user", "content": "And?"},
            {"role": "system", "content": "Hurry."},
            {"role": "assistant", "content": "It "},
        ],
        stop="END",
        user="u1",
        max_completion_tokens=5,
        temperature=1.7,
        top_p=1,
        seed=3,
        stream=True,
        stream_options={"include_usage": True},
    )
    assert made == {
        "model": NEW,
        "max_tokens": 5,
        "stream": True,
        "metadata": {"user_id": "u1"},
        "temperature": 1.0,
        "stop_sequences": ["END"],
        "system": [
            {"type": "text", "text": "One."},
            {"type": "text", "text": "Two.", "cache_control": MARK},
        ],
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}}],
            },
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t1", "name": "look", "input": {"a": "b"}}],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "rain"}]},
                    {"type": "text", "text": "And?"},
                    {"type": "text", "text": "Hurry."},
                ],
            },
            {"role": "assistant", "content": [{"type": "text", "text": "It"}]},
        ],
    }


def test_what_other_upstreams_left_in_a_conversation_is_made_fit() -> None:
    """Ids in letters that Anthropic doesn't take are rewritten alike in call and result; blank texts go."""
    call = {"id": "functions.look:0", "type": "function", "function": {"name": "look", "arguments": ""}}
    turn = {"role": "assistant", "content": " \n", "tool_calls": [call]}
    made = asked(messages=[*HELLO, turn, {"role": "tool", "tool_call_id": "functions.look:0", "content": ""}])
    assert made["messages"][1:] == [
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "functions_look_0", "name": "look", "input": {}}],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "functions_look_0", "content": []}],
        },
    ]


def test_a_limit_is_always_sent() -> None:
    """Anthropic wants one: the client's, else the endpoint's, else what its models can write."""
    assert asked(max_tokens=3)["max_tokens"] == 3
    assert asked(max_tokens=0)["max_tokens"] == 0
    assert asked()["max_tokens"] == 32_000
    assert asked("claude-3-haiku-20240307")["max_tokens"] == 4_096
    limited = AnthropicAdapter({"anthropic-1": 77})
    made = orjson.loads(limited.call(query("chat", {"messages": HELLO}), endpoint("anthropic")).body)
    assert made["max_tokens"] == 77


def test_system_turns_alone_are_what_the_user_says() -> None:
    """OpenAI answers a lone system turn; Anthropic needs a user's."""
    made = asked(messages=[{"role": "system", "content": "Tell a joke."}])
    assert made["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Tell a joke."}]}]
    assert "system" not in made


@pytest.mark.parametrize(
    ("choice", "parallel", "told"),
    [
        (None, None, None),
        ("auto", None, {"type": "auto"}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        ("none", False, {"type": "none"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"type": "function", "function": {"name": "look"}}, None, {"type": "tool", "name": "look"}),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TOOL]}},
            None,
            {"type": "any"},
        ),
    ],
)
def test_tool_choices(choice: Any, parallel: Any, told: Any) -> None:
    """Every way to choose has its word, with one call at a time among them."""
    other = {"type": "function", "function": {"name": "other"}}
    made = asked(tools=[TOOL, other], tool_choice=choice, parallel_tool_calls=parallel)
    assert made.get("tool_choice") == told
    limited = isinstance(choice, dict) and choice["type"] == "allowed_tools"
    assert [tool["name"] for tool in made["tools"]] == (["look"] if limited else ["look", "other"])
    assert made["tools"][0] == {"name": "look", "description": "d", "input_schema": SCHEMA}


def test_a_schema_where_the_model_has_structured_output() -> None:
    """A strict schema goes into the field for it."""
    wish = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}
    made = asked(response_format=wish)
    assert made["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert "tools" not in made


@pytest.mark.parametrize(("model", "strict"), [(OLD, True), (NEW, False)])
def test_a_schema_where_it_has_not(model: str, strict: bool) -> None:
    """Else the model must call a tool that takes it, and the call is the answer, whole and streamed."""
    wish = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": strict}}
    made = asked(model, response_format=wish)
    (tool,) = made["tools"]
    assert tool["input_schema"] == SCHEMA
    assert made["tool_choice"] == {"type": "tool", "name": tool["name"]}
    assert asked(model, response_format=wish, tools=[TOOL])["tool_choice"] == {"type": "any"}
    told = {"type": "tool_use", "id": "t", "name": tool["name"], "input": {"a": "b"}}
    whole = {**json.loads(answer("anthropic", "plain")), "content": [told], "stop_reason": "tool_use"}
    chat = query("chat", {"messages": HELLO, "stream": True})
    got = json.loads(adapter("anthropic").read(chat, endpoint("anthropic"), json.dumps(whole).encode()).body)
    assert got["choices"][0]["message"] == {"role": "assistant", "content": '{"a":"b"}'}
    assert got["choices"][0]["finish_reason"] == "stop"
    streamed = stream("anthropic", "tools").replace(b"get_weather", tool["name"].encode())
    assert b"tool_calls" not in relayed(chat, "anthropic", streamed)


def test_an_object_without_a_schema_is_asked_for_in_words() -> None:
    """Anthropic has no mode for it."""
    assert "JSON object" in asked(response_format={"type": "json_object"})["system"][0]["text"]


@pytest.mark.parametrize(
    ("model", "limit", "told"),
    [
        (NEW, 100, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}}),
        (MIDDLE, 20_000, {"thinking": {"type": "enabled", "budget_tokens": 4_096}}),
        (MIDDLE, 3_000, {"thinking": {"type": "enabled", "budget_tokens": 1_500}}),
        (MIDDLE, 1_000, {}),
        ("claude-3-5-haiku-20241022", 20_000, {}),
    ],
)
def test_effort(model: str, limit: int, told: dict[str, Any]) -> None:
    """An effort where the model knows it, else a budget within half the limit, else nothing; no sampling beside it."""
    made = asked(model, reasoning_effort="medium", max_tokens=limit, temperature=0.2)
    assert {name: made[name] for name in ("thinking", "output_config") if name in made} == told
    assert ("temperature" in made) == ("thinking" not in told)


def test_no_thinking_where_it_cannot_be() -> None:
    """Not beside a forced call, and not after calls whose signed thoughts the client didn't keep."""
    assert "thinking" not in asked(reasoning_effort="low", tools=[TOOL], tool_choice="required")
    call = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    turn: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "t1", "content": "x"}
    assert "thinking" not in asked(reasoning_effort="low", messages=[*HELLO, turn, result])
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    made = asked(reasoning_effort="low", messages=[*HELLO, {**turn, "thinking_blocks": [thought]}, result])
    assert made["thinking"] == {"type": "adaptive"}
    assert made["messages"][1]["content"][0] == thought


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"stop": "\n"}, "stop"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
            "messages[0].content[0].file.file_id",
        ),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ],
)
def test_what_anthropic_cannot_say_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    """Nothing that would change the answer is lost in silence."""
    with pytest.raises(Refusal) as refused:
        asked(**body)
    assert refused.value.param == param


def test_embeddings_are_refused() -> None:
    """Anthropic has none."""
    with pytest.raises(Refusal) as refused:
        adapter("anthropic").call(query("embeddings", {"input": "x"}), endpoint("anthropic"))
    assert refused.value.type == "no_capable_model"


def test_thoughts_reach_a_chat_client_whole_and_streamed() -> None:
    """As `reasoning_content`, with the signed blocks beside it to be sent back."""
    thought = {"type": "thinking", "thinking": "hm", "signature": "sig"}
    whole = {**json.loads(answer("anthropic", "plain")), "content": [thought, {"type": "text", "text": "Yo"}]}
    chat = query("chat", {"messages": HELLO, "stream": True})
    got = json.loads(adapter("anthropic").read(chat, endpoint("anthropic"), json.dumps(whole).encode()).body)
    message = got["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"], message["thinking_blocks"]) == ("Yo", "hm", [thought])
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**whole, "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sig"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]
    told = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    chunks = [json.loads(line[6:]) for line in relayed(chat, "anthropic", told).split(b"\n\n") if b"{" in line]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert {"reasoning_content": "hm"} in deltas
    assert {"thinking_blocks": [thought]} in deltas


def test_usage_with_reasoning() -> None:
    """Thinking tokens are part of the output."""
    usage = {**ANTHROPIC_USAGE, "output_tokens_details": {"thinking_tokens": 4}}
    body = json.dumps({**json.loads(answer("anthropic", "plain")), "usage": usage}).encode()
    got = adapter("anthropic").read(query("messages", NATIVE), endpoint("anthropic"), body)
    assert got.usage == Usage(20, 7, 8, 3, reasoning_tokens=4)


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": 0, "output_tokens": 0}, {"input_tokens": "many"}])
def test_a_missing_usage_is_none(usage: Any) -> None:
    """It never counts as zero."""
    body = json.dumps({**json.loads(answer("anthropic", "plain")), "usage": usage}).encode()
    assert adapter("anthropic").read(query("messages", NATIVE), endpoint("anthropic"), body).usage is None
