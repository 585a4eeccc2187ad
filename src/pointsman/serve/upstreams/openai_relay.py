"""Streams of OpenAI-compatible upstreams on their way to the client: bytes in, bytes out. Sans I/O.

`ChatRelay` (chat, completions) passes whole events on untouched and looks into only those that may say something:
until content has begun, and where a usage, an error or an end may stand. `TranslatedChatRelay` reads every chunk and
hands it to the client's codec. Nothing is kept of a text but its length.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import orjson

from pointsman.pool.cards import Usage
from pointsman.serve.sse import Event, Events, EventTooLong, read_event
from pointsman.serve.upstreams.adapter import UpstreamFault
from pointsman.serve.upstreams.faults import broken, garbage
from pointsman.serve.upstreams.openai_faults import event_fault
from pointsman.serve.upstreams.openai_usage import read_usage
from pointsman.serve.wire.codec import StreamEncoder
from pointsman.serve.wire.query import Query

DONE = b"[DONE]"
DONE_EVENT = b"data: [DONE]\n\n"
BACKSLASH = ord("\\")


class EventRelay(ABC):
    """What all relays share: events, one at a time, until the end; faults in their turn.

    Attributes: as in `adapter.Relay`.
    """

    __slots__ = ("_events", "_fault", "begun", "ended", "output_chars", "usage")

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.begun = False
        self.output_chars = 0
        self.ended = False
        self._events = Events()
        self._fault: UpstreamFault | None = None

    def feed(self, data: bytes) -> bytes:
        """What the client gets for these bytes of the upstream.

        A fault behind good events waits for the next call, so that the events before it are not lost.

        Raises:
            UpstreamFault: as in `adapter.Relay`.
        """
        if self._fault is not None:
            raise self._fault
        if self.ended:
            return b""
        try:
            events = self._events.feed(data)
        except EventTooLong:
            raise garbage() from None
        if len(events) == 1:
            return self._take(events[0])
        return self._take_all(events)

    def _take_all(self, events: list[Event]) -> bytes:
        passed: list[bytes] = []
        for event in events:
            try:
                passed.append(self._take(event))
            except UpstreamFault as fault:
                if not any(passed):
                    raise
                self._fault = fault
                break
            if self.ended:
                break
        return b"".join(passed)

    @abstractmethod
    def _take(self, event: Event) -> bytes:
        """What the client gets for one event; sets `ended` at the last one, which is kept back."""

    def _take_rest(self) -> bytes:
        """What came after the last blank line, as an event where the upstream left out the blank line."""
        if self._fault is not None:
            raise self._fault
        rest = self._events.rest.strip()
        if self.ended or not rest:
            return b""
        if rest.startswith(b"{"):
            raise _no_stream(rest)
        event = read_event(rest + b"\n\n")
        return self._take(event) if event.data == DONE or _is_json(event.data) else b""

    def _note(self, chars: int) -> None:
        """Content has come."""
        self.begun = True
        self.output_chars += chars


def _is_json(data: bytes) -> bool:
    """Whether it is whole: a torn event is one that no reader would take."""
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


def _no_stream(body: bytes) -> UpstreamFault:
    """A whole answer where a stream was asked for: an error object says more than that."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return garbage()
    return event_fault(parsed["error"]) if isinstance(parsed, dict) and parsed.get("error") else garbage()


class ChatRelay(EventRelay):
    """Chat and completions, to a client of the same shape.

    Args:
        query: the client's; says whether it asked for the usage chunk, which is hidden from it otherwise.
    """

    __slots__ = ("_end", "_finished", "_head", "_text_key", "_wants_usage")

    def __init__(self, query: Query) -> None:
        super().__init__()
        self._wants_usage = query.wants_usage
        self._text_key = b'"content":"' if query.shape == "chat" else b'"text":"'
        self._end = DONE_EVENT
        self._finished = False
        self._head: dict[str, Any] = {}

    def _take(self, event: Event) -> bytes:
        raw, name, data = event
        if self.begun and not name and self._is_plain(data):
            return raw
        if data == DONE:
            self.ended, self._end = True, raw
            return b""
        return raw if not data else self._read(event)

    def _is_plain(self, data: bytes) -> bool:
        """Whether a chunk is a further piece of text and nothing else, seen without parsing it.

        Inside of a JSON text every quote has a backslash before it, so these names are never found in an answer.
        """
        key = self._text_key
        begin = data.find(key) + len(key)
        end = data.find(b'"', begin)
        if begin < len(key) or end <= begin or data[end - 1] == BACKSLASH:
            return False
        at = data.find(b'"usage"')
        if at >= 0 and data[at + 7 : at + 12] != b":null":
            return False
        if b'"error"' in data or b'"finish_reason":"' in data or b'"timings"' in data:
            return False
        self.output_chars += end - begin
        return True

    def _read(self, event: Event) -> bytes:
        chunk = read_chunk(event)
        usage = read_usage(chunk)
        if usage is not None:
            self.usage = usage
        self._head = chunk
        choices = chunk.get("choices")
        if choices:
            chars, begun, finished = look(choices)
            self._finished |= finished
            if begun:
                self._note(chars)
        elif usage is not None and not self._wants_usage:
            return b""
        return event.raw

    def finish(self, cost: Mapping[str, Any] | None = None) -> bytes:
        """The last bytes, the end marker among them.

        An upstream that closes after a finish reason but without the marker has ended; one that said nothing before
        the marker has not answered.

        Raises:
            UpstreamFault: kind "broken".
        """
        last = self._take_rest()
        if not self._head or not (self.ended or self._finished):
            raise broken()
        self.ended = True
        if cost is None:
            return last + self._end
        head = {name: self._head[name] for name in ("id", "object", "created", "model") if name in self._head}
        return last + b"data: " + orjson.dumps({**head, "choices": [], "pointsman": cost}) + b"\n\n" + self._end

    def fail(self, body: Mapping[str, Any]) -> bytes:
        """The error as OpenAI's clients know it in a stream."""
        return b"data: " + orjson.dumps(body) + b"\n\n"


class TranslatedChatRelay(EventRelay):
    """A chat stream, to a client of another shape.

    Args:
        encoder: the client's codec's, at its beginning.
    """

    __slots__ = ("_encoder", "_finished", "_spoken")

    def __init__(self, encoder: StreamEncoder) -> None:
        super().__init__()
        self._encoder = encoder
        self._finished = False
        self._spoken = False

    def _take(self, event: Event) -> bytes:
        if event.data == DONE:
            self.ended = True
            return b""
        # A comment keeps the line awake in any shape.
        return self._read(event) if event.data else event.raw

    def _read(self, event: Event) -> bytes:
        chunk = read_chunk(event)
        usage = read_usage(chunk)
        if usage is not None:
            self.usage = usage
        self._spoken = True
        if choices := chunk.get("choices"):
            chars, begun, finished = look(choices)
            self._finished |= finished
            if begun:
                self._note(chars)
        try:
            return self._encoder.chunk(chunk)
        except (KeyError, TypeError, IndexError, ValueError, AttributeError):
            raise garbage() from None

    def finish(self, cost: Mapping[str, Any] | None = None) -> bytes:
        """The last bytes in the client's shape.

        Raises:
            UpstreamFault: kind "broken".
        """
        last = self._take_rest()
        if not self._spoken or not (self.ended or self._finished):
            raise broken()
        self.ended = True
        return last + self._encoder.end(self.usage, cost)

    def fail(self, body: Mapping[str, Any]) -> bytes:
        """The error in the client's shape."""
        return self._encoder.fail(body)


def read_chunk(event: Event) -> dict[str, Any]:
    """A chunk's object.

    Raises:
        UpstreamFault: it can't be read, or is an error.
    """
    try:
        chunk = orjson.loads(event.data)
    except orjson.JSONDecodeError:
        raise garbage() from None
    if not isinstance(chunk, dict):
        raise garbage()
    if chunk.get("error") or event.name == b"error":
        raise event_fault(chunk.get("error") or chunk)
    return chunk


def look(choices: Any) -> tuple[int, bool, bool]:
    """Of a chunk's choices: characters of content, whether there is any, and whether one has finished.

    Raises:
        UpstreamFault: they aren't what choices are.
    """
    chars, begun, finished = 0, False, False
    try:
        for choice in choices:
            finished |= choice.get("finish_reason") is not None
            said = choice.get("delta") or choice
            for name in _SPOKEN:
                if value := said.get(name):
                    begun = True
                    chars += len(value) if isinstance(value, str) else len(orjson.dumps(value))
            for call in said.get("tool_calls") or ():
                begun = True
                chars += _called(call)
    except (AttributeError, TypeError):
        raise garbage() from None
    return chars, begun, finished


_SPOKEN = ("content", "reasoning_content", "reasoning", "refusal", "text", "function_call", "audio")


def _called(call: Any) -> int:
    """Characters that the model wrote of a tool call, or of a piece of one."""
    function = call.get("function") or call.get("custom") or {}
    return sum(len(function.get(name) or "") for name in ("name", "arguments", "input"))
