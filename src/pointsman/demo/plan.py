"""The traffic and the story, fixed before anything runs: who asks what when, what happens to the models and when.

Takes seconds, a rate and a generator; gives a `Plan`. Arrivals are a Poisson process with a swell like a day's: quiet
at both ends, busiest in the middle. Nothing here knows models or money; the same seed gives the same plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pointsman.records import Floats

SWELL = 0.6  # the busiest moment has 1.6 times the mean rate, the quietest 0.4 times
TEAMS = ("search", "support", "research")
SHARES = (0.5, 0.3, 0.2)
STREAMED = 0.3
SCORED = 0.3  # of the queries get feedback
PLUG_IN_S = 60.0
FAILS, RECOVERS = 0.62, 0.77  # of the whole time


@dataclass(frozen=True, slots=True)
class Planned:
    """One query to come.

    Attributes:
        row: of the texts that the traffic is made of.
        at_s: since the traffic began.
        team: who asks.
        stream: whether the answer is streamed.
        scored: whether feedback is given on it.
    """

    row: int
    at_s: float
    team: str
    stream: bool
    scored: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is to happen.

    Attributes:
        seconds: how long the traffic lasts.
        rate: queries a second, on average.
        queries: in order of arrival.
        plug_in_s, fails_s, recovers_s: when the new model is plugged in, and when the other one fails and is back.
    """

    seconds: float
    rate: float
    queries: tuple[Planned, ...]
    plug_in_s: float
    fails_s: float
    recovers_s: float

    @property
    def expected(self) -> int:
        """Queries that one would expect beforehand; how many really come is chance."""
        return max(1, round(self.rate * self.seconds))

    @property
    def at_s(self) -> Floats:
        """float [N], when each query comes."""
        return np.array([one.at_s for one in self.queries])

    def arrived(self, at_s: float) -> int:
        """How many queries have come by then."""
        return int(np.searchsorted(self.at_s, at_s))


def make_plan(seconds: float, rate: float, rows: Sequence[int], rng: np.random.Generator) -> Plan:
    """A plan over the rows at hand, one query a row and in their order; fewer queries where fewer rows are there."""
    count = min(len(rows), int(rng.poisson(rate * seconds)))
    times = np.sort(swelling(rng.random(count))) * seconds
    teams = rng.choice(len(TEAMS), size=count, p=SHARES)
    streamed, scored = rng.random(count) < STREAMED, rng.random(count) < SCORED
    queries = tuple(
        Planned(rows[j], float(times[j]), TEAMS[teams[j]], bool(streamed[j]), bool(scored[j])) for j in range(count)
    )
    plug_in_s = min(PLUG_IN_S, seconds / 3)
    return Plan(seconds, rate, queries, plug_in_s, FAILS * seconds, RECOVERS * seconds)


def swelling(lots: Floats) -> Floats:
    """Uniform lots in [0, 1) to times in [0, 1) of density 1 − SWELL cos(2π t), by the inverse of its integral."""
    grid = np.linspace(0.0, 1.0, 2_001)
    passed = grid - SWELL * np.sin(2 * np.pi * grid) / (2 * np.pi)
    times: Floats = np.interp(lots, passed, grid)
    return times
