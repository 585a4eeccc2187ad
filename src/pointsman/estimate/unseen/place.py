"""What it takes to route to a model that nobody trained on: a space fitted once, and places in it.

A `Space` is fitted on the prompts and outcomes of the known models. A new model answers a few probe prompts, and
`place` gives an estimator for it; nothing is fitted again (UniRoute, arXiv 2502.08773). Cells may be missing and scores
continuous everywhere. Choosing the probes, asking the model and grading its answers happen elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pointsman.errors import InputError
from pointsman.estimate.fitted import Estimator
from pointsman.records import Outcomes, Prompts


@dataclass(frozen=True, slots=True)
class Probes:
    """n prompts, what the new models made of them, and what the known models did.

    Attributes:
        prompts: the n probe prompts.
        asked: outcomes [n, N] of the models to be placed, NaN where a model was not asked.
        known: outcomes [n, M] of the space's own models on the same prompts, NaN where there is none.
    """

    prompts: Prompts
    asked: Outcomes
    known: Outcomes

    def __post_init__(self) -> None:
        rows = {len(self.prompts), len(self.asked), len(self.known)}
        if len(rows) != 1:
            raise InputError(
                f"{len(self.prompts)} prompts, {len(self.asked)} and {len(self.known)} rows of outcomes",
                place="probes",
                remedy="give the new and the known models' outcomes on exactly the probe prompts, in their order",
            )
        unasked = ~np.isfinite(self.asked.score).any(axis=0)
        if unasked.any():
            raise InputError(
                f"model {self.asked.models[int(unasked.argmax())]!r} has no score on any of {len(self.asked)} probes",
                place="probes",
                remedy="grade at least one of its answers, or leave it out",
            )

    def __len__(self) -> int:
        return len(self.prompts)


class Space(Protocol):
    """What was learned from the known models, and where a new one is put."""

    def place(self, probes: Probes) -> Estimator:
        """An estimator for the N asked models, its columns in the order of `probes.asked.models`."""
