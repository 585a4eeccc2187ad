"""Server-sent events, cut anywhere."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.serve.sse import Event, Events, EventTooLong, read_event


def plain_reading(stream: bytes) -> list[tuple[bytes, bytes]]:
    """Names and data of a whole stream's events, as the standard's text has it: line by line; the oracle."""
    stream = stream.removeprefix(b"\xef\xbb\xbf")
    events, name, data, said = [], b"", list[bytes](), False
    *lines, _unfinished = re.split(rb"\r\n|\n|\r", stream)
    for line in lines:
        if not line:
            if said:
                events.append((name, b"\n".join(data)))
            name, data, said = b"", [], False
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data, said = [*data, value], True
        elif field == b"event":
            name = value
    return events


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    borders = sorted({0, len(stream), *(place % (len(stream) + 1) for place in places)})
    return [stream[begin:end] for begin, end in pairwise(borders)]


LINE = st.sampled_from(
    [b"data: {}", b"data:x", b"data", b"data:  two", b": note", b"event: done", b"id: 4", b"retry: 5", b"unknown", b""]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
STREAM = st.one_of(
    st.lists(st.tuples(LINE, ENDS)).map(lambda lines: b"".join(line + end for line, end in lines)),
    st.lists(st.tuples(LINE, st.just(b"\n"))).map(lambda lines: b"".join(line + end for line, end in lines)),
    st.lists(st.sampled_from([b"\n", b"\r", b"a", b":", b"data"])).map(b"".join),
)


def test_three_events_by_hand() -> None:
    """Name, data of several lines, and a comment, each with its raw bytes."""
    stream = b'event: a\ndata: {"b":1}\n\n: ping\n\ndata: c\r\ndata:d\r\n\r\ndata: unfinished'
    events = Events()
    assert events.feed(stream) == [
        Event(b'event: a\ndata: {"b":1}\n\n', b"a", b'{"b":1}'),
        Event(b": ping\n\n", b"", b""),
        Event(b"data: c\r\ndata:d\r\n\r\n", b"", b"c\nd"),
    ]
    assert events.rest == b"data: unfinished"


@given(STREAM, st.lists(st.integers(0, 200)))
def test_any_cut_keeps_the_bytes_and_the_events(stream: bytes, places: list[int]) -> None:
    """Wherever a stream is cut, all raw bytes are kept in order, and the events are those of a plain reading."""
    events = Events()
    found = [event for piece in cut(stream, places) for event in events.feed(piece)]
    assert b"".join(event.raw for event in found) + events.rest == stream
    said = [(event.name, event.data) for event in found if re.search(rb"(?:^|[\r\n])data[:\r\n]", event.raw)]
    # A stream that ends in a single CR may have its blank line finished or not; the reader doesn't wait to know.
    assert said[: len(plain_reading(stream))] == plain_reading(stream)


@given(st.lists(st.integers(0, 400)))
def test_a_usual_stream_reads_the_same_wherever_it_is_cut(places: list[int]) -> None:
    """A stream of both providers' usual events gives the same events whole and in pieces."""
    stream = b"".join(
        [b'data: {"x":"' + bytes([65 + n]) * n + b'"}\n\n' for n in range(5)]
        + [b'event: message_stop\ndata: {"type":"message_stop"}\n\n', b": ping\n\n", b"data: [DONE]\n\n"]
    )
    pieces = Events()
    assert [event for piece in cut(stream, places) for event in pieces.feed(piece)] == Events().feed(stream)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_fed_byte_by_byte(end: bytes) -> None:
    """One byte at a time is a cut like any other, and an event is told as soon as its blank line is there."""
    events = Events()
    stream = b"event: x" + end + b"data: 1" + end + end
    told = [events.feed(stream[place : place + 1]) for place in range(len(stream))]
    whole = [event for found in told for event in found]
    assert [(event.name, event.data) for event in whole] == [(b"x", b"1")]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    """A mark before the first field is passed on and not read."""
    assert read_event(b"\xef\xbb\xbfdata: 1\n\n").data == b"1"


@pytest.mark.parametrize("pieces", [[b"data: " + b"x" * 200 + b"\n\n"], [b"data: ", b"x" * 60, b"x" * 60]])
def test_an_event_beyond_the_limit(pieces: list[bytes]) -> None:
    """A longer event is refused, whether it comes whole or never ends."""
    events = Events(limit=100)
    assert events.feed(b"data: short\n\n")
    *first, last = pieces
    assert not any(map(events.feed, first))
    with pytest.raises(EventTooLong):
        events.feed(last)


def test_many_small_pieces_cost_little() -> None:
    """An event in 20,000 pieces is not searched from its beginning at each of them."""
    events = Events()
    for _ in range(20_000):
        assert not events.feed(b"x" * 20)
    assert len(events.feed(b"\n\n")) == 1
