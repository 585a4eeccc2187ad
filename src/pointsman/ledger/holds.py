"""What a hold and its ending come to, in entries: pure rules, shared by every store that runs them in Python."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from pointsman.errors import InputError
from pointsman.ledger.entries import Ask, Ended, Ending, EntryKind, Held, LedgerFund, Line, OpenHold, Refused
from pointsman.ledger.totals import FundTotals
from pointsman.ledger.transitions import TABLE, EndKind, State
from pointsman.ledger.window import parse_window
from pointsman.records import UNITS, Unit

Row = tuple[int, int, EntryKind, str, str, int, int, int, int, str]
"""An `Entry` as a plain tuple, in the order of its fields."""
Leg = tuple[str, int, int]
"""Fund, bucket, amount held."""
Booking = tuple[str, int, int, int, int]
"""Fund, bucket, and what moves: available, held, spent."""

CHARGING: frozenset[EntryKind] = frozenset({"post", "expire"})
"""Entries that may take more than was held."""
MOST = 1 << 60
"""The largest amount of one line or fund; sums of these stay far inside 64 bits in any use that makes sense."""


@dataclass(slots=True)
class Hold:
    """A hold as a store keeps it: the ask, what was held for it, and where its entries are."""

    id: str
    at_ns: int
    option: int
    expires_ns: int
    owner: str
    legs: tuple[Leg, ...]
    first_seq: int
    state: State = "held"
    end_seq: int = 0
    end_rows: int = 0

    @property
    def lines(self) -> tuple[Line, ...]:
        """What was held."""
        return tuple(Line(fund, amount) for fund, _, amount in self.legs)

    def opened(self) -> OpenHold:
        """For those who list open holds."""
        return OpenHold(self.id, self.at_ns, self.option, self.expires_ns, self.owner, self.lines)


def choose(ask: Ask, funds: Mapping[str, FundTotals], at_ns: int) -> Held | Refused:
    """The first option that all its funds can pay now.

    Raises:
        InputError: as `Book.hold` says.
    """
    if not ask.id or not ask.options:
        raise InputError("an ask has no option or no id", place=f"ask {ask.id!r}", remedy="give both")
    refused: Refused | None = None
    for index, option in enumerate(ask.options):
        short = _short(option.lines, funds, at_ns)
        if short is None:
            return Held(ask.id, index, option.lines)
        if refused is None:
            refused = Refused(ask.id, short.fund, funds[short.fund].retry_ns(short.amount))
    assert refused is not None  # noqa: S101 - there was an option, and it was short
    return refused


def _short(lines: tuple[Line, ...], funds: Mapping[str, FundTotals], at_ns: int) -> Line | None:
    """The first line that its fund can't pay."""
    if len(lines) > 1 and len({line.fund for line in lines}) < len(lines):
        raise InputError("an option names a fund twice", place=lines[0].fund, remedy="add the amounts up")
    short = None
    for line in lines:
        totals, amount = granted(line, funds), line.amount
        totals.turn(at_ns)
        if amount and short is None and amount > totals.fund.amount - totals.held - totals.spent:
            short = line
    return short


def granted(line: Line, funds: Mapping[str, FundTotals]) -> FundTotals:
    """The fund of a line.

    Raises:
        InputError: it was never granted, or the amount isn't one.
    """
    totals = funds.get(line.fund)
    if totals is None:
        raise InputError("no such fund was ever granted", place=f"fund {line.fund!r}", remedy="declare it first")
    if not 0 <= line.amount <= MOST:
        raise InputError(f"{line.amount} is no amount", place=f"fund {line.fund!r}", remedy="give 0 or more")
    return totals


def used(ending: Ending, funds: Mapping[str, FundTotals]) -> dict[str, int]:
    """What an ending says was used, by fund.

    Raises:
        InputError: as `Book.end` says.
    """
    if not ending.lines:
        return {}
    for line in ending.lines:
        granted(line, funds)
    amounts = {line.fund: line.amount for line in ending.lines}
    if ending.kind == "void" or len(amounts) < len(ending.lines):
        raise InputError(
            "a void has lines, or a fund is named twice", place=f"ending {ending.id!r}", remedy="post what was used"
        )
    return amounts


def bookings(hold: Hold, amounts: Mapping[str, int], funds: Mapping[str, FundTotals]) -> list[Booking]:
    """What ending a hold moves. What was used of a fund that nothing was held of comes after the hold's own funds."""
    moved = []
    for fund, bucket, amount in hold.legs:
        spent = amounts.get(fund, 0)
        moved.append((fund, bucket, amount - spent, -amount, spent))
    if amounts:
        held = {fund for fund, _, _ in hold.legs}
        for fund, spent in amounts.items():
            if fund not in held and spent:
                moved.append((fund, funds[fund].fund.window.span(hold.at_ns).bucket, -spent, 0, spent))
    return moved


def ended(id: str, kind: EndKind, moved: Iterable[Booking], *, repeated: bool = False) -> Ended:
    """What the bookings of an ending say."""
    lines, overruns = [], []
    for fund, _, available, _, spent in moved:
        if spent:
            lines.append(Line(fund, spent))
            if available < 0:
                overruns.append(Line(fund, -available))
    return Ended(id, kind, tuple(lines), tuple(overruns), repeated)


def overrun_of(kind: EntryKind, available: int) -> int:
    """What an entry took beyond its hold."""
    return -available if available < 0 and kind in CHARGING else 0


def is_same(hold: Hold, kind: EndKind, amounts: Mapping[str, int], before: Ended) -> bool:
    """Whether a hold ended in just this way."""
    spent = {fund: amount for fund, amount in amounts.items() if amount}
    return hold.state == TABLE["held", kind] and spent == {line.fund: line.amount for line in before.lines}


def check_funds(funds: Iterable[LedgerFund], before: Mapping[str, FundTotals]) -> None:
    """Refuses what can't be declared."""
    seen: set[str] = set()
    for fund in funds:
        what = _objection(fund, seen, before)
        if what:
            raise InputError(what, place=f"fund {fund.name!r}", remedy="give it another name, or mend it")
        seen.add(fund.name)


def _objection(fund: LedgerFund, seen: set[str], before: Mapping[str, FundTotals]) -> str:
    if not fund.name or fund.name in seen:
        return "a fund's name is empty or given twice"
    if not 0 <= fund.amount <= MOST:
        return f"amount {fund.amount} is below zero or too large"
    if fund.unit not in UNITS:
        return f"unit {fund.unit!r} is unknown"
    known = before.get(fund.name)
    if known is not None and known.fund.unit != fund.unit:
        return f"its entries are in {known.fund.unit}, so it can't be in {fund.unit} now"
    return ""


def terms(fund: LedgerFund) -> str:
    """A fund as the note of its grant."""
    return json.dumps({"amount": fund.amount, "unit": fund.unit, "window": str(fund.window)})


def fund_of(name: str, note: str) -> LedgerFund:
    """A fund from the note of its grant."""
    said = json.loads(note)
    return LedgerFund(name, said["amount"], cast(Unit, said["unit"]), parse_window(said["window"]))
