"""Tools for models whose chat template knows none: told in words, and read out of the answer again.

Takes tools in OpenAI's shape, gives a paragraph; takes an answer's text, gives the calls in it. A call is the first
JSON object with a `name` that was offered; anything else stays text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

HOW = 'To call one, answer with JSON alone: {"name": "…", "arguments": {…}}. If none fits, answer in words.'


def told(tools: Sequence[Mapping[str, Any]]) -> str:
    """What the model is told of the tools; "" where there are none."""
    if not tools:
        return ""
    return "\n".join(["You can call these tools.", *(_line(tool["function"]) for tool in tools), HOW])


def _line(function: Mapping[str, Any]) -> str:
    fields = function.get("parameters", {}).get("properties", {})
    arguments = ", ".join(f"{name}: {shape.get('type', 'string')}" for name, shape in fields.items())
    return f"{function['name']}({arguments}): {function.get('description', '')}"


def called(text: str, tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The calls in an answer, in OpenAI's shape: one or none."""
    offered = {tool["function"]["name"] for tool in tools}
    found = _object_in(text) if offered else None
    if found is None or found.get("name") not in offered or not isinstance(found.get("arguments", {}), dict):
        return []
    arguments = json.dumps(found.get("arguments", {}), ensure_ascii=False)
    return [{"id": "call_0", "type": "function", "function": {"name": found["name"], "arguments": arguments}}]


def _object_in(text: str) -> dict[str, Any] | None:
    start = text.find("{")
    if start < 0:
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(text[start:])
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
