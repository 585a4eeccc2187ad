"""Every book passes the conformance suite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger_conformance import CLAIMS
from pointsman.ledger.book import Book
from pointsman.ledger.memory import MemoryBook
from pointsman.ledger.sqlite import SqliteBook


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
@pytest.mark.parametrize("kind", ["memory", "sqlite", "sqlite, opened for every call"])
def test_conformance(kind: str, claim: Callable[[Book], None], tmp_path: Path) -> None:
    """The claim of the conformance suite holds for this book."""
    book: Book = MemoryBook() if kind == "memory" else SqliteBook(tmp_path / "ledger.sqlite")
    if kind.endswith("call"):
        book.close()
        book = Reopened(tmp_path / "ledger.sqlite")
    claim(book)
    book.close()


class Reopened(SqliteBook):
    """A book that trusts no cache: it reads everything anew before every act."""

    def begin(self, *, write: bool) -> None:
        """As if the process had just begun."""
        self.forget()
        super().begin(write=write)
