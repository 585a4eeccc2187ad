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
        looks, squares: for the dispersion: the number of looks, and the sum of arrivals² / time over them.
    """

    forecast: float
    seen: int = 0
    elapsed: float = 0.0
    looks: int = 0
    squares: float = 0.0

    @property
    def dispersion(self) -> float:
        """Variance over mean of the arrivals around their own mean rate, at least 1; a prior of four steady looks.

        Steady arrivals give about 1. Bursts give more, and count as that much less evidence on the rate.
        """
        if self.looks < 2:
            return 1.0
        # Σ (arrived − rate · time)² / (rate · time), multiplied out.
        surprise = self.squares * self.elapsed / self.seen - self.seen if self.seen else 0.0
        return max(1.0, (4.0 + surprise) / (4.0 + self.looks - 1.0))

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
        if passed <= 0:
            return self  # no time has passed: these arrivals are counted at the next look
        squares = self.squares + arrived**2 / passed
        return replace(self, seen=seen, elapsed=elapsed, looks=self.looks + 1, squares=squares)
