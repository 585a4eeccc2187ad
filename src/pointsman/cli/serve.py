"""`pointsman serve`: the gateway, in front of the endpoints that `pointsman.yaml` names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pointsman.serve.server import serve

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    config: Annotated[Path, typer.Option(help="The configuration; `pointsman init` writes a first one.")] = Path(
        "pointsman.yaml"
    ),
    host: Annotated[str | None, typer.Option(help="Where to listen, in place of what the file says.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="How many processes answer.")] = None,
) -> None:
    """Serve OpenAI's and Anthropic's APIs, and route every query within the funds."""
    serve(config, host, port, workers)
