"""The reply picks the right one of lettered options, and no other."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from pointsman.pool.graders.fields import Fields
from pointsman.pool.graders.grade import Grade, Reply
from pointsman.pool.graders.texts import Ignored, folded, marked, spoken

APART = re.compile(r"\s*\Z|[).\]:},;\-–—\n]|\s+(?:is|because|since|as|or|and)\b|\s+[(–—-]")
RULED_OUT = re.compile(
    r"[\s*:)]*(?:is|are|was|can(?:not|'t))\s*(?:\w+\s+)?(?:wrong|incorrect|false|not|be|ruled)\b", re.IGNORECASE
)
LEAD = r"(?:option|choice|answer)?\s*[(\[{]?\**"
FOLDS: tuple[Ignored, ...] = ("case", "punctuation", "space", "accents")


@dataclass(frozen=True, slots=True)
class Choice:
    """Finds the letter, or the option's own words."""

    answer: str
    options: Mapping[str, str]
    kind: ClassVar[str] = "choice"
    blind_to: ClassVar[str] = "why the option was picked, and a pick that is neither its letter nor its words"

    def grade(self, reply: Reply) -> Grade:
        """1 where exactly one option is picked and it's the right one; else 0."""
        picked = self._picked(unicodedata.normalize("NFKC", spoken(reply.text)))
        if len(picked) == 1:
            return Grade(float(picked == {self.answer}), f"it picks {next(iter(picked))}")
        return Grade(0.0, f"it picks {' and '.join(sorted(picked))}" if picked else "it picks no option")

    def _picked(self, text: str) -> set[str]:
        """The options picked, by the plainest sign that there is any of."""
        said = {letter for part in marked(text) for letter in self._of_answer(part)}
        return said or self._of_answer(text) or self._lettered(text) or self._worded(text)

    def _of_answer(self, text: str) -> set[str]:
        """Options of a text that is an answer and nothing else: "B", "(B) Paris", "Paris", "A or B"."""
        text = text.strip(" \t\n*_`\"'.")
        opening = re.match(rf"{LEAD}({self._letters})\**(?![\w'’])(?P<rest>.*)", text, re.S | re.I)
        if opening and self._is_letter(opening, text) and not RULED_OUT.match(opening["rest"]):
            more = re.match(rf"\W*(?:or|and|oder|und|ou|/)\W*\(?({self._letters})(?!\w)", opening["rest"], re.I)
            return {self._key(one) for one in (opening[1], more[1] if more else opening[1])}
        bare = folded(text, FOLDS)
        return {key for key, words in self.options.items() if words and folded(words, FOLDS) == bare}

    def _is_letter(self, opening: re.Match[str], text: str) -> bool:
        """Not the article "A", nor the start of a word: the letter ends there, or is set apart."""
        apart = APART.match(opening["rest"].lstrip("*")) is not None
        return apart or text[: opening.start(1)].strip("* ") != ""

    def _lettered(self, text: str) -> set[str]:
        """Options named by letter inside of sentences: "(B)", "option B", "**B**"."""
        letter = f"({self._letters})"
        named = rf"\b(?:option|choice|answer|letter)\s+\(?{letter}\b"
        found = re.finditer(rf"\({letter}\)|{named}|\*\*\(?{letter}\b\)?[.:)]?", text)
        return {self._key(next(one for one in match.groups() if one)) for match in found if self._meant(text, match)}

    def _meant(self, text: str, found: re.Match[str]) -> bool:
        """Not named to be ruled out: no "not" right before, no "is wrong" right after."""
        before, after = text[max(0, found.start() - 12) : found.start()], text[found.end() : found.end() + 40]
        return not re.search(r"(?:\bnot|n't|\bnor)\s*$", before, re.I) and not RULED_OUT.match(after)

    def _worded(self, text: str) -> set[str]:
        """Options whose words stand in the text; one that is part of another found there doesn't count."""
        inside = f" {folded(text, FOLDS)} "
        bare = {key: folded(words, FOLDS) for key, words in self.options.items() if words}
        found = {key for key, words in bare.items() if words and f" {words} " in inside.replace(f" not {words} ", " ")}
        hidden = {a for a in found for b in found if a != b and bare[a] != bare[b] and f" {bare[a]} " in f" {bare[b]} "}
        return found - hidden

    @property
    def _letters(self) -> str:
        return "|".join(sorted(map(re.escape, self.options), key=len, reverse=True))

    def _key(self, letter: str) -> str:
        """The option as it's written in the spec, whatever its case."""
        return next((key for key in self.options if key.casefold() == letter.casefold()), letter)


def choice_of(fields: Fields) -> Choice:
    """From `answer` (a letter) and `options` (letter to text)."""
    answer, options = fields.text("answer"), fields.mapping("options")
    if len(options) < 2 or not all(isinstance(text, str) for text in options.values()):
        raise fields.refusal("options", "has fewer than two texts", 'write `options: {A: "…", B: "…"}`')
    if len({key.casefold() for key in options}) < len(options) or not all(key.strip() for key in options):
        raise fields.refusal("options", "has the same letter twice, or none", "use A, B, C …")
    if answer not in options:
        raise fields.refusal("answer", f"is {answer!r}, which is no option", f"use one of {', '.join(options)}")
    return Choice(answer, dict(options))
