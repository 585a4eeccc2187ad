"""`pointsman data`: fetch, import, describe and list outcome sets.

Thin: parses the command line, calls `evaluate.data`, prints. Every command prints for people, or with `--json` one
JSON object. Errors are `InputError`, printed by the command that mounts this one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from pointsman.cli.places import cache_dir
from pointsman.errors import InputError
from pointsman.evaluate.data.catalog import SOURCES
from pointsman.evaluate.data.describe import Description, Reach, describe, folders_in
from pointsman.evaluate.data.fetch import fetch
from pointsman.evaluate.data.hub import Hub
from pointsman.evaluate.data.importers import ImportReport, import_file
from pointsman.outcomes import About

app = typer.Typer(no_args_is_help=True, help="Fetch, import, describe and list outcome sets.")

CacheOption = Annotated[
    Path | None, typer.Option("--cache", help="Cache folder. [default: $POINTSMAN_CACHE, else ~/.cache/pointsman]")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace an outcome folder that is there already.")]


@app.command("fetch")
def fetch_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"One of {', '.join(SOURCES)}.")],
    *,
    to: Annotated[Path | None, typer.Option("--to", help="Destination. [default: CACHE/sets/NAME]")] = None,
    cache: CacheOption = None,
    offline: Annotated[bool, typer.Option("--offline", help="Use what is in the cache; no network.")] = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Download a published set, verify it, and write it as an outcome folder."""
    home = cache or cache_dir()
    folder = to or home / "sets" / name
    report = fetch(name, folder, Hub(home, offline, os.environ.get("HF_ENDPOINT")), overwrite=force)
    if as_json:
        _print_json(asdict(report))
        return
    console = Console()
    console.print(f"[bold]{report.title}[/]: {report.queries:,} queries x {report.models} models in {report.folder}")
    _print_lines(console, {"licence": report.licence, "notes": report.notes})


@app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, TSV, JSON lines (also .gz) or parquet.")],
    *,
    to: Annotated[Path, typer.Option("--to", help="Destination folder.")],
    mapping: Annotated[
        list[str] | None, typer.Option("--map", metavar="COLUMN=SOURCE", help="Our column = the file's. Repeatable.")
    ] = None,
    title: Annotated[str, typer.Option(help="What to call the set. [default: the file's name]")] = "",
    licence: Annotated[str, typer.Option(help="Terms of use.")] = "",
    source: Annotated[str, typer.Option(help="Where it comes from. [default: the file's name]")] = "",
    notes: Annotated[str, typer.Option(help="What a reader of a figure should know.")] = "",
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave bad rows out and count them.")] = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Turn a table of your own into an outcome folder, with a report of what was in it."""
    about = About(title, licence, source, notes)
    columns = _mapping(mapping or [])
    report = import_file(file, to, mapping=columns, about=about, skip_bad=skip_bad, overwrite=force)
    if as_json:
        _print_json(asdict(report))
    else:
        _print_import(Console(), report)


def _mapping(given: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    for text, (ours, equals, theirs) in zip(given, pairs, strict=True):
        if not (ours and equals and theirs):
            raise InputError(f"`{text}` is not COLUMN=SOURCE", place="--map", remedy="give for example prompt=question")
    return {ours: theirs for ours, _, theirs in pairs}


@app.command("describe")
def describe_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An outcome folder.")],
    min_coverage: Annotated[
        float, typer.Option(help="A benchmark keeps models recorded on at least this share of the rows.")
    ] = 0.97,
    as_json: JsonOption = False,
) -> None:
    """Sizes, scores, costs, the oracle, the best single model, what is missing, what a benchmark would leave out."""
    said = describe(folder, min_coverage)
    if as_json:
        _print_json(asdict(said))
    else:
        _print_description(Console(), said)


@app.command("list")
def list_command(
    folders: Annotated[
        list[Path] | None, typer.Option("--in", metavar="DIR", help="Look for outcome folders here too. Repeatable.")
    ] = None,
    cache: CacheOption = None,
    as_json: JsonOption = False,
) -> None:
    """The published sets that can be fetched, and the outcome folders that are here."""
    here = folders_in([(cache or cache_dir()) / "sets", *(folders or [])])
    if as_json:
        _print_json({"sources": [asdict(source) for source in SOURCES.values()], "folders": [asdict(f) for f in here]})
        return
    console = Console()
    console.print("[bold]Published sets[/] (pointsman data fetch NAME)")
    for source in SOURCES.values():
        console.print(f"\n[bold]{source.name}[/]: {source.queries:,} queries x {source.models} models, {source.size}")
        _print_lines(console, {"  cost": source.cost, "  licence": source.licence, "  home": source.home})
    console.print()
    mine = _table("Outcome folders here", ("folder", "title", "outcomes", "licence"))
    for line in here:
        title = f"{line.title} (simulated)" if line.simulated else line.title
        mine.add_row(line.folder, title, f"{line.outcomes:,}", line.problem or line.licence)
    console.print(mine if here else "No outcome folder in the cache; name others with --in DIR.")


# --- printing -----------------------------------------------------------------------------------------------------


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, allow_nan=False, default=dict))


def _table(title: str, columns: Sequence[str], numbers: int = 0) -> Table:
    """Columns without frames; the last `numbers` of them flush right."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        right = place >= len(columns) - numbers
        table.add_column(column, justify="right" if right else "left", no_wrap=right, overflow="fold")
    return table


def _print_lines(console: Console, lines: dict[str, str]) -> None:
    for name, text in lines.items():
        if text:
            console.print(f"{name}: {text}", markup=False, highlight=False)


def _print_import(console: Console, report: ImportReport) -> None:
    shape = f"{report.queries:,} queries x {report.models} models, {report.missing_cells:,} cells missing"
    lines = {
        report.folder: f"{report.outcomes:,} outcomes: {shape}",
        "read": f"{report.rows_read:,} rows of {report.file}, {report.layout} shape",
        "columns": ", ".join(f"{ours} = {theirs}" for ours, theirs in report.columns.items()),
    }
    lines |= {f"left out, {reason}": f"{count:,}" for reason, count in report.rejected.items()}
    _print_lines(console, lines)
    for bad in report.examples:
        console.print(f"  row {bad.row}, {bad.column or 'row'}: {bad.reason}", markup=False, highlight=False)


def _print_description(console: Console, said: Description) -> None:
    simulated = " [bold red](simulated: no real model answered)[/]" if said.about.simulated else ""
    console.print(f"[bold]{said.about.title}[/]{simulated}")
    tasks = ", ".join(f"{name} {count:,}" for name, count in list(said.datasets.items())[:8])
    more = f" and {len(said.datasets) - 8} more" if len(said.datasets) > 8 else ""
    cells = said.rows * said.models
    _print_lines(
        console,
        {
            "source": said.about.source,
            "licence": said.about.licence,
            "notes": said.about.notes,
            "size": f"{said.rows:,} queries x {said.models} models, {said.input_tokens:,.0f} input tokens a query",
            "missing": f"{said.missing_cells:,} of {cells:,} cells ({said.missing_cells / cells:.1%})",
            "tasks": tasks + more,
        },
    )
    table = _table("Models", ("model", "rows", "score", "cost $", "output tokens"), 4)
    for line in said.per_model:
        written = _number(line.output_tokens, 1)
        table.add_row(line.model, f"{line.rows:,}", _number(line.score), _money(line.cost_usd), written)
    console.print(table)
    reach = _table("What routing could reach, means over the rows", ("", "", "score", "cost $"), 2)
    _add_reach(reach, "recorded", said.reach)
    if said.benchmark:
        _add_reach(reach, "a benchmark", said.benchmark)
    console.print(reach)
    console.print(f"A benchmark: {said.left_out}.", markup=False, highlight=False)


def _add_reach(table: Table, name: str, reach: Reach) -> None:
    size = f"{name}: {reach.rows:,} x {reach.models}"
    table.add_row(size, "oracle (the cheapest of the best)", _number(reach.oracle_score), _money(reach.oracle_cost_usd))
    table.add_row("", f"best: {reach.best_model}", _number(reach.best_score), _money(reach.best_cost_usd))
    table.add_row(
        "", f"cheapest: {reach.cheapest_model}", _number(reach.cheapest_score), _money(reach.cheapest_cost_usd)
    )
    table.add_row("", "share of rows all wrong", _number(reach.all_wrong), "")
    table.add_row("", "share of rows all right", _number(reach.all_right), "", end_section=True)


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _money(value: float | None) -> str:
    return "-" if value is None else f"{value:.3e}"
