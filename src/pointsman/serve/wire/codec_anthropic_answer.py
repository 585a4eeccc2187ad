"""Anthropic's messages, whole or as a stream of events, as chat completions and chunks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman.pool.cards import Usage
from pointsman.serve.wire.codec_anthropic import ANSWER_TOOL
from pointsman.serve.wire.codec_fields import json_text
from pointsman.serve.wire.codec_usage import chat_usage, usage_of_message

FINISH_REASONS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_THOUGHTS = ("thinking", "redacted_thinking")


def completion_of_message(message: Mapping[str, Any], created: int) -> dict[str, Any]:
    """A whole message as a chat completion.

    Args:
        message: as Anthropic sent it.
        created: Unix seconds; Anthropic doesn't tell.

    Raises:
        KeyError, TypeError, AttributeError, IndexError: it isn't a message.
    """
    blocks = message["content"]
    answers = [json_text(block["input"]) for block in blocks if _is_answer(block)]
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    said: dict[str, Any] = {"role": "assistant", "content": answers[0] if answers else "".join(texts) or None}
    calls = [_call(block) for block in blocks if block["type"] == "tool_use" and not _is_answer(block)]
    if calls:
        said["tool_calls"] = calls
    thoughts = [block for block in blocks if block["type"] in _THOUGHTS]
    if thoughts:
        said["reasoning_content"] = "".join(block.get("thinking", "") for block in thoughts)
        said["thinking_blocks"] = thoughts
    reason = finish_reason(message["stop_reason"], has_calls=bool(calls))
    completion = {
        "id": message["id"],
        "object": "chat.completion",
        "created": created,
        "model": message["model"],
        "choices": [{"index": 0, "message": said, "logprobs": None, "finish_reason": reason}],
    }
    usage = usage_of_message(message.get("usage"))
    return {**completion, "usage": chat_usage(usage)} if usage is not None else completion


def _is_answer(block: Mapping[str, Any]) -> bool:
    return bool(block["type"] == "tool_use" and block["name"] == ANSWER_TOOL)


def _call(block: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": block["name"], "arguments": json_text(block["input"])}
    return {"id": block["id"], "type": "function", "function": function}


def finish_reason(stop_reason: Any, *, has_calls: bool) -> str:
    """Chat's word for why Anthropic stopped; the call that is an answer is no call to a client."""
    reason = FINISH_REASONS.get(stop_reason, "stop") if isinstance(stop_reason, str) else "stop"
    return "stop" if reason == "tool_calls" and not has_calls else reason


class MessageChunks:
    """A stream of Anthropic's events as chat chunks.

    Args:
        created: Unix seconds.

    Attributes:
        usage: merged over the events; its output is final once `final` is set.
        final: whether the last report of usage was seen.
        ended: whether `message_stop` was seen.
    """

    def __init__(self, created: int) -> None:
        self.usage: Usage | None = None
        self.final = False
        self.ended = False
        self._head: dict[str, Any] = {"id": "", "object": "chat.completion.chunk", "created": created, "model": ""}
        self._counts: dict[str, Any] = {}
        self._calls = 0
        self._open: dict[str, Any] = {}
        self._written = False
        self._thought: list[str] = []

    def take(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The chunks of one event's data, none for what a chat client has no use for.

        Raises:
            KeyError, TypeError, AttributeError: it isn't what Anthropic sends.
        """
        kind = event["type"]
        if kind == "content_block_delta":
            return self._delta(event["delta"])
        if kind == "content_block_start":
            return self._begin(event["content_block"])
        if kind == "content_block_stop":
            return self._end_block()
        if kind == "message_start":
            return self._start(event["message"])
        if kind == "message_delta":
            return self._finish(event)
        if kind == "message_stop":
            self.ended = True
        return []

    def count(self, fields: Any) -> None:
        """Takes a report of usage; later reports overwrite what they name."""
        if isinstance(fields, Mapping):
            self._counts.update({name: value for name, value in fields.items() if value is not None})
            self.usage = usage_of_message(self._counts)

    def _start(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        self._head["id"], self._head["model"] = message["id"], message["model"]
        self.count(message.get("usage"))
        return [self._chunk({"role": "assistant", "content": ""})]

    def _begin(self, block: Mapping[str, Any]) -> list[dict[str, Any]]:
        self._open, self._written = dict(block), False
        self._thought.clear()
        if block["type"] == "text" and block.get("text"):
            return [self._chunk({"content": block["text"]})]
        if block["type"] == "tool_use" and not _is_answer(block):
            self._calls += 1
            function = {"name": block["name"], "arguments": ""}
            call = {"index": self._calls - 1, "id": block["id"], "type": "function", "function": function}
            return [self._chunk({"tool_calls": [call]})]
        return []

    def _delta(self, delta: Mapping[str, Any]) -> list[dict[str, Any]]:
        kind = delta["type"]
        if kind == "text_delta":
            return [self._chunk({"content": delta["text"]})]
        if kind == "input_json_delta":
            return self._arguments(delta["partial_json"])
        if kind == "thinking_delta":
            self._thought.append(delta["thinking"])
            return [self._chunk({"reasoning_content": delta["thinking"]})]
        if kind == "signature_delta":
            self._open["signature"] = delta["signature"]
        return []

    def _arguments(self, piece: str) -> list[dict[str, Any]]:
        if not piece:
            return []
        self._written = True
        if _is_answer(self._open):
            return [self._chunk({"content": piece})]
        return [self._chunk({"tool_calls": [{"index": self._calls - 1, "function": {"arguments": piece}}]})]

    def _end_block(self) -> list[dict[str, Any]]:
        """A call without arguments still has an empty object of them; thoughts go back whole, with their signature."""
        kind = self._open.get("type")
        if kind == "tool_use" and not self._written:
            return self._arguments(json_text(self._open.get("input") or {}))
        if kind == "redacted_thinking":
            return [self._chunk({"thinking_blocks": [self._open]})]
        if kind == "thinking" and self._open.get("signature"):
            whole = {"type": "thinking", "thinking": "".join(self._thought), "signature": self._open["signature"]}
            return [self._chunk({"thinking_blocks": [whole]})]
        return []

    def _finish(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        self.count(event.get("usage"))
        self.final = True
        reason = event["delta"].get("stop_reason")
        return [self._chunk({}, finish_reason(reason, has_calls=self._calls > 0))] if reason else []

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**self._head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}
