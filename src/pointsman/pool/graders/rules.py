"""The reply keeps rules of form that can be checked letter by letter: how long, how it begins, what it holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar

from pointsman.pool.graders.facts import comparable
from pointsman.pool.graders.fields import Fields
from pointsman.pool.graders.grade import Grade, Reply
from pointsman.pool.graders.texts import spoken, words

TITLES = r"(?<!\bDr)(?<!\bMr)(?<!\bMrs)(?<!\bMs)(?<!\bSt)(?<!\be\.g)(?<!\bi\.e)"
STOP = re.compile(TITLES + r"[.!?。！？]+[\"'”’)\]*_]*(?=\s|\Z)|(?<=[。！？])|\n+")
BULLET = re.compile(r"[-*•+]\s|\d+[.)]\s")
Holds = Callable[[str, Any], bool]


def lines(text: str) -> list[str]:
    """Lines that aren't blank."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def letters(text: str) -> str:
    """Letters that have a case."""
    return "".join(one for one in text if one.upper() != one.lower())


def times(text: str, wanted: Mapping[str, Any]) -> bool:
    """Whether a wording stands in the text exactly so often, word by word, in any case."""
    part = re.escape(comparable(str(wanted["text"])).strip())
    return len(re.findall(rf"(?<= ){part}(?= )", comparable(text))) == int(wanted["times"])


def sentences(text: str) -> int:
    """Number of sentences: runs that end in a stop, or the end."""
    return len([part for part in STOP.split(text) if words(part)])


NUMBERS: Mapping[str, Holds] = {
    "words_min": lambda text, least: len(words(text)) >= least,
    "words_max": lambda text, most: len(words(text)) <= most,
    "words": lambda text, count: len(words(text)) == count,
    "lines": lambda text, count: len(lines(text)) == count,
    "lines_min": lambda text, least: len(lines(text)) >= least,
    "lines_max": lambda text, most: len(lines(text)) <= most,
    "sentences": lambda text, count: sentences(text) == count,
    "sentences_min": lambda text, least: sentences(text) >= least,
    "sentences_max": lambda text, most: sentences(text) <= most,
    "characters_max": lambda text, most: len(text) <= most,
    "paragraphs": lambda text, count: len([part for part in re.split(r"\n\s*\n", text) if part.strip()]) == count,
    "bullets": lambda text, count: sum(1 for line in lines(text) if BULLET.match(line)) == count,
}
TEXTS: Mapping[str, Holds] = {
    "starts": lambda text, start: text.startswith(start),
    "ends": lambda text, end: text.endswith(end),
    "contains": lambda text, part: part.casefold() in text.casefold(),
    "lacks": lambda text, part: part.casefold() not in text.casefold(),
    "each_line_starts": lambda text, start: bool(lines(text)) and all(line.startswith(start) for line in lines(text)),
}
TRUTHS: Mapping[str, Holds] = {
    "uppercase": lambda text, yes: (bool(letters(text)) and letters(text) == letters(text).upper()) is yes,
    "lowercase": lambda text, yes: (bool(letters(text)) and letters(text) == letters(text).lower()) is yes,
    "ascii": lambda text, yes: text.isascii() is yes,
}
KNOWN = (*NUMBERS, *TEXTS, *TRUTHS, "count")


@dataclass(frozen=True, slots=True)
class Rules:
    """Checks form."""

    checks: tuple[tuple[str, Any], ...]
    kind: ClassVar[str] = "rules"
    blind_to: ClassVar[str] = "what the reply says: nonsense that keeps the rules is right"

    def grade(self, reply: Reply) -> Grade:
        """The share of the rules that are kept."""
        text = spoken(reply.text)
        if not text:
            return Grade(0.0, "it says nothing")
        broken = [name for name, value in self.checks if not kept(name, text, value)]
        score = 1.0 - len(broken) / len(self.checks)
        return Grade(score, f"it breaks {', '.join(broken)}" if broken else "it keeps every rule")


def kept(name: str, text: str, value: Any) -> bool:
    """Whether a text keeps one rule."""
    if name == "count":
        return times(text, value)
    return {**NUMBERS, **TEXTS, **TRUTHS}[name](text, value)


def rules_of(fields: Fields) -> Rules:
    """From `checks`, a list of mappings of one or more rules each."""
    checks: list[tuple[str, Any]] = []
    for one in fields.items("checks"):
        if not isinstance(one, Mapping) or not one:
            raise fields.refusal(
                "checks", f"holds {one!r}", "write each rule as `name: value`, such as `words_max: 50`"
            )
        checks += [(str(name), _sound(fields, str(name), value)) for name, value in one.items()]
    return Rules(tuple(checks))


def _sound(fields: Fields, name: str, value: Any) -> Any:
    """The rule's value.

    Raises:
        InputError: an unknown rule, or a value that it can't have.
    """
    if name not in KNOWN:
        close = get_close_matches(name, KNOWN, n=1)
        raise fields.refusal("checks", f"holds the rule `{name}`", f"use {close[0] if close else ', '.join(KNOWN)}")
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    counted = isinstance(value, Mapping) and set(value) == {"text", "times"} and isinstance(value["times"], int)
    fits = {
        "a whole number": name in NUMBERS and whole,
        "a text": name in TEXTS and isinstance(value, str) and value != "",
        "true or false": name in TRUTHS and isinstance(value, bool),
        "{text: …, times: …}": counted and bool(comparable(str(value["text"])).strip()) if name == "count" else False,
    }
    if not any(fits.values()):
        wanted = dict(zip(fits, (name in NUMBERS, name in TEXTS, name in TRUTHS, name == "count"), strict=True))
        raise fields.refusal("checks", f"holds `{name}: {value!r}`", f"give {next(k for k, v in wanted.items() if v)}")
    return value
