"""The report of a bench under budgets: a page of tables and pictures from saved rows.

Takes a folder of saved rows, runs nothing again. Writes into the same folder what `page.write_page` writes: the page,
its pictures, its tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from pointsman.estimate.calibration import Reliability
from pointsman.evaluate.page import Frame, Section, write_page
from pointsman.evaluate.plots import (
    plot_axis,
    plot_performance,
    plot_prices,
    plot_progress,
    plot_reliability,
    plot_served,
    plot_spend,
)
from pointsman.evaluate.reliability import load_reliability
from pointsman.evaluate.render import Table
from pointsman.evaluate.roster import Policy, in_order, policy_named
from pointsman.evaluate.rows import Rows
from pointsman.evaluate.rows_folder import read_rows
from pointsman.evaluate.standings import overspends, ratios, standing_sentence, standings
from pointsman.evaluate.summary import axes, base_setting, by_setting, summarise, swept_field
from pointsman.evaluate.tables import axis_table, fund_table, main_table, ratio_table, standing_table
from pointsman.evaluate.wording import axis_words, money, quantity, setting_words


def write_report(folder: Path, *, dpi: int = 200) -> Path:
    """Make the page, the pictures and the tables of the rows in `folder`; gives the page's path.

    Args:
        folder: what `pointsman bench budget --out` wrote, finished or not.
        dpi: of the PNGs, which are 12 inches wide.

    Raises:
        InputError: the folder holds no rows, or rows that can't be read.
    """
    rows = read_rows(folder)
    sections = (*make_sections(rows), *_estimate_sections(rows, load_reliability(folder)))
    return write_page(folder, make_frame(rows), sections, dpi)


def make_sections(rows: Rows) -> tuple[Section, ...]:
    """What the page shows, according to what is in the rows: no section without its rows.

    Raises:
        InputError: there are no runs.
    """
    found = (
        Section("policies", "The policies compared", tables=(main_table(rows),), pictures=(plot_performance(rows),)),
        Section("ratios", "Ratios", _RATIO_TEXT, tables=_filled(ratio_table(rows))),
        *(_axis_section(rows, axis) for axis in axes(rows)),
        Section("cells", "First or not, cell by cell", _CELL_TEXT, tables=_filled(standing_table(rows))),
        _time_section(rows),
        Section("served", "Who serves what", pictures=(plot_served(rows),)),
    )
    return tuple(section for section in found if section.tables or section.pictures)


_RATIO_TEXT = "Performance against performance in the same orders of arrival, under the same total budget."
_CELL_TEXT = "A cell is one split, budget factor, volume and scenario, and one value of the sweep if there is one."
_TIME_TEXT = "The first order of arrivals: what is bought, what every fund has spent, and what a unit of it is worth."


def _estimate_sections(rows: Rows, found: Mapping[str, Reliability]) -> tuple[Section, ...]:
    """How true the estimates are, where the bench kept it."""
    if not found:
        return ()
    meta = rows.meta
    errors = ", ".join(f"{name} {100 * table.error:.1f} %" for name, table in found.items())
    picture = plot_reliability(
        found,
        title="Quality as estimated and as it was",
        subtitle=f"{meta.dataset} · {len(meta.models)} models · {meta.test:,} test queries",
        simulated=meta.simulated,
    )
    text = (
        f"Every pair of a tested query and a model, in bins of estimated quality. Expected calibration error: {errors}."
    )
    return (Section("estimates", "How true the estimates are", text, pictures=(picture,)),)


def _filled(*tables: Table) -> tuple[Table, ...]:
    return tuple(table for table in tables if any(section.lines for section in table.sections))


def _axis_section(rows: Rows, axis: str) -> Section:
    pictures = (plot_axis(rows, axis), plot_axis(rows, axis, "relative"))
    table = axis_table(rows, axis)
    return Section(f"by-{axis}", table.title, pictures=pictures, folded=(table,))


def _time_section(rows: Rows) -> Section:
    drawn = (plot_progress(rows), plot_spend(rows), plot_prices(rows))
    pictures = tuple(picture for picture in drawn if picture is not None)
    return Section("time", "Over time", _TIME_TEXT, pictures=pictures, folded=_filled(fund_table(rows)))


# ---- words


def headline(rows: Rows) -> str:
    """What `paced` gets for the money, and how many times what others get; empty without `paced`."""
    policies = by_setting(rows)[base_setting(rows)]
    if "paced" not in policies:
        return ""
    summary = summarise(policies["paced"])
    times = [f"{one.ratio:.2f} × {one.under}" for one in ratios(rows, _HEADLINE) if not math.isnan(one.ratio)]
    if not math.isnan(summary.relative_mean):
        times.append(f"{100 * summary.relative_mean:.0f} % of approx-optimum")
    bought = f"paced gets {quantity(summary.performance_mean)} points of score for {money(summary.cost_usd_mean)}"
    return f"{bought}: {', '.join(times)}." if times else f"{bought}."


_HEADLINE = (("paced", "port"), ("paced", "batchsplit-prorated"), ("paced", "cheapest-pooled"))


def _alarms(rows: Rows) -> list[str]:
    return [
        f"Overspent: run {one.key} spent {one.spent:.9g} of the {one.budget:.9g} in fund {one.fund}."
        for one in overspends(rows)
    ]


def _budget_words(rows: Rows) -> str:
    checked = sum(len(run.budget) for run in rows.runs)
    over = len(overspends(rows))
    told = "none was overspent" if not over else f"{over} were overspent"
    return f"Of {checked:,} budgets of single funds in {len(rows.runs):,} runs, {told}."


def _facts(rows: Rows) -> list[tuple[str, str]]:
    meta, base = rows.meta, base_setting(rows)
    orders = max(len(runs) for runs in by_setting(rows)[base].values())
    facts = [
        ("Models", f"{len(meta.models)}"),
        ("Test queries", f"{base.test:,}"),
        ("History", f"{meta.history:,}"),
        ("Orders of arrival", f"{orders}"),
        ("Budget split", base.split),
        ("Budget factor", f"{base.factor:g}"),
        ("Scenario", axis_words("scenario", base.scenario)),
        ("Runs", f"{len(rows.runs):,}"),
        ("Seed", f"{meta.seed}"),
    ]
    if meta.sweep and base.swept is not None:
        facts.append(("Elsewhere than in the sweep", axis_words(swept_field(meta.sweep), base.swept)))
    return facts


def make_frame(rows: Rows) -> Frame:
    """What the page says around its sections.

    Raises:
        InputError: there are no runs.
    """
    meta = rows.meta
    policies = [policy_named(name) for name in in_order({run.policy for run in rows.runs})]
    return Frame(
        title=f"{meta.dataset}: routing under budgets",
        simulated=_SIMULATED if meta.simulated else "",
        headline=headline(rows),
        verdict=f"{standing_sentence(standings(rows))} Base setting: {setting_words(base_setting(rows))}.",
        alarms=_alarms(rows),
        facts=_facts(rows),
        command=meta.command,
        left_out=meta.left_out,
        notes=(_budget_words(rows),),
        words=("The policies", [_policy_words(policy) for policy in policies]),
        models=meta.models,
        sources="meta.json, runs.jsonl and traces.jsonl",
        version=meta.version,
    )


_SIMULATED = "The figures show how the policies work, not how any model does."


def _policy_words(policy: Policy) -> tuple[str, str]:
    return f"{policy.name} †" if policy.pooled else policy.name, policy.about
