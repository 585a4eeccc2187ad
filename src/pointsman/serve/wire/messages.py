"""Reads the body of Anthropic's `/v1/messages`. Pure; any body ends in a `Reading` or a `Refusal`."""

from __future__ import annotations

from typing import Any

from pointsman.pool.cards import Capability
from pointsman.serve.wire.chat import FILE_CHARS
from pointsman.serve.wire.codec_fields import as_list, json_text, malformed, objects, parts_of, word
from pointsman.serve.wire.fields import whole
from pointsman.serve.wire.turns import Reading, spoken

_OF_TOOLS = frozenset({"tool_use", "tool_result"})
_ROLES = frozenset({"user", "assistant", "system"})


def read_messages(body: dict[str, Any]) -> Reading:
    """What a request of this shape asks.

    Raises:
        Refusal: malformed; names the field.
    """
    limit = whole(body, "max_tokens")
    if limit is None:
        raise malformed("max_tokens", "is missing; Anthropic's API asks for it")
    turns = list(objects(body.get("messages"), "messages"))
    if not turns:
        raise malformed("messages", "must hold at least one message")
    blocks = [(place, _role(turn, place), parts_of(turn.get("content"), f"{place}.content")) for place, turn in turns]
    parts = [part for _, _, found in blocks for _, part in found]
    images = sum(map(_images, parts))
    system = body.get("system")
    tools = as_list(body.get("tools"), "tools")
    first = [{"role": "system", "content": system}] if system else []
    return Reading(
        text=spoken([text for text in (_text(found) for _, role, found in blocks if role == "user") if text]),
        input_chars=sum(map(_chars, parts))
        + sum(_chars(part) for _, part in parts_of(system, "system"))
        + (len(json_text(tools)) if tools else 0),
        images=images,
        max_output_tokens=limit,
        needs=_needs(body, parts, images),
        messages_for_digest=[*first, *(turn for _, turn in turns)],
    )


def _role(turn: dict[str, Any], place: str) -> str:
    role = word(turn.get("role"))
    if role not in _ROLES:
        raise malformed(f"{place}.role", "must be `user` or `assistant`")
    return role


def _text(parts: list[tuple[str, dict[str, Any]]]) -> str:
    found = [part["text"] for _, part in parts if part.get("type") == "text" and isinstance(part.get("text"), str)]
    return "\n".join(found)


def _chars(part: dict[str, Any]) -> int:
    """Characters that a model reads of one block; pictures are counted elsewhere."""
    kind = part.get("type")
    if kind == "text" and isinstance(part.get("text"), str):
        return len(part["text"])
    if kind == "image":
        return 0
    if kind == "document":
        return len(json_text(part)) // FILE_CHARS if _is_base64(part) else len(json_text(part))
    if kind == "tool_result" and isinstance(part.get("content"), list):
        return sum(_chars(inner) for inner in part["content"] if isinstance(inner, dict))
    return len(json_text(part))


def _is_base64(part: dict[str, Any]) -> bool:
    source = part.get("source")
    return isinstance(source, dict) and source.get("type") == "base64"


def _images(part: dict[str, Any]) -> int:
    if part.get("type") == "tool_result" and isinstance(part.get("content"), list):
        return sum(_images(inner) for inner in part["content"] if isinstance(inner, dict))
    return int(part.get("type") == "image")


def _needs(body: dict[str, Any], parts: list[dict[str, Any]], images: int) -> frozenset[Capability]:
    config = body.get("output_config")
    structured = body.get("output_format") or (isinstance(config, dict) and config.get("format"))
    found: list[Capability] = []
    if body.get("tools") or any(word(part.get("type")) in _OF_TOOLS for part in parts):
        found.append("tools")
    if images:
        found.append("vision")
    if structured:
        found.append("json")
    return frozenset(found)
