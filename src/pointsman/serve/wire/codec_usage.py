"""Token counts in the words of each API, to and from `Usage`, whose totals include their parts. Pure.

A report of nothing but zeros is none: a missing usage never counts as zero. OpenAI counts cached tokens inside the
prompt's, Anthropic beside them: `Usage.input_tokens` is always all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman.pool.cards import Usage


def count(fields: Any, *names: str) -> int:
    """The first of these fields that is a whole number, not below 0; 0 where there is none."""
    if isinstance(fields, Mapping):
        for name in names:
            value = fields.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                return max(0, value)
    return 0


def usage_of_chat(fields: Any) -> Usage | None:
    """Of a chat completion's `usage`; None where it isn't there or is all zeros."""
    if not count(fields, "prompt_tokens") and not count(fields, "completion_tokens"):
        return None
    read, written = fields.get("prompt_tokens_details"), fields.get("completion_tokens_details")
    return Usage(
        input_tokens=count(fields, "prompt_tokens"),
        output_tokens=count(fields, "completion_tokens"),
        cached_tokens=count(read, "cached_tokens"),
        cache_write_tokens=count(read, "cache_write_tokens"),
        reasoning_tokens=count(written, "reasoning_tokens"),
    )


def usage_of_message(fields: Any) -> Usage | None:
    """Of an Anthropic message's `usage`; None where it isn't there or is all zeros."""
    read, written = count(fields, "cache_read_input_tokens"), count(fields, "cache_creation_input_tokens")
    if not count(fields, "input_tokens") + read + written + count(fields, "output_tokens"):
        return None
    return Usage(
        input_tokens=count(fields, "input_tokens") + read + written,
        output_tokens=count(fields, "output_tokens"),
        cached_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=count(fields.get("output_tokens_details"), "thinking_tokens"),
        cache_write_1h_tokens=min(written, count(fields.get("cache_creation"), "ephemeral_1h_input_tokens")),
    )


def usage_of_gemini(fields: Any) -> Usage | None:
    """Of Gemini's `usageMetadata`, with thoughts beside the answer; None where it says nothing of the prompt."""
    if not count(fields, "promptTokenCount"):
        return None
    thoughts = count(fields, "thoughtsTokenCount")
    return Usage(
        input_tokens=count(fields, "promptTokenCount") + count(fields, "toolUsePromptTokenCount"),
        output_tokens=count(fields, "candidatesTokenCount") + thoughts,
        cached_tokens=count(fields, "cachedContentTokenCount"),
        reasoning_tokens=thoughts,
    )


def chat_usage(usage: Usage) -> dict[str, Any]:
    """As chat and completions report it."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def message_usage(usage: Usage | None) -> dict[str, Any]:
    """As Anthropic reports it, which has no way to leave it out: zeros where it isn't known."""
    known = usage or Usage(0, 0)
    fresh = max(0, known.input_tokens - known.cached_tokens - known.cache_write_tokens)
    return {
        "input_tokens": fresh,
        "cache_creation_input_tokens": known.cache_write_tokens,
        "cache_read_input_tokens": known.cached_tokens,
        "output_tokens": known.output_tokens,
    }


def response_usage(usage: Usage | None) -> dict[str, Any] | None:
    """As `/v1/responses` reports it."""
    if usage is None:
        return None
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
