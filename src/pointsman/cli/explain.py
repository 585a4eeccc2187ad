"""`pointsman explain TEXT`: one decision, opened."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from pointsman.cli.funds_file import read_funds
from pointsman.cli.places import cache_dir, outcomes_at
from pointsman.errors import InputError
from pointsman.estimate.embedders import load_embedder
from pointsman.estimate.index import build_index
from pointsman.records import Decision, Fund, Outcomes
from pointsman.router import Router

app = typer.Typer()

NINETY = 1.645  # standard errors on each side of a 90 % interval


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A past prompt near the query, with the models that scored best on it."""

    similarity: float
    dataset: str
    text: str
    best: str
    mean_score: float


@app.command()
def explain(
    text: Annotated[str, typer.Argument(help="The query.")],
    history: Annotated[str, typer.Option(help="Past outcomes: a folder, `simulated` or `local-pool`.")],
    funds: Annotated[Path | None, typer.Option(help="YAML as for `pointsman route`; else one pool, see below.")] = None,
    volume: Annotated[int, typer.Option(help="Queries expected within the funds' horizon.")] = 1000,
    neighbours: Annotated[int, typer.Option(help="Past prompts to show.")] = 5,
    embedder: Annotated[str, typer.Option(help="Text to vectors.")] = "wordllama",
    seed: Annotated[int, typer.Option(help="What all randomness comes from.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show why a query would go where it would go: neighbours, estimates with intervals, prices, scores, the choice.

    Without --funds the money is one pool: the history's mean cost of a query times --volume.
    """
    if not text.strip():
        raise InputError("the query is empty", place="TEXT", remedy="give some text")
    if neighbours < 0:
        raise InputError(f"{neighbours} neighbours", place="--neighbours", remedy="use at least 0")
    past = outcomes_at(history, seed)
    limits = read_funds(funds) if funds else [Fund("pool", float(np.nanmean(past.cost_usd)) * max(1, volume))]
    chosen = load_embedder(embedder, cache=cache_dir())
    router = Router.fit(past, limits, volume=volume, embedder=chosen, seed=seed)
    price = router.snapshot.price
    assert price is not None  # noqa: S101 (a fitted router always has prices)
    near = find_neighbours(text, past, router, min(neighbours, len(past)))
    decision = router.route([text])[0]
    prices = dict(zip(router.snapshot.funds.names, price.tolist(), strict=True))
    if json:
        typer.echo(
            json_module.dumps({"decision": asdict(decision), "prices": prices, "neighbours": [asdict(n) for n in near]})
        )
    else:
        _show(decision, router, prices, near, past)


def find_neighbours(text: str, past: Outcomes, router: Router, k: int) -> list[Neighbour]:
    """The k past prompts nearest to `text` by cosine similarity, best first."""
    if k == 0:
        return []
    embed = router.snapshot.embedder.embed
    ids, similarity = build_index("exact", embed(past.texts)).search(embed([text]), k)
    return [_neighbour(past, int(i), float(s)) for i, s in zip(ids[0], similarity[0], strict=True)]


def _neighbour(past: Outcomes, i: int, similarity: float) -> Neighbour:
    score = past.score[i]
    best = [past.models[m] for m in np.flatnonzero(score == np.nanmax(score))]
    names = ", ".join(best[:3]) + (f" and {len(best) - 3} more" if len(best) > 3 else "")
    return Neighbour(similarity, past.datasets[i], past.texts[i], names, float(np.nanmean(score)))


def _show(decision: Decision, router: Router, prices: dict[str, float], near: list[Neighbour], past: Outcomes) -> None:
    console = Console()
    if past.simulated:
        console.print("simulated outcomes: no real model answered", style="yellow")
    if near:
        console.print(_neighbour_table(near))
    money = Table("fund", "amount", "unit", "price: quality per unit", title="Prices, learned from history")
    snapshot = router.snapshot
    for name, unit, amount in zip(snapshot.funds.names, snapshot.fund_units, snapshot.funds.budget, strict=True):
        money.add_row(name, f"{amount:,.6g}", unit, f"{prices[name]:,.4g}")
    console.print(money)
    console.print(_score_table(decision))
    console.print(f"[bold]{decision.model or 'nobody'}[/] ({decision.reason.replace('_', ' ')})", highlight=False)


def _neighbour_table(near: list[Neighbour]) -> Table:
    table = Table("similarity", "from", "past prompt", "mean score", "best", title="Nearest past prompts")
    for one in near:
        words = " ".join(one.text.split())
        table.add_row(
            f"{one.similarity:.3f}",
            one.dataset,
            words[:60] + ("…" if len(words) > 60 else ""),
            f"{one.mean_score:.2f}",
            one.best,
        )
    return table


def _score_table(decision: Decision) -> Table:
    table = Table("model", "quality", "90 % interval", "cost $", "charge", "score", title="score = quality − charge")
    for one in decision.candidates:
        low, high = max(0.0, one.quality - NINETY * one.spread), min(1.0, one.quality + NINETY * one.spread)
        style = "bold green" if one.model == decision.model else ""
        table.add_row(
            one.model,
            f"{one.quality:.3f}",
            f"{low:.2f} to {high:.2f}",
            f"{one.cost_usd:.6f}",
            f"{one.charge:.3f}",
            f"{one.score:.3f}",
            style=style,
        )
    return table
