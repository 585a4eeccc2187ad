"""Anthropic's `/v1/messages` through chat: whole answers and streams in the shape its clients read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pointsman.pool.cards import Usage
from pointsman.serve.wire.codec_fields import arguments_of
from pointsman.serve.wire.codec_messages_request import chat_of_messages
from pointsman.serve.wire.codec_usage import message_usage, usage_of_chat
from pointsman.serve.wire.errors import ANTHROPIC_TYPE
from pointsman.serve.wire.query import Query

STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_ERROR_TYPES = {str(ours): theirs for ours, theirs in ANTHROPIC_TYPE.items()}


class MessagesCodec:
    """Anthropic's messages, to chat and back."""

    def to_chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """The chat request."""
        return chat_of_messages(body)

    def from_chat(self, completion: dict[str, Any], query: Query) -> dict[str, Any]:  # noqa: ARG002 (the protocol's)
        """A whole message."""
        choice = completion["choices"][0]
        message = _empty_message(completion)
        message["content"] = _blocks(choice["message"])
        message["stop_reason"] = STOP_REASONS.get(choice.get("finish_reason"), "end_turn")
        message["usage"] = message_usage(usage_of_chat(completion.get("usage")))
        return message

    def encoder(self, query: Query) -> MessagesEncoder:  # noqa: ARG002 (the protocol's)
        """For one stream."""
        return MessagesEncoder()


def _empty_message(chat: Mapping[str, Any]) -> dict[str, Any]:
    made = str(chat.get("id") or "0")
    return {
        "id": made if made.startswith("msg_") else "msg_" + made.removeprefix("chatcmpl-"),
        "type": "message",
        "role": "assistant",
        "model": chat.get("model") or "",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": message_usage(None),
    }


def _blocks(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The content of a whole message: thoughts, text, then calls."""
    found: list[dict[str, Any]] = list(said.get("thinking_blocks") or ())
    thought = reasoning_of(said)
    if thought and not found:
        found.append({"type": "thinking", "thinking": thought, "signature": ""})
    text = said.get("content") or said.get("refusal")
    if text:
        found.append({"type": "text", "text": text})
    for call in said.get("tool_calls") or ():
        function = call["function"]
        given = arguments_of(function.get("arguments") or "", "arguments")
        found.append({"type": "tool_use", "id": call["id"], "name": function["name"], "input": given})
    return found


def reasoning_of(said: Mapping[str, Any]) -> str:
    """The thoughts of a chat message or delta, by either of the names that servers give them."""
    thought = said.get("reasoning_content") or said.get("reasoning")
    return thought if isinstance(thought, str) else ""


class MessagesEncoder:
    """Chat chunks as Anthropic's events.

    Its blocks come one after the other, so while one tool's arguments are streamed those of the others are kept and
    follow when it is done.
    """

    def __init__(self) -> None:
        self._out: list[bytes] = []
        self._started = False
        self._index = -1
        self._open = ""
        self._tool = -1
        self._kept: dict[int, dict[str, str]] = {}
        self._done: set[int] = set()
        self._stop_reason = "end_turn"

    def chunk(self, chunk: Mapping[str, Any]) -> bytes:
        """The events of one chunk."""
        self._start(chunk)
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) == 0:
                self._take(choice.get("delta") or {})
                if choice.get("finish_reason"):
                    self._stop_reason = STOP_REASONS.get(choice["finish_reason"], "end_turn")
        return self._drained()

    def _take(self, delta: Mapping[str, Any]) -> None:
        thought = reasoning_of(delta)
        if thought:
            self._say("thinking", {"thinking": "", "signature": ""}, "thinking_delta", {"thinking": thought})
        for block in delta.get("thinking_blocks") or ():
            self._sign(block)
        text = delta.get("content") or delta.get("refusal")
        if text:
            self._say("text", {"text": ""}, "text_delta", {"text": text})
        for call in delta.get("tool_calls") or ():
            self._call(call)

    def _sign(self, block: Mapping[str, Any]) -> None:
        """A whole block of thoughts: its signature ends the one that was streamed, a hidden one stands alone."""
        if block.get("type") == "redacted_thinking":
            self._begin("redacted_thinking", {"data": block.get("data") or ""})
            self._close()
        elif block.get("signature"):
            if self._open != "thinking":
                self._begin("thinking", {"thinking": block.get("thinking") or "", "signature": ""})
            self._delta("signature_delta", {"signature": block["signature"]})
            self._close()

    def _call(self, call: Mapping[str, Any]) -> None:
        place = call.get("index", 0)
        function = call.get("function") or {}
        piece = function.get("arguments") or ""
        if place not in self._kept:
            made = call.get("id") or f"toolu_{place}"
            self._kept[place] = {"id": made, "name": function.get("name") or "", "json": ""}
            if self._open != "tool_use":
                self._begin_tool(place)
        if self._open == "tool_use" and place == self._tool:
            if piece:
                self._delta("input_json_delta", {"partial_json": piece})
        else:
            self._kept[place]["json"] += piece

    def _begin_tool(self, place: int) -> None:
        call = self._kept[place]
        self._begin("tool_use", {"id": call["id"], "name": call["name"], "input": {}})
        self._tool = place
        self._done.add(place)

    def _say(self, kind: str, empty: dict[str, Any], name: str, piece: dict[str, Any]) -> None:
        if self._open != kind:
            self._begin(kind, empty)
        self._delta(name, piece)

    def _begin(self, kind: str, fields: dict[str, Any]) -> None:
        self._close()
        self._index += 1
        self._open = kind
        block = {"type": kind, **fields}
        self._send("content_block_start", {"index": self._index, "content_block": block})

    def _delta(self, kind: str, fields: dict[str, Any]) -> None:
        self._send("content_block_delta", {"index": self._index, "delta": {"type": kind, **fields}})

    def _close(self) -> None:
        if self._open:
            self._send("content_block_stop", {"index": self._index})
        self._open = ""

    def _start(self, chunk: Mapping[str, Any]) -> None:
        if not self._started:
            self._started = True
            self._send("message_start", {"message": _empty_message(chunk)})

    def _send(self, name: str, fields: dict[str, Any]) -> None:
        self._out.append(named_event(name, {"type": name, **fields}))

    def _drained(self) -> bytes:
        told = b"".join(self._out)
        self._out.clear()
        return told

    def end(self, usage: Usage | None, cost: Mapping[str, Any] | None = None) -> bytes:
        """What was kept back, the stop reason with the usage, the cost, the end marker."""
        self._start({})
        self._close()
        for place in self._kept.keys() - self._done:
            self._begin_tool(place)
            if self._kept[place]["json"]:
                self._delta("input_json_delta", {"partial_json": self._kept[place]["json"]})
            self._close()
        delta = {"stop_reason": self._stop_reason, "stop_sequence": None}
        self._send("message_delta", {"delta": delta, "usage": message_usage(usage)})
        if cost is not None:
            self._out.append(cost_event(cost))
        self._send("message_stop", {})
        return self._drained()

    def fail(self, body: Mapping[str, Any]) -> bytes:
        """The error as Anthropic's clients know it."""
        return error_event(body)


def named_event(name: str, value: Mapping[str, Any]) -> bytes:
    """One server-sent event with its name."""
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(value) + b"\n\n"


def cost_event(cost: Mapping[str, Any]) -> bytes:
    """The cost, in an event that every client skips if it doesn't look for it: a `ping`."""
    return named_event("ping", {"type": "ping", "pointsman": cost})


def error_event(body: Mapping[str, Any]) -> bytes:
    """An OpenAI error body as Anthropic's error event."""
    error = body.get("error") or {}
    kind = _ERROR_TYPES.get(str(error.get("type")), "api_error")
    return named_event("error", {"type": "error", "error": {"type": kind, "message": error.get("message") or ""}})
