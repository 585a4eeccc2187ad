"""`pointsman onboard MODEL`: probes asked through the gateway, graded, and the model taken into the routing."""

from __future__ import annotations

import json as json_module
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from pointsman.cli.onboard_tables import show
from pointsman.errors import InputError
from pointsman.onboard.folder import Progress
from pointsman.onboard.profile import as_json
from pointsman.serve.onboarding.carrying import carry_out
from pointsman.serve.onboarding.wish import Teller, Wish

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

NANO = 1_000_000_000


@app.command()
def main(
    model: Annotated[str, typer.Argument(help="Its id in the configuration, where it may stand as `duty: waiting`.")],
    *,
    config: Annotated[Path, typer.Option(help="The configuration.")] = Path("pointsman.yaml"),
    url: Annotated[str | None, typer.Option(help="A running gateway. [default: the configuration's, or one]")] = None,
    probes: Annotated[
        str | None, typer.Option(help="How many of the suite, `suite` for all, or a file. [default: 64]")
    ] = None,
    from_log: Annotated[bool, typer.Option("--from-log", help="Pick prompts of stored outcomes instead.")] = False,
    budget: Annotated[str, typer.Option(help="US dollars that it may cost in all.")] = "$1",
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Probes in flight.")] = 8,
    judge: Annotated[str | None, typer.Option(help="A model that judges free text, paid from the budget.")] = None,
    seed: Annotated[int, typer.Option(help="What all randomness comes from.")] = 0,
    restart: Annotated[bool, typer.Option("--restart", help="Put away what was begun, and begin anew.")] = False,
    shadow: Annotated[bool, typer.Option("--shadow", help="At the end it is mirrored to, and serves nobody.")] = False,
    force_all: Annotated[bool, typer.Option("--force-all", help="Ask every probe, don't stop early.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Ask known probes again: has the model changed?")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until the gateway knows the model by its outcomes.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the profile as JSON.")] = False,
) -> None:
    """Ask a new model some probes within a budget, show what it is good for, and let it serve.

    Interrupted or short of money, the same command goes on where it was: no answer is lost or asked for twice.
    """
    wish = Wish(
        model,
        config,
        url,
        probes,
        from_log,
        budget_nano(budget),
        concurrency,
        judge,
        seed,
        restart,
        shadow,
        force_all,
        again,
        wait,
    )
    signal.signal(signal.SIGTERM, _interrupted)  # whoever ends it politely loses nothing either
    console = Console(stderr=True) if json else Console()
    said = Teller(lambda what: console.print(what, highlight=False, markup=False), _shown)
    profile, notes = carry_out(wish, said)
    if json:
        typer.echo(json_module.dumps(as_json(profile) | {"notes": notes}))
        return
    show(profile, console)
    for note in notes:
        console.print(note, highlight=False, markup=False)


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def budget_nano(text: str) -> int:
    """US dollars with or without a dollar sign, as nano-dollars.

    Raises:
        InputError: not a sum above zero, or finer than a nano-dollar.
    """
    try:
        nano = Decimal(text.strip().removeprefix("$").strip()) * NANO
    except InvalidOperation:
        nano = Decimal("nan")
    if not nano.is_finite() or nano <= 0 or nano != nano.to_integral_value() or nano > 10**18:
        raise InputError(f"{text!r} is no sum of money to ask with", place="--budget", remedy="write for example '$1'")
    return int(nano)


@contextmanager
def _shown(model: str) -> Iterator[Any]:
    """A bar with the score so far."""
    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"asking {model}", total=None)

        def report(progress: Progress) -> None:
            score = "" if progress.mean is None else f", score {progress.mean:.2f}"
            eta = "" if progress.eta_s is None else f", {progress.eta_s:.0f} s left"
            said = f"{progress.stage} {model}: ${progress.spent_nano / NANO:.4f}{score}{eta}"
            bar.update(task, description=said, completed=progress.asked, total=progress.of)

        yield report
