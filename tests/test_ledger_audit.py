"""The audit finds what was tampered with, each kind by itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ledger_conformance import T0, ask, ending, lines
from pointsman.ledger.entries import LedgerFund
from pointsman.ledger.sqlite import SqliteBook

OFF = "DROP TRIGGER entries_stay; DROP TRIGGER entries_remain; PRAGMA ignore_check_constraints = ON;"


def written(path: Path) -> None:
    """A ledger with two funds, an open hold, one posted above its hold, one voided, one without funds."""
    with closing(SqliteBook(path)) as book:
        book.declare([LedgerFund("f", 100), LedgerFund("g", 100)], T0)
        book.hold(
            [ask("open", {"f": 5}), ask("posted", {"f": 5, "g": 5}), ask("voided", {"g": 5}), ask("free", {})], T0
        )
        book.end([ending("posted", "post", f=7, g=5), ending("voided", "void"), ending("free", "post")], T0)
        book.correct("c", "g", 3, "invoice", T0)


def test_a_good_ledger_counts_everything(tmp_path: Path) -> None:
    """Counts by hand; an overrun is told and is no problem."""
    written(tmp_path / "l")
    with closing(SqliteBook(tmp_path / "l")) as book:
        found = book.audit()
    assert found.ok
    assert found.problems == ()
    assert found.overruns == lines({"f": 2})
    assert found.counts == {
        "entries": 10,
        "grants": 2,
        "corrections": 1,
        "holds": 4,
        "open": 1,
        "posted": 2,
        "voided": 1,
        "expired": 0,
        "overruns": 1,
    }


@pytest.mark.parametrize(
    ("tampering", "told"),
    [
        ("UPDATE entries SET spent = spent + 1 WHERE seq = 7", "doesn't sum to zero"),
        ("UPDATE entries SET spent = spent - 1, available = available + 1 WHERE seq = 7", "aren't what its entries"),
        ("DELETE FROM entries WHERE seq = 9", "entry 10 follows entry 8"),
        ("DELETE FROM entries WHERE seq = 10", "aren't what its entries"),
        ("UPDATE sums SET spent = 0 WHERE fund = 'g'", "the sums of fund 'g'"),
        ("DELETE FROM sums WHERE fund = 'g'", "sums aren't of the buckets"),
        ("UPDATE holds SET state = 'posted' WHERE id = 'open'", "is posted in the list of holds"),
        ("UPDATE holds SET state = 'held' WHERE id = 'voided'", "is held in the list of holds"),
        ("UPDATE holds SET state = 'expired' WHERE id = 'voided'", "as many endings of each kind"),
        ("DELETE FROM holds WHERE id = 'posted'", "as many endings of each kind"),
        ("UPDATE entries SET id = 'open' WHERE seq = 9", "with other amounts"),
        ("UPDATE entries SET id = 'free' WHERE seq = 9", "without being open"),
        ("UPDATE entries SET fund = 'h' WHERE seq = 10", "never granted"),
        ("UPDATE entries SET held = 500, available = -500 WHERE seq = 3", "more than fund 'f' had left"),
        ("UPDATE entries SET held = -4, available = -1 WHERE seq = 7", "with other amounts"),
        ("UPDATE entries SET spent = 2, available = 3 WHERE seq = 9", "was voided and spent"),
        ("UPDATE entries SET held = 3, spent = 0 WHERE seq = 10", "moves held money"),
    ],
)
def test_tampering_is_found(tmp_path: Path, tampering: str, told: str) -> None:
    """Whoever changes the file behind SQLite's guards is found out."""
    path = tmp_path / "l"
    written(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"{OFF} {tampering};")
    with closing(SqliteBook(path)) as book:
        found = book.audit()
    assert not found.ok
    assert any(told in problem for problem in found.problems), found.problems


def test_a_cache_that_is_wrong_is_found(tmp_path: Path) -> None:
    """Sums in memory are compared too."""
    written(tmp_path / "l")
    with closing(SqliteBook(tmp_path / "l")) as book:
        book.balances(T0)
        book.funds["f"].apply(0, 1, 0, 0)
        assert "the sums in memory of fund 'f'" in book.audit().problems[0]
