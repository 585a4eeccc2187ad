"""The ledger's SQLite file: its tables, and how a connection to it is opened.

`entries` is the ledger; triggers forbid to change or delete rows, and a check makes every row sum to zero. `sums` and
`holds` can be computed from it (except for what asks said besides) and are kept for speed; the audit compares them.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pointsman.errors import InputError

APPLICATION = 0x504D4C47  # "PMLG"
VERSION = 1
BUSY_MS = 5_000

# Written out with OR: a CHECK with IN builds its list again for every row, which doubles what a row costs.
SCHEMA = (
    """
    CREATE TABLE entries (
        seq INTEGER PRIMARY KEY,
        at_ns INTEGER NOT NULL,
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        fund TEXT NOT NULL,
        bucket INTEGER NOT NULL,
        available INTEGER NOT NULL,
        held INTEGER NOT NULL,
        spent INTEGER NOT NULL,
        note TEXT NOT NULL,
        CHECK (available + held + spent = 0),
        CHECK (kind = 'hold' OR kind = 'post' OR kind = 'void' OR kind = 'expire' OR kind = 'grant' OR kind = 'correct')
    ) STRICT
    """,
    "CREATE INDEX grants ON entries (seq) WHERE kind = 'grant'",
    "CREATE UNIQUE INDEX corrections ON entries (id) WHERE kind = 'correct'",
    """
    CREATE TRIGGER entries_stay BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'entries are never changed; book a correction'); END
    """,
    """
    CREATE TRIGGER entries_remain BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'entries are never deleted; book a correction'); END
    """,
    """
    CREATE TABLE sums (
        fund TEXT NOT NULL,
        bucket INTEGER NOT NULL,
        held INTEGER NOT NULL,
        spent INTEGER NOT NULL,
        overrun INTEGER NOT NULL,
        PRIMARY KEY (fund, bucket)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE holds (
        id TEXT NOT NULL PRIMARY KEY,
        at_ns INTEGER NOT NULL,
        option INTEGER NOT NULL,
        expires_ns INTEGER NOT NULL,
        owner TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state = 'held' OR state = 'posted' OR state = 'voided' OR state = 'expired'),
        first_seq INTEGER NOT NULL,
        rows INTEGER NOT NULL,
        end_seq INTEGER NOT NULL,
        end_rows INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX open ON holds (expires_ns) WHERE state = 'held'",
)


def connected(path: Path, *, create: bool) -> sqlite3.Connection:
    """A connection to a ledger file, which is made where there is none and `create` says so.

    Raises:
        InputError: no file or folder, not a ledger, a ledger of another version, an SQLite that is too old.
    """
    if sqlite3.sqlite_version_info < (3, 37):
        raise _bad(path, f"SQLite {sqlite3.sqlite_version} is too old", "use a Python with SQLite 3.37 or later")
    if not path.parent.is_dir():
        raise _bad(path, "its folder doesn't exist", "make the folder first")
    if not create and not path.is_file():
        raise _bad(path, "there is no such ledger", "give the state folder of a gateway that has run")
    connection = _opened(path)
    try:
        _set_up(connection, path, create=create)
    except BaseException as error:
        connection.close()
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            raise _bad(path, "this file is no SQLite database", "give another path, or move the file away") from None
        raise
    return connection


def _bad(path: Path, what: str, remedy: str) -> InputError:
    return InputError(what, place=str(path), remedy=remedy)


def _opened(path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            path, timeout=BUSY_MS / 1_000, isolation_level=None, check_same_thread=False, cached_statements=64
        )
    except sqlite3.OperationalError as error:
        raise _bad(path, f"it can't be opened ({error})", "check the folder's permissions") from None


def _set_up(connection: sqlite3.Connection, path: Path, *, create: bool) -> None:
    if _number(connection, "application_id") == 0 and create:
        _create(connection)
    if _number(connection, "application_id") != APPLICATION:
        raise _bad(path, "this database is no ledger", "give another path, or move the file away")
    version = _number(connection, "user_version")
    if version != VERSION:
        raise _bad(path, f"this ledger has format {version}, not {VERSION}", "open it with the release that wrote it")
    connection.execute("PRAGMA journal_mode = WAL")
    # A commit then waits for no disk: what the operating system has survives a crash of the process, though not of
    # the machine's power. `checkpoint`, on another connection, is what waits.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA recursive_triggers = ON")
    connection.execute("PRAGMA cache_size = -16384")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _create(connection: sqlite3.Connection) -> None:
    """Makes the tables, unless the file has some already or another process makes them first."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
            for statement in SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
