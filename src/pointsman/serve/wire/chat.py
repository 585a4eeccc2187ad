"""Reads a body of OpenAI's chat completions. Takes the parsed body, gives a `Reading`; changes nothing.

It looks at what routing and funds need, and refuses only what can't be read for that; everything else is the
upstream's to judge, so that fields unknown here pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from pointsman.pool.cards import Capability
from pointsman.serve.wire.fields import flag, keyed, listed, malformed, objects, whole
from pointsman.serve.wire.turns import Reading, spoken

MOST_CHOICES = 128
# Pictures are counted, not measured. Of sound and files, so much base64 weighs as one character of text: a second of
# speech is about 10 tokens and 10,000 characters of compressed sound; a page is some 2,000 tokens and 60,000.
SOUND_CHARS = 250
FILE_CHARS = 8


@dataclass(slots=True)
class _Heard:
    """What has been met in the messages so far."""

    chars: int = 0
    images: int = 0
    turns: list[str] = field(default_factory=list)
    needs: set[Capability] = field(default_factory=set)


def read_chat(body: dict[str, Any]) -> Reading:
    """What the gateway needs to know of a chat request.

    Raises:
        Refusal: no messages, or a field of the wrong type; names it.
    """
    messages = objects(body, "messages")
    if not messages:
        raise malformed("`messages` must hold at least one message.", "messages")
    heard = _Heard()
    for place, message in enumerate(messages):
        _hear(message, place, heard)
    _hear_options(body, heard)
    last = messages[-1].get("content")
    limits = (whole(body, "max_completion_tokens", least=1), whole(body, "max_tokens"))
    return Reading(
        text=spoken(heard.turns or ([last] if isinstance(last, str) else [])),
        input_chars=heard.chars,
        images=heard.images,
        wants_usage=wants_usage(body),
        max_output_tokens=max((limit for limit in limits if limit is not None), default=None),
        choices=whole(body, "n", least=1, most=MOST_CHOICES) or 1,
        needs=frozenset(heard.needs),
        messages_for_digest=messages,
    )


def wants_usage(body: dict[str, Any]) -> bool:
    """Whether the client asked for the usage chunk of a chat or completions stream."""
    return flag(keyed(body, "stream_options"), "include_usage")


def _hear(message: dict[str, Any], place: int, heard: _Heard) -> None:
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str):
        raise malformed(f"`messages[{place}].role` must be a string.", f"messages[{place}].role")
    if isinstance(content, str):
        heard.chars += len(content)
        if role == "user":
            heard.turns.append(content)
    elif isinstance(content, list):
        said = "\n".join(_part(part, place, heard) for part in content)
        heard.chars += len(said)
        if role == "user":
            heard.turns.append(said)
    elif content is not None:
        raise malformed(f"`messages[{place}].content` must be a string or a list.", f"messages[{place}].content")
    for name in ("tool_calls", "function_call"):
        if message.get(name):
            heard.needs.add("tools")
            heard.chars += len(orjson.dumps(message[name]))
    if role == "tool":
        heard.needs.add("tools")


def _part(part: Any, place: int, heard: _Heard) -> str:
    """The text of one content part; what isn't text is weighed."""
    if not isinstance(part, dict):
        raise malformed(f"`messages[{place}].content` must hold objects.", f"messages[{place}].content")
    kind, text = part.get("type"), part.get("text")
    if isinstance(text, str):
        return text
    if kind == "image_url":
        heard.images += 1
        heard.needs.add("vision")
    elif kind == "input_audio":
        heard.needs.add("audio")
        heard.chars += len(orjson.dumps(part)) // SOUND_CHARS
    elif kind == "file":
        heard.needs.add("vision")
        heard.chars += len(orjson.dumps(part)) // FILE_CHARS
    else:
        heard.chars += len(orjson.dumps(part))
    return ""


def _hear_options(body: dict[str, Any], heard: _Heard) -> None:
    for name in ("tools", "functions"):
        if tools := listed(body, name):
            heard.needs.add("tools")
            heard.chars += len(orjson.dumps(tools))
    if "audio" in listed(body, "modalities"):
        heard.needs.add("audio")
    wanted = keyed(body, "response_format")
    if wanted.get("type") in {"json_object", "json_schema"}:
        heard.needs.add("json")
        heard.chars += len(orjson.dumps(wanted))
