"""State tracking: who holds what after some swaps, where a walker stands after some steps."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.random import Generator

from pointsman.pool.graders.grade import Reply
from pointsman.pool.probes.drafts import Draft, Template, between, english, joined, one, some, text
from pointsman.pool.probes.phrases import names_of, phrases, say

SKILL = "state tracking"
SIDES = ((0, 1), (1, 0), (0, -1), (-1, 0))  # north, east, south, west


def _swapped(rng: Generator, language: str, people: int, swaps: int) -> Draft:
    """People who swap things pairwise; asked is what one of those who swapped last holds."""
    who, things = some(rng, names_of(language), people), some(rng, phrases()["things"][language], people)
    parts = [say("tracking.holds", language, name=name, thing=thing) for name, thing in zip(who, things, strict=True)]
    held = dict(zip(who, things, strict=True))
    last: Sequence[str] = who
    for _ in range(swaps):
        last = some(rng, who, 2)
        held[last[0]], held[last[1]] = held[last[1]], held[last[0]]
        parts.append(say("tracking.swap", language, a=last[0], b=last[1]))
    prompt = parts[0]
    for part in (*parts[1:], say("tracking.ask", language, name=last[0])):
        prompt = joined(prompt, part, language)
    return text(prompt, held[last[0]], held[last[1]])


def few_swaps(rng: Generator, language: str) -> Draft:
    """Three people, two swaps."""
    return _swapped(rng, language, 3, 2)


def some_swaps(rng: Generator, language: str) -> Draft:
    """Four people, five swaps."""
    return _swapped(rng, language, 4, 5)


def many_swaps(rng: Generator, language: str) -> Draft:
    """Six people, eleven swaps."""
    return _swapped(rng, language, 6, 11)


def walk(rng: Generator) -> Draft:
    """Where a walker stands after turns and steps."""
    x, y, side = 0, 0, 0
    moves = []
    for _ in range(9):
        turn, steps = one(rng, ("left", "right")), between(rng, 1, 9)
        side = (side + (1 if turn == "right" else -1)) % 4
        x, y = x + SIDES[side][0] * steps, y + SIDES[side][1] * steps
        moves.append(f"turn {turn} and go {steps}")
    prompt = (
        "A robot stands at (0, 0) and faces north; x grows to the east, y to the north. It does this: "
        f"{'; '.join(moves)}. Where does it stand then? Answer with the point alone, in the form (x, y)."
    )
    grader = {"kind": "exact", "answer": [f"({x}, {y})", f"({x},{y})", f"({x}, {y})."], "ignore": ["space"]}
    return Draft(prompt, grader, Reply(f"({x}, {y})"), Reply(f"({y + 1}, {x})"), 24)


TEMPLATES = (
    Template("few-swaps", SKILL, "easy", "en en de es zh", few_swaps),
    Template("some-swaps", SKILL, "medium", "en en de es", some_swaps),
    Template("many-swaps", SKILL, "hard", "en en es", many_swaps),
    Template("walk", SKILL, "hard", "en en en", english(walk)),
)
