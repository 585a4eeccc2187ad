"""`pointsman log …`: what a gateway stored to learn from. Works beside a running gateway."""

from __future__ import annotations

import json as json_module
import time
from dataclasses import asdict
from datetime import UTC, date, datetime
from os import environ
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import typer
from rich.console import Console
from rich.table import Table

from pointsman.errors import InputError
from pointsman.outcomes import About, part_files, size_of, write_table
from pointsman.outcomes.exporting import PROBE, log_table
from pointsman.pool.config_values import QUANTITY, SECONDS
from pointsman.pool.registry import read_settings
from pointsman.records import Floats, Mask
from pointsman.serve.deleting import OUTCOMES, Removed, prune
from pointsman.serve.deleting import delete as delete_from
from pointsman.serve.keeping import keep as keep_up

app = typer.Typer(help="Look at what a gateway stored to learn from; export, delete, prune it.", no_args_is_help=True)

State = Annotated[Path, typer.Argument(help="The state folder of a gateway.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def group() -> None:
    """Look at what a gateway stored to learn from; export, delete, prune it."""


@app.command()
def show(state: State, json: AsJson = False) -> None:
    """How much there is, of which models, and since when."""
    folder = _folder(state)
    table = log_table(folder, joined=False)
    found = _described(table) | {
        "parts": len(part_files(folder)),
        "bytes": sum(path.stat().st_size for path in part_files(folder)),
    }
    if json:
        typer.echo(json_module.dumps(found))
        return
    console = Console()
    for name, value in found.items():
        if name != "models":
            console.print(f"{name.replace('_', ' ')}: {value}", highlight=False)
    lines = Table("model", "outcomes", "scored", "with propensity", "mean score")
    for one in found["models"]:
        mean = "–" if one["mean_score"] is None else f"{one['mean_score']:.3f}"
        lines.add_row(one["model"], f"{one['outcomes']:,}", f"{one['scored']:,}", f"{one['with_propensity']:,}", mean)
    console.print(lines)


@app.command()
def export(
    state: State,
    out: Annotated[Path, typer.Argument(help="A new folder of outcomes.")],
    probes: Annotated[bool, typer.Option(help="With the outcomes of probes.")] = True,
    joined: Annotated[bool, typer.Option(help="Rows of one text under one id; else as they were asked.")] = True,
    force: Annotated[bool, typer.Option(help="Replace an outcome folder that is there.")] = False,
    json: AsJson = False,
) -> None:
    """Write the log as an outcome folder: a benchmark of one's own traffic, with the texts of its prompts."""
    table = log_table(_folder(state), probes=probes, joined=joined)
    if not table.num_rows:
        raise InputError("no outcomes are left", place=str(state), remedy="leave --no-probes out")
    notes = "Rows of one text are joined; of one text and model the latest scored one stands." if joined else ""
    about = About(f"log of {state.resolve().name}", source="a Pointsman gateway's own traffic", notes=notes)
    write_table(table, out, about, overwrite=force, optional=True)
    size = asdict(size_of(table)) | {"out": str(out)}
    if json:
        typer.echo(json_module.dumps(size))
    else:
        print(f"{out}: {size['outcomes']:,} outcomes of {size['queries']:,} queries on {size['models']} models")


@app.command()
def delete(
    state: State,
    id: Annotated[list[str], typer.Option("--id", help="Of a decision or a prompt; may be repeated.")],
    json: AsJson = False,
) -> None:
    """Take a query out of all files: outcomes, prompts, decisions, onboardings' answers, fits."""
    _there(state)
    found = {one: delete_from(state, one) for one in id}
    if json:
        typer.echo(json_module.dumps({one: asdict(removed) for one, removed in found.items()}))
    else:
        for one, removed in found.items():
            print(f"{one}: {_removed_words(removed)}")
    raise typer.Exit(0 if all(removed.any for removed in found.values()) else 1)


@app.command(name="prune")
def prune_command(
    state: State,
    older: Annotated[str, typer.Option(help="Such as 90d, 12h or 30m.")],
    probes: Annotated[bool, typer.Option(help="Outcomes of probes too.")] = False,
    json: AsJson = False,
) -> None:
    """Take out everything that is older, and make many small parts one."""
    _there(state)
    removed, timeless = prune(state, time.time() - _seconds(older), probes=probes)
    _, joined = keep_up(state, 0.0, time.time())
    if json:
        typer.echo(json_module.dumps(asdict(removed) | {"of_no_known_time": timeless, "parts_joined": joined}))
        return
    print(_removed_words(removed))
    if timeless:
        print(f"{timeless:,} outcomes say nothing of their time and were left")
    if joined:
        print(f"{joined:,} parts were made one")


@app.command()
def keep(
    config: Annotated[Path, typer.Option(help="The gateway's configuration.")] = Path("pointsman.yaml"),
    json: AsJson = False,
) -> None:
    """Do now what the gateway does every hour: take out what `learning.keep` doesn't keep, make many parts one."""
    settings = read_settings(config, environ, date.today())
    gone, joined = keep_up(settings.state, settings.learning.keep_s, time.time())
    if json:
        typer.echo(json_module.dumps({"outcomes": gone, "parts_joined": joined}))
    else:
        print(f"{gone:,} outcomes were too old and are gone, {joined:,} parts were made one")


def _there(state: Path) -> None:
    if not state.is_dir():
        raise InputError("there is no such folder", place=str(state), remedy="give a gateway's state folder")


def _folder(state: Path) -> Path:
    _there(state)
    folder = state / OUTCOMES
    if not folder.is_dir():
        remedy = "set learning.store_prompts, and outcomes are kept"
        raise InputError("this gateway stored no outcomes", place=str(folder), remedy=remedy)
    return folder


def _seconds(text: str) -> float:
    found = QUANTITY.fullmatch(text)
    if found is None or found[2] not in SECONDS:
        raise InputError(f"{text!r} is no length of time", place="--older", remedy="write for example 90d, 12h or 30m")
    return float(found[1]) * float(SECONDS[found[2]])


def _removed_words(removed: Removed) -> str:
    parts = {
        "outcomes": removed.outcomes,
        "prompts": removed.prompts,
        "decisions": removed.decisions,
        "lines of onboardings": removed.lines,
        "fits": removed.fits,
    }
    said = [f"{count:,} {name}" for name, count in parts.items() if count]
    return f"gone: {', '.join(said)}" if said else "there was nothing"


def _described(table: pa.Table) -> dict[str, Any]:
    scored = table.column("score").is_valid().to_numpy(zero_copy_only=False)
    score = table.column("score").to_numpy(zero_copy_only=False)
    told = _known(table, "propensity")
    models = np.array(table.column("model").to_pylist())
    datasets = np.array(table.column("dataset").to_pylist())
    at_s = table.column("at_s").to_numpy(zero_copy_only=False) if "at_s" in table.column_names else np.array([])
    at_s = at_s[np.isfinite(at_s)]
    return {
        "outcomes": table.num_rows,
        "queries": len(table.column("prompt_id").unique()),
        "of_probes": int(np.char.startswith(datasets.astype(str), PROBE).sum()),
        "scored": int(scored.sum()),
        "with_propensity": int(told.sum()),
        "first": _when(at_s.min()) if len(at_s) else None,
        "last": _when(at_s.max()) if len(at_s) else None,
        "models": [_of_model(str(name), models == name, scored, told, score) for name in np.unique(models)],
    }


def _of_model(name: str, mine: Mask, scored: Mask, told: Mask, score: Floats) -> dict[str, Any]:
    judged = scored & mine
    return {
        "model": name,
        "outcomes": int(mine.sum()),
        "scored": int(judged.sum()),
        "with_propensity": int((told & mine).sum()),
        "mean_score": float(score[judged].mean()) if judged.any() else None,
    }


def _known(table: pa.Table, name: str) -> Mask:
    if name not in table.column_names:
        return np.zeros(table.num_rows, np.bool_)
    found: Mask = table.column(name).is_valid().to_numpy(zero_copy_only=False)
    return found


def _when(at_s: float) -> str:
    return datetime.fromtimestamp(float(at_s), UTC).strftime("%Y-%m-%d %H:%M:%S")
