"""The adapter of OpenAI's API and of every server that speaks it. Sans I/O.

A shape that the endpoint speaks natively goes through: the body with the upstream's own model name and, in a stream,
with its usage asked for; the answer as it came. Other shapes are translated through chat by their codecs. A native
`/v1/messages` of such a server is not used: declare the endpoint's kind as "anthropic" for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from pointsman.pool.cards import Endpoint, Shape
from pointsman.serve.upstreams.adapter import Answer, Call, Relay, UpstreamFault
from pointsman.serve.upstreams.faults import garbage
from pointsman.serve.upstreams.openai_faults import event_fault, read_fault
from pointsman.serve.upstreams.openai_relay import ChatRelay, TranslatedChatRelay, look
from pointsman.serve.upstreams.openai_responses import ResponsesRelay
from pointsman.serve.upstreams.openai_usage import read_usage
from pointsman.serve.wire.codec import Codec, codec_for
from pointsman.serve.wire.codec_usage import chat_usage
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.query import Query

PATHS: dict[Shape, str] = {
    "chat": "/chat/completions",
    "completions": "/completions",
    "embeddings": "/embeddings",
    "responses": "/responses",
}
_WRONG = (KeyError, TypeError, IndexError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where a provider's chat differs from the rest.

    Attributes:
        limit: the one name that it takes for the limit of the answer; empty takes both.
        asks_usage: whether `stream_options` may be sent; those that refuse it report usage anyway.
        reads_reasoning: whether earlier turns may hold `reasoning_content`.
    """

    limit: str = ""
    asks_usage: bool = True
    reads_reasoning: bool = True


_PLAIN = Dialect()
_DIALECTS = {
    "api.openai.com": Dialect(limit="max_completion_tokens", reads_reasoning=False),
    "api.mistral.ai": Dialect(limit="max_tokens", asks_usage=False, reads_reasoning=False),
}
_LIMITS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True, slots=True)
class _Line:
    """What every call to one endpoint has in common."""

    endpoint: Endpoint
    urls: dict[Shape, str]
    headers: dict[str, str]
    dialect: Dialect


class OpenAIAdapter:
    """Speaks with endpoints of kind "openai". Keeps one line of prepared values an endpoint, and nothing of a query."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def call(self, query: Query, endpoint: Endpoint) -> Call:
        """The request for a query.

        Raises:
            Refusal: the endpoint speaks neither the shape nor chat, or the query can't be said in chat.
        """
        line = self._line(endpoint)
        if _is_native(query, endpoint):
            shape, body = query.shape, {**query.body, "model": endpoint.model}
        else:
            shape, body = "chat", _through_chat(query, endpoint, line.dialect)
        if shape == "chat":
            _rename_limit(body, line.dialect.limit)
        if query.stream and shape != "responses" and line.dialect.asks_usage:
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        return Call(line.urls[shape], orjson.dumps(body), line.headers)

    def read(self, query: Query, endpoint: Endpoint, body: bytes) -> Answer:
        """A whole answer with status 200.

        Raises:
            UpstreamFault: it can't be read, or is an error in spite of its status.
        """
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise garbage() from None
        if not isinstance(answer, dict):
            raise garbage()
        if answer.get("error"):
            raise event_fault(answer["error"])
        usage = read_usage(answer)
        if _is_native(query, endpoint):
            return Answer(body, usage, _answer_chars(query.shape, answer))
        chars = _answer_chars("chat", answer)
        if usage is not None:
            answer["usage"] = chat_usage(usage)
        try:
            return Answer(orjson.dumps(_codec(query).from_chat(answer, query)), usage, chars)
        except _WRONG:
            raise garbage() from None

    def relay(self, query: Query, endpoint: Endpoint) -> Relay:
        """A stream with status 200, about to begin."""
        if not _is_native(query, endpoint):
            return TranslatedChatRelay(_codec(query).encoder(query))
        if query.shape == "responses":
            return ResponsesRelay(_codec(query).encoder(query))
        return ChatRelay(query)

    def fault(
        self, query: Query, endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes
    ) -> UpstreamFault:
        """What an answer with a status other than 200 means."""
        return read_fault(endpoint, status, headers, body, native=_is_native(query, endpoint))

    def _line(self, endpoint: Endpoint) -> _Line:
        """The endpoint's line, made anew after a reload changed it."""
        line = self._lines.get(endpoint.name)
        if line is None or line.endpoint is not endpoint:
            line = self._lines[endpoint.name] = _line_of(endpoint)
        return line


def _line_of(endpoint: Endpoint) -> _Line:
    headers = {"content-type": "application/json"}
    if endpoint.key is not None:
        headers["authorization"] = f"Bearer {endpoint.key}"
    headers |= {name.lower(): value for name, value in endpoint.headers.items()}
    # An address may end in a query, as Azure's versions do.
    base, mark, query = endpoint.base_url.partition("?")
    urls = {shape: base.rstrip("/") + path + mark + query for shape, path in PATHS.items()}
    return _Line(endpoint, urls, headers, _DIALECTS.get(urlsplit(endpoint.base_url).hostname or "", _PLAIN))


def _is_native(query: Query, endpoint: Endpoint) -> bool:
    return query.shape in endpoint.shapes and query.shape in PATHS


def _codec(query: Query) -> Codec:
    codec = codec_for(query.shape)
    if codec is None:
        raise Refusal("no_capable_model", f"This model doesn't answer {query.shape} requests.", param="model")
    return codec


def _through_chat(query: Query, endpoint: Endpoint, dialect: Dialect) -> dict[str, Any]:
    """The query as a chat request."""
    if "chat" not in endpoint.shapes or query.shape == "chat":
        raise Refusal("no_capable_model", f"This model doesn't answer {query.shape} requests.", param="model")
    chat = {**_codec(query).to_chat(query.body), "model": endpoint.model}
    if query.stream:
        chat["stream"] = True
    chat["messages"] = [_sayable(message, dialect) for message in chat["messages"]]
    return chat


def _sayable(message: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    """A turn without what others' APIs alone know: Anthropic's signed thoughts, and where refused all thoughts."""
    dropped = {"thinking_blocks"} if dialect.reads_reasoning else {"thinking_blocks", "reasoning_content"}
    if dropped.isdisjoint(message):
        return message
    return {name: value for name, value in message.items() if name not in dropped}


def _rename_limit(body: dict[str, Any], name: str) -> None:
    """Puts the answer's limit under the name that the provider takes, for a client can't know who will answer."""
    for other in _LIMITS:
        if name and other != name and other in body:
            limit = body.pop(other)
            body.setdefault(name, limit)


def _answer_chars(shape: Shape, answer: dict[str, Any]) -> int:
    """Characters of a whole answer.

    Raises:
        UpstreamFault: it isn't an answer of that shape.
    """
    try:
        if shape == "embeddings":
            return 0 * len(answer["data"])
        if shape == "responses":
            return sum(map(_item_chars, answer["output"]))
        choices = answer["choices"]
        return look([choice.get("message") or choice for choice in choices])[0] if choices else 0
    except _WRONG:
        raise garbage() from None


def _item_chars(item: dict[str, Any]) -> int:
    """Characters that the model wrote of one item of a response."""
    parts = [*(item.get("content") or ()), *(item.get("summary") or ())]
    written = sum(len(part.get("text") or part.get("refusal") or "") for part in parts)
    return written + len(item.get("arguments") or "") + len(item.get("name") or "") + len(item.get("input") or "")
