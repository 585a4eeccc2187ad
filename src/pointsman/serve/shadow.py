"""Mirrored traffic: a share of what was served is asked of models in the shadow too, and nobody gets their answers.

Takes exchanges that have ended, when their clients have their answers; asks through the same switchboard, ledger and
exchange as every query, without streaming, as a principal of its own whose fund limits what a day of it costs. What
comes of it is recorded like a live answer: lengths, costs and times; and where prompts are kept, an outcome of the same
prompt, so that both models stand in one row. Nothing here delays or fails a client: what waits is bounded, what is too
much is dropped and counted, and all of it ends with the gateway. It judges nothing: a score comes by feedback on the
decision, or not at all.

A query is mirrored only where it could have been sent to the model if that were serving: its alias, its key, its own
candidates and its residency allow it. One that names a model isn't, nor one with pictures or sound.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np

from pointsman.pool.cards import Capability, Shape
from pointsman.records import Mask
from pointsman.serve.access import Principal
from pointsman.serve.client import Client, ClientGone, Message
from pointsman.serve.exchange import Exchange, Rig
from pointsman.serve.finished import Finished
from pointsman.serve.keys import SHADOW
from pointsman.serve.metrics import Metrics
from pointsman.serve.recorder import ONBOARDING, Recorder
from pointsman.serve.scheme import Scheme
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.query import Query, Wishes

WAITING = 64  # copies that wait to be asked; of one worker
AT_ONCE = 2  # and that are asked at the same time
MOST_CHARS = 200_000  # of a prompt that is worth mirroring
SHAPES: frozenset[Shape] = frozenset({"chat", "messages", "responses"})
LEFT_OUT: frozenset[Capability] = frozenset({"vision", "audio", "embeddings"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Copy:
    """One query to be asked of one model in the shadow.

    Attributes:
        query: as the client sent it.
        model: the id in the shadow.
        served_id: the decision that the client was served by.
    """

    query: Query
    model: str
    served_id: str


class Shadow:
    """One worker's.

    Args:
        rig: what exchanges use.
        recorder: told what came of each copy.
        metrics: counts them.
        rng: whose lots fall on what is mirrored.
    """

    def __init__(self, rig: Rig, recorder: Recorder, metrics: Metrics, rng: random.Random) -> None:
        self._rig, self._recorder, self._metrics, self._rng = rig, recorder, metrics, rng
        self._waiting: asyncio.Queue[Copy] = asyncio.Queue(WAITING)
        self._tasks = [asyncio.create_task(self._work()) for _ in range(AT_ONCE)]

    def offer(self, finished: Finished, query: Query, principal: Principal) -> None:
        """An exchange that has ended: mirrored, if the lot falls on it. Waits for nothing and never fails."""
        scheme = self._rig.switchboard.scheme
        if finished.outcome != "served" or scheme.all_serve:
            return
        try:
            for column in np.flatnonzero(mirrored_to(scheme, query, principal)):
                model = scheme.models[column].id
                if self._rng.random() < share_of(scheme.settings.learning.shadow_share, model):
                    self._put(Copy(query, model, finished.decision_id))
        except Exception:
            log.exception("a query could not be mirrored")

    def _put(self, copy: Copy) -> None:
        try:
            self._waiting.put_nowait(copy)
        except asyncio.QueueFull:
            self._metrics.mirrored(copy.model, "dropped")

    async def stop(self) -> None:
        """Asks nobody any more; what is under way is cut off and settled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            copy = await self._waiting.get()
            try:
                await self._ask(copy)
            except Refusal as refusal:
                self._metrics.mirrored(copy.model, "refused")
                log.debug("a mirrored query was refused: %s", refusal)
            except ClientGone:  # there was no money at once: nobody waits for it in line
                self._metrics.mirrored(copy.model, "refused")
            except Exception:
                self._metrics.mirrored(copy.model, "failed")
                log.exception("a mirrored query failed by a fault of the gateway's own")

    async def _ask(self, copy: Copy) -> None:
        began, at_ns = time.perf_counter(), time.time_ns()
        principal = Principal(SHADOW, models=(copy.model,))
        plan = await self._rig.switchboard.decide(copied(copy.query, copy.model), principal, _gone)
        exchange = Exchange(self._rig, plan, nobody(), at_ns, began)
        try:
            await exchange.run(lambda finished: self._witness(finished, copy))
        except Refusal:
            log.debug("the model %s in the shadow didn't answer", copy.model)  # the witness has counted it

    def _witness(self, finished: Finished, copy: Copy) -> None:
        self._recorder.mirrored(finished, copy.query, copy.served_id)
        self._metrics.mirrored(copy.model, "served" if finished.outcome == "served" else "failed", finished.cost_nano)


def mirrored_to(scheme: Scheme, query: Query, principal: Principal) -> Mask:
    """Models [M] in the shadow that this query could have been sent to if they were serving."""
    alias = scheme.aliases.get(query.model)
    fit = query.shape in SHAPES and query.images == 0 and query.input_chars <= MOST_CHARS
    if alias is None or not fit or query.needs & LEFT_OUT or principal.key_id.startswith(ONBOARDING):
        return np.zeros(len(scheme.models), np.bool_)
    wishes = query.wishes
    allowed = scheme.shadowed & scheme.matching(alias.models) & scheme.with_tags(alias.tags)
    allowed = allowed & scheme.matching(principal.models) & scheme.matching(wishes.models)
    return allowed & scheme.with_tags(wishes.residency) & scheme.with_capability(query.needs - {"streaming"})


def share_of(share: float | Mapping[str, float], model: str) -> float:
    """How much of the traffic a model gets: of several patterns that it fits, the first one's."""
    if not isinstance(share, Mapping):
        return share
    return next((own for pattern, own in share.items() if fnmatchcase(model, pattern)), 0.0)


def copied(query: Query, model: str) -> Query:
    """The query for another model: not streamed, with none of the client's wishes but where its data may go."""
    body = {name: value for name, value in query.body.items() if name not in {"stream", "stream_options"}}
    return replace(
        query,
        body=body | {"model": model},
        model=model,
        stream=False,
        wants_usage=False,
        needs=query.needs - {"streaming"},
        wishes=Wishes(residency=query.wishes.residency),
        idempotency=None,
    )


def nobody() -> Client:
    """A client that reads every answer, keeps none and never leaves."""

    async def receive() -> Message:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        return None

    return Client({"type": "http", "headers": []}, receive, send)


async def _gone() -> None:
    """Nobody waits in line for money."""
