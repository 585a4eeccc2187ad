"""How many queries are still to come: a forecast, corrected by what arrives.

Takes the forecast for the whole horizon, the queries seen so far and the share of the horizon's time that has passed;
gives the number still expected. It knows nothing of money. A batch with no clock passes seen / forecast as time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

PRIOR_QUERIES = 100.0  # the forecast counts as much as this many arrivals: a forecast off by two is half undone by then


@dataclass(frozen=True, slots=True)
class Volume:
    """A belief about the arrival rate: a gamma prior at the forecast, discounted by how bursty arrivals are.

    Attributes:
        forecast: queries expected over the whole horizon, before the first one.
        seen, elapsed: what was known at the last look.
        looks, excess: for the dispersion: the number of looks, and their summed squared surprise over its Poisson
            variance. Steady arrivals give about 1 a look; bursts give more, and count as that much less evidence.
    """

    forecast: float
    seen: int = 0
    elapsed: float = 0.0
    looks: int = 0
    excess: float = 0.0

    @property
    def dispersion(self) -> float:
        """Variance over mean of the arrivals, at least 1; a prior of four steady looks."""
        return max(1.0, (4.0 + self.excess) / (4.0 + self.looks))

    @property
    def total(self) -> float:
        """Expected queries over the whole horizon, as believed now."""
        evidence = 1.0 / self.dispersion
        return (PRIOR_QUERIES + self.seen * evidence) / (PRIOR_QUERIES / self.forecast + self.elapsed * evidence)

    @property
    def to_come(self) -> float:
        """Queries still expected, at least one."""
        return max(1.0, self.total * (1.0 - self.elapsed))

    def look(self, seen: int, elapsed: float) -> Volume:
        """The belief after `seen` queries in `elapsed` of the time."""
        arrived, passed = seen - self.seen, elapsed - self.elapsed
        if arrived <= 0 and passed <= 0:
            return self
        expected = max(1.0, self.total * passed)
        surprise = (arrived - expected) ** 2 / expected
        return replace(self, seen=seen, elapsed=elapsed, looks=self.looks + 1, excess=self.excess + surprise)
