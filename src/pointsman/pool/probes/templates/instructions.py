"""Instruction following: forms that can be checked letter by letter, whatever the words are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.random import Generator

from pointsman.pool.graders.grade import Reply
from pointsman.pool.probes.drafts import Draft, Template, between, english, one, some, text
from pointsman.pool.probes.phrases import say
from pointsman.pool.probes.templates.strings import words_of

SKILL = "instructions"
TOPICS = ("the sea", "winter", "a market", "the moon", "bread", "an old train", "a garden", "the night")


def _checked(prompt: str, checks: Sequence[Mapping[str, Any]], right: str, wrong: str, tokens: int = 96) -> Draft:
    return Draft(prompt, {"kind": "rules", "checks": list(checks)}, Reply(right), Reply(wrong), tokens)


def repeat(rng: Generator, language: str) -> Draft:
    """A word so many times."""
    word, times = one(rng, words_of(language)), between(rng, 3, 6)
    prompt = say("instructions.repeat", language, word=word, times=times)
    return text(prompt, " ".join([word] * times), word, tokens=48)


def echo(rng: Generator, language: str) -> Draft:
    """A given line, unchanged."""
    first, second = some(rng, words_of(language), 2)
    line = f"{first} {between(rng, 11, 98)} / {second.upper()}"
    return text(say("instructions.echo", language, line=line), line, line.lower(), ignore=("space",))


def bullets(rng: Generator, language: str) -> Draft:
    """So many list lines with a given mark, of one word each."""
    count, mark = between(rng, 3, 6), one(rng, ("* ", "- ", "+ "))
    prompt = say("instructions.bullets", language, count=count, mark=mark.strip())
    right = "\n".join(mark + word for word in some(rng, words_of(language), count))
    checks: list[Mapping[str, Any]] = [{"lines": count}, {"each_line_starts": mark}, {"words": count}]
    return _checked(prompt, checks, right, f"Of course! Here are {count + 1} things that one may find at home.")


def wedged(rng: Generator, language: str) -> Draft:
    """A sentence with two given words and a length."""
    first, second = some(rng, words_of(language), 2)
    length = between(rng, 8, 12)
    prompt = say("instructions.wedged", language, first=first, second=second, length=length)
    right = " ".join([first, *["la"] * (length - 2), second]).capitalize() + "."
    checks: list[Mapping[str, Any]] = [
        {"sentences": 1},
        {"words": length},
        {"contains": first},
        {"contains": second},
        {"ends": "."},
    ]
    return _checked(prompt, checks, right, "Yes! No! Sure, here you are!")


def lipogram(rng: Generator) -> Draft:
    """A sentence of an exact length without a frequent letter."""
    topic, length, letter = one(rng, TOPICS), between(rng, 9, 14), one(rng, "eai")
    prompt = (
        f"Write one sentence about {topic} with exactly {length} words, without the letter “{letter}” anywhere and "
        "without commas. Answer with the sentence alone."
    )
    right = " ".join(["no"] * length) + "."
    checks: list[Mapping[str, Any]] = [{"words": length}, {"lacks": letter}, {"lacks": ","}, {"sentences": 1}]
    return _checked(prompt, checks, right, "Well, it is a nice day, I dare say. Here, take an idea!")


def three_lines(rng: Generator, language: str) -> Draft:
    """Three different things about one word, in a fixed form."""
    word = one(rng, words_of(language))
    prompt = (
        f"Take the word “{word}”. Write three lines and nothing else: first the word in capitals, then its number of "
        "letters as a digit, then the word backwards in lower case."
    )
    return text(prompt, f"{word.upper()}\n{len(word)}\n{word[::-1]}", word, tokens=48, ignore=("space",))


def condition(rng: Generator, language: str) -> Draft:
    """What to write hangs on two conditions."""
    word, number = one(rng, words_of(language)), between(rng, 21, 98)
    even, vowels = len(word) % 2 == 0, sum(letter in "aeiou" for letter in word)
    answer = f"{word.upper()} {number + vowels}" if even else f"{word[0]}{number - vowels}{word[-1]}"
    prompt = (
        f"Word: {word}. Number: {number}. Let v be how many vowels (a, e, i, o, u) the word has. If its number of "
        "letters is even, answer with the word in capitals, a space and the number plus v. If it is odd, answer with "
        "its first letter, the number minus v and its last letter, without spaces. Answer with that alone."
    )
    return text(prompt, answer, f"{word} {number}", ignore=("space",))


TEMPLATES = (
    Template("repeat", SKILL, "easy", "en en de fr es", repeat),
    Template("echo", SKILL, "easy", "en en it nl", echo),
    Template("bullets", SKILL, "medium", "en en de pt", bullets),
    Template("wedged", SKILL, "medium", "en en es", wedged),
    Template("lipogram", SKILL, "hard", "en en en", english(lipogram)),
    Template("three-lines", SKILL, "hard", "en en", three_lines),
    Template("condition", SKILL, "hard", "en en en", condition),
)
