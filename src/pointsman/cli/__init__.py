"""The `pointsman` command: parse, call, print.

An `InputError` is printed on one screen and ends the command with code 2; Ctrl-C ends it with 130 after what is
running has been put away. Anything else is a bug and keeps its trace.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from pointsman.cli import bench, data, demo, explain, route
from pointsman.errors import InputError

app = typer.Typer(
    help="Route every LLM query to the right model, so that fixed budgets buy the most quality.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(data.app, name="data")
app.add_typer(bench.app, name="bench")
app.command("route")(route.route)
app.command("explain")(explain.explain)
app.command("demo")(demo.demo)


def main() -> None:
    """Entry point of the console script."""
    errors = Console(stderr=True)
    try:
        app()
    except InputError as error:
        errors.print("[bold red]error:[/] ", end="")
        errors.print(str(error), markup=False, highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        errors.print("stopped")
        sys.exit(130)
