"""Prompts of answered queries, kept only where the owner asked for it, until feedback completes their outcomes.

Takes outcome rows by decision id; gives one back when its score arrives, in whichever worker. Rows wait in memory and
are written in batches by whoever calls `flush`. The file is made when the first row comes, readable by its owner alone.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import orjson

from pointsman.outcomes import OutcomeRow

_TABLE = "CREATE TABLE IF NOT EXISTS prompts (decision_id TEXT PRIMARY KEY, at_ns INTEGER NOT NULL, row BLOB NOT NULL)"
_ADD = "INSERT OR REPLACE INTO prompts VALUES (?, ?, ?)"
_GET = "SELECT row FROM prompts WHERE decision_id = ?"
_FORGET = "DELETE FROM prompts WHERE at_ns < ?"
LOCK_WAIT_S = 5.0


class Prompts:
    """The file and what waits for it.

    Args:
        path: of `prompts.sqlite` in the state folder.
        keep_s: how long feedback may take.
        now_ns: the clock.
    """

    def __init__(self, path: Path, keep_s: float, *, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._path, self._keep_ns, self._now_ns = path, int(keep_s * 1e9), now_ns
        self._waiting: dict[str, OutcomeRow] = {}
        # One connection for the loop and one for the thread that writes, kept open: the last one to close would move
        # the write-ahead log into the file, and meanwhile nobody can open it.
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._lock = threading.Lock()  # rows are added on the loop and flushed in a thread

    def add(self, decision_id: str, row: OutcomeRow) -> None:
        """A query that was answered."""
        with self._lock:
            self._waiting[decision_id] = row

    def get(self, decision_id: str) -> OutcomeRow | None:
        """Its row; None where it isn't kept."""
        with self._lock:
            waiting = self._waiting.get(decision_id)
        if waiting is not None:
            return waiting
        if not self._path.exists():
            return None
        if self._reader is None:
            self._reader = self._connected()
        found = self._reader.execute(_GET, (decision_id,)).fetchone()
        return None if found is None else OutcomeRow(**orjson.loads(found[0]))

    def flush(self) -> None:
        """Writes what waits and forgets what is old; what can't be written waits on."""
        with self._lock:
            rows = list(self._waiting.items())
        if not rows:
            return
        now = self._now_ns()
        if self._writer is None:
            self._writer = self._connected()
        with self._writer as db:
            db.executemany(_ADD, [(name, now, orjson.dumps(asdict(row))) for name, row in rows])
            db.execute(_FORGET, (now - self._keep_ns,))
        with self._lock:
            for name, row in rows:
                if self._waiting.get(name) is row:
                    del self._waiting[name]

    def close(self) -> None:
        """Writes what waits."""
        try:
            self.flush()
        finally:
            for db in (self._reader, self._writer):
                if db is not None:
                    db.close()
            self._reader = self._writer = None

    def _connected(self) -> sqlite3.Connection:
        self._path.touch(mode=0o600, exist_ok=True)
        db = sqlite3.connect(self._path, timeout=LOCK_WAIT_S, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA secure_delete = ON")  # what is forgotten is overwritten
        db.execute(_TABLE)
        return db
