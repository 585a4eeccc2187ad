"""Saved deferral rows as figures: means, deviations and medians over trials, and who is above whom how often.

Takes `rows.DeferralRows`; gives one `MethodSummary` for every method, number of probes and way of choosing them. Two
methods are compared only on the trials that both have run, with the same probes. "Above" is the share of those trials
with the larger area, ties counting half; the sign test is two-sided and exact, over the trials without a tie.
Reads and writes no file, lays out no table.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import binomtest

from pointsman.errors import InputError
from pointsman.evaluate.deferral.records import ROWS_FILE, DeferralRows, TrialRow

LEVEL = 0.01  # at which the sign test is read
_SAME = 1e-12  # areas nearer than this differ by rounding alone

Key = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Against:
    """One method against another on the trials that both have run.

    Attributes:
        share: of the trials in which its area is above the other's, ties counting half.
        p: of the sign test; 1 if every trial is tied.
        difference: mean area less the other's.
        trials: how many.
    """

    share: float
    p: float
    difference: float
    trials: int

    @property
    def holds(self) -> bool:
        """Whether the sign test tells the two apart, in either direction."""
        return self.p < LEVEL


@dataclass(frozen=True, slots=True)
class MethodSummary:
    """One method with one number of probes, over its trials.

    Deviations are sample deviations (n - 1), NaN for a single trial.

    Attributes:
        trials: how many.
        area_mean, area_sd, area50_mean, peak_mean: over trials.
        qnc_median: infinite if half of the trials or more never get there.
        seconds_mean: fitting, placing and estimating, a trial.
        zero, knn, kmeans: against that method; None if it has not run on any of the trials.
        coverage: share of the 90 % intervals that held; None without intervals.
    """

    trials: int
    area_mean: float
    area_sd: float
    area50_mean: float
    qnc_median: float
    peak_mean: float
    seconds_mean: float
    zero: Against | None
    knn: Against | None
    kmeans: Against | None
    coverage: float | None

    @property
    def beats_zero(self) -> float | None:
        """Share of the trials above `zero`."""
        return self.zero.share if self.zero else None

    @property
    def beats_knn(self) -> float | None:
        """Share of the trials above `knn`."""
        return self.knn.share if self.knn else None

    @property
    def beats_kmeans(self) -> float | None:
        """Share of the trials above `kmeans`."""
        return self.kmeans.share if self.kmeans else None


def summarise(rows: DeferralRows) -> dict[Key, MethodSummary]:
    """By method, number of probes and probing, in the order in which they were first written.

    Raises:
        InputError: there are no rows.
    """
    if not rows.rows:
        raise InputError("there are no rows yet", place=ROWS_FILE, remedy="let at least one trial finish")
    grouped: dict[Key, dict[int, TrialRow]] = {}
    for row in rows.rows:
        grouped.setdefault((row.method, row.probes, row.probing), {})[row.trial] = row
    return {key: _summary(key, grouped) for key in grouped}


def _summary(key: Key, grouped: Mapping[Key, Mapping[int, TrialRow]]) -> MethodSummary:
    rows = list(grouped[key].values())
    areas, looked = [row.area for row in rows], sum(row.intervals for row in rows)
    others = {name: _against(key, (name, *key[1:]), grouped) for name in ("zero", "knn", "kmeans")}
    return MethodSummary(
        trials=len(rows),
        area_mean=statistics.fmean(areas),
        area_sd=statistics.stdev(areas) if len(areas) > 1 else math.nan,
        area50_mean=statistics.fmean(row.area50 for row in rows),
        qnc_median=statistics.median(row.qnc for row in rows),
        peak_mean=statistics.fmean(row.peak for row in rows),
        seconds_mean=statistics.fmean(row.seconds for row in rows),
        **others,
        coverage=sum(row.covered for row in rows) / looked if looked else None,
    )


def _against(key: Key, other: Key, grouped: Mapping[Key, Mapping[int, TrialRow]]) -> Against | None:
    mine, theirs = grouped[key], grouped.get(other, {})
    return against([(mine[trial].area, theirs[trial].area) for trial in sorted(mine.keys() & theirs.keys())])


def against(pairs: Sequence[tuple[float, float]]) -> Against | None:
    """One method's areas against another's, trial by trial; None without a trial."""
    if not pairs:
        return None
    differences = [one - other for one, other in pairs]
    above = sum(difference > _SAME for difference in differences)
    below = sum(difference < -_SAME for difference in differences)
    p = float(binomtest(above, above + below).pvalue) if above + below else 1.0
    tied = len(pairs) - above - below
    return Against((above + tied / 2) / len(pairs), p, statistics.fmean(differences), len(pairs))


def base_of(rows: DeferralRows) -> tuple[int, str]:
    """The number of probes and the probing that the main table is about: the most probes, at random if there are.

    Raises:
        InputError: there are no rows.
    """
    groups = groups_of(rows)
    most = max(probes for probes, _ in groups)
    return most, "random" if (most, "random") in groups else "picked"


def groups_of(rows: DeferralRows) -> list[tuple[int, str]]:
    """All (number of probes, probing) that have rows, few probes first, random before picked.

    Raises:
        InputError: there are no rows.
    """
    return sorted({(probes, probing) for _, probes, probing in summarise(rows)}, key=lambda g: (g[0], g[1] == "picked"))
