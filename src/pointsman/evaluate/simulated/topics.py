"""The seventeen topics of the simulated workload: how common each is, what it needs, how it's scored.

Takes nothing, gives `TOPICS`; the prompts themselves come from the writers in `maths`, `code`, `reading`, `asking`.
"""

from __future__ import annotations

from dataclasses import dataclass

from pointsman.evaluate.simulated import asking, code, maths, reading
from pointsman.evaluate.simulated.models import SKILLS
from pointsman.evaluate.simulated.written import Writer


@dataclass(frozen=True, slots=True)
class Topic:
    """One kind of query.

    Attributes:
        name: as in the `datasets` column, after `simulated/`.
        share: of all queries; the shares of `TOPICS` sum to one.
        needs: skill -> weight; the weights sum to one.
        write: makes a prompt.
        floor: what a guess scores.
        discrimination: how sharply a better model does better.
        graded: True where the score is any number in [0, 1], False where it's 0 or 1.
    """

    name: str
    share: float
    needs: dict[str, float]
    write: Writer
    floor: float = 0.0
    discrimination: float = 1.5
    graded: bool = False

    def weights(self) -> tuple[float, ...]:
        """`needs` in the order of `SKILLS`."""
        return tuple(self.needs.get(skill, 0.0) for skill in SKILLS)


TOPICS = (
    Topic("arithmetic", 0.07, {"maths": 0.9, "care": 0.1}, maths.arithmetic, 0.0, 1.8),
    Topic("word-problem", 0.07, {"maths": 0.6, "logic": 0.4}, maths.word_problem, 0.02, 1.7),
    Topic("logic", 0.05, {"logic": 0.9, "care": 0.1}, maths.logic, 0.22, 1.5),
    Topic("code-reading", 0.06, {"code": 0.7, "logic": 0.3}, code.code_reading, 0.03, 1.6),
    Topic("code-writing", 0.07, {"code": 0.8, "care": 0.2}, code.code_writing, 0.0, 1.7),
    Topic("sql", 0.06, {"code": 0.75, "logic": 0.1, "care": 0.15}, code.sql, 0.0, 1.6),
    Topic("extraction", 0.06, {"care": 0.6, "context": 0.25, "writing": 0.15}, reading.extraction, 0.0, 1.6),
    Topic("classification", 0.07, {"writing": 0.7, "care": 0.3}, reading.classification, 0.2, 1.2),
    Topic("summary", 0.06, {"writing": 0.6, "context": 0.4}, reading.summary, 0.15, 0.9, graded=True),
    Topic("translation", 0.06, {"languages": 0.85, "writing": 0.15}, reading.translation, 0.1, 1.0, graded=True),
    Topic("facts", 0.07, {"knowledge": 1.0}, asking.facts, 0.03, 1.5),
    Topic("instructions", 0.06, {"care": 0.7, "writing": 0.3}, asking.instructions, 0.0, 1.6),
    Topic("chat", 0.06, {"writing": 0.8, "knowledge": 0.2}, asking.chat, 0.3, 0.7, graded=True),
    Topic("planning", 0.04, {"logic": 0.5, "care": 0.3, "writing": 0.2}, asking.planning, 0.15, 0.9, graded=True),
    Topic("advice", 0.06, {"knowledge": 0.8, "logic": 0.1, "care": 0.1}, asking.advice, 0.1, 1.3),
    Topic("long-context", 0.03, {"context": 0.85, "care": 0.15}, reading.long_context, 0.02, 1.6),
    Topic("other-languages", 0.05, {"languages": 0.8, "writing": 0.1, "knowledge": 0.1}, asking.elsewhere, 0.05, 1.3),
)
