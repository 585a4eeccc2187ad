"""Anthropic's API as an upstream. Sans I/O.

`/v1/messages` is its own language: the body passes through with the model's name alone replaced, the answer untouched.
The other shapes go through chat, except embeddings, which it doesn't have.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from pointsman.pool.cards import Endpoint
from pointsman.serve.sse import Event
from pointsman.serve.upstreams.adapter import Answer, Call, Relay, UpstreamFault
from pointsman.serve.upstreams.faults import broken, garbage
from pointsman.serve.upstreams.openai_faults import event_fault, read_fault
from pointsman.serve.upstreams.translated import (
    UNREADABLE,
    ChunkRelay,
    CountedRelay,
    chat_codec,
    read_object,
    written_chars,
)
from pointsman.serve.wire.codec_anthropic import message_request, most_tokens
from pointsman.serve.wire.codec_anthropic_answer import MessageChunks, completion_of_message
from pointsman.serve.wire.codec_fields import json_bytes
from pointsman.serve.wire.codec_messages import cost_event, error_event
from pointsman.serve.wire.codec_usage import usage_of_message
from pointsman.serve.wire.query import Query

VERSION = "2023-06-01"


class AnthropicAdapter:
    """Speaks with Anthropic.

    Args:
        limits: by endpoint name, the limit of an answer where the client sets none, which Anthropic wants; without
            an entry it follows from the model's name.
        now: Unix seconds, for the `created` of translated answers.
    """

    def __init__(self, limits: Mapping[str, int] | None = None, now: Callable[[], float] = time.time) -> None:
        self._limits = dict(limits or {})
        self._now = now

    def call(self, query: Query, endpoint: Endpoint) -> Call:
        """The request."""
        if query.shape == "messages":
            body = {**query.body, "model": endpoint.model}
        else:
            limit = self._limits.get(endpoint.name) or most_tokens(endpoint.model)
            body = message_request(chat_codec(query).to_chat(query.body), endpoint.model, limit)
            if query.stream:
                body["stream"] = True
        return Call(_address(endpoint), json_bytes(body), _headers(endpoint, query.betas))

    def read(self, query: Query, endpoint: Endpoint, body: bytes) -> Answer:  # noqa: ARG002 (the protocol's)
        """A whole message, in the client's shape."""
        try:
            message = read_object(body)
            usage = usage_of_message(message.get("usage"))
            if query.shape == "messages":
                return Answer(body, usage, sum(map(_block_chars, message["content"])))
            completion = completion_of_message(message, int(self._now()))
            shown = orjson.dumps(chat_codec(query).from_chat(completion, query))
            return Answer(shown, usage, written_chars(completion["choices"][0]["message"]))
        except UNREADABLE:
            raise garbage() from None

    def relay(self, query: Query, endpoint: Endpoint) -> Relay:  # noqa: ARG002 (the protocol's)
        """A stream about to begin."""
        if query.shape == "messages":
            return MessagesRelay()
        return ChunkRelay(_AnthropicChunks(int(self._now())), chat_codec(query).encoder(query))

    def fault(
        self, query: Query, endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes
    ) -> UpstreamFault:
        """What an error means; Anthropic tells of an empty account as if the request were at fault."""
        fault = read_fault(endpoint, status, headers, body, native=query.shape == "messages")
        if fault.kind == "refused" and "credit balance" in fault.message:
            return replace(read_fault(endpoint, 402, headers, b"", native=False), status=status)
        return fault


def _address(endpoint: Endpoint) -> str:
    """Where messages go; the version may stand in the base address or not."""
    base = endpoint.base_url
    return f"{base}/messages" if base.endswith("/v1") else f"{base}/v1/messages"


def _headers(endpoint: Endpoint, betas: str) -> dict[str, str]:
    headers = {"content-type": "application/json", "anthropic-version": VERSION}
    if endpoint.key:
        headers["x-api-key"] = endpoint.key
    headers |= endpoint.headers
    if betas:  # after the ones that the endpoint always wants
        headers["anthropic-beta"] = ",".join(filter(None, (headers.get("anthropic-beta"), betas)))
    return headers


def _block_chars(block: Mapping[str, Any]) -> int:
    """Characters that the model wrote of one block, whatever kind it is."""
    written = block.get("text") or block.get("thinking") or ""
    return len(written) + (len(json_bytes(block["input"])) if block.get("input") else 0)


class _AnthropicChunks(MessageChunks):
    """Anthropic's events as chat chunks, errors among them as faults."""

    def take(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The chunks of one event's data."""
        if event["type"] == "error":
            raise event_fault(event.get("error"))
        return super().take(event)


class MessagesRelay(CountedRelay):
    """Implements `Relay` for a client that speaks Anthropic's language: byte for byte, the end marker kept back."""

    __slots__ = ("_last", "_reports")

    def __init__(self) -> None:
        self._reports = MessageChunks(0)
        self._last = b""
        super().__init__(self._reports)

    def _take(self, event: Event) -> bytes:
        if not event.data or event.name == b"ping":
            return event.raw
        try:
            data = read_object(event.data)
            kind = data["type"]
            self._look(kind, data)
        except UNREADABLE:
            raise garbage() from None
        if kind == "error":
            raise event_fault(data.get("error"))
        if kind == "message_stop":
            self.ended, self._last = True, event.raw
            return b""
        return event.raw

    def _look(self, kind: str, data: Mapping[str, Any]) -> None:
        """Weighs what is written and takes reports of usage."""
        if kind == "content_block_delta":
            delta = data["delta"]
            chars = len(delta.get("text") or delta.get("partial_json") or delta.get("thinking") or "")
            if chars:
                self._note(chars)
        elif kind == "content_block_start":
            self.begun = self.begun or data["content_block"]["type"] != "text"
        elif kind == "message_start":
            self._reports.count(data["message"].get("usage"))
        elif kind == "message_delta":
            self._reports.count(data.get("usage"))
            self._reports.final = True

    def finish(self, cost: Mapping[str, Any] | None = None) -> bytes:
        """The cost, if it is asked for, and the end marker.

        Raises:
            UpstreamFault: kind "broken".
        """
        last = self._take_rest()
        if not self.ended:
            raise broken()
        return last + (cost_event(cost) if cost is not None else b"") + self._last

    def fail(self, body: Mapping[str, Any]) -> bytes:
        """The error as Anthropic's clients know it."""
        return error_event(body)
