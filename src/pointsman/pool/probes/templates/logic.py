"""Logic: who is tallest, who tells the truth, what an expression of truth values comes to, what must follow."""

from __future__ import annotations

from itertools import pairwise, product

from numpy.random import Generator

from pointsman.pool.graders.grade import Reply
from pointsman.pool.probes.drafts import Draft, Template, between, english, joined, name, one, some, text
from pointsman.pool.probes.phrases import names_of, say

SKILL = "logic"
NAMES = ("Ada", "Bram", "Cleo", "Dora", "Egon")


def _line(rng: Generator, language: str, people: int) -> Draft:
    """People by height; neighbours are compared, clues in any order, both ways of saying it."""
    tallest_first = some(rng, names_of(language), people)
    clues = []
    for higher, lower in pairwise(tallest_first):
        which, pair = ("taller", (higher, lower)) if rng.random() < 0.5 else ("shorter", (lower, higher))
        clues.append(say(f"logic.{which}", language, a=pair[0], b=pair[1]))
    clues = some(rng, clues, len(clues))
    place = between(rng, 0, people - 1) if people == 3 else between(rng, 1, people - 2)
    asked = ("tallest", "second", "third", "fourth")[place] if place < people - 1 else "shortest"
    question = say(f"logic.{asked}", language)
    prompt = clues[0]
    for more in (*clues[1:], question):
        prompt = joined(prompt, more, language)
    return name(prompt, tallest_first[place], tallest_first[place - 1], language)


def three_people(rng: Generator, language: str) -> Draft:
    """Three people by height."""
    return _line(rng, language, 3)


def five_people(rng: Generator, language: str) -> Draft:
    """Five people by height, in the middle."""
    return _line(rng, language, 5)


def truth(rng: Generator) -> Draft:
    """An expression of truth values."""
    a, b, c, d = (bool(rng.integers(2)) for _ in range(4))
    expression, value = one(
        rng,
        (
            (f"({a} and not {b}) or ({c} and {d})", (a and not b) or (c and d)),
            (f"not ({a} or {b}) and ({c} or not {d})", not (a or b) and (c or not d)),
            (f"({a} or {b}) and not ({c} and {d})", (a or b) and not (c and d)),
        ),
    )
    prompt = f"Evaluate this Python expression: {expression}. Answer True or False."
    return text(prompt, str(value), str(not value), tokens=8)


def knights(rng: Generator) -> Draft:
    """Four who always lie or never; how many tell the truth has one answer."""
    people = some(rng, NAMES, 4)
    while True:
        claims = [_claim(rng, speaker, len(people)) for speaker in range(len(people))]
        worlds = [world for world in product((True, False), repeat=4) if _fits(world, claims)]
        if len(worlds) == 1:
            break
    said = " ".join(f'{people[who]} says: "{_said(claim, people)}"' for who, claim in enumerate(claims))
    prompt = (
        "Each of four people either always tells the truth or always lies. "
        f"{said} Who tells the truth? Answer with the names alone, in alphabetical order, separated by commas, "
        "or `nobody`."
    )
    honest = [person for person, true in zip(people, worlds[0], strict=True) if true]
    liars = [person for person in people if person not in honest]
    return text(prompt, _listed(honest), _listed(liars), tokens=32)


Claim = tuple[int, int, str]


def _claim(rng: Generator, speaker: int, people: int) -> Claim:
    """About two others: that the first lies, that both are of a kind, or that one at least is honest."""
    first, second = some(rng, [other for other in range(people) if other != speaker], 2)
    return first, second, one(rng, ("lies", "same", "either"))


def _said(claim: Claim, people: list[str]) -> str:
    first, second = people[claim[0]], people[claim[1]]
    return {
        "lies": f"{first} is a liar.",
        "same": f"{first} and {second} are of the same kind.",
        "either": f"At least one of {first} and {second} tells the truth.",
    }[claim[2]]


def _fits(world: tuple[bool, ...], claims: list[Claim]) -> bool:
    return all(world[who] == _holds(world, claim) for who, claim in enumerate(claims))


def _holds(world: tuple[bool, ...], claim: Claim) -> bool:
    first, second, kind = world[claim[0]], world[claim[1]], claim[2]
    return {"lies": not first, "same": first == second, "either": first or second}[kind]


def _listed(names: list[str]) -> str:
    return ", ".join(sorted(names)) or "nobody"


KINDS = ("blorks", "wugs", "zims", "tarns", "plicks", "mofs", "dorns")


def follows(rng: Generator) -> Draft:
    """Which sentence must be true: made-up nouns, so that knowing the world doesn't help."""
    a, b, c = some(rng, KINDS, 3)
    premises, valid, others = one(
        rng,
        (
            (f"All {a} are {b}. No {b} are {c}.", f"No {a} are {c}.", (f"All {b} are {a}.", f"Some {c} are {a}.")),
            (f"All {a} are {b}. Some {a} are {c}.", f"Some {b} are {c}.", (f"All {c} are {b}.", f"All {b} are {c}.")),
            (f"All {a} are {b}. All {b} are {c}.", f"All {a} are {c}.", (f"All {c} are {a}.", f"No {b} are {a}.")),
        ),
    )
    order = some(rng, (valid, *others), 3)
    options = dict(zip("ABC", order, strict=True))
    answer = next(letter for letter, sentence in options.items() if sentence == valid)
    wrong = "ABC"["ABC".index(answer) - 1]
    listed = "\n".join(f"{letter}) {sentence}" for letter, sentence in options.items())
    prompt = (
        f"There is at least one of each kind. {premises} Which of these must be true?\n{listed}\n"
        "Answer with the letter alone."
    )
    grader = {"kind": "choice", "answer": answer, "options": options}
    return Draft(prompt, grader, Reply(answer), Reply(wrong), 8)


TEMPLATES = (
    Template("three-people", SKILL, "easy", "en en de es nl zh fr", three_people),
    Template("follows", SKILL, "easy", "en en en", english(follows)),
    Template("truth", SKILL, "medium", "en en en en", english(truth)),
    Template("five-people", SKILL, "medium", "en en de es fr zh nl", five_people),
    Template("knights", SKILL, "hard", "en en en en en en", english(knights)),
)
