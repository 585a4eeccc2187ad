"""The steps of all workers at rest, and where the funds stood: `pulse.sqlite` in the state folder.

Two seconds each for two hours, a minute each for two weeks; what is older is forgotten. Every worker writes its own
steps, the first one the funds and the minutes. Readers have connections of their own. It may be removed at any time:
the charts begin anew, and nothing else depends on it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pointsman.errors import InputError
from pointsman.serve.pulse import STEP_S, SUMS, FundRow, Step, merged

FILE = "pulse.sqlite"
APPLICATION_ID = 0x504D504C  # "PMPL"
SCHEMA_VERSION = 1
SCHEMA = """
create table steps (
    length_s integer not null,
    t integer not null,
    worker text not null,
    body blob not null,
    primary key (length_s, t, worker)
) strict, without rowid;
create table funds (
    length_s integer not null,
    t integer not null,
    body blob not null,
    primary key (length_s, t)
) strict, without rowid;
"""
MINUTE_S = 60
KEPT_S = {STEP_S: 2 * 3_600, MINUTE_S: 14 * 86_400}
LATE_S = 10  # a minute is added up when its last steps have surely been written
MINUTES_AT_ONCE = 180
BUSY_MS = 2_000

ADD_STEP = "insert or replace into steps values (?, ?, ?, ?)"
ADD_FUNDS = "insert or replace into funds values (?, ?, ?)"
STEPS = "select t, body from steps where length_s = ? and t >= ? and t < ? order by t"
FUNDS = "select t, body from funds where length_s = ? and t >= ? and t < ? order by t"
LAST_FUNDS = "select body from funds where length_s = ? and t >= ? and t < ? order by t desc limit 1"
FIRST_FUNDS = "select t, body from funds where length_s = ? and t >= ? order by t limit 1"
LAST = "select max(t) from steps where length_s = ?"
FIRST = "select min(t) from steps where length_s = ? and t >= ?"

FundsAt = Mapping[str, FundRow]


class PulseFile:
    """One worker's hand on the file; for a thread at a time.

    Args:
        path: of the file; made where it isn't there.
        worker: this worker's name, unique for ever.

    Raises:
        InputError: it can't be used.
    """

    def __init__(self, path: Path, worker: str) -> None:
        self._worker = worker
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_MS / 1e3, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise _unusable(path, error) from None
        try:
            self._prepare(path)
        except (sqlite3.Error, InputError) as error:
            self._db.close()
            raise error if isinstance(error, InputError) else _unusable(path, error) from None

    def _prepare(self, path: Path) -> None:
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        with self._transaction():
            (kind,), (version,) = (
                self._db.execute(f"pragma {name}").fetchone() for name in ("application_id", "user_version")
            )
            if not kind and not self._db.execute("select count(*) from sqlite_schema").fetchone()[0]:
                for statement in filter(str.strip, SCHEMA.split(";")):
                    self._db.execute(statement)
                self._db.execute(f"pragma application_id = {APPLICATION_ID}")
                self._db.execute(f"pragma user_version = {SCHEMA_VERSION}")
            elif (kind, version) != (APPLICATION_ID, SCHEMA_VERSION):
                raise _unusable(path, "it is another kind of file, or of another version")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def write(self, steps: Mapping[int, Step], funds: Mapping[int, FundsAt]) -> None:
        """Adds this worker's steps, and where the funds stood at some of them.

        Raises:
            sqlite3.Error: it can't be written now; nothing was.
        """
        with self._transaction():
            self._db.executemany(ADD_STEP, [(STEP_S, t, self._worker, packed(step)) for t, step in steps.items()])
            self._db.executemany(ADD_FUNDS, [(STEP_S, t, orjson.dumps(row)) for t, row in funds.items()])

    def roll_up(self, at_s: float) -> int:
        """Adds up the minutes that are over, and forgets what is too old; gives how many minutes. For one worker.

        Raises:
            sqlite3.Error: it can't be written now; nothing was.
        """
        last: int | None
        first: int | None
        (last,) = self._db.execute(LAST, (MINUTE_S,)).fetchone()
        (first,) = self._db.execute(FIRST, (STEP_S, 0 if last is None else last + MINUTE_S)).fetchone()
        end = int(at_s - LATE_S) // MINUTE_S * MINUTE_S
        if first is None or first >= end:
            return 0
        begin = first // MINUTE_S * MINUTE_S
        end = min(end, begin + MINUTES_AT_ONCE * MINUTE_S)
        with self._transaction():
            for t in range(begin, end, MINUTE_S):
                self._roll_up(t)
            for length_s, kept_s in KEPT_S.items():
                for table in ("steps", "funds"):
                    sql = f"delete from {table} where length_s = ? and t < ?"  # noqa: S608 (two fixed names)
                    self._db.execute(sql, (length_s, int(at_s) - kept_s))
        return (end - begin) // MINUTE_S

    def _roll_up(self, t: int) -> None:
        span = (STEP_S, t, t + MINUTE_S)
        whole = Step()
        for _, body in self._db.execute(STEPS, span).fetchall():
            whole.absorb(unpacked(body))
        self._db.execute(ADD_STEP, (MINUTE_S, t, "", packed(whole)))
        stood = self._db.execute(LAST_FUNDS, span).fetchone()
        if stood is not None:
            self._db.execute(ADD_FUNDS, (MINUTE_S, t, stood[0]))

    def close(self) -> None:
        """Closes it."""
        self._db.close()


@dataclass(frozen=True, slots=True)
class History:
    """What was read.

    Attributes:
        steps: all workers' together, by their beginnings, in order; a step in which nothing happened is an empty one.
        funds: where the funds stood at the end of a step, in order; steps without are left out.
    """

    steps: Mapping[int, Step]
    funds: Mapping[int, dict[str, FundRow]]


def read_history(path: Path, begin_s: int, end_s: int, length_s: int) -> History:
    """What happened from `begin_s` until `end_s`, in steps of `length_s`.

    Args:
        path: of the file; nothing is read where there is none.
        length_s: a multiple of `STEP_S`; of a minute where `begin_s` is more than two hours ago.

    Raises:
        sqlite3.Error: it can't be read.
    """
    if not path.is_file():
        return History({}, {})
    begin_s -= begin_s % length_s
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_MS / 1e3)) as db:
        steps = merged(((t, unpacked(body)) for t, body in _rows(db, STEPS, begin_s, end_s, length_s)), length_s)
        stood = {t // length_s * length_s: body for t, body in _rows(db, FUNDS, begin_s, end_s, length_s)}
    whole = {t: steps.get(t, Step()) for t in range(min(steps), end_s, length_s)} if steps else {}
    return History(whole, {t: _fund_rows(body) for t, body in stood.items()})


def _fund_rows(body: bytes) -> dict[str, FundRow]:
    return {name: tuple(row) for name, row in orjson.loads(body).items()}


def funds_since(path: Path, moments_s: Iterable[float], now_s: float) -> dict[float, tuple[float, FundsAt]]:
    """Where the funds stood first from each moment on, and when; moments after which nothing is known are left out.

    Raises:
        sqlite3.Error: the file can't be read.
    """
    if not path.is_file():
        return {}
    found: dict[float, tuple[float, FundsAt]] = {}
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_MS / 1e3)) as db:
        for moment_s in moments_s:
            lengths = (STEP_S,) if now_s - moment_s < KEPT_S[STEP_S] else (MINUTE_S, STEP_S)
            rows = (db.execute(FIRST_FUNDS, (length_s, moment_s - length_s)).fetchone() for length_s in lengths)
            for length_s, row in zip(lengths, rows, strict=True):
                if row is not None:  # a row is of its step's end
                    found.setdefault(moment_s, (row[0] + length_s, _fund_rows(row[1])))
    return found


def _rows(db: sqlite3.Connection, sql: str, begin_s: int, end_s: int, length_s: int) -> Iterator[tuple[int, Any]]:
    """Rows in order: minutes where whole minutes are asked for, and the fine ones that come after them."""
    if length_s % MINUTE_S == 0:
        for row in db.execute(sql, (MINUTE_S, begin_s, end_s)):
            yield row
            begin_s = row[0] + MINUTE_S
    yield from db.execute(sql, (STEP_S, begin_s, end_s))


def packed(step: Step) -> bytes:
    """A step as JSON."""
    sums = [getattr(step, name) for name in SUMS]
    return orjson.dumps([sums, list(step.overhead.items()), step.by_model])


def unpacked(body: bytes) -> Step:
    """A step as `packed` wrote it."""
    sums, overhead, by_model = orjson.loads(body)
    step = Step(overhead=dict(map(tuple, overhead)), by_model=by_model)
    for name, value in zip(SUMS, sums, strict=True):
        setattr(step, name, value)
    return step


def _unusable(path: Path, why: object) -> InputError:
    return InputError(f"this file can't be used for the charts: {why}", place=str(path), remedy="remove it")
