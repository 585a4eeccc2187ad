"""The reports of a replay: a page of tables and pictures, for a log of either kind.

Takes what was played; writes into a folder what `page.write_page` writes, and `replay.json` beside it. The page of a
log that knows every model's outcome is the bench's own, with intervals; runs nothing again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pointsman import __version__
from pointsman.evaluate.json_files import write_aside
from pointsman.evaluate.logged.sparse import SparseLog, SparseRow
from pointsman.evaluate.logged.sparse_pictures import plot_bought, plot_values
from pointsman.evaluate.logged.sparse_tables import as_json, fund_use, mix_table, unknowns, value_table
from pointsman.evaluate.offpolicy import Estimate
from pointsman.evaluate.page import Frame, Section, write_page
from pointsman.evaluate.render import Cell, Column, Line, Table
from pointsman.evaluate.render import Section as TableSection
from pointsman.evaluate.report import make_frame, make_sections
from pointsman.evaluate.roster import in_order, policy_named
from pointsman.evaluate.rows_folder import read_rows
from pointsman.evaluate.standings import standing_sentence, standings
from pointsman.evaluate.wording import quantity

JSON_FILE = "replay.json"
OF_A_BENCH = ("Orders of arrival", "Budget split", "Budget factor", "Scenario")
DENSE_NOTE = (
    "Every model's outcome is recorded, so every choice is scored by what really happened. Queries came in the order "
    "of the log; the first part was learned from. Intervals are 90 %, by resampling queries: how sure the figures are "
    "of other traffic like this, in the same order of events."
)


def interval_table(totals: Mapping[str, Estimate], margins: Mapping[str, Estimate], over: str) -> Table:
    """Summed scores with intervals, and the margins over one of the policies on the same queries."""
    nothing = Estimate(float("nan"), float("nan"), float("nan"))
    lines = tuple(
        Line(name, (_cell(totals[name]), _cell(margins.get(name, nothing), sign="+"))) for name in in_order(totals)
    )
    return Table(
        "How sure that is",
        (Column("Policy"), Column("Performance, 90 %"), Column(f"More than {over}, 90 %")),
        (TableSection("", lines),),
        "By resampling queries; margins compare the same queries.",
    )


def _cell(one: Estimate, sign: str = "") -> Cell:
    if one.value != one.value:  # NaN
        return Cell("–")
    low, high = (f"{value:{sign},.0f}" if abs(value) >= 100 else f"{value:{sign},.1f}" for value in (one.low, one.high))
    return Cell(f"{quantity(one.value)} ({low} to {high})", one.value)


def write_dense(folder: Path, table: Table, *, dpi: int = 200) -> Path:
    """The bench's page of the rows in a folder, with the intervals; gives its path."""
    rows = read_rows(folder)
    sure = Section("sure", "How sure that is", DENSE_NOTE, tables=(table,))
    frame = make_frame(rows)
    frame = replace(
        frame,
        title=f"{rows.meta.dataset}: replayed",
        verdict=f"{standing_sentence(standings(rows))} Under the given funds, in the order of the log.",
        facts=[fact for fact in frame.facts if fact[0] not in OF_A_BENCH],
        notes=(*frame.notes, DENSE_NOTE),
    )
    first, *rest = make_sections(rows)
    return write_page(folder, frame, (first, sure, *rest), dpi)


def write_sparse(folder: Path, log: SparseLog, rows: Sequence[SparseRow], command: str, *, dpi: int = 200) -> Path:
    """The page of a log with one outcome a query, and its figures as JSON; gives the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    told = " ".join(unknowns(log, rows))
    sections = (
        Section(
            "values", "What each policy would have been worth", tables=(value_table(log, rows),),
            pictures=(plot_values(log, rows), plot_bought(log, rows)),
        ),
        Section("unknown", "What can't be known from this log", told),
        Section("served", "Who serves what", tables=(mix_table(log, rows), fund_use(rows))),
    )  # fmt: skip
    write_aside(folder / JSON_FILE, json.dumps(as_json(log, rows), indent=1).encode())
    return write_page(folder, _frame(log, rows, command), sections, dpi)


def _frame(log: SparseLog, rows: Sequence[SparseRow], command: str) -> Frame:
    words = [(name, policy_named(name).about) for name in in_order(row.policy for row in rows)]
    return Frame(
        title=f"{log.title}: replayed",
        simulated="The figures show how the policies work, not how any model does." if log.simulated else "",
        headline="",
        verdict="One model answered each query; what others would have scored is estimated.",
        alarms=(),
        facts=[
            ("Models", f"{len(log.models)}"),
            ("Queries played", f"{len(log):,}"),
            ("Learned from", f"{log.fitted_on:,}"),
            ("Left out", f"{log.left_out:,}"),
        ],
        command=command,
        left_out="",
        notes=(),
        words=("The policies", words),
        models=log.models,
        sources=JSON_FILE,
        version=__version__,
    )
