"""The `pointsman` command: parse, call, print.

A command's module is loaded when the command is called, so that `--help` doesn't wait for numerical libraries.
An `InputError` is printed on one screen and ends the command with code 2; Ctrl-C ends it with 130 after what is
running has been put away. Anything else is a bug and keeps its trace.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import typer
from rich.console import Console
from typer.core import TyperCommand, TyperGroup

from pointsman.errors import InputError

COMMANDS = {
    "serve": "Answer OpenAI's and Anthropic's APIs, and route every query within the funds.",
    "init": "Write a first pointsman.yaml from the provider keys in the environment.",
    "config": "Check a configuration, or import LiteLLM's.",
    "models": "List the models: duty, how they are known, rates, expected quality, share of traffic.",
    "onboard": "Get to know a model by a few probes within a budget, and let it serve.",
    "retire": "Take a model out of service, or back into it.",
    "keys": "Make, list and revoke virtual keys.",
    "ledger": "Audit the ledger, show balances and entries, book corrections.",
    "log": "Look at what a gateway stored to learn from; export, delete, prune it.",
    "replay": "Play a log again: as it was served, and as other policies would have, under given funds.",
    "alarms": "Show what the drift watch of a gateway has found, and acknowledge it.",
    "demo": "Run a gateway with simulated models, real traffic and the dashboard, and compare policies.",
    "route": "Assign every prompt of a file to a model, within funds.",
    "explain": "Show why a query would go where it would go.",
    "bench": "Experiments on recorded outcomes.",
    "data": "Fetch, import, describe and list outcome sets.",
}


class Commands(TyperGroup):
    """The commands by name; each is a module of this package with an `app`."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Names, in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """What the help page needs of a command; None for an unknown one."""
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name]) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is called, loaded."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, typer.main.get_command(import_module(f"pointsman.cli.{name}").app), rest


app = typer.Typer(
    cls=Commands,
    help="Route every LLM query to the right model, so that fixed budgets buy the most quality.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def group() -> None:
    """Route every LLM query to the right model, so that fixed budgets buy the most quality."""


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
