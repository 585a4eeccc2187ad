"""`pointsman bench deferral`: routing to models that nobody trained on, method against method."""

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
from pointsman.evaluate.deferral.atlas import make_atlas, save_atlas
from pointsman.evaluate.deferral.export import export_deferral
from pointsman.evaluate.deferral.methods import parse_methods
from pointsman.evaluate.deferral.protocol import Parting, known_models
from pointsman.evaluate.deferral.records import DeferralMeta, DeferralRows
from pointsman.evaluate.deferral.report import write_deferral_report
from pointsman.evaluate.deferral.rows import DeferralWriter, read_deferral
from pointsman.evaluate.deferral.run import Ground, Request, check, make_ground, run_deferral
from pointsman.evaluate.deferral.summary import groups_of
from pointsman.evaluate.deferral.tables import deferral_table, probes_table
from pointsman.evaluate.render import to_rich
from pointsman.outcomes import LeftOut, complete
from pointsman.records import Outcomes


def deferral(
    data: Annotated[str, typer.Option(help="A folder with outcomes.parquet, `simulated` or `local-pool`.")],
    trials: Annotated[int, typer.Option(help="Random partings of prompts and models.")] = 20,
    probes: Annotated[
        str | None, typer.Option(help="Labelled prompts of an unseen model, or several numbers with commas; else all.")
    ] = None,
    methods: Annotated[str, typer.Option(help="Names with commas, or `all`.")] = "all",
    shift: Annotated[bool, typer.Option("--shift", help="Test on tasks that nothing was trained on.")] = False,
    static: Annotated[bool, typer.Option("--static", help="Every model is known, and all its labels.")] = False,
    costs: Annotated[str, typer.Option(help="What decisions take costs to be: constant or estimated.")] = "constant",
    probing: Annotated[str, typer.Option(help="How probes are chosen: random or picked.")] = "random",
    seed: Annotated[int, typer.Option(help="What all randomness comes from.")] = 0,
    embedder: Annotated[str, typer.Option(help="Text to vectors.")] = "wordllama",
    min_coverage: Annotated[float, typer.Option(help="Models with a smaller share of the rows are left out.")] = 0.97,
    out: Annotated[Path | None, typer.Option(help="Keep rows, tables, pictures and a report here; resumes.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write all trials and their summary here.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; one a core if not given.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for embeddings.")] = None,
) -> None:
    """UniRoute's experiment: quality against cost on models never seen in training, method against method.

    Interrupting loses the trials in progress; the same command with the same --out goes on.
    """
    named, asked = parse_methods(methods), parse_probes(probes)
    for option, value, least in (("--workers", workers, 1), ("--seed", seed, 0)):
        if value is not None and value < least:
            raise InputError(f"{value} is asked", place=option, remedy=f"use at least {least}")
    outcomes, left_out = complete(outcomes_at(data, seed), min_coverage)
    request = check(Request(named, trials, asked, Parting(seed, shift, static), costs, probing), outcomes)
    meta = _meta(outcomes, left_out, request, embedder)
    with tempfile.TemporaryDirectory() if out is None else nullcontext(str(out)) as folder:
        ground = make_ground(outcomes, embedder, cache or cache_dir())
        rows = _run_and_keep(ground, request, meta, Path(folder), workers)
        show(rows)
        if out is not None:
            save_atlas(make_atlas(ground.outcomes, ground.prompts, seed), out)
            Console().print(f"report: {write_deferral_report(out)}", highlight=False)
        if json is not None:
            export_deferral(rows, json)


def parse_probes(text: str | None) -> tuple[int, ...]:
    """Numbers of probes from a comma-separated list; empty for None.

    Raises:
        InputError: something else than whole numbers of at least 1.
    """
    if text is None:
        return ()
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(word.isdecimal() and word.isascii() and int(word) for word in words):
        raise InputError(
            f"{text!r} is no list of whole numbers of at least 1",
            place="--probes",
            remedy="write for example 16,64,500",
        )
    return tuple(int(word) for word in words)


def _meta(outcomes: Outcomes, left_out: LeftOut, request: Request, embedder: str) -> DeferralMeta:
    models, parting = len(outcomes.models), request.parting
    known = known_models(models)
    return DeferralMeta(
        dataset=outcomes.title,
        simulated=outcomes.simulated,
        models=outcomes.models,
        prompts=len(outcomes),
        known=models if parting.static else known,
        unseen=models if parting.static else models - known,
        shift=parting.shift,
        static=parting.static,
        costs=request.costs,
        left_out=str(left_out),
        command=shlex.join(["pointsman", *sys.argv[1:]]),
        seed=parting.seed,
        version=__version__,
        embedder=embedder,
    )


def _run_and_keep(
    ground: Ground, request: Request, meta: DeferralMeta, folder: Path, workers: int | None
) -> DeferralRows:
    """Makes the rows that the folder doesn't hold yet, with a progress bar, and gives back all of them."""
    with DeferralWriter(folder, meta) as writer, shown_progress("trials") as progress:
        run_deferral(ground, request, writer, workers=workers, progress=progress)
    return read_deferral(folder)


def show(rows: DeferralRows) -> None:
    """Prints the main table and, for several numbers of probes, the areas against them."""
    # The main table is wider than what a pipe or a file is taken to be.
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(to_rich(deferral_table(rows)))
    if len(groups_of(rows)) > 1:
        console.print(to_rich(probes_table(rows)))
    console.print(rows.meta.left_out, style="dim", highlight=False)
