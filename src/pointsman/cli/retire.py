"""`pointsman retire MODEL`: no query goes there any more, from the next second on; `--back` takes that back.

Works beside a running gateway or without one: it writes `duties.json` in the state folder, and every worker sees it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from pointsman.errors import InputError
from pointsman.pool.cards import Model
from pointsman.pool.duties import clear_duty, left_without, read_duties, set_duty, with_duties
from pointsman.pool.registry import read_settings
from pointsman.pool.settings import Settings

app = typer.Typer()


@app.command()
def main(
    model: Annotated[str, typer.Argument(help="Its id, as in the configuration.")],
    config: Annotated[Path, typer.Option(help="The configuration.")] = Path("pointsman.yaml"),
    back: Annotated[bool, typer.Option("--back", help="Let it serve again.")] = False,
    why: Annotated[str, typer.Option(help="A few words, shown by `pointsman models`.")] = "",
) -> None:
    """Take a model out of service: queries in flight finish, what was booked stays, and nobody may ask it any more."""
    settings = read_settings(config, os.environ, datetime.now(UTC).date())
    found = _find(settings, model)
    if not back:
        set_duty(settings.state, model, "retired", why or "`pointsman retire`")
    elif found.duty == "serving":
        clear_duty(settings.state, model)
    else:
        set_duty(settings.state, model, "serving", why or "`pointsman retire --back`")
    now = with_duties(settings, read_duties(settings.state))
    typer.echo(f"{model} is {_find(now, model).duty}")
    for alias in left_without(now):
        typer.echo(f"warning: no model is serving behind `{alias}` any more", err=True)


def _find(settings: Settings, name: str) -> Model:
    by_id = {model.id: model for model in settings.models}
    if name not in by_id:
        close = get_close_matches(name, by_id, n=1)
        remedy = f"did you mean {close[0]}" if close else f"use one of {', '.join(list(by_id)[:8])}"
        raise InputError(f"the configuration has no model {name!r}", place=str(settings.path), remedy=remedy)
    return by_id[name]
