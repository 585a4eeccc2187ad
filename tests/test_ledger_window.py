"""Windows: periods that partition time in any zone, rolling windows that never hold more than their amount."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger_conformance import T0, S, ask
from pointsman.errors import InputError
from pointsman.ledger.entries import Ending, Held, LedgerFund, Line
from pointsman.ledger.memory import MemoryBook
from pointsman.ledger.window import PERIODS, Window, parse_window

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo")
instants = st.integers(10**9, 2 * 10**9).map(lambda s: s * S)
calendars = st.builds(
    lambda every, zone: Window("calendar", 0, every, zone), st.sampled_from(PERIODS), st.sampled_from(ZONES)
)


def utc(text: str) -> int:
    """An instant from UTC text."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * S


def test_a_short_and_a_long_day_by_hand() -> None:
    """Berlin's day on which the clocks go forward has 23 hours, the one on which they go back 25."""
    day = Window("calendar", every="day", zone="Europe/Berlin")
    short, long = day.span(utc("2026-03-29T10:00")), day.span(utc("2026-10-25T10:00"))
    assert (short.since_ns, short.until_ns) == (utc("2026-03-28T23:00"), utc("2026-03-29T22:00"))
    assert (long.since_ns, long.until_ns) == (utc("2026-10-24T22:00"), utc("2026-10-25T23:00"))
    assert long.bucket == long.first == long.since_ns


@pytest.mark.parametrize(
    ("every", "zone", "at", "since", "until"),
    [
        ("hour", "Europe/Berlin", "2026-10-25T00:30", "2026-10-25T00:00", "2026-10-25T01:00"),  # the first 02:30
        ("hour", "Europe/Berlin", "2026-10-25T01:30", "2026-10-25T01:00", "2026-10-25T02:00"),  # the second
        ("hour", "Asia/Kathmandu", "2026-06-01T10:20", "2026-06-01T10:15", "2026-06-01T11:15"),
        (
            "hour",
            "Australia/Lord_Howe",
            "2026-04-04T14:50",
            "2026-04-04T14:00",
            "2026-04-04T15:30",
        ),  # 90 minutes
        ("minute", "Australia/Lord_Howe", "2026-04-04T14:59:59", "2026-04-04T14:59", "2026-04-04T15:00"),
        ("day", "Africa/Cairo", "2026-04-24T10:00", "2026-04-23T22:00", "2026-04-24T21:00"),  # midnight is skipped
        ("week", "UTC", "2026-11-22T23:59", "2026-11-16T00:00", "2026-11-23T00:00"),
        ("month", "America/New_York", "2026-11-01T03:00", "2026-10-01T04:00", "2026-11-01T04:00"),
        ("month", "America/New_York", "2026-11-01T04:00", "2026-11-01T04:00", "2026-12-01T05:00"),
        ("year", "UTC", "2028-02-29T12:00", "2028-01-01T00:00", "2029-01-01T00:00"),
    ],
)
def test_periods_by_hand(every: str, zone: str, at: str, since: str, until: str) -> None:
    """Periods begin and end with the wall clock of their zone."""
    span = Window("calendar", every=every, zone=zone).span(utc(at))
    assert (span.since_ns, span.until_ns) == (utc(since), utc(until))


@given(calendars, instants, st.integers(0, S - 1), st.integers(0, 999))
def test_periods_partition_time(window: Window, at_ns: int, part_ns: int, share: int) -> None:
    """Each instant lies in one period, any instant of it tells the same one, and the next begins where it ends."""
    span = window.span(at_ns + part_ns)
    assert span.since_ns <= at_ns + part_ns < span.until_ns
    inside = span.since_ns + (span.until_ns - 1 - span.since_ns) * share // 999
    assert window.span(inside) == span
    assert window.span(span.until_ns).since_ns == span.until_ns
    assert window.span(span.since_ns - 1).until_ns == span.since_ns
    assert window.leaves_ns(span.bucket) == span.until_ns


@given(st.integers(1, 10**6), instants, st.integers(0, S - 1))
def test_rolling_buckets_cover_the_length(length: int, at_ns: int, part_ns: int) -> None:
    """Everything of the last `length` counts, little more than that does, and a bucket leaves when it says."""
    window, at = Window("rolling", length_s=length), at_ns + part_ns
    span = window.span(at)
    assert span.since_ns <= at < span.until_ns
    assert length * S <= at - span.first <= length * S + window.part_ns + 60
    leaves = window.leaves_ns(span.bucket)
    assert leaves is not None
    assert window.span(leaves - 1).first <= span.bucket < window.span(leaves).first


@given(
    length=st.integers(1, 200),
    cap=st.integers(1, 12),
    steps=st.lists(
        st.tuples(st.integers(0, 300 * S), st.integers(1, 5), st.integers(0, 5), st.booleans()), max_size=60
    ),
)
@settings(deadline=None)
def test_no_stretch_of_a_rolling_window_exceeds_it(
    length: int, cap: int, steps: list[tuple[int, int, int, bool]]
) -> None:
    """In any stretch of the window's length, what was held and not given back is at most the amount."""
    book, now = MemoryBook(), T0
    book.declare([LedgerFund("f", cap, "requests", Window("rolling", length_s=length))], T0)
    kept: list[tuple[int, int]] = []
    for number, (pause, amount, used, ends) in enumerate(steps):
        now += pause // (length if pause % 2 else 1)
        if isinstance(book.hold([ask(str(number), {"f": amount})], now)[0], Held):
            if ends:
                book.end([Ending(str(number), "post", (Line("f", min(used, amount)),))], now)
            kept.append((now, min(used, amount) if ends else amount))
    for start, _ in kept:
        assert sum(amount for at, amount in kept if start <= at <= start + length * S) <= cap


@given(st.one_of(calendars, st.just(Window()), st.builds(lambda s: Window("rolling", s), st.integers(1, 10**6))))
def test_text_and_back(window: Window) -> None:
    """A window is read back from its text."""
    assert parse_window(str(window)) == window


def test_short_forms() -> None:
    """Durations are rolling, `1mo` is a calendar month."""
    assert parse_window("90s") == Window("rolling", length_s=90)
    assert parse_window("7d") == Window("rolling", length_s=604_800)
    assert parse_window("1mo") == Window("calendar", every="month", zone="UTC")
    assert parse_window("calendar day") == Window("calendar", every="day")


@pytest.mark.parametrize(
    "text", ["", "0s", "5", "-5s", "5y", "calendar", "calendar decade", "calendar day Mars/Olympus"]
)
def test_windows_that_are_none(text: str) -> None:
    """What can't be read is refused, with what to write."""
    with pytest.raises(InputError, match="window"):
        parse_window(text)


def test_windows_made_wrong() -> None:
    """A window made in code is checked as well; a zone is a name, not a path."""
    with pytest.raises(InputError):
        Window("rolling")
    with pytest.raises(InputError):
        Window("weekly")  # type: ignore[arg-type]
    with pytest.raises(InputError):
        Window("calendar", every="day", zone="../etc/passwd")
