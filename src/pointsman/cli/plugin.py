"""`pointsman bench plugin`: a model joins a running router under budgets, known by a handful of probes."""

from __future__ import annotations

import shlex
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pointsman import __version__
from pointsman.cli.places import cache_dir, outcomes_at
from pointsman.cli.progress import shown_progress
from pointsman.errors import InputError
from pointsman.evaluate.plugin.export import export_plugin
from pointsman.evaluate.plugin.folder import PluginWriter, read_plugin
from pointsman.evaluate.plugin.plan import Request, parse_newcomers, parse_probes
from pointsman.evaluate.plugin.report import headline, write_plugin_report
from pointsman.evaluate.plugin.rows import PluginMeta, PluginRows
from pointsman.evaluate.plugin.run import run_plugin
from pointsman.evaluate.plugin.tables import plugin_table
from pointsman.evaluate.prepare import Setting, default_test
from pointsman.evaluate.render import to_rich
from pointsman.outcomes import LeftOut, complete
from pointsman.records import Outcomes


def plugin(
    data: Annotated[str, typer.Option(help="A folder with outcomes.parquet, `simulated` or `local-pool`.")],
    probes: Annotated[str, typer.Option(help="Numbers of probe prompts, with commas.")] = "8,16,64,128",
    orders: Annotated[int, typer.Option(help="Random orders of arrival.")] = 5,
    newcomers: Annotated[str, typer.Option(help="Models that join in every order, one at a time; or `all`.")] = "1",
    split: Annotated[
        str, typer.Option(help="weighted, cost, perf, uniform, random, extreme or extreme-H.")
    ] = "weighted",
    factor: Annotated[float, typer.Option(help="Total money over the cost of the cheapest model.")] = 1.0,
    test: Annotated[
        int | None, typer.Option(help="Tested queries; 10,000, or 55 % of the rows of a small set.")
    ] = None,
    seed: Annotated[int, typer.Option(help="What all randomness comes from.")] = 0,
    embedder: Annotated[str, typer.Option(help="Text to vectors.")] = "wordllama",
    min_coverage: Annotated[float, typer.Option(help="Models with a smaller share of the rows are left out.")] = 0.97,
    out: Annotated[Path | None, typer.Option(help="Keep rows, tables, pictures and a report here; resumes.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write all rows and their summary here.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; one a core if not given.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for embeddings.")] = None,
) -> None:
    """One model joins after a third of the queries, known by a few probes; another leaves after two thirds.

    Interrupting loses the rows in progress; the same command with the same --out goes on.
    """
    if workers is not None and workers < 1:
        raise InputError(f"{workers} workers", place="--workers", remedy="use at least 1")
    numbers, joining = parse_probes(probes), parse_newcomers(newcomers)
    outcomes, left_out = complete(outcomes_at(data, seed), min_coverage)
    setting = Setting(test or default_test(len(outcomes)), embedder=embedder, seed=seed)
    request = Request(setting, split, factor, orders, joining, numbers)
    with tempfile.TemporaryDirectory() if out is None else nullcontext(str(out)) as folder:
        rows = _run_and_keep(outcomes, left_out, request, Path(folder), workers=workers, cache=cache or cache_dir())
        _show(rows)
        if out is not None:
            Console().print(f"report: {write_plugin_report(out)}", highlight=False)
        if json is not None:
            export_plugin(rows, json)


def _run_and_keep(
    outcomes: Outcomes,
    left_out: LeftOut,
    request: Request,
    folder: Path,
    *,
    workers: int | None,
    cache: Path,
) -> PluginRows:
    """Makes the rows that the folder doesn't hold yet, with a progress bar, and gives back all of them."""
    with PluginWriter(folder, _meta(outcomes, left_out, request)) as writer, shown_progress("reading") as progress:
        run_plugin(outcomes, request, writer, cache=cache, workers=workers, progress=progress)
    return read_plugin(folder)


def _meta(outcomes: Outcomes, left_out: LeftOut, request: Request) -> PluginMeta:
    setting = request.setting
    return PluginMeta(
        dataset=outcomes.title,
        simulated=outcomes.simulated,
        models=outcomes.models,
        test=setting.test,
        history=max(0, len(outcomes) - setting.test),
        split=request.split,
        factor=request.factor,
        newcomers=request.newcomers or 0,
        embedder=setting.embedder,
        left_out=str(left_out),
        command=shlex.join(["pointsman", *sys.argv[1:]]),
        seed=setting.seed,
        version=__version__,
    )


def _show(rows: PluginRows) -> None:
    """Prints the table and what `transfer` reaches."""
    console = Console()
    console.print(to_rich(plugin_table(rows)))
    console.print(headline(rows), highlight=False)
    console.print(rows.meta.left_out, style="dim", highlight=False)
