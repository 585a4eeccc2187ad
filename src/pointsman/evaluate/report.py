"""The report of a bench: one HTML page that needs nothing but itself, and its pictures and tables beside it.

Takes a folder of saved rows, runs nothing again. Writes into the same folder `report.html`, every picture as PNG and
SVG, and `tables.md`; each file whole or not at all, the page last.
The page makes no request, lets only its own script run (a content security policy pins it by hash), and escapes every
name and text that comes from the rows.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pointsman.estimate.calibration import Reliability
from pointsman.evaluate.plots import (
    Picture,
    plot_axis,
    plot_performance,
    plot_prices,
    plot_progress,
    plot_reliability,
    plot_served,
    plot_spend,
    to_png,
    to_svg,
)
from pointsman.evaluate.reliability import load_reliability
from pointsman.evaluate.render import Table, to_html, to_markdown
from pointsman.evaluate.roster import in_order, policy_named
from pointsman.evaluate.rows import Rows
from pointsman.evaluate.rows_folder import read_rows, write_aside
from pointsman.evaluate.standings import overspends, ratios, standing_sentence, standings
from pointsman.evaluate.summary import axes, base_setting, by_setting, summarise, swept_field
from pointsman.evaluate.tables import axis_table, fund_table, main_table, ratio_table, standing_table
from pointsman.evaluate.wording import axis_words, money, quantity, setting_words

PAGE_FILE, TABLES_FILE = "report.html", "tables.md"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: tables before its pictures, and tables that stay folded after them."""

    anchor: str
    title: str
    text: str = ""
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    folded: tuple[Table, ...] = ()


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
    vectors = {picture.name: to_svg(picture) for section in sections for picture in section.pictures}
    for picture in (picture for section in sections for picture in section.pictures):
        write_aside(folder / f"{picture.name}.png", to_png(picture, dpi))
        write_aside(folder / f"{picture.name}.svg", vectors[picture.name])
    write_aside(folder / TABLES_FILE, tables_text(rows, sections).encode())
    write_aside(folder / PAGE_FILE, page_text(rows, sections, vectors).encode())
    return folder / PAGE_FILE


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
_ESTIMATE_TEXT = "Every pair of a tested query and a model, in bins of estimated quality."
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


# ---- files


def tables_text(rows: Rows, sections: Iterable[Section]) -> str:
    """Every table of the page as Markdown, the simulated ones named so."""
    told = " (simulated)" if rows.meta.simulated else ""
    tables = [table for section in sections for table in (*section.tables, *section.folded)]
    return "\n".join(f"### {_heading(table.title)}{told}\n\n{to_markdown(table)}" for table in tables)


def _heading(title: str) -> str:
    return " ".join(title.replace("<", "&lt;").split())


def page_text(rows: Rows, sections: Sequence[Section], vectors: Mapping[str, bytes]) -> str:
    """The page itself, its pictures inside it as SVG, by their names in `vectors`."""
    meta = rows.meta
    names = in_order({run.policy for run in rows.runs})
    style, script = _asset("report.css"), _asset("report.js")
    page = _environment().get_template("report.html.j2")
    return page.render(
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        dataset=meta.dataset,
        simulated=meta.simulated,
        command=meta.command or "unknown",
        left_out=meta.left_out,
        version=meta.version,
        models=meta.models,
        policies=[policy_named(name) for name in names],
        headline=headline(rows),
        verdict=f"{standing_sentence(standings(rows))} Base setting: {setting_words(base_setting(rows))}.",
        alarms=_alarms(rows),
        budgets=_budget_words(rows),
        facts=_facts(rows),
        sections=[_shown(section, vectors) for section in sections],
    )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pointsman.evaluate"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _asset(name: str) -> Markup:
    """A style or script of ours: the only text that enters the page as it is."""
    return Markup(files("pointsman.evaluate").joinpath("templates", name).read_text(encoding="utf-8"))  # noqa: S704


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _shown(section: Section, vectors: Mapping[str, bytes]) -> dict[str, object]:
    """A section with its tables as HTML and its pictures inside the page."""
    return {
        "anchor": section.anchor,
        "title": section.title,
        "text": section.text,
        "tables": [_shown_table(table) for table in section.tables],
        "folded": [_shown_table(table) for table in section.folded],
        "pictures": [_shown_picture(picture, vectors[picture.name]) for picture in section.pictures],
    }


def _shown_table(table: Table) -> dict[str, object]:
    return {"title": table.title, "html": to_html(table), "caption": table.caption}


def _shown_picture(picture: Picture, vector: bytes) -> dict[str, object]:
    width, height = picture.figure.get_size_inches()
    source = f"data:image/svg+xml;base64,{b64encode(vector).decode()}"
    shown = {"name": picture.name, "title": picture.title, "alt": picture.alt, "source": source}
    return {**shown, "height": round(1200 * height / width)}
