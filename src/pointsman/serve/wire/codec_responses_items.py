"""The objects that an answer of `/v1/responses` is made of, for whole answers and for streams alike. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pointsman.pool.cards import Usage
from pointsman.serve.wire.codec_usage import response_usage

# Finish reasons of chat that leave a response unfinished, in the words of `/v1/responses`.
INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}

# Fields of the request that a response repeats.
_REPEATED = ("instructions", "max_output_tokens", "temperature", "top_p", "reasoning", "text", "truncation", "user")


@dataclass(frozen=True, slots=True)
class Answered:
    """What is said of an answer besides its content.

    Attributes:
        id: of the completion, without any prefix.
        model: as the upstream calls it.
        created: Unix seconds.
    """

    id: str
    model: str
    created: int

    @staticmethod
    def of(chat: Mapping[str, Any]) -> Answered:
        """Of a completion or a chunk."""
        made = str(chat.get("id") or "0").removeprefix("chatcmpl-")
        return Answered(made, chat.get("model") or "", chat.get("created") or 0)


def envelope(
    asked: Mapping[str, Any],
    answered: Answered,
    output: Sequence[Mapping[str, Any]],
    *,
    reason: Any = None,
    status: str = "",
    usage: Usage | None = None,
) -> dict[str, Any]:
    """A response object.

    Args:
        asked: the client's request, parts of which are repeated.
        answered: who answered and when.
        output: its items.
        reason: chat's finish reason, from which the status follows where it isn't given.
        status: "in_progress" or "failed" for one that isn't done.
        usage: None where it isn't known.
    """
    cut = INCOMPLETE.get(reason) if isinstance(reason, str) else None
    return {
        "id": "resp_" + answered.id,
        "object": "response",
        "created_at": answered.created,
        "status": status or ("incomplete" if cut else "completed"),
        "error": None,
        "incomplete_details": {"reason": cut} if cut else None,
        "model": answered.model,
        "output": list(output),
        "parallel_tool_calls": asked.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "store": False,
        "tool_choice": asked.get("tool_choice") or "auto",
        "tools": [{"strict": None, "parameters": None, **tool} for tool in asked.get("tools") or ()],
        "metadata": asked.get("metadata") or {},
        "usage": response_usage(usage),
        **{name: asked.get(name) for name in _REPEATED},
    }


def text_part(text: str) -> dict[str, Any]:
    """A part of a message: what was said."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def refusal_part(text: str) -> dict[str, Any]:
    """A part of a message: why nothing was said."""
    return {"type": "refusal", "refusal": text}


def thought_part(text: str) -> dict[str, Any]:
    """A part of a reasoning item."""
    return {"type": "reasoning_text", "text": text}


def message_item(made: str, parts: Sequence[Mapping[str, Any]], status: str) -> dict[str, Any]:
    """What the model said."""
    return {"id": made, "type": "message", "role": "assistant", "status": status, "content": list(parts)}


def reasoning_item(made: str, thought: str) -> dict[str, Any]:
    """What the model thought, as it told it."""
    content = [thought_part(thought)] if thought else []
    return {"id": made, "type": "reasoning", "summary": [], "content": content}


def call_item(made: str, call_id: str, name: str, arguments: str, status: str) -> dict[str, Any]:
    """A function that the model calls."""
    return {
        "id": made,
        "type": "function_call",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
        "status": status,
    }
