"""Reads a body of OpenAI's legacy completions. Takes the parsed body, gives a `Reading`; changes nothing."""

from __future__ import annotations

from typing import Any

from pointsman.serve.wire.chat import MOST_CHOICES, wants_usage
from pointsman.serve.wire.fields import malformed, text, whole
from pointsman.serve.wire.turns import Reading, spoken

# What a token weighs where a prompt comes as token numbers, which can't be read here.
TOKEN_CHARS = 4


def read_completions(body: dict[str, Any]) -> Reading:
    """What the gateway needs to know of a completions request. Several prompts are answered each.

    Raises:
        Refusal: no prompt, or a field of the wrong type; names it.
    """
    texts, chars, count = read_texts(body, "prompt")
    suffix = text(body, "suffix") or ""
    choices = whole(body, "n", least=1, most=MOST_CHOICES) or 1
    best = whole(body, "best_of", least=1, most=MOST_CHOICES) or 1
    return Reading(
        text=spoken(["\n".join(texts)]),
        input_chars=chars + len(suffix),
        wants_usage=wants_usage(body),
        max_output_tokens=whole(body, "max_tokens"),
        # All of `best_of` are generated and billed, whatever `n` is shown.
        choices=max(choices, best) * count,
        messages_for_digest=texts,
    )


def read_texts(body: dict[str, Any], name: str) -> tuple[list[str], int, int]:
    """The texts of a field, their characters, and how many inputs there are.

    It may be a text, a list of texts, a list of token numbers, or a list of such lists.

    Raises:
        Refusal: it is none of these, or empty.
    """
    value = body.get(name)
    if isinstance(value, str):
        return [value], len(value), 1
    if not isinstance(value, list) or not value:
        raise malformed(f"`{name}` must be a text, a list of texts or token numbers.", name)
    if all(isinstance(each, str) for each in value):
        return value, sum(map(len, value)), len(value)
    if _numbers(value):
        return [], TOKEN_CHARS * len(value), 1
    if all(isinstance(each, list) and each and _numbers(each) for each in value):
        return [], TOKEN_CHARS * sum(map(len, value)), len(value)
    raise malformed(f"`{name}` must be a text, a list of texts or token numbers.", name)


def _numbers(values: list[Any]) -> bool:
    return all(type(value) is int and value >= 0 for value in values)
