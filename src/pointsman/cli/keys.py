"""`pointsman keys`: make, list and revoke virtual keys, whether the gateway runs or not.

Thin: parses the command line, calls `serve.access`, prints. A running gateway sees a change within a second. A new
key's secret is printed once; only its hash is kept.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pointsman.errors import InputError
from pointsman.pool.settings import WindowRule
from pointsman.serve.access import Keys
from pointsman.serve.keys import Budget, KeyRecord

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke virtual keys.")

NANO = 1_000_000_000
SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
PERIODS = ("minute", "hour", "day", "week", "month", "year")
SPAN = re.compile(r"([1-9]\d{0,8})([smhdw])")

StateOption = Annotated[Path, typer.Option("--state", metavar="DIR", help="The gateway's state folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]
STATE = Path("pointsman-state")


@app.command("create")
def create_command(
    *,
    state: StateOption = STATE,
    id: Annotated[str | None, typer.Option("--id", help="Its public name. [default: drawn]")] = None,
    models: Annotated[
        list[str] | None, typer.Option("--model", help="A model it may use, with `*`. Repeatable. [default: every one]")
    ] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", help="A tag of all its queries. Repeatable.")] = None,
    expires_in: Annotated[str | None, typer.Option(help="How long it lives, for example 30d. [default: ever]")] = None,
    budget: Annotated[str | None, typer.Option("--budget-usd", help="US dollars that it may spend.")] = None,
    window: Annotated[
        str, typer.Option(help="Over what time: none, 24h, 7d, 1mo (a calendar month), day, week, month.")
    ] = "none",
    zone: Annotated[str, typer.Option(help="Time zone of a calendar window, for example Europe/Berlin.")] = "UTC",
    rpm: Annotated[int | None, typer.Option("--rpm", min=0, help="Requests a minute.")] = None,
    tpm: Annotated[int | None, typer.Option("--tpm", min=0, help="Tokens a minute.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print its secret, which nothing can show again."""
    at_ns = time.time_ns()
    expires_ns = None if expires_in is None else at_ns + span_s(expires_in, "--expires-in") * NANO
    rule = window_rule(window, zone)
    if budget is None and rule.kind != "none":
        raise InputError("a window without a budget", place="--window", remedy="give --budget-usd too")
    with _keys(state) as keys:
        secret, record = keys.create(
            at_ns,
            id=id,
            models=models or (),
            tags=tags or (),
            expires_ns=expires_ns,
            budget=None if budget is None else Budget(usd_nano(budget), rule),
            requests_per_minute=rpm,
            tokens_per_minute=tpm,
        )
    if as_json:
        typer.echo(json.dumps({"secret": secret, **_shown(record, at_ns)}))
        return
    console = Console()
    console.print(f"key {record.id}", highlight=False, markup=False)
    console.print(secret, highlight=False, markup=False, soft_wrap=True)
    console.print("This is the only time that the secret is shown.", style="bold")


@app.command("list")
def list_command(*, state: StateOption = STATE, as_json: JsonOption = False) -> None:
    """All keys there ever were, and what each may do. No secret is kept, so none is shown."""
    at_ns = time.time_ns()
    with _keys(_existing(state)) as keys:
        records = keys.list()
    if as_json:
        typer.echo(json.dumps({"keys": [_shown(record, at_ns) for record in records]}))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("key", "state", "models", "tags", "budget", "rpm", "tpm", "expires"):
        table.add_column(column, overflow="fold")
    for record in records:
        table.add_row(*(escape(cell) for cell in _cells(record, at_ns)))
    Console().print(table if records else "No key was ever made here.")


@app.command("revoke")
def revoke_command(
    id: Annotated[str, typer.Argument(metavar="ID", help="The key's public name.")],
    *,
    state: StateOption = STATE,
    as_json: JsonOption = False,
) -> None:
    """End a key for good."""
    at_ns = time.time_ns()
    with _keys(_existing(state)) as keys:
        record = keys.revoke(id, at_ns)
    if record is None:
        remedy = "look them up with `pointsman keys list`"
        raise InputError(f"there is no key {id!r} that isn't revoked already", place=str(state), remedy=remedy)
    if as_json:
        typer.echo(json.dumps(_shown(record, at_ns)))
    else:
        Console().print(f"key {record.id} is revoked", highlight=False, markup=False)


# --- reading ----------------------------------------------------------------------------------------------------------


def usd_nano(text: str) -> int:
    """US dollars as whole nano-dollars, exact.

    Raises:
        InputError: no number, negative, or finer than a nano-dollar.
    """
    try:
        nano = Decimal(text) * NANO
    except InvalidOperation:
        nano = Decimal("nan")
    if not nano.is_finite() or nano < 0 or nano != nano.to_integral_value() or nano >= 2**63:
        raise InputError(
            f"{text!r} is no sum of US dollars", place="--budget-usd", remedy="write for example 25 or 0.50"
        )
    return int(nano)


def span_s(text: str, place: str) -> int:
    """A length of time such as 30s, 10m, 24h, 7d or 2w, in seconds.

    Raises:
        InputError: it isn't one.
    """
    found = SPAN.fullmatch(text)
    if found is None:
        raise InputError(f"{text!r} is no length of time", place=place, remedy="write for example 30s, 10m, 24h or 7d")
    return int(found[1]) * SECONDS[found[2]]


def window_rule(text: str, zone: str) -> WindowRule:
    """A window as `pointsman.yaml` writes it: none, a length of time, 1mo, or the name of a calendar period.

    Raises:
        InputError: neither; or an unknown zone, or one without a calendar window.
    """
    every = "month" if text == "1mo" else text
    if every not in PERIODS:
        if zone != "UTC":
            raise InputError("a zone without a calendar window", place="--zone", remedy="give for example --window 1mo")
        return WindowRule() if text == "none" else WindowRule("rolling", span_s(text, "--window"))
    try:
        return WindowRule("calendar", every=every, zone=str(ZoneInfo(zone)))
    except (KeyError, ValueError, OSError):
        remedy = "write for example Europe/Berlin"
        raise InputError(f"time zone {zone!r} is unknown", place="--zone", remedy=remedy) from None


def _existing(state: Path) -> Path:
    if not (state / "keys.sqlite").is_file():
        remedy = "give the gateway's state folder with --state, or make a key first"
        raise InputError("there are no keys here", place=str(state), remedy=remedy)
    return state


@contextmanager
def _keys(state: Path) -> Iterator[Keys]:
    keys = Keys(state / "keys.sqlite")
    try:
        yield keys
    finally:
        keys.close()


# --- printing ---------------------------------------------------------------------------------------------------------


def _shown(record: KeyRecord, at_ns: int) -> dict[str, Any]:
    return record.public() | {"state": record.state(at_ns)}


def _cells(record: KeyRecord, at_ns: int) -> tuple[str, ...]:
    return (
        record.id,
        record.state(at_ns),
        ", ".join(record.models) or "all",
        ", ".join(record.tags) or "-",
        _budget_text(record.budget),
        _limit_text(record.requests_per_minute),
        _limit_text(record.tokens_per_minute),
        _time_text(record.expires_ns),
    )


def _budget_text(budget: Budget | None) -> str:
    if budget is None:
        return "-"
    window = budget.window
    over = {"none": "", "rolling": f" in {window.length_s} s", "calendar": f" a {window.every} ({window.zone})"}
    return f"${Decimal(budget.amount_nano) / NANO:f}{over[window.kind]}"


def _limit_text(limit: int | None) -> str:
    return "-" if limit is None else f"{limit:,}"


def _time_text(at_ns: int | None) -> str:
    return "-" if at_ns is None else datetime.fromtimestamp(at_ns / NANO, UTC).strftime("%Y-%m-%d %H:%M UTC")
