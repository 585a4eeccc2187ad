"""The reply is one of the answers, word for word; or what it announces as its answer is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pointsman.pool.graders.fields import Fields
from pointsman.pool.graders.grade import Grade, Reply
from pointsman.pool.graders.texts import IGNORED, Ignored, folded, marked, shortened, spoken

USUAL: tuple[Ignored, ...] = ("case", "punctuation", "space")


@dataclass(frozen=True, slots=True)
class Exact:
    """Compares folded texts."""

    answers: tuple[str, ...]
    ignore: tuple[Ignored, ...]
    kind: ClassVar[str] = "exact"
    blind_to: ClassVar[str] = "a right answer inside a sentence that doesn't announce it, and any wording not listed"

    def grade(self, reply: Reply) -> Grade:
        """1 where the whole reply, or the last answer that it announces, is one of the answers; else 0."""
        said = spoken(reply.text)
        wanted = {folded(one, self.ignore).strip() for one in self.answers}
        for part in (said, *marked(said)[-1:]):
            if folded(part.strip().strip('*`"“”').strip(), self.ignore).strip() in wanted:
                return Grade(1.0, f"it says {shortened(part)!r}")
        return Grade(0.0, f"it says {shortened(said)!r}")


def exact_of(fields: Fields) -> Exact:
    """From `answer` and `ignore`."""
    ignore = fields.texts("ignore", USUAL)
    if wrong := [one for one in ignore if one not in IGNORED]:
        raise fields.refusal("ignore", f"holds {wrong[0]!r}", f"use any of {', '.join(IGNORED)}")
    return Exact(fields.texts("answer"), tuple(one for one in IGNORED if one in ignore))
