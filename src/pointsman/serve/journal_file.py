"""The journal's file: its tables, and a batch of rows written in one transaction. SQLite and no threads.

`serve.journal` decides when to write and what to do when that fails. A row that no file could take is left out and
counted; anything else that goes wrong is raised, with nothing of the batch written.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from pointsman.errors import InputError
from pointsman.serve.finished import Finished

APPLICATION_ID = 0x504D4A4E  # "PMJN"
SCHEMA_VERSION = 1
SCHEMA = """
create table exchanges (
    number integer primary key,
    decision_id text not null unique,
    at_ns integer not null,
    model text,
    input_chars integer not null,
    input_tokens integer,
    output_tokens integer,
    cost_nano integer not null,
    latency_ms real not null,
    score real,
    body blob not null
) strict;
create table tallies (
    model text primary key,
    answered integer not null,
    output_tokens integer not null,
    scored integer not null,
    score_sum real not null,
    input_tokens integer not null,
    input_chars integer not null
) strict, without rowid;
create table conversations (
    digest blob primary key,
    model text not null,
    input_tokens integer not null,
    at_ns integer not null
) strict, without rowid;
"""
# First scores in the order in which they came, for the drift watch; the number only ever grows.
FEEDBACK = """
create table if not exists feedback (
    number integer primary key autoincrement,
    decision_id text not null,
    score real not null
) strict
"""
ADD_FEEDBACK = "insert into feedback (decision_id, score) values (?, ?)"
SWEEP_FEEDBACK = "delete from feedback where number <= (select max(number) from feedback) - 1000000"
# An id seen before is left alone: the first record of a decision stands.
ADD = "insert or ignore into exchanges values "
ADD_ROW = "(null, ?, ?, ?, ?, ?, ?, ?, ?, null, ?)"
ROWS_TOGETHER = 8
ADD_TALLY = """
insert into tallies values (?, ?, ?, ?, ?, ?, ?)
on conflict (model) do update set
    answered = answered + excluded.answered,
    output_tokens = output_tokens + excluded.output_tokens,
    scored = scored + excluded.scored,
    score_sum = score_sum + excluded.score_sum,
    input_tokens = input_tokens + excluded.input_tokens,
    input_chars = input_chars + excluded.input_chars
"""
SCORED_BEFORE = "select model, score from exchanges where decision_id = ?"
SCORE = "update exchanges set score = ? where decision_id = ?"
REMEMBER = "insert or replace into conversations values (?, ?, ?, ?)"
BEGINNINGS = 16  # of a conversation, the longest, that are looked for; RECALL has as many places
RECALL = """
select digest, model, input_tokens from conversations
where digest in (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) and at_ns > ?
"""
GET = "select body, score from exchanges where decision_id = ?"
THERE = "select 1 from exchanges where decision_id = ?"
SCORED_SO_FAR = "select scored, score_sum from tallies where model = ?"
SCORE_ANEW = """
update tallies set
    scored = scored + :scored,
    score_sum = max(0.0, min(scored + :scored, score_sum - :was + :sum))
where model = :model
"""
SCORES_SINCE = "select count(score), sum(score) from exchanges where model = ? and at_ns >= ?"
SWEEP_ROWS, SWEEP_PIECES = 2_000, 50
SWEEP_EXCHANGES = """
delete from exchanges where number in (select number from exchanges order by number limit 2000) and at_ns < ?
"""
SWEEP_CONVERSATIONS = "delete from conversations where at_ns < ?"

CONVERSATION_NS = 3_600 * 1_000_000_000
LOCK_WAIT_S = 0.25

# What a single row can be refused for: a value that is no JSON, or too large, or no text.
UNFIT = (TypeError, ValueError, OverflowError, sqlite3.IntegrityError)

log = logging.getLogger(__name__)

Add = Callable[[sqlite3.Connection, Sequence[Finished]], tuple[Sequence[Finished], int]]


class OddRowError(Exception):
    """A row was there already."""


@dataclass(frozen=True, slots=True)
class ModelTally:
    """Sums over all exchanges of a model so far, all workers together, those no longer kept among them.

    Attributes:
        model: its id.
        answered, output_tokens: whole answers whose length is known, and their tokens.
        scored, score_sum: exchanges with feedback, and its sum.
        input_tokens, input_chars: of prompts whose tokens the upstream reported and whose characters are known; their
            ratio corrects the count of tokens.
    """

    model: str
    answered: int = 0
    output_tokens: int = 0
    scored: int = 0
    score_sum: float = 0.0
    input_tokens: int = 0
    input_chars: int = 0


@dataclass(slots=True)
class Batch:
    """What waits to be written together."""

    exchanges: dict[str, Finished] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    conversations: dict[bytes, tuple[str, int, int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.exchanges) + len(self.scores) + len(self.conversations)

    def absorb(self, older: Batch) -> None:
        """Takes back what couldn't be written; what is here already is newer."""
        self.exchanges = older.exchanges | self.exchanges
        self.scores = older.scores | self.scores
        self.conversations = older.conversations | self.conversations


def sweep(db: sqlite3.Connection, now_ns: int, keep_ns: int) -> None:
    """Forgets what is older than it is to be kept, a piece at a time."""
    db.execute(SWEEP_CONVERSATIONS, (now_ns - CONVERSATION_NS,))
    db.execute(SWEEP_FEEDBACK)
    for _ in range(SWEEP_PIECES):
        if db.execute(SWEEP_EXCHANGES, (now_ns - keep_ns,)).rowcount < SWEEP_ROWS:
            break


def body_of(finished: Finished) -> bytes:
    """An exchange as JSON; a figure that isn't finite (a score of minus infinity) becomes null."""
    return orjson.dumps(finished, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)


def read_body(body: bytes) -> dict[str, Any]:
    """An exchange as `body_of` wrote it; its candidates are records again."""
    kept: dict[str, Any] = orjson.loads(body)
    columns = kept.get("candidates")
    if isinstance(columns, dict):
        kept["candidates"] = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return kept


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    columns = getattr(value, "columns", None)  # records that are kept by column, since that takes a tenth of the time
    if columns is not None:
        return columns()
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} can't be kept")


def score_anew(db: sqlite3.Connection, model: str, since_ns: int) -> None:
    """A model's scores count from a moment on: its tally is what the exchanges that are kept since then add up to.

    All exchanges are looked at, which takes a while, so nobody is kept from writing meanwhile; what others have added
    to the tally in that time stays in it.

    Raises:
        sqlite3.Error: the file can't be read or written.
    """
    db.execute("begin")
    try:
        before = db.execute(SCORED_SO_FAR, (model,)).fetchone()
        scored, total = db.execute(SCORES_SINCE, (model, since_ns)).fetchone()
    finally:
        db.execute("rollback")
    if before is not None:
        db.execute("pragma busy_timeout = 5000")
        db.execute(SCORE_ANEW, {"scored": scored - before[0], "was": before[1], "sum": total or 0.0, "model": model})


def open_journal(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        db = sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise InputError(
            f"decisions can't be kept there: {error}", place=str(path), remedy="check the folder"
        ) from None
    try:
        _prepare(db, path)
    except (sqlite3.Error, InputError) as error:
        db.close()
        if isinstance(error, InputError):
            raise
        remedy = "put the file aside; a new one is made"
        raise InputError(f"this file can't be used as the journal: {error}", place=str(path), remedy=remedy) from None
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    db.execute("pragma busy_timeout = 5000")  # several workers start at once
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = normal")
    with _transaction(db):
        (kind,), (version,) = (db.execute(f"pragma {name}").fetchone() for name in ("application_id", "user_version"))
        if not kind and not db.execute("select count(*) from sqlite_schema").fetchone()[0]:
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"pragma application_id = {APPLICATION_ID}")
            db.execute(f"pragma user_version = {SCHEMA_VERSION}")
        elif (kind, version) != (APPLICATION_ID, SCHEMA_VERSION):
            remedy = "put the file aside; a new one is made"
            raise InputError("this isn't a journal of this version", place=str(path), remedy=remedy)
        db.execute(FEEDBACK)
    db.execute(f"pragma busy_timeout = {int(LOCK_WAIT_S * 1000)}")


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing. `begin immediate` waits for its turn here rather than failing in the middle."""
    db.execute("begin immediate")
    try:
        yield
    except BaseException:
        if db.in_transaction:  # a full disk has rolled back by itself
            db.execute("rollback")
        raise
    db.execute("commit")


def write(db: sqlite3.Connection, batch: Batch) -> int:
    """Writes a batch, all or nothing; gives how many of its exchanges no file could take.

    Raises:
        sqlite3.DatabaseError: the file is locked, full or damaged.
    """
    try:
        with _transaction(db):
            return _write(db, batch, _add_together)
    except (OddRowError, *UNFIT):
        with _transaction(db):
            return _write(db, batch, _add_one_by_one)


def _add_together(db: sqlite3.Connection, ended: Sequence[Finished]) -> tuple[Sequence[Finished], int]:
    """As `_add_one_by_one`, for rows that are all new and fit, a few in each statement.

    Each statement makes the event loop and this thread take turns, which costs more than the row itself.

    Raises:
        OddRowError: one was there already. So are the errors of `UNFIT`; nothing may be kept then.
    """
    for start in range(0, len(ended), ROWS_TOGETHER):
        rows = [_row(finished) for finished in ended[start : start + ROWS_TOGETHER]]
        if db.execute(_adding(len(rows)), [value for row in rows for value in row]).rowcount < len(rows):
            raise OddRowError
    return ended, 0


def _add_one_by_one(db: sqlite3.Connection, ended: Sequence[Finished]) -> tuple[Sequence[Finished], int]:
    """Those that were added, and how many no file could take."""
    added = []
    unfit = 0
    for finished in ended:
        try:
            if db.execute(_adding(1), _row(finished)).rowcount:
                added.append(finished)
        except UNFIT as error:
            log.warning("exchange %s can't be kept: %s", finished.decision_id, type(error).__name__)
            unfit += 1
    return added, unfit


def _adding(rows: int) -> str:
    return ADD + ", ".join([ADD_ROW] * rows)


def _write(db: sqlite3.Connection, batch: Batch, add: Add) -> int:
    tallies: dict[str, ModelTally] = {}
    added, unfit = add(db, list(batch.exchanges.values()))
    for finished in added:
        _count(tallies, finished)
    for decision_id, score in batch.scores.items():
        _score(db, tallies, decision_id, score)
    db.executemany(ADD_TALLY, [_values(tally) for tally in tallies.values()])
    db.executemany(REMEMBER, [(digest, *line) for digest, line in batch.conversations.items()])
    return unfit


def _row(finished: Finished) -> tuple[object, ...]:
    usage = finished.usage
    return (
        finished.decision_id,
        finished.at_ns,
        finished.model,
        finished.input_chars,
        None if usage is None else usage.input_tokens,
        None if usage is None else usage.output_tokens,
        finished.cost_nano,
        finished.total_s * 1e3,
        body_of(finished),
    )


def _count(tallies: dict[str, ModelTally], finished: Finished) -> None:
    """Adds a whole answer; one cut short says nothing of how long answers get."""
    usage = finished.usage
    if finished.model is None or usage is None or finished.outcome != "served":
        return
    reported = finished.input_chars > 0 and not usage.estimated
    _add(
        tallies,
        ModelTally(
            finished.model,
            answered=1,
            output_tokens=usage.output_tokens,
            input_tokens=usage.input_tokens if reported else 0,
            input_chars=finished.input_chars if reported else 0,
        ),
    )


def _score(db: sqlite3.Connection, tallies: dict[str, ModelTally], decision_id: str, score: float) -> None:
    before = db.execute(SCORED_BEFORE, (decision_id,)).fetchone()
    if before is None:  # too old by now
        return
    db.execute(SCORE, (score, decision_id))
    model, earlier = before
    if model is not None:
        first = earlier is None
        if first:
            db.execute(ADD_FEEDBACK, (decision_id, score))
        _add(tallies, ModelTally(model, scored=int(first), score_sum=score - (0.0 if first else earlier)))


def _add(tallies: dict[str, ModelTally], more: ModelTally) -> None:
    so_far = tallies.get(more.model)
    if so_far is not None:
        sums = (a + b for a, b in zip(_values(so_far)[1:], _values(more)[1:], strict=True))
        more = ModelTally(more.model, *sums)
    tallies[more.model] = more


def _values(tally: ModelTally) -> tuple[Any, ...]:
    return tuple(getattr(tally, name) for name in ModelTally.__slots__)
