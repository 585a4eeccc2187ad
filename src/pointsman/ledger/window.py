"""Over what time a fund's amount is meant, and into which bucket of that time an instant falls.

A bucket is named by the Unix nanosecond at which it begins, whatever the window, so that a fund whose window is
changed keeps counting the buckets that begin in the new one. Three kinds:

- none: one bucket, 0, for ever.
- calendar: one bucket a minute, hour, day, week (from Monday), month or year of a time zone. Days have 23 or 25 hours
  where the clocks change.
- rolling: buckets of a sixtieth of the length. What counts is every bucket that could still overlap the last
  `length_s` seconds, 61 of them, so no stretch of that length, wherever it begins, holds more than the amount.

Reads no clock. Refuses unknown zones and periods.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from pointsman.errors import InputError

WindowKind = Literal["none", "rolling", "calendar"]
PERIODS = ("minute", "hour", "day", "week", "month", "year")
PARTS = 60
SECOND_NS = 1_000_000_000
_END_NS = 1 << 62
_LENGTHS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Span(NamedTuple):
    """Where an instant lies: its bucket, the first bucket that counts, and [since, until) in which both stay."""

    bucket: int
    first: int
    since_ns: int
    until_ns: int


@dataclass(frozen=True, slots=True)
class Window:
    """Over what time an amount is meant.

    Attributes:
        kind: "none", "rolling" or "calendar".
        length_s: of a rolling window, at least 1.
        every: the period of a calendar window, one of `PERIODS`.
        zone: the time zone of a calendar window, an IANA name.
    """

    kind: WindowKind = "none"
    length_s: int = 0
    every: str = ""
    zone: str = "UTC"
    part_ns: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        if self.kind == "rolling":
            if not 1 <= self.length_s <= 100 * 366 * 86_400:
                raise _bad(f"a rolling window of {self.length_s!r} seconds", "give from a second to a hundred years")
            object.__setattr__(self, "part_ns", -(-self.length_s * SECOND_NS // PARTS))
        elif self.kind == "calendar":
            if self.every not in PERIODS:
                raise _bad(f"calendar period {self.every!r} is unknown", f"use one of {', '.join(PERIODS)}")
            zone_named(self.zone)
        elif self.kind != "none":
            raise _bad(f"window {self.kind!r} is unknown", "use none, rolling or calendar")

    @property
    def carries_holds(self) -> bool:
        """Whether holds made before the window still burden it, as long as they are open."""
        return self.kind != "calendar"

    def span(self, at_ns: int) -> Span:
        """Where an instant lies."""
        if self.kind == "rolling":
            bucket = at_ns // self.part_ns * self.part_ns
            return Span(bucket, bucket - PARTS * self.part_ns, bucket, bucket + self.part_ns)
        if self.kind == "calendar":
            start, end = _period(self.every, zone_named(self.zone), at_ns // SECOND_NS)
            return Span(start * SECOND_NS, start * SECOND_NS, start * SECOND_NS, end * SECOND_NS)
        return Span(0, 0, -_END_NS, _END_NS)

    def leaves_ns(self, bucket: int) -> int | None:
        """From when on a bucket doesn't count any more; None for never."""
        if self.kind == "rolling":
            return bucket + (PARTS + 1) * self.part_ns
        return self.span(bucket).until_ns if self.kind == "calendar" else None

    def __str__(self) -> str:
        """What `parse_window` reads back."""
        if self.kind == "rolling":
            return f"rolling {self.length_s}s"
        return f"calendar {self.every} {self.zone}" if self.kind == "calendar" else "none"


ALWAYS = Window()


def parse_window(text: str) -> Window:
    """A window from its text: `none`, `30s`, `10m`, `24h`, `7d`, `rolling 90s`, `1mo`, `calendar day Europe/Berlin`.

    Raises:
        InputError: none of these.
    """
    match text.split():
        case ["none"]:
            return Window()
        case ["1mo"]:
            return Window("calendar", every="month")
        case ["rolling", length] | [length]:
            return Window("rolling", length_s=_seconds(length))
        case ["calendar", every]:
            return Window("calendar", every=every)
        case ["calendar", every, zone]:
            return Window("calendar", every=every, zone=zone)
    raise _bad(f"window {text!r} can't be read", "write none, 24h, or `calendar month Europe/Berlin`")


@lru_cache(maxsize=256)
def zone_named(name: str) -> tzinfo:
    """A time zone by its IANA name.

    Raises:
        InputError: no such zone is known here.
    """
    if name == "UTC":  # needs no time zone database
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise _bad(
            f"time zone {name!r} is unknown", "use an IANA name such as Europe/Berlin (or install tzdata)"
        ) from None


def _bad(what: str, remedy: str) -> InputError:
    return InputError(what, place="window", remedy=remedy)


def _seconds(text: str) -> int:
    found = re.fullmatch(r"(\d{1,12})([smhd])", text)
    if found is None:
        raise _bad(f"length {text!r} can't be read", "write a number and s, m, h or d, for example 24h")
    return int(found[1]) * _LENGTHS[found[2]]


def _period(every: str, zone: tzinfo, at_s: int) -> tuple[int, int]:
    """First second of the period that `at_s` lies in, and of the next one."""
    if every == "minute":  # the same in every zone of today
        return at_s // 60 * 60, at_s // 60 * 60 + 60
    local = datetime.fromtimestamp(at_s, zone)
    first = _floor(every, local.replace(tzinfo=None))
    # Where the clocks go back, a wall hour comes twice and each is an hour of its own; a longer period goes on.
    repeats = every == "hour"
    start = _instant(first, zone, local.fold if repeats else 0)
    end = _instant(_next(every, first), zone, 0)
    again = _instant(first, zone, 1) if repeats else end
    return start, again if at_s < again < end else end


def _instant(wall: datetime, zone: tzinfo, fold: int) -> int:
    """A wall time as Unix seconds; one that the clocks skip becomes the instant they do."""
    return int(wall.replace(tzinfo=zone, fold=fold).timestamp())


def _floor(every: str, wall: datetime) -> datetime:
    day = datetime(wall.year, wall.month, wall.day)  # a wall time; `_instant` adds the zone
    match every:
        case "hour":
            return wall.replace(minute=0, second=0, microsecond=0, fold=0)
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "year":
            return day.replace(month=1, day=1)
    return day


def _next(every: str, first: datetime) -> datetime:
    match every:
        case "month":
            return (first + timedelta(days=32)).replace(day=1)
        case "year":
            return first.replace(year=first.year + 1)
    steps = {"hour": 3_600, "day": 86_400, "week": 7 * 86_400}
    return first + timedelta(seconds=steps[every])
