"""Putting a probe to a model: what comes back, what can go wrong, and how often it is tried again.

`Ask` is the seam to the outside; `Replaying` is its twin in memory, which answers with what was recorded. Failures are
of three kinds: one that may pass (`Unanswered` with `again`), one that won't, and money that has run out
(`OutOfMoney`), which nobody tries again. Clock, pauses and chance are handed in.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from pointsman.pool.graders.grade import Reply
from pointsman.pool.probes.probe import Probe

TRIES = 3
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Answered:
    """A model's answer to a probe.

    Attributes:
        reply: what it said.
        at_s: Unix seconds, when it had been said.
        cost_nano: what it took, in nano-dollars; None where nobody told.
        input_tokens, output_tokens: as billed; None where nobody told.
        latency_ms: from asking to the whole answer; None where it wasn't measured.
    """

    reply: Reply
    at_s: float
    cost_nano: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_ms: float | None = None


class Unanswered(Exception):  # noqa: N818 (an answer of a kind)
    """No answer came.

    Args:
        why: one line for people, without the probe's text.
        again: whether asking again may help.
        after_s: not before so many seconds; None leaves it open.
    """

    def __init__(self, why: str, *, again: bool, after_s: float | None = None) -> None:
        super().__init__(why)
        self.why, self.again, self.after_s = why, again, after_s


class OutOfMoney(Exception):  # noqa: N818 (an answer of a kind)
    """A fund can't pay for another answer.

    Args:
        fund: its name.
    """

    def __init__(self, fund: str) -> None:
        super().__init__(fund)
        self.fund = fund


class Ask(Protocol):
    """Puts one probe to the model that is being onboarded; called from several threads at once."""

    def __call__(self, probe: Probe, /) -> Answered:
        """Its answer.

        Raises:
            Unanswered: none came.
            OutOfMoney: none can be paid for.
        """


def persistently(ask: Ask, probe: Probe, sleep: Callable[[float], None], draw: random.Random) -> Answered:
    """Asks up to three times, with growing pauses between.

    Raises:
        Unanswered: the last try's.
        OutOfMoney: at once.
    """
    for tried in range(1, TRIES + 1):
        try:
            return ask(probe)
        except Unanswered as failure:
            if not failure.again or tried == TRIES:
                raise
            sleep(pause_s(tried, failure.after_s, draw.random()))
    raise AssertionError("unreachable")


def pause_s(tried: int, after_s: float | None, lot: float) -> float:
    """How long to wait after so many tries: doubled each time, half of it by chance, at least what was asked for."""
    own = FIRST_PAUSE_S * 2.0 ** (tried - 1) * (0.5 + lot / 2.0)
    return min(LONGEST_PAUSE_S, max(own, after_s or 0.0))


@dataclass(frozen=True)
class Replaying:
    """Answers from memory, by the probe's id; what isn't there can't be answered."""

    answers: Mapping[str, Answered]

    def __call__(self, probe: Probe) -> Answered:
        """The recorded answer."""
        found = self.answers.get(probe.id)
        if found is None:
            raise Unanswered("nothing is recorded", again=False)
        return found
