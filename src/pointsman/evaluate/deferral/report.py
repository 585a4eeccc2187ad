"""The report of a deferral bench: a page of curves, areas, intervals, kinds of prompts and likeness of models.

Takes a folder of saved rows, with an atlas or without, and runs nothing again. Writes into the same folder what
`page.write_page` writes: the page, its pictures, its tables.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from pointsman.evaluate.deferral.atlas import ATLAS_FILE, Atlas, load_atlas
from pointsman.evaluate.deferral.pictures import (
    plot_areas,
    plot_coverage,
    plot_curve_gains,
    plot_curves,
    plot_heat,
    plot_likeness,
    plot_probes,
)
from pointsman.evaluate.deferral.records import ROWS_FILE, DeferralRows
from pointsman.evaluate.deferral.roster import entry_of, in_order
from pointsman.evaluate.deferral.rows import read_deferral
from pointsman.evaluate.deferral.summary import Key, MethodSummary, base_of, groups_of, summarise
from pointsman.evaluate.deferral.tables import deferral_table, group_words, probes_table
from pointsman.evaluate.page import Frame, Section, write_page
from pointsman.evaluate.plots import Picture
from pointsman.evaluate.render import Cell, Column, Line, Table
from pointsman.evaluate.render import Section as TableSection
from pointsman.evaluate.resumable import META_FILE
from pointsman.evaluate.wording import percent


def write_deferral_report(folder: Path, *, dpi: int = 200) -> Path:
    """Make the page, the pictures and the tables of the rows in `folder`; gives the page's path.

    Args:
        folder: what `pointsman bench deferral --out` wrote, finished or not.
        dpi: of the PNGs, which are 12 inches wide.

    Raises:
        InputError: the folder holds no rows, or rows or an atlas that can't be read.
    """
    rows, atlas = read_deferral(folder), load_atlas(folder)
    return write_page(folder, make_frame(rows, atlas), make_sections(rows, atlas), dpi)


def make_sections(rows: DeferralRows, atlas: Atlas | None) -> tuple[Section, ...]:
    """What the page shows, according to what there is: no section without its rows or its atlas.

    Raises:
        InputError: there are no rows.
    """
    compared = _there(plot_curves(rows), plot_curve_gains(rows), plot_areas(rows))
    found = (
        Section("methods", "The methods compared", tables=(deferral_table(rows),), pictures=compared),
        _probes_section(rows),
        Section("intervals", "How true the intervals are", _INTERVALS, pictures=_there(plot_coverage(rows))),
        *(_atlas_sections(rows, atlas) if atlas else ()),
    )
    return tuple(section for section in found if section.tables or section.pictures or section.folded)


_INTERVALS = (
    "For every unseen model: 90 % intervals for its mean score, on all test prompts and on groups of similar ones, "
    "against the mean that was recorded."
)
_HEAT = (
    "K-means clusters of all prompts' vectors, each named by the words of highest class-based TF-IDF. A model's own "
    "mean is taken off, so that a row shows what the model is good at, for itself; the last row shows which clusters "
    "are easy for all."
)
_LIKENESS = (
    "From each score the prompt's mean over models and the model's mean over prompts are taken off. Two models are as "
    "far apart as what is left differs (root mean square over the prompts that both answered), and classical "
    "multidimensional scaling puts these distances into the plane as well as they fit. Directions mean nothing."
)


def _there(*pictures: Picture | None) -> tuple[Picture, ...]:
    return tuple(picture for picture in pictures if picture is not None)


def _probes_section(rows: DeferralRows) -> Section:
    """What more probes are worth, and the main table again for every other number of them."""
    base, groups = base_of(rows), groups_of(rows)
    if len(groups) < 2:
        return Section("probes", "")
    others = tuple(deferral_table(rows, *group) for group in groups if group != base)
    tables = (probes_table(rows), *others)
    return Section("probes", "What more probes are worth", pictures=_there(plot_probes(rows)), folded=tables)


def _atlas_sections(rows: DeferralRows, atlas: Atlas) -> tuple[Section, ...]:
    heat, likeness = plot_heat(atlas, rows.meta), plot_likeness(atlas, rows.meta)
    return (
        Section("kinds", "Where each model is good", _HEAT, pictures=(heat,), folded=(cluster_table(atlas),)),
        Section("likeness", "Models by likeness", _LIKENESS, pictures=(likeness,)),
    )


def cluster_table(atlas: Atlas) -> Table:
    """The clusters: their words, their size, how good all models are there and which is best."""
    columns = (Column("Cluster"), Column("Prompts"), Column("Mean score %"), Column("Best model"), Column("Its mean %"))
    lines = tuple(_cluster_line(atlas, at) for at in range(len(atlas.clusters)))
    return Table("Clusters of prompts", columns, (TableSection("", lines),), "Means over what is recorded.")


def _cluster_line(atlas: Atlas, at: int) -> Line:
    cluster, score = atlas.clusters[at], atlas.score[:, at]
    known = np.flatnonzero(np.isfinite(score))
    mean = float(score[known].mean()) if len(known) else math.nan
    best = int(known[score[known].argmax()]) if len(known) else None
    highest = math.nan if best is None else float(score[best])
    cells = (
        Cell(f"{cluster.prompts:,}", cluster.prompts),
        Cell(percent(mean), mean),
        Cell("–" if best is None else atlas.models[best]),
        Cell(percent(highest), highest),
    )
    return Line(", ".join(cluster.words) or "no telling word", cells)


# ---- words


def make_frame(rows: DeferralRows, atlas: Atlas | None) -> Frame:
    """What the page says around its sections.

    Raises:
        InputError: there are no rows.
    """
    meta, found = rows.meta, summarise(rows)
    methods = in_order({row.method for row in rows.rows})
    subject = "routing among known models" if meta.static else "routing to models never seen in training"
    return Frame(
        title=f"{meta.dataset}: {subject}",
        simulated="The figures show how the methods work, not how any model does." if meta.simulated else "",
        headline=headline(rows),
        verdict=f"{_verdict(rows)}Main table: {group_words(meta, *base_of(rows))}.",
        alarms=_alarms(found),
        facts=_facts(rows),
        command=meta.command,
        left_out=meta.left_out,
        notes=(_CONVENTION,) if atlas is None else (_CONVENTION, _ATLAS_NOTE),
        words=("The methods", [(name, entry_of(name).about) for name in methods]),
        models=meta.models,
        sources=f"{META_FILE}{' and' if atlas is None else ','} {ROWS_FILE}{f' and {ATLAS_FILE}' if atlas else ''}",
        version=meta.version,
    )


_CONVENTION = (
    "A prompt goes to the model with the highest expected quality − λ × cost, for every λ from zero to infinity: that "
    "is the curve. Its cost is what the choices really cost, over the cost of the pool's dearest model; its quality is "
    "what they really scored; it is flat left of its first point and right of its last. The same for all methods."
)
_ATLAS_NOTE = "Clusters and likeness are made of all prompts and models, for people to look at; no method reads them."


def _main_method(rows: DeferralRows) -> tuple[str, MethodSummary] | None:
    """`transfer` in the main table, or the ranked method of the largest mean area there; None if nothing is ranked."""
    probes, probing = base_of(rows)
    here = {key[0]: one for key, one in summarise(rows).items() if key[1:] == (probes, probing)}
    ranked = {name: one for name, one in here.items() if entry_of(name).ranked}
    if not ranked:
        return None
    name = "transfer" if "transfer" in ranked else max(ranked, key=lambda name: ranked[name].area_mean)
    return name, ranked[name]


def headline(rows: DeferralRows) -> str:
    """The main method's mean area, and how far it is above others; empty if no method is ranked.

    Raises:
        InputError: there are no rows.
    """
    main = _main_method(rows)
    if main is None:
        return ""
    name, summary = main
    rivals = {"zero": summary.zero, "knn": summary.knn, "kmeans": summary.kmeans}
    told = [f"{one.difference:+.4f} against {rival}" for rival, one in rivals.items() if one and rival != name]
    return f"{name}: mean area {summary.area_mean:.4f}{' (' + ', '.join(told) + ')' if told else ''}.".replace(
        "-0.", "−0."
    )


def _verdict(rows: DeferralRows) -> str:
    """In how many trials the main method is above `zero`, and whether a sign test agrees; ends with a blank."""
    main = _main_method(rows)
    if main is None or main[0] == "zero" or main[1].zero is None:
        return ""
    name, zero = main[0], main[1].zero
    told = "tells the two apart" if zero.holds else "doesn't tell the two apart"
    trials = "the one trial" if zero.trials == 1 else f"{zero.trials:,} trials"
    return f"{name} is above zero in {100 * zero.share:.0f} % of {trials}; a sign test at 0.01 {told}. "


def _alarms(found: dict[Key, MethodSummary]) -> list[str]:
    counts = {one.trials for one in found.values()}
    if len(counts) < 2:
        return []
    return [f"Not finished: some methods have {min(counts):,} trials, others {max(counts):,}. Run the command again."]


def _facts(rows: DeferralRows) -> list[tuple[str, str]]:
    meta = rows.meta
    probes = sorted({row.probes for row in rows.rows})
    models = [("Models, all known", f"{meta.unseen}")]
    if not meta.static:
        models = [("Known models", f"{meta.known}"), ("Unseen models", f"{meta.unseen}")]
    return [
        *models,
        ("Prompts", f"{meta.prompts:,}"),
        ("Trials", f"{len({row.trial for row in rows.rows}):,}"),
        *([] if meta.static else [("Probes a model", ", ".join(f"{count:,}" for count in probes))]),
        ("Tested on", "other tasks" if meta.shift else "prompts of the same tasks"),
        ("Costs", meta.costs),
        ("Embedder", meta.embedder),
        ("Seed", f"{meta.seed}"),
    ]
