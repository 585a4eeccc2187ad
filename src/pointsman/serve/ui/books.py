"""The ledger's entries, and virtual keys: what the pages of books show.

Entries are read on a connection of their own, a page at a time, newest first. An amount is what an entry is about: set
aside by a hold, given back by a void, booked by anything else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

from pointsman.ledger.entries import EntryKind
from pointsman.ledger.holds import fund_of
from pointsman.serve.explain import usd
from pointsman.serve.keys import KeyRecord
from pointsman.serve.ui.decisions import number_of
from pointsman.serve.wire.errors import Refusal

FILE = "ledger.sqlite"
PAGE, MOST_PAGE = 100, 500
SPANNED = 200_000  # entries that one page looks at most
BUSY_S = 2.0
KINDS: tuple[str, ...] = get_args(EntryKind)
QUESTIONS = ("fund", "kind", "before", "limit", "decision")
ENTRIES = """
select * from entries
where seq < :before and seq >= :floor
    and (:fund is null or fund = :fund)
    and (:kind is null or kind = :kind)
    and (:decision is null or id glob :decision)
order by seq desc limit :limit
"""
LAST = "select coalesce(max(seq), 0) from entries"
GRANTS = "select fund, note from entries where kind = 'grant' order by seq"


def entries_page(path: Path, given: Mapping[str, str]) -> dict[str, Any]:
    """A page of entries, newest first; `next` says where to go on, and there may be none on this one.

    Args:
        path: of the ledger's file.
        given: the question: fund, kind, before, limit, decision.

    Raises:
        Refusal: a question that can't be answered.
        sqlite3.Error: the file can't be read.
    """
    given = {name: value for name, value in given.items() if value != ""}
    if not set(given) <= set(QUESTIONS) or given.get("kind", KINDS[0]) not in KINDS:
        raise Refusal("invalid_request_error", f"Ask by {', '.join(QUESTIONS)}; kinds are {', '.join(KINDS)}.")
    numbers = {name: number_of(name, given[name]) for name in ("before", "limit") if name in given}
    limit = max(1, min(numbers.get("limit", PAGE), MOST_PAGE))
    with closing(reader(path)) as db:
        grants = {fund: fund_of(fund, note) for fund, note in db.execute(GRANTS)}
        (last,) = db.execute(LAST).fetchone()
        before = min(numbers.get("before", last + 1), last + 1)
        question = {"before": before, "floor": before - SPANNED, "limit": limit, "fund": given.get("fund")}
        question |= {"kind": given.get("kind"), "decision": _holds_of(given.get("decision"))}
        rows = db.execute(ENTRIES, question).fetchall()
    end = rows[-1][0] if len(rows) == limit else max(1, before - SPANNED)
    units = {fund: grant.unit for fund, grant in grants.items()}
    return {
        "rows": [entry_json(row, units) for row in rows],
        "next": end if end > 1 else None,
        "kinds": list(KINDS),
        "funds": sorted(grants),
    }


def reader(path: Path) -> sqlite3.Connection:
    """A connection of one's own to the ledger's file, which can change nothing."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)


def _holds_of(decision: str | None) -> str | None:
    """Holds of a decision are named after it, one a hop."""
    if decision is None:
        return None
    if not all(letter.isalnum() or letter in "-_" for letter in decision):
        raise Refusal("invalid_request_error", "`decision` is no decision's id.", param="decision")
    return f"{decision}:*"


def entry_json(row: tuple[Any, ...], units: Mapping[str, str]) -> dict[str, Any]:
    """One entry, from the columns of the ledger's file."""
    seq, at_ns, kind, id, fund, _, _, held, spent, note = row
    amount = {"hold": held, "void": -held}.get(kind, spent)
    if kind == "grant":
        grant = fund_of(fund, note)
        amount, note = grant.amount, f"window: {grant.window}"
    return {
        "number": seq,
        "at_s": at_ns / 1e9,
        "kind": kind,
        "fund": fund,
        "unit": units.get(fund, "usd"),
        "amount": amount,
        "hold_id": id or None if kind != "correct" else None,
        "decision_id": id.rpartition(":")[0] or None,
        "note": note,
    }


def budget_of(record: KeyRecord) -> str:
    """The name of a key's budget, whether it has one or not."""
    return f"key:{record.id}:budget"


def key_json(record: KeyRecord, fund: Mapping[str, Any] | None) -> dict[str, Any]:
    """One virtual key, without its secret; `fund`: its budget, as `ui.funds` shows it."""
    return {
        "id": record.id,
        "models": list(record.models),
        "tags": list(record.tags),
        "created_s": record.created_ns / 1e9,
        "expires_s": None if record.expires_ns is None else record.expires_ns / 1e9,
        "revoked_s": None if record.revoked_ns is None else record.revoked_ns / 1e9,
        "requests_per_minute": record.requests_per_minute,
        "tokens_per_minute": record.tokens_per_minute,
        "budget_usd": None if record.budget is None else usd(record.budget.amount_nano),
        "fund": fund,
    }
