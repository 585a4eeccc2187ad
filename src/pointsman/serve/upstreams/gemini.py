"""Google's Gemini as an upstream (`generateContent`, and `streamGenerateContent` as server-sent events). Sans I/O.

No client speaks its language, so every shape goes through chat, except embeddings, which go to its OpenAI-compatible
endpoint if they are wanted. A stream has no end marker: it has ended when every candidate says why it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import orjson

from pointsman.pool.cards import Endpoint
from pointsman.serve.upstreams.adapter import Answer, Call, Relay, UpstreamFault
from pointsman.serve.upstreams.faults import garbage
from pointsman.serve.upstreams.openai_faults import event_fault, read_fault
from pointsman.serve.upstreams.translated import UNREADABLE, ChunkRelay, chat_codec, read_object, written_chars
from pointsman.serve.wire.codec_fields import json_bytes
from pointsman.serve.wire.codec_gemini import gemini_request
from pointsman.serve.wire.codec_gemini_answer import GeminiChunks, completion_of_gemini
from pointsman.serve.wire.codec_usage import usage_of_gemini
from pointsman.serve.wire.query import Query


class GeminiAdapter:
    """Speaks with Gemini.

    Args:
        now: Unix seconds, for the `created` of translated answers.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now

    def call(self, query: Query, endpoint: Endpoint) -> Call:
        """The request."""
        body = gemini_request(chat_codec(query).to_chat(query.body), endpoint.model)
        return Call(_address(endpoint, stream=query.stream), json_bytes(body), _headers(endpoint))

    def read(self, query: Query, endpoint: Endpoint, body: bytes) -> Answer:
        """A whole answer, in the client's shape."""
        try:
            answer = read_object(body)
            completion = completion_of_gemini(answer, int(self._now()), endpoint.model)
            chars = sum(written_chars(choice["message"]) for choice in completion["choices"])
            shown = orjson.dumps(chat_codec(query).from_chat(completion, query))
            return Answer(shown, usage_of_gemini(answer.get("usageMetadata")), chars)
        except UNREADABLE:
            raise garbage() from None

    def relay(self, query: Query, endpoint: Endpoint) -> Relay:
        """A stream about to begin."""
        chunks = _Chunks(int(self._now()), endpoint.model, query.choices)
        return GeminiRelay(chunks, chat_codec(query).encoder(query))

    def fault(
        self,
        query: Query,  # noqa: ARG002 (the protocol's)
        endpoint: Endpoint,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
    ) -> UpstreamFault:
        """What an error means; a bad key comes as if the request were at fault, a pause inside of the body."""
        reasons = _details(body)
        if status == 400 and any(detail.get("reason") == "API_KEY_INVALID" for detail in reasons):
            status = 401
        fault = read_fault(endpoint, status, headers, body, native=False)
        if fault.retry_after_s is None:
            fault.retry_after_s = next(filter(None, map(_delay_s, reasons)), None)
        return fault


def _address(endpoint: Endpoint, *, stream: bool) -> str:
    """Where a model answers; the version may stand in the base address or not."""
    base = endpoint.base_url
    base = base if base.rpartition("/")[2].startswith("v1") else f"{base}/v1beta"
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"{base}/models/{quote(endpoint.model.removeprefix('models/'), safe='')}:{method}"


def _headers(endpoint: Endpoint) -> dict[str, str]:
    headers = {"content-type": "application/json"}
    if endpoint.key:
        headers["x-goog-api-key"] = endpoint.key
    return {**headers, **endpoint.headers}


def _details(body: bytes) -> list[Mapping[str, Any]]:
    """The details of an error body, none where it can't be read."""
    try:
        parsed = orjson.loads(body)
        error = (parsed[0] if isinstance(parsed, list) else parsed)["error"]
        return [detail for detail in error.get("details") or () if isinstance(detail, dict)]
    except UNREADABLE:
        return []


def _delay_s(detail: Mapping[str, Any]) -> float | None:
    """The pause that an error asks for, written like `27s`."""
    text = detail.get("retryDelay")
    try:
        seconds = float(text.removesuffix("s")) if isinstance(text, str) else -1.0
    except ValueError:
        return None
    return seconds if 0 < seconds < 86_400 else None


class _Chunks(GeminiChunks):
    """Gemini's events as chat chunks, errors among them as faults."""

    def take(self, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The chunks of one event."""
        if "error" in answer:
            raise event_fault(answer["error"])
        return super().take(answer)


class GeminiRelay(ChunkRelay):
    """Implements `Relay`. The last event may come without usage; then the stream ends when the upstream closes it."""

    __slots__ = ("_gemini",)

    def __init__(self, chunks: GeminiChunks, encoder: Any) -> None:
        super().__init__(chunks, encoder)
        self._gemini = chunks

    def finish(self, cost: Mapping[str, Any] | None = None) -> bytes:
        """The end of the client's stream.

        Raises:
            UpstreamFault: kind "broken".
        """
        last = self._take_rest()
        self.ended = self.ended or self._gemini.finished
        return last + super().finish(cost)
