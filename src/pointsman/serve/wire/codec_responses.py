"""OpenAI's `/v1/responses` through chat: whole answers in the shape its clients read. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pointsman.pool.cards import Usage
from pointsman.serve.wire.codec_messages import reasoning_of
from pointsman.serve.wire.codec_responses_items import (
    INCOMPLETE,
    Answered,
    call_item,
    envelope,
    message_item,
    reasoning_item,
    refusal_part,
    text_part,
)
from pointsman.serve.wire.codec_responses_request import chat_of_responses
from pointsman.serve.wire.codec_responses_stream import ResponsesEncoder
from pointsman.serve.wire.codec_usage import usage_of_chat
from pointsman.serve.wire.query import Query


class ResponsesCodec:
    """OpenAI's responses, to chat and back."""

    def to_chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """The chat request."""
        return chat_of_responses(body)

    def from_chat(self, completion: dict[str, Any], query: Query) -> dict[str, Any]:
        """A whole response."""
        choice = completion["choices"][0]
        answered = Answered.of(completion)
        status = "incomplete" if choice.get("finish_reason") in INCOMPLETE else "completed"
        output = _output(choice["message"], answered.id, status)
        usage: Usage | None = usage_of_chat(completion.get("usage"))
        return envelope(query.body, answered, output, reason=choice.get("finish_reason"), usage=usage)

    def encoder(self, query: Query) -> ResponsesEncoder:
        """For one stream."""
        return ResponsesEncoder(query)


def _output(said: Mapping[str, Any], made: str, status: str) -> Sequence[dict[str, Any]]:
    """The items of a whole answer: thoughts, the message, then calls."""
    found: list[dict[str, Any]] = []
    thought = reasoning_of(said)
    if thought:
        found.append(reasoning_item(f"rs_{made}_{len(found)}", thought))
    parts = [text_part(said["content"])] if said.get("content") else []
    if said.get("refusal"):
        parts.append(refusal_part(said["refusal"]))
    calls = said.get("tool_calls") or ()
    if parts or not calls:
        found.append(message_item(f"msg_{made}_{len(found)}", parts, status))
    for call in calls:
        function = call["function"]
        name, given = function["name"], function.get("arguments") or ""
        found.append(call_item(f"fc_{made}_{len(found)}", call["id"], name, given, "completed"))
    return found
