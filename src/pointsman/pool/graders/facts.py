"""The reply holds the facts that are asked for, each in one of its wordings, and none of those that are wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pointsman.pool.graders.fields import Fields
from pointsman.pool.graders.grade import Grade, Reply
from pointsman.pool.graders.texts import Ignored, folded, spoken, words

ACCENTS: tuple[Ignored, ...] = ("accents",)
IN_NUMBER = re.compile(r"(?<=\d)[,'’\u00a0\u202f](?=\d{3}(?!\d))")


@dataclass(frozen=True, slots=True)
class Facts:
    """Looks for wordings, word by word."""

    wanted: tuple[tuple[str, ...], ...]
    unwanted: tuple[str, ...]
    most_words: int | None
    kind: ClassVar[str] = "facts"
    blind_to: ClassVar[str] = (
        "what is said about a fact: a denied one counts as said, one in unlisted words as missing, and invented ones "
        "beside the right ones aren't seen unless they're listed"
    )

    def grade(self, reply: Reply) -> Grade:
        """The share of the facts that are found; 0 with a wrong one, or more words than allowed."""
        said = spoken(reply.text)
        count = len(words(said))
        if self.most_words is not None and count > self.most_words:
            return Grade(0.0, f"{count} words, {self.most_words} allowed")
        held = comparable(said)
        if wrong := [one for one in self.unwanted if holds(held, one)]:
            return Grade(0.0, f"it says {wrong[0]!r}")
        missing = [group[0] for group in self.wanted if not any(holds(held, one) for one in group)]
        score = 1.0 - len(missing) / len(self.wanted) if self.wanted else 1.0
        return Grade(score, f"{missing[0]!r} is missing" if missing else "it says all that is asked for")


def comparable(text: str) -> str:
    """A text as a row of words with a space at each side of each; thousands without separators; no accents."""
    bare = IN_NUMBER.sub("", folded(text, ACCENTS))
    return f" {' '.join(_words_and_signs(bare))} "


def _words_and_signs(text: str) -> list[str]:
    """Words, parted at apostrophes; decimals stay whole, and signs that change a number are kept."""
    return re.findall(r"-?\d+(?:[.,:/]\d+)+%?|[-−]?\d+%?|[぀-ヿ㐀-鿿฀-๿]|[^\W_]+", text.casefold())


def holds(held: str, wording: str) -> bool:
    """Whether a comparable text holds a wording, from word to word."""
    wanted = comparable(wording)
    return bool(wanted.strip()) and wanted in held


def facts_of(fields: Fields) -> Facts:
    """From `all` (a list of facts, each a wording or a list of them), `none` and `most_words`."""
    groups = fields.items("all") if fields.given("all") and fields.anything("all") else ()
    wanted = tuple(_group(fields, one) for one in groups)
    most = fields.whole("most_words", least=1) if fields.given("most_words") else None
    found = Facts(wanted, fields.texts("none", ()), most)
    if not (found.wanted or found.unwanted):
        raise fields.refusal("all", "is missing", "list the facts, each a list of wordings")
    for one in (*(word for group in wanted for word in group), *found.unwanted):
        if not comparable(one).strip():
            raise fields.refusal(
                "all" if one not in found.unwanted else "none", f"holds {one!r}", "use words or digits"
            )
    return found


def _group(fields: Fields, one: object) -> tuple[str, ...]:
    listed: Sequence[object] = one if isinstance(one, list | tuple) else [one]
    texts = tuple(text for text in listed if isinstance(text, str) and text.strip())
    if not texts or len(texts) < len(listed):
        raise fields.refusal("all", f"holds {one!r}", 'write each fact as a list of texts: ["Paris", "the capital"]')
    return texts
