"""OpenAI's chat shape to itself: what a chat client gets of an upstream that speaks another language. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pointsman.pool.cards import Usage
from pointsman.serve.wire.codec_usage import chat_usage
from pointsman.serve.wire.query import Query


class ChatCodec:
    """Nothing to translate."""

    def to_chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body itself, copied one level deep."""
        return dict(body)

    def from_chat(self, completion: dict[str, Any], query: Query) -> dict[str, Any]:  # noqa: ARG002 (the protocol's)
        """The completion itself."""
        return completion

    def encoder(self, query: Query) -> ChatEncoder:
        """For one stream."""
        return ChatEncoder("chat.completion.chunk", wants_usage=query.wants_usage)


class ChatEncoder:
    """Chat chunks as events; `[DONE]` ends them.

    Args:
        kind: the `object` of the chunks that are made here, for usage and cost.
        wants_usage: whether the client asked for the usage.
    """

    def __init__(self, kind: str, *, wants_usage: bool) -> None:
        self._head: dict[str, Any] = {"id": "chatcmpl-0", "object": kind, "created": 0, "model": ""}
        self._wants_usage = wants_usage

    def chunk(self, chunk: Mapping[str, Any]) -> bytes:
        """One event."""
        self._remember(chunk)
        if "usage" not in chunk:
            return event(chunk)
        shown = {name: value for name, value in chunk.items() if name != "usage"}
        return event(shown) if shown.get("choices") else b""

    def _remember(self, chunk: Mapping[str, Any]) -> None:
        for name in ("id", "created", "model"):
            if name in chunk:
                self._head[name] = chunk[name]

    def end(self, usage: Usage | None, cost: Mapping[str, Any] | None = None) -> bytes:
        """The chunks of usage and cost, then the end marker."""
        told = b""
        if usage is not None and self._wants_usage:
            told += event({**self._head, "choices": [], "usage": chat_usage(usage)})
        if cost is not None:
            told += event({**self._head, "choices": [], "pointsman": cost})
        return told + b"data: [DONE]\n\n"

    def fail(self, body: Mapping[str, Any]) -> bytes:
        """The error as OpenAI's clients know it in a stream."""
        return event(body)


def event(value: Mapping[str, Any]) -> bytes:
    """One server-sent event without a name."""
    return b"data: " + orjson.dumps(value) + b"\n\n"
