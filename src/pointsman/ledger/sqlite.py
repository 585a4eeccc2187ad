"""A book in one SQLite file, which any number of processes on one machine can share.

Every act is one transaction that begins by taking the write lock, so that the check and the hold are one. What is
cached of the file is trusted as long as SQLite says that nobody else wrote; else what they appended is read first.
A commit doesn't wait for the disk: call `checkpoint` now and then, from another thread, to move the write-ahead log
into the file. Several threads may not use one book at once, except for `checkpoint`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from pointsman.ledger.book import BookUnavailableError
from pointsman.ledger.engine import Engine, Sums, T, TakenError
from pointsman.ledger.entries import Entry, HoldRecord, LedgerFund
from pointsman.ledger.holds import Hold, Row, fund_of, overrun_of
from pointsman.ledger.sqlite_file import BUSY_MS, connected

_ENTRY = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SUM = """
    INSERT INTO sums VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
    SET held = held + excluded.held, spent = spent + excluded.spent, overrun = overrun + excluded.overrun
"""
_MADE = "INSERT INTO holds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_GONE = "UPDATE holds SET state = ?, end_seq = ?, end_rows = ? WHERE id = ? AND state = 'held'"
_HOLD = "SELECT * FROM holds WHERE id = ?"
_LEGS = "SELECT fund, bucket, held FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq"
_OPEN = "SELECT * FROM holds WHERE state = 'held' ORDER BY expires_ns, id"
_DUE = "SELECT * FROM holds WHERE state = 'held' AND expires_ns <= ? ORDER BY expires_ns, id"
_PAGE = "SELECT * FROM entries WHERE seq > ? ORDER BY seq LIMIT 2000"
_RANGES = "SELECT first_seq, rows, end_seq, end_rows FROM holds WHERE id = ?"
_RANGE = "SELECT * FROM entries WHERE seq >= ? AND seq < ? ORDER BY seq"
_CORRECTION = "SELECT * FROM entries WHERE kind = 'correct' AND id = ?"
_GRANTS = "SELECT fund, note FROM entries WHERE kind = 'grant' ORDER BY seq"
_SUMS = "SELECT bucket, held, spent, overrun FROM sums WHERE fund = ? AND bucket >= ?"
_OLD_SUMS = """
    SELECT bucket, held, spent, overrun FROM sums WHERE fund = :fund AND bucket < :first AND bucket IN (
        SELECT e.bucket FROM holds h JOIN entries e ON e.seq >= h.first_seq AND e.seq < h.first_seq + h.rows
        WHERE h.state = 'held' AND e.fund = :fund
    )
"""
_LAST = "SELECT coalesce(max(seq), 0) FROM entries"

RESTART_PAGES = 16_384
RESTART_MS = 20


class SqliteBook(Engine):
    """A `Book` in a file.

    Args:
        path: the file; its folder must exist.
        create: whether to make it where there is none.
        busy_ms: how long an act waits for another process's, in this thread; longer and it is unavailable.

    Raises:
        InputError: it can't be used; see `sqlite_file.connected`.
    """

    def __init__(self, path: Path, *, create: bool = True, busy_ms: int = BUSY_MS) -> None:
        super().__init__()
        self.path = Path(path)
        self._version = -1
        try:
            self._sql = connected(self.path, create=create)
            self._sql.execute(f"PRAGMA busy_timeout = {int(busy_ms)}")
        except sqlite3.Error as error:
            raise BookUnavailableError(f"{self.path}: {error}") from error
        self._reading(lambda: None)

    def begin(self, *, write: bool) -> None:
        """See `Engine.begin`."""
        self._sql.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        version = self._sql.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._catch_up()
            self._version = version

    def keep(self) -> None:
        """See `Engine.keep`."""
        run = self._sql
        if self.made:
            self._record_made()
        if self.rows:
            run.executemany(_ENTRY, self.rows)
            run.executemany(_SUM, _moved(self.rows))
        if self.gone:
            self._record_gone()
        run.execute("COMMIT")

    def _record_made(self) -> None:
        try:
            self._sql.executemany(_MADE, [_record(hold) for hold in self.made])
        except sqlite3.IntegrityError:
            raise TakenError from None

    def _record_gone(self) -> None:
        ends = [(hold.state, hold.end_seq, hold.end_rows, hold.id) for hold, _ in self.gone.values()]
        if self._sql.executemany(_GONE, ends).rowcount != len(ends):
            raise BookUnavailableError(f"{self.path}: a hold that was taken for open had ended")

    def leave(self) -> None:
        """See `Engine.leave`."""
        if self._sql.in_transaction:
            self._sql.execute("ROLLBACK")

    def _atomic(self, work: Callable[[], T]) -> T:
        try:
            return super()._atomic(work)
        except sqlite3.Error as error:
            raise BookUnavailableError(f"{self.path}: {error}") from error

    def _reading(self, work: Callable[[], T]) -> T:
        try:
            return super()._reading(work)
        except sqlite3.Error as error:
            raise BookUnavailableError(f"{self.path}: {error}") from error

    def _catch_up(self) -> None:
        """Reads what others appended."""
        if self._version < 0:
            self.refresh()
            self.next_seq = self._sql.execute(_LAST).fetchone()[0] + 1
            return
        self.open.clear()  # others may have ended some
        for row in self._pages(self.next_seq - 1):
            _, _, kind, _, fund, bucket, available, held, spent, note = row
            if kind == "grant":
                self.granted(fund_of(fund, note))
            else:
                self.funds[fund].apply(bucket, held, spent, overrun_of(kind, available))
            self.next_seq = row[0] + 1

    def forget(self) -> None:
        """See `Engine.forget`. The next act begins by reading."""
        self._version = -1

    def find(self, id: str) -> Hold | None:
        """See `Engine.find`."""
        row = self._sql.execute(_HOLD, (id,)).fetchone()
        return None if row is None else self._hold_of(row)

    def _hold_of(self, row: Any) -> Hold:
        id, at_ns, option, expires_ns, owner, state, first, rows, end_seq, end_rows = row
        legs = tuple(self._sql.execute(_LEGS, (first, first + rows)).fetchall())
        return Hold(id, at_ns, option, expires_ns, owner, legs, first, state, end_seq, end_rows)

    def due(self, at_ns: int | None, owners: Collection[str] | None) -> list[Hold]:
        """See `Engine.due`."""
        if at_ns is None or owners is not None:
            rows = self._sql.execute(_OPEN).fetchall()
        else:
            rows = self._sql.execute(_DUE, (at_ns,)).fetchall()
        return [self._hold_of(row) for row in rows if owners is None or row[4] in owners]

    def stored(self, id: str | None) -> Iterator[Row]:
        """See `Engine.stored`."""
        if id is None:
            yield from self._pages(0)
            return
        for first, rows, end_seq, end_rows in self._sql.execute(_RANGES, (id,)).fetchall():
            yield from self._sql.execute(_RANGE, (first, first + rows)).fetchall()
            yield from self._sql.execute(_RANGE, (end_seq, end_seq + end_rows)).fetchall()
        yield from self._sql.execute(_CORRECTION, (id,)).fetchall()

    def _pages(self, after: int) -> Iterator[Row]:
        while page := self._sql.execute(_PAGE, (after,)).fetchall():
            yield from page
            after = page[-1][0]

    def entries(
        self, *, fund: str | None = None, hold: str | None = None, since_ns: int | None = None
    ) -> Iterator[Entry]:
        """See `Book.entries`."""
        try:
            yield from super().entries(fund=fund, hold=hold, since_ns=since_ns)
        except sqlite3.Error as error:
            raise BookUnavailableError(f"{self.path}: {error}") from error

    def load(self, fund: str, first: int) -> Iterable[tuple[int, int, int, int]]:
        """See `Engine.load`."""
        rows = self._sql.execute(_SUMS, (fund, first)).fetchall()
        return rows + self._sql.execute(_OLD_SUMS, {"fund": fund, "first": first}).fetchall()

    def sums(self) -> Iterable[Sums]:
        """See `Engine.sums`."""
        return self._sql.execute("SELECT * FROM sums")

    def records(self) -> Iterable[HoldRecord]:
        """See `Engine.records`."""
        return (HoldRecord(*row) for row in self._sql.execute("SELECT id, state, rows, end_rows FROM holds"))

    def grants(self) -> Iterable[LedgerFund]:
        """See `Engine.grants`."""
        return (fund_of(name, note) for name, note in self._sql.execute(_GRANTS).fetchall())

    def flaws(self) -> list[str]:
        """See `Engine.flaws`."""
        said = [row[0] for row in self._sql.execute("PRAGMA integrity_check(20)")]
        return [] if said == ["ok"] else [f"SQLite: {line}" for line in said]

    def checkpoint(self) -> None:
        """Moves the write-ahead log into the file, on a connection of its own: from any thread, while others write.

        A log of more than 64 MB is begun anew, for which writers wait a moment; not while somebody reads for long.
        """
        with closing(sqlite3.connect(self.path, timeout=BUSY_MS / 1_000, isolation_level=None)) as connection:
            _, pages, done = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if max(pages, done) > RESTART_PAGES:
                connection.execute(f"PRAGMA busy_timeout = {RESTART_MS}")
                connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()

    def close(self) -> None:
        """See `Book.close`."""
        self._sql.close()


def _record(hold: Hold) -> tuple[Any, ...]:
    return (
        hold.id,
        hold.at_ns,
        hold.option,
        hold.expires_ns,
        hold.owner,
        "held",
        hold.first_seq,
        len(hold.legs),
        hold.end_seq,
        hold.end_rows,
    )


def _moved(rows: list[Row]) -> list[Sums]:
    """What entries add to the sums, added up by fund and bucket."""
    if len(rows) == 1:
        _, _, kind, _, fund, bucket, available, held, spent, _ = rows[0]
        return [(fund, bucket, held, spent, overrun_of(kind, available))]
    moved: dict[tuple[str, int], tuple[int, int, int]] = {}
    for _, _, kind, _, fund, bucket, available, held, spent, _ in rows:
        h, s, o = moved.get((fund, bucket), (0, 0, 0))
        moved[fund, bucket] = h + held, s + spent, o + overrun_of(kind, available)
    return [(fund, bucket, *sums) for (fund, bucket), sums in moved.items()]
