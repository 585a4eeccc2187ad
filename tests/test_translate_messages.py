"""Anthropic's messages and chat: requests by hand, streams in detail, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from made_upstreams import query
from pointsman.pool.cards import Usage
from pointsman.serve.sse import Events
from pointsman.serve.wire.codec_messages import MessagesCodec, MessagesEncoder
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.messages import read_messages

CODEC = MessagesCodec()
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}


def chat(**body: Any) -> dict[str, Any]:
    """The chat request for a body with one turn, unless it has its own."""
    return CODEC.to_chat({"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], **body})


def events(told: bytes) -> list[dict[str, Any]]:
    """The data of all events, each with the name that stands before it."""
    found = Events().feed(told)
    assert all(event.name.decode() == json.loads(event.data)["type"] for event in found)
    return [json.loads(event.data) for event in found]


def test_a_conversation_with_tools_by_hand() -> None:
    """Results become turns of their own before what the user adds, pictures of a tool follow, thoughts are left out."""
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "Weather?", "cache_control": {"type": "ephemeral"}}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "Paris"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "rain"}, PNG]},
                {"type": "text", "text": "And?"},
            ],
        },
    ]
    assert chat(messages=messages, system=[{"type": "text", "text": "Be"}, {"type": "text", "text": "brief."}])[
        "messages"
    ] == [
        {"role": "system", "content": "Be\nbrief."},
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"at":"Paris"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "rain"},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                {"type": "text", "text": "And?"},
            ],
        },
    ]


def test_options_by_hand() -> None:
    """Limits, stops, tools, choices, the schema, the effort and the user go over under chat's names."""
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    made = chat(
        stop_sequences=["END"],
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        stream=True,
        tools=[{"name": "look", "description": "d", "input_schema": schema, "cache_control": {"type": "ephemeral"}}],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        output_config={"format": {"type": "json_schema", "schema": schema}, "effort": "max"},
        metadata={"user_id": "u1"},
        thinking={"type": "enabled", "budget_tokens": 2_000},
    )
    del made["messages"]
    assert made == {
        "model": "auto",
        "max_tokens": 9,
        "stop": ["END"],
        "temperature": 0.5,
        "top_p": 0.9,
        "stream": True,
        "tools": [{"type": "function", "function": {"name": "look", "description": "d", "parameters": schema}}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": True},
        },
        "reasoning_effort": "xhigh",
        "user": "u1",
    }
    assert chat(tool_choice={"type": "tool", "name": "look"})["tool_choice"]["function"] == {"name": "look"}


def test_an_error_of_a_tool_is_told() -> None:
    """Chat has no word for a failed tool, so its text says it."""
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "no such city", "is_error": True}
    made = chat(messages=[{"role": "user", "content": [result]}])["messages"]
    assert made == [{"role": "tool", "tool_call_id": "t1", "content": "Error: no such city"}]


@pytest.mark.parametrize(
    ("body", "param", "kind"),
    [
        ({"mcp_servers": [{"url": "x"}]}, "mcp_servers", "no_capable_model"),
        ({"container": "c"}, "container", "no_capable_model"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type", "no_capable_model"),
        ({"tool_choice": {"type": "most"}}, "tool_choice.type", "invalid_request_error"),
        ({"messages": [{"role": "robot", "content": ""}]}, "messages[0].role", "invalid_request_error"),
        (
            {"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}]}]},
            "messages[0].content[0].type",
            "no_capable_model",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "file"}}]}]},
            "messages[0].content[0].source",
            "no_capable_model",
        ),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "server_tool_use", "id": "s"}]}]},
            "messages[0].content[0].type",
            "no_capable_model",
        ),
    ],
)
def test_what_chat_cannot_say_is_refused_by_name(body: dict[str, Any], param: str, kind: str) -> None:
    """Nothing that would change the answer is lost in silence."""
    with pytest.raises(Refusal) as refused:
        chat(**body)
    assert (refused.value.param, refused.value.type) == (param, kind)


def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    """One chat chunk."""
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "chatcmpl-7", "model": "m", "created": 1, "choices": [choice]}


def call(index: int, piece: str, made: str = "") -> dict[str, Any]:
    """A piece of a tool call; the first one has its id."""
    head = {"id": made, "type": "function"} if made else {}
    return {"index": index, **head, "function": {**({"name": f"f{index}"} if made else {}), "arguments": piece}}


def test_calls_written_at_the_same_time_come_one_after_the_other() -> None:
    """Anthropic's blocks don't interleave: what belongs to a later call is kept until the first is done."""
    encoder = MessagesEncoder()
    told = encoder.chunk(chunk({"tool_calls": [call(0, "", "a"), call(1, "", "b")]}))
    told += encoder.chunk(chunk({"tool_calls": [call(1, '{"y":'), call(0, '{"x":')]}))
    told += encoder.chunk(chunk({"tool_calls": [call(1, "2}"), call(0, "1}")]}, "tool_calls"))
    told += encoder.end(Usage(30, 4, cached_tokens=10, cache_write_tokens=5))
    seen = events(told)
    assert [event["type"] for event in seen] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [event["index"] for event in seen if "index" in event] == [0, 0, 0, 0, 1, 1, 1]
    assert [event["delta"]["partial_json"] for event in seen if event["type"] == "content_block_delta"] == [
        '{"x":',
        "1}",
        '{"y":2}',
    ]
    assert seen[-2]["delta"]["stop_reason"] == "tool_use"
    assert seen[-2]["usage"] == {
        "input_tokens": 15,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 10,
        "output_tokens": 4,
    }


def test_thoughts_come_before_the_text_with_their_signature() -> None:
    """Reasoning is a thinking block, ended by its signature; a hidden one is a block of its own."""
    encoder = MessagesEncoder()
    told = encoder.chunk(chunk({"reasoning_content": "hm"}))
    told += encoder.chunk(chunk({"thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "sig"}]}))
    told += encoder.chunk(chunk({"thinking_blocks": [{"type": "redacted_thinking", "data": "xyz"}]}))
    told += encoder.chunk(chunk({"content": "Hi"}, "stop")) + encoder.end(None)
    deltas = [event["delta"]["type"] for event in events(told) if event["type"] == "content_block_delta"]
    blocks = [event["content_block"]["type"] for event in events(told) if event["type"] == "content_block_start"]
    assert deltas == ["thinking_delta", "signature_delta", "text_delta"]
    assert blocks == ["thinking", "redacted_thinking", "text"]


def test_cost_and_failure_of_a_stream() -> None:
    """The cost stands in a ping before the end, a failure is Anthropic's error event."""
    encoder = MessagesEncoder()
    told = events(encoder.end(None, {"cost_usd": "0.01"}))
    assert told[-2:] == [{"type": "ping", "pointsman": {"cost_usd": "0.01"}}, {"type": "message_stop"}]
    failed = events(MessagesEncoder().fail(Refusal("upstream_overloaded", "Busy.").openai()))
    assert failed == [{"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}}]


def test_reading() -> None:
    """What routing needs of a body: the user's text, characters of everything, pictures, needs, the limit."""
    body = {
        "max_tokens": 50,
        "system": "Be brief.",
        "tools": [{"name": "t", "input_schema": {}}],
        "output_config": {"format": {"type": "json_schema", "schema": {}}},
        "messages": [
            {"role": "user", "content": "abc"},
            {"role": "assistant", "content": [{"type": "text", "text": "de"}]},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": [PNG]},
                    {"type": "text", "text": "f"},
                ],
            },
        ],
    }
    reading = read_messages(body)
    assert reading.text == "abc\nf"
    assert (reading.images, reading.max_output_tokens, reading.choices) == (1, 50, 1)
    assert reading.needs == {"tools", "vision", "json"}
    assert reading.input_chars == len("Be brief.") + len("abcdef") + len('[{"name":"t","input_schema":{}}]')
    assert len(reading.messages_for_digest) == 4
    assert len(query("messages", body).prefixes) == 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [{"role": "user", "content": "x"}]}, "max_tokens"),
        ({"max_tokens": -1, "messages": [{"role": "user", "content": "x"}]}, "max_tokens"),
        ({"max_tokens": 1, "messages": []}, "messages"),
        ({"max_tokens": 1, "messages": [{"role": [], "content": "x"}]}, "messages[0].role"),
        ({"max_tokens": 1, "messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
    ],
)
def test_reading_refuses_by_name(body: dict[str, Any], param: str) -> None:
    """A malformed body is refused with the field that is wrong."""
    with pytest.raises(Refusal) as refused:
        read_messages(body)
    assert (refused.value.status, refused.value.param) == (400, param)
