"""The tables of a plug-in bench, from saved rows.

Takes `rows.PluginRows`; gives `render.Table` values. Computes no figure that `summary` doesn't, and hides none.
"""

from __future__ import annotations

import math

from pointsman.evaluate.plugin.plan import REFERENCES
from pointsman.evaluate.plugin.rows import PluginRows
from pointsman.evaluate.plugin.summary import Measure, Summary, measures, summarise
from pointsman.evaluate.render import Cell, Column, Line, Section, Table
from pointsman.evaluate.wording import money, percent, quantity

_CAPTION = (
    "Performance: sum of the scores of the served queries. Of start: against from-the-start. Of full: against "
    "full-history. Gain: share of what full-history gains over never. Regret: full-history's performance minus this "
    "one's. Well spent after: median arrivals after joining until the newcomer's spend over a moving window is within "
    "20 % of its even rate; a dash where most never get there. Spent: share of the newcomer's fund. Served by it: "
    "queries. {} of an order of arrivals and a newcomer; bold: best of what joins without a history."
)


def plugin_table(rows: PluginRows) -> Table:
    """One line a variant and number of probes.

    Raises:
        InputError: no pair is finished.
    """
    meta, found = rows.meta, summarise(rows)
    best = max(
        (one.of_start_mean for (variant, _), one in found.items() if variant not in REFERENCES), default=math.nan
    )
    lines = {key: _line(key[0], key[1], one, best) for key, one in found.items()}
    sections = (
        Section("References", tuple(line for (variant, _), line in lines.items() if variant in REFERENCES)),
        Section("Newly placed", tuple(lines[key] for key in lines if key[0] not in REFERENCES)),
    )
    pairs = max(one.pairs for one in found.values())
    return Table(
        f"{meta.dataset}: a model joins, {meta.split} split, budget factor {meta.factor:g}, {meta.test:,} test queries",
        (
            Column("Variant, probes"),
            Column("Performance", "Perf"),
            Column("Of start %", "Start"),
            Column("Of full %", "Full"),
            Column("Gain %", "Gain"),
            Column("Regret"),
            Column("Well spent after", "After"),
            Column("Spent %", "Spent"),
            Column("Served by it", "By it"),
        ),
        tuple(section for section in sections if section.lines),
        _CAPTION.format("One pair" if pairs == 1 else f"Mean ± standard deviation over {pairs} pairs"),
    )


def _line(variant: str, probes: int, one: Summary, best: float) -> Line:
    first = variant not in REFERENCES and one.of_start_mean == best
    cells = (
        Cell(quantity(one.performance_mean), one.performance_mean),
        Cell(percent(one.of_start_mean), one.of_start_mean, _deviation(one.of_start_sd), first),
        Cell(percent(one.of_full_mean), one.of_full_mean),
        Cell(percent(one.gain_closed), one.gain_closed),
        Cell(quantity(one.regret_end), one.regret_end),
        Cell(_whole(one.settled_median), one.settled_median),
        Cell(percent(one.spent_share_mean), one.spent_share_mean),
        Cell(quantity(one.served_by_newcomer_mean), one.served_by_newcomer_mean),
    )
    return Line(f"{variant}, {probes}" if probes else variant, cells)


def _deviation(value: float) -> str:
    return "" if math.isnan(value) else percent(value)


def _whole(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.0f}"


def pair_table(rows: PluginRows) -> Table:
    """Which model joined and which left in every order, and what there was to gain."""
    found = [one for one in measures(rows) if one.row.variant == "full-history"]
    return Table(
        "Who joins and who leaves",
        (
            Column("Newcomer"),
            Column("Order"),
            Column("Leaver"),
            Column("Newcomer's fund", "Fund"),
            Column("Never"),
            Column("Full history", "Full"),
            Column("Gain %", "Gain"),
        ),
        (Section("", tuple(_pair_line(one) for one in found)),),
        "Performance without the newcomer, and with it known by the whole history, joining after a third.",
    )


def _pair_line(one: Measure) -> Line:
    row, never = one.row, one.row.performance - one.gainable
    gain = one.gainable / never if never > 0 else math.nan
    return Line(
        row.newcomer,
        (
            Cell(str(row.order), row.order),
            Cell(row.leaver),
            Cell(money(row.fund_usd), row.fund_usd),
            Cell(quantity(never), never),
            Cell(quantity(row.performance), row.performance),
            Cell("–" if math.isnan(gain) else f"{100 * gain:+.1f}", gain),
        ),
    )
