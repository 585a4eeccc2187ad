"""`pointsman demo`: a gateway, simulated models, real clients and a story, on this machine, in one command."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from pointsman.demo.local import LocalStage
from pointsman.demo.report import Account, Teller, json_of, sentences_of, table_of
from pointsman.demo.run import Options, check_packages, run
from pointsman.demo.stage import SimulatedStage, Stage
from pointsman.demo.told import Event
from pointsman.demo.watching import clock, shown
from pointsman.errors import InputError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    seconds: Annotated[float, typer.Option(help="How long the traffic lasts.")] = 180.0,
    rate: Annotated[float | None, typer.Option(help="Queries a second, on average. [default: 8; local 0.5]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="What all randomness comes from.")] = 0,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Of the gateway. [default: 8400, or the next free one]")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="Keep ledger, log and fits here. [default: a temporary folder]")
    ] = None,
    local_llm: Annotated[
        bool, typer.Option("--local-llm", help="Real small models (llama.cpp, SmolLM2) in place of simulated ones.")
    ] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the dashboard in a browser.")] = False,
    headless: Annotated[
        bool, typer.Option("--headless", help="No live panel; end when the traffic has ended.")
    ] = False,
    json: Annotated[
        str | None, typer.Option(help="Write everything as JSON to this file; `-` is standard output.")
    ] = None,
) -> None:
    """Run a gateway with traffic: a model is plugged in, another one fails; then compare five policies.

    Ctrl-C ends the traffic, and the table comes at once.
    """
    stage: Stage = LocalStage() if local_llm else SimulatedStage()
    rate = stage.usual_rate if rate is None else rate
    _check(seconds, rate)
    check_packages()
    console = Console(stderr=json == "-")
    quiet = headless or not console.is_terminal
    options = Options(seconds, rate, seed, port, state, open_browser, stay=not (quiet or json == "-"))
    with _telling(console, live=not quiet) as teller:
        account = run(stage, options, teller)
    _write(account, json)


def _check(seconds: float, rate: float) -> None:
    if not 5 <= seconds <= 86_400:
        raise InputError(f"{seconds:g} seconds", place="--seconds", remedy="use 5 to 86,400")
    if not 0 < rate <= 200:
        raise InputError(f"{rate:g} queries a second", place="--rate", remedy="use more than 0, at most 200")


@contextmanager
def _telling(console: Console, *, live: bool) -> Iterator[Teller]:
    """Sentences above, and where somebody is looking a panel below them."""

    def say(what: str) -> None:
        console.print(what, highlight=False, markup=False, soft_wrap=True)

    def tell(event: Event) -> None:
        say(f"{clock(event.at_s)}  {event.what}")

    def end(account: Account) -> None:
        panel.stop()
        console.print(table_of(account))
        for one in sentences_of(account):
            say(one)

    panel = Live(console=console, auto_refresh=False, transient=True)
    if live:
        panel.start()
    try:
        yield Teller(say, tell, lambda glance: panel.update(shown(glance), refresh=True) if live else None, end)
    finally:
        panel.stop()


def _write(account: Account, to: str | None) -> None:
    if to is None:
        return
    told = json_module.dumps(json_of(account), indent=2)
    if to == "-":
        sys.stdout.write(told + "\n")
        return
    path = Path(to)
    aside = path.with_name(f".{path.name}.partial")
    try:
        aside.write_text(told + "\n", encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", place=to, remedy="check the path") from None
