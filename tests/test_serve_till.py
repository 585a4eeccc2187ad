"""The till: holds at once, endings gathered, and nothing lost when the ledger's store fails."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_serving import Shaky
from pointsman.ledger.entries import Ask, Ended, Ending, Held, LedgerFund, Line, Option, Refused
from pointsman.serve import till as module
from pointsman.serve.till import Till
from pointsman.serve.wire.errors import Refusal

LATER = time.time_ns() + 3_600 * 10**9


@pytest.fixture
def book() -> Shaky:
    return Shaky()


def till_over(book: Shaky, amount: int = 10) -> tuple[Till, list[tuple[str, str]]]:
    troubles: list[tuple[str, str]] = []
    till = Till(book, lambda what, why: troubles.append((what, why)))
    till.declare([LedgerFund("f", amount)])
    return till, troubles


def ask(id: str, amount: int) -> Ask:
    return Ask(id, (Option("m", (Line("f", amount),)),), LATER)


def post(id: str, amount: int) -> Ending:
    return Ending(id, "post", (Line("f", amount),))


def test_a_day_at_the_till(book: Shaky) -> None:
    """Of ten, 4 are held and 3 of these spent: 7 remain, and a later look says so."""

    async def day() -> None:
        till, troubles = till_over(book)
        assert till.hold([ask("a", 4)]) == [Held("a", 0, (Line("f", 4),))]
        booked: list[Ended] = []
        till.end(post("a", 3), booked.append)
        assert till.balances()[0].remaining == 7
        assert [one.id for one in booked] == ["a"]
        assert not troubles

    asyncio.run(day())


def test_endings_of_one_turn_are_one_act(book: Shaky) -> None:
    """Endings handed over in one turn of the loop are booked together, without anybody asking for it."""

    async def turn() -> None:
        till, _ = till_over(book)
        till.hold([ask(id, 2) for id in "abc"])
        for id in "abc":
            till.end(post(id, 1))
        assert book.ends == []
        await asyncio.sleep(0)
        assert book.ends == [3]

    asyncio.run(turn())


def test_a_hold_sees_what_has_just_ended(book: Shaky) -> None:
    """Money that an ending gives back can be held in the same turn, before the loop comes round."""

    async def turn() -> None:
        till, _ = till_over(book)
        till.hold([ask("a", 10)])
        assert isinstance(till.hold([ask("b", 1)])[0], Refused)
        till.end(Ending("a", "void"))
        assert isinstance(till.hold([ask("c", 10)])[0], Held)

    asyncio.run(turn())


def test_without_its_store_nothing_is_spent(book: Shaky) -> None:
    """A store that fails turns a hold into a refusal with status 503, tells of the trouble and holds nothing."""

    async def turn() -> None:
        till, troubles = till_over(book)
        book.broken = True
        with pytest.raises(Refusal) as caught:
            till.hold([ask("a", 4)])
        assert (caught.value.type, caught.value.status) == ("ledger_unavailable", 503)
        assert troubles == [("hold", "OSError")]
        book.broken = False
        assert till.balances()[0].held == 0

    asyncio.run(turn())


def test_an_ending_outlives_a_store_that_fails(book: Shaky, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ending that can't be booked is tried again by itself until it can."""
    monkeypatch.setattr(module, "RETRY_S", 0.005)

    async def turn() -> None:
        till, troubles = till_over(book)
        till.hold([ask("a", 4)])
        book.broken = True
        till.end(post("a", 3))
        async with asyncio.timeout(5):
            while len(troubles) < 3:
                await asyncio.sleep(0.002)
        assert set(troubles) == {("end", "OSError")}
        book.broken = False
        async with asyncio.timeout(5):
            while not book.ends:
                await asyncio.sleep(0.002)
        assert (till.balances()[0].spent, till.balances()[0].held) == (3, 0)

    asyncio.run(turn())


def test_an_ending_that_is_refused_is_told(book: Shaky) -> None:
    """An ending of nothing, and a second one of another kind, are troubles; the first one stands."""

    async def turn() -> None:
        till, troubles = till_over(book)
        till.hold([ask("a", 4)])
        till.end(post("a", 3))
        till.end(Ending("a", "void"))
        till.end(post("nobody", 3))
        assert till.balances()[0].spent == 3
        assert troubles == [("end", "conflict: a"), ("end", "unknown: nobody")]

    asyncio.run(turn())


def test_who_waits_for_money_is_told_of_endings(book: Shaky) -> None:
    """`on_freed` is called once for every booking of endings, and never for none."""

    async def turn() -> None:
        till, _ = till_over(book)
        calls: list[int] = []
        till.on_freed = lambda: calls.append(1)
        till.hold([ask("a", 4), ask("b", 4)])
        till.flush()
        assert calls == []
        till.end(Ending("a", "void"))
        till.end(Ending("b", "void"))
        till.flush()
        assert calls == [1]

    asyncio.run(turn())


def test_recent_balances_may_be_a_second_old(book: Shaky, monkeypatch: pytest.MonkeyPatch) -> None:
    """What clients are told is read from the ledger at most once a second; `balances` is always exact."""
    till, _ = till_over(book)
    now = [1_000.0]
    monkeypatch.setattr("pointsman.serve.till.time.monotonic", lambda: now[0])
    assert till.recent()["f"].held == 0
    till.hold([ask("a", 4)])
    now[0] += 0.9
    assert till.recent()["f"].held == 0
    assert till.balances()[0].held == 4
    now[0] += 0.2
    assert till.recent()["f"].held == 4


def test_closing_books_what_is_left(book: Shaky) -> None:
    """An ending of the loop's last turn is booked when the till closes, though the loop has ended by then."""
    till, troubles = till_over(book)

    async def last_turn() -> None:
        till.hold([ask("a", 4), ask("b", 4)])
        till.end(post("a", 3))
        book.broken = True
        till.flush()
        till.end(post("b", 2))

    asyncio.run(last_turn())
    till.flush()
    book.broken = False
    till.close()
    assert book.balances(time.time_ns())[0].spent == 5
    assert book.audit().ok
    assert {what for what, _ in troubles} == {"end"}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["hold", "end", "break", "mend", "turn", "look"]), max_size=40))
def test_every_ending_is_booked_exactly_once(steps: list[str]) -> None:
    """Whatever fails and whenever: in the end each hold has ended once, with its own amount."""
    book = Shaky()

    async def run() -> None:
        till, troubles = till_over(book, 1_000)
        open_, posted, number = [], 0, 0
        for step in steps:
            if step == "hold" and not book.broken:
                number += 1
                till.hold([ask(f"h{number}", 5)])
                open_.append(number)
            elif step == "end" and open_:
                one = open_.pop(0)
                till.end(post(f"h{one}", one % 7))
                posted += one % 7
            elif step in {"break", "mend"}:
                book.broken = step == "break"
            elif step == "turn":
                await asyncio.sleep(0)
            elif step == "look":
                till.flush()
        book.broken = False
        balance = till.balances()[0]
        assert (balance.spent, balance.held) == (posted, 5 * len(open_))
        assert {why for _, why in troubles} <= {"OSError"}
        assert book.audit().ok
        if till._due is not None:
            till._due.cancel()

    asyncio.run(run())
