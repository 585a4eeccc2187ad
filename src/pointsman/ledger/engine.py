"""The acts of a book, once for all stores that run them in Python; a store says how to keep and find.

An act begins, works on the cached totals, collects entries, and is kept as a whole. Whatever goes wrong in between,
the store takes nothing and the caches are dropped, to be read again: they never say more than the store does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import starmap
from typing import TypeVar

from pointsman.errors import InputError
from pointsman.ledger.audit import audited
from pointsman.ledger.entries import (
    Ask,
    Audit,
    Balance,
    Corrected,
    Ended,
    Ending,
    Entry,
    EntryKind,
    Held,
    HoldRecord,
    LedgerFund,
    NotEnded,
    OpenHold,
    Refused,
)
from pointsman.ledger.holds import (
    CHARGING,
    MOST,
    Booking,
    Hold,
    Row,
    bookings,
    check_funds,
    choose,
    ended,
    is_same,
    terms,
    used,
)
from pointsman.ledger.totals import FundTotals
from pointsman.ledger.transitions import TABLE, EndKind

T = TypeVar("T")
Sums = tuple[str, int, int, int, int]
"""Fund, bucket, held, spent, overrun."""


class TakenError(Exception):
    """A store was told to keep a hold whose id it knows."""


class Engine(ABC):
    """A `Book` over a store.

    What an act has done so far, for the store to keep: `rows` (entries), `made` (new holds), `gone` (ended holds with
    what that moved). `funds` has every fund that was ever granted, `open` some open holds.
    """

    def __init__(self) -> None:
        self.funds: dict[str, FundTotals] = {}
        self.open: dict[str, Hold] = {}
        self.rows: list[Row] = []
        self.made: list[Hold] = []
        self.gone: dict[str, tuple[Hold, list[Booking]]] = {}
        self.next_seq = 1
        self._declared: list[str] | None = None

    def declare(self, funds: Sequence[LedgerFund], at_ns: int) -> None:
        """See `Book.declare`."""
        self._atomic(lambda: self._grant(funds, at_ns))
        self._declared = [fund.name for fund in funds]

    def hold(self, asks: Sequence[Ask], at_ns: int) -> list[Held | Refused]:
        """See `Book.hold`."""
        try:  # nearly every id is new; the store notices when one isn't, and then all are looked up
            return self._atomic(lambda: [self._hold(ask, at_ns) for ask in asks])
        except TakenError:
            return self._atomic(lambda: [self._repeated(ask) or self._hold(ask, at_ns) for ask in asks])

    def end(self, endings: Sequence[Ending], at_ns: int) -> list[Ended | NotEnded]:
        """See `Book.end`."""
        return self._atomic(lambda: [self._end(ending, at_ns) for ending in endings])

    def expire(self, at_ns: int, *, owners: Collection[str] | None = None, charge: bool) -> list[Ended]:
        """See `Book.expire`."""
        if not self._reading(lambda: self.due(at_ns, owners)):
            return []  # the usual case, which then needs no lock
        return self._atomic(lambda: [self._expire(hold, at_ns, charge) for hold in self.due(at_ns, owners)])

    def balances(self, at_ns: int) -> list[Balance]:
        """See `Book.balances`."""
        return self._reading(lambda: [self.funds[name].balance(at_ns) for name in self._shown()])

    def open_holds(self) -> list[OpenHold]:
        """See `Book.open_holds`."""
        return self._reading(lambda: [hold.opened() for hold in self.due(None, None)])

    def entries(
        self, *, fund: str | None = None, hold: str | None = None, since_ns: int | None = None
    ) -> Iterator[Entry]:
        """See `Book.entries`."""
        for row in self.stored(hold):
            entry = Entry(*row)
            if (fund is None or entry.fund == fund) and (since_ns is None or entry.at_ns >= since_ns):
                yield entry

    def correct(self, id: str, fund: str, amount: int, reason: str, at_ns: int) -> Corrected:
        """See `Book.correct`."""
        return self._atomic(lambda: self._correct(id, fund, amount, reason, at_ns))

    def audit(self) -> Audit:
        """See `Book.audit`."""
        return self._reading(
            lambda: audited(
                starmap(Entry, self.stored(None)), self.records(), self.sums(), self._cached(), self.flaws()
            )
        )

    # What a store does.

    @abstractmethod
    def begin(self, *, write: bool) -> None:
        """Begins an act, alone on the store if it may write; brings the caches up to date."""

    @abstractmethod
    def keep(self) -> None:
        """Keeps `rows`, `made` and `gone` for good, as a whole."""

    @abstractmethod
    def leave(self) -> None:
        """Ends an act without keeping anything."""

    @abstractmethod
    def find(self, id: str) -> Hold | None:
        """A hold from the store."""

    @abstractmethod
    def due(self, at_ns: int | None, owners: Collection[str] | None) -> list[Hold]:
        """Open holds by expiry: those past it, or all of some owners, or (no instant) all."""

    @abstractmethod
    def stored(self, id: str | None) -> Iterator[Row]:
        """Entries in order: all, or those of one hold or correction."""

    @abstractmethod
    def load(self, fund: str, first: int) -> Iterable[tuple[int, int, int, int]]:
        """Sums by bucket, from one on and older ones with money held."""

    @abstractmethod
    def sums(self) -> Iterable[Sums]:
        """All cached sums."""

    @abstractmethod
    def records(self) -> Iterable[HoldRecord]:
        """All holds."""

    @abstractmethod
    def forget(self) -> None:
        """After an act that failed: what is cached has to be read again before the next one."""

    @abstractmethod
    def grants(self) -> Iterable[LedgerFund]:
        """All grants, in order."""

    @abstractmethod
    def close(self) -> None:
        """See `Book.close`."""

    def flaws(self) -> list[str]:
        """What is wrong with the store itself."""
        return []

    # What a store is told.

    def granted(self, fund: LedgerFund) -> None:
        """A fund has these terms from now on."""
        self.funds[fund.name] = FundTotals(fund, self.load)

    def refresh(self) -> None:
        """Drops what is cached of sums and open holds and reads the grants again."""
        self.open.clear()
        self.funds.clear()
        for fund in self.grants():
            self.granted(fund)

    # The acts.

    def _atomic(self, work: Callable[[], T]) -> T:
        try:
            self.begin(write=True)
            result = work()
            if self.rows or self.made or self.gone:
                self.keep()
            else:
                self.leave()
        except BaseException:
            self._undo()
            raise
        self._clear()
        return result

    def _undo(self) -> None:
        self.next_seq -= len(self.rows)
        for hold, _ in self.gone.values():
            hold.state, hold.end_seq, hold.end_rows = "held", 0, 0
        self._clear()
        self.leave()
        self.forget()

    def _clear(self) -> None:
        self.rows, self.made, self.gone = [], [], {}

    def _reading(self, work: Callable[[], T]) -> T:
        try:
            self.begin(write=False)
            return work()
        finally:
            self.leave()

    def _append(self, at_ns: int, kind: EntryKind, id: str, moved: Iterable[Booking], note: str = "") -> int:
        """Entries for what moves, here and in the sums; gives the place of the first."""
        first = seq = self.next_seq
        rows, funds, charges = self.rows, self.funds, kind in CHARGING
        for fund, bucket, available, held, spent in moved:
            rows.append((seq, at_ns, kind, id, fund, bucket, available, held, spent, note))
            seq += 1
            funds[fund].apply(bucket, held, spent, -available if charges and available < 0 else 0)
        self.next_seq = seq
        return first

    def _grant(self, funds: Sequence[LedgerFund], at_ns: int) -> None:
        check_funds(funds, self.funds)
        for fund in funds:
            known = self.funds.get(fund.name)
            if known is None or known.fund != fund:
                self.granted(fund)
                self._append(at_ns, "grant", "", [(fund.name, fund.window.span(at_ns).bucket, 0, 0, 0)], terms(fund))

    def _known(self, id: str) -> Hold | None:
        if id in self.gone:
            return self.gone[id][0]
        return self.open.get(id) or self.find(id)

    def _hold(self, ask: Ask, at_ns: int) -> Held | Refused:
        if ask.id in self.open:
            return Held(ask.id, self.open[ask.id].option, self.open[ask.id].lines, repeated=True)
        funds = self.funds
        answer = choose(ask, funds, at_ns)
        if isinstance(answer, Refused):
            return self._repeated(ask) or answer
        legs = tuple([(line.fund, funds[line.fund].bucket, line.amount) for line in answer.lines])
        first = self._append(at_ns, "hold", ask.id, [(fund, b, -amount, amount, 0) for fund, b, amount in legs])
        hold = Hold(ask.id, at_ns, answer.option, ask.expires_ns, ask.owner, legs, first)
        self.made.append(hold)
        self.open[ask.id] = hold
        return answer

    def _repeated(self, ask: Ask) -> Held | None:
        known = self._known(ask.id)
        return None if known is None else Held(ask.id, known.option, known.lines, repeated=True)

    def _end(self, ending: Ending, at_ns: int) -> Ended | NotEnded:
        amounts = used(ending, self.funds)
        hold = self._known(ending.id)
        if hold is None:
            return NotEnded(ending.id, "unknown")
        if (hold.state, ending.kind) in TABLE:
            return self._book(hold, ending.kind, amounts, at_ns)
        before = ended(ending.id, ending.kind, self._moved(hold), repeated=True)
        return before if is_same(hold, ending.kind, amounts, before) else NotEnded(ending.id, "conflict")

    def _expire(self, hold: Hold, at_ns: int, charge: bool) -> Ended:
        amounts = {fund: amount for fund, _, amount in hold.legs} if charge else {}
        return self._book(hold, "expire", amounts, at_ns)

    def _book(self, hold: Hold, kind: EndKind, amounts: dict[str, int], at_ns: int) -> Ended:
        moved = bookings(hold, amounts, self.funds)
        hold.end_seq, hold.end_rows = self._append(at_ns, kind, hold.id, moved), len(moved)
        hold.state = TABLE["held", kind]
        self.open.pop(hold.id, None)
        self.gone[hold.id] = hold, moved
        return ended(hold.id, kind, moved)

    def _moved(self, hold: Hold) -> list[Booking]:
        """What the ending of a hold moved."""
        if hold.id in self.gone:
            return self.gone[hold.id][1]
        last = hold.end_seq + hold.end_rows
        return [(r[4], r[5], r[6], r[7], r[8]) for r in self.stored(hold.id) if hold.end_seq <= r[0] < last]

    def _correct(self, id: str, fund: str, amount: int, reason: str, at_ns: int) -> Corrected:
        if not id or not reason or amount == 0 or abs(amount) > MOST or fund not in self.funds:
            raise InputError(
                "a correction needs an id, a fund of this ledger, an amount other than zero and a reason",
                place=f"correction {id!r}",
                remedy="give all four; `pointsman ledger balances` lists the funds",
            )
        for row in self.stored(id):
            if row[2] != "correct" or (row[4], row[8], row[9]) != (fund, amount, reason):
                raise InputError(
                    "this id is in the ledger with something else", place=f"correction {id!r}", remedy="take a new id"
                )
            return Corrected(id, fund, amount, repeated=True)
        totals = self.funds[fund]
        totals.turn(at_ns)
        self._append(at_ns, "correct", id, [(fund, totals.bucket, -amount, 0, amount)], reason)
        return Corrected(id, fund, amount)

    def _shown(self) -> list[str]:
        return list(self.funds) if self._declared is None else self._declared

    def _audit(self) -> Audit:
        entries = starmap(Entry, self.stored(None))
        return audited(entries, self.records(), self.sums(), self._cached(), self.flaws())

    def _cached(self) -> Iterator[Sums]:
        for name, totals in self.funds.items():
            for bucket, (held, spent, overrun) in totals.kept():
                yield name, bucket, held, spent, overrun
