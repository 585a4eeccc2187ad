"""OpenAI's responses and chat: requests by hand, streams in detail, what is refused. And legacy completions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from made_upstreams import query
from pointsman.pool.cards import Usage
from pointsman.serve.sse import Events
from pointsman.serve.wire.codec_completions import CompletionsCodec
from pointsman.serve.wire.codec_responses import ResponsesCodec
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.responses import read_responses

CODEC = ResponsesCodec()


def chat(**body: Any) -> dict[str, Any]:
    """The chat request for a body."""
    return CODEC.to_chat({"model": "auto", "input": "Hi", **body})


def events(told: bytes) -> list[dict[str, Any]]:
    """The data of all events."""
    return [json.loads(event.data) for event in Events().feed(told)]


def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    """One chat chunk."""
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "chatcmpl-7", "model": "m", "created": 1, "choices": [choice]}


def test_a_conversation_with_tools_by_hand() -> None:
    """Calls join the assistant's turn before them, outputs are turns of their own, thoughts are left out."""
    items = [
        {"role": "developer", "content": "Use tools."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "rain"},
        {
            "type": "function_call_output",
            "call_id": "c2",
            "output": [{"type": "input_text", "text": "map"}, {"type": "input_image", "image_url": "https://x.test/a"}],
        },
    ]
    function = {"name": "look", "arguments": "{}"}
    assert chat(input=items, instructions="Be brief.")["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "system", "content": "Use tools."},
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": function},
                {"id": "c2", "type": "function", "function": function},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "rain"},
        {"role": "tool", "tool_call_id": "c2", "content": "map"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.test/a"}}]},
    ]


def test_options_by_hand() -> None:
    """Limit, format, tools, choice and effort go over under chat's names."""
    made = chat(
        max_output_tokens=5,
        text={"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}},
        tools=[{"type": "function", "name": "f", "parameters": {}, "strict": True, "description": "d"}],
        tool_choice={"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
        parallel_tool_calls=False,
        reasoning={"effort": "low", "summary": "auto"},
        store=True,
        include=["reasoning.encrypted_content"],
        stream=True,
    )
    del made["messages"]
    assert made == {
        "model": "auto",
        "max_tokens": 5,
        "stream": True,
        "parallel_tool_calls": False,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
        },
        "tools": [
            {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True, "description": "d"}}
        ],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
        },
        "reasoning_effort": "low",
    }


def test_words_about_tools_go_where_there_are_tools() -> None:
    """Chat refuses `parallel_tool_calls` and `tool_choice` without tools; `/v1/responses` takes them."""
    assert chat(parallel_tool_calls=True, tool_choice="auto").keys() == {"model", "messages"}


@pytest.mark.parametrize(
    ("body", "param", "kind"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id", "invalid_request_error"),
        ({"conversation": "conv_1"}, "conversation", "invalid_request_error"),
        ({"background": True}, "background", "invalid_request_error"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "no_capable_model"),
        ({"tool_choice": {"type": "file_search"}}, "tool_choice", "no_capable_model"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type", "invalid_request_error"),
        ({"input": [{"type": "computer_call"}]}, "input[0].type", "no_capable_model"),
        ({"include": ["message.output_text.logprobs"]}, "top_logprobs", "no_capable_model"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type", "invalid_request_error"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input[0].content[0].file_id",
            "no_capable_model",
        ),
    ],
)
def test_what_chat_cannot_say_is_refused_by_name(body: dict[str, Any], param: str, kind: str) -> None:
    """What needs a store or a built-in tool is refused, with the field and the remedy."""
    with pytest.raises(Refusal) as refused:
        chat(**body)
    assert (refused.value.param, refused.value.type) == (param, kind)


def test_stored_conversations_are_refused_before_any_model_is_chosen() -> None:
    """Reading refuses them already, since no model could do better."""
    with pytest.raises(Refusal, match="send the earlier turns in `input`"):
        read_responses({"input": "Hi", "previous_response_id": "resp_1"})


def test_thoughts_refusals_and_calls_at_once() -> None:
    """Each kind is an item with its own events; interleaved calls keep their places, and all ends are told once."""
    encoder = CODEC.encoder(query("responses", {"input": "Hi"}))
    function = {"name": "f", "arguments": ""}
    told = encoder.chunk(chunk({"reasoning_content": "hm"})) + encoder.chunk(chunk({"content": "No"}))
    told += encoder.chunk(chunk({"refusal": "never"}))
    told += encoder.chunk(chunk({"tool_calls": [{"index": 0, "id": "a", "function": function}]}))
    told += encoder.chunk(chunk({"tool_calls": [{"index": 1, "id": "b", "function": function}]}))
    told += encoder.chunk(chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}, "tool_calls"))
    seen = events(told + encoder.end(Usage(3, 4, reasoning_tokens=1), {"cost_usd": "0.01"}))
    added = [(event["output_index"], event["item"]["type"]) for event in seen if event["type"].endswith("item.added")]
    done = [event["output_index"] for event in seen if event["type"].endswith("item.done")]
    assert added == [(0, "reasoning"), (1, "message"), (2, "function_call"), (3, "function_call")]
    assert done == [0, 1, 2, 3]
    whole = seen[-1]["response"]
    assert [part["type"] for part in whole["output"][1]["content"]] == ["output_text", "refusal"]
    assert [item["arguments"] for item in whole["output"][2:]] == ["{}", ""]
    assert whole["output"][0]["content"] == [{"type": "reasoning_text", "text": "hm"}]
    assert whole["pointsman"] == {"cost_usd": "0.01"}
    assert whole["usage"]["output_tokens_details"] == {"reasoning_tokens": 1}


def test_a_stream_that_fails_keeps_what_was_said() -> None:
    """The failed response holds the error and the text so far."""
    encoder = CODEC.encoder(query("responses", {"input": "Hi"}))
    told = encoder.chunk(chunk({"content": "Hel"})) + encoder.fail(Refusal("upstream_timeout", "Too slow.").openai())
    last = events(told)[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["error"] == {"code": "server_error", "message": "Too slow."}
    assert last["response"]["output"][0]["content"][0]["text"] == "Hel"
    assert last["response"]["output"][0]["status"] == "incomplete"


def test_reading() -> None:
    """What routing needs of a body: the user's text, characters of everything, pictures, needs, the limit."""
    body = {
        "instructions": "Be brief.",
        "max_output_tokens": 50,
        "tools": [{"type": "function", "name": "t"}],
        "text": {"format": {"type": "json_object"}},
        "input": [
            {"role": "user", "content": "abc"},
            {"type": "function_call_output", "call_id": "c", "output": "def"},
            {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,aGk="}]},
            {"role": "user", "content": [{"type": "input_text", "text": "gh"}]},
        ],
    }
    reading = read_responses(body)
    assert reading.text == "abc\ngh"
    assert (reading.images, reading.max_output_tokens) == (1, 50)
    assert reading.needs == {"tools", "vision", "json"}
    assert reading.input_chars == len("Be brief.abcdefgh") + len('[{"type":"function","name":"t"}]')
    assert read_responses({"input": "Hi"}).text == "Hi"


def test_completions_by_hand() -> None:
    """A prompt becomes a user's turn, its options keep their names."""
    codec = CompletionsCodec()
    assert codec.to_chat({"model": "auto", "prompt": ["Hi"], "max_tokens": 3, "n": 2, "stop": "x"}) == {
        "model": "auto",
        "max_tokens": 3,
        "n": 2,
        "stop": "x",
        "messages": [{"role": "user", "content": "Hi"}],
    }


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"suffix": "x"}, "suffix"),
        ({"echo": True}, "echo"),
        ({"logprobs": 3}, "logprobs"),
        ({"best_of": 3}, "best_of"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": None}, "prompt"),
    ],
)
def test_completions_refuse_by_name(body: dict[str, Any], param: str) -> None:
    """What chat can't do with a prompt is refused with the field."""
    with pytest.raises(Refusal) as refused:
        CompletionsCodec().to_chat({"model": "auto", "prompt": "Hi", **body})
    assert refused.value.param == param


def test_completions_stream_ends_with_usage_and_cost() -> None:
    """Usage comes where asked for, then the cost, then the end marker."""
    asked = query("completions", {"prompt": "Hi", "stream": True, "stream_options": {"include_usage": True}})
    encoder = CompletionsCodec().encoder(asked)
    told = encoder.chunk(chunk({"role": "assistant", "content": ""})) + encoder.chunk(chunk({"content": "Yo"}, "stop"))
    told += encoder.end(Usage(3, 4), {"cost_usd": "0.01"})
    *seen, last = (event.data for event in Events().feed(told))
    chunks = [json.loads(data) for data in seen]
    assert last == b"[DONE]"
    assert [part["object"] for part in chunks] == ["text_completion"] * 3
    assert chunks[0]["choices"][0]["text"] == "Yo"
    assert chunks[1]["usage"]["total_tokens"] == 7
    assert chunks[2]["pointsman"] == {"cost_usd": "0.01"}
