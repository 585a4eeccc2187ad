"""What any `Book` must do, whatever it keeps its entries in.

Each function takes a new, empty book and checks one claim; `CLAIMS` lists them. A store that passes all of them can
stand in for another.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pointsman.errors import InputError
from pointsman.ledger.book import Book
from pointsman.ledger.entries import Ask, Ended, Ending, Held, LedgerFund, Line, NotEnded, Option, Refused
from pointsman.ledger.transitions import EndKind
from pointsman.ledger.window import Window

S = 1_000_000_000
T0 = 1_700_000_000 * S
LATER = T0 + 1_000 * S


def ask(id: str, *options: dict[str, int], expires_ns: int = LATER, owner: str = "") -> Ask:
    """An ask whose options hold these amounts of these funds."""
    made = tuple(Option(f"m{i}", lines(o)) for i, o in enumerate(options))
    return Ask(id, made, expires_ns, owner)


def lines(amounts: dict[str, int]) -> tuple[Line, ...]:
    """Lines of these amounts."""
    return tuple(Line(fund, amount) for fund, amount in amounts.items())


def ending(id: str, kind: EndKind, **amounts: int) -> Ending:
    """An ending that used these amounts."""
    return Ending(id, kind, lines(amounts))


def standing(book: Book, fund: str, at_ns: int = T0) -> tuple[int, int, int, int]:
    """Held, spent, remaining and overrun of a fund."""
    balance = next(b for b in book.balances(at_ns) if b.fund == fund)
    return balance.held, balance.spent, balance.remaining, balance.overrun


def passes_audit(book: Book) -> None:
    """The audit finds nothing."""
    found = book.audit()
    assert found.ok, found.problems


def a_day_by_hand(book: Book) -> None:
    """Ten units: hold 4 and 4, use 3 of the first and 5 of the second, whose overrun of 1 is told; 2 remain."""
    book.declare([LedgerFund("f", 10)], T0)
    assert book.hold([ask("a", {"f": 4}), ask("b", {"f": 4})], T0) == [
        Held("a", 0, lines({"f": 4})),
        Held("b", 0, lines({"f": 4})),
    ]
    assert standing(book, "f") == (8, 0, 2, 0)
    assert book.hold([ask("c", {"f": 3})], T0) == [Refused("c", "f", None)]
    assert book.end([ending("a", "post", f=3), ending("b", "post", f=5)], T0) == [
        Ended("a", "post", lines({"f": 3})),
        Ended("b", "post", lines({"f": 5}), lines({"f": 1})),
    ]
    assert standing(book, "f") == (0, 8, 2, 1)
    assert [(e.kind, e.available, e.held, e.spent) for e in book.entries(hold="b")] == [
        ("hold", -4, 4, 0),
        ("post", -1, -4, 5),
    ]
    passes_audit(book)


def first_payable_option(book: Book) -> None:
    """The first option that all its funds can pay is held; a refusal names what the first option lacked."""
    book.declare([LedgerFund("f", 10), LedgerFund("g", 5, "tokens")], T0)
    assert book.hold([ask("a", {"f": 1, "g": 6}, {"f": 2, "g": 5})], T0) == [Held("a", 1, lines({"f": 2, "g": 5}))]
    assert book.hold([ask("b", {"f": 1, "g": 1}, {"f": 9})], T0) == [Refused("b", "g", None)]
    assert standing(book, "f") == (2, 0, 8, 0)
    assert book.hold([ask("c", {"f": 99}, {})], T0) == [Held("c", 1, ())]
    passes_audit(book)


def nothing_is_always_payable(book: Book) -> None:
    """A line of zero can be paid from a closed or overdrawn fund, and an option without lines from none."""
    book.declare([LedgerFund("f", 0)], T0)
    assert book.hold([ask("a", {"f": 0}), ask("b", {}), ask("c", {"f": 1})], T0) == [
        Held("a", 0, lines({"f": 0})),
        Held("b", 0, ()),
        Refused("c", "f", None),
    ]
    assert book.end([ending("a", "post", f=7), ending("b", "post")], T0) == [
        Ended("a", "post", lines({"f": 7}), lines({"f": 7})),
        Ended("b", "post", ()),
    ]
    assert book.hold([ask("d", {"f": 0})], T0) == [Held("d", 0, lines({"f": 0}))]
    passes_audit(book)


def asking_again(book: Book) -> None:
    """The same ask holds once, in one call, in a later one, when there is no more money, and after its end."""
    book.declare([LedgerFund("f", 4)], T0)
    a, again = ask("a", {"f": 9}, {"f": 4}), Held("a", 1, lines({"f": 4}), repeated=True)
    assert book.hold([a, a], T0) == [Held("a", 1, lines({"f": 4})), again]
    assert book.hold([ask("b", {"f": 1}), a], T0) == [Refused("b", "f", None), again]
    book.end([ending("a", "post", f=1)], T0)
    assert book.hold([ask("b", {"f": 1}), a], T0) == [Held("b", 0, lines({"f": 1})), again]
    assert standing(book, "f") == (1, 1, 2, 0)
    passes_audit(book)


def ending_again(book: Book) -> None:
    """The same ending is told again, another one is a conflict, and an unknown hold is unknown."""
    book.declare([LedgerFund("f", 9)], T0)
    book.hold([ask("a", {"f": 4}), ask("b", {"f": 4})], T0)
    post = ending("a", "post", f=5)
    told = Ended("a", "post", lines({"f": 5}), lines({"f": 1}))
    again = Ended("a", "post", lines({"f": 5}), lines({"f": 1}), repeated=True)
    assert book.end([post, post, ending("a", "void")], T0) == [told, again, NotEnded("a", "conflict")]
    assert book.end([post, ending("a", "post", f=4), ending("x", "void")], T0) == [
        again,
        NotEnded("a", "conflict"),
        NotEnded("x", "unknown"),
    ]
    assert book.end([ending("b", "void")], T0) == [Ended("b", "void", ())]
    assert book.end([ending("b", "void")], T0) == [Ended("b", "void", (), repeated=True)]
    assert book.end([ending("b", "post")], T0) == [NotEnded("b", "conflict")]
    passes_audit(book)


def expiry(book: Book) -> None:
    """Holds past their time end, charged or released, and so do all holds of an owner who crashed."""
    book.declare([LedgerFund("f", 10)], T0)
    book.hold([ask("a", {"f": 1}, expires_ns=T0 + 5), ask("b", {"f": 2}, expires_ns=T0 + 9)], T0)
    assert book.expire(T0 + 4, charge=True) == []
    assert book.expire(T0 + 5, charge=True) == [Ended("a", "expire", lines({"f": 1}))]
    assert book.expire(T0 + 99, charge=False) == [Ended("b", "expire", ())]
    assert standing(book, "f") == (0, 1, 9, 0)
    book.hold([ask("c", {"f": 1}, owner="x"), ask("d", {"f": 1}, owner="y"), ask("e", {}, owner="x")], T0)
    assert {e.id for e in book.expire(T0, owners={"x"}, charge=True)} == {"c", "e"}
    assert book.expire(T0, owners=(), charge=True) == []
    assert [h.id for h in book.open_holds()] == ["d"]
    assert book.end([ending("a", "post", f=1), ending("a", "expire", f=1)], T0) == [
        NotEnded("a", "conflict"),
        Ended("a", "expire", lines({"f": 1}), repeated=True),
    ]
    passes_audit(book)


def used_elsewhere(book: Book) -> None:
    """What was used of a fund that nothing was held of is booked too, as an overrun."""
    book.declare([LedgerFund("f", 10), LedgerFund("g", 10)], T0)
    book.hold([ask("a", {"f": 3})], T0)
    assert book.end([ending("a", "post", g=2, f=1)], T0) == [
        Ended("a", "post", lines({"f": 1, "g": 2}), lines({"g": 2}))
    ]
    assert standing(book, "f") == (0, 1, 9, 0)
    assert standing(book, "g") == (0, 2, 8, 2)
    book.hold([ask("b", {"f": 1})], T0)
    book.end([ending("b", "post", g=0, f=1)], T0)
    assert [(e.kind, e.fund) for e in book.entries(hold="b")] == [("hold", "f"), ("post", "f")]
    passes_audit(book)


def new_terms(book: Book) -> None:
    """A changed amount is a grant entry and counts at once; the same terms again are none; units stay."""
    book.declare([LedgerFund("f", 5), LedgerFund("g", 1)], T0)
    book.hold([ask("a", {"f": 4})], T0)
    book.declare([LedgerFund("f", 6)], T0)
    book.declare([LedgerFund("f", 6)], T0)
    assert [b.fund for b in book.balances(T0)] == ["f"]
    assert [e.fund for e in book.entries() if e.kind == "grant"] == ["f", "g", "f"]
    assert standing(book, "f") == (4, 0, 2, 0)
    book.declare([LedgerFund("f", 2)], T0)
    assert standing(book, "f") == (4, 0, 0, 0)
    with pytest.raises(InputError, match="usd"):
        book.declare([LedgerFund("f", 2, "tokens")], T0)
    assert book.hold([ask("b", {"f": 1}), ask("c", {"g": 1})], T0) == [
        Refused("b", "f", None),
        Held("c", 0, lines({"g": 1})),
    ]
    passes_audit(book)


def a_new_window(book: Book) -> None:
    """A fund whose window changes keeps counting what lies in the new one."""
    day = Window("calendar", every="day")
    book.declare([LedgerFund("f", 10, window=day)], T0)
    book.hold([ask("a", {"f": 4})], T0)
    book.end([ending("a", "post", f=4)], T0)
    book.declare([LedgerFund("f", 10, window=Window("calendar", every="month"))], T0)
    assert standing(book, "f") == (0, 4, 6, 0)
    book.declare([LedgerFund("f", 10)], T0)
    assert standing(book, "f", T0 + 999 * 86_400 * S) == (0, 4, 6, 0)
    passes_audit(book)


def calendar_windows(book: Book) -> None:
    """A day's money is back at midnight in Berlin; a hold over midnight burdens the day it was made in."""
    book.declare([LedgerFund("f", 10, window=Window("calendar", every="day", zone="Europe/Berlin"))], T0)
    midnight = 1_700_002_800 * S  # 2023-11-14T23:00Z
    before, after = midnight - 1, midnight
    book.hold([ask("a", {"f": 8})], before)
    assert book.hold([ask("b", {"f": 8})], before) == [Refused("b", "f", midnight)]
    assert book.hold([ask("b", {"f": 11})], before) == [Refused("b", "f", None)]
    assert book.hold([ask("b", {"f": 8})], after) == [Held("b", 0, lines({"f": 8}))]
    book.end([ending("a", "post", f=9)], after)
    assert standing(book, "f", after) == (8, 0, 2, 0)
    assert standing(book, "f", before) == (8, 9, 0, 1)  # a clock that steps back counts what came later as well
    assert [b.resets_ns for b in book.balances(before)] == [midnight]
    passes_audit(book)


def rolling_windows(book: Book) -> None:
    """Ten a minute: what was spent counts until a minute has surely gone by, an open hold for as long as it's open."""
    book.declare([LedgerFund("f", 10, "requests", Window("rolling", length_s=60))], T0)
    start = T0 // (60 * S) * 60 * S
    book.hold([ask("a", {"f": 6})], start)
    book.end([ending("a", "post", f=6)], start)
    assert book.hold([ask("b", {"f": 5})], start + 30 * S) == [Refused("b", "f", start + 61 * S)]
    assert book.hold([ask("b", {"f": 5})], start + 61 * S - 1) == [Refused("b", "f", start + 61 * S)]
    assert book.hold([ask("b", {"f": 5})], start + 61 * S) == [Held("b", 0, lines({"f": 5}))]
    assert standing(book, "f", start + 600 * S) == (5, 0, 5, 0)
    book.end([ending("b", "post", f=4)], start + 600 * S)
    assert standing(book, "f", start + 600 * S) == (0, 0, 10, 0)
    assert [b.resets_ns for b in book.balances(start + 600 * S)] == [None]
    assert [b.resets_ns for b in book.balances(start + 61 * S)] == [start + 122 * S]
    passes_audit(book)


def corrections(book: Book) -> None:
    """A correction is a signed entry of its own, booked once; another one needs another id."""
    book.declare([LedgerFund("f", 10)], T0)
    book.correct("c1", "f", 4, "invoice of May", T0)
    assert book.correct("c1", "f", 4, "invoice of May", T0).repeated
    book.correct("c2", "f", -1, "credit", T0)
    assert standing(book, "f") == (0, 3, 7, 0)
    assert [(e.kind, e.spent, e.note) for e in book.entries(hold="c1")] == [("correct", 4, "invoice of May")]
    book.hold([ask("h", {"f": 1})], T0)
    for bad in (("c1", "f", 5, "x"), ("h", "f", 5, "x"), ("c3", "g", 1, "x"), ("c3", "f", 0, "x"), ("c3", "f", 1, "")):
        with pytest.raises(InputError):
            book.correct(*bad, T0)
    assert standing(book, "f") == (1, 3, 6, 0)
    passes_audit(book)


def refusals_book_nothing(book: Book) -> None:
    """A call with something impossible in it raises and leaves everything as it was, its good part too."""
    book.declare([LedgerFund("f", 10)], T0)
    book.hold([ask("a", {"f": 1})], T0)
    before = list(book.entries())
    good, bad = ask("g", {"f": 1}), (ask("x", {"nope": 1}), ask("x", {"f": -1}), ask("x"), ask("", {"f": 1}))
    twice = Ask("x", (Option("m", (Line("f", 1), Line("f", 1))),), LATER)
    for impossible in (*bad, twice):
        with pytest.raises(InputError):
            book.hold([good, impossible], T0)
    for wrong in (ending("a", "void", f=1), ending("a", "post", nope=1), ending("a", "post", f=-1)):
        with pytest.raises(InputError):
            book.end([ending("a", "post", f=1), wrong], T0)
    for fund in (LedgerFund("", 1), LedgerFund("g", -1), LedgerFund("g", 1, "euros")):  # type: ignore[arg-type]
        with pytest.raises(InputError):
            book.declare([LedgerFund("ok", 1), fund], T0)
    with pytest.raises(InputError):
        book.declare([LedgerFund("g", 1), LedgerFund("g", 2)], T0)
    assert list(book.entries()) == before
    assert [h.id for h in book.open_holds()] == ["a"]
    assert book.hold([good], T0) == [Held("g", 0, lines({"f": 1}))]
    passes_audit(book)


def filters(book: Book) -> None:
    """Entries can be had by fund, by hold and from an instant on; places grow without gaps."""
    book.declare([LedgerFund("f", 10), LedgerFund("g", 10)], T0)
    book.hold([ask("a", {"f": 1, "g": 2})], T0 + 1)
    book.hold([ask("b", {"g": 3})], T0 + 2)
    book.end([ending("a", "post", f=1)], T0 + 3)
    assert [e.seq for e in book.entries()] == [1, 2, 3, 4, 5, 6, 7]
    assert [(e.seq, e.kind) for e in book.entries(hold="a")] == [(3, "hold"), (4, "hold"), (6, "post"), (7, "post")]
    assert [e.seq for e in book.entries(fund="g", since_ns=T0 + 2)] == [5, 7]
    assert [(h.id, h.lines, h.at_ns) for h in book.open_holds()] == [("b", lines({"g": 3}), T0 + 2)]


CLAIMS: tuple[Callable[[Book], None], ...] = (
    a_day_by_hand,
    first_payable_option,
    nothing_is_always_payable,
    asking_again,
    ending_again,
    expiry,
    used_elsewhere,
    new_terms,
    a_new_window,
    calendar_windows,
    rolling_windows,
    corrections,
    refusals_book_nothing,
    filters,
)
