"""Server-sent events, read from a stream that is cut anywhere. Sans I/O: bytes in, events out.

Each event keeps its raw bytes, so that a relay can pass it on untouched: all `raw`s and the `rest`, joined, are the
stream. Lines may end in LF, CRLF or CR; comments, `id` and `retry` are kept in the raw bytes and otherwise ignored.
Nothing is decoded: JSON is UTF-8, and so are bytes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# The last event of `/v1/responses` repeats the whole answer, and a generated picture comes as one event of base64,
# so a limit of 1 MiB would cut honest answers. Beyond 8 MiB a stream is broken, and each one holds at most that much.
EVENT_BYTES = 8 * 1024 * 1024

# Two ends of line in a row. A CR before an LF is no end of its own.
_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")
_LINE_END = re.compile(rb"\r\n|\n|\r")
LF = 10
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event.

    Attributes:
        raw: its bytes as they came, with the blank line that ends it.
        name: of its last `event:` line, empty where there is none.
        data: its `data:` lines, joined by LF; empty for a comment.
    """

    raw: bytes
    name: bytes
    data: bytes


class EventTooLong(Exception):  # noqa: N818 (as the other exceptions of this room)
    """An event is longer than the limit."""


class Events:
    """Splits one stream into events.

    Args:
        limit: most bytes of one event.
    """

    __slots__ = ("_limit", "_pending", "_searched")

    def __init__(self, limit: int = EVENT_BYTES) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._searched = 0

    @property
    def rest(self) -> bytes:
        """Bytes that came after the last whole event."""
        return bytes(self._pending)

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete, in order.

        Raises:
            EventTooLong: what has come of an event is beyond the limit.
        """
        if not self._pending and len(data) <= self._limit:
            if only := _only(data):
                return [only]
            if data.endswith(b"\n\n") and b"\r" not in data:
                return [read_event(raw) for raw in _whole(data)]
        return self._buffered(data)

    def _buffered(self, data: bytes) -> list[Event]:
        self._pending += data
        found: list[Event] = []
        begin = 0
        # The first three bytes of a CRLF CRLF may be at the end of what was searched before.
        search = max(0, self._searched - 3)
        while border := _BLANK_LINE.search(self._pending, search):
            if border.end() - begin > self._limit:
                break
            found.append(read_event(bytes(self._pending[begin : border.end()])))
            begin = search = border.end()
        del self._pending[:begin]
        self._searched = len(self._pending)
        if self._searched > self._limit:
            raise EventTooLong
        return found


def _only(data: bytes) -> Event | None:
    """The event, if the bytes are one of a single data line, as nearly all pieces of a stream are."""
    if not data.startswith(b"data: "):
        return None
    end = data.find(b"\n")
    if end == len(data) - 2 and data[-1] == LF:
        return Event(data, b"", data[6:end]) if b"\r" not in data else None
    if end == len(data) - 3 and data.find(b"\r") == end - 1 and data.endswith(b"\r\n\r\n"):
        return Event(data, b"", data[6 : end - 1])
    return None


def _whole(data: bytes) -> list[bytes]:
    """The events of bytes that hold whole ones alone, with LF as their only end of line."""
    parts: list[bytes] = []
    begin = 0
    while begin < len(data):
        border = data.find(b"\n\n", begin) + 2
        # A last single LF, after an LF LF: an empty line of its own.
        border = border if border > 1 else len(data)
        parts.append(data[begin:border])
        begin = border
    return parts


def read_event(raw: bytes) -> Event:
    """One event of its raw bytes."""
    if only := _only(raw):
        return only
    name, data = b"", []
    for line in _LINE_END.split(raw.removeprefix(_BYTE_ORDER_MARK)):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return Event(raw, name, b"\n".join(data))
