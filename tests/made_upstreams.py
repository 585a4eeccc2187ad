"""Scripted answers of the three kinds of upstream, and a gateway without routing in front of them, in process.

Each answer is written by hand in the upstream's own language; `serve` takes a client's request through reading,
adapter and back. Nothing of the translation under test makes the upstreams' bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

import httpx2
import orjson

from pointsman.pool.cards import Endpoint, Shape, UpstreamKind
from pointsman.serve.upstreams.adapter import Adapter, Call, UpstreamFault
from pointsman.serve.upstreams.anthropic import AnthropicAdapter
from pointsman.serve.upstreams.gemini import GeminiAdapter
from pointsman.serve.upstreams.openai import OpenAIAdapter
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.query import Query
from pointsman.serve.wire.reading import read_query

Scene = Literal["plain", "tools", "json", "long", "no usage"]
KEY = "secret-key-of-the-upstream"
NOW = 1_790_000_000
TEXT = "Hello, wörld."
JSON_TEXT = '{"city":"Paris"}'
CALLS = (("call_a", "get_weather", {"city": "Paris"}), ("call_b", "get_weather", {"city": "Rome"}))
PATHS: dict[str, Shape] = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
}


def endpoint(kind: UpstreamKind, model: str = "") -> Endpoint:
    """One endpoint of each kind; the OpenAI one speaks chat alone, so that everything else is translated."""
    base, name = {
        "openai": ("https://up.test/v1", "gpt-test"),
        "anthropic": ("https://up.test", "claude-opus-4-6"),
        "gemini": ("https://up.test/v1beta", "gemini-2.5-flash"),
    }[kind]
    native: frozenset[Shape] = frozenset({"chat"} if kind == "openai" else {"messages"} if kind == "anthropic" else ())
    return Endpoint(f"{kind}-1", kind, base, model or name, native, key=KEY)


def adapter(kind: UpstreamKind) -> Adapter:
    """The adapter of a kind, with a clock that stands still."""
    if kind == "anthropic":
        return AnthropicAdapter(now=lambda: NOW)
    return GeminiAdapter(now=lambda: NOW) if kind == "gemini" else OpenAIAdapter()


def query(shape: Shape, body: dict[str, Any]) -> Query:
    """A request, read as the gateway reads it."""
    return read_query(shape, orjson.dumps({"model": "auto", **body}), {})


def sent(shape: Shape, body: dict[str, Any], kind: UpstreamKind, model: str = "") -> dict[str, Any]:
    """What the upstream gets for a client's body."""
    parsed: dict[str, Any] = orjson.loads(adapter(kind).call(query(shape, body), endpoint(kind, model)).body)
    return parsed


def answer(kind: UpstreamKind, scene: Scene) -> bytes:
    """A whole answer of an upstream."""
    made = {"openai": _openai, "anthropic": _anthropic, "gemini": _gemini}[kind](scene)
    if scene == "no usage":
        made = {name: value for name, value in made.items() if name not in ("usage", "usageMetadata")}
    return json.dumps(made).encode()


def stream(kind: UpstreamKind, scene: Scene) -> bytes:
    """The same answer as the upstream streams it."""
    return {"openai": _openai_stream, "anthropic": _anthropic_stream, "gemini": _gemini_stream}[kind](scene)


def _said(scene: Scene) -> str:
    return {"tools": "", "json": JSON_TEXT}.get(scene, TEXT)


def _openai(scene: Scene) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": _said(scene) or None, "refusal": None}
    if scene == "tools":
        message["tool_calls"] = [
            {"id": made, "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
            for made, name, given in CALLS
        ]
    reason = {"tools": "tool_calls", "long": "length"}.get(scene, "stop")
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": NOW,
        "model": "gpt-test-1",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        "usage": {
            "prompt_tokens": 20,
            "completion_tokens": 7,
            "total_tokens": 27,
            "prompt_tokens_details": {"cached_tokens": 8},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
    }


def _openai_stream(scene: Scene) -> bytes:
    whole = _openai(scene)
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": NOW, "model": "gpt-test-1"}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in pieces(_said(scene))]
    for index, (made, name, given) in enumerate(CALLS if scene == "tools" else ()):
        call = {"index": index, "id": made, "type": "function", "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [call]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces(json.dumps(given))
        ]
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    reason = whole["choices"][0]["finish_reason"]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    if scene != "no usage":
        chunks.append({**head, "choices": [], "usage": whole["usage"]})
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


ANTHROPIC_USAGE = {
    "input_tokens": 9,
    "cache_read_input_tokens": 8,
    "cache_creation_input_tokens": 3,
    "output_tokens": 7,
}


def _anthropic(scene: Scene) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": _said(scene)}] if _said(scene) else []
    if scene == "tools":
        blocks += [{"type": "tool_use", "id": made, "name": name, "input": given} for made, name, given in CALLS]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-test-1",
        "content": blocks,
        "stop_reason": {"tools": "tool_use", "long": "max_tokens"}.get(scene, "end_turn"),
        "stop_sequence": None,
        "usage": ANTHROPIC_USAGE,
    }


def _anthropic_stream(scene: Scene) -> bytes:
    whole = _anthropic(scene)
    counted = scene != "no usage"
    first = {**whole, "content": [], "stop_reason": None, "usage": {**ANTHROPIC_USAGE, "output_tokens": 1}}
    if not counted:
        first.pop("usage")
    events: list[dict[str, Any]] = [{"type": "message_start", "message": first}, {"type": "ping"}]
    for index, block in enumerate(whole["content"]):
        events += _anthropic_block(index, block)
    last = {"type": "message_delta", "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None}}
    events.append({**last, "usage": {"output_tokens": 7}} if counted else last)
    events.append({"type": "message_stop"})
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def _anthropic_block(index: int, block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "text":
        empty, deltas = (
            {**block, "text": ""},
            [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])],
        )
    else:
        empty = {**block, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces(json.dumps(block["input"]))]
    yield {"type": "content_block_start", "index": index, "content_block": empty}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def _gemini(scene: Scene) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"text": _said(scene)}] if _said(scene) else []
    if scene == "tools":
        parts += [{"functionCall": {"id": made, "name": name, "args": given}} for made, name, given in CALLS]
    reason = "MAX_TOKENS" if scene == "long" else "STOP"
    return {
        "candidates": [{"index": 0, "content": {"role": "model", "parts": parts}, "finishReason": reason}],
        "usageMetadata": {
            "promptTokenCount": 20,
            "cachedContentTokenCount": 8,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 2,
            "totalTokenCount": 27,
        },
        "modelVersion": "gemini-test-1",
        "responseId": "r1",
    }


def _gemini_stream(scene: Scene) -> bytes:
    whole = _gemini(scene)
    parts = whole["candidates"][0]["content"]["parts"]
    shown = [[{"text": piece}] for part in parts if "text" in part for piece in pieces(part["text"])]
    shown += [[part] for part in parts if "functionCall" in part]
    told = []
    for place, content in enumerate(shown):
        candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": content}}
        if place == len(shown) - 1:
            candidate["finishReason"] = whole["candidates"][0]["finishReason"]
        event = {**whole, "candidates": [candidate]}
        if scene == "no usage":
            event.pop("usageMetadata")
        told.append(f"data: {json.dumps(event)}\r\n\r\n".encode())
    return b"".join(told)


def pieces(text: str, size: int = 4) -> list[str]:
    """A text in tokens of sorts."""
    return [text[begin : begin + size] for begin in range(0, len(text), size)]


Told = bytes | UpstreamFault


def handler(
    kind: UpstreamKind, upstream: Callable[[Call], Told], calls: list[dict[str, Any]]
) -> Callable[[httpx2.Request], httpx2.Response]:
    """A gateway of one upstream: what an SDK's transport calls. Streams are fed seven bytes at a time."""

    def answered(request: httpx2.Request) -> httpx2.Response:
        shape = PATHS[request.url.path]
        asked, speaker, at = read_query(shape, request.read(), {}), adapter(kind), endpoint(kind)
        try:
            call = speaker.call(asked, at)
        except Refusal as refusal:
            return httpx2.Response(refusal.status, json=shown(refusal, shape))
        calls.append(orjson.loads(call.body))
        told = upstream(call)
        if isinstance(told, UpstreamFault):
            return httpx2.Response(500, json=shown(Refusal("upstream_error", told.message), shape))
        if not asked.stream:
            return httpx2.Response(200, content=speaker.read(asked, at, told).body)
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=relayed(asked, kind, told))

    return answered


def shown(refusal: Refusal, shape: Shape) -> dict[str, Any]:
    """A refusal in the client's shape."""
    return refusal.anthropic() if shape == "messages" else refusal.openai()


def relayed(asked: Query, kind: UpstreamKind, told: bytes, size: int = 7, cost: dict[str, Any] | None = None) -> bytes:
    """What a client gets of a stream that comes in pieces of `size` bytes; a fault ends it with an error event."""
    relay = adapter(kind).relay(asked, endpoint(kind))
    got = b""
    try:
        for begin in range(0, len(told), size):
            got += relay.feed(told[begin : begin + size])
        return got + relay.finish(cost)
    except UpstreamFault as fault:
        return got + relay.fail(Refusal("upstream_error", fault.message).openai())
