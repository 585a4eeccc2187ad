"""`pointsman ledger …`: look at what was booked, check it, and correct it. Works beside a running gateway."""

from __future__ import annotations

import json as encoding
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from pointsman.errors import InputError
from pointsman.ledger.book import BookUnavailableError
from pointsman.ledger.entries import Audit, Balance, Entry
from pointsman.ledger.sqlite import SqliteBook
from pointsman.records import Unit

NANO = 1_000_000_000

app = typer.Typer(help="Audit, list and correct what a gateway booked.", no_args_is_help=True)

State = Annotated[Path, typer.Option(help="The state folder of a gateway.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; money in nano-dollars, times in Unix nanoseconds.")]


@app.callback()
def group() -> None:
    """Audit, list and correct what a gateway booked."""


@app.command()
def audit(state: State, json: AsJson = False) -> None:
    """Fold every entry again and compare; ends with code 1 if anything is wrong."""
    with _book(state) as book:
        found = book.audit()
    if json:
        _print_json(asdict(found))
    else:
        _show_audit(Console(), found)
    raise typer.Exit(0 if found.ok else 1)


@app.command()
def balances(state: State, json: AsJson = False) -> None:
    """Where every fund stands in its window of now."""
    with _book(state) as book:
        found = book.balances(time.time_ns())
    if json:
        _print_json([asdict(balance) for balance in found])
    else:
        _show_balances(Console(), found)


@app.command()
def entries(
    state: State,
    fund: Annotated[str | None, typer.Option(help="Of this fund alone.")] = None,
    hold: Annotated[str | None, typer.Option(help="Of this hold or correction alone.")] = None,
    since: Annotated[datetime | None, typer.Option(help="From this UTC time on.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many, the first; 0 for all.")] = 1000,
    json: AsJson = False,
) -> None:
    """List entries, the oldest first; as JSON, one a line."""
    since_ns = None if since is None else int(since.replace(tzinfo=UTC).timestamp()) * NANO
    with _book(state) as book:
        found = islice(book.entries(fund=fund, hold=hold, since_ns=since_ns), limit or None)
        if json:
            for entry in found:
                print(encoding.dumps(asdict(entry)))
        else:
            units = {balance.fund: balance.unit for balance in book.balances(time.time_ns())}
            _show_entries(Console(), found, units)


@app.command()
def correct(
    state: State,
    fund: Annotated[str, typer.Option(help="The fund whose books are wrong.")],
    amount: Annotated[
        str, typer.Option(help="More spent (or, below zero, less): US dollars, or whole tokens or requests.")
    ],
    reason: Annotated[str, typer.Option(help="Why; kept for ever.")],
    id: Annotated[str, typer.Option(help="A new id of your own; running the same again books nothing twice.")],
    json: AsJson = False,
) -> None:
    """Book a correction: a new entry, in the window of now. Nothing that was booked is changed."""
    now = time.time_ns()
    with _book(state) as book:
        units = {balance.fund: balance.unit for balance in book.balances(now)}
        if fund not in units:
            raise InputError("there is no such fund", place=f"--fund {fund}", remedy=f"use one of {', '.join(units)}")
        done = book.correct(id, fund, _whole(amount, units[fund]), reason, now)
    if json:
        _print_json(asdict(done))
    else:
        said = "was booked before" if done.repeated else "booked"
        print(f"{done.id}: {_amount(done.amount, units[fund])} {said} as spent in {fund}")


@contextmanager
def _book(state: Path) -> Iterator[SqliteBook]:
    try:
        with closing(SqliteBook(state / "ledger.sqlite", create=False)) as book:
            yield book
    except BookUnavailableError as error:
        raise InputError(str(error), remedy="try again, or see who holds the file") from None


def _whole(text: str, unit: Unit) -> int:
    """An amount as the ledger counts it, exactly."""
    try:
        value = Decimal(text) * (NANO if unit == "usd" else 1)
        whole = int(value)
    except (InvalidOperation, ValueError, OverflowError):
        whole, value = 0, Decimal(1)
    if whole != value:
        what = "is no number of dollars with at most nine decimals" if unit == "usd" else "is no whole number"
        raise InputError(f"{text!r} {what}", place="--amount", remedy="give for example 0.25, or -3 for less spent")
    return whole


def _amount(amount: int, unit: Unit) -> str:
    if unit != "usd":
        return f"{amount:,} {unit}"
    sign, whole = "-" if amount < 0 else "", abs(amount)
    cents, rest = f"{whole % NANO:09d}"[:2], f"{whole % NANO:09d}"[2:].rstrip("0")
    return f"{sign}{whole // NANO:,}.{cents}{rest} usd"


def _bare(amount: int, unit: Unit) -> str:
    """An amount without its unit, for a column."""
    return _amount(amount, unit).rpartition(" ")[0]


def _time(at_ns: int | None) -> str:
    return "" if at_ns is None else datetime.fromtimestamp(at_ns // NANO, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _print_json(value: Any) -> None:
    print(encoding.dumps(value, indent=2))


def _table(*headings: str) -> Table:
    """A table that breaks what is too wide for the terminal, and never cuts a figure."""
    return Table(*(Column(heading, overflow="fold") for heading in headings))


def _show_audit(console: Console, found: Audit) -> None:
    table = Table("counted", "", title="the audit is fine" if found.ok else "the audit found problems")
    for name, count in sorted(found.counts.items()):
        table.add_row(name, f"{count:,}")
    console.print(table)
    for line in found.overruns:
        console.print(f"overruns of {line.fund}: {line.amount:,} above holds", markup=False, highlight=False)
    for problem in found.problems:
        console.print(f"problem: {problem}", markup=False, highlight=False)


def _show_balances(console: Console, found: list[Balance]) -> None:
    table = _table("fund", "unit", "amount", "held", "spent", "overrun", "remaining", "resets (UTC)")
    for b in found:
        amounts = (_bare(value, b.unit) for value in (b.amount, b.held, b.spent, b.overrun, b.remaining))
        table.add_row(escape(b.fund), b.unit, *amounts, _time(b.resets_ns))
    console.print(table)


def _show_entries(console: Console, found: Iterator[Entry], units: dict[str, Unit]) -> None:
    table = _table("seq", "at (UTC)", "kind", "id", "fund", "available", "held", "spent", "note")
    for e in found:
        amounts = (_bare(value, units.get(e.fund, "requests")) for value in (e.available, e.held, e.spent))
        table.add_row(str(e.seq), _time(e.at_ns), e.kind, escape(e.id), escape(e.fund), *amounts, escape(e.note))
    console.print(table)
