"""`pointsman config`: check a configuration, or import one of LiteLLM's."""

from __future__ import annotations

import json as json_module
import os
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from pointsman.pool.billing import rates_at
from pointsman.pool.cards import Model, Step
from pointsman.pool.config_values import NANO
from pointsman.pool.litellm import import_litellm
from pointsman.pool.registry import read_settings
from pointsman.pool.settings import Alias, FundRule, Settings, WindowRule
from pointsman.pool.writing import write_settings

app = typer.Typer(help="Check a configuration, or import one of LiteLLM's.", no_args_is_help=True)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The configuration.")] = Path("pointsman.yaml"),
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Read a configuration as the gateway would, and show what it comes to. No key is shown."""
    today = datetime.now(UTC).date()
    settings = read_settings(file, os.environ, today)
    if json:
        typer.echo(json_module.dumps(summary(settings, today), indent=2))
    else:
        _show(summary(settings, today), today)


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="A LiteLLM config.yaml.")],
    to: Annotated[Path, typer.Option(help="Where the configuration goes.")] = Path("pointsman.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Say what a LiteLLM configuration says in a configuration of our own, and tell what is left out."""
    today = datetime.now(UTC).date()
    found = import_litellm(file, today)
    settings = write_settings(found.text, to, os.environ, today, force=force)
    console = Console()
    for note in found.notes:
        console.print(f"note: {note}", highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"{to}: {len(settings.models)} models, {len(settings.funds)} funds, {len(settings.aliases)} aliases",
        highlight=False,
        markup=False,
    )


def summary(settings: Settings, today: date) -> dict[str, Any]:
    """What settings come to, without any key, as plain values."""
    server = settings.server
    return {
        "listen": f"{server.host}:{server.port}",
        "workers": server.workers,
        "state": str(settings.state),
        "master_key": settings.master_key is not None,
        "models": [_model(model, today) for model in settings.models],
        "funds": [_fund(fund) for fund in settings.funds],
        "aliases": [_alias(alias) for alias in settings.aliases],
    }


def _model(model: Model, today: date) -> dict[str, Any]:
    rates = rates_at(model, today)
    return {
        "id": model.id,
        "endpoints": [
            {"name": one.name, "kind": one.kind, "base_url": one.base_url, "key": one.key is not None}
            for one in model.endpoints
        ],
        "usd_per_million": {"input": _steps(rates.input), "output": _steps(rates.output)},
        "rates_from": rates.source,
        "rates_since": None if rates.since == date.min else rates.since.isoformat(),
        "context": model.context_tokens,
        "capabilities": sorted(model.capabilities),
        "tags": sorted(model.tags),
        "tier": model.tier,
    }


def _steps(steps: Sequence[Step]) -> str:
    """Rates as text, so that JSON keeps them exact."""
    first = _plain(steps[0].usd_per_million)
    return first + "".join(f", {_plain(step.usd_per_million)} from {step.from_tokens:,}" for step in steps[1:])


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")


def _fund(fund: FundRule) -> dict[str, Any]:
    amount = _plain(Decimal(fund.amount) / NANO) if fund.unit == "usd" else str(fund.amount)
    draws = {"models": fund.models, "providers": fund.providers, "keys": fund.keys, "tags": fund.tags}
    return {
        "name": fund.name,
        "amount": amount,
        "unit": fund.unit,
        "window": _window(fund.window),
        **{kind: list(names) for kind, names in draws.items()},
    }


def _window(window: WindowRule) -> str:
    if window.kind == "calendar":
        return f"each {window.every} ({window.zone})"
    return f"any {_length(window.length_s)}" if window.kind == "rolling" else "once and for all"


def _length(seconds: int) -> str:
    units = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
    unit, each = next((unit, each) for unit, each in units.items() if seconds % each == 0)
    return f"{seconds // each}{unit}"


def _alias(alias: Alias) -> dict[str, Any]:
    return {
        "name": alias.name,
        "models": list(alias.models),
        "trade_off": alias.trade_off,
        "scarcity": alias.scarcity,
        "tags": list(alias.tags),
    }


def _show(found: dict[str, Any], today: date) -> None:
    console = Console()
    models = Table(
        *_folded("model", "endpoints", "input", "output", "rates from", "context"), title=f"USD per million, {today}"
    )
    for one in found["models"]:
        ends = "\n".join(end["base_url"] + ("" if end["key"] else " (no key)") for end in one["endpoints"])
        usd, context = one["usd_per_million"], f"{one['context']:,}" if one["context"] else "–"
        models.add_row(one["id"], ends, usd["input"], usd["output"], one["rates_from"], context)
    console.print(models)
    funds = Table(*_folded("fund", "amount", "unit", "window", "drawn on by"))
    for one in found["funds"]:
        funds.add_row(one["name"], one["amount"], one["unit"], one["window"], _drawn(one))
    aliases = Table(*_folded("alias", "models", "trade-off", "when money is scarce"))
    for one in found["aliases"]:
        trade_off = "by the funds' prices" if one["trade_off"] is None else f"{one['trade_off']:g} of 10"
        aliases.add_row(one["name"], ", ".join(one["models"]) or "all", trade_off, one["scarcity"])
    console.print(funds, aliases)
    door = "set" if found["master_key"] else "none (this machine only)"
    console.print(f"listens on {found['listen']}, state in {found['state']}, master key: {door}", highlight=False)


def _folded(*names: str) -> list[Column]:
    """Columns that break long words rather than cut them: an id that is cut can't be copied."""
    return [Column(name, overflow="fold") for name in names]


def _drawn(fund: dict[str, Any]) -> str:
    kinds = ("models", "providers", "keys", "tags")
    return "; ".join(f"{kind} {', '.join(fund[kind])}" for kind in kinds if fund[kind]) or "everything"
