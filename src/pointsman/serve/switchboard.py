"""Decides: queries that arrive in the same turn of the loop are embedded, estimated, scored and held for together.

Takes a query and who asks; gives a `Plan` whose first hop is held for, or a `Refusal` that says why nobody serves it.
Nobody waits for a batch to fill: an idle gateway decides one query at once, a busy one finds several in each turn.
Every model that it names has passed the hard filters, and every hold goes through the ledger.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from pointsman.decide.terms import Terms
from pointsman.ledger.entries import Ask, Balance, Ending, Held, Refused
from pointsman.pool.settings import Alias
from pointsman.records import REASONS, Estimates, Floats, Mask, Prompts
from pointsman.router import Moment, embed, route
from pointsman.serve.access import Principal
from pointsman.serve.client import ClientGone
from pointsman.serve.health import Health
from pointsman.serve.plan import Candidates, Options, Plan
from pointsman.serve.scheme import NANO, Scheme, counted_tokens
from pointsman.serve.till import Till
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.query import Query

log = logging.getLogger(__name__)

# Ids need to differ, between workers too, and nothing more: what belongs to a key is shown to that key alone.
_LOTS = random.Random(secrets.token_bytes(32))  # noqa: S311

LOOK_AGAIN_S = 0.1
LEDGER_PATIENCE_S = 5.0  # how long a query waits for a ledger that is locked
OPTIONS = 4  # models that one hold tries at once; the rest are tried after these
LEAST_CEILING = 64

Recall = Callable[[str, Query], tuple[str, int] | None]


@dataclass(slots=True)
class Asked:
    """One query on its way to a decision."""

    query: Query
    principal: Principal
    scheme: Scheme
    alias: Alias | None
    allowed: Mask
    input_tokens: float
    drawn: tuple[int, ...]
    since: float


@dataclass(slots=True, eq=False)
class Waiting:
    """One query in line for money. `queued`: its alias queues, for whatever reason there is no money now."""

    asked: Asked
    plan: Plan
    queued: bool
    future: asyncio.Future[Plan]


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
    """

    scheme: Scheme
    till: Till
    health: Health
    recall: Recall
    owner: str
    witness: Callable[[Estimates, list[tuple[int, ...]], Mask], None]
    _waiting: list[tuple[Asked, asyncio.Future[Plan]]] = field(default_factory=list)
    _line: list[Waiting] = field(default_factory=list)
    _due: bool = False
    _looking: asyncio.TimerHandle | None = None

    async def decide(
        self, query: Query, principal: Principal, left: Callable[[], Awaitable[None]] | None = None
    ) -> Plan:
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
            self._give_back(planned)
            raise
        if plan.held is not None:
            return plan
        queued = asked.alias is not None and asked.alias.scarcity == "queue"
        balances = {balance.fund: balance for balance in self.till.balances()}
        if not (queued or only_held(plan, balances)):
            raise _budget_refusal(plan)
        return await self._patient(asked, plan, left)

    async def consider(self, query: Query, principal: Principal) -> Plan:
        """The decision alone: nothing is held."""
        asked = self.admit(query, principal)
        return self._plans([asked], comes=False)[0]

    def admit(self, query: Query, principal: Principal) -> Asked:
        """A query that some model may serve, by the hard filters."""
        scheme = self.scheme
        name = query.model
        alias = scheme.aliases.get(name)
        if alias is None and name not in scheme.column:
            raise Refusal(
                "not_found_error",
                f"The model `{name[:200]}` is not known here. GET /v1/models lists those that are; `auto` chooses.",
                param="model",
                code="model_not_found",
            )
        counted = counted_tokens(query.input_chars, query.images)
        allowed = self._allowed(scheme, query, principal, alias, counted)
        tags = query.wishes.tags + principal.tags
        return Asked(
            query, principal, scheme, alias, allowed, counted, scheme.drawn(principal.key_id, tags), time.perf_counter()
        )

    def _allowed(self, scheme: Scheme, query: Query, principal: Principal, alias: Alias | None, counted: float) -> Mask:
        """Models [M] that pass every hard filter; each filter that leaves nobody is named."""
        wishes = query.wishes
        mine = scheme.kept(
            ("allowed", query.model, principal.models, wishes.models, wishes.residency, query.needs),
            lambda: self._filtered(scheme, query, principal, alias),
        )
        # The real count is within the `most` ratio, so what fits by the expected one may be tried.
        least_answer = min(query.max_output_tokens or 1, 1 << 40)
        if counted * scheme.most_ratio + least_answer > scheme.least_context:
            mine = mine & (counted * scheme.counting.ratio + least_answer <= scheme.context)
            message = f"The prompt (about {counted:,.0f} tokens) and its answer fit no allowed model's context."
            _some(mine, message, "messages")
        return self._with_health(scheme, mine)

    def _filtered(self, scheme: Scheme, query: Query, principal: Principal, alias: Alias | None) -> Mask:
        """Models [M] that pass what doesn't depend on the prompt's length or on the moment."""
        named = np.zeros(len(scheme.models), np.bool_)
        if alias is None:
            named[scheme.column[query.model]] = True
        else:
            named = scheme.matching(alias.models) & scheme.with_tags(alias.tags)
        mine = named & scheme.matching(principal.models)
        if not mine.any():
            raise Refusal("permission_error", f"This key may not use `{query.model}`.", param="model")
        if query.wishes.models:
            mine = mine & scheme.matching(query.wishes.models)
            _some(mine, "None of the models that the request allows may serve it.", "models")
        if query.wishes.residency:
            mine = mine & scheme.with_tags(query.wishes.residency)
            _some(mine, f"No model has all of the tags {', '.join(query.wishes.residency)}.", "residency")
        if alias is not None or query.needs:
            mine = mine & scheme.with_capability(query.needs) if alias is not None else mine & _capable(scheme, query)
            _some(mine, f"No allowed model offers {', '.join(sorted(query.needs)) or 'this API'}.", "model")
        return mine

    def _with_health(self, scheme: Scheme, allowed: Mask) -> Mask:
        if not self.health.troubled:
            return allowed
        now = time.monotonic()
        up = np.array([self.health.up(model.endpoints, now) for model in scheme.models], np.bool_)
        if not (allowed & up).any():
            raise Refusal(
                "upstream_overloaded", "Every endpoint that could serve this is cooling down.", retry_after_s=5
            )
        return allowed & up

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

    def _give_back(self, future: asyncio.Future[Plan]) -> None:
        """Money that was held in the very turn in which the one who waits for it was cancelled."""
        if future.done() and not future.cancelled() and future.exception() is None:
            held = future.result().held
            if held is not None:
                self.till.end(Ending(held.id, "void"))

    def _plans(self, batch: list[Asked], *, comes: bool = True) -> list[Plan]:
        """Decisions for queries under one scheme or several (a swap may fall between two of them).

        Args:
            comes: they are traffic that prices are solved for, not a question or a further look at one in line.
        """
        plans: list[Plan | None] = [None] * len(batch)
        for scheme in {id(asked.scheme): asked.scheme for asked in batch}.values():
            rows = [j for j, asked in enumerate(batch) if asked.scheme is scheme]
            for j, plan in zip(rows, self._scored(scheme, [batch[j] for j in rows], comes=comes), strict=True):
                plans[j] = plan
        return [plan for plan in plans if plan is not None]

    def _scored(self, scheme: Scheme, batch: list[Asked], *, comes: bool) -> list[Plan]:
        """The one rule, for a batch under one scheme."""
        begun = time.perf_counter()
        prompts = embed(
            [asked.query.text for asked in batch],
            scheme.snapshot.embedder,
            np.array([asked.input_tokens for asked in batch]),
        )
        terms = self._terms(scheme, batch)
        unlimited = np.full(len(scheme.funds), np.inf)  # the ledger says what can be paid, exactly, when it is held
        choices, estimates, scores, _ = route(prompts, scheme.snapshot, unlimited, Moment(0, 0.0), terms=terms)
        if comes:
            self.witness(estimates, [asked.drawn for asked in batch], np.stack([asked.allowed for asked in batch]))
        took = (time.perf_counter() - begun) / len(batch)
        ceilings = _ceilings(scheme, batch, estimates, prompts)
        worth = scores if terms.money_price is None else scores + terms.money_price[:, None] * estimates.cost_usd
        worth = worth if terms.bonus is None else worth - terms.bonus
        return [
            self._plan(asked, scheme, estimates, scores, worth[j], j, int(choices.reason[j]), ceilings[j], took)
            for j, asked in enumerate(batch)
        ]

    def _terms(self, scheme: Scheme, batch: list[Asked]) -> Terms:
        """What differs by query: who may serve it, which funds it draws on, its own price on money, where it stays."""
        shape = (len(batch), len(scheme.models))
        money, saved, bonus = np.zeros(len(batch)), None, None
        for j, asked in enumerate(batch):
            money[j] = self._money_price(scheme, asked)
            if asked.alias is None or (asked.query.turns < 2 and asked.query.wishes.session is None):
                continue
            stays = self.recall(asked.principal.key_id, asked.query)
            if stays is not None and stays[0] in scheme.column:
                saved = np.zeros(shape) if saved is None else saved
                bonus = np.zeros(shape) if bonus is None else bonus
                i = scheme.column[stays[0]]
                saved[j, i] = scheme.saved_usd(i, min(stays[1], asked.input_tokens))
                bonus[j, i] = scheme.settings.routing.stay_margin
        allowed = np.stack([asked.allowed for asked in batch])
        return Terms(allowed, tuple(asked.drawn for asked in batch), money if money.any() else None, saved, bonus)

    def _money_price(self, scheme: Scheme, asked: Asked) -> float:
        wish = asked.query.wishes.trade_off
        own = wish if wish is not None else asked.alias.trade_off if asked.alias is not None else None
        return 0.0 if own is None else scheme.trade_off_price(own)

    def _plan(
        self,
        asked: Asked,
        scheme: Scheme,
        estimates: Estimates,
        scores: Floats,
        worth: Floats,
        j: int,
        reason: int,
        ceilings: list[int],
        took: float,
    ) -> Plan:
        order = np.argsort(-scores[j], kind="stable")
        order = order[np.isfinite(scores[j, order])]
        # Costs rank too where a knob leans on money, so an order by score is the order to ask in.
        ranked, why = self._ranked(asked, estimates.cost_usd[j], worth, order.tolist())
        return Plan(
            _new_id(),
            asked.query,
            scheme,
            asked.principal.key_id,
            why or REASONS[reason],
            ranked,
            frozenset(asked.drawn),
            asked.input_tokens,
            ceilings,
            Candidates(scheme.snapshot.models, estimates, scores, j, order),
            stages_s={"decide": took},
        )

    def _ranked(self, asked: Asked, cost_usd: Floats, worth: Floats, order: list[int]) -> tuple[list[int], str]:
        """The columns that may be asked, in order, and the reason where it isn't the score's."""
        if asked.alias is None:
            return order, "named"
        order = _within_cost(asked, cost_usd, order)
        good = [i for i in order if worth[i] > 0.0]
        if asked.alias.scarcity == "serve-cheapest":
            rest = sorted((i for i in order if worth[i] <= 0.0), key=lambda i: float(cost_usd[i]))
            return good + rest, "" if good else "cheapest_payable"
        if not good and asked.alias.scarcity == "decline":
            raise Refusal(
                "not_worth_it",
                "At today's prices no model is worth what it would take from other queries.",
                code="not_worth_it",
                retry_after_s=30,
            )
        return good, ""

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
                plan.held = result
                if result.option + skip > 0 and plan.reason == "best":
                    plan.reason = "best_payable"
            elif skip == 0:
                plan.refused = result

    async def _patient(self, asked: Asked, plan: Plan, left: Callable[[], Awaitable[None]] | None) -> Plan:
        """Stands in line while the money is only held, or as long as a queueing alias allows; then is refused."""
        queued = asked.alias is not None and asked.alias.scarcity == "queue"
        patience = asked.alias.queue_s if queued and asked.alias else asked.scheme.settings.routing.patience_s
        waiting = Waiting(asked, plan, queued, asyncio.get_running_loop().create_future())
        self._line.append(waiting)
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
            raise _budget_refusal(waiting.plan) from None
        except asyncio.CancelledError:
            self._give_back(waiting.future)
            if watch is not None and watch.done() and not watch.cancelled():
                raise ClientGone from None
            raise
        finally:
            if watch is not None:
                watch.cancel()
            if waiting in self._line:
                self._line.remove(waiting)

    def _look_again(self, after_s: float) -> None:
        """Another worker's holds end without a sign, so the line is also looked at every so often."""
        self.till.on_freed = self._serve_line
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(after_s, self._serve_line)

    def _serve_line(self) -> None:
        """Holds for those in line, in their order, in one act; refuses those whom no ending of a hold would help."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        line = [one for one in self._line if not one.future.done()]
        if not line:
            self.till.on_freed = None
            return
        try:
            self._hold_line(line)
        except Refusal as refusal:
            log.warning("those who wait for money can't be served now: %s", refusal)
        self._look_again(LOOK_AGAIN_S)

    def _hold_line(self, line: list[Waiting]) -> None:
        line = [one for one in line if not one.queued or self._planned_again(one)]
        self._held([one.plan for one in line])
        balances = {balance.fund: balance for balance in self.till.balances()}
        for one in line:
            if one.plan.held is not None:
                one.future.set_result(one.plan)
            elif not (one.queued or only_held(one.plan, balances)):
                one.future.set_exception(_budget_refusal(one.plan))

    def _planned_again(self, one: Waiting) -> bool:
        """A new plan for one in a queue: prices, money, even models may have changed. The others wait for a moment."""
        try:
            one.asked = self.admit(one.asked.query, one.asked.principal)
            one.plan = self._plans([one.asked], comes=False)[0]
        except Refusal as refusal:
            one.future.set_exception(refusal)
            return False
        return True

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


def _new_id() -> str:
    """Unique, and growing with time so that the ledger's index stays compact."""
    return f"dec_{time.time_ns() // 1_000_000:012x}{_LOTS.getrandbits(48):012x}"


def only_held(plan: Plan, balances: Mapping[str, Balance]) -> bool:
    """Whether some option would fit if every open hold of its funds were given back."""
    unspent = {name: balance.amount - balance.spent for name, balance in balances.items()}
    return any(
        all(unspent.get(line.fund, -1) >= line.amount for line in plan.option(column).lines) for column in plan.ranked
    )


def conversation(key_id: str, digest: bytes) -> bytes:
    """Where a conversation is remembered: two keys never share one."""
    return blake2b(digest, digest_size=16, key=key_id.encode()[:64]).digest()


def session_digest(session: str) -> bytes:
    """The digest that stands for a session id."""
    return blake2b(session.encode(errors="surrogatepass"), digest_size=16, person=b"session").digest()


def _capable(scheme: Scheme, query: Query) -> Mask:
    """A model that the client named must have what the query needs, as far as that can be known."""
    return np.array([query.needs <= model.capabilities for model in scheme.models], np.bool_)


def _some(allowed: Mask, message: str, param: str) -> None:
    if not allowed.any():
        raise Refusal("no_capable_model", message, param=param)


def _within_cost(asked: Asked, cost_usd: Floats, order: list[int]) -> list[int]:
    """The columns whose expected cost is within the request's and the alias's limits."""
    limits = [limit for limit in (asked.query.wishes.max_cost_nano, asked.alias and asked.alias.max_cost_nano) if limit]
    if not limits:
        return order
    most = min(limits) / NANO
    within = [i for i in order if cost_usd[i] <= most]
    if not within:
        raise Refusal(
            "budget_exceeded",
            f"No model is expected to answer this for at most {most:.6f} USD.",
            param="max_cost_usd",
            code="max_cost",
        )
    return within


def _ceilings(scheme: Scheme, batch: list[Asked], estimates: Estimates, prompts: Prompts) -> list[list[int]]:
    """How long answers may get, in tokens over all choices, by query and column."""
    expected = np.maximum(0.0, estimates.tokens - prompts.input_tokens[:, None] * scheme.counting.ratio)
    quantile = np.maximum(expected * scheme.counting.ceiling, LEAST_CEILING)
    most = np.array([model.max_output_tokens or 1 << 40 for model in scheme.models])
    table = np.ceil(np.minimum(quantile, most)).astype(np.int64).tolist()
    return [_within_limit(scheme, asked.query, row, most.tolist()) for asked, row in zip(batch, table, strict=True)]


def _within_limit(scheme: Scheme, query: Query, row: list[int], most: list[int]) -> list[int]:
    if "embeddings" in query.needs:
        return [0] * len(row)
    rule, limit = scheme.settings.routing.ceiling, query.max_output_tokens
    if limit is not None:
        row = [min(each, limit) for each in row] if rule == "quantile" else [min(limit, each) for each in most]
    elif rule == "model":
        row = [one if one < 1 << 40 else each for one, each in zip(most, row, strict=True)]
    return [each * query.choices for each in row]


def _budget_refusal(plan: Plan) -> Refusal:
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
