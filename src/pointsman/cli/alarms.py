"""`pointsman alarms`: what the drift watch has found, whether the gateway runs or not.

Thin: parses the command line, calls `serve.drift.alarms`, prints. A running gateway sees an acknowledgement within
seconds.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from pointsman.errors import InputError
from pointsman.serve.drift.alarms import Alarm, Alarms

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    state: Annotated[Path, typer.Option(metavar="DIR", help="The gateway's state folder.")] = Path("pointsman-state"),
    acknowledge: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Say that you know of this alarm. Repeatable.")
    ] = None,
    active: Annotated[bool, typer.Option("--active", help="Only those that nobody has answered.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Show what changed, since when and by how much, and what came of it."""
    if not state.is_dir():
        raise InputError("there is no such folder", place=str(state), remedy="give the gateway's with --state")
    alarms = Alarms(state)
    for id in acknowledge or ():
        if alarms.acknowledge(id, time.time()) is None:
            raise InputError(f"no alarm has the id {id!r}", place=str(alarms.path), remedy="see `pointsman alarms`")
    found = [alarm for alarm in alarms.all() if alarm.active or not active]
    if as_json:
        typer.echo(json.dumps({"alarms": [alarm.public() for alarm in found]}))
    else:
        _show(Console(), found)


def _show(console: Console, found: list[Alarm]) -> None:
    if not found:
        console.print("No alarm.")
    for alarm in found:
        raised = datetime.fromtimestamp(alarm.at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
        console.print(f"{alarm.id}  {_state(alarm)}  raised {raised}", markup=False, highlight=False, soft_wrap=True)
        for line in filter(None, (alarm.says, alarm.note)):
            console.print(Padding(Text(line), (0, 0, 0, 2)))


def _state(alarm: Alarm) -> str:
    known = "acknowledged" if alarm.acknowledged_s is not None else "active" if alarm.active else ""
    return ", ".join(filter(None, (known, alarm.verdict)))
