"""Streams of a native `/v1/responses` on their way to a client of the same shape. Sans I/O.

Whole events pass untouched, known by their names; only those that end a stream or fail are read. What a whole
response is made of is the upstream's matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pointsman.serve.sse import Event
from pointsman.serve.upstreams.faults import broken, garbage
from pointsman.serve.upstreams.openai_faults import event_fault
from pointsman.serve.upstreams.openai_relay import BACKSLASH, DONE, EventRelay
from pointsman.serve.upstreams.openai_usage import read_usage
from pointsman.serve.wire.codec import StreamEncoder

# Events of `/v1/responses` that end a stream, well or not, and those that have to be read.
_ENDS = frozenset({b"response.completed", b"response.incomplete"})
_READ = _ENDS | {b"response.failed", b"error"}


class ResponsesRelay(EventRelay):
    """`/v1/responses`, to a client of the same shape. The event that ends it is kept back.

    Args:
        encoder: of the client's codec; asked for nothing but the error that ends a stream.
    """

    __slots__ = ("_encoder", "_last", "_whole")

    def __init__(self, encoder: StreamEncoder) -> None:
        super().__init__()
        self._encoder = encoder
        self._last = b""
        self._whole: dict[str, Any] = {}

    def _take(self, event: Event) -> bytes:
        raw, name, data = event
        if name.endswith(b".delta"):
            self._note(_delta_chars(data))
            return raw
        if name and name not in _READ and not name.endswith(b"output_item.added"):
            return raw
        return self._read(event) if data and data != DONE else b"" if data else raw

    def _read(self, event: Event) -> bytes:
        try:
            value = orjson.loads(event.data)
            kind = event.name if event.name == b"error" else value["type"].encode()
        except (orjson.JSONDecodeError, TypeError, KeyError, AttributeError):
            raise garbage() from None
        if kind.endswith(b".delta"):
            self._note(_delta_chars(event.data))
        elif kind == b"response.output_item.added":
            self.begun |= isinstance(item := value.get("item"), dict) and item.get("type") != "message"
        elif kind in _READ:
            self.usage = read_usage(value) or self.usage
            return self._read_end(kind, event, value)
        return event.raw

    def _read_end(self, kind: bytes, event: Event, value: dict[str, Any]) -> bytes:
        whole = value.get("response")
        if kind not in _ENDS or not isinstance(whole, dict):
            inner = whole.get("error") if isinstance(whole, dict) else None
            raise event_fault(inner or value.get("error") or value)
        self.begun = self.ended = True
        self._last, self._whole = event.raw, value
        return b""

    def finish(self, cost: Mapping[str, Any] | None = None) -> bytes:
        """The event that ends the stream; with the cost in its response where it is asked for.

        Raises:
            UpstreamFault: kind "broken".
        """
        last = self._take_rest()
        if not self.ended:
            raise broken()
        if cost is None:
            return last + self._last
        value = {**self._whole, "response": {**self._whole["response"], "pointsman": cost}}
        name = str(value["type"]).encode()
        return last + b"event: " + name + b"\ndata: " + orjson.dumps(value) + b"\n\n"

    def fail(self, body: Mapping[str, Any]) -> bytes:
        """The response as failed."""
        return self._encoder.fail(body)


def _delta_chars(data: bytes) -> int:
    """Length of a delta's text; of one written as usual in bytes, without parsing: near enough to count by."""
    begin = data.find(b'"delta":"') + 9
    if begin < 9:
        return _parsed_delta_chars(data)
    end = data.find(b'"', begin)
    while end > 0 and data[end - 1] == BACKSLASH:
        end = data.find(b'"', end + 1)
    return max(0, end - begin)


def _parsed_delta_chars(data: bytes) -> int:
    try:
        delta = orjson.loads(data).get("delta")
    except (orjson.JSONDecodeError, AttributeError):
        raise garbage() from None
    return len(delta) if isinstance(delta, str) else len(orjson.dumps(delta))
