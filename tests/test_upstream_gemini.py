"""Gemini as an upstream: chat in its language, its answers and streams, faults."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from made_upstreams import KEY, NOW, TEXT, adapter, answer, endpoint, query, relayed, sent, stream
from pointsman.pool.cards import Endpoint, Usage
from pointsman.serve.upstreams.adapter import UpstreamFault
from pointsman.serve.wire.codec_gemini import NO_SIGNATURE
from pointsman.serve.wire.errors import Refusal

HELLO = [{"role": "user", "content": "Hi"}]
CHAT = {"messages": HELLO}
SCHEMA = {"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": SCHEMA, "description": "d"}}
CALL = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"a":"b"}'}}


def asked(model: str = "gemini-2.5-flash", **body: Any) -> dict[str, Any]:
    """What Gemini gets for a chat request."""
    return sent("chat", {**CHAT, **body}, "gemini", model)


def test_a_chat_by_hand() -> None:
    """System turns, pictures, sound, files, calls and results each in Gemini's words."""
    made = asked(
        messages=[
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "See"},
                    {"type": "image_url", "image_url": {"url": "https://x.test/a.PNG?b=1"}},
                    {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk="}},
                ],
            },
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "t1", "content": [{"type": "text", "text": "rain"}]},
        ],
        temperature=0.5,
        top_p=0.9,
        max_tokens=7,
        stop=["END"],
        seed=3,
        n=2,
    )
    assert made == {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "See"},
                    {"fileData": {"mimeType": "image/png", "fileUri": "https://x.test/a.PNG?b=1"}},
                    {"inlineData": {"mimeType": "audio/wav", "data": "aGk="}},
                    {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}},
                ],
            },
            {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"a": "b"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"output": "rain"}}}]},
        ],
        "generationConfig": {
            "temperature": 0.5,
            "topP": 0.9,
            "candidateCount": 2,
            "seed": 3,
            "maxOutputTokens": 7,
            "stopSequences": ["END"],
        },
    }


def test_where_a_call_goes() -> None:
    """The method by whether it streams, the version whether or not the base address has it, the key in a header."""
    speaker, at = adapter("gemini"), endpoint("gemini")
    call = speaker.call(query("chat", CHAT), at)
    assert call.url == "https://up.test/v1beta/models/gemini-2.5-flash:generateContent"
    assert call.headers["x-goog-api-key"] == KEY
    bare = Endpoint("g", "gemini", "https://up.test", "models/gemini-3-pro", frozenset())
    streamed = speaker.call(query("chat", {**CHAT, "stream": True}), bare)
    assert streamed.url == "https://up.test/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse"
    assert "x-goog-api-key" not in streamed.headers


def test_schemas_go_over_as_they_are() -> None:
    """Tools and structured output keep every keyword of their JSON Schema."""
    wish = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
    made = asked(tools=[TOOL], response_format=wish)
    assert made["tools"] == [
        {"functionDeclarations": [{"name": "look", "description": "d", "parametersJsonSchema": SCHEMA}]}
    ]
    assert made["generationConfig"] == {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
    plain = asked(response_format={"type": "json_object"})
    assert plain["generationConfig"] == {"responseMimeType": "application/json"}


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("auto", {"mode": "AUTO"}),
        ("required", {"mode": "ANY"}),
        ("none", {"mode": "NONE"}),
        ({"type": "function", "function": {"name": "look"}}, {"mode": "ANY", "allowedFunctionNames": ["look"]}),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TOOL]}},
            {"mode": "VALIDATED", "allowedFunctionNames": ["look"]},
        ),
    ],
)
def test_tool_choices(choice: Any, told: Any) -> None:
    """Every way to choose has its mode."""
    assert asked(tools=[TOOL], tool_choice=choice)["toolConfig"] == {"functionCallingConfig": told}


@pytest.mark.parametrize(
    ("model", "effort", "told"),
    [
        ("gemini-3-pro-preview", "medium", {"thinkingLevel": "medium"}),
        ("gemini-2.5-flash", "low", {"thinkingBudget": 1_024}),
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.0-flash", "high", None),
    ],
)
def test_effort(model: str, effort: str, told: Any) -> None:
    """Levels from Gemini 3 on, budgets in 2.5, nothing before."""
    assert asked(model, reasoning_effort=effort).get("generationConfig", {}).get("thinkingConfig") == told


def test_signatures_of_thoughts_come_back() -> None:
    """Gemini 3 wants its signature on a turn's first call; one that was lost is replaced by the documented word."""
    signed = {**CALL, "extra_content": {"google": {"thought_signature": "sig"}}}
    second = {**CALL, "id": "t2"}
    for call, told in ((signed, "sig"), (CALL, NO_SIGNATURE)):
        turn = {"role": "assistant", "content": None, "tool_calls": [call, second]}
        parts = asked("gemini-3-pro", messages=[*HELLO, turn])["contents"][1]["parts"]
        assert [part.get("thoughtSignature") for part in parts] == [told, None]
    whole = json.loads(answer("gemini", "tools"))
    whole["candidates"][0]["content"]["parts"][0]["thoughtSignature"] = "sig"
    got = adapter("gemini").read(query("chat", CHAT), endpoint("gemini"), json.dumps(whole).encode())
    calls = orjson.loads(got.body)["choices"][0]["message"]["tool_calls"]
    assert calls[0]["extra_content"] == {"google": {"thought_signature": "sig"}}
    assert "extra_content" not in calls[1]


def test_calls_without_ids_get_their_own() -> None:
    """Two calls of one answer differ, and so do those of two answers."""
    whole = json.loads(answer("gemini", "tools"))
    for part in whole["candidates"][0]["content"]["parts"]:
        del part["functionCall"]["id"]
    made = []
    for response in ("r1", "r2"):
        body = json.dumps({**whole, "responseId": response}).encode()
        got = orjson.loads(adapter("gemini").read(query("chat", CHAT), endpoint("gemini"), body).body)
        made += [call["id"] for call in got["choices"][0]["message"]["tool_calls"]]
    assert len(set(made)) == 4


def test_usage_counts_thoughts_as_output() -> None:
    """Gemini counts them beside the answer; the total includes them, and cached parts are in the prompt's."""
    got = adapter("gemini").read(query("chat", CHAT), endpoint("gemini"), answer("gemini", "plain"))
    assert got.usage == Usage(20, 7, cached_tokens=8, reasoning_tokens=2)
    assert got.output_chars == len(TEXT)
    assert orjson.loads(got.body)["created"] == NOW
    assert adapter("gemini").read(query("chat", CHAT), endpoint("gemini"), answer("gemini", "no usage")).usage is None


def test_two_candidates() -> None:
    """`n` gives as many choices, whole and streamed."""
    whole = json.loads(answer("gemini", "plain"))
    whole["candidates"].append({**whole["candidates"][0], "index": 1})
    body = json.dumps(whole).encode()
    asked_for = query("chat", {**CHAT, "n": 2, "stream": True})
    got = orjson.loads(adapter("gemini").read(asked_for, endpoint("gemini"), body).body)
    assert [choice["index"] for choice in got["choices"]] == [0, 1]
    told = relayed(asked_for, "gemini", b"data: " + body + b"\n\n")
    assert told.count(b'"finish_reason":"stop"') == 2
    assert told.endswith(b"[DONE]\n\n")


@pytest.mark.parametrize(
    ("reason", "told"),
    [("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("RECITATION", "content_filter")],
)
def test_finish_reasons(reason: str, told: str) -> None:
    """Each in chat's words."""
    whole = json.loads(answer("gemini", "plain"))
    whole["candidates"][0]["finishReason"] = reason
    got = adapter("gemini").read(query("chat", CHAT), endpoint("gemini"), json.dumps(whole).encode())
    assert orjson.loads(got.body)["choices"][0]["finish_reason"] == told


def test_a_blocked_prompt_is_an_answer_that_was_filtered() -> None:
    """Whole and streamed: no text, `content_filter`, and the prompt is still paid for."""
    body = json.dumps({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 5}}).encode()
    asked_for = query("chat", {**CHAT, "stream": True})
    got = adapter("gemini").read(asked_for, endpoint("gemini"), body)
    assert orjson.loads(got.body)["choices"][0]["finish_reason"] == "content_filter"
    assert got.usage == Usage(5, 0)
    told = relayed(asked_for, "gemini", b"data: " + body + b"\n\n")
    assert b'"finish_reason":"content_filter"' in told
    assert told.endswith(b"[DONE]\n\n")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"candidates":[]}',
        b'{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}],"usageMetadata":{"promptTokenCount":5}}',
    ],
)
def test_garbage(body: bytes) -> None:
    """An answer that can't be read, or holds nothing but the model's own failure, is garbage: it may be retried."""
    with pytest.raises(UpstreamFault) as fault:
        adapter("gemini").read(query("chat", CHAT), endpoint("gemini"), body)
    assert fault.value.kind == "garbage"


def test_a_stream_without_its_end_is_broken() -> None:
    """No candidate said why it stopped."""
    told = stream("gemini", "plain")
    relay = adapter("gemini").relay(query("chat", {**CHAT, "stream": True}), endpoint("gemini"))
    relay.feed(told[: told.rindex(b"data:")])
    assert relay.begun
    assert not relay.ended
    with pytest.raises(UpstreamFault) as fault:
        relay.finish()
    assert fault.value.kind == "broken"


def test_a_stream_without_usage_ends_when_it_is_closed() -> None:
    """The finish reason alone is an end, though a report of usage may still follow it."""
    relay = adapter("gemini").relay(query("chat", {**CHAT, "stream": True}), endpoint("gemini"))
    relay.feed(stream("gemini", "no usage"))
    assert not relay.ended
    assert relay.finish().endswith(b"[DONE]\n\n")
    assert relay.usage is None


def test_an_error_event_is_a_fault() -> None:
    """Gemini's error object in a stream, by its code."""
    relay = adapter("gemini").relay(query("chat", {**CHAT, "stream": True}), endpoint("gemini"))
    error = {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}
    with pytest.raises(UpstreamFault) as fault:
        relay.feed(b"data: " + json.dumps(error).encode() + b"\n\n")
    assert fault.value.kind == "overloaded"


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (400, "INVALID_ARGUMENT", "refused"),
        (400, "FAILED_PRECONDITION", "refused"),
        (403, "PERMISSION_DENIED", "credentials"),
        (404, "NOT_FOUND", "credentials"),
        (429, "RESOURCE_EXHAUSTED", "overloaded"),
        (500, "INTERNAL", "server"),
        (503, "UNAVAILABLE", "overloaded"),
        (504, "DEADLINE_EXCEEDED", "timeout"),
    ],
)
def test_statuses(status: int, name: str, kind: str) -> None:
    """Each of Gemini's errors has its kind, and the pause is read from the body; nothing is passed on raw."""
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "27.5s"}]
    error = {"error": {"code": status, "message": f"Why {KEY}", "status": name, "details": details}}
    fault = adapter("gemini").fault(query("chat", CHAT), endpoint("gemini"), status, {}, json.dumps(error).encode())
    assert (fault.kind, fault.status, fault.retry_after_s, fault.body) == (kind, status, 27.5, None)
    assert KEY not in fault.message


def test_a_bad_key_is_not_the_clients_fault() -> None:
    """Gemini says it with status 400."""
    error = {"error": {"code": 400, "message": "API key not valid.", "details": [{"reason": "API_KEY_INVALID"}]}}
    body = json.dumps([error]).encode()
    assert adapter("gemini").fault(query("chat", CHAT), endpoint("gemini"), 400, {}, body).kind == "credentials"
    assert adapter("gemini").fault(query("chat", CHAT), endpoint("gemini"), 500, {}, b"<html>").kind == "server"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"logprobs": True}, "logprobs"),
        ({"tools": [TOOL], "parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"tools": [{"type": "custom"}]}, "tools[0].type"),
        ({"tools": [TOOL], "tool_choice": {"type": "custom"}}, "tool_choice"),
        ({"messages": [{"role": "tool", "tool_call_id": "t9", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "ftp://x"}}]}]},
            "messages[0].content[0].image_url.url",
        ),
    ],
)
def test_what_gemini_cannot_say_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    """Nothing that would change the answer is lost in silence."""
    with pytest.raises(Refusal) as refused:
        asked(**body)
    assert refused.value.param == param


def test_a_picture_in_the_answer() -> None:
    """It is shown as other gateways show it."""
    whole = json.loads(answer("gemini", "plain"))
    picture = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    whole["candidates"][0]["content"]["parts"].append(picture)
    got = adapter("gemini").read(query("chat", CHAT), endpoint("gemini"), json.dumps(whole).encode())
    images = orjson.loads(got.body)["choices"][0]["message"]["images"]
    assert images == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]
