"""Reads the body of OpenAI's `/v1/responses`. Pure; whatever is in the body, it ends in a `Reading` or a `Refusal`."""

from __future__ import annotations

from typing import Any

from pointsman.pool.cards import Capability
from pointsman.serve.wire.chat import FILE_CHARS, SOUND_CHARS
from pointsman.serve.wire.codec_fields import (
    TEXT_PARTS,
    as_list,
    as_object,
    json_text,
    malformed,
    objects,
    parts_of,
    word,
)
from pointsman.serve.wire.codec_responses_request import refuse_stored
from pointsman.serve.wire.fields import whole
from pointsman.serve.wire.turns import Reading, spoken

_SHARES = {"input_file": FILE_CHARS, "input_audio": SOUND_CHARS}
_STRUCTURED = frozenset({"json_object", "json_schema"})


def read_responses(body: dict[str, Any]) -> Reading:
    """What a request of this shape asks.

    Raises:
        Refusal: malformed, or it refers to something stored; names the field.
    """
    refuse_stored(body)
    instructions = body.get("instructions")
    items = _items(body.get("input"))
    parts = [part for place, item in items for part in _parts(item, place)]
    tools = as_list(body.get("tools"), "tools")
    first = [{"role": "system", "content": instructions}] if instructions else []
    return Reading(
        text=spoken([text for text in (_asked(item, place) for place, item in items) if text]),
        input_chars=sum(map(_chars, parts))
        + (len(instructions) if isinstance(instructions, str) else 0)
        + sum(len(json_text(item)) for _, item in items if word(item.get("type")) == "function_call")
        + (len(json_text(tools)) if tools else 0),
        images=_count(parts, "input_image"),
        max_output_tokens=whole(body, "max_output_tokens"),
        needs=_needs(body, items, parts),
        messages_for_digest=[*first, *(item for _, item in items)],
    )


def _items(given: Any) -> list[tuple[str, dict[str, Any]]]:
    if isinstance(given, str):
        return [("input", {"type": "message", "role": "user", "content": given})]
    found = list(objects(given, "input"))
    if not found:
        raise malformed("input", "must be a string or a list with at least one item")
    return found


def _parts(item: dict[str, Any], place: str) -> list[dict[str, Any]]:
    """The parts of a message or of a tool's output."""
    name = "output" if word(item.get("type")).endswith("_output") else "content"
    return [part for _, part in parts_of(item.get(name), f"{place}.{name}")]


def _asked(item: dict[str, Any], place: str) -> str:
    """The text of a user's turn; empty for anything else."""
    if item.get("role") != "user":
        return ""
    return "\n".join(_text(part) for part in _parts(item, place) if _text(part))


def _text(part: dict[str, Any]) -> str:
    return word(part.get("text")) if word(part.get("type")) in TEXT_PARTS else ""


def _chars(part: dict[str, Any]) -> int:
    """Characters that a model reads of one part; pictures are counted elsewhere."""
    kind = word(part.get("type"))
    if kind in TEXT_PARTS:
        return len(_text(part))
    if kind == "input_image":
        return 0
    return len(json_text(part)) // _SHARES.get(kind, 1)


def _count(parts: list[dict[str, Any]], kind: str) -> int:
    return sum(1 for part in parts if part.get("type") == kind)


def _needs(
    body: dict[str, Any], items: list[tuple[str, dict[str, Any]]], parts: list[dict[str, Any]]
) -> frozenset[Capability]:
    written = as_object(body.get("text") or {}, "text").get("format")
    found: list[Capability] = []
    if body.get("tools") or any(word(item.get("type")).startswith("function_call") for _, item in items):
        found.append("tools")
    if _count(parts, "input_image"):
        found.append("vision")
    if isinstance(written, dict) and word(written.get("type")) in _STRUCTURED:
        found.append("json")
    if _count(parts, "input_audio"):
        found.append("audio")
    return frozenset(found)
