"""Reads a request of any shape: bytes and headers in, a `Query` or a `Refusal` out. No I/O, no clock.

Whatever the bytes hold, the outcome is one of the two. What is the upstream's to judge is not judged here, and fields
that are unknown stay in the body. Numbers come out as JSON's reader has them: a whole number beyond 64 bits turns
into the nearest floating one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from pointsman.pool.cards import Shape
from pointsman.serve.wire.chat import read_chat
from pointsman.serve.wire.completions import read_completions
from pointsman.serve.wire.embeddings import read_embeddings
from pointsman.serve.wire.fields import MOST_TOKENS, flag, malformed
from pointsman.serve.wire.messages import read_messages
from pointsman.serve.wire.query import Query
from pointsman.serve.wire.responses import read_responses
from pointsman.serve.wire.turns import Reading, digests
from pointsman.serve.wire.wishes import read_wishes

MODEL_CHARS = 256
IDEMPOTENCY_CHARS = 256
BETAS = re.compile(r"[A-Za-z0-9 ,._-]{1,1024}")
# JSON's writer goes 254 deep, and a body is put a few levels deeper when it is translated.
MOST_DEPTH = 200

_READERS: dict[Shape, Callable[[dict[str, Any]], Reading]] = {
    "chat": read_chat,
    "completions": read_completions,
    "embeddings": read_embeddings,
    "messages": read_messages,
    "responses": read_responses,
}


def read_query(shape: Shape, body: bytes, headers: Mapping[str, str]) -> Query:
    """One request, understood.

    Args:
        shape: whose API it came in.
        body: as it came.
        headers: by lower-case name.

    Raises:
        Refusal: it can't be understood; names the field.
    """
    parsed = read_object(body)
    wishes = read_wishes(headers, parsed.pop("pointsman", None))
    model = parsed.get("model")
    if not isinstance(model, str) or not 0 < len(model) <= MODEL_CHARS:
        raise malformed(f"`model` must be text of 1 to {MODEL_CHARS} characters; `auto` leaves the choice.", "model")
    stream = shape != "embeddings" and flag(parsed, "stream")
    reading = _READERS[shape](parsed)
    if (reading.max_output_tokens or 0) > MOST_TOKENS:
        raise malformed(f"An answer of more than {MOST_TOKENS} tokens can't be asked for.", "max_tokens")
    messages = reading.messages_for_digest
    digest, prefixes = digests(messages) if messages else (b"", ())
    return Query(
        shape=shape,
        body=parsed,
        model=model,
        text=reading.text,
        input_chars=reading.input_chars,
        images=reading.images,
        stream=stream,
        wants_usage=reading.wants_usage,
        max_output_tokens=reading.max_output_tokens,
        choices=reading.choices,
        needs=reading.needs | {"streaming"} if stream else reading.needs,
        turns=max(1, len(messages)),
        digest=digest,
        prefixes=prefixes,
        wishes=wishes,
        idempotency=_idempotency(headers),
        betas=_betas(headers) if shape == "messages" else "",
    )


def read_object(body: bytes) -> dict[str, Any]:
    """A body's JSON object.

    Raises:
        Refusal: it isn't JSON, not an object, or nested too deep.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # The position is told, the text is not.
        place = f"line {error.lineno}, column {error.colno}"
        raise malformed(f"The body is not JSON that can be read: {error.msg.partition(':')[0]} at {place}.") from None
    if not isinstance(parsed, dict):
        raise malformed("The body must be a JSON object.")
    # Only a body with that many brackets can be nested that deep, and few have them.
    if body.count(b"[") + body.count(b"{") > MOST_DEPTH and _deeper(parsed, MOST_DEPTH):
        raise malformed(f"The body is nested more than {MOST_DEPTH} deep.")
    return parsed


def _deeper(value: Any, depth: int) -> bool:
    """Whether a value is nested deeper than that; level by level, so that the depth of Python's stack is no matter."""
    level = [value]
    while level and depth:
        level = [
            below
            for above in level
            for below in (above.values() if isinstance(above, dict) else above)
            if isinstance(below, dict | list)
        ]
        depth -= 1
    return bool(level)


def _idempotency(headers: Mapping[str, str]) -> str | None:
    value = headers.get("idempotency-key")
    if value is None:
        return None
    if not 0 < len(value) <= IDEMPOTENCY_CHARS or not value.isprintable():
        raise malformed(f"`idempotency-key` must be 1 to {IDEMPOTENCY_CHARS} printable characters.", "idempotency-key")
    return value


def _betas(headers: Mapping[str, str]) -> str:
    value = headers.get("anthropic-beta", "")
    if value and not BETAS.fullmatch(value):
        raise malformed("`anthropic-beta` must be names with commas between them.", "anthropic-beta")
    return value
