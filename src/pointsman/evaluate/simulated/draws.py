"""Random draws for writing text, and the small template language the prompts are written in.

Takes a `np.random.Generator`; gives single draws quickly (they are taken from it in blocks of uniforms) and
filled-in templates. Refuses to keep any state of its own: the same generator gives the same text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

# One call into numpy for so many draws: a scalar call costs more than the text it decides.
_BLOCK = 4096


class Draws:
    """Scalar draws from `rng`, every one of them made of uniforms, so that their order alone decides the text."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._block: list[float] = []

    def unit(self) -> float:
        """A uniform number in [0, 1)."""
        if not self._block:
            self._block = self._rng.random(_BLOCK).tolist()
        return self._block.pop()

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.unit() < probability

    def whole(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both possible, all equally likely."""
        return low + int(self.unit() * (high - low + 1))

    def tailed(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, small ones far likelier: uniform on the logarithm."""
        return int(low * ((high + 1) / low) ** self.unit())

    def pick(self, things: Sequence[T]) -> T:
        """One of `things`, all equally likely."""
        return things[int(self.unit() * len(things))]

    def several(self, things: Sequence[T], count: int) -> list[T]:
        """`count` different members of `things` in random order; all of them when there are fewer."""
        left = list(things)
        return [left.pop(int(self.unit() * len(left))) for _ in range(min(count, len(left)))]


class Number:
    """A `{n:low-high}` slot: drawn when it's first written, the same ever after."""

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self._written = ""

    def __format__(self, span: str) -> str:
        if not self._written:
            low, _, high = span.partition("-")
            self._written = str(self._draws.whole(int(low), int(high)))
        return self._written


class Slots:
    """Fills templates: `{city}` draws a city each time, `{city1}` draws once and keeps it, `{n:2-40}` is a number.

    A kept slot (its name ends in a digit) stays the same over every template filled by one `Slots`, which is how
    a question can ask about what a passage said. A filler may itself be a template. Braces of program text are
    doubled, as in `str.format`.
    """

    def __init__(self, draws: Draws, pools: Mapping[str, Sequence[str]]) -> None:
        self._draws = draws
        self._pools = pools
        self._kept: dict[str, str | Number] = {}

    def __getitem__(self, slot: str) -> str | Number:
        if not slot[-1].isdigit():
            return self._draw(slot)
        if slot not in self._kept:
            self._kept[slot] = self._draw(slot.rstrip("0123456789"))
        return self._kept[slot]

    def _draw(self, pool: str) -> str | Number:
        if pool == "n":
            return Number(self._draws)
        filler = self._draws.pick(self._pools[pool])
        return self.fill(filler) if "{" in filler else filler

    def fill(self, template: str) -> str:
        """`template` with its slots written in; KeyError for a slot that no pool has (a fault of ours)."""
        return template.format_map(self)
