"""All of several graders must be content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pointsman.pool.graders.grade import Grade, Grader, Reply


@dataclass(frozen=True, slots=True)
class Combined:
    """The least of several grades: they aren't independent, so their product would count one fault twice."""

    parts: tuple[Grader, ...]
    kind: ClassVar[str] = "all"

    @property
    def blind_to(self) -> str:
        """What none of its parts can tell."""
        return "what none of its parts can tell: " + "; ".join(f"{one.kind}: {one.blind_to}" for one in self.parts)

    def grade(self, reply: Reply) -> Grade:
        """The least score; 0 as soon as one is 0, None where one can't tell and none is 0."""
        unknown: Grade | None = None
        least = Grade(1.0, "all are content")
        for part in self.parts:
            found = part.grade(reply)
            if found.score == 0.0:
                return Grade(0.0, f"{part.kind}: {found.why}")
            if found.score is None:
                unknown = Grade(None, f"{part.kind}: {found.why}")
            elif found.score < (least.score or 0.0):
                least = Grade(found.score, f"{part.kind}: {found.why}")
        return unknown or least
