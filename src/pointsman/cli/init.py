"""`pointsman init`: a first configuration, from the keys in the environment."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pointsman.pool.init import first_settings
from pointsman.pool.writing import write_settings

app = typer.Typer()


@app.command()
def init(
    to: Annotated[Path, typer.Option(help="Where the file goes.")] = Path("pointsman.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a first configuration from the providers' keys found in the environment."""
    today = datetime.now(UTC).date()
    settings = write_settings(first_settings(os.environ, today), to, os.environ, today, force=force)
    console = Console()
    console.print(f"{to}: {len(settings.models)} models", highlight=False, markup=False)
    for model in settings.models:
        console.print(f"  {model.id}", highlight=False, markup=False)
    console.print(f"look it over, then: pointsman config check {to}", highlight=False, markup=False)
