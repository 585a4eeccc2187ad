"""Streams of one kind under watch: their detectors, their recent values, and what changed when one rings.

Takes values with their times, gives `Ring`s. A ring needs three things: evidence above the threshold (see `detector`
for what that guarantees), a change of at least the kind's tolerance, and an interval that leaves zero out; the latter
two only make rings rarer. After one, a stream's reference is what came since the change, so a change rings once and
going back rings again. Memory is bounded: a histogram and the latest values of each stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import InputError
from pointsman.estimate.drift.bets import share_bets, shift_bets
from pointsman.estimate.drift.change import Change, changed_mean, changed_shares, shares_around
from pointsman.estimate.drift.detector import Detectors, begin_again, new_detectors, watch
from pointsman.records import Floats, Ints

RECENT = 2_048  # values of a stream among which a change is looked for
QUERIES_PER_FALSE_ALARM = 250_000
STREAMS_PER_QUERY = 4  # score, cost and length of the model that served, and the traffic's mix
THRESHOLD = float(QUERIES_PER_FALSE_ALARM * STREAMS_PER_QUERY)
MIX_PARTS = 32


@dataclass(frozen=True, slots=True)
class Kind:
    """What a stream's values are.

    Attributes:
        name: "score", "cost", "length" or "mix".
        most: values beyond it count as it; for a mix, the number of parts.
        bins: how finely values are told apart, from −most to most.
        tolerance: a change smaller than this is none.
    """

    name: str
    most: float
    bins: int
    tolerance: float

    @property
    def centres(self) -> Floats:
        """The values that the bins stand for [B]."""
        return np.linspace(-self.most, self.most, self.bins)

    def bins_of(self, values: Floats) -> Ints:
        """The bins of values; those of a mix are its parts."""
        if self.name == "mix":
            return np.clip(values, 0, self.bins - 1).astype(np.int64)
        place = (np.clip(values, -self.most, self.most) + self.most) / (2 * self.most) * (self.bins - 1)
        return np.rint(place).astype(np.int64)


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("score", 1.0, 201, 0.05),
        Kind("cost", 3.0, 601, float(np.log(1.1))),
        Kind("length", 6.0, 241, float(np.log(1.25))),
        Kind("mix", MIX_PARTS, MIX_PARTS, 0.02),
    )
}


@dataclass(frozen=True, slots=True)
class Ring:
    """A detector went off.

    Attributes:
        stream: whose.
        change: what it did.
        since_s: time of the first value after the change, Unix seconds.
        evidence: the e-detector's value; among values that don't change, at most one in so many rings.
        shares: of a mix, the shares [2, parts] before and after; else empty.
    """

    stream: str
    change: Change
    since_s: float
    evidence: float
    shares: Floats = field(default_factory=lambda: np.zeros((2, 0)))


class Streams:
    """All streams of one kind, by name.

    Args:
        kind: what their values are.
        names: of S streams, all different.
        threshold: evidence that rings.
    """

    def __init__(self, kind: Kind, names: Sequence[str], threshold: float = THRESHOLD) -> None:
        self.kind, self.names, self.threshold = kind, tuple(names), threshold
        self._bets = share_bets() if kind.name == "mix" else shift_bets()
        self.place = {name: i for i, name in enumerate(self.names)}
        self.detectors: Detectors = new_detectors(len(self.names), kind.bins, len(self._bets))
        self._bins = np.zeros((len(self.names), RECENT), np.int16)
        self._times_s = np.zeros((len(self.names), RECENT), np.float64)
        self._written = np.zeros(len(self.names), np.int64)  # since the reference began

    def see(self, streams: Ints, values: Floats, times_s: Floats, lots: Floats) -> list[Ring]:
        """One new value for each of some streams, all different.

        Args:
            streams: int [W], their places in `names`.
            values: float [W].
            times_s: float [W], Unix seconds.
            lots: float [W], uniform in [0, 1).
        """
        bins = self.kind.bins_of(values)
        slot = self._written[streams] % RECENT
        self._bins[streams, slot] = bins
        self._times_s[streams, slot] = times_s
        self._written[streams] += 1
        evidence = watch(self.detectors, streams, bins, lots, self._bets)
        loud = np.flatnonzero(evidence >= self.threshold)
        rings = (self._rung(int(streams[i]), float(evidence[i])) for i in loud)
        return [ring for ring in rings if ring is not None]

    def refer(self, stream: str, counts: Ints | None = None) -> None:
        """A stream begins anew, with these values (by bin) as its reference, or none."""
        i = self.place[stream]
        bins = None if counts is None else np.repeat(np.arange(len(counts)), counts)
        begin_again(self.detectors, i, np.zeros(0, np.int64) if bins is None else bins)
        self._written[i] = 0

    def seen(self, stream: str) -> int:
        """How many values its reference has."""
        return int(self.detectors.seen[self.place[stream]])

    def _recent(self, i: int) -> tuple[Ints, Floats]:
        """The latest bins and times in the order in which they came."""
        written = int(self._written[i])
        order = np.arange(max(0, written - RECENT), written) % RECENT
        return self._bins[i, order].astype(np.int64), self._times_s[i, order]

    def _rung(self, i: int, evidence: float) -> Ring | None:
        bins, times_s = self._recent(i)
        older = self.detectors.counts[i] - np.bincount(bins, minlength=self.kind.bins)
        change = self._change(bins, older)
        if change is None or abs(change.difference) < self.kind.tolerance or change.low <= 0.0 <= change.high:
            begin_again(self.detectors, i)
            return None
        shares = np.zeros((2, 0))
        if self.kind.name == "mix":
            shares = np.array(shares_around(bins, older, change.first))
        self._keep_from(i, change.first, bins, times_s)
        return Ring(self.names[i], change, float(times_s[change.first]), evidence, shares)

    def _change(self, bins: Ints, older: Ints) -> Change | None:
        if self.kind.name == "mix":
            return changed_shares(bins, older)
        centres = self.kind.centres
        sums = np.array([older.sum(), older @ centres, older @ centres**2])
        return changed_mean(centres[bins], sums)

    def _keep_from(self, i: int, first: int, bins: Ints, times_s: Floats) -> None:
        """The reference is what came since the change."""
        kept = len(bins) - first
        self._bins[i, :kept], self._times_s[i, :kept] = bins[first:], times_s[first:]
        self._written[i] = kept
        begin_again(self.detectors, i, bins[first:])

    # Kept over restarts

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything, as arrays that change with it."""
        one = self.detectors
        return {
            "names": np.array(self.names, dtype=np.str_),
            "counts": one.counts,
            "seen": one.seen,
            "money": one.money,
            "bins": self._bins,
            "times_s": self._times_s,
            "written": self._written,
        }

    def take_over(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Goes on where a state stood, with the streams that are in both.

        Raises:
            InputError: it is of other bins or bets than this version's.
        """
        mine = self.state()
        for name in ("counts", "money", "bins"):
            if state[name].shape[1:] != mine[name].shape[1:]:
                raise InputError(f"`{name}` is {state[name].shape}", place="drift", remedy="remove the file")
        names = state["names"].tolist()
        both = [name for name in names if name in self.place]
        here, there = [self.place[name] for name in both], [names.index(name) for name in both]
        for name in ("counts", "seen", "money", "bins", "times_s", "written"):
            mine[name][here] = state[name][there]
