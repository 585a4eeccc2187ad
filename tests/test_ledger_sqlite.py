"""The SQLite book: processes that share it, crash in it, and files that are no ledger."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from ledger_conformance import LATER, T0, S, ask, ending, passes_audit, standing
from pointsman.errors import InputError
from pointsman.ledger.book import BookUnavailableError
from pointsman.ledger.entries import Held, LedgerFund, Refused
from pointsman.ledger.sqlite import SqliteBook
from pointsman.ledger.window import Window

STORM = """
import sys
from pathlib import Path
from ledger_conformance import T0, ask, ending
from pointsman.ledger.entries import Held, LedgerFund
from pointsman.ledger.sqlite import SqliteBook
name, path = sys.argv[1], Path(sys.argv[2])
book = SqliteBook(path)
book.declare([LedgerFund("f", 150), LedgerFund("g", 10**9)], T0)
print("ready", flush=True)
sys.stdin.readline()
served = 0
for turn in range(80):
    asks = [ask(f"{name}-{turn}-{i}", {"f": 1, "g": 3}) for i in range(5)]
    for told in book.hold(asks, T0):
        if isinstance(told, Held):
            gone = told.id.endswith("4")
            served += not gone
            book.end([ending(told.id, "void") if gone else ending(told.id, "post", f=1, g=2)], T0)
print(served)
"""

VICTIM = """
import sys
from pathlib import Path
from ledger_conformance import T0, ask, ending
from pointsman.ledger.entries import LedgerFund
from pointsman.ledger.sqlite import SqliteBook
book = SqliteBook(Path(sys.argv[1]))
book.declare([LedgerFund("f", 10**15), LedgerFund("g", 10**15)], T0)
print("ready", flush=True)
for turn in range(100_000):
    ids = [f"{sys.argv[2]}-{turn}-{i}" for i in range(8)]
    book.hold([ask(id, {"f": 2, "g": 1}, owner=sys.argv[2]) for id in ids], T0)
    book.end([ending(id, "post", f=3) for id in ids[:7]], T0)
    if turn % 50 == 0:
        book.checkpoint()
"""


def run(script: str, *args: object) -> subprocess.Popen[str]:
    """A Python process of its own that runs this script in this folder."""
    command = [sys.executable, "-c", script, *map(str, args)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=Path(__file__).parent)


def intact(path: Path) -> bool:
    """What SQLite itself says of the file."""
    with closing(sqlite3.connect(path)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def test_two_processes_storm_one_fund(tmp_path: Path) -> None:
    """Two processes ask 800 times for a fund that can pay for 150: just 150 are served, and nothing stays held."""
    path = tmp_path / "ledger.sqlite"
    storms = [run(STORM, name, path) for name in "ab"]
    assert [storm.stdout.readline() for storm in storms if storm.stdout] == ["ready\n"] * 2
    served = [int(storm.communicate("go\n", timeout=60)[0]) for storm in storms]
    with closing(SqliteBook(path, create=False)) as book:
        assert sum(served) == 150
        assert standing(book, "f") == (0, 150, 0, 0)
        assert standing(book, "g")[:2] == (0, 300)
        assert book.open_holds() == []
        passes_audit(book)


def test_killed_in_the_middle_again_and_again(tmp_path: Path) -> None:
    """After kill -9 at any moment the file is intact, the audit fine, and what the dead had held can be ended."""
    path = tmp_path / "ledger.sqlite"
    for number in range(5):
        victim = run(VICTIM, path, f"v{number}")
        with victim:
            assert victim.stdout is not None
            assert victim.stdout.readline() == "ready\n"
            time.sleep(0.02 + 0.017 * number)
            victim.send_signal(signal.SIGKILL)
        with closing(SqliteBook(path)) as book:
            passes_audit(book)
            held = len(book.open_holds())
            assert len(book.expire(T0, owners={f"v{number}"}, charge=True)) == held
            assert book.open_holds() == []
            passes_audit(book)
    assert intact(path)


def test_checkpoints_from_another_thread(tmp_path: Path) -> None:
    """The log is moved into the file while holds go on, and grows no further."""
    with closing(SqliteBook(tmp_path / "ledger.sqlite")) as book:
        book.declare([LedgerFund("f", 10**9)], T0)
        stop = threading.Event()

        def checkpoints() -> None:
            while not stop.wait(0.002):
                book.checkpoint()

        thread = threading.Thread(target=checkpoints)
        thread.start()
        for turn in range(1_500):
            book.hold([ask(str(turn), {"f": 1})], T0)
            book.end([ending(str(turn), "post", f=1)], T0)
        stop.set()
        thread.join()
        book.checkpoint()
        assert standing(book, "f")[:2] == (0, 1_500)
        passes_audit(book)
    assert intact(tmp_path / "ledger.sqlite")


def test_a_long_log_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past its limit the log starts from its beginning, unless somebody reads; then nobody waits for long."""
    monkeypatch.setattr("pointsman.ledger.sqlite.RESTART_PAGES", 10)
    path = tmp_path / "ledger.sqlite"
    log = path.with_name("ledger.sqlite-wal")
    with closing(SqliteBook(path)) as book, closing(sqlite3.connect(path, isolation_level=None)) as reader:
        book.declare([LedgerFund("f", 10**9)], T0)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM entries").fetchone()
        for turn in range(50):
            book.hold([ask(str(turn), {"f": 1})], T0)
        book.checkpoint()
        reader.execute("ROLLBACK")
        book.checkpoint()
        grown = log.stat().st_size
        for turn in range(50, 70):
            book.hold([ask(str(turn), {"f": 1})], T0)
        assert log.stat().st_size == grown
        passes_audit(book)


def test_books_opened_at_once(tmp_path: Path) -> None:
    """Processes that start together on a new folder all get the one ledger."""
    script = "import sys; from pathlib import Path; from pointsman.ledger.sqlite import SqliteBook;"
    script += " SqliteBook(Path(sys.argv[1])); print('fine')"
    for attempt in range(2):
        started = [run(script, tmp_path / f"{attempt}.sqlite") for _ in range(4)]
        assert [one.communicate(timeout=60)[0] for one in started] == ["fine\n"] * 4


def test_another_book_sees_a_grant_at_once(tmp_path: Path) -> None:
    """What one process grants or holds, the other knows at its next act."""
    path = tmp_path / "ledger.sqlite"
    with closing(SqliteBook(path)) as one, closing(SqliteBook(path)) as two:
        one.declare([LedgerFund("f", 5)], T0)
        two.declare([LedgerFund("f", 5)], T0)
        one.hold([ask("a", {"f": 5})], T0)
        assert two.hold([ask("b", {"f": 1})], T0) == [Refused("b", "f", None)]
        one.declare([LedgerFund("f", 6)], T0)
        assert isinstance(two.hold([ask("b", {"f": 1})], T0)[0], Held)
        two.end([ending("a", "void")], T0)
        assert one.end([ending("a", "void")], T0)[0].id == "a"
        assert standing(one, "f") == standing(two, "f") == (1, 0, 5, 0)


def test_a_locked_file_books_nothing(tmp_path: Path) -> None:
    """While somebody else holds the file for too long the book is unavailable, and afterwards as good as new."""
    path = tmp_path / "ledger.sqlite"
    with closing(SqliteBook(path)) as book, closing(sqlite3.connect(path, isolation_level=None)) as other:
        book.declare([LedgerFund("f", 5)], T0)
        book._sql.execute("PRAGMA busy_timeout = 10")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BookUnavailableError, match="locked"):
            book.hold([ask("a", {"f": 5})], T0)
        other.execute("ROLLBACK")
        assert isinstance(book.hold([ask("a", {"f": 5})], T0)[0], Held)
        passes_audit(book)
    with pytest.raises(BookUnavailableError):
        book.hold([ask("b", {})], T0)
    with pytest.raises(BookUnavailableError):
        list(book.entries())


def test_a_full_disk_books_nothing(tmp_path: Path) -> None:
    """Where the file can't grow the act is undone as a whole, and the sums in memory with it."""
    with closing(SqliteBook(tmp_path / "ledger.sqlite")) as book:
        book.declare([LedgerFund("f", 10**6)], T0)
        pages = book._sql.execute("PRAGMA page_count").fetchone()[0]
        book._sql.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(BookUnavailableError, match="full"):
            book.hold([ask(f"{'x' * 200}{i}", {"f": 1}) for i in range(500)], T0)
        assert standing(book, "f") == (0, 0, 10**6, 0)
        book._sql.execute("PRAGMA max_page_count = 1000000")
        assert isinstance(book.hold([ask("a", {"f": 1})], T0)[0], Held)
        passes_audit(book)


def test_entries_cant_be_changed(tmp_path: Path) -> None:
    """SQLite itself refuses to change or delete an entry, or to add one whose legs don't sum to zero."""
    path = tmp_path / "ledger.sqlite"
    with closing(SqliteBook(path)) as book:
        book.declare([LedgerFund("f", 5)], T0)
    with closing(sqlite3.connect(path)) as connection:
        for statement in (
            "UPDATE entries SET spent = 0",
            "DELETE FROM entries",
            "INSERT INTO entries VALUES (2, 0, 'post', 'a', 'f', 0, 1, 1, 1, '')",
            "INSERT INTO entries VALUES (2, 0, 'gift', 'a', 'f', 0, 0, 0, 0, '')",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(statement)


def test_files_that_are_no_ledger(tmp_path: Path) -> None:
    """Text, another database, another version, no file and no folder: each refused, and none touched."""
    text, other, future = tmp_path / "text", tmp_path / "other", tmp_path / "future"
    text.write_text("not a database, though long enough to look at" * 50)
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE things (x)")
    SqliteBook(future).close()
    with closing(sqlite3.connect(future)) as connection:
        connection.execute("PRAGMA user_version = 2")
    before = text.read_bytes()
    for path, what in ((text, "no SQLite database"), (other, "no ledger"), (future, "format 2")):
        with pytest.raises(InputError, match=what):
            SqliteBook(path)
    with pytest.raises(InputError, match="no such ledger"):
        SqliteBook(tmp_path / "none", create=False)
    with pytest.raises(InputError, match="folder"):
        SqliteBook(tmp_path / "no" / "none")
    assert text.read_bytes() == before


def test_long_lives_keep_few_buckets(tmp_path: Path) -> None:
    """A rolling fund that is used for days keeps some buckets in memory, and all in the file; old holds still count."""
    with closing(SqliteBook(tmp_path / "ledger.sqlite")) as book:
        book.declare([LedgerFund("f", 50, "requests", Window("rolling", length_s=1))], T0)
        book.hold([ask("old", {"f": 7})], T0)
        for second in range(1, 700):
            book.hold([ask(str(second), {"f": 1})], T0 + second * S)
            book.end([ending(str(second), "post", f=1)], T0 + second * S)
        now = T0 + 699 * S
        assert standing(book, "f", now)[:2] == (7, 2)
        assert len(list(book.funds["f"].kept())) < 300
        assert standing(book, "f", T0 + 100 * S)[:2] == (7, 601)  # a clock that steps back far
        passes_audit(book)
        assert book.end([ending("old", "post", f=7)], now)[0].id == "old"
        assert standing(book, "f", now)[:2] == (0, 2)
    assert now < LATER
