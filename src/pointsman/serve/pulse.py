"""What happened lately, step by step: the figures behind the dashboard's charts.

Takes exchanges that have ended and scores, on the event loop, a few microseconds each; gives what each step of two
seconds came to. Times are handed in. A step holds counts and sums alone, nothing of a query, so steps of several
workers, or of a whole minute, add up. `serve.pulse_file` keeps them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pointsman.serve.finished import Finished

STEP_S = 2
# Overheads are counted in classes that each reach 9 % further than the one before, from 1 µs on.
FINEST_MS = 0.001
CLASSES_AN_OCTAVE = 8
MOST_WAITING = 300  # steps that couldn't be written yet: ten minutes

Counts = dict[Any, int]
FundRow = tuple[int, int, int, float | None]
"""Of one fund: remaining, held, spent, price."""


@dataclass(slots=True)
class Step:
    """What one step came to.

    Attributes:
        queries: all that ended: served, refused, and failed, with those whose client left among the failed.
        cost_nano: posted for them.
        quality_sum, qualities: of the estimates for the models that served.
        feedback_sum, feedbacks: of the scores that were given in it, whenever their queries were.
        overhead: queries by class of what the gateway itself took.
        by_model: served.
    """

    queries: int = 0
    served: int = 0
    refused: int = 0
    failed: int = 0
    cost_nano: int = 0
    quality_sum: float = 0.0
    qualities: int = 0
    feedback_sum: float = 0.0
    feedbacks: int = 0
    overhead: Counts = field(default_factory=dict)
    by_model: Counts = field(default_factory=dict)

    def add(self, finished: Finished) -> None:
        """One exchange more."""
        self.queries += 1
        self.cost_nano += finished.cost_nano
        place = overhead_class(finished.overhead_s * 1e3)
        self.overhead[place] = self.overhead.get(place, 0) + 1
        if finished.outcome == "served":
            self.served += 1
            self._add_served(finished)
        elif finished.outcome == "refused":
            self.refused += 1
        else:
            self.failed += 1

    def _add_served(self, finished: Finished) -> None:
        model = finished.model or ""
        self.by_model[model] = self.by_model.get(model, 0) + 1
        chosen = next((one for one in finished.candidates if one.model == model), None)
        if chosen is not None and math.isfinite(chosen.quality):
            self.quality_sum += chosen.quality
            self.qualities += 1

    def absorb(self, other: Step) -> None:
        """Another worker's, or a later one."""
        for name in SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, theirs in ((self.overhead, other.overhead), (self.by_model, other.by_model)):
            for key, count in theirs.items():
                mine[key] = mine.get(key, 0) + count

    def point(self, t: int) -> dict[str, Any]:
        """As the dashboard gets it."""
        return {
            "t": t,
            "queries": self.queries,
            "served": self.served,
            "refused": self.refused,
            "failed": self.failed,
            "cost_nano": self.cost_nano,
            "quality": _mean(self.quality_sum, self.qualities),
            "feedback": _mean(self.feedback_sum, self.feedbacks),
            "feedbacks": self.feedbacks,
            "overhead_p50_ms": quantile_ms(self.overhead, 0.5),
            "overhead_p99_ms": quantile_ms(self.overhead, 0.99),
            "by_model": self.by_model,
        }


SUMS = (
    *("queries", "served", "refused", "failed", "cost_nano"),
    *("quality_sum", "qualities", "feedback_sum", "feedbacks"),
)


def _mean(total: float, count: int) -> float | None:
    return total / count if count else None


def overhead_class(ms: float) -> int:
    """The class that an overhead falls into."""
    return 0 if ms <= FINEST_MS else int(math.log2(ms / FINEST_MS) * CLASSES_AN_OCTAVE)


def quantile_ms(classes: Mapping[int, int], share: float) -> float | None:
    """An overhead that `share` of the queries stayed below, within 5 %; None of none.

    Args:
        classes: queries by class.
        share: in (0, 1].
    """
    wanted = share * sum(classes.values())
    so_far = 0
    for place in sorted(classes):
        so_far += classes[place]
        if so_far >= wanted:
            return FINEST_MS * math.exp2((place + 0.5) / CLASSES_AN_OCTAVE)
    return None


class Pulse:
    """One worker's steps, on the event loop."""

    def __init__(self) -> None:
        self._steps: dict[int, Step] = {}
        self._taken = 0  # every step before this one has been handed on

    def note(self, ended: Sequence[Finished], at_s: float) -> None:
        """Exchanges that have ended just now."""
        step = self._step(at_s)
        for finished in ended:
            step.add(finished)

    def score(self, score: float, at_s: float) -> None:
        """A score that was given just now."""
        step = self._step(at_s)
        step.feedback_sum += score
        step.feedbacks += 1

    def take(self, at_s: float) -> dict[int, Step]:
        """The steps that are over, by their beginning; each is handed on once."""
        now = step_of(at_s)
        over = {t: step for t, step in self._steps.items() if t < now}
        for t in over:
            del self._steps[t]
        self._taken = max(self._taken, now)
        return over

    def give_back(self, steps: Mapping[int, Step]) -> None:
        """Steps that couldn't be written; the latest of them are kept for another try."""
        self._steps = dict(sorted({**steps, **self._steps}.items())[-MOST_WAITING:])

    def _step(self, at_s: float) -> Step:
        # A clock that was put back must not open a step that is written already.
        return self._steps.setdefault(max(step_of(at_s), self._taken), Step())


def step_of(at_s: float) -> int:
    """When the step of a moment began, whole Unix seconds."""
    return int(at_s) // STEP_S * STEP_S


def merged(steps: Iterable[tuple[int, Step]], length_s: int) -> dict[int, Step]:
    """Steps added up to longer ones, by their beginnings, in order."""
    found: dict[int, Step] = {}
    for t, step in steps:
        found.setdefault(t // length_s * length_s, Step()).absorb(step)
    return dict(sorted(found.items()))
