"""Saved rows against their references, and the means over pairs.

Takes `rows.PluginRows`; gives every row's `Measure` (shares, gain closed, regret) against `from-the-start`,
`full-history` and `never` of the same pair, and a `Summary` for every variant and number of probes. Pairs whose
references aren't finished yet are left out. Reads and writes no file.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pointsman.errors import InputError
from pointsman.evaluate.plugin.plan import REFERENCES, VARIANTS
from pointsman.evaluate.plugin.rows import ROWS_FILE, PluginRow, PluginRows

Line = tuple[str, int]
"""A variant and its number of probes: one line of the table."""

_FEWEST_GAINED = 1e-9


@dataclass(frozen=True, slots=True)
class Measure:
    """One row against its pair's references.

    Attributes:
        row: as saved.
        of_start, of_full: performance over that of `from-the-start` and of `full-history`; NaN where that is nothing.
        gained, gainable: performance above `never`'s, the row's own and `full-history`'s.
        regret: `full-history`'s sum of scores minus the row's, at the moments of `progress`.
    """

    row: PluginRow
    of_start: float
    of_full: float
    gained: float
    gainable: float
    regret: tuple[float, ...]

    @property
    def gain_closed(self) -> float:
        """Share of the gain of `full-history` over `never` that the row has; NaN where there is none."""
        return self.gained / self.gainable if self.gainable > _FEWEST_GAINED else math.nan

    @property
    def spent_share(self) -> float:
        """Share of the newcomer's fund that was spent; NaN for an empty one."""
        return self.row.spent_usd / self.row.fund_usd if self.row.fund_usd > 0 else math.nan


@dataclass(frozen=True, slots=True)
class Summary:
    """One variant with one number of probes, over the pairs.

    Attributes:
        performance_mean: over pairs.
        of_start_mean, of_start_sd, of_full_mean, of_full_sd: shares; deviations (n - 1) are NaN for one pair.
        gain_closed: summed gain over summed gain of `full-history`, so that pairs with little to gain weigh little;
            NaN where that is not above zero.
        regret_end: mean regret at the last query.
        settled_median: median arrivals until the budget is well spent, NaN where more than half never get there.
        settled_share: share of the pairs that get there.
        spent_share_mean: of the newcomer's fund.
        served_by_newcomer_mean: queries.
        probes_usd_mean: what the probes cost outside of the fund.
        pairs: how many.
    """

    performance_mean: float
    of_start_mean: float
    of_start_sd: float
    of_full_mean: float
    of_full_sd: float
    gain_closed: float
    regret_end: float
    settled_median: float
    settled_share: float
    spent_share_mean: float
    served_by_newcomer_mean: float
    probes_usd_mean: float
    pairs: int


def measures(rows: PluginRows) -> list[Measure]:
    """Every row of a pair whose references are finished, in the order of the lines, then of the pairs."""
    by_pair: dict[tuple[int, str, str], dict[str, PluginRow]] = {}
    for row in rows.rows:
        by_pair.setdefault(_pair(row), {})[row.variant if row.variant in REFERENCES else row.key] = row
    whole = {pair: found for pair, found in by_pair.items() if all(name in found for name in REFERENCES)}
    found = [_measure(row, whole[_pair(row)]) for row in rows.rows if _pair(row) in whole]
    return sorted(found, key=lambda one: (_rank(line_of(one)), _pair(one.row)))


def _pair(row: PluginRow) -> tuple[int, str, str]:
    return row.order, row.newcomer, row.leaver


def line_of(measure: Measure) -> Line:
    """The line that a row belongs to."""
    return measure.row.variant, measure.row.probes


def _rank(line: Line) -> tuple[int, str, int]:
    variant, probes = line
    known: tuple[str, ...] = VARIANTS
    return known.index(variant) if variant in known else len(known), variant, probes


def _measure(row: PluginRow, references: dict[str, PluginRow]) -> Measure:
    start, full, never = (references[name] for name in REFERENCES)
    return Measure(
        row,
        _quotient(row.performance, start.performance),
        _quotient(row.performance, full.performance),
        row.performance - never.performance,
        full.performance - never.performance,
        tuple(best - here for best, here in zip(full.progress, row.progress, strict=True)),
    )


def _quotient(over: float, under: float) -> float:
    return over / under if under > 0 else math.nan


def by_line(rows: PluginRows) -> dict[Line, list[Measure]]:
    """Measures by variant and number of probes, in the order of the table.

    Raises:
        InputError: no pair has all of its references yet.
    """
    found: dict[Line, list[Measure]] = {}
    for measure in measures(rows):
        found.setdefault(line_of(measure), []).append(measure)
    if not found:
        raise InputError(
            "no pair is finished yet", place=ROWS_FILE, remedy="let from-the-start, full-history and never finish"
        )
    return found


def summarise(rows: PluginRows) -> dict[Line, Summary]:
    """The means of every line.

    Raises:
        InputError: no pair has all of its references yet.
    """
    return {line: _summary(found) for line, found in by_line(rows).items()}


def _summary(found: Sequence[Measure]) -> Summary:
    gainable = sum(one.gainable for one in found)
    settled = [math.inf if one.row.settled is None else float(one.row.settled) for one in found]
    middle = statistics.median(settled)
    return Summary(
        performance_mean=_mean(one.row.performance for one in found),
        of_start_mean=_mean(one.of_start for one in found),
        of_start_sd=_sd(one.of_start for one in found),
        of_full_mean=_mean(one.of_full for one in found),
        of_full_sd=_sd(one.of_full for one in found),
        gain_closed=sum(one.gained for one in found) / gainable if gainable > _FEWEST_GAINED else math.nan,
        regret_end=_mean(one.regret[-1] for one in found),
        settled_median=middle if math.isfinite(middle) else math.nan,
        settled_share=_mean(float(math.isfinite(one)) for one in settled),
        spent_share_mean=_mean(one.spent_share for one in found),
        served_by_newcomer_mean=_mean(one.row.served_by_newcomer for one in found),
        probes_usd_mean=_mean(one.row.probes_usd for one in found),
        pairs=len(found),
    )


def _mean(values: Iterable[float]) -> float:
    there = [value for value in values if not math.isnan(value)]
    return statistics.fmean(there) if there else math.nan


def _sd(values: Iterable[float]) -> float:
    there = [value for value in values if not math.isnan(value)]
    return statistics.stdev(there) if len(there) > 1 else math.nan
