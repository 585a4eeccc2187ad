"""The line of those who wait for money: it is only held by others, or their alias queues.

Takes plans that could not be held for; gives them back held, in the order in which they came, whenever holds end. Who
leaves, or whose patience ends, holds nothing. Those for whom no ending of a hold would help are refused at once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from pointsman.ledger.entries import Balance, Ending
from pointsman.serve.admission import Asked
from pointsman.serve.client import ClientGone
from pointsman.serve.plan import Plan
from pointsman.serve.scheme import NANO
from pointsman.serve.till import Till
from pointsman.serve.wire.errors import Refusal

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 0.1

Left = Callable[[], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Waiting:
    """One query in line for money. `queued`: its alias queues, for whatever reason there is no money now."""

    asked: Asked
    plan: Plan
    queued: bool
    future: asyncio.Future[Plan]


class Line:
    """One worker's line.

    Args:
        till: whose holds end.
        hold: holds for several plans in one act.
        plan_again: a new plan for a query that queues: prices, money, even models may have changed.

    Attributes:
        waiting: who stands in it, in order.
    """

    def __init__(
        self,
        till: Till,
        hold: Callable[[list[Plan]], object],
        plan_again: Callable[[Asked], tuple[Asked, Plan]],
    ) -> None:
        self._till, self._hold, self._plan_again = till, hold, plan_again
        self.waiting: list[Waiting] = []
        self._looking: asyncio.TimerHandle | None = None

    async def wait(self, asked: Asked, plan: Plan, left: Left | None) -> Plan:
        """Stands in line while the money is only held, or as long as a queueing alias allows.

        Args:
            left: returns when the client has gone.

        Returns:
            A plan that is held for.

        Raises:
            ClientGone: it left.
            Refusal: there is no money, or patience has ended.
        """
        queued = asked.alias is not None and asked.alias.scarcity == "queue"
        patience = asked.alias.queue_s if queued and asked.alias else asked.scheme.settings.routing.patience_s
        balances = self._till.by_fund()
        if not (queued or only_held(plan, balances)):
            raise budget_refusal(plan)
        waiting = Waiting(asked, plan, queued, asyncio.get_running_loop().create_future())
        self.waiting.append(waiting)
        self._look_again(LOOK_AGAIN_S)
        watch = None if left is None else asyncio.ensure_future(left())
        if watch is not None:
            watch.add_done_callback(lambda _: waiting.future.cancel())
        try:
            async with asyncio.timeout(patience):
                return await waiting.future
        except TimeoutError:
            if waiting.future.done() and not waiting.future.cancelled():
                return waiting.future.result()  # the money came in the same turn as the end of patience
            raise budget_refusal(waiting.plan) from None
        except asyncio.CancelledError:
            give_back(self._till, waiting.future)
            if watch is not None and watch.done() and not watch.cancelled():
                raise ClientGone from None
            raise
        finally:
            if watch is not None:
                watch.cancel()
            if waiting in self.waiting:
                self.waiting.remove(waiting)

    def _look_again(self, after_s: float) -> None:
        """Another worker's holds end without a sign, so the line is also looked at every so often."""
        self._till.on_freed = self._serve_line
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(after_s, self._serve_line)

    def _serve_line(self) -> None:
        """Holds for those in line, in their order, in one act; refuses those whom no ending of a hold would help."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        line = [one for one in self.waiting if not one.future.done()]
        if not line:
            self._till.on_freed = None
            return
        try:
            self._hold_line(line)
        except Refusal as refusal:
            log.warning("those who wait for money can't be served now: %s", refusal)
        self._look_again(LOOK_AGAIN_S)

    def _hold_line(self, line: list[Waiting]) -> None:
        line = [one for one in line if not one.queued or self._planned_again(one)]
        self._hold([one.plan for one in line])
        balances = self._till.by_fund()
        for one in line:
            if one.plan.held is not None:
                one.future.set_result(one.plan)
            elif not (one.queued or only_held(one.plan, balances)):
                one.future.set_exception(budget_refusal(one.plan))

    def _planned_again(self, one: Waiting) -> bool:
        """A new plan for one in a queue: prices, money, even models may have changed. The others wait for a moment."""
        try:
            one.asked, one.plan = self._plan_again(one.asked)
        except Refusal as refusal:
            one.future.set_exception(refusal)
            return False
        return True


def give_back(till: Till, future: asyncio.Future[Plan]) -> None:
    """Money that was held in the very turn in which the one who waits for it was cancelled."""
    if future.done() and not future.cancelled() and future.exception() is None:
        held = future.result().held
        if held is not None:
            till.end(Ending(held.id, "void"))


def only_held(plan: Plan, balances: Mapping[str, Balance]) -> bool:
    """Whether some option would fit if every open hold of its funds were given back."""
    unspent = {name: balance.amount - balance.spent for name, balance in balances.items()}
    return any(
        all(unspent.get(line.fund, -1) >= line.amount for line in plan.option(column).lines) for column in plan.ranked
    )


def budget_refusal(plan: Plan) -> Refusal:
    """What somebody is told for whom there is no money."""
    short = plan.refused
    if short is None:
        return Refusal("not_worth_it", "At today's prices no model is worth what it would take.", retry_after_s=30)
    wait = None if short.retry_ns is None else max(1.0, (short.retry_ns - time.time_ns()) / NANO)
    return Refusal(
        "budget_exceeded",
        f"The fund `{short.fund}` can't pay for this query.",
        code=short.fund,
        retry_after_s=wait,
    )
