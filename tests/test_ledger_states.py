"""Random lives of a ledger: a book in memory, and two on one file, agree with an oracle that folds everything anew."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ledger_conformance import T0, S, ask, lines, passes_audit
from pointsman.ledger.book import Book
from pointsman.ledger.entries import Ended, Ending, Held, LedgerFund, Line, NotEnded, Refused
from pointsman.ledger.memory import MemoryBook
from pointsman.ledger.sqlite import SqliteBook
from pointsman.ledger.transitions import EndKind
from pointsman.ledger.window import Window

WINDOWS = {
    "ever": Window(),
    "minute": Window("rolling", length_s=60),
    "day": Window("calendar", every="day"),
}
KINDS: tuple[EndKind, ...] = ("post", "void", "expire")


@dataclass
class Life:
    """What the oracle knows of a hold."""

    at_ns: int
    option: int
    amounts: dict[str, int]
    expires_ns: int
    owner: str
    ended: EndKind | None = None
    spent: dict[str, int] = field(default_factory=dict)


def counts(fund: str, made_ns: int, now_ns: int) -> bool:
    """Whether what was made at an instant lies in the fund's window of now, in the plainest words."""
    if fund == "ever":
        return True
    if fund == "minute":
        return made_ns // S >= now_ns // S - 60
    return datetime.fromtimestamp(made_ns // S, UTC).date() >= datetime.fromtimestamp(now_ns // S, UTC).date()


class Oracle:
    """Nothing but a list of what happened; every question is answered by going through all of it."""

    def __init__(self) -> None:
        self.amounts = dict.fromkeys(WINDOWS, 0)
        self.lives: dict[str, Life] = {}
        self.corrections: list[tuple[str, int, int]] = []

    def held(self, fund: str, now: int) -> int:
        """What open holds burden the fund with."""
        return sum(
            life.amounts.get(fund, 0)
            for life in self.lives.values()
            if life.ended is None and (fund != "day" or counts(fund, life.at_ns, now))
        )

    def spent(self, fund: str, now: int) -> int:
        """What was spent in the window."""
        posted = sum(life.spent.get(fund, 0) for life in self.lives.values() if counts(fund, life.at_ns, now))
        return posted + sum(a for f, at, a in self.corrections if f == fund and counts(fund, at, now))

    def left(self, fund: str, now: int) -> int:
        """What is left, below zero after an overrun."""
        return self.amounts[fund] - self.held(fund, now) - self.spent(fund, now)

    def hold(self, id: str, options: list[dict[str, int]], expires_ns: int, owner: str, now: int) -> Held | Refused:
        """What a book must answer, but for the time to retry."""
        if id in self.lives:
            life = self.lives[id]
            return Held(id, life.option, lines(life.amounts), repeated=True)
        for index, option in enumerate(options):
            if all(amount == 0 or amount <= self.left(fund, now) for fund, amount in option.items()):
                self.lives[id] = Life(now, index, option, expires_ns, owner)
                return Held(id, index, lines(option))
        short = next(f for f, amount in options[0].items() if amount > 0 and amount > self.left(f, now))
        return Refused(id, short, None)

    def end(self, ending: Ending) -> Ended | NotEnded:
        """What a book must answer."""
        life = self.lives.get(ending.id)
        if life is None:
            return NotEnded(ending.id, "unknown")
        used = {line.fund: line.amount for line in ending.lines if line.amount}
        repeated = life.ended is not None
        if repeated and (life.ended, life.spent) != (ending.kind, used):
            return NotEnded(ending.id, "conflict")
        life.ended, life.spent = ending.kind, used
        order = [f for f in life.amounts if f in used] + [f for f in used if f not in life.amounts]
        over = {f: used[f] - life.amounts.get(f, 0) for f in order}
        overruns = lines({f: o for f, o in over.items() if o > 0})
        return Ended(ending.id, ending.kind, lines({f: used[f] for f in order}), overruns, repeated)


amounts = st.dictionaries(st.sampled_from(list(WINDOWS)), st.integers(0, 7), max_size=3)


class Ledgers(RuleBasedStateMachine):
    """The books, the oracle, and a clock that anyone can turn."""

    @initialize(caps=st.tuples(*[st.integers(0, 20)] * 3))
    def begin(self, caps: tuple[int, ...]) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "ledger.sqlite"
        self.files = [SqliteBook(path), SqliteBook(path)]
        self.memory: Book = MemoryBook()
        self.oracle, self.now, self.turns, self.new = Oracle(), T0, 0, 0
        self.declare(caps)

    def both(self, act: Any) -> Any:
        """Lets the book in memory and one of those on the file act; their answers are the same."""
        self.turns += 1
        told = act(self.memory)
        assert act(self.files[self.turns % 2]) == told
        return told

    @rule(caps=st.tuples(*[st.integers(0, 20)] * 3))
    def declare(self, caps: tuple[int, ...]) -> None:
        funds = [LedgerFund(name, cap, "tokens", WINDOWS[name]) for name, cap in zip(WINDOWS, caps, strict=True)]
        for book in (self.memory, *self.files):
            book.declare(funds, self.now)
        self.oracle.amounts = dict(zip(WINDOWS, caps, strict=True))

    @rule(seconds=st.sampled_from([0, 1, 7, 30, 59, 61, 3_600, 43_200, -1, -40, -100_000]))
    def turn(self, seconds: int) -> None:
        self.now += seconds * S

    @rule(
        wanted=st.lists(st.lists(amounts, min_size=1, max_size=3), min_size=1, max_size=4),
        again=st.integers(0, 5),
        lasts=st.integers(0, 100),
        owner=st.sampled_from("xy"),
    )
    def hold(self, wanted: list[list[dict[str, int]]], again: int, lasts: int, owner: str) -> None:
        ids = [f"h{max(0, self.new - again)}", *(f"h{self.new + i + 1}" for i in range(1, len(wanted)))]
        self.new += len(wanted)
        expires = self.now + lasts * S
        asks = [ask(i, *options, expires_ns=expires, owner=owner) for i, options in zip(ids, wanted, strict=True)]
        told = self.both(lambda book: book.hold(asks, self.now))
        for answer, id, options in zip(told, ids, wanted, strict=True):
            expected = self.oracle.hold(id, options, expires, owner, self.now)
            if isinstance(answer, Refused):
                self.check_retry(answer, options[0][answer.fund])
                assert Refused(answer.id, answer.fund, None) == expected
            else:
                assert answer == expected

    def check_retry(self, answer: Refused, needed: int) -> None:
        """There is room at that time if all holds are used in full and nobody else comes; None where never."""
        fund, at = answer.fund, answer.retry_ns
        if fund == "ever" or needed > self.oracle.amounts[fund]:
            assert at is None
            return
        assert at is not None
        assert at > self.now
        used = sum(a for f, made, a in self.oracle.corrections if f == fund and counts(fund, made, at))
        for life in self.oracle.lives.values():
            if counts(fund, life.at_ns, at):
                used += life.spent.get(fund, 0) if life.ended else life.amounts.get(fund, 0)
        later = any(life.at_ns > self.now for life in self.oracle.lives.values())
        assert later or any(a < 0 for _, _, a in self.oracle.corrections) or needed + used <= self.oracle.amounts[fund]

    @rule(back=st.lists(st.integers(0, 8), min_size=1, max_size=4), kind=st.sampled_from(KINDS), used=amounts)
    def end(self, back: list[int], kind: EndKind, used: dict[str, int]) -> None:
        endings = [Ending(f"h{max(0, self.new - i)}", kind, () if kind == "void" else lines(used)) for i in back]
        told = self.both(lambda book: book.end(endings, self.now))
        assert [sort(t) for t in told] == [sort(self.oracle.end(e)) for e in endings]

    @rule(charge=st.booleans(), owners=st.sampled_from([None, ("x",), ("x", "y"), ()]))
    def expire(self, charge: bool, owners: tuple[str, ...] | None) -> None:
        told = self.both(lambda book: book.expire(self.now, owners=owners, charge=charge))
        due = [
            id
            for id, life in self.oracle.lives.items()
            if life.ended is None and (life.expires_ns <= self.now if owners is None else life.owner in owners)
        ]
        expected = [
            self.oracle.end(Ending(id, "expire", lines(self.oracle.lives[id].amounts) if charge else ())) for id in due
        ]
        assert sorted(map(sort, told), key=str) == sorted(map(sort, expected), key=str)

    @rule(fund=st.sampled_from(list(WINDOWS)), amount=st.integers(-3, 3).filter(bool))
    def correct(self, fund: str, amount: int) -> None:
        id = f"c{len(self.oracle.corrections)}"
        told = self.both(lambda book: book.correct(id, fund, amount, "why", self.now))
        assert not told.repeated
        self.oracle.corrections.append((fund, self.now, amount))

    @rule()
    def reopen(self) -> None:
        self.files[0].checkpoint()
        self.files[0].close()
        self.files[0] = SqliteBook(self.files[1].path)
        self.files.reverse()

    @invariant()
    def books_are_right(self) -> None:
        """Balances are the oracle's, and all audits are fine."""
        for book in (self.memory, *self.files):
            for b in book.balances(self.now):
                held, spent = self.oracle.held(b.fund, self.now), self.oracle.spent(b.fund, self.now)
                assert (b.held, b.spent) == (held, spent)
                assert b.remaining == max(0, self.oracle.left(b.fund, self.now))
            passes_audit(book)
        mine = list(self.memory.entries())
        assert mine == list(self.files[0].entries())
        assert {h.id for h in self.files[0].open_holds()} == {i for i, x in self.oracle.lives.items() if not x.ended}

    def teardown(self) -> None:
        """Closes the files."""
        for book in getattr(self, "files", ()):
            book.close()
        if hasattr(self, "folder"):
            self.folder.cleanup()


def sort(told: Ended | NotEnded) -> Any:
    """An answer with its lines in one order."""
    if isinstance(told, NotEnded):
        return told
    by_fund = [tuple(sorted(part, key=fund_name)) for part in (told.lines, told.overruns)]
    return Ended(told.id, told.kind, by_fund[0], by_fund[1], told.repeated)


def fund_name(line: Line) -> str:
    """What lines are sorted by."""
    return line.fund


Ledgers.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLedgers = Ledgers.TestCase
