"""Gemini's answers, whole or streamed, as chat completions and chunks. Pure.

A stream is a sequence of answers of the same form, each with a further piece, so both are read alike. Gemini gives
calls no ids of their own: they are made of the answer's id and the call's place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pointsman.pool.cards import Usage
from pointsman.serve.wire.codec_fields import json_text
from pointsman.serve.wire.codec_usage import chat_usage, usage_of_gemini

_FINISH_REASONS = {
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
}
# The model wrote a call that Gemini itself can't read: its failure, not the client's.
_FAILURES = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE"})


def completion_of_gemini(answer: Mapping[str, Any], created: int, model: str) -> dict[str, Any]:
    """A whole answer as a chat completion.

    Args:
        answer: as Gemini sent it.
        created: Unix seconds.
        model: the name where the answer doesn't tell its own.

    Raises:
        KeyError, TypeError, AttributeError, ValueError: it isn't an answer, or the model failed.
    """
    chunks = GeminiChunks(created, model)
    chunks.name(answer)
    choices = [_whole(chunks, place, candidate) for place, candidate in _candidates(answer)]
    if not choices:
        raise ValueError
    completion = {
        "id": chunks.id,
        "object": "chat.completion",
        "created": created,
        "model": chunks.model,
        "choices": choices,
    }
    usage = usage_of_gemini(answer.get("usageMetadata"))
    return {**completion, "usage": chat_usage(usage)} if usage is not None else completion


def _whole(chunks: GeminiChunks, place: int, candidate: Mapping[str, Any]) -> dict[str, Any]:
    said = chunks.said(place, candidate)
    for call in said.get("tool_calls", ()):
        del call["index"]
    message = {"role": "assistant", "content": None, **said}
    reason = finish_reason(candidate.get("finishReason") or "STOP", has_calls="tool_calls" in said, is_empty=not said)
    return {"index": place, "message": message, "logprobs": None, "finish_reason": reason}


def _candidates(answer: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Each candidate with its place; a prompt that Gemini blocks has one that was stopped before its first word."""
    found = answer.get("candidates") or ()
    if not found and (answer.get("promptFeedback") or {}).get("blockReason"):
        yield 0, {"finishReason": "PROHIBITED_CONTENT"}
    elif not found and "usageMetadata" not in answer:
        raise ValueError
    for candidate in found:
        yield candidate.get("index", 0), candidate


def finish_reason(reason: str, *, has_calls: bool, is_empty: bool) -> str:
    """Chat's word for why Gemini stopped.

    Raises:
        ValueError: the model failed and nothing was said.
    """
    if reason in _FAILURES and is_empty:
        raise ValueError
    return "tool_calls" if has_calls and reason == "STOP" else _FINISH_REASONS.get(reason, "stop")


class GeminiChunks:
    """A stream of Gemini's answers as chat chunks.

    Args:
        created: Unix seconds.
        model: the name where the answers don't tell their own.
        choices: how many candidates were asked for.

    Attributes:
        id, model: of the answer.
        usage: the last report.
        final: always True: every report is the sum so far.
        ended: whether all candidates have said why they stopped and the usage came; Gemini has no other end.
    """

    def __init__(self, created: int, model: str, choices: int = 1) -> None:
        self.usage: Usage | None = None
        self.final = True
        self.ended = False
        self.id = ""
        self.model = model
        self._created = created
        self._choices = choices
        self._done: set[int] = set()
        self._begun: set[int] = set()
        self._spoke: set[int] = set()
        self._calls: dict[int, int] = {}

    @property
    def finished(self) -> bool:
        """Whether every candidate that has begun has said why it stopped."""
        return bool(self._done) and self._begun == self._done

    def take(self, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The chunks of one event.

        Raises:
            KeyError, TypeError, AttributeError, ValueError: it isn't what Gemini sends.
        """
        self.name(answer)
        self.usage = usage_of_gemini(answer.get("usageMetadata")) or self.usage
        chunks = [chunk for place, candidate in _candidates(answer) for chunk in self._candidate(place, candidate)]
        self.ended = len(self._done) >= self._choices and self.usage is not None
        return chunks

    def name(self, answer: Mapping[str, Any]) -> None:
        """Takes the id and the model's name of the first answer that tells them."""
        self.model = answer.get("modelVersion") or self.model
        self.id = self.id or f"chatcmpl-{answer.get('responseId') or self._created}"

    def _candidate(self, place: int, candidate: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        said = self.said(place, candidate)
        if place not in self._begun:
            self._begun.add(place)
            yield self._chunk(place, {"role": "assistant", "content": ""})
        if said:
            self._spoke.add(place)
            yield self._chunk(place, said)
        reason = candidate.get("finishReason")
        if reason:
            self._done.add(place)
            has_calls, is_empty = place in self._calls, place not in self._spoke
            yield self._chunk(place, {}, finish_reason(reason, has_calls=has_calls, is_empty=is_empty))

    def said(self, place: int, candidate: Mapping[str, Any]) -> dict[str, Any]:
        """What a candidate says, as the fields of a chat delta; empty for nothing."""
        texts: list[str] = []
        thoughts: list[str] = []
        calls: list[dict[str, Any]] = []
        images: list[dict[str, Any]] = []
        for part in (candidate.get("content") or {}).get("parts") or ():
            if "functionCall" in part:
                calls.append(self._call(place, part))
            elif "text" in part:
                (thoughts if part.get("thought") else texts).append(part["text"])
            elif "inlineData" in part:
                images.append(_image(part["inlineData"]))
        found = {
            "content": "".join(texts),
            "reasoning_content": "".join(thoughts),
            "tool_calls": calls,
            "images": images,
        }
        return {name: value for name, value in found.items() if value}

    def _call(self, place: int, part: Mapping[str, Any]) -> dict[str, Any]:
        number = self._calls.get(place, 0)
        self._calls[place] = number + 1
        called = part["functionCall"]
        made = called.get("id") or f"call_{self.id.removeprefix('chatcmpl-')}_{place}_{number}"
        function = {"name": called["name"], "arguments": json_text(called.get("args") or {})}
        call = {"index": number, "id": made, "type": "function", "function": function}
        if part.get("thoughtSignature"):
            call["extra_content"] = {"google": {"thought_signature": part["thoughtSignature"]}}
        return call

    def _chunk(self, place: int, delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": place, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self.model,
            "choices": [choice],
        }


def _image(data: Mapping[str, Any]) -> dict[str, Any]:
    """A picture in the answer, as other gateways show it in a chat message."""
    url = f"data:{data['mimeType']};base64,{data['data']}"
    return {"type": "image_url", "image_url": {"url": url}}
