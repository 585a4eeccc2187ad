"""Adam (Kingma and Ba, 2015, algorithm 1) on mini-batches, with decoupled weight decay (Loshchilov and Hutter, 2019).

Takes a tuple of arrays and a function that gives the slopes of a mean loss on some rows; gives a new tuple. When to
stop is for the caller to say. The arithmetic is done in the arrays' own precision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pointsman.records import Ints

Arrays = tuple[NDArray[np.floating], ...]
Slopes = Callable[[Arrays, Ints], Arrays]
"""Parameters and row numbers -> the slope of the mean loss on those rows in each parameter."""

FIRST_DECAY, SECOND_DECAY, FLOOR = 0.9, 0.999, 1e-8  # β₁, β₂, ε of the paper


class Adam:
    """The running moments of one descent.

    Attributes:
        rate: how far a first step goes in every entry.
        weight_decay: one number an array: the share that a step takes off it is `rate` times this.
    """

    def __init__(self, rate: float, weight_decay: Sequence[float]) -> None:
        self.rate = rate
        self.weight_decay = tuple(weight_decay)
        self._steps = 0
        self._first: list[NDArray[np.floating]] = []
        self._second: list[NDArray[np.floating]] = []

    def step(self, parameters: Arrays, slopes: Arrays) -> Arrays:
        """The parameters after one step against `slopes`."""
        if self._steps == 0:
            self._first, self._second = [np.zeros_like(s) for s in slopes], [np.zeros_like(s) for s in slopes]
        self._steps += 1
        # Both corrections for moments that start at zero, folded into the step's length and floor.
        root = float(np.sqrt(1.0 - SECOND_DECAY**self._steps))
        length, floor = self.rate * root / (1.0 - FIRST_DECAY**self._steps), FLOOR * root
        moved = []
        for at, (array, slope, decay) in enumerate(zip(parameters, slopes, self.weight_decay, strict=True)):
            first, second = self._first[at], self._second[at]
            first += (1.0 - FIRST_DECAY) * (slope - first)
            second += (1.0 - SECOND_DECAY) * (slope * slope - second)
            moved.append(array * (1.0 - self.rate * decay) - length * first / (np.sqrt(second) + floor))
        return tuple(moved)

    def epoch(self, parameters: Arrays, slopes: Slopes, rows: Ints, batch: int, rng: np.random.Generator) -> Arrays:
        """The parameters after every one of `rows` was used once, in batches of a random order."""
        order = rng.permutation(rows)
        for at in range(0, len(order), batch):
            picked = order[at : at + batch]
            parameters = self.step(parameters, slopes(parameters, picked))
        return parameters
