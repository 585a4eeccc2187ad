"""Putting things in order: numbers, words, dates, versions, sizes, steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from numpy.random import Generator

from pointsman.pool.graders.grade import Reply
from pointsman.pool.probes.drafts import Draft, Template, between, english, some
from pointsman.pool.probes.phrases import phrases, say
from pointsman.pool.probes.templates.strings import words_of

SKILL = "ordering"


def _ordered(prompt: str, right: Sequence[str], wrong: Sequence[str]) -> Draft:
    answers = [mark.join(right) for mark in (", ", ",", " ", "; ", "、")]
    answers.append(f"{answers[0]}.")
    grader = {"kind": "exact", "answer": answers, "ignore": ["case", "space"]}
    return Draft(prompt, grader, Reply(answers[0]), Reply(", ".join(wrong)), 64)


def numbers(rng: Generator, language: str) -> Draft:
    """Five numbers, smallest first."""
    values = some(rng, range(3, 98), 5)
    prompt = say("ordering.numbers", language, items=", ".join(map(str, values)))
    right = [str(value) for value in sorted(values)]
    return _ordered(prompt, right, right[::-1])


def words(rng: Generator, language: str) -> Draft:
    """Six words by the alphabet."""
    chosen = some(rng, [word for word in words_of(language) if word.isascii()], 6)
    right = sorted(chosen)
    return _ordered(say("ordering.words", language, items=", ".join(chosen)), right, right[::-1])


def signed(rng: Generator, language: str) -> Draft:
    """Decimals of both signs, largest first."""
    values = [-between(rng, 11, 99) / 100, -between(rng, 101, 450) / 100, between(rng, 1, 9) / 100]
    values += [between(rng, 11, 19) / 10, between(rng, 121, 199) / 1000]
    shown = some(rng, [f"{value:g}" for value in values], 5)
    right = sorted(shown, key=float, reverse=True)
    return _ordered(say("ordering.signed", language, items=", ".join(shown)), right, sorted(shown))


def months(rng: Generator, language: str) -> Draft:
    """Five dates in words, earliest first."""
    names: list[str] = phrases()["months"][language]
    days = sorted({(between(rng, 2023, 2025), between(rng, 1, 12), between(rng, 2, 28)) for _ in range(5)})
    shown = [say("ordering.date", language, day=day, month=names[month - 1], year=year) for year, month, day in days]
    prompt = say("ordering.dates", language, items="; ".join(some(rng, shown, len(shown))))
    answer = "; ".join(shown)
    grader = {"kind": "exact", "answer": [answer, f"{answer}."], "ignore": ["case", "space"]}
    return Draft(prompt, grader, Reply(answer), Reply("; ".join(shown[::-1])), 96)


def versions(rng: Generator, language: str) -> Draft:
    """Version numbers, oldest first."""
    major, minor = between(rng, 1, 4), between(rng, 2, 9)
    parts = [(major, minor, 0), (major, minor, 2), (major, minor, 10), (major, minor + 10, 1), (major, 1, 99)]
    shown = [".".join(map(str, part)) for part in sorted([*parts, (major + 9, 0, 3)])]
    prompt = say("ordering.versions", language, items=", ".join(some(rng, shown, len(shown))))
    return _ordered(prompt, shown, sorted(shown))


def dependencies(rng: Generator) -> Draft:
    """Tasks with a single possible order, told as what needs what."""
    tasks = some(rng, ("paint", "sand", "measure", "cut", "glue", "drill", "polish", "assemble"), 6)
    needs = [f"{after} comes directly after {before}" for before, after in pairwise(tasks)]
    told = "; ".join(some(rng, needs, len(needs)))
    prompt = (
        f"Six tasks are done one after the other: {told}. "
        "List all six in order, first to last, separated by commas, and nothing else."
    )
    return _ordered(prompt, tasks, sorted(tasks) if sorted(tasks) != tasks else tasks[::-1])


TEMPLATES = (
    Template("numbers", SKILL, "easy", "en en fr ja", numbers),
    Template("words", SKILL, "easy", "en en de", words),
    Template("signed", SKILL, "medium", "en en", signed),
    Template("dates", SKILL, "medium", "en es it", months),
    Template("versions", SKILL, "hard", "en en", versions),
    Template("dependencies", SKILL, "hard", "en en en", english(dependencies)),
)
