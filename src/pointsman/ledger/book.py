"""What every store of the ledger can do, and the error for when it can't.

A book is used by one thread at a time; several books may share one store, and then stay exact together. Every call is
one atomic act: what it answers is booked as a whole, and where it raises nothing is booked. No book reads a clock:
`at_ns` is handed in, and may run backwards (then what later instants booked counts as well).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from pointsman.ledger.entries import (
    Ask,
    Audit,
    Balance,
    Corrected,
    Ended,
    Ending,
    Entry,
    Held,
    LedgerFund,
    NotEnded,
    OpenHold,
    Refused,
)


class BookUnavailableError(Exception):
    """The store can't be used now: locked for too long, disk full, or closed. Nothing was booked; try again later."""


class Book(Protocol):
    """A double-entry ledger of what may be spent, what is set aside, and what was spent."""

    def declare(self, funds: Sequence[LedgerFund], at_ns: int) -> None:
        """Makes these the funds in force.

        A fund that is new, or whose amount or window changed, gets a grant entry; the latest grant holds for every
        book on the same store. Funds that aren't named any more keep their entries and their last grant (other books
        may still use them); they are no longer among this book's `balances`.

        Raises:
            InputError: a name twice or empty, an amount that is negative or too large, a unit other than before.
        """
        ...

    def hold(self, asks: Sequence[Ask], at_ns: int) -> list[Held | Refused]:
        """Holds, for each ask in turn, its first option that all its funds can pay; one atomic act.

        Raises:
            InputError: a fund that was never granted, a negative amount, a fund twice in an option, no option, no id.
        """
        ...

    def end(self, endings: Sequence[Ending], at_ns: int) -> list[Ended | NotEnded]:
        """Ends holds. What was used is booked in full, above the hold or on further funds too.

        Raises:
            InputError: as for `hold`; or a void with lines.
        """
        ...

    def expire(self, at_ns: int, *, owners: Collection[str] | None = None, charge: bool) -> list[Ended]:
        """Ends the holds whose time has come, or all holds of `owners`; `charge` books them as spent."""
        ...

    def balances(self, at_ns: int) -> list[Balance]:
        """The funds in force, in the order they were declared; every granted fund where none was declared here."""
        ...

    def open_holds(self) -> list[OpenHold]:
        """Holds that have not ended, the first to expire first."""
        ...

    def entries(
        self, *, fund: str | None = None, hold: str | None = None, since_ns: int | None = None
    ) -> Iterator[Entry]:
        """Entries in order, of one fund, of one hold (or correction), and from an instant on."""
        ...

    def correct(self, id: str, fund: str, amount: int, reason: str, at_ns: int) -> Corrected:
        """Books `amount` more (or less) as spent, in the window of now. The same again books nothing.

        Raises:
            InputError: an unknown fund, an empty id or reason, an amount of zero, an id used for something else.
        """
        ...

    def audit(self) -> Audit:
        """Folds all entries and compares: legs sum to zero, cached totals and open holds equal their folds."""
        ...

    def close(self) -> None:
        """Frees what the book has open. Holds stay as they are."""
        ...
