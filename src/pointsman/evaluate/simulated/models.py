"""The twelve simulated models: invented ids, invented skills, rates of the size that real lists show.

Takes nothing, gives `MODELS`. None of them stands for a real model, and their ids can't be mistaken for one.
"""

from __future__ import annotations

from dataclasses import dataclass

SKILLS = ("maths", "logic", "code", "writing", "knowledge", "languages", "context", "care")


@dataclass(frozen=True, slots=True)
class SimulatedModel:
    """One simulated model.

    Attributes:
        id: `simulated/...`.
        input_rate, output_rate: USD per million tokens.
        skills: one number for each of `SKILLS`; 0 just copes with a middling query, +1 is a whole class better.
        verbosity: tokens of its answers over those of a plain one.
        thinking_tokens: median of what it writes before the answer to a middling query; 0 where it doesn't.
    """

    id: str
    input_rate: float
    output_rate: float
    skills: tuple[float, ...]
    verbosity: float
    thinking_tokens: float = 0.0


MODELS = (
    #                                              rates        maths logic  code write  know langs  ctxt  care
    SimulatedModel("simulated/nano", 0.05, 0.08, (-1.0, -1.1, -1.0, -0.2, -0.9, -1.0, -1.1, -0.8), 0.8),
    SimulatedModel("simulated/small-a", 0.10, 0.20, (-0.5, -0.6, -0.5, 0.3, -0.4, -0.6, -0.5, -0.3), 1.0),
    SimulatedModel("simulated/small-b", 0.15, 0.60, (-0.2, -0.2, -0.1, 0.4, 0.0, 0.1, 0.4, 0.5), 0.9),
    SimulatedModel("simulated/code-small", 0.12, 0.35, (0.0, 0.0, 1.3, -0.4, -0.8, -0.9, -0.2, 0.1), 0.9),
    SimulatedModel("simulated/maths-small", 0.10, 0.40, (1.5, 0.7, 0.0, -0.5, -0.7, -1.0, -0.6, -0.2), 1.9),
    SimulatedModel("simulated/medium-a", 0.40, 1.20, (0.4, 0.4, 0.5, 0.8, 0.7, 0.3, 0.2, 0.4), 1.1),
    SimulatedModel("simulated/medium-languages", 0.60, 1.80, (0.2, 0.3, 0.2, 1.0, 0.6, 1.7, 0.5, 0.3), 1.0),
    SimulatedModel("simulated/medium-context", 0.80, 3.20, (0.4, 0.5, 0.6, 0.9, 0.8, 0.5, 2.1, 0.8), 0.9),
    SimulatedModel("simulated/reasoning-small", 1.10, 4.40, (2.1, 2.0, 1.7, 0.3, 0.3, 0.2, 0.3, 1.0), 0.8, 700.0),
    SimulatedModel("simulated/large-a", 2.50, 10.00, (1.2, 1.2, 1.4, 1.3, 2.0, 1.3, 1.3, 1.1), 1.0),
    SimulatedModel("simulated/large-b", 3.00, 15.00, (1.0, 1.3, 2.1, 2.0, 1.4, 1.2, 1.5, 1.9), 1.2),
    SimulatedModel("simulated/reasoning-large", 15.00, 60.00, (2.7, 2.8, 2.0, 1.1, 1.7, 1.2, 1.2, 1.2), 0.9, 1100.0),
)
