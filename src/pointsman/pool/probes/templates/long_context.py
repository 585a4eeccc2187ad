"""Long context: one to three thousand tokens of a harbour's log, made up, with a question after it.

Easy: one line among many. Medium: the last of several changes, a count. Hard: two steps, a total under a condition.
"""

from __future__ import annotations

from collections.abc import Sequence

from numpy.random import Generator

from pointsman.pool.probes.drafts import Draft, Template, between, number, one, some, text
from pointsman.pool.probes.phrases import phrases, say

SKILL = "long context"
CODES = ("amber", "birch", "cobalt", "delta", "ember", "fjord", "garnet", "hazel", "indigo", "juniper")


def filler(rng: Generator, language: str, lines: int) -> list[str]:
    """Log lines that say nothing to the questions, about 16 tokens each."""
    words = phrases()["harbour"][language]
    return [
        say(
            *("harbour.line", language),
            **{"hour": f"{between(rng, 0, 23):02d}:{between(rng, 0, 59):02d}", "ship": one(rng, words["ships"])},
            **{"what": one(rng, words["events"]), "where": one(rng, words["places"])},
        )
        for _ in range(lines)
    ]


def mixed(rng: Generator, lines: Sequence[str], needles: Sequence[str]) -> str:
    """The lines with the needles among them, in their order, none of them first."""
    places = sorted(int(place) for place in rng.choice(range(1, len(lines)), len(needles), replace=False))
    whole = list(lines)
    for place, needle in reversed(list(zip(places, needles, strict=True))):
        whole.insert(place, needle)
    return "\n".join(whole)


def _asked(log: str, question: str, language: str) -> str:
    return f"{say('harbour.intro', language)}\n\n{log}\n\n{question}"


def needle(rng: Generator, language: str) -> Draft:
    """A number that stands in one line."""
    code = between(rng, 110, 989)
    line = say("harbour.needle", language, code=code)
    log = mixed(rng, filler(rng, language, between(rng, 50, 110)), [line])
    return number(_asked(log, say("harbour.needle_ask", language), language), code, language)


def last_change(rng: Generator, language: str) -> Draft:
    """The last of four passwords, of which one more is only proposed."""
    words = some(rng, CODES, 5)
    needles = [say("harbour.password", language, word=word) for word in words[:4]]
    needles.append(say("harbour.proposed", language, word=words[4]))
    log = mixed(rng, filler(rng, language, between(rng, 80, 130)), needles)
    return text(_asked(log, say("harbour.password_ask", language), language), words[3], words[4])


def tally(rng: Generator, language: str) -> Draft:
    """How often something is told."""
    times = between(rng, 5, 9)
    needles = [
        say("harbour.fog", language, hour=f"{between(rng, 0, 23):02d}:{between(rng, 0, 59):02d}") for _ in range(times)
    ]
    log = mixed(rng, filler(rng, language, between(rng, 70, 110)), needles)
    return number(_asked(log, say("harbour.fog_ask", language), language), times, language)


def keys(rng: Generator, language: str) -> Draft:
    """Three steps: who holds the chest's key, where that person lodges, which number that house has."""
    people, houses = some(rng, phrases()["people"]["en"], 5), some(rng, ("Gull", "Anchor", "Heron", "Tern", "Otter"), 5)
    numbers = some(rng, range(11, 98), 5)
    needles = [f"Note: {person} lodges at the {house} House." for person, house in zip(people, houses, strict=True)]
    needles += [
        f"Note: the {house} House is number {n}, Pier Street." for house, n in zip(houses, numbers, strict=True)
    ]
    needles.append(f"Note: the key to the iron chest was handed to {people[0]}.")
    needles.append(f"Note: {people[0]} has passed the key to the iron chest on to {people[1]}.")
    order = some(rng, needles[:-2], len(needles) - 2)
    log = mixed(rng, filler(rng, language, between(rng, 90, 140)), [*order, *needles[-2:]])
    question = "What is the house number in Pier Street of the person who holds the key to the iron chest at the end?"
    return number(_asked(log, question, language), numbers[1], language, wrong=numbers[0])


def tonnage(rng: Generator, language: str) -> Draft:
    """A total over the lines that fit a condition."""
    ships: Sequence[str] = phrases()["harbour"]["en"]["ships"]
    asked, other = some(rng, ships, 2)
    loads = [
        (one(rng, (asked, asked, other)), one(rng, ("grain", "grain", "salt")), between(rng, 11, 95)) for _ in range(9)
    ]
    loads.append((asked, "grain", between(rng, 11, 95)))
    needles = [f"Cargo: the {ship} unloaded {tons} tonnes of {goods}." for ship, goods, tons in loads]
    total = sum(tons for ship, goods, tons in loads if (ship, goods) == (asked, "grain"))
    log = mixed(rng, filler(rng, language, between(rng, 80, 130)), needles)
    question = f"How many tonnes of grain did the {asked} unload in total?"
    return number(_asked(log, question, language), total, language)


TEMPLATES = (
    Template("needle", SKILL, "easy", "en en en de es", needle),
    Template("last-change", SKILL, "medium", "en en en de", last_change),
    Template("tally", SKILL, "medium", "en en es", tally),
    Template("keys", SKILL, "hard", "en en en", keys),
    Template("tonnage", SKILL, "hard", "en en en", tonnage),
)
