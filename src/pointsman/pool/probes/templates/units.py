"""Units: lengths, masses, volumes, times, temperatures, data sizes, rates."""

from __future__ import annotations

from dataclasses import replace

from numpy.random import Generator

from pointsman.pool.graders.grade import Reply
from pointsman.pool.probes.drafts import Draft, Template, between, number, one
from pointsman.pool.probes.phrases import say

SKILL = "units"
# Each: wording, how many of the small unit make one of the large.
METRIC = (("metres", 100), ("kilograms", 1_000), ("litres", 1_000), ("hours", 60), ("kilometres", 1_000))


def larger_to_smaller(rng: Generator, language: str) -> Draft:
    """Whole larger units in smaller ones; below 1000 where a language groups digits with points."""
    which, factor = METRIC[0] if language != "en" else one(rng, METRIC)
    count = between(rng, 2, 9)
    return number(say(f"units.{which}", language, count=count), count * factor, language)


def seconds(rng: Generator, language: str) -> Draft:
    """Minutes and seconds in seconds."""
    m, s = between(rng, 3, 15), between(rng, 11, 58)
    return number(say("units.seconds", language, minutes=m, seconds=s), 60 * m + s, language)


def parts_of(rng: Generator, language: str) -> Draft:
    """A mass in two units, divided."""
    kilos, grams, parts = between(rng, 2, 6), between(rng, 3, 18) * 50, one(rng, (2, 4, 5))
    wording = say("units.parts", language, kilos=kilos, grams=grams * parts, parts=parts)
    return number(wording, kilos * 1_000 // parts + grams, language)


def _close(draft: Draft, answer: float, tolerance: float) -> Draft:
    grader = {"kind": "numeric", "answer": answer, "tolerance": tolerance}
    return replace(draft, grader=grader, right=Reply(f"{answer:g}"), wrong=Reply(f"{answer * 1.5:g}"))


def speed(rng: Generator, language: str) -> Draft:
    """Kilometres an hour from metres a second."""
    metres = between(rng, 6, 45)
    return number(say("units.speed", language, metres=metres), metres * 18 / 5, language)


def fahrenheit(rng: Generator, language: str) -> Draft:
    """Fahrenheit from Celsius."""
    celsius = between(rng, -6, 24) * 5
    return number(say("units.fahrenheit", language, celsius=celsius), celsius * 9 // 5 + 32, language)


def transfer(rng: Generator, language: str) -> Draft:
    """Seconds that a download takes: bytes against bits, powers of 1000."""
    gigabytes, megabits = between(rng, 3, 24), one(rng, (40, 50, 80, 100, 160, 200))
    prompt = (
        f"A file of {gigabytes} GB (1 GB = 1000 MB, 1 byte = 8 bits) is sent at a steady {megabits} Mbit/s. "
        "How many seconds does that take?"
    )
    return number(prompt, gigabytes * 8_000 // megabits, language)


def fuel(rng: Generator, language: str) -> Draft:
    """Litres per 100 km from miles per gallon, to a tenth."""
    mpg = between(rng, 18, 62)
    prompt = (
        f"A car does {mpg} miles per US gallon. How many litres does it need for 100 km? "
        "(1 mile = 1.609344 km, 1 US gallon = 3.785411784 l.) Round to one decimal."
    )
    exact = 100 * 3.785411784 / (mpg * 1.609344)
    return _close(number(prompt, exact, language), round(exact, 1), 0.06)


def density(rng: Generator, language: str) -> Draft:
    """The mass in kilograms of a block given in centimetres and grams per cubic centimetre."""
    sides = [between(rng, 2, 9) * 10 for _ in range(3)]
    grams = one(rng, (2.7, 7.8, 8.9, 1.2, 4.5, 11.3))
    prompt = (
        f"A solid block measures {sides[0]} cm by {sides[1]} cm by {sides[2]} mm and has a density of {grams} g/cm³. "
        "What is its mass in kilograms?"
    )
    exact = sides[0] * sides[1] * sides[2] / 10 * grams / 1000
    return _close(number(prompt, exact, language), round(exact, 4), exact / 500)


TEMPLATES = (
    Template("larger-to-smaller", SKILL, "easy", "en en en de fr zh ja", larger_to_smaller),
    Template("seconds", SKILL, "easy", "en es", seconds),
    Template("parts", SKILL, "medium", "en en nl", parts_of),
    Template("speed", SKILL, "medium", "en en", speed),
    Template("fahrenheit", SKILL, "medium", "en it", fahrenheit),
    Template("transfer", SKILL, "hard", "en en", transfer),
    Template("fuel", SKILL, "hard", "en en", fuel),
    Template("density", SKILL, "hard", "en en", density),
)
