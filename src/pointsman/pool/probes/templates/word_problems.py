"""Word problems: a short story, one number asked for."""

from __future__ import annotations

from numpy.random import Generator

from pointsman.pool.probes.drafts import Draft, Template, between, number, one, some
from pointsman.pool.probes.phrases import names_of, say

SKILL = "word problems"


def change(rng: Generator, language: str) -> Draft:
    """What is given back on a banknote."""
    cost, count = between(rng, 2, 6), between(rng, 3, 7)
    note = 20 if cost * count < 20 else 50
    wording = say("stories.change", language, cost=cost, count=count, note=note, name=one(rng, names_of(language)))
    return number(wording, note - cost * count, language)


def marbles(rng: Generator, language: str) -> Draft:
    """What is left after giving and finding."""
    has, gives, finds = between(rng, 21, 48), between(rng, 3, 17), between(rng, 2, 15)
    who = one(rng, names_of(language))
    return number(
        say("stories.marbles", language, name=who, a=has, b=gives, c=finds), has - gives + finds, language, wrong=999
    )


def journey(rng: Generator, language: str) -> Draft:
    """Minutes from kilometres and speed."""
    speed, minutes = one(rng, (60, 80, 90, 120, 150)), between(rng, 2, 15) * 10
    if speed * minutes % 60:
        minutes = minutes // 30 * 30 + 30
    kilometres = speed * minutes // 60
    return number(say("stories.journey", language, speed=speed, kilometres=kilometres), minutes, language)


def boxes(rng: Generator, language: str) -> Draft:
    """What is left over after filling boxes."""
    size, left = between(rng, 7, 16), between(rng, 1, 6)
    rolls = size * between(rng, 8, 28) + left
    return number(say("stories.boxes", language, rolls=rolls, size=size), left, language)


def sale(rng: Generator, language: str) -> Draft:
    """A percentage off, then an amount off."""
    cost, percent, off = between(rng, 4, 18) * 20, between(rng, 2, 9) * 5, between(rng, 4, 19)
    pays = cost * (100 - percent) // 100 - off
    return number(say("stories.sale", language, cost=cost, percent=percent, off=off), pays, language)


def ages(rng: Generator, language: str) -> Draft:
    """Ages now, from a ratio now and a ratio later."""
    young, ratio = between(rng, 3, 12), between(rng, 3, 6)
    older, younger = some(rng, names_of(language), 2)
    wording = say("stories.ages", language, older=older, younger=younger, ratio=ratio, years=young * (ratio - 2))
    return number(wording, ratio * young, language)


def pumps(rng: Generator, language: str) -> Draft:
    """Two pumps, one of which starts an hour late; answer in minutes."""
    # With first a and second b hours: 60 + 60 (a − 1) b / (a + b) minutes, whole for these pairs.
    a, b = one(rng, ((3, 6), (4, 12), (6, 12), (3, 7), (5, 10), (4, 6), (7, 14), (6, 9), (4, 8), (5, 15), (8, 12)))
    return number(say("stories.pumps", language, a=a, b=b), 60 + 60 * (a - 1) * b // (a + b), language)


def snail(rng: Generator, language: str) -> Draft:
    """The day on which a snail is over the wall."""
    up, slips = between(rng, 5, 8), between(rng, 2, 3)
    wall = up + (up - slips) * between(rng, 4, 12) - between(rng, 0, up - slips - 1)
    day = -((up - wall) // (up - slips)) + 1
    return number(say("stories.snail", language, wall=wall, up=up, slips=slips), day, language)


def mixture(rng: Generator, language: str) -> Draft:
    """The concentration of a mixture."""
    litres, parts = between(rng, 2, 6), between(rng, 1, 3)
    weak, gap = between(rng, 4, 20), between(rng, 3, 11) * (parts + 1)
    wording = say("stories.mixture", language, a=litres, x=weak, b=litres * parts, y=weak + gap)
    return number(wording, weak + gap * parts // (parts + 1), language)


def handshakes(rng: Generator, language: str) -> Draft:
    """Pairs among two groups, all but those of one group among themselves."""
    guests, family = between(rng, 9, 16), between(rng, 3, 6)
    met = guests * (guests - 1) // 2 - family * (family - 1) // 2
    return number(say("stories.handshakes", language, guests=guests, family=family), met, language)


TEMPLATES = (
    Template("change", SKILL, "easy", "en en de fr it zh ja", change),
    Template("marbles", SKILL, "easy", "en en es nl pt", marbles),
    Template("journey", SKILL, "medium", "en de pt zh ja", journey),
    Template("boxes", SKILL, "medium", "en en it fr", boxes),
    Template("sale", SKILL, "medium", "en en es nl", sale),
    Template("ages", SKILL, "hard", "en en de nl", ages),
    Template("pumps", SKILL, "hard", "en en es", pumps),
    Template("snail", SKILL, "hard", "en pt ja", snail),
    Template("mixture", SKILL, "hard", "en it", mixture),
    Template("handshakes", SKILL, "hard", "en fr", handshakes),
)
