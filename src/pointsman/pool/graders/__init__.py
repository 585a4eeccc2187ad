"""Graders: from a reply to a score, by rules that are written down with each probe.

`grader_of(spec)` gives a grader; `grade(reply)` a score in [0, 1], or None where it can't tell, and never an error.
Each says in `blind_to` what it can't tell. A model's code is run in a locked-down process, or not at all (`sandbox`).
They know nothing of models, prompts or money. One more way to grade, without references, is
`estimate.unseen.consensus`: by how far models agree with each other.
"""

from pointsman.pool.graders.grade import Grade, Grader, Reply, ToolCall
from pointsman.pool.graders.judge import Judge
from pointsman.pool.graders.kinds import KINDS, grader_of

__all__ = ["KINDS", "Grade", "Grader", "Judge", "Reply", "ToolCall", "grader_of"]
