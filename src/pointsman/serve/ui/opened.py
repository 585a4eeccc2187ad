"""One decision, opened: its prompt where it is kept, every candidate and why it lost, neighbours, hops, the ledger.

Reads the journal on a connection of its own, in a thread; of the ledger and the kept prompts just the rows of one id.
Viewers see no prompt; what is near to it they see by data set and scores alone.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import astuple
from pathlib import Path
from typing import Any

from pointsman.ledger.book import BookUnavailableError
from pointsman.serve.client import Client
from pointsman.serve.explain import usd
from pointsman.serve.finished import STAGES
from pointsman.serve.gateway import Gateway
from pointsman.serve.journal_file import read_body
from pointsman.serve.scheme import Scheme
from pointsman.serve.ui import books, decisions
from pointsman.serve.ui.insight import insight_of
from pointsman.serve.ui.past import Past
from pointsman.serve.ui.playground import near
from pointsman.serve.ui.profile import labels_of
from pointsman.serve.ui.session import Visitor, viewer_of
from pointsman.serve.ui.why import Case, candidates_json, funds_json, outsiders_json
from pointsman.serve.wire.errors import Refusal

ONE = f"select {decisions.COLUMNS} from exchanges where decision_id = ?"  # noqa: S608
BUSY_S = 2.0
PATIENCE_S = 2.0
SPARE_HOLDS = 2  # a hop that was held for and never asked has a hold and no line among the hops
NO_PROMPT = "Without the text of the prompt its neighbours can't be found."


async def opened(gateway: Gateway, client: Client, rest: str) -> None:
    """GET /ui/api/decisions/{id}."""
    visitor = viewer_of(gateway, client)
    gateway.till.flush()
    try:
        found = await asyncio.to_thread(_find, gateway, rest)
        if found is None:
            raise Refusal("not_found_error", "No decision has this id, or it was too long ago.", param="decision_id")
        row, body = found
        entries = entries_of(gateway, rest, len(body["hops"]))
    except (sqlite3.Error, BookUnavailableError) as error:
        raise Refusal("overloaded", f"This can't be read now: {error}.", retry_after_s=1) from None
    text = gateway.recorder.prompt_of(rest)
    neighbours = (
        {"rows": [], "why": NO_PROMPT} if text is None else await near(gateway, visitor, text, PATIENCE_S, rest)
    )
    past, _ = await insight_of(gateway).past(gateway, 0.0)  # where it is there by now, topics are named after it
    await client.json(
        {
            "row": row,
            "prompt": prompt_json(text, visitor, stored=gateway.settings.learning.store_prompts),
            **candidates_of(body, gateway.scheme),
            "neighbours": neighbours,
            "topic": topic_json(body.get("part"), gateway.scheme, past),
            "stages": [
                {"name": name, "seconds": body["stages_s"][name]} for name in STAGES if name in body["stages_s"]
            ],
            "hops": body["hops"],
            "entries": entries,
            "raw": body | {"cost_usd": usd(int(body["cost_nano"]))},
        }
    )


def _find(gateway: Gateway, decision_id: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """A row as the table shows it, and the whole of what was kept; in a thread.

    Raises:
        sqlite3.Error: the journal can't be read.
    """
    path = gateway.settings.state / decisions.FILE
    found = read_one(path, decision_id)
    if found is None and gateway.journal.health().waiting:
        gateway.journal.flush(1.0)
        found = read_one(path, decision_id)
    return found


def read_one(path: Path, decision_id: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The same of what is written; None for an unknown id.

    Raises:
        sqlite3.Error: the journal can't be read.
    """
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as db:
        kept = db.execute(ONE, (decision_id,)).fetchone()
    if kept is None:
        return None
    row = decisions.row_of(kept)
    return row, read_body(kept[-1]) | {"score": row["feedback"]}


def entries_of(gateway: Gateway, decision_id: str, hops: int) -> list[dict[str, Any]]:
    """The ledger's entries of every hold of a decision, in their order: a few rows, by their places in the file.

    Raises:
        BookUnavailableError: the ledger can't be read.
    """
    units = {rule.name: rule.unit for rule in gateway.scheme.funds}
    holds = [f"{decision_id}:{hop}" for hop in range(hops + SPARE_HOLDS)]
    found = [entry for hold in holds for entry in gateway.till.book.entries(hold=hold)]
    return [books.entry_json(astuple(entry), units) for entry in sorted(found, key=lambda entry: entry.seq)]


def prompt_json(text: str | None, visitor: Visitor, *, stored: bool) -> dict[str, Any]:
    """The prompt, or why there is none to see."""
    if not visitor.prompts:
        return {"text": None, "why": "Prompts are shown to sessions with the master key alone."}
    if text is not None:
        return {"text": text, "why": ""}
    if not stored:
        return {"text": None, "why": "Prompts aren't kept (`learning.store_prompts`)."}
    return {"text": None, "why": "This one isn't kept: nobody answered it, it was a probe, or it was too long ago."}


def candidates_of(body: Mapping[str, Any], scheme: Scheme) -> dict[str, Any]:
    """Every model's part in a decision, and the funds that it drew on."""
    basis = body.get("basis") or {}
    answered = body["model"] if body["outcome"] in {"served", "client_gone"} else None
    faults = {hop["model"]: hop["fault"] for hop in body["hops"] if hop["fault"] is not None}
    case = Case(body["candidates"], basis, answered, faults)
    models = [model.id for model in scheme.models]
    named = basis.get("scarcity", "") is None
    reasons = dict.fromkeys(models, f"The client named {body['asked']}.") if named else {}
    return {"candidates": candidates_json(case) + outsiders_json(models, case, reasons), "funds": funds_json(basis)}


def topic_json(part: int | None, scheme: Scheme, past: Past | None) -> dict[str, Any] | None:
    """What the prompt is about, by the partition of the traffic; its share is that of the first history."""
    mix = scheme.mix
    if mix is None or part is None or not 0 <= part < len(mix.counts):
        return None
    share = float(mix.counts[part]) / max(1.0, float(mix.counts.sum()))
    return {"number": part, "label": labels_of(mix, past)[part], "share": round(share, 6)}
