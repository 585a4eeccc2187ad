"""What graders take and give: a reply, and a grade of it. Frozen, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pointsman.errors import InputError


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that a model asked for.

    Attributes:
        name: of the tool.
        arguments: as the model wrote them, JSON if it wrote them well.
    """

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered.

    Attributes:
        text: its words, "" where it only called tools.
        tool_calls: in order.
        whole: False where the answer was cut off by its limit.
    """

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Grade:
    """How good a reply is.

    Attributes:
        score: in [0, 1]; None where the grader can't tell, which is not the same as wrong.
        why: one line for people.
    """

    score: float | None
    why: str

    def __post_init__(self) -> None:
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise InputError(f"the score is {self.score}", place="grade", remedy="give a score in [0, 1], or None")


class Grader(Protocol):
    """Grades replies to one probe."""

    @property
    def kind(self) -> str:
        """Its name in a probe's `grader`."""

    @property
    def blind_to(self) -> str:
        """What it can't tell, in one sentence."""

    def grade(self, reply: Reply) -> Grade:
        """A grade; never an error, whatever the reply."""
