"""Counters and histograms that gather in plain numbers and hand on in batches.

A count costs a tenth of a microsecond here and one to two in the library, which locks each value and, with several
workers, writes it to a mapped file. So the event loop only notes, and once a second everything is handed on. A process
that is killed takes the counts of its last second with it.
"""

from __future__ import annotations

from bisect import bisect_left

from prometheus_client import Counter, Histogram


class GatheredCounter(Counter):
    """A counter with `note` for the event loop and `settle` for the tick."""

    def _metric_init(self) -> None:
        super()._metric_init()
        self._gathered = 0.0

    def note(self, value: float) -> None:
        """Adds a value of at least zero."""
        self._gathered += value

    def settle(self) -> None:
        """Hands on what was noted since the last time."""
        if self._gathered:
            self.inc(self._gathered)
            self._gathered = 0.0


class GatheredHistogram(Histogram):
    """A histogram with `note` for the event loop and `settle` for the tick."""

    def _metric_init(self) -> None:
        super()._metric_init()
        self._begin()

    def note(self, value: float) -> None:
        """Counts a value into the first bucket whose bound isn't below it."""
        self._counts[bisect_left(self._upper_bounds, value)] += 1
        self._total += value
        self._any = True

    def settle(self) -> None:
        """Hands on what was noted since the last time."""
        if not self._any:
            return
        self._sum.inc(self._total)
        for place, count in enumerate(self._counts):
            if count:
                self._buckets[place].inc(count)
        self._begin()

    def _begin(self) -> None:
        self._counts = [0] * len(self._upper_bounds)
        self._total, self._any = 0.0, False
