"""One stream whose language isn't chat: an upstream's events to chat chunks to the client's events. Sans I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import orjson

from pointsman.pool.cards import Usage
from pointsman.serve.sse import Event
from pointsman.serve.upstreams.faults import broken, garbage
from pointsman.serve.upstreams.openai_relay import EventRelay
from pointsman.serve.wire.codec import Codec, StreamEncoder, codec_for
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.query import Query

# What reading a value of the wrong shape raises.
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError)
# Of what an upstream wrote and hasn't counted yet, so many characters are taken as one token.
CHARS_PER_TOKEN = 4


class Counts(Protocol):
    """What an upstream has reported of its tokens.

    Attributes:
        usage: as reported so far.
        final: whether the report is the last one.
    """

    usage: Usage | None
    final: bool


class Chunks(Counts, Protocol):
    """One upstream's events, read as chat chunks.

    Attributes:
        ended: whether the upstream's own end was seen.
    """

    ended: bool

    def take(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The chat chunks of one event's data.

        Raises:
            UpstreamFault: an error event.
            KeyError, TypeError, ValueError, AttributeError, IndexError: it can't be read.
        """
        ...


class CountedRelay(EventRelay):
    """What the relays here share: usage that is known in parts before it is known.

    Args:
        counts: whose `usage` and `final` say what was reported.
    """

    __slots__ = ("_counts",)

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        super().__init__()

    # Made when it is asked for, not at every token.
    @property
    def usage(self) -> Usage | None:
        """As reported so far; until the last report, the answer's tokens are counted from its characters.

        Anthropic tells the prompt's tokens at the beginning and the answer's at the end. A stream that is left
        between the two has cost what was written until then, not the one token that stood in the first report.
        """
        usage = self._counts.usage
        if usage is None or self._counts.final:
            return usage
        written = max(usage.output_tokens, -(-self.output_chars // CHARS_PER_TOKEN))
        return replace(usage, output_tokens=written, estimated=True)

    @usage.setter
    def usage(self, usage: Usage | None) -> None:
        """A report stands in the counts alone."""


class ChunkRelay(CountedRelay):
    """Implements `Relay` over an upstream's chunks and the client's encoder."""

    __slots__ = ("_chunks", "_encoder")

    def __init__(self, chunks: Chunks, encoder: StreamEncoder) -> None:
        super().__init__(chunks)
        self._chunks = chunks
        self._encoder = encoder

    def _take(self, event: Event) -> bytes:
        # A comment keeps the line awake in any shape.
        if not event.data:
            return event.raw
        try:
            chunks = self._chunks.take(read_object(event.data))
            told = b"".join(map(self._encoder.chunk, chunks))
            for chunk in chunks:
                self._weigh(chunk)
        except UNREADABLE:
            raise garbage() from None
        self.ended = self._chunks.ended
        return told

    def _weigh(self, chunk: Mapping[str, Any]) -> None:
        for choice in chunk["choices"]:
            chars = written_chars(choice["delta"])
            if chars:
                self._note(chars)

    def finish(self, cost: Mapping[str, Any] | None = None) -> bytes:
        """The end of the client's stream.

        Raises:
            UpstreamFault: kind "broken".
        """
        last = self._take_rest()
        if not self.ended:
            raise broken()
        return last + self._encoder.end(self.usage, cost)

    def fail(self, body: Mapping[str, Any]) -> bytes:
        """The error in the client's shape."""
        return self._encoder.fail(body)


def read_object(data: bytes) -> dict[str, Any]:
    """The JSON object of an event or an answer.

    Raises:
        ValueError: it isn't one.
    """
    value = orjson.loads(data)
    if not isinstance(value, dict):
        raise ValueError
    return value


def written_chars(said: Mapping[str, Any]) -> int:
    """Characters that a chat message or delta holds: text, thoughts, refusals, calls."""
    chars = len(said.get("content") or "") + len(said.get("reasoning_content") or "") + len(said.get("refusal") or "")
    for call in said.get("tool_calls") or ():
        function = call.get("function") or {}
        chars += len(function.get("name") or "") + len(function.get("arguments") or "")
    return chars


def chat_codec(query: Query) -> Codec:
    """The codec of the query's shape.

    Raises:
        Refusal: chat can't stand for it.
    """
    codec = codec_for(query.shape)
    if codec is None:
        raise Refusal("no_capable_model", f"This model doesn't answer `{query.shape}`.", param="model")
    return codec
