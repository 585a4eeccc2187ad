"""How many queries are still to come on a clock that never stops: a declared rate, corrected by what arrives.

`pacing.Volume` knows a horizon with an end; a gateway has none. Takes counts and the seconds that they came in, gives
the rate now and the queries expected in so many seconds from now. Frozen and pure: it reads no clock. Nothing here
knows money, funds or keys.

Two beliefs are kept, one that follows the hour and one that follows the week. A forecast begins at the first and
returns to the second, so that a quiet night doesn't make the rest of the month look quiet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pointsman.errors import InputError

DAY_S = 86_400.0
PRIOR_QUERIES = 20.0  # the declared rate counts as much as this many arrivals, and is forgotten as they are
_KEPT_QUERIES = 1.0  # and as much as this for ever: a rate of nothing at all would make money worthless
HALF_LIFE_S = 3_600.0
LONG_HALF_LIFE_S = 3 * DAY_S


@dataclass(frozen=True, slots=True)
class Belief:
    """A gamma belief about a rate; what is old counts half as much every `half_life_s`.

    Attributes:
        queries, seconds: what has been seen, discounted; the declared rate is in them as imagined arrivals.
        half_life_s: of what is seen.
    """

    queries: float
    seconds: float
    half_life_s: float

    def look(self, arrived: int, elapsed_s: float) -> Belief:
        """The belief after `arrived` queries that came, evenly spread, in `elapsed_s` seconds."""
        kept = math.exp2(-elapsed_s / self.half_life_s)
        # The discounted length of an interval that has just ended: ∫ 2^(−s / half-life) ds over it.
        seconds = self.half_life_s / math.log(2.0) * (1.0 - kept)
        queries = arrived * (seconds / elapsed_s if elapsed_s > 0 else 1.0)
        return Belief(self.queries * kept + queries, self.seconds * kept + seconds, self.half_life_s)

    def rate(self, declared: float) -> float:
        """Queries per second, `declared` having a last word of one query."""
        return (self.queries + _KEPT_QUERIES) / (self.seconds + _KEPT_QUERIES / declared)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What is believed about arrivals; see `expect`.

    Attributes:
        declared: queries per second, as expected before any came.
        short, long: beliefs about the rate of the hour and of the week.
    """

    declared: float
    short: Belief
    long: Belief

    @property
    def rate(self) -> float:
        """Queries per second now."""
        return self.short.rate(self.declared)

    @property
    def usual_rate(self) -> float:
        """Queries per second in the long run."""
        return self.long.rate(self.declared)

    def expected(self, seconds: float) -> float:
        """Queries expected in the next `seconds`.

        What is unusual now fades as fast as it is learned: the rate at s seconds from now is
        usual + (now − usual) · 2^(−s / half-life), and this is its integral.
        """
        half_life = self.short.half_life_s
        fading = half_life / math.log(2.0) * (1.0 - math.exp2(-max(0.0, seconds) / half_life))
        return self.usual_rate * max(0.0, seconds) + (self.rate - self.usual_rate) * fading

    def look(self, arrived: int, elapsed_s: float) -> Arrivals:
        """The belief after `arrived` more queries in `elapsed_s` more seconds.

        Raises:
            InputError: a count or a time below zero.
        """
        if arrived < 0 or not 0 <= elapsed_s < math.inf:
            raise InputError(f"{arrived} queries in {elapsed_s} s", place="arrivals", remedy="give what has passed")
        return Arrivals(self.declared, self.short.look(arrived, elapsed_s), self.long.look(arrived, elapsed_s))


def expect(per_day: float, *, half_life_s: float = HALF_LIFE_S, long_half_life_s: float = LONG_HALF_LIFE_S) -> Arrivals:
    """What is believed before the first query.

    Args:
        per_day: queries expected a day.
        half_life_s: after how long an arrival counts half, for the rate now.
        long_half_life_s: the same for the usual rate.

    Raises:
        InputError: an expectation or a half-life that isn't a finite number above zero.
    """
    given = {"expect_per_day": per_day, "half_life_s": half_life_s, "long_half_life_s": long_half_life_s}
    for name, number in given.items():
        if not 0 < number < math.inf:
            raise InputError(f"{name} is {number}", place="arrivals", remedy="give a finite number above zero")
    declared = per_day / DAY_S
    imagined = PRIOR_QUERIES / declared
    return Arrivals(
        declared, Belief(PRIOR_QUERIES, imagined, half_life_s), Belief(PRIOR_QUERIES, imagined, long_half_life_s)
    )
