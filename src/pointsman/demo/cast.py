"""Who plays in the demo: seven of the simulated models, how fast their servers are, who joins later and who fails.

Takes nothing, gives `CAST`. The models are those of `evaluate.simulated`, with their skills and rates; only how long a
server takes is said here. Chosen for being unlike each other, before any of it was run.
"""

from __future__ import annotations

from dataclasses import dataclass

from pointsman.evaluate.simulated import MODELS
from pointsman.evaluate.simulated.models import SimulatedModel


@dataclass(frozen=True, slots=True)
class Part:
    """One model's part.

    Attributes:
        model: of the simulation, which says its skills and rates.
        first_token_s: median time to the first token.
        tokens_per_s: how fast it writes afterwards.
    """

    model: SimulatedModel
    first_token_s: float
    tokens_per_s: float

    @property
    def id(self) -> str:
        """In configuration, history and tables."""
        return self.model.id

    @property
    def name(self) -> str:
        """What its server and its fund are called."""
        return self.model.id.partition("/")[2]


_BY_ID = {model.id: model for model in MODELS}
CAST: tuple[Part, ...] = (
    Part(_BY_ID["simulated/nano"], 0.05, 900.0),
    Part(_BY_ID["simulated/small-a"], 0.08, 700.0),
    Part(_BY_ID["simulated/code-small"], 0.08, 600.0),
    Part(_BY_ID["simulated/maths-small"], 0.10, 900.0),
    Part(_BY_ID["simulated/medium-languages"], 0.15, 350.0),
    Part(_BY_ID["simulated/large-a"], 0.30, 200.0),
    Part(_BY_ID["simulated/small-b"], 0.09, 600.0),
)
NEWCOMER = "simulated/small-b"
FAILING = "simulated/code-small"
