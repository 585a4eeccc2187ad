"""What a topic's writer gives: a prompt, and what the simulation knows about it that nobody else may see.

`difficulty` is in the units of the skills in `models.py`: 0 is a middling query, +1 one that needs a model a whole
class better. It's only the part of the difficulty that shows in the text; `answers.py` adds a part that doesn't.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pointsman.evaluate.simulated.draws import Draws


@dataclass(frozen=True, slots=True)
class Written:
    """One prompt.

    Attributes:
        text: the prompt itself.
        difficulty: how hard the text says it is, about -2.5 to 3.5.
        answer_tokens: how long a plain answer is.
    """

    text: str
    difficulty: float
    answer_tokens: float


Writer = Callable[[Draws], Written]
