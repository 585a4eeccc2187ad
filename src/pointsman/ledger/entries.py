"""What goes into a ledger and what comes out: frozen values in whole units, without logic.

Amounts are integers in the unit of their fund (nano-dollars, tokens or requests), instants Unix nanoseconds. Nothing
here is ever a float. What a book does with these values is said in `book`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pointsman.ledger.transitions import EndKind, State
from pointsman.ledger.window import ALWAYS, Window
from pointsman.records import Unit

EntryKind = Literal["grant", "hold", "post", "void", "expire", "correct"]


@dataclass(frozen=True, slots=True)
class LedgerFund:
    """A fund that is in force: `amount` may be held and spent within `window`. Zero means closed."""

    name: str
    amount: int
    unit: Unit = "usd"
    window: Window = ALWAYS


@dataclass(frozen=True, slots=True)
class Line:
    """So many units of one fund, at least zero."""

    fund: str
    amount: int


@dataclass(frozen=True, slots=True)
class Option:
    """One way to serve a query, and what has to be held for it; each fund is named once. `key` is the model's id."""

    key: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """Please hold the first of these options that all of its funds can pay.

    Attributes:
        id: the caller's, unique for ever; asking again with it holds nothing twice. Ids that grow with time keep the
            file's index compact.
        options: at least one, the best first; one without lines can always be paid.
        expires_ns: from when on `expire` may end the hold, if nobody did.
        owner: who has to end it, for example a worker process; `expire` can end all that a crashed owner left.
    """

    id: str
    options: Sequence[Option]
    expires_ns: int
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """The money is set aside. `option` is an index into the ask's options; `repeated` if it was before this call."""

    id: str
    option: int
    lines: tuple[Line, ...]
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """No option can be paid; nothing is held, and the same id may ask again.

    Attributes:
        id: of the ask.
        fund: the first fund that was short for the first option.
        retry_ns: when time alone may have made room in it; None where time won't.
    """

    id: str
    fund: str
    retry_ns: int | None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a hold ends.

    Attributes:
        id: of the ask.
        kind: "post" (used), "void" (not used) or "expire" (nobody knows).
        lines: what was really used; a fund that isn't named used nothing. Empty for a void.
    """

    id: str
    kind: EndKind
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """The hold has ended.

    Attributes:
        id: of the ask.
        kind: as it ended.
        lines: what was booked as spent; funds with nothing booked are left out.
        overruns: what of this was above the hold.
        repeated: it had ended in just this way before this call.
    """

    id: str
    kind: EndKind
    lines: tuple[Line, ...]
    overruns: tuple[Line, ...] = ()
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class NotEnded:
    """Nothing was booked: no hold has this id ("unknown"), or it ended before in another way ("conflict")."""

    id: str
    why: Literal["unknown", "conflict"]


@dataclass(frozen=True, slots=True)
class Balance:
    """Where a fund stands in the window that is in force.

    Attributes:
        fund, unit, amount: as declared.
        held: in open holds. Those made in an earlier calendar period don't count, those of a rolling window do.
        spent: posts, charged expiries and corrections of the holds made in the window.
        remaining: what can be held now, never below zero.
        overrun: what receipts of the window came to above their holds; part of `spent`.
        resets_ns: when nothing that counts now will count any more; None for never, and where nothing counts in a
            rolling window.
    """

    fund: str
    unit: Unit
    amount: int
    held: int
    spent: int
    remaining: int
    overrun: int
    resets_ns: int | None


@dataclass(frozen=True, slots=True)
class OpenHold:
    """A hold that nobody has ended yet."""

    id: str
    at_ns: int
    option: int
    expires_ns: int
    owner: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger, never changed after it was written.

    Attributes:
        seq: its place, growing without gaps from 1.
        at_ns: when, as the caller said.
        kind: what happened.
        id: of the hold or of the correction; empty for a grant.
        fund: whose.
        bucket: the stretch of the fund's window it belongs to, by the instant this began; 0 without a window.
        available, held, spent: what moved; the three sum to zero.
        note: a grant's terms, a correction's reason.
    """

    seq: int
    at_ns: int
    kind: EntryKind
    id: str
    fund: str
    bucket: int
    available: int
    held: int
    spent: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Corrected:
    """A correction is in the ledger; `repeated` if it was before this call."""

    id: str
    fund: str
    amount: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class HoldRecord:
    """What a store remembers of a hold besides its entries, for the audit: its state, and how many entries it has.

    `made` and `ended` count entries; a hold of nothing has none for its making, and perhaps some for its ending.
    """

    id: str
    state: State
    made: int
    ended: int


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found.

    Attributes:
        ok: there are no problems.
        problems: one sentence each, the first hundred.
        counts: entries, holds, open, posted, voided, expired, corrections, grants, overruns.
        overruns: what came above holds, by fund, over all time. Not a problem, but worth knowing.
    """

    ok: bool
    problems: tuple[str, ...]
    counts: Mapping[str, int]
    overruns: tuple[Line, ...] = ()
