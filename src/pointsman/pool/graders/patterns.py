"""The reply fits a regular expression. The search runs in a process that is ended when it takes too long."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from pointsman.pool.graders import sandbox
from pointsman.pool.graders.fields import Fields
from pointsman.pool.graders.grade import Grade, Reply
from pointsman.pool.graders.texts import spoken

BOUNDS = sandbox.Bounds(cpu_s=1, wall_s=6.0, memory_mb=256)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Searches a pattern."""

    pattern: str
    full: bool
    kind: ClassVar[str] = "regex"
    blind_to: ClassVar[str] = "meaning: whatever fits the pattern is right, and whatever doesn't is wrong"

    def grade(self, reply: Reply) -> Grade:
        """1 where the pattern is found (or is all of the reply, with `full`); None where the search takes too long."""
        run = sandbox.run("pattern", spoken(reply.text), {"pattern": self.pattern, "full": self.full}, BOUNDS)
        if run.verdict is None:
            return Grade(None, f"the search came to no end: {run.why}")
        return Grade(float(run.verdict["right"]), str(run.verdict["why"]))


def pattern_of(fields: Fields) -> Pattern:
    """From `pattern` and `full`."""
    pattern = fields.text("pattern")
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise fields.refusal(
            "pattern", f"is no regular expression ({error})", "write it as Python's `re` does"
        ) from None
    return Pattern(pattern, fields.truth("full"))
