"""The tables of a deferral bench, from saved rows.

Takes `rows.DeferralRows`; gives `render.Table` values: the main table for one number of probes, and mean areas against
the number of probes. Methods keep the order of `roster`; what is clairvoyant is marked and never the best.
Computes no figure that the rows don't hold: what has not run shows a dash.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from pointsman.evaluate.best import with_best
from pointsman.evaluate.deferral.records import DeferralMeta, DeferralRows
from pointsman.evaluate.deferral.roster import FAMILY_TITLES, entry_of, in_order
from pointsman.evaluate.deferral.summary import Against, MethodSummary, base_of, groups_of, summarise
from pointsman.evaluate.render import Cell, Column, Line, Section, Table
from pointsman.evaluate.wording import percent

HELD_MARK, CLAIRVOYANT_MARK = "*", "‡"

_CAPTION = (
    "Area: mean quality over relative costs from 0 to 1, ± standard deviation over trials. − zero: mean difference of "
    "areas on the same trials. Area 50: the cheap half alone. QNC: median cost at which the most accurate model's "
    "quality is reached, % of that model's cost. Above: share of trials with the larger area, ties counting half; "
    f"{HELD_MARK} a sign test at 0.01 tells the two apart. Holds: share of the 90 % intervals that held. Bold: best of "
    f"the methods that aren't clairvoyant. {CLAIRVOYANT_MARK} knows what can't be known of an unseen model."
)


def deferral_table(rows: DeferralRows, probes: int | None = None, probing: str | None = None) -> Table:
    """Every method with one number of probes; the most, if none is named.

    Raises:
        InputError: there are no rows.
    """
    base, found = base_of(rows), summarise(rows)
    group = (base[0] if probes is None else probes, base[1] if probing is None else probing)
    here = {method: summary for (method, *at), summary in found.items() if tuple(at) == group}
    cells = with_best({method: _cells(method, summary) for method, summary in here.items()}, _ranked, (0, 2, 4))
    cells = with_best(cells, _ranked, (3,), min)
    told = _told(here)
    trials = max((summary.trials for summary in here.values()), default=0)
    return Table(
        f"{rows.meta.dataset}: {group_words(rows.meta, *group)}, {trials:,} trial{'s' if trials > 1 else ''}",
        (_COLUMNS[0], *(_COLUMNS[column] for column in told)),
        _sections({method: tuple(line[column - 1] for column in told) for method, line in cells.items()}),
        _CAPTION,
    )


_COLUMNS = (
    Column("Method"),
    Column("Area"),
    Column("− zero"),
    Column("Area 50"),
    Column("QNC %"),
    Column("Peak"),
    Column("Above zero %", ">zero"),
    Column("Above knn %", ">knn"),
    Column("Above kmeans %", ">kmeans"),
    Column("Holds %", "Holds"),
    Column("Seconds", "s"),
    Column("Trials", "n"),
)
_HOLDS, _TRIALS = 9, 11


def _told(here: Mapping[str, MethodSummary]) -> list[int]:
    """The columns that say something: coverage if any method has intervals, trials if not all have run the same."""
    silent = set()
    if all(summary.coverage is None for summary in here.values()):
        silent.add(_HOLDS)
    if len({summary.trials for summary in here.values()}) < 2:
        silent.add(_TRIALS)
    return [column for column in range(1, len(_COLUMNS)) if column not in silent]


def probes_table(rows: DeferralRows) -> Table:
    """Mean area of every method at every number of probes.

    Raises:
        InputError: there are no rows.
    """
    found, groups = summarise(rows), groups_of(rows)
    methods = {method for method, *_ in found}
    cells = {method: tuple(_area(found.get((method, *group))) for group in groups) for method in methods}
    return Table(
        "Area against the number of probes",
        (Column("Method"), *(Column(_probes_words(*group)) for group in groups)),
        _sections(with_best(cells, _ranked, range(len(groups)))),
        f"Mean over trials; bold: best of the methods that aren't clairvoyant. {CLAIRVOYANT_MARK} knows what can't be "
        "known of an unseen model.",
    )


def group_words(meta: DeferralMeta, probes: int, probing: str) -> str:
    """What a table is about, in words."""
    words = [f"{meta.unseen} models, all labels" if meta.static else _probes_words(probes, probing)]
    if not meta.static:
        words.append(f"{meta.unseen} unseen models, {meta.known} known ones")
    if meta.shift:
        words.append("tested on other tasks")
    words.append("constant costs" if meta.costs == "constant" else "estimated costs")
    return ", ".join(words)


def _probes_words(probes: int, probing: str) -> str:
    return f"{probes:,} {'picked ' if probing == 'picked' else ''}probe{'s' if probes > 1 else ''}"


def _cells(method: str, summary: MethodSummary) -> tuple[Cell, ...]:
    zero = summary.zero if method != "zero" else None
    return (
        _area(summary, spread=True),
        Cell(f"{zero.difference:+.4f}", zero.difference) if zero else Cell("–"),
        _decimal(summary.area50_mean),
        Cell(f"{100 * summary.qnc_median:.0f}" if math.isfinite(summary.qnc_median) else "never", summary.qnc_median),
        _decimal(summary.peak_mean),
        *(_above(one if method != name else None) for name, one in _rivals(summary)),
        _share(math.nan if summary.coverage is None else summary.coverage),
        Cell(f"{summary.seconds_mean:.2f}", summary.seconds_mean),
        Cell(str(summary.trials), float(summary.trials)),
    )


def _rivals(summary: MethodSummary) -> tuple[tuple[str, Against | None], ...]:
    return ("zero", summary.zero), ("knn", summary.knn), ("kmeans", summary.kmeans)


def _area(summary: MethodSummary | None, *, spread: bool = False) -> Cell:
    if summary is None:
        return Cell("–")
    sd = f"{summary.area_sd:.3f}" if spread and not math.isnan(summary.area_sd) else ""
    return Cell(f"{summary.area_mean:.4f}", summary.area_mean, sd)


def _decimal(value: float) -> Cell:
    return Cell(f"{value:.4f}", value)


def _share(value: float) -> Cell:
    return Cell(percent(value), value)


def _above(one: Against | None) -> Cell:
    if one is None:
        return Cell("–")
    return Cell(f"{100 * one.share:.0f}{HELD_MARK if one.holds else ''}", one.share)


def _ranked(name: str) -> bool:
    return entry_of(name).ranked


def _sections(found: Mapping[str, tuple[Cell, ...]]) -> tuple[Section, ...]:
    """Lines of methods under the heading of their family."""
    names = in_order(found)
    return tuple(
        Section(title, tuple(_line(name, found[name]) for name in names if entry_of(name).family == family))
        for family, title in FAMILY_TITLES.items()
        if any(entry_of(name).family == family for name in names)
    )


def _line(name: str, cells: tuple[Cell, ...]) -> Line:
    return Line(name, cells, "" if entry_of(name).ranked else CLAIRVOYANT_MARK)
