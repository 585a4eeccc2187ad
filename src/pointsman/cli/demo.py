"""`pointsman demo`: the main job on embedded defaults, with nothing to download and nobody to ask.

Simulated outcomes throughout, and said so: first some queries are routed live under budgets, then the policies are
compared on the same traffic, then the tables and pictures are written.
"""

from __future__ import annotations

import json as json_module
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from pointsman.cli.bench import run_and_keep, show
from pointsman.errors import InputError
from pointsman.evaluate.budgets import budget_funds, split_weights, total_budget
from pointsman.evaluate.export import export_json
from pointsman.evaluate.plan import Circumstance, Request, parse_policies
from pointsman.evaluate.prepare import Setting, default_test, split_rows
from pointsman.evaluate.report import write_report
from pointsman.evaluate.resumable import META_FILE
from pointsman.evaluate.rows import RUNS_FILE, TRACES_FILE
from pointsman.evaluate.rows_folder import read_rows
from pointsman.evaluate.simulated import simulate
from pointsman.outcomes import complete
from pointsman.records import Decision, Outcomes
from pointsman.router import Router

app = typer.Typer()

POLICIES = "port,greedy-perf,greedy-feasible,cheapest-pooled,mirror-descent,paced,paced-pooled,approx-optimum,optimum"
BATCH = 32
FACTOR = 3.0  # money for three times the cheapest model: enough for the dearer ones to matter, too little for all


@app.command()
def demo(
    queries: Annotated[int, typer.Option(help="Simulated queries; 55 % of them are routed.")] = 5000,
    orders: Annotated[int, typer.Option(help="Random orders of arrival.")] = 2,
    seed: Annotated[int, typer.Option(help="What all randomness comes from.")] = 0,
    out: Annotated[Path, typer.Option(help="Where tables, pictures and the report go.")] = Path("out/demo"),
    json: Annotated[Path | None, typer.Option(help="Write all runs and their summary here.")] = None,
) -> None:
    """Route a simulated workload under budgets, compare policies, and draw the pictures."""
    if queries < 100:
        raise InputError(f"{queries} queries are too few to learn from", place="--queries", remedy="use 100 or more")
    console = Console()
    console.print(
        "[yellow]simulated[/]: prompts written by a generator, answers by a latent-skill model; no LLM is asked"
    )
    outcomes, left_out = complete(simulate(queries, seed=seed))
    setting = Setting(default_test(len(outcomes)), seed=seed)
    _route_live(outcomes, setting, console)
    base = Circumstance(setting, "weighted", FACTOR, "iid", 0)
    _forget_last_demo(out)
    rows = run_and_keep(outcomes, left_out, Request(parse_policies(POLICIES), base, orders), out)
    show(rows)
    console.print(f"report: {write_report(out)}", highlight=False)
    if json is not None:
        export_json(rows, json)
        console.print(json_module.dumps({"json": str(json)}), highlight=False)


def _forget_last_demo(out: Path) -> None:
    """A demo starts anew; rows that anything else wrote are left, and refused by the bench if they don't fit."""
    if (out / META_FILE).is_file() and read_rows(out).meta.command.startswith("pointsman demo"):
        for name in (RUNS_FILE, TRACES_FILE, META_FILE):
            (out / name).unlink(missing_ok=True)


def _route_live(outcomes: Outcomes, setting: Setting, console: Console) -> None:
    """The library at work: history in, queries routed one batch after another, funds burning down."""
    tested, past = split_rows(len(outcomes), setting)
    test, history = outcomes.take(tested), outcomes.take(past)
    weights = split_weights("weighted", history, np.random.default_rng(setting.seed))
    funds = budget_funds(outcomes.models, weights, total_budget(test, FACTOR))
    with console.status("learning from history"):
        router = Router.fit(history, funds, volume=len(test), seed=setting.seed)
    with Live(console=console, refresh_per_second=8) as live:
        for latest, routed in _batches(test, router):
            live.update(Group(_funds(router), _latest(latest, routed, len(test))))


def _batches(test: Outcomes, router: Router) -> Iterator[tuple[list[tuple[str, Decision]], int]]:
    """Routes batch after batch and settles each decision at what the simulated answer really took."""
    for start in range(0, len(test), BATCH):
        texts = list(test.texts[start : start + BATCH])
        decisions = router.route(texts, input_tokens=test.input_tokens[start : start + BATCH])
        for j, decision in enumerate(decisions, start=start):
            if decision.model is not None:
                column = test.models.index(decision.model)
                tokens = float(test.input_tokens[j] + test.output_tokens[j, column])
                router.settle(decision, cost_usd=float(test.cost_usd[j, column]), tokens=tokens)
        yield list(zip(texts, decisions, strict=True)), start + len(texts)


def _funds(router: Router) -> Table:
    table = Table("fund (a model's own budget)", "amount $", "left $", "", "price: quality per $", expand=False)
    snapshot = router.snapshot
    prices = snapshot.price if snapshot.price is not None else np.zeros(len(snapshot.funds))
    for name, amount, left, price in zip(
        snapshot.funds.names, snapshot.funds.budget, router.balances, prices, strict=True
    ):
        bar = ProgressBar(total=float(amount) or 1.0, completed=float(left), width=24)
        table.add_row(name, f"{amount:.4f}", f"{left:.4f}", bar, f"{price:,.1f}")
    return table


def _latest(batch: list[tuple[str, Decision]], routed: int, total: int) -> Table:
    table = Table("query", "to", "expected quality", "expected cost $", title=f"{routed:,} of {total:,} routed")
    for text, decision in batch[:5]:
        chosen, words = decision.chosen, " ".join(text.split())
        table.add_row(
            words[:56] + ("…" if len(words) > 56 else ""),
            decision.model or f"nobody ({decision.reason.replace('_', ' ')})",
            f"{chosen.quality:.2f}" if chosen else "",
            f"{chosen.cost_usd:.6f}" if chosen else "",
        )
    return table
