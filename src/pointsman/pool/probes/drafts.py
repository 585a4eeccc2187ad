"""What templates and written items are made of: a probe's text and grader, with a right and a wrong reply to it.

Templates are pure functions of a `numpy` generator and a language. The two replies never leave the package's own
suite: they are what shows that each grader tells right from wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from numpy.random import Generator

from pointsman.pool.graders.grade import Reply
from pointsman.pool.probes.phrases import say
from pointsman.pool.probes.probe import Difficulty, Probe

NUMBER_TOKENS = 32
NAME_TOKENS = 24

One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class Item:
    """A probe with a reply that earns everything and one that earns little."""

    probe: Probe
    right: Reply
    wrong: Reply


@dataclass(frozen=True, slots=True)
class Draft:
    """One instance of a template, before it has its id; fields as in `Probe` and `Item`."""

    prompt: str
    grader: Mapping[str, Any]
    right: Reply
    wrong: Reply
    max_output_tokens: int = NUMBER_TOKENS
    tools: tuple[Mapping[str, Any], ...] = ()
    system: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A way to make probes.

    Attributes:
        name: its part of the ids; one of a kind in its skill.
        languages: one for each probe that the suite gets from it, separated by spaces, as in "en en de".
        make: the instance that a generator's draws make.
    """

    name: str
    skill: str
    difficulty: Difficulty
    languages: str
    make: Callable[[Generator, str], Draft]


def english(make: Callable[[Generator], Draft]) -> Callable[[Generator, str], Draft]:
    """A template's function from one that is in English only."""

    def made(rng: Generator, _language: str) -> Draft:
        return make(rng)

    return made


def between(rng: Generator, least: int, most: int) -> int:
    """A whole number, both ends included."""
    return int(rng.integers(least, most + 1))


def one(rng: Generator, options: Sequence[One]) -> One:
    """One of the options."""
    return options[int(rng.integers(len(options)))]


def some(rng: Generator, options: Sequence[One], count: int) -> list[One]:
    """Some of the options, no position twice, in any order."""
    return [options[int(index)] for index in rng.permutation(len(options))[:count]]


def number(prompt: str, answer: int | float, language: str = "en", *, wrong: float | None = None) -> Draft:
    """A question whose answer is a number, asked for alone."""
    other = answer * 3 + 7 if wrong is None else wrong
    return Draft(
        joined(prompt, say("alone.number", language), language),
        {"kind": "numeric", "answer": answer},
        Reply(f"{answer:g}" if isinstance(answer, float) else str(answer)),
        Reply(f"{other:g}" if isinstance(other, float) else str(other)),
    )


def text(
    prompt: str,
    answer: str,
    wrong: str,
    *,
    tokens: int = NAME_TOKENS,
    ignore: Sequence[str] = ("case", "punctuation", "space"),
    stop: bool = False,
) -> Draft:
    """A question whose answer is one text, word for word but for what `ignore` lists and, with `stop`, a full stop."""
    answers = [answer, f"{answer}."] if stop else answer
    grader = {"kind": "exact", "answer": answers, "ignore": list(ignore)}
    return Draft(prompt, grader, Reply(answer), Reply(wrong), tokens)


def name(prompt: str, answer: str, wrong: str, language: str) -> Draft:
    """A question whose answer is a name, asked for alone."""
    return text(joined(prompt, say("alone.name", language), language), answer, wrong)


def joined(first: str, second: str, language: str) -> str:
    """Two sentences, with a space between them where the language has one."""
    return first + ("" if language in {"zh", "ja"} else " ") + second
