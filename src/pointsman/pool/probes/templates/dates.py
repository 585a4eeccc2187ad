"""Dates and times: weekdays, days between, durations, leap years, time zones without any table of zones."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

from numpy.random import Generator

from pointsman.pool.probes.drafts import Draft, Template, between, english, number, one, text
from pointsman.pool.probes.phrases import phrases, say

SKILL = "dates and times"
ALSO = {"星期日": ["星期天"]}  # said as often
CITIES = ("Arden", "Belmar", "Corvo", "Delphine", "Eastmere", "Farrow")


def spoken(day: date) -> str:
    """As in 4 March 2025."""
    months: list[str] = phrases()["months"]["en"]
    return f"{day.day} {months[day.month - 1]} {day.year}"


def weekday_after(rng: Generator, language: str) -> Draft:
    """The weekday some days from a given one."""
    days: list[str] = phrases()["weekdays"][language]
    today, later = between(rng, 0, 6), between(rng, 3, 13)
    prompt = say("dates.weekday", language, day=days[today], later=later)
    right, wrong = days[(today + later) % 7], days[(today + later + 1) % 7]
    draft = text(prompt, right, wrong)
    if right not in ALSO:
        return draft
    return replace(draft, grader={**draft.grader, "answer": [right, *ALSO[right]]})


def minutes(rng: Generator, language: str) -> Draft:
    """Minutes between two times of a day."""
    start = datetime(2025, 1, 1, between(rng, 7, 12), between(rng, 1, 11) * 5)
    length = between(rng, 8, 37) * 5
    end = start + timedelta(minutes=length)
    return number(say("dates.minutes", language, start=f"{start:%H:%M}", end=f"{end:%H:%M}"), length, language)


def arrival(rng: Generator, language: str) -> Draft:
    """The time after hours and minutes, over midnight."""
    start = datetime(2025, 1, 1, between(rng, 20, 23), between(rng, 7, 55))
    hours, more = between(rng, 4, 9), between(rng, 11, 58)
    end = start + timedelta(hours=hours, minutes=more)
    wrong = end + timedelta(hours=1)
    prompt = say("dates.arrival", language, start=f"{start:%H:%M}", hours=hours, minutes=more)
    return text(prompt, f"{end:%H:%M}", f"{wrong:%H:%M}", ignore=("space",), stop=True)


def days_between(rng: Generator, language: str) -> Draft:
    """Days from one date to another of the same year."""
    year = between(rng, 2021, 2027)
    first = date(year, between(rng, 1, 3), between(rng, 2, 28))
    length = between(rng, 45, 160)
    names: list[str] = phrases()["months"][language]
    dot = "." if language == "de" else ""
    shown = [f"{day.day}{dot} {names[day.month - 1]} {year}" for day in (first, first + timedelta(days=length))]
    return number(say("dates.between", language, first=shown[0], last=shown[1]), length, language)


def weekday_of(rng: Generator) -> Draft:
    """The weekday of a date, given that of another one years before."""
    names: list[str] = phrases()["weekdays"]["en"]
    known = date(between(rng, 1990, 2015), between(rng, 1, 12), between(rng, 2, 28))
    asked = known + timedelta(days=between(rng, 700, 3_000))
    prompt = f"{spoken(known)} was a {names[known.weekday()]}. What day of the week was {spoken(asked)}? "
    prompt += "Answer with the day of the week alone."
    return text(prompt, names[asked.weekday()], names[(asked.weekday() + 3) % 7])


def flight(rng: Generator) -> Draft:
    """Local time of arrival between two made-up cities."""
    start = datetime(2025, between(rng, 2, 11), between(rng, 3, 26), between(rng, 15, 23), between(rng, 1, 11) * 5)
    offsets = (between(rng, -8, -2), between(rng, 3, 10))
    length = timedelta(hours=between(rng, 7, 14), minutes=one(rng, (10, 25, 35, 50)))
    end = start + length + timedelta(hours=offsets[1] - offsets[0])
    hours, rest = divmod(int(length.total_seconds()) // 60, 60)
    prompt = (
        f"{CITIES[0]} is at UTC{offsets[0]:+d} and {CITIES[1]} at UTC{offsets[1]:+d}. A flight leaves {CITIES[0]} on "
        f"{spoken(start.date())} at {start:%H:%M} local time and takes {hours} hours {rest} minutes. When does it land "
        f"in {CITIES[1]}, local time? Answer alone, in the form YYYY-MM-DD HH:MM."
    )
    other = start + length
    return text(prompt, f"{end:%Y-%m-%d %H:%M}", f"{other:%Y-%m-%d %H:%M}", ignore=("space",), stop=True)


def workdays(rng: Generator) -> Draft:
    """The date some working days later."""
    start = date(between(rng, 2023, 2026), between(rng, 1, 11), between(rng, 2, 28))
    while start.weekday() > 4:
        start += timedelta(days=1)
    count = between(rng, 9, 24)
    weeks, rest = divmod(start.weekday() + count, 5)
    end = start - timedelta(days=start.weekday()) + timedelta(weeks=weeks, days=rest)
    day: str = phrases()["weekdays"]["en"][start.weekday()]
    prompt = (
        f"Working days are Monday to Friday, and there are no holidays. {spoken(start)} is a {day}. Which date is "
        f"{count} working days later? Answer with the date alone, in the form YYYY-MM-DD."
    )
    return text(prompt, end.isoformat(), (start + timedelta(days=count)).isoformat(), ignore=("space",), stop=True)


TEMPLATES = (
    Template("weekday-after", SKILL, "easy", "en en de fr es zh nl", weekday_after),
    Template("minutes", SKILL, "easy", "en en pt", minutes),
    Template("arrival", SKILL, "medium", "en en it", arrival),
    Template("days-between", SKILL, "medium", "en en de", days_between),
    Template("weekday-of", SKILL, "hard", "en en", english(weekday_of)),
    Template("flight", SKILL, "hard", "en en", english(flight)),
    Template("workdays", SKILL, "hard", "en en", english(workdays)),
)
