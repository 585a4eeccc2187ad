"""`pointsman replay LOG`: what would have been served, cost and scored, in time order, under these funds."""

from __future__ import annotations

import json as json_module
import shlex
import sys
import tempfile
from contextlib import closing, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from pointsman import __version__
from pointsman.cli.bench import show
from pointsman.cli.funds_file import read_funds
from pointsman.cli.places import cache_dir
from pointsman.cli.progress import shown_progress
from pointsman.errors import InputError
from pointsman.estimate.embedders import load_embedder
from pointsman.evaluate.logged.choosing import AS_SERVED
from pointsman.evaluate.logged.dense import DenseLog, elapsed_of, margins, play_dense, totals
from pointsman.evaluate.logged.joined import joined
from pointsman.evaluate.logged.pages import JSON_FILE, interval_table, write_dense, write_sparse
from pointsman.evaluate.logged.sparse import is_dense, play_sparse, sparse_log
from pointsman.evaluate.logged.sparse_tables import as_json, fund_use, mix_table, unknowns, value_table
from pointsman.evaluate.render import to_rich
from pointsman.evaluate.rows import Meta
from pointsman.evaluate.rows_folder import RunWriter, read_rows
from pointsman.ledger.sqlite import SqliteBook
from pointsman.outcomes import PART_FILES, Timed, complete, read, read_timed
from pointsman.records import Fund, Outcomes
from pointsman.serve.again.agreement import Agreement, agreement
from pointsman.serve.again.decided import Kept, kept_of
from pointsman.serve.again.kept import JOURNAL, kept_decisions
from pointsman.serve.again.texts import FromText, from_texts

app = typer.Typer()
THIRD = 1 / 3
SOME = 1e-9  # every model is kept, and the rows that all of them have


@app.command()
def replay(
    log: Annotated[Path, typer.Argument(help="A gateway's state folder, or a folder of outcomes.")],
    policy: Annotated[
        list[str] | None, typer.Option(help="One of the bench's, `always:MODEL` or `as-served`; may be repeated.")
    ] = None,
    funds: Annotated[
        Path | None, typer.Option(help="YAML: `funds:` and a list of {name, amount, unit, models}.")
    ] = None,
    history: Annotated[Path | None, typer.Option(help="Outcomes to learn from before the log begins.")] = None,
    history_share: Annotated[
        float | None,
        typer.Option(help="The log's first part that is learned from; a third, or nothing with --history."),
    ] = None,
    min_coverage: Annotated[float, typer.Option(help="Models with a smaller share of the rows are left out.")] = 0.97,
    clip: Annotated[float, typer.Option(help="The largest weight of a query.")] = 100.0,
    embedder: Annotated[str, typer.Option(help="Text to vectors.")] = "wordllama",
    seed: Annotated[int, typer.Option(help="What all randomness comes from.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Keep rows, tables, pictures and a report here.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for embeddings.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Play a log again: the gateway's own decisions, and what other policies would have done with the same queries.

    A log in which every query has several models' outcomes is played like `bench budget`. One with a single outcome a
    query is judged by estimates and by the recorded propensities, with what can't be known said beside it.
    """
    console, told = Console(stderr=json), dict[str, Any]()
    names, place = policy or [], cache or cache_dir()
    if not log.is_dir():
        raise InputError("there is no such folder", place=str(log), remedy="give a state folder, or one of outcomes")
    if (log / JOURNAL).is_file():
        kept = [kept_of(row) for row in kept_decisions(log)]
        found, again = _agreement(kept, log), _from_texts(kept, log, embedder, place)
        told["as_served"] = asdict(found) | {"share": found.share, "from_text": asdict(again)}
        _show_agreement(console, found, again)
        if names in ([], [AS_SERVED]) and funds is None:
            _end(told, json=json)
            return
        log = _stored(log)
    if funds is None:
        raise InputError("no funds are given", place="--funds", remedy="give a file; see `pointsman replay --help`")
    limits, timed = read_funds(funds), read_timed([log])
    share = history_share if history_share is not None else 0.0 if history else THIRD
    if not 0.0 <= share < 1.0:
        raise InputError(f"{share} is no share", place="--history-share", remedy="give for example 0.3")
    if is_dense(timed):
        dense = _dense_log(timed, history, share, min_coverage, limits, embedder, seed)
        told |= _play_dense(console, dense, names or ["paced"], out, place)
    else:
        past = None if history is None else read(history)
        sparse = sparse_log(timed, past=past, share=share, embedder=embedder, cache=place, seed=seed)
        rows = play_sparse(sparse, names or ["paced"], limits, clip=clip, seed=seed)
        told |= as_json(sparse, rows)
        for table in (value_table(sparse, rows), mix_table(sparse, rows), fund_use(rows)):
            console.print(to_rich(table))
        console.print("What can't be known from this log:", style="bold")
        for line in unknowns(sparse, rows):
            console.print(f"- {line}", markup=False, highlight=False)
        if out is not None:
            console.print(f"report: {write_sparse(out, sparse, rows, _command())}", highlight=False)
    _end(told, json=json)


def _end(told: dict[str, Any], *, json: bool) -> None:
    if json:
        typer.echo(json_module.dumps(told))


def _command() -> str:
    return shlex.join(["pointsman", *sys.argv[1:]])


def _stored(state: Path) -> Path:
    """Where a gateway keeps its outcomes.

    Raises:
        InputError: it keeps none.
    """
    folder = state / "outcomes"
    if not any(folder.glob(PART_FILES)):
        raise InputError(
            "this gateway stored no prompts, so nothing can be said of other policies",
            place=str(folder),
            remedy="set learning.store_prompts, or replay without --policy",
        )
    return folder


def _agreement(kept: list[Kept | None], state: Path) -> Agreement:
    with closing(SqliteBook(state / "ledger.sqlite", create=False)) as book:
        return agreement(kept, book.entries())


def _from_texts(kept: list[Kept | None], state: Path, embedder: str, cache: Path) -> FromText:
    """Decisions whose prompts are stored, made again from them."""
    stored = state / "outcomes"
    if not any(stored.glob(PART_FILES)):
        return FromText(0, 0)
    outcomes = read(stored)
    texts = dict(zip(outcomes.prompt_ids, outcomes.texts, strict=True))
    return from_texts([one for one in kept if one is not None], texts, state, load_embedder(embedder, cache=cache))


def _show_agreement(console: Console, found: Agreement, again: FromText) -> None:
    console.print(
        f"as served: {found.same_model:,} of {found.decisions:,} decisions made again come out the same "
        f"({found.share:.2%}): order {found.same_order:,}, holds {found.same_hold:,} of {found.held:,}; "
        f"{found.explored:,} explored, {found.elsewhere:,} answered elsewhere after a fault",
        highlight=False,
    )
    console.print(
        f"from the text: {again.same_order:,} of {again.decisions:,} decisions whose prompt and estimators are still "
        "there come out in the same order",
        highlight=False,
    )
    if found.without_basis:
        console.print(f"{found.without_basis:,} decisions don't say what they rested on", highlight=False)
    for name in found.differing:
        console.print(f"differs: {name}", highlight=False)


def _dense_log(
    timed: Timed,
    history: Path | None,
    share: float,
    min_coverage: float,
    funds: list[Fund],
    embedder: str,
    seed: int,
) -> tuple[DenseLog, str]:
    """What is played, and what was left out."""
    asked = dict(zip(timed.outcomes.prompt_ids, timed.asked_s.tolist(), strict=True))
    played, left_out = complete(timed.outcomes.take(timed.order), min_coverage)
    outcomes = played if history is None else _behind(read(history), played)
    begin = len(outcomes) - len(played) + int(len(played) * share)
    past, tested = np.arange(begin), np.arange(begin, len(outcomes))
    if not (len(past) and len(tested)):
        raise InputError("nothing is left to learn from, or to play", place="--history-share", remedy="give another")
    times = np.array([asked[outcomes.prompt_ids[int(row)]] for row in tested])
    return DenseLog(outcomes, past, tested, elapsed_of(times), funds, embedder, seed), str(left_out)


def _behind(before: Outcomes, played: Outcomes) -> Outcomes:
    """The played rows behind those of a history that knows all of their models.

    Raises:
        InputError: it doesn't.
    """
    for name in played.models:
        if name not in before.models:
            raise InputError(f"model {name!r} of the log isn't in it", place="--history", remedy="give another history")
    known, _ = complete(before.only(np.array([before.models.index(name) for name in played.models])), SOME)
    return joined(known, played)


def _play_dense(
    console: Console, given: tuple[DenseLog, str], names: list[str], out: Path | None, cache: Path
) -> dict[str, Any]:
    log, left_out = given
    if AS_SERVED in names:
        raise InputError(
            "this log has several models' outcomes for a query, so none of them served it",
            place=f"--policy {AS_SERVED}",
            remedy="leave it out",
        )
    meta = Meta(
        log.outcomes.title,
        log.outcomes.simulated,
        log.outcomes.models,
        len(log.tested),
        len(log.past),
        left_out,
        _command(),
        log.seed,
        None,
        __version__,
    )
    with tempfile.TemporaryDirectory() if out is None else nullcontext(str(out)) as kept:
        folder = Path(kept)
        with RunWriter(folder, meta) as writer, shown_progress("reading") as progress:
            scores = play_dense(log, names, writer, cache=cache, progress=lambda what: progress(what, 0, len(names)))
        rows = read_rows(folder)
        found, more = totals(scores, log.seed), margins(scores, names[0], log.seed)
        table = interval_table(found, more, names[0])
        if not console.stderr:
            show(rows)
        console.print(to_rich(table))
        told = {
            "log": log.outcomes.title,
            "queries": len(log.tested),
            "learned_from": len(log.past),
            "runs": [asdict(run) for run in rows.runs],
            "performance": {name: asdict(one) for name, one in found.items()},
            f"more_than_{names[0]}": {name: asdict(one) for name, one in more.items()},
        }
        if out is not None:
            (out / JSON_FILE).write_text(json_module.dumps(told, indent=1))
            console.print(f"report: {write_dense(out, table)}", highlight=False)
    return told
