"""A probe: a prompt whose answer can be graded, and what is needed to ask and grade it. Frozen, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pointsman.errors import InputError

Difficulty = Literal["easy", "medium", "hard"]
DIFFICULTIES: tuple[Difficulty, ...] = get_args(Difficulty)
MOST_OUTPUT_TOKENS = 8_192


@dataclass(frozen=True, slots=True)
class Probe:
    """One question to a model.

    Attributes:
        id: unique in its suite.
        skill: what it asks for, for example "arithmetic"; profiles are by skill.
        difficulty: as its author sees it.
        language: of the prompt, a BCP 47 tag.
        prompt: the user's message.
        grader: how an answer is graded, a mapping with a `kind`; see `pool.graders`.
        system: the system message, "" for none.
        tools: that are offered, each in OpenAI's shape `{"type": "function", "function": {…}}`.
        max_output_tokens: how long an answer may get.
        origin: who wrote it: "pointsman", or the user's own.
    """

    id: str
    skill: str
    difficulty: Difficulty
    language: str
    prompt: str
    grader: Mapping[str, Any]
    system: str = ""
    tools: tuple[Mapping[str, Any], ...] = ()
    max_output_tokens: int = 256
    origin: str = "pointsman"

    def __post_init__(self) -> None:
        missing = [name for name in ("id", "skill", "language", "prompt") if not getattr(self, name)]
        if missing:
            raise InputError(f"`{missing[0]}` is empty", place=f"probe {self.id!r}", remedy="give it a text")
        if self.difficulty not in DIFFICULTIES:
            raise InputError(
                f"difficulty {self.difficulty!r} is unknown",
                place=f"probe {self.id!r}",
                remedy=f"use one of {', '.join(DIFFICULTIES)}",
            )
        if not 1 <= self.max_output_tokens <= MOST_OUTPUT_TOKENS:
            raise InputError(
                f"max_output_tokens is {self.max_output_tokens}",
                place=f"probe {self.id!r}",
                remedy=f"use 1 to {MOST_OUTPUT_TOKENS}",
            )
