"""The command line's reference: every command with its arguments, options and defaults, from the program itself."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer

from pointsman.cli import COMMANDS

OF_EVERY_ONE = ("help", "install_completion", "show_completion")


def commands_page() -> str:
    """Markdown: a section for each command, with those below it."""
    return "\n\n".join(_section(name) for name in COMMANDS)


def _section(name: str) -> str:
    command = typer.main.get_command(import_module(f"pointsman.cli.{name}").app)
    return "\n\n".join(_told(command, ["pointsman", name]))


def _told(command: Any, words: list[str]) -> list[str]:
    """A command, and those below it."""
    below = dict(getattr(command, "commands", {}))
    level = "#" * len(words)
    parts = [f"{level} `{' '.join(words)}`", _help(command), *_usage(command, words, below)]
    for name in sorted(below):
        parts += _told(below[name], [*words, name])
    return parts


def _help(command: Any) -> str:
    """A command's own words, paragraphs kept."""
    text = str(command.help or "").split("\f")[0]
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _usage(command: Any, words: list[str], below: dict[str, Any]) -> list[str]:
    if below:
        return []
    shown = [one for one in command.params if not getattr(one, "hidden", False) and one.name not in OF_EVERY_ONE]
    context = command.context_class(command, info_name=" ".join(words))
    pieces = " ".join(command.collect_usage_pieces(context))
    rows = [_row(one) for one in shown]
    table = ["\n".join(["| | default | |", "|---|---|---|", *rows])] if rows else []
    return [f"```text\n{' '.join(words)} {pieces}\n```", *table]


def _row(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        names = f"`{(parameter.metavar or parameter.name).upper()}`"
    told = " ".join((getattr(parameter, "help", None) or "").split()).replace("|", "\\|").replace("*", "\\*")
    return f"| {names} | {_default(parameter)} | {told} |"


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    default = parameter.default
    if default is None or default is False or callable(default) or default in ((), []):
        return ""
    return f"`{default}`"
