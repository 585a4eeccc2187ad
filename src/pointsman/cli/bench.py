"""`pointsman bench …`: experiments on recorded outcomes."""

from __future__ import annotations

import shlex
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console

from pointsman import __version__
from pointsman.cli.deferral import deferral
from pointsman.cli.places import cache_dir, outcomes_at
from pointsman.cli.plugin import plugin
from pointsman.cli.progress import shown_progress
from pointsman.decide.policies import Options
from pointsman.errors import InputError
from pointsman.estimate.embedders import installed_embedders
from pointsman.evaluate.bench import run_bench
from pointsman.evaluate.export import export_json
from pointsman.evaluate.plan import Circumstance, Request, check, parse_policies, parse_scenarios
from pointsman.evaluate.prepare import Setting, default_test
from pointsman.evaluate.render import to_rich
from pointsman.evaluate.report import write_report
from pointsman.evaluate.rows import Meta, Rows, Sweep
from pointsman.evaluate.rows_folder import RunWriter, read_rows
from pointsman.evaluate.standings import ratios, standing_sentence, standings
from pointsman.evaluate.tables import main_table, ratio_table
from pointsman.outcomes import LeftOut, complete
from pointsman.records import Outcomes

app = typer.Typer(help="Experiments on recorded outcomes.", no_args_is_help=True)
app.command()(deferral)
app.command()(plugin)


@app.callback()
def group() -> None:
    """Experiments on recorded outcomes."""


@app.command()
def budget(
    data: Annotated[str, typer.Option(help="A folder with outcomes.parquet, `simulated` or `local-pool`.")],
    policies: Annotated[
        str, typer.Option(help="Names with commas, or `all`; `NAME@SOURCE` for other estimates.")
    ] = "all",
    test: Annotated[
        int | None, typer.Option(help="Tested queries; 10,000, or 55 % of the rows of a small set.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="weighted, cost, perf, uniform, random, extreme or extreme-H.")
    ] = "weighted",
    factor: Annotated[float, typer.Option(help="Total money over the cost of the cheapest model.")] = 1.0,
    orders: Annotated[int, typer.Option(help="Random orders of arrival.")] = 1,
    seed: Annotated[int, typer.Option(help="What all randomness comes from.")] = 0,
    k: Annotated[int, typer.Option("--k", help="Neighbours of PORT's estimator.")] = 5,
    alpha: Annotated[float, typer.Option(help="PORT's weight of quality.")] = 1e-4,
    eps: Annotated[float, typer.Option(help="PORT's random share of the queries.")] = 0.025,
    embedder: Annotated[str, typer.Option(help="Text to vectors.")] = "wordllama",
    sweep: Annotated[
        str | None, typer.Option(help="volume, factor, split, k, alpha, eps, history, models or embedder.")
    ] = None,
    scenario: Annotated[
        str, typer.Option(help="Some of iid, shift, burst, volume-low, volume-high, outage, rate-cut; or all.")
    ] = "iid",
    min_coverage: Annotated[float, typer.Option(help="Models with a smaller share of the rows are left out.")] = 0.97,
    out: Annotated[Path | None, typer.Option(help="Keep rows, tables, pictures and a report here; resumes.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write all runs and their summary here.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; one a core if not given.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for embeddings.")] = None,
) -> None:
    """PORT's experiment: recorded outcomes played in time order under budgets, policy against policy.

    Interrupting loses the runs in progress; the same command with the same --out goes on.
    """
    named = parse_policies(policies)
    outcomes, left_out = complete(outcomes_at(data, seed), min_coverage)
    setting = Setting(test or default_test(len(outcomes)), k=k, embedder=embedder, seed=seed)
    base = Circumstance(setting, split, factor, "iid", 0, Options(alpha, eps))
    request = check(Request(named, base, orders, cast(Sweep | None, sweep), parse_scenarios(scenario)))
    if workers is not None and workers < 1:
        raise InputError(f"{workers} workers", place="--workers", remedy="use at least 1")
    with tempfile.TemporaryDirectory() if out is None else nullcontext(str(out)) as folder:
        rows = run_and_keep(outcomes, left_out, request, Path(folder), workers=workers, cache=cache or cache_dir())
        show(rows)
        if out is not None:
            Console().print(f"report: {write_report(out)}", highlight=False)
        if json is not None:
            export_json(rows, json)


def run_and_keep(
    outcomes: Outcomes,
    left_out: LeftOut,
    request: Request,
    folder: Path,
    *,
    workers: int | None = None,
    cache: Path | None = None,
) -> Rows:
    """Makes the runs that the folder doesn't hold yet, with a progress bar, and gives back all rows."""
    with RunWriter(folder, _meta(outcomes, left_out, request)) as writer, shown_progress("reading") as progress:
        run_bench(
            outcomes,
            request,
            writer,
            cache=cache,
            workers=workers,
            progress=progress,
            embedders=installed_embedders(),
        )
    return read_rows(folder)


def _meta(outcomes: Outcomes, left_out: LeftOut, request: Request) -> Meta:
    setting = request.base.setting
    return Meta(
        dataset=outcomes.title,
        simulated=outcomes.simulated,
        models=outcomes.models,
        test=setting.test,
        history=len(outcomes) - setting.test,
        left_out=str(left_out),
        command=shlex.join(["pointsman", *sys.argv[1:]]),
        seed=setting.seed,
        sweep=request.sweep,
        version=__version__,
    )


def show(rows: Rows) -> None:
    """Prints the main table, the ratios, and where `paced` stands."""
    console = Console()
    console.print(to_rich(main_table(rows)))
    if ratios(rows):
        console.print(to_rich(ratio_table(rows)))
    if found := standings(rows):
        console.print(standing_sentence(found), highlight=False)
    console.print(rows.meta.left_out, style="dim", highlight=False)
