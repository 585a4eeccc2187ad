"""Decides: queries that arrive in the same turn of the loop are embedded, estimated, scored and held for together.

Takes a query and who asks; gives a `Plan` whose first hop is held for, or a `Refusal` that says why nobody serves it.
Nobody waits for a batch to fill: an idle gateway decides one query at once, a busy one finds several in each turn.
Every model that it names has passed the hard filters, and every hold goes through the ledger.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, field

from pointsman.ledger.entries import Ask, Held, Refused
from pointsman.serve.access import Principal
from pointsman.serve.admission import Asked, admit
from pointsman.serve.deciding import Recall, Witness, decided
from pointsman.serve.exploring import Explorer
from pointsman.serve.health import Health
from pointsman.serve.line import LOOK_AGAIN_S, Left, Line, give_back
from pointsman.serve.plan import Options, Plan
from pointsman.serve.scheme import NANO, Scheme
from pointsman.serve.till import Till
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.query import Query

LEDGER_PATIENCE_S = 5.0  # how long a query waits for a ledger that is locked
OPTIONS = 4  # models that one hold tries at once; the rest are tried after these


@dataclass(slots=True)
class Switchboard:
    """One worker's decisions.

    Args:
        scheme: what is in force; replaced by `learn` and by a reload.
        till: where money is held.
        health: which endpoints are up.
        recall: the model and input tokens of the conversation that a query continues.
        owner: whose holds these are.
        witness: told of the estimates of every decided batch, with the funds drawn on; `learn` looks at them.
        lots: what exploration draws.
    """

    scheme: Scheme
    till: Till
    health: Health
    recall: Recall
    owner: str
    witness: Witness
    lots: random.Random = field(default_factory=lambda: random.Random(secrets.token_bytes(32)))  # noqa: S311 (no secret)
    line: Line = field(init=False)
    _waiting: list[tuple[Asked, asyncio.Future[Plan]]] = field(default_factory=list, init=False)
    _due: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.line = Line(self.till, self._held, self._plan_again)

    async def decide(self, query: Query, principal: Principal, left: Left | None = None) -> Plan:
        """A plan with money held for its first hop.

        Args:
            left: returns when the client has gone; asked only where the query has to wait for money.

        Raises:
            ClientGone: it left while it waited.
            Refusal: unknown model, not allowed, nobody capable, not worth it, no money, ledger out of reach.
        """
        asked = self.admit(query, principal)
        planned = self._planned(asked)
        try:
            plan = await planned
        except asyncio.CancelledError:
            give_back(self.till, planned)
            raise
        return plan if plan.held is not None else await self.line.wait(asked, plan, left)

    async def consider(self, query: Query, principal: Principal) -> Plan:
        """The decision alone: nothing is held."""
        return self._plans([self.admit(query, principal)], comes=False)[0]

    def admit(self, query: Query, principal: Principal) -> Asked:
        """A query that some model may serve, under the scheme in force; see `admission.admit`."""
        return admit(self.scheme, self.health, query, principal)

    def _planned(self, asked: Asked) -> asyncio.Future[Plan]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Plan] = loop.create_future()
        self._waiting.append((asked, future))
        if not self._due:
            self._due = True
            loop.call_soon(self._turn)
        return future

    def _turn(self) -> None:
        """Decides everything that is waiting, in batches; one bad query doesn't take the others with it."""
        self._due = False
        waiting, self._waiting = self._waiting, []
        most = self.scheme.settings.routing.batch
        for start in range(0, len(waiting), most):
            batch = [pair for pair in waiting[start : start + most] if not pair[1].cancelled()]
            try:
                self._answer(batch, self._held(self._plans([asked for asked, _ in batch])))
            except Exception as error:
                if isinstance(error, Refusal) and error.type == "ledger_unavailable":
                    self._put_off(batch, error)
                else:
                    self._alone(batch, error)

    def _answer(self, batch: list[tuple[Asked, asyncio.Future[Plan]]], plans: list[Plan]) -> None:
        for (_, future), plan in zip(batch, plans, strict=True):
            future.set_result(plan)

    def _alone(self, batch: list[tuple[Asked, asyncio.Future[Plan]]], error: Exception) -> None:
        """Each query of a batch that failed by itself, so that only those at fault are refused."""
        for asked, future in batch:
            if future.done():
                continue
            if len(batch) == 1:
                future.set_exception(error)
                continue
            try:
                future.set_result(self._held(self._plans([asked]))[0])
            except Exception as own:
                future.set_exception(own)

    def _put_off(self, batch: list[tuple[Asked, asyncio.Future[Plan]]], refusal: Refusal) -> None:
        """Decides again a moment later while the ledger is busy; refuses those who have waited for long enough."""
        now = time.perf_counter()
        for asked, future in batch:
            if future.done():
                continue
            if now - asked.since > LEDGER_PATIENCE_S:
                future.set_exception(refusal)
            else:
                self._waiting.append((asked, future))
        if self._waiting and not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(LOOK_AGAIN_S, self._turn)

    def _plan_again(self, asked: Asked) -> tuple[Asked, Plan]:
        """The same query under the scheme in force; not traffic of its own."""
        asked = self.admit(asked.query, asked.principal)
        return asked, self._plans([asked], comes=False)[0]

    def _plans(self, batch: list[Asked], *, comes: bool = True) -> list[Plan]:
        """Decisions for queries under one scheme or several (a swap may fall between two of them).

        Args:
            comes: they are traffic that prices are solved for, not a question or a further look at one in line.
        """
        plans: list[Plan | None] = [None] * len(batch)
        witness = self.witness if comes else None
        for scheme in {id(asked.scheme): asked.scheme for asked in batch}.values():
            rows = [j for j, asked in enumerate(batch) if asked.scheme is scheme]
            found = decided(scheme, [batch[j] for j in rows], self.recall, witness, self._explorer(scheme, comes))
            for j, plan in zip(rows, found, strict=True):
                plans[j] = plan
        return [plan for plan in plans if plan is not None]

    def _explorer(self, scheme: Scheme, comes: bool) -> Explorer | None:
        """A query that is only considered, or looked at again, isn't explored: one query draws one lot."""
        rate = scheme.settings.routing.explore
        return Explorer(rate, self.lots, self.till.recent() if rate else {}) if comes else None

    def _held(self, plans: list[Plan]) -> list[Plan]:
        """Money for every plan's first hop, in one act; a plan that can't be paid keeps `held` None."""
        begun = time.perf_counter()
        self._hold(plans, 0)
        short = [plan for plan in plans if plan.held is None and len(plan.ranked) > OPTIONS]
        if short:
            with suppress(Refusal):  # the ledger failed just now: what is held already must not be lost
                self._hold(short, OPTIONS)
        took = (time.perf_counter() - begun) / max(1, len(plans))
        for plan in plans:
            plan.stages_s["hold"] = took
        return plans

    def _hold(self, plans: list[Plan], skip: int) -> None:
        plans = [plan for plan in plans if plan.ranked]  # nothing may be worth its price to one that queues
        expires = time.time_ns() + int(self.scheme.settings.failure.hold_s * NANO)
        asks = []
        for plan in plans:
            plan.options = Options(plan, plan.ranked[skip : None if skip else OPTIONS])
            asks.append(Ask(f"{plan.decision_id}:0", plan.options, expires, self.owner))
        for plan, result in zip(plans, self.till.hold(asks) if asks else (), strict=True):
            if isinstance(result, Held):
                plan.held, plan.place = result, result.option + skip
                if plan.place > 0:  # the first choice, by the rule or by chance, could not be paid
                    plan.propensity = None
                    plan.reason = "best_payable" if plan.reason in {"best", "explored"} else plan.reason
            elif skip == 0:
                plan.refused = result

    def next_hop(self, plan: Plan, hop: int, tried: frozenset[int], *, again: int | None = None) -> Held | None:
        """Money for another model, the next best that isn't in `tried`, or for the same one `again`; None if none."""
        now = time.monotonic()
        columns = (
            [again]
            if again is not None
            else [i for i in plan.ranked if i not in tried and self.health.up(plan.scheme.models[i].endpoints, now)]
        )
        if not columns:
            return None
        plan.options = Options(plan, columns[:OPTIONS])
        expires = time.time_ns() + int(plan.scheme.settings.failure.hold_s * NANO)
        (result,) = self.till.hold([Ask(f"{plan.decision_id}:{hop}", plan.options, expires, self.owner)])
        return None if isinstance(result, Refused) else result
