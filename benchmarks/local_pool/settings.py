"""The pool: one small model at several settings, and another one, each under a name and a rate of its own.

Takes nothing, gives `SETTINGS` and the `models` section of a configuration over them. The rates are ours: nobody sells
these. They follow what a token costs to make here (a second for about 120 tokens of SmolLM2, 190 requantised, 110 of
Gemma, on two cores), with the terse one at half, as an offer for short answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

CONTEXT_TOKENS = 4_096
SMOL, SMOL_LOW, GEMMA = "smollm2-q4_1", "smollm2-q4_0", "gemma3-270m-q4_k_m"
TERSE = "Answer with the result alone: no explanation, no repetition of the question."
STEPS = "Work in short steps. Give the result alone on the last line."


@dataclass(frozen=True, slots=True)
class Setting:
    """One way of asking one model's weights.

    Attributes:
        model: its id in a configuration; the front knows it by the part after the slash.
        weights: a name of `weights.WEIGHTS`.
        input_usd, output_usd: per million tokens.
        temperature: of sampling; 0 takes the likeliest token.
        most_output_tokens: an answer's limit, whatever a query allows.
        system: put before the query's own system message.
        examples: whether worked examples go first.
        tries: how many answers are made, of which the one most like the others is given; all are charged.
        base: the weights know no turns of a chat: everything is put into one text to go on with.
        about: one line for the table.
    """

    model: str
    weights: str
    input_usd: float
    output_usd: float
    temperature: float = 0.0
    most_output_tokens: int = 128
    system: str = ""
    examples: bool = False
    tries: int = 1
    base: bool = False
    about: str = ""

    @property
    def name(self) -> str:
        """What the front calls it."""
        return self.model.partition("/")[2]


SETTINGS: tuple[Setting, ...] = (
    Setting("local/smol", SMOL, 0.10, 0.40, about="as it comes: chat template, temperature 0"),
    Setting(
        "local/smol-terse",
        SMOL,
        0.05,
        0.20,
        system=TERSE,
        most_output_tokens=24,
        about="told to give the result alone, 24 tokens at most",
    ),
    Setting("local/smol-examples", SMOL, 0.10, 0.40, examples=True, about="three worked examples of the kind first"),
    Setting(
        "local/smol-steps",
        SMOL,
        0.10,
        0.40,
        system=STEPS,
        most_output_tokens=192,
        about="told to work in steps, 192 tokens at most",
    ),
    Setting(
        "local/smol-vote",
        SMOL,
        0.10,
        0.40,
        temperature=0.5,
        tries=3,
        about="three tries at temperature 0.5, the one most like the others",
    ),
    Setting("local/smol-hot", SMOL, 0.10, 0.40, temperature=1.3, about="temperature 1.3: the bad apple"),
    Setting("local/smol-q4", SMOL_LOW, 0.06, 0.24, about="requantised to Q4_0, embeddings too"),
    Setting(
        "local/gemma",
        GEMMA,
        0.11,
        0.44,
        base=True,
        examples=True,
        most_output_tokens=96,
        about="a base model: three worked examples, then the question",
    ),
)


def by_name(settings: Iterable[Setting] = SETTINGS) -> dict[str, Setting]:
    """Settings by what the front calls them."""
    return {one.name: one for one in settings}


def model_entries(front: str, settings: Iterable[Setting] = SETTINGS) -> list[dict[str, Any]]:
    """The `models` of a configuration: the first serves, since somebody has to, and the others wait to be onboarded.

    Args:
        front: the front's address, without `/v1`.
        settings: which.
    """
    return [
        {
            "id": one.model,
            "base_url": f"{front}/v1",
            "kind": "openai",
            "key": "none",
            "model": one.name,
            "shapes": ["chat"],
            "rates": {"input": one.input_usd, "output": one.output_usd},
            "context": CONTEXT_TOKENS,
            "max_output": one.most_output_tokens,
            "capabilities": ["tools"],
            "duty": "waiting" if number else "serving",
        }
        for number, one in enumerate(settings)
    ]
