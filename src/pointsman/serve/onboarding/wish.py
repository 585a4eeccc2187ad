"""What an onboarding is to do, and who is told what happens meanwhile. Plain values."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from pointsman.onboard.run import Report


@dataclass(frozen=True)
class Wish:
    """What an onboarding is to do; the fields are the command line's.

    Attributes:
        budget_nano: US nano-dollars that it may cost in all, over all runs.
        log: picks prompts of stored outcomes and not of the suite.
        probes: how many, or which; see `candidates`.
        wait: until the gateway knows the model by its outcomes.
    """

    model: str
    config: Path
    url: str | None
    probes: str | None
    log: bool
    budget_nano: int
    concurrency: int
    judge: str | None
    seed: int
    restart: bool
    shadow: bool
    force_all: bool
    again: bool
    wait: bool


@dataclass(frozen=True)
class Teller:
    """Who is told what happens.

    Attributes:
        say: takes a sentence.
        watched: gives, for a model's id, who is told of progress while probes are asked.
    """

    say: Callable[[str], None]
    watched: Callable[[str], AbstractContextManager[Report]]
