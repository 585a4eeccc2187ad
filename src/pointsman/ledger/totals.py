"""What is held and spent of one fund in its window: sums kept up to date, so that a hold costs two comparisons.

They are a cache of entries and nothing more. Only the buckets that can matter are kept; older ones come back from the
store through `load` when a clock runs backwards past them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pointsman.ledger.entries import Balance, LedgerFund

Load = Callable[[str, int], Iterable[tuple[int, int, int, int]]]
"""(fund, first bucket) to (bucket, held, spent, overrun): all from that bucket on, and older ones with money held."""

_FEW, _MANY = 128, 256


class FundTotals:
    """Sums of one fund.

    Args:
        fund: as granted last.
        load: where buckets come from.
    """

    __slots__ = (
        "_buckets",
        "_carries",
        "_first",
        "_floor",
        "_load",
        "_loaded",
        "_since",
        "_until",
        "bucket",
        "fund",
        "held",
        "overrun",
        "spent",
    )

    def __init__(self, fund: LedgerFund, load: Load) -> None:
        self.fund = fund
        self._load = load
        self._carries = fund.window.carries_holds
        self._buckets: dict[int, list[int]] = {}
        self._loaded = False
        self._floor = self._first = self.bucket = 0
        self._since, self._until = 1, 0  # no instant: the first `turn` sets them
        self.held = self.spent = self.overrun = 0

    def turn(self, at_ns: int) -> None:
        """Makes the sums those of the window at an instant."""
        if self._since <= at_ns < self._until:
            return
        self.bucket, self._first, self._since, self._until = self.fund.window.span(at_ns)
        if not self._loaded or self._first < self._floor:
            self._read()
        self._forget()
        self._sum()

    def apply(self, bucket: int, held: int, spent: int, overrun: int) -> None:
        """Books a movement. Before the first `turn` there is nothing to keep up to date."""
        if not self._loaded:
            return
        cell = self._buckets.get(bucket)
        if cell is None:
            cell = self._buckets[bucket] = [0, 0, 0]
        cell[0] += held
        cell[1] += spent
        cell[2] += overrun
        if bucket >= self._first:
            self.held += held
            self.spent += spent
            self.overrun += overrun
        elif self._carries:
            self.held += held

    def balance(self, at_ns: int) -> Balance:
        """Where the fund stands."""
        self.turn(at_ns)
        fund, left = self.fund, self.fund.amount - self.held - self.spent
        return Balance(
            fund.name, fund.unit, fund.amount, self.held, self.spent, max(0, left), self.overrun, self._resets_ns()
        )

    def retry_ns(self, needed: int) -> int | None:
        """When time alone may have made room for `needed` more, if holds are used in full; None for never."""
        window, short = self.fund.window, needed + self.held + self.spent - self.fund.amount
        if needed > self.fund.amount or window.kind == "none":
            return None
        if window.kind == "calendar":
            return self._until
        for bucket, cell in sorted(self._buckets.items()):
            short -= cell[0] + (cell[1] if bucket >= self._first else 0)
            if short <= 0:
                return max(window.leaves_ns(bucket) or 0, self._until)
        return self._until

    def kept(self) -> Iterator[tuple[int, tuple[int, int, int]]]:
        """(bucket, (held, spent, overrun)) of what is kept whole, for the audit."""
        for bucket, (held, spent, overrun) in self._buckets.items():
            if bucket >= self._floor:
                yield bucket, (held, spent, overrun)

    def _read(self) -> None:
        self._buckets = {bucket: cell for bucket, *cell in self._load(self.fund.name, self._first)}
        self._floor, self._loaded = self._first, True

    def _forget(self) -> None:
        """Lets go of old buckets in which nothing is held; the youngest stay, for clocks that step back a little."""
        if len(self._buckets) <= _MANY:
            return
        old = [bucket for bucket in sorted(self._buckets)[:-_FEW] if bucket < self._first]
        for bucket in old:
            if self._buckets[bucket][0] == 0:
                del self._buckets[bucket]
        if old:
            self._floor = max(self._floor, old[-1] + 1)

    def _sum(self) -> None:
        counted = [cell for bucket, cell in self._buckets.items() if bucket >= self._first]
        self.held = sum(cell[0] for cell in (self._buckets.values() if self._carries else counted))
        self.spent = sum(cell[1] for cell in counted)
        self.overrun = sum(cell[2] for cell in counted)

    def _resets_ns(self) -> int | None:
        if self.fund.window.kind != "rolling":
            return self.fund.window.leaves_ns(self.bucket)
        used = [b for b, cell in self._buckets.items() if cell[0] or (cell[1] and b >= self._first)]
        return max(self.fund.window.leaves_ns(max(used)) or 0, self._until) if used else None
