"""Letters and words: counting, reversing, picking, ciphers. What tokenisers hide from models."""

from __future__ import annotations

from string import ascii_lowercase

from numpy.random import Generator

from pointsman.pool.probes.drafts import Draft, Template, between, number, one, some, text
from pointsman.pool.probes.phrases import phrases, say

SKILL = "letters and words"


def words_of(language: str) -> list[str]:
    """Plain lower-case nouns of a language."""
    found: list[str] = phrases()["nouns"][language]
    return found


def nth_word(rng: Generator, language: str) -> Draft:
    """A word by its place in a list."""
    words = some(rng, words_of(language), 6)
    place = between(rng, 2, 5)
    prompt = say("strings.nth", language, words=", ".join(words), place=place)
    return text(prompt, words[place - 1], words[place])


def upper(rng: Generator, language: str) -> Draft:
    """Two words in capitals."""
    first, second = some(rng, words_of(language), 2)
    prompt = say("strings.capitals", language, words=f"{first} {second}")
    return text(prompt, f"{first} {second}".upper(), f"{first} {second}", ignore=("punctuation",))


def count_letter(rng: Generator, language: str) -> Draft:
    """How often a letter stands in three words."""
    words = some(rng, words_of(language), 3)
    letter = one(rng, sorted(set("".join(words)) & set("aeionrst")))
    phrase = " ".join(words)
    answer = phrase.count(letter)
    return number(say("strings.count", language, letter=letter, words=phrase), answer, language, wrong=answer + 3)


def acronym(rng: Generator, language: str) -> Draft:
    """The first letters of five words."""
    words = some(rng, words_of(language), 5)
    answer = "".join(word[0] for word in words).upper()
    last = "".join(word[-1] for word in words).upper()
    return text(say("strings.acronym", language, words=" ".join(words)), answer, last, ignore=("case", "space"))


def backwards(rng: Generator, language: str) -> Draft:
    """A long word backwards."""
    word = "".join(some(rng, words_of(language), 2))
    return text(say("strings.backwards", language, word=word), word[::-1], word)


def cipher(rng: Generator, language: str) -> Draft:
    """Each letter moved on in the alphabet."""
    word, by = one(rng, [word for word in words_of(language) if word.isascii()]), between(rng, 3, 7)
    moved = "".join(ascii_lowercase[(ascii_lowercase.index(letter) + by) % 26] for letter in word)
    return text(say("strings.cipher", language, word=moved, by=by), word, moved)


TEMPLATES = (
    Template("nth-word", SKILL, "easy", "en en de es", nth_word),
    Template("upper", SKILL, "easy", "en en fr it", upper),
    Template("count-letter", SKILL, "medium", "en en en de", count_letter),
    Template("acronym", SKILL, "medium", "en en nl pt", acronym),
    Template("backwards", SKILL, "hard", "en en en de", backwards),
    Template("cipher", SKILL, "hard", "en en en", cipher),
)
