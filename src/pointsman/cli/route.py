"""`pointsman route FILE`: a file of prompts, assigned to models within funds."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast, get_args

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from pointsman.batch import Tally, count, route_file
from pointsman.cli.funds_file import read_funds
from pointsman.cli.places import cache_dir, outcomes_at
from pointsman.decide.choose import Scarcity
from pointsman.errors import InputError
from pointsman.estimate.embedders import load_embedder
from pointsman.router import Router

app = typer.Typer()


@app.command()
def route(
    file: Annotated[
        Path,
        typer.Argument(help="Prompts: .jsonl, .csv, .parquet (`prompt`, perhaps `prompt_id`, `input_tokens`) or .txt."),
    ],
    funds: Annotated[Path, typer.Option(help="YAML: `funds:` and a list of {name, amount, unit, models}.")],
    history: Annotated[str, typer.Option(help="Past outcomes: a folder, `simulated` or `local-pool`.")],
    out: Annotated[Path, typer.Option(help="Where the decisions go (parquet).")],
    embedder: Annotated[str, typer.Option(help="Text to vectors.")] = "wordllama",
    scarcity: Annotated[
        str, typer.Option(help="decline, or serve-cheapest: what to do for a query that no model is worth.")
    ] = "decline",
    seed: Annotated[int, typer.Option(help="What all randomness comes from.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the totals as JSON.")] = False,
) -> None:
    """Assign every prompt of a file to a model, so that the funds buy the most expected quality."""
    volume, limits = count(file), read_funds(funds)
    chosen = load_embedder(embedder, cache=cache_dir())
    router = Router.fit(
        outcomes_at(history, seed), limits, volume=volume, embedder=chosen, scarcity=parse_scarcity(scarcity), seed=seed
    )
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("routing", total=volume)
        tally = route_file(file, router, out, lambda seen: bar.update(task, completed=seen))
    spent = dict(
        zip(router.snapshot.funds.names, (router.snapshot.funds.budget - router.balances).tolist(), strict=True)
    )
    if json:
        typer.echo(json_module.dumps({**asdict(tally), "spent": spent, "out": str(out)}))
    else:
        _show(tally, router, spent, out)


def parse_scarcity(text: str) -> Scarcity:
    """The scarcity policy of that name."""
    for known in get_args(Scarcity):
        if text == known:
            return cast(Scarcity, known)
    raise InputError(f"{text!r} is unknown", place="--scarcity", remedy="use decline or serve-cheapest")


def _show(tally: Tally, router: Router, spent: dict[str, float], out: Path) -> None:
    console = Console()
    table = Table("model", "prompts", title=f"{tally.served:,} of {tally.prompts:,} prompts have a model")
    for model, prompts in sorted(tally.by_model.items(), key=lambda pair: -pair[1]):
        table.add_row(model, f"{prompts:,}")
    console.print(table)
    money = Table("fund", "unit", "amount", "expected to be spent")
    for fund, unit, amount in zip(
        router.snapshot.funds.names, router.snapshot.fund_units, router.snapshot.funds.budget, strict=True
    ):
        money.add_row(fund, unit, f"{amount:,.6g}", f"{spent[fund]:,.6g}")
    console.print(money)
    console.print(f"expected quality {tally.quality:,.1f}, expected cost ${tally.cost_usd:,.6g}; decisions in {out}")
