"""What a per-shape reader finds in a parsed body, and how the turns of a conversation are recognised again. No I/O.

Each shape has one reader, `read_<shape>(body) -> Reading`; `serve.wire.reading` adds what all shapes share. A
conversation is known by rolling digests over its messages: a request continues an earlier one if the earlier one's
digest is among its prefixes. No text is kept in a digest, and no text leaves this file other than in a `Reading`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from pointsman.pool.cards import Capability

# A last turn shorter than this ("and in French?") says little of what is asked, so earlier turns go before it.
SHORT_CHARS = 200
# What an embedder is given at most; of a longer text the first and the last half.
TEXT_CHARS = 16_000
# A request continues one of the last few turns; further back nothing is cached upstream any more.
MOST_PREFIXES = 16
DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Reading:
    """What one shape's reader found. The fields are those of `Query`, where they are described.

    Attributes:
        text: what is embedded; `spoken` makes it from the user's turns.
        input_chars: characters of everything that the upstream reads: all turns, tools, schemas.
        images: pictures in all turns.
        wants_usage: True always, but for a chat or completions stream without `stream_options.include_usage`.
        max_output_tokens: the client's own limit.
        choices: answers asked for at once, at least 1.
        needs: capabilities without which a model can't serve it; "streaming" is added by `read_query`.
        messages_for_digest: JSON values in the order in which the model reads them, the system prompt first. One
            that could have been the last of an earlier request is an object with a `role` or `type` of `ENDS`.
    """

    text: str
    input_chars: int
    images: int = 0
    wants_usage: bool = True
    max_output_tokens: int | None = None
    choices: int = 1
    needs: frozenset[Capability] = frozenset()
    messages_for_digest: Sequence[Any] = ()


# Roles (chat, messages) and item types (responses) after which a model speaks.
ENDS = frozenset({"user", "tool", "function", "function_call_output", "custom_tool_call_output"})


def spoken(turns: Sequence[str]) -> str:
    """What to embed for the user's turns, in their order: the last one, with earlier ones before it if it is short."""
    if not turns:
        return ""
    first, chars = len(turns) - 1, len(turns[-1])
    while first > 0 and chars < SHORT_CHARS:
        first -= 1
        chars += len(turns[first]) + 1
    return ends_of(turns[-1] if first == len(turns) - 1 else "\n".join(turns[first:]))


def ends_of(text: str) -> str:
    """The text, or its first and last half where it is longer than `TEXT_CHARS`."""
    if len(text) <= TEXT_CHARS:
        return text
    return text[: TEXT_CHARS // 2] + text[-TEXT_CHARS // 2 :]


def digests(messages: Sequence[Any]) -> tuple[bytes, tuple[bytes, ...]]:
    """The digest of all messages, and those of each beginning that an earlier request may have had, longest first.

    Where a client moves Anthropic's `cache_control` from turn to turn, or writes a turn of one text part as a plain
    string, it is still the same turn.
    """
    rolled = blake2b(digest_size=DIGEST_BYTES)
    last = len(messages) - 1
    found: list[bytes] = []
    for place, message in enumerate(messages):
        rolled.update(_canonical(message))
        if place < last and _ends(message):
            found.append(rolled.copy().digest())
    return rolled.digest(), tuple(found[: -MOST_PREFIXES - 1 : -1])


def _ends(message: Any) -> bool:
    return isinstance(message, dict) and (_of_ends(message.get("role")) or _of_ends(message.get("type")))


def _of_ends(value: Any) -> bool:
    return isinstance(value, str) and value in ENDS


def _canonical(message: Any) -> bytes:
    """Bytes that two spellings of the same turn share; objects and strings can't run into each other, so no lengths."""
    if isinstance(message, dict) and isinstance(message.get("content"), list):
        message = {**message, "content": _plain_content(message["content"])}
    return orjson.dumps(message, option=orjson.OPT_SORT_KEYS)


def _plain_content(parts: list[Any]) -> Any:
    if len(parts) == 1 and isinstance(parts[0], dict) and parts[0].get("type") == "text":
        text = parts[0].get("text")
        return text if isinstance(text, str) else parts
    return [
        {name: value for name, value in part.items() if name != "cache_control"}
        if isinstance(part, dict) and "cache_control" in part
        else part
        for part in parts
    ]
