"""One exchange: the hops from model to model until one answers, the answer's way to the client, and the settling.

Takes a plan and a client; gives the client its answer and the witness a `Finished`. Every hop is held for, and every
attempt is settled in a `finally` that waits for nothing: a disconnect, an upstream's error, a cancellation or a drain
can't skip it. After the first byte has reached the client there is no other model any more: a failure ends the
stream with an error event and a post of what was used.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp

from pointsman.ledger.entries import Held
from pointsman.pool.cards import Model
from pointsman.serve.again.basis import Basis
from pointsman.serve.attempt import Attempt
from pointsman.serve.client import JSON, Client, ClientGone, Headers
from pointsman.serve.explain import answer_headers, cost_of
from pointsman.serve.finished import Finished, Outcome
from pointsman.serve.health import Health
from pointsman.serve.plan import Plan
from pointsman.serve.switchboard import Switchboard
from pointsman.serve.till import Till
from pointsman.serve.upstreams.adapter import UpstreamFault
from pointsman.serve.wire.errors import ErrorType, Refusal

LONGEST_PAUSE_S = 5.0
GONE = 499  # what logs have for a client that left before it was answered

FAULT_TYPE: dict[str, ErrorType] = {
    "timeout": "upstream_timeout",
    "overloaded": "upstream_overloaded",
    "refused": "invalid_request_error",
}


@dataclass(slots=True)
class PassedOn(Refusal):
    """An upstream's own refusal of a bad request, in its own bytes where the client speaks its language."""

    raw: bytes | None = None


@dataclass(slots=True)
class Rig:
    """What every exchange of a worker uses."""

    switchboard: Switchboard
    till: Till
    health: Health
    session: aiohttp.ClientSession
    rng: random.Random


@dataclass(slots=True)
class Exchange:
    """One query on its way.

    Args:
        rig: the worker's.
        plan: with money held for its first hop.
        client: who asked.
        at_ns, began: when the request came, Unix nanoseconds and `perf_counter`.
    """

    rig: Rig
    plan: Plan
    client: Client
    at_ns: int
    began: float
    attempts: list[Attempt] = field(default_factory=list)
    winner: Attempt | None = None
    hops: int = 0
    retries: int = 0
    tried: set[int] = field(default_factory=set)

    async def run(self, witness: Callable[[Finished], None]) -> None:
        """Serves the query.

        Raises:
            Refusal: no model answered, and nothing has reached the client.
        """
        outcome: Outcome = "upstream_failed"
        # An answer that isn't streamed is paid for whether its client waits or not.
        watch = _Watch(self.client) if self.plan.query.stream else None
        try:
            deadline = asyncio.get_running_loop().time() + self.plan.scheme.settings.failure.total_s
            self.winner = await self._answered(deadline)
            if watch is not None:
                outcome = await self._stream(self.winner, deadline, watch)
            else:
                outcome = await self._whole(self.winner)
        except ClientGone:
            outcome = "client_gone"
            raise
        except asyncio.CancelledError:
            outcome = "client_gone"
            if watch is not None and watch.caught():
                raise ClientGone from None
            raise
        except Refusal as refusal:
            self.client.status = refusal.status
            raise
        finally:
            if watch is not None:
                watch.stop()
            for attempt in self.attempts:
                attempt.close()
            witness(self._finished(outcome))

    # Hops

    async def _answered(self, deadline: float) -> Attempt:
        """The first attempt that answers, hedged by a second model where that is asked for."""
        after = self.plan.scheme.settings.failure.hedge_after_s
        column, held = self.plan.column, self.plan.first_held
        if after is None:
            return await self._chain(held, column, deadline)
        return await self._hedged(held, column, after, deadline)

    async def _hedged(self, held: Held, column: int, after: float, deadline: float) -> Attempt:
        """Both chains of hops hold and are booked; the slower one is cut off."""
        first = asyncio.ensure_future(self._chain(held, column, deadline))
        racing = {first}
        try:
            done, _ = await asyncio.wait(racing, timeout=after)
            if not done:
                with suppress(Refusal):  # a ledger out of reach is no reason to give the first one up
                    if (other := self._next(None)) is not None:
                        racing.add(asyncio.ensure_future(self._chain(*other, deadline)))
            return await _first_success(racing)
        finally:
            for task in racing:
                task.cancel()
            await asyncio.gather(*racing, return_exceptions=True)

    async def _chain(self, held: Held, column: int, deadline: float) -> Attempt:
        """Calls, and calls again or elsewhere, until something answers.

        Raises:
            Refusal: what the last upstream's fault means to the client.
        """
        used: frozenset[str] = frozenset()
        while True:
            attempt = self._attempt(held, column, used)
            try:
                await attempt.open(deadline)
            except UpstreamFault as fault:
                attempt.close()
                self._learn_of(attempt, fault)
                used |= {attempt.endpoint.name}
                following = await self._after(fault, column, used, deadline)
                if following is None:
                    raise _refusal(fault) from None
                held, next_column = following
                used = used if next_column == column else frozenset()
                column = next_column
            except Refusal:
                attempt.close()  # this upstream's language has no words for the query; another's may
                self.rig.health.abandoned(attempt.endpoint.name)
                following = self._next(None)
                if following is None:
                    raise
                held, column = following
                used = frozenset()
            except BaseException:
                self.rig.health.abandoned(attempt.endpoint.name)
                attempt.close()
                raise
            else:
                self.rig.health.succeeded(attempt.endpoint.name)
                return attempt

    def _attempt(self, held: Held, column: int, used: frozenset[str]) -> Attempt:
        self.tried.add(column)
        endpoints = self.plan.scheme.models[column].endpoints
        now = time.monotonic()
        # Where every other endpoint was used or rests, the money is held already: ask the first one again.
        endpoint = self.rig.health.pick(endpoints, now, but=used) or endpoints[0]
        attempt = Attempt(self.plan, held, column, endpoint, self.rig.session, self.rig.till)
        self.attempts.append(attempt)
        return attempt

    def _learn_of(self, attempt: Attempt, fault: UpstreamFault) -> None:
        if fault.kind == "refused":
            self.rig.health.succeeded(attempt.endpoint.name)
        else:
            self.rig.health.failed(attempt.endpoint.name, time.monotonic(), fault.retry_after_s)

    async def _after(
        self, fault: UpstreamFault, column: int, used: frozenset[str], deadline: float
    ) -> tuple[Held, int] | None:
        """What to try after a fault: another endpoint, the same once more, the next best model; or nothing."""
        if fault.kind == "refused":
            return None
        model, failure = self.plan.scheme.models[column], self.plan.scheme.settings.failure
        if self._other_endpoint(model, used) or (fault.may_pass and self.retries < failure.retries):
            if not self._other_endpoint(model, used):
                self.retries += 1
                if not await self._paused(fault, deadline):
                    return self._next(None)
            return self._next(column) or self._next(None)
        return self._next(None)

    def _other_endpoint(self, model: Model, used: frozenset[str]) -> bool:
        now = time.monotonic()
        return any(e.name not in used and self.rig.health.state(e.name, now) == "open" for e in model.endpoints)

    async def _paused(self, fault: UpstreamFault, deadline: float) -> bool:
        """Whether it paused: not where the pause that the upstream asks for is long or there is no time for it."""
        mean = self.plan.scheme.settings.failure.backoff_s * 2.0 ** (self.retries - 1)
        pause = max(fault.retry_after_s or 0.0, mean * self.rig.rng.uniform(0.5, 1.5))
        if pause > LONGEST_PAUSE_S or asyncio.get_running_loop().time() + pause >= deadline:
            return False
        await asyncio.sleep(pause)
        return True

    def _next(self, again: int | None) -> tuple[Held, int] | None:
        """Money for a further hop, and its column."""
        failure = self.plan.scheme.settings.failure
        if again is None and len(self.tried) > failure.fallbacks:
            return None
        self.hops += 1
        held = self.rig.switchboard.next_hop(self.plan, self.hops, frozenset(self.tried), again=again)
        if held is None:
            return None
        column = self.plan.scheme.column[self.plan.options[held.option].key]
        self.tried.add(column)
        return held, column

    # The answer

    async def _whole(self, attempt: Attempt) -> Outcome:
        attempt.settle()
        await self.client.answer(200, [JSON, *self._headers(attempt)], attempt.body)
        return "served"

    async def _stream(self, attempt: Attempt, deadline: float, watch: _Watch) -> Outcome:
        """Relays; says so when the upstream fails."""
        try:
            await self.client.begin(self._headers(attempt), attempt.buffered)
            await attempt.pump(self.client, deadline)
            attempt.settle()
            last = attempt.last_bytes(cost_of(attempt) if self.plan.query.wishes.stream_cost else None)
            await self.client.end(last)
            watch.stop()  # a server tells of a complete answer as of a client that has left
            await attempt.drained()
        except UpstreamFault as fault:
            self._learn_of(attempt, fault)
            attempt.settle()
            await self.client.end(attempt.stream.fail(_refusal(fault).openai()))
            return "upstream_failed"
        return "served"

    def _headers(self, attempt: Attempt) -> Headers:
        return answer_headers(self.plan, attempt, self.rig.till.recent())

    def _finished(self, outcome: Outcome) -> Finished:
        last = self.winner or (self.attempts[-1] if self.attempts else None)
        stages = self.plan.stages_s | self._stages(last)
        total = time.perf_counter() - self.began
        waited = sum(a.ended_s for a in self.attempts)
        plan, query = self.plan, self.plan.query
        model = plan.scheme.models[last.column] if last else None
        return Finished(
            decision_id=plan.decision_id,
            at_ns=self.at_ns,
            key_id=plan.key_id,
            shape=query.shape,
            asked=query.model,
            outcome=outcome,
            status=self.client.status or (GONE if outcome == "client_gone" else 502),
            reason=plan.reason,
            model=model.id if model else None,
            provider=model.provider if model else "",
            endpoint=last.endpoint.name if last else "",
            stream=query.stream,
            usage=last.usage if last else None,
            cost_nano=sum(attempt.cost_nano for attempt in self.attempts),
            held_nano=last.held_nano if last else 0,
            overrun_nano=sum(attempt.overrun_nano for attempt in self.attempts),
            hops=tuple(attempt.hop() for attempt in self.attempts),
            stages_s=stages,
            total_s=total,
            overhead_s=max(0.0, total - waited),
            candidates=plan.candidates,
            funds=tuple((line.fund, line.amount) for line in last.receipt) if last else (),
            input_chars=0 if query.images else query.input_chars,
            parent=self.client.headers.get("traceparent", ""),
            propensity=plan.propensity if last and plan.ranked and last.column == plan.ranked[0] else None,
            basis=Basis(plan),
            part=plan.part,
        )

    def _stages(self, last: Attempt | None) -> dict[str, float]:
        """Seconds of the stages that were reached, from the first call on: each one without those before it."""
        if last is None or not last.connect_s:
            return {}
        stages = {"connect": last.began - self.attempts[0].began + last.connect_s}
        if last.first_token_s:
            stages["first_token"] = last.first_token_s - last.connect_s
            stages["relay"] = max(0.0, last.ended_s - last.first_token_s)
        return stages


class _Watch:
    """Cancels the task that made it when the client leaves."""

    def __init__(self, client: Client) -> None:
        self._task = asyncio.current_task()
        self._client = client
        self._watcher = asyncio.ensure_future(self._look())

    async def _look(self) -> None:
        await self._client.left()
        if self._task is not None:
            self._task.cancel()

    def caught(self) -> bool:
        """Whether a cancellation of the task was this watch's; it is undone then."""
        if self._client.gone and self._task is not None:
            self._task.uncancel()
            return True
        return False

    def stop(self) -> None:
        """Looks no more."""
        self._watcher.cancel()


async def _first_success(racing: set[asyncio.Task[Attempt]]) -> Attempt:
    """The first of the tasks to succeed; the last failure where none does."""
    pending, failure = set(racing), BaseException()
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            failed = task.exception()
            if failed is None:
                return task.result()
            failure = failed
    raise failure


def _refusal(fault: UpstreamFault) -> Refusal:
    """What a fault means to the client."""
    kind = FAULT_TYPE.get(fault.kind, "upstream_error")
    status = fault.status if fault.kind == "refused" else 0
    return PassedOn(
        kind, fault.message, code=fault.kind, retry_after_s=fault.retry_after_s, status=status, raw=fault.body
    )
