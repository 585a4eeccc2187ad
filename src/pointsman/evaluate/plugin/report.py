"""The report of a plug-in bench: a page of tables and pictures from saved rows.

Takes a folder of saved rows, runs nothing again. Writes into the same folder what `page.write_page` writes: the page,
its pictures, its tables.
"""

from __future__ import annotations

import math
from pathlib import Path

from pointsman.evaluate.page import Frame, Section, write_page
from pointsman.evaluate.plugin.folder import read_plugin
from pointsman.evaluate.plugin.pictures import plot_probes, plot_regret
from pointsman.evaluate.plugin.plan import ABOUT, VARIANTS
from pointsman.evaluate.plugin.rows import PluginRows
from pointsman.evaluate.plugin.summary import summarise
from pointsman.evaluate.plugin.tables import pair_table, plugin_table
from pointsman.evaluate.wording import percent

_SIMULATED = "The figures show how a model is plugged in, not how any model does."


def write_plugin_report(folder: Path, *, dpi: int = 200) -> Path:
    """Make the page, the pictures and the tables of the rows in `folder`; gives the page's path.

    Args:
        folder: what `pointsman bench plugin --out` wrote, finished or not.
        dpi: of the PNGs, which are 12 inches wide.

    Raises:
        InputError: the folder holds no finished pair, or rows that can't be read.
    """
    rows = read_plugin(folder)
    return write_page(folder, make_frame(rows), make_sections(rows), dpi)


def make_sections(rows: PluginRows) -> tuple[Section, ...]:
    """What the page shows.

    Raises:
        InputError: no pair is finished.
    """
    return (
        Section("variants", "What a newcomer brings", tables=(plugin_table(rows),), pictures=(plot_probes(rows),)),
        Section("regret", "Regret over time", _REGRET_TEXT, pictures=(plot_regret(rows),)),
        Section("pairs", "Who joins and who leaves", tables=(pair_table(rows),)),
    )


_REGRET_TEXT = "What is lost, as queries arrive, against a newcomer that is known by the whole history when it joins."


def headline(rows: PluginRows) -> str:
    """What `transfer` reaches with each number of probes; empty without it."""
    found = {probes: one for (variant, probes), one in summarise(rows).items() if variant == "transfer"}
    told = [f"{percent(one.of_start_mean)} % with {probes:,}" for probes, one in found.items()]
    start = "Of what a model known and there from the first query brings, a newcomer known by probes alone reaches "
    return f"{start}{', '.join(told)} probes." if told else ""


def make_frame(rows: PluginRows) -> Frame:
    """What the page says around its sections.

    Raises:
        InputError: no pair is finished.
    """
    meta, found = rows.meta, summarise(rows)
    never, full = found["never", 0].of_start_mean, found["full-history", 0].of_start_mean
    told = f"Never adding it keeps {percent(never)} %, the whole history at the moment of joining {percent(full)} %."
    return Frame(
        title=f"{meta.dataset}: a model joins under budgets",
        simulated=_SIMULATED if meta.simulated else "",
        headline=headline(rows),
        verdict="" if math.isnan(never) else told,
        alarms=(),
        facts=_facts(rows),
        command=meta.command,
        left_out=meta.left_out,
        notes=_NOTES,
        words=("The variants", [(name, ABOUT[name]) for name in VARIANTS]),
        models=meta.models,
        sources="meta.json and rides.jsonl",
        version=meta.version,
    )


_NOTES = (
    "The newcomer's fund is part of the total from the start; until it joins nobody else can spend it, and what the "
    "leaver has left stays unspent. Probes are random rows of the history, asked before joining and not paid from the "
    "fund; exploration pays for its own. Estimates of the other models are fitted without the newcomer's outcomes.",
    "No fund was overspent: a replay that overspends one stops with an error.",
)


def _facts(rows: PluginRows) -> list[tuple[str, str]]:
    meta = rows.meta
    return [
        ("Models", f"{len(meta.models)}"),
        ("Test queries", f"{meta.test:,}"),
        ("History", f"{meta.history:,}"),
        ("Budget split", meta.split),
        ("Budget factor", f"{meta.factor:g}"),
        ("Pairs", f"{max(one.pairs for one in summarise(rows).values())}"),
        ("Rows", f"{len(rows.rows):,}"),
        ("Seed", f"{meta.seed}"),
    ]
