"""Reads a body of OpenAI's embeddings. Takes the parsed body, gives a `Reading`; changes nothing."""

from __future__ import annotations

from typing import Any

from pointsman.serve.wire.completions import read_texts
from pointsman.serve.wire.turns import Reading, spoken


def read_embeddings(body: dict[str, Any]) -> Reading:
    """What the gateway needs to know of an embeddings request: nothing is generated, and nothing is a conversation.

    Raises:
        Refusal: no input, or of the wrong type.
    """
    texts, chars, _ = read_texts(body, "input")
    return Reading(text=spoken(texts[-1:]), input_chars=chars, max_output_tokens=0, needs=frozenset({"embeddings"}))
