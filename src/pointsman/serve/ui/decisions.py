"""The table of decisions: rows of the journal, newest first, filtered, a page at a time.

Reads `decisions.sqlite` on a connection of its own. What has a column is filtered by the database, the rest on the
kept text of each decision. One page looks at no more than so many rows; where they didn't suffice, the page says where
to go on, and may be empty.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pointsman.records import REASONS
from pointsman.serve.finished import OUTCOMES
from pointsman.serve.journal_file import read_body
from pointsman.serve.wire.errors import STATUS, Refusal

FILE = "decisions.sqlite"
PAGE, MOST_PAGE = 50, 500
SPANNED = 200_000  # numbers that one page spans at most
LOOKED_AT = 10_000  # texts that one page looks into at most
LIVE = 50  # rows that are told of at once
REASONS_SHOWN = tuple(dict.fromkeys((*REASONS, "named", "explored", *STATUS)))
BUSY_S = 2.0
COLUMNS = "number, decision_id, at_ns, model, input_tokens, output_tokens, cost_nano, latency_ms, score, body"
LAST = "select coalesce(max(number), 0) from exchanges"

FIELDS = ("key", "outcome", "reason", "asked")  # of the text, by their names in a question
NAMES = {"key": "key_id"}
NUMBERS = ("limit", "before", "after", "least_cost_nano")
QUESTIONS = (*NUMBERS, *FIELDS, "model", "scored", "text")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for.

    Attributes:
        limit: most rows.
        before, after: numbers, neither of them among the rows; None for no bound.
        model: that answered.
        scored: whether there is a score; None for either.
        least_cost_nano: nano-dollars.
        fields: of the text, exactly; by the text's names.
        text: somewhere in id, key, model, reason or what was asked for; in any case; "" for anything.
    """

    limit: int = PAGE
    before: int | None = None
    after: int | None = None
    model: str | None = None
    scored: bool | None = None
    least_cost_nano: int | None = None
    fields: Mapping[str, str] | None = None
    text: str = ""


def wanted_of(given: Mapping[str, str]) -> Wanted:
    """What a question asks for.

    Raises:
        Refusal: an unknown name, or a value that means nothing.
    """
    given = {name: value for name, value in given.items() if value != ""}
    for name in given:
        if name not in QUESTIONS:
            raise _wrong(name, f"is not known; use {', '.join(QUESTIONS)}")
    outcome, scored = given.get("outcome"), given.get("scored")
    if outcome is not None and outcome not in OUTCOMES:
        raise _wrong("outcome", f"is one of {', '.join(OUTCOMES)}")
    if scored not in (None, "yes", "no", "true", "false", "1", "0"):
        raise _wrong("scored", "is yes or no")
    numbers = {name: number_of(name, given[name]) for name in NUMBERS if name in given}
    return Wanted(
        limit=max(1, min(numbers.get("limit", PAGE), MOST_PAGE)),
        before=numbers.get("before"),
        after=numbers.get("after"),
        model=given.get("model"),
        scored=None if scored is None else scored in ("yes", "true", "1"),
        least_cost_nano=numbers.get("least_cost_nano"),
        fields={NAMES.get(name, name): given[name] for name in FIELDS if name in given},
        text=given.get("text", "").lower(),
    )


def number_of(name: str, value: str) -> int:
    """A whole number of a question.

    Raises:
        Refusal: it is none.
    """
    if not (value.isascii() and value.isdecimal()) or len(value) > 18:
        raise _wrong(name, "is no whole number of at least 0")
    return int(value)


def _wrong(name: str, why: str) -> Refusal:
    return Refusal("invalid_request_error", f"`{name[:100]}` {why}.", param=name[:100])


def page_of(path: Path, wanted: Wanted) -> tuple[list[dict[str, Any]], int | None]:
    """A page of rows, and where the next one begins; None where there is no more.

    Raises:
        sqlite3.Error: the journal can't be read.
    """
    if not path.is_file():
        return [], None
    with closing(_opened(path)) as db:
        (last,) = db.execute(LAST).fetchone()
        top = last + 1 if wanted.before is None else min(wanted.before, last + 1)
        return _page(db, wanted, top)


def _page(db: sqlite3.Connection, wanted: Wanted, top: int) -> tuple[list[dict[str, Any]], int | None]:
    floor = max(top - SPANNED, 0 if wanted.after is None else wanted.after + 1)
    rows: list[dict[str, Any]] = []
    for looked, (number, kept) in enumerate(_candidates(db, wanted, top, floor), 1):
        row = _fitting(kept, wanted)
        if row is not None:
            rows.append(row)
        if len(rows) == wanted.limit or looked == LOOKED_AT:
            return rows, number if _is_more(db, number, wanted.after) else None
    return rows, floor if _is_more(db, floor, wanted.after) else None


def _is_more(db: sqlite3.Connection, number: int, after: int | None) -> bool:
    sql = "select 1 from exchanges where number < ? and number > ? limit 1"
    return db.execute(sql, (number, -1 if after is None else after)).fetchone() is not None


def _candidates(db: sqlite3.Connection, wanted: Wanted, top: int, floor: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Rows that fit by their columns, newest first."""
    wheres = ["number < ?", "number >= ?"]
    values: list[int | str] = [top, floor]
    if wanted.model is not None:
        wheres.append("model = ?")
        values.append(wanted.model)
    if wanted.scored is not None:
        wheres.append("score is not null" if wanted.scored else "score is null")
    if wanted.least_cost_nano is not None:
        wheres.append("cost_nano >= ?")
        values.append(wanted.least_cost_nano)
    # The texts above are the only ones that it can be made of.
    sql = f"select {COLUMNS} from exchanges where {' and '.join(wheres)} order by number desc"  # noqa: S608
    for kept in db.execute(sql, values):
        yield kept[0], kept


def _fitting(kept: tuple[Any, ...], wanted: Wanted) -> dict[str, Any] | None:
    """A row, if its text fits as well. Most of what doesn't fit is seen in the bytes, before they are read."""
    fields, body = wanted.fields or {}, kept[-1]
    for name, value in fields.items():
        if b'"%s":%s' % (name.encode(), orjson.dumps(value)) not in body:
            return None
    if wanted.text.isascii() and orjson.dumps(wanted.text)[1:-1] not in body.lower():
        return None
    row = row_of(kept)
    if any(row[name] != value for name, value in fields.items()):
        return None
    if wanted.text and not any(wanted.text in str(row[name] or "").lower() for name in SEARCHED):
        return None
    return row


SEARCHED = ("decision_id", "key_id", "model", "reason", "asked")


def row_of(kept: tuple[Any, ...]) -> dict[str, Any]:
    """A row of the table.

    Args:
        kept: `COLUMNS` of the journal.
    """
    number, decision_id, at_ns, model, input_tokens, output_tokens, cost_nano, total_ms, score, body = kept
    said = read_body(body)
    candidates = said["candidates"]
    chosen: dict[str, Any] = next((one for one in candidates if one["model"] == model), {})
    others = (one["model"] for one in candidates if one["model"] != model and one["score"] is not None)
    return {
        "number": number,
        "decision_id": decision_id,
        "at_s": at_ns / 1e9,
        **{name: said[name] for name in ("key_id", "shape", "asked", "outcome", "status", "reason", "stream")},
        "model": model,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cost_nano": cost_nano,
        "held_nano": said["held_nano"],
        "quality": chosen.get("quality"),
        "spread": chosen.get("spread"),
        "feedback": score,
        "runner_up": next(others, None),
        "hops": len(said["hops"]),
        "total_ms": total_ms,
        "overhead_ms": said["overhead_s"] * 1e3,
    }


@dataclass(slots=True)
class Latest:
    """What has come since the last look: decisions, and first scores of earlier ones.

    Args:
        path: of the journal.
    """

    path: Path
    number: int = -1
    scored: int = -1

    def look(self) -> tuple[list[dict[str, Any]], int, list[dict[str, Any]]]:
        """New rows, the newest first, how many more there were, and scores; nothing at the first look.

        Raises:
            sqlite3.Error: the journal can't be read.
        """
        with closing(_opened(self.path)) as db:
            last = tuple(db.execute(sql).fetchone()[0] for sql in (LAST, LAST_SCORE))
            (self.number, self.scored), (number, scored) = last, (self.number, self.scored)
            if number < 0:
                return [], 0, []
            rows = [row_of(kept) for kept in db.execute(NEW, (number, last[0], LIVE))]
            (count,) = db.execute(COUNT, (number, last[0])).fetchone()
            scores = db.execute(SCORES, (scored, last[1], LIVE)).fetchall()
        told = [{"decision_id": decision_id, "feedback": score} for decision_id, score in scores]
        return rows, count - len(rows), told


NEW = f"select {COLUMNS} from exchanges where number > ? and number <= ? order by number desc limit ?"  # noqa: S608
COUNT = "select count(*) from exchanges where number > ? and number <= ?"
LAST_SCORE = "select coalesce(max(number), 0) from feedback"
SCORES = "select decision_id, score from feedback where number > ? and number <= ? order by number desc limit ?"


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)
