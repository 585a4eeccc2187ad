"""The number that the reply gives as its answer is the right one, within a tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pointsman.pool.graders.fields import Fields
from pointsman.pool.graders.grade import Grade, Reply
from pointsman.pool.graders.numbers import answers
from pointsman.pool.graders.texts import spoken

# Of the answer itself: what writing a number out and reading it back may cost.
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Numeric:
    """Compares numbers."""

    answer: float
    tolerance: float
    relative: float
    kind: ClassVar[str] = "numeric"
    blind_to: ClassVar[str] = (
        "how the number was found, its unit, which of two meanings a written number has (1.234, 75%), and which of "
        "several numbers is the answer where the reply doesn't say"
    )

    def grade(self, reply: Reply) -> Grade:
        """1 where some reading of the reply's number is within max(tolerance, relative · |answer|); else 0."""
        found = answers(spoken(reply.text))
        if not found or not any(found):
            return Grade(0.0, "it gives no number")
        if not all(any(self._right(value) for value in one) for one in found):
            shown = " or ".join(f"{one[0]:g}" for one in found if one)
            return Grade(0.0, f"it gives {shown}, not {self.answer:g}")
        return Grade(1.0, f"it gives {found[0][0]:g}")

    def _right(self, value: float) -> bool:
        allowed = max(self.tolerance, max(self.relative, ROUNDING) * abs(self.answer))
        return abs(value - self.answer) <= allowed


def numeric_of(fields: Fields) -> Numeric:
    """From `answer`, `tolerance` (absolute) and `relative` (a share of the answer)."""
    return Numeric(
        fields.number("answer"), fields.number("tolerance", 0.0, least=0), fields.number("relative", 0.0, least=0)
    )
