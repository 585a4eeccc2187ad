"""Has a stream changed? A sequential test with a stated rate of false alarms, for streams whose law nobody knows.

Each value is ranked among all values since the stream's reference began, itself included, ties broken by lot. While the
values come independently from one law, these ranks are independent and uniform (conformal p-values: Vovk, Nouretdinov,
Gammerman 2003), whatever the law: no mean, variance or tail has to be known. Money is bet on them, and a new stake is
put in at every value: R ← (1 + R) · bet(rank), averaged over the bets of `bets` (the Shiryaev–Roberts e-detector of
Shin, Ramdas and Rinaldo, "E-detectors", 2022, definition 2.4 and section 4; on conformal p-values as in Vovk et al.,
"Retrain or not retrain", 2021). R minus the number of values is a martingale. So with an alarm at R ≥ c and a new start
after it, the expected number of false alarms among n values is at most n / c, for every n. Over several streams these
bounds add up, so what counts is how many streams a query feeds, not how many there are.

All functions take and give arrays over S streams. No I/O, no clock; the lots that break ties are handed in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointsman.estimate.drift.bets import CELLS
from pointsman.records import Floats, Ints


@dataclass(slots=True)
class Detectors:
    """S streams' states; changed in place by `watch`.

    Attributes:
        counts: int [S, B], values seen since the reference began, by bin.
        seen: int [S], their number.
        money: float [S, K], what each bet has come to.
    """

    counts: Ints
    seen: Ints
    money: Floats

    @property
    def evidence(self) -> Floats:
        """The e-detector R [S]; 0 for a stream without values."""
        evidence: Floats = self.money.mean(axis=1)
        return evidence


def new_detectors(streams: int, bins: int, bets: int) -> Detectors:
    """Streams that have seen nothing."""
    return Detectors(
        np.zeros((streams, bins), np.int64), np.zeros(streams, np.int64), np.zeros((streams, bets), np.float64)
    )


def ranks(counts: Ints, seen: Ints, bins: Ints, lots: Floats) -> Floats:
    """Where new values rank among those seen and themselves, in (0, 1): uniform while nothing changes.

    Args:
        counts: int [S, B], without the new values.
        seen: int [S].
        bins: int [S], of the new values.
        lots: float [S], uniform in [0, 1): they break ties.
    """
    below = np.where(np.arange(counts.shape[1]) < bins[:, None], counts, 0).sum(axis=1)
    ties = counts[np.arange(len(bins)), bins] + 1
    rank: Floats = (below + lots * ties) / (seen + 1)
    return rank


def watch(detectors: Detectors, streams: Ints, bins: Ints, lots: Floats, bets: Floats) -> Floats:
    """One new value for each of some streams, all different; gives their evidence after it.

    Args:
        detectors: changed.
        streams: int [W], which ones.
        bins: int [W], the values' bins.
        lots: float [W], uniform in [0, 1).
        bets: float [K, CELLS].
    """
    rank = ranks(detectors.counts[streams], detectors.seen[streams], bins, lots)
    cell = np.minimum((rank * CELLS).astype(np.int64), CELLS - 1)
    money = (1.0 + detectors.money[streams]) * bets[:, cell].T
    detectors.money[streams] = money
    detectors.counts[streams, bins] += 1
    detectors.seen[streams] += 1
    evidence: Floats = money.mean(axis=1)
    return evidence


def begin_again(detectors: Detectors, stream: int, bins: Ints | None = None) -> None:
    """No money on the table; with `bins`, a reference of these values alone."""
    detectors.money[stream] = 0.0
    if bins is not None:
        detectors.counts[stream] = np.bincount(bins, minlength=detectors.counts.shape[1])
        detectors.seen[stream] = len(bins)
