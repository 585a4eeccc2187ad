"""Token counts as OpenAI-compatible upstreams report them, with the ways in which they differ. Pure.

    OpenAI chat       prompt_tokens, completion_tokens, with details that are parts of them
    OpenAI responses  the same as input_tokens and output_tokens, inside of `response` in a stream
    DeepSeek          prompt_cache_hit_tokens beside them
    Moonshot          cached_tokens beside them
    xAI, Gemini's     reasoning outside of completion_tokens, seen in the total alone
    Groq              in a stream inside of `x_groq`
    llama.cpp         `timings` where no usage was asked for: prompt_n without what its cache held
    vLLM              in every chunk, if told so: the last report stands
    OpenRouter        what it charges, as `cost` in dollars

A report that says nothing, or zero of both, is no report: a missing usage never counts as zero.
"""

from __future__ import annotations

from typing import Any

from pointsman.pool.cards import Usage

# Beyond any context: a count above it is a fault of the upstream's, and no report.
MOST_TOKENS = 1_000_000_000
MOST_USD = 1e6


def read_usage(answer: dict[str, Any]) -> Usage | None:
    """The usage of a whole answer, or of one chunk or event of a stream; None where it reports none."""
    told = answer.get("usage")
    if isinstance(told, dict):
        return _counted(told)
    for holder in ("response", "x_groq"):
        inner = answer.get(holder)
        if isinstance(inner, dict) and isinstance(inner.get("usage"), dict):
            return _counted(inner["usage"])
    return _timed(answer.get("timings"))


def _counted(told: dict[str, Any]) -> Usage | None:
    given = _first(told, "prompt_tokens", "input_tokens")
    made = _first(told, "completion_tokens", "output_tokens")
    total = _count(told.get("total_tokens"))
    if given is None:
        if total is None or made is None:
            return None
        given = max(0, total - made)
    # What is in the total beside both is reasoning: it is billed as output.
    beside = max(0, total - given - (made or 0)) if total is not None else 0
    written = (made or 0) + beside
    if not given and not written:
        return None
    reads = _details(told, "prompt_tokens_details", "input_tokens_details")
    writes = _details(told, "completion_tokens_details", "output_tokens_details")
    cached = _first(reads, "cached_tokens") or _first(told, "prompt_cache_hit_tokens", "cached_tokens") or 0
    stored = _first(reads, "cache_write_tokens") or _first(told, "cache_creation_input_tokens") or 0
    cached = min(cached, given)
    return Usage(
        input_tokens=given,
        output_tokens=written,
        cached_tokens=cached,
        cache_write_tokens=min(stored, given - cached),
        reasoning_tokens=min(max(_first(writes, "reasoning_tokens") or 0, beside), written),
        reported_usd=_dollars(told.get("cost")),
    )


def _timed(timings: Any) -> Usage | None:
    if not isinstance(timings, dict):
        return None
    cached = _count(timings.get("cache_n")) or 0
    given = cached + (_count(timings.get("prompt_n")) or 0)
    made = _count(timings.get("predicted_n"))
    return Usage(given, made, cached_tokens=cached) if made is not None and given else None


def _details(told: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        found = told.get(name)
        if isinstance(found, dict):
            return found
    return {}


def _first(told: dict[str, Any], *names: str) -> int | None:
    for name in names:
        found = _count(told.get(name))
        if found is not None:
            return found
    return None


def _dollars(value: Any) -> float | None:
    """A cost as the upstream charges it."""
    return float(value) if type(value) in (int, float) and 0.0 <= value <= MOST_USD else None


def _count(value: Any) -> int | None:
    """A number of tokens; some servers write whole numbers as floating ones."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None
