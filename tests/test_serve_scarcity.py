"""When money is short: who waits for it, in which order, for how long, and who is told at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from made_serving import ADMIN, USD, Board, Shaky, chat, model, priced, scheme_of, settings_of
from pointsman.ledger.entries import Ending, Line
from pointsman.pool.settings import Alias, FundRule, RoutingSettings
from pointsman.serve import line as module
from pointsman.serve.access import Principal
from pointsman.serve.client import ClientGone
from pointsman.serve.plan import Plan
from pointsman.serve.scheme import Scheme
from pointsman.serve.switchboard import OPTIONS
from pointsman.serve.till import Till
from pointsman.serve.wire.errors import Refusal

CALLS = FundRule("calls", 2, "requests")
QUEUE = Alias("queue", scarcity="queue", queue_s=5.0)
MODELS = (model("p/good"), model("p/cheap"))


def made(
    *funds: FundRule, patience_s: float = 5.0, aliases: Sequence[Alias] = (Alias("auto"), QUEUE), models: Any = MODELS
) -> Scheme:
    routing = RoutingSettings(patience_s=patience_s)
    made_of = settings_of(*models, funds=funds or (CALLS,), aliases=tuple(aliases), routing=routing)
    quality = [0.9 - i / 10 for i in range(len(models))]
    return scheme_of(made_of, quality=quality, cost_usd=[0.01 / (i + 1) for i in range(len(models))])


def give(board: Board, plan: Plan, *, posted: int | None = None) -> None:
    """Ends a plan's hold: unused, or with so much spent on each fund."""
    lines = tuple(Line(line.fund, posted) for line in plan.first_held.lines) if posted is not None else ()
    board.till.end(Ending(plan.first_held.id, "post" if lines else "void", lines))


async def settle_down(turns: int = 6) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


def test_money_that_is_only_held_is_waited_for() -> None:
    """A third query against two calls waits, and is served as soon as a hold ends unused."""

    async def story() -> None:
        board = Board(made())
        first, second = [await board.switchboard.decide(chat(), ADMIN) for _ in range(2)]
        third = asyncio.ensure_future(board.switchboard.decide(chat(), ADMIN))
        await settle_down()
        assert not third.done()
        give(board, first)
        plan = await third
        assert plan.held is not None
        assert board.fund("calls") == (2, 0)
        give(board, second)
        give(board, plan)
        board.till.flush()
        assert board.book.audit().ok

    asyncio.run(story())


def test_the_line_is_served_in_its_order() -> None:
    """Four wait; each hold that ends serves the one who has waited longest."""

    async def story() -> None:
        board = Board(made())
        holding = [await board.switchboard.decide(chat(), ADMIN) for _ in range(2)]
        served: list[int] = []

        async def come(number: int) -> None:
            holding.append(await board.switchboard.decide(chat(), ADMIN))
            served.append(number)

        tasks = []
        for number in range(4):
            tasks.append(asyncio.ensure_future(come(number)))
            await settle_down()
        assert served == []
        for expected in range(4):
            give(board, holding[expected])
            await settle_down()
            assert served == list(range(expected + 1))
        await asyncio.gather(*tasks)
        assert board.switchboard.line.waiting == []

    asyncio.run(story())


def test_what_is_spent_is_not_waited_for() -> None:
    """Where the money is gone for good the refusal comes at once, whatever the patience."""

    async def story() -> None:
        board = Board(made(patience_s=3_600.0))
        for plan in [await board.switchboard.decide(chat(), ADMIN) for _ in range(2)]:
            give(board, plan, posted=1)
        with pytest.raises(Refusal) as caught:
            await board.switchboard.decide(chat(), ADMIN)
        assert (caught.value.type, caught.value.code) == ("budget_exceeded", "calls")

    asyncio.run(story())


def test_who_waits_is_told_as_soon_as_it_is_hopeless() -> None:
    """The holds it waits for are all posted: no ending can help any more, and it hears so before its patience ends."""

    async def story() -> None:
        board = Board(made(patience_s=3_600.0))
        plans = [await board.switchboard.decide(chat(), ADMIN) for _ in range(2)]
        third = asyncio.ensure_future(board.switchboard.decide(chat(), ADMIN))
        await settle_down()
        for plan in plans:
            give(board, plan, posted=1)
        with pytest.raises(Refusal, match="calls"):
            await third

    asyncio.run(story())


def test_patience_ends() -> None:
    """Nobody gives anything back: after the configured patience the query is refused and the line is empty."""

    async def story() -> None:
        board = Board(made(patience_s=0.02))
        for _ in range(2):
            await board.switchboard.decide(chat(), ADMIN)
        with pytest.raises(Refusal, match="calls"):
            await board.switchboard.decide(chat(), ADMIN)
        assert board.switchboard.line.waiting == []
        assert board.fund("calls") == (2, 0)

    asyncio.run(story())


def test_more_models_than_one_hold_tries_are_all_looked_at() -> None:
    """The best models' money is only held, that of the many after them is spent: it waits for the best."""
    models = [model(f"p/m{i}") for i in range(OPTIONS + 1)]
    first = FundRule("first", 1, "requests", models=tuple(each.id for each in models[:-1]))
    last = FundRule("last", 0, "requests", models=(models[-1].id,))

    async def story() -> None:
        board = Board(made(first, last, models=models))
        plan = await board.switchboard.decide(chat(), ADMIN)
        waits = asyncio.ensure_future(board.switchboard.decide(chat(), ADMIN))
        await settle_down()
        assert not waits.done()
        give(board, plan)
        assert (await waits).column == 0

    asyncio.run(story())


def test_a_queue_waits_for_money_that_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queueing alias waits even where nothing is held, until the fund has money again: here a larger amount."""
    monkeypatch.setattr(module, "LOOK_AGAIN_S", 0.005)

    async def story() -> None:
        board = Board(made())
        for plan in [await board.switchboard.decide(chat(), ADMIN) for _ in range(2)]:
            give(board, plan, posted=1)
        waits = asyncio.ensure_future(board.switchboard.decide(chat("queue"), ADMIN))
        await asyncio.sleep(0.02)
        assert not waits.done()
        richer = made(replace(CALLS, amount=3))
        board.till.declare(richer.ledger_funds)
        board.switchboard.scheme = richer
        plan = await waits
        assert plan.scheme is richer

    asyncio.run(story())


def test_a_queue_has_an_end() -> None:
    """It waits as long as the alias says, then the refusal names the fund."""

    async def story() -> None:
        board = Board(made(replace(CALLS, amount=0), aliases=(Alias("auto"), replace(QUEUE, queue_s=0.02))))
        with pytest.raises(Refusal) as caught:
            await board.switchboard.decide(chat("queue"), ADMIN)
        assert caught.value.code == "calls"

    asyncio.run(story())


def test_a_queue_waits_for_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no model is worth its price a queueing alias waits, and is served when prices fall; others are not hurt."""
    monkeypatch.setattr(module, "LOOK_AGAIN_S", 0.005)
    dollars = FundRule("all", 100 * USD)

    async def story() -> None:
        cheap = made(dollars)
        board = Board(cheap)
        board.switchboard.scheme = priced(cheap, all=10_000.0)
        waits, other = (
            asyncio.ensure_future(board.switchboard.decide(chat(name), ADMIN)) for name in ("queue", "auto")
        )
        assert (await other).reason == "cheapest_payable"
        await asyncio.sleep(0.02)
        assert not waits.done()
        board.switchboard.scheme = cheap
        assert (await waits).reason == "best"

    asyncio.run(story())


def test_a_queue_that_prices_never_reach_is_not_worth_it() -> None:
    """After its wait, a query that no model was worth is told that, and nothing was held for it."""

    async def story() -> None:
        scheme = made(FundRule("all", 100 * USD), aliases=(Alias("auto"), replace(QUEUE, queue_s=0.01)))
        board = Board(priced(scheme, all=10_000.0))
        with pytest.raises(Refusal) as caught:
            await board.switchboard.decide(chat("queue"), ADMIN)
        assert (caught.value.type, caught.value.status) == ("not_worth_it", 429)
        assert board.fund("all") == (0, 0)

    asyncio.run(story())


def test_a_queue_is_traffic_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A query in line is looked at again and again, and counts as one arrival."""
    monkeypatch.setattr(module, "LOOK_AGAIN_S", 0.002)

    async def story() -> None:
        board = Board(made(replace(CALLS, amount=0), aliases=(Alias("auto"), replace(QUEUE, queue_s=0.03))))
        with pytest.raises(Refusal):
            await board.switchboard.decide(chat("queue"), ADMIN)
        assert len(board.witnessed) == 1

    asyncio.run(story())


def test_a_reload_reaches_those_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other models and funds while a query waits: it is served by who is there now, or told that nobody is."""
    monkeypatch.setattr(module, "LOOK_AGAIN_S", 0.005)

    async def story() -> None:
        board = Board(made(replace(CALLS, amount=0)))
        stays = asyncio.ensure_future(board.switchboard.decide(chat("queue"), ADMIN))
        goes = asyncio.ensure_future(
            board.switchboard.decide(chat("queue"), Principal("k", models=("p/cheap", "p/good")))
        )
        await asyncio.sleep(0.01)
        new = made(FundRule("other", 5, "requests"), CALLS, models=(model("q/new"), model("q/b"), model("q/c")))
        board.till.declare(new.ledger_funds)
        board.switchboard.scheme = new
        plan = await stays
        assert plan.scheme.models[plan.column].id == "q/new"
        assert [line.fund for line in plan.first_held.lines] == ["other", "calls"]
        with pytest.raises(Refusal) as caught:
            await goes
        assert caught.value.type == "permission_error"

    asyncio.run(story())


def test_a_fund_that_is_gone_stops_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload takes a fund away for whose money somebody waits: it is refused, and the line goes on."""
    monkeypatch.setattr(module, "LOOK_AGAIN_S", 0.005)

    async def story() -> None:
        board = Board(made(replace(CALLS, amount=1)))
        plan = await board.switchboard.decide(chat(), ADMIN)
        waits = asyncio.ensure_future(board.switchboard.decide(chat(), ADMIN))
        await settle_down()
        new = made(FundRule("other", 1, "requests"))
        board.till.declare(new.ledger_funds)
        board.switchboard.scheme = new
        with pytest.raises(Refusal):
            await waits
        assert (await board.switchboard.decide(chat(), ADMIN)).held is not None
        give(board, plan)

    asyncio.run(story())


def test_who_leaves_the_line_leaves_nothing() -> None:
    """A client that goes while it waits holds nothing and keeps nobody from the money."""

    async def story() -> None:
        board = Board(made(replace(CALLS, amount=1)))
        plan = await board.switchboard.decide(chat(), ADMIN)
        goes, stays = (asyncio.ensure_future(board.switchboard.decide(chat(), ADMIN)) for _ in range(2))
        await settle_down()
        goes.cancel()
        await settle_down()
        give(board, plan)
        assert (await stays).held is not None
        assert len(board.book.open_holds()) == 1

    asyncio.run(story())


@pytest.mark.parametrize("how", ["cancelled", "out of patience"])
def test_money_that_comes_in_the_last_moment_is_not_lost(how: str) -> None:
    """A hold made in the very turn in which the wait ends is used, or given back: never left to itself."""

    async def story() -> None:
        board = Board(made(replace(CALLS, amount=1), patience_s=0.01 if how == "out of patience" else 5.0))
        plan = await board.switchboard.decide(chat(), ADMIN)
        waits = asyncio.ensure_future(board.switchboard.decide(chat(), ADMIN))
        await settle_down()
        if how == "out of patience":
            time.sleep(0.02)  # patience ends in the turn that is about to come
        board.till.end(Ending(plan.first_held.id, "void"))
        board.till.flush()
        if how == "cancelled":
            waits.cancel()
            assert isinstance((await asyncio.gather(waits, return_exceptions=True))[0], asyncio.CancelledError)
            assert board.fund("calls") == (0, 0)
        else:
            assert (await waits).held is not None
            assert board.fund("calls") == (1, 0)

    asyncio.run(story())


def test_a_store_that_fails_keeps_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the ledger is out of reach those in line wait on; when it works again they are served."""
    monkeypatch.setattr(module, "LOOK_AGAIN_S", 0.005)
    monkeypatch.setattr("pointsman.serve.till.RETRY_S", 0.005)

    async def story() -> None:
        scheme = made(replace(CALLS, amount=1))
        shaky = Shaky()
        till = Till(shaky, lambda what, why: None)
        till.declare(scheme.ledger_funds)
        switchboard = replace(Board(scheme).switchboard, till=till)
        plan = await switchboard.decide(chat(), ADMIN)
        waits = asyncio.ensure_future(switchboard.decide(chat(), ADMIN))
        await settle_down()
        shaky.broken = True
        till.end(Ending(plan.first_held.id, "void"))
        await asyncio.sleep(0.03)
        assert not waits.done()
        shaky.broken = False
        assert (await waits).held is not None

    asyncio.run(story())


def test_a_client_that_leaves_the_line_is_not_served() -> None:
    """Who leaves while waiting for money is out at once, and the next ending of a hold is another's."""

    async def story() -> None:
        board = Board(made(patience_s=3_600.0))
        holding = [await board.switchboard.decide(chat(), ADMIN) for _ in range(2)]
        gone = asyncio.Event()

        async def left() -> None:
            await gone.wait()

        task = asyncio.ensure_future(board.switchboard.decide(chat(), ADMIN, left))
        await settle_down()
        gone.set()
        with pytest.raises(ClientGone):
            await task
        assert board.switchboard.line.waiting == []
        give(board, holding[0])
        board.till.flush()
        assert board.fund("calls")[0] == 1

    asyncio.run(story())
