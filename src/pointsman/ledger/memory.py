"""A book in memory: gone with its process, alone in it. For tests, and where nothing has to survive a restart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from pointsman.ledger.engine import Engine, Sums, TakenError
from pointsman.ledger.entries import HoldRecord, LedgerFund
from pointsman.ledger.holds import Hold, Row, fund_of, overrun_of


class MemoryBook(Engine):
    """A `Book` that keeps everything in lists and dicts. It grows with every entry."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[Row] = []
        self._holds: dict[str, Hold] = {}
        self._corrections: dict[str, int] = {}
        self._sums: dict[str, dict[int, tuple[int, int, int]]] = {}

    def begin(self, *, write: bool) -> None:
        """See `Engine.begin`: nobody else is here."""

    def keep(self) -> None:
        """See `Engine.keep`."""
        if any(hold.id in self._holds for hold in self.made):
            raise TakenError
        self._entries += self.rows
        self._holds.update((hold.id, hold) for hold in self.made)
        for seq, _, kind, id, fund, bucket, available, held, spent, _ in self.rows:
            sums = self._sums.setdefault(fund, {})
            h, s, o = sums.get(bucket, (0, 0, 0))
            sums[bucket] = h + held, s + spent, o + overrun_of(kind, available)
            if kind == "correct":
                self._corrections[id] = seq

    def leave(self) -> None:
        """See `Engine.leave`."""

    def forget(self) -> None:
        """See `Engine.forget`."""
        self.refresh()

    def find(self, id: str) -> Hold | None:
        """See `Engine.find`."""
        return self._holds.get(id)

    def due(self, at_ns: int | None, owners: Collection[str] | None) -> list[Hold]:
        """See `Engine.due`."""
        holds = (hold for hold in self._holds.values() if hold.state == "held")
        if owners is not None:
            found = [hold for hold in holds if hold.owner in owners]
        else:
            found = [hold for hold in holds if at_ns is None or hold.expires_ns <= at_ns]
        return sorted(found, key=lambda hold: (hold.expires_ns, hold.id))

    def stored(self, id: str | None) -> Iterator[Row]:
        """See `Engine.stored`."""
        yield from self._entries if id is None else self._of(id)

    def _of(self, id: str) -> Iterator[Row]:
        hold, correction = self._holds.get(id), self._corrections.get(id)
        if hold is not None:
            yield from self._entries[hold.first_seq - 1 : hold.first_seq - 1 + len(hold.legs)]
            yield from self._entries[hold.end_seq - 1 : hold.end_seq - 1 + hold.end_rows] if hold.end_seq else ()
        if correction is not None:
            yield self._entries[correction - 1]

    def load(self, fund: str, first: int) -> Iterable[tuple[int, int, int, int]]:
        """See `Engine.load`."""
        sums = self._sums.get(fund, {})
        return [(bucket, *sum_) for bucket, sum_ in sums.items() if bucket >= first or sum_[0]]

    def sums(self) -> Iterable[Sums]:
        """See `Engine.sums`."""
        return ((fund, bucket, *sum_) for fund, sums in self._sums.items() for bucket, sum_ in sums.items())

    def records(self) -> Iterable[HoldRecord]:
        """See `Engine.records`."""
        return (HoldRecord(hold.id, hold.state, len(hold.legs), hold.end_rows) for hold in self._holds.values())

    def grants(self) -> Iterable[LedgerFund]:
        """See `Engine.grants`."""
        return (fund_of(row[4], row[9]) for row in self._entries if row[2] == "grant")

    def close(self) -> None:
        """See `Book.close`."""
