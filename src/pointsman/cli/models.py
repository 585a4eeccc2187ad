"""`pointsman models`: who may answer, how each is known, what is expected of it and what it has done."""

from __future__ import annotations

import json as json_module
import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from pointsman.pool.registry import read_settings
from pointsman.serve.listing import Listed, listed

app = typer.Typer()


@app.command()
def main(
    config: Annotated[Path, typer.Option(help="The configuration.")] = Path("pointsman.yaml"),
    json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List the models: duty, how they are known, rates, expected quality, answers, share of the latest traffic."""
    today = datetime.now(UTC).date()
    found = listed(read_settings(config, os.environ, today), today)
    if json:
        typer.echo(json_module.dumps([asdict(one) for one in found], indent=2))
    else:
        _show(Console(), found)


def _show(console: Console, found: list[Listed]) -> None:
    table = Table("model", "duty", "known by", *(Column(name, justify="right") for name in NUMBERS))
    for one in found:
        table.add_row(*(escape(cell) for cell in _cells(one)))
    console.print(table)
    for one in found:
        if one.why:
            console.print(f"{one.id} is {one.duty}: {one.why}", markup=False, highlight=False)


NUMBERS = ("$ per M tokens", "quality", "answered", "scored", "share")


def _cells(one: Listed) -> tuple[str, ...]:
    known = one.known_by if one.known_by == "declared" else f"{one.known_by} ({one.outcomes:,})"
    return (
        one.id,
        one.duty,
        known,
        f"{one.input_usd:g} / {one.output_usd:g}",
        f"{one.quality:.3f} ± {one.spread:.3f}",
        f"{one.answered:,}",
        f"{one.scored:,}",
        "-" if one.share is None else f"{one.share:.1%}",
    )
