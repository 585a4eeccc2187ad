"""One call to one endpoint: opened, read to its first token or whole, and settled exactly once.

Takes a plan, what was held and an endpoint; gives bytes for the client and a receipt for the ledger. `settle` waits
for nothing, so it runs in the `finally` of a cancelled task, and it is told what is known: usage as reported, else
an estimate that says so. Only a call that surely cost nothing is void.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any

import aiohttp
from yarl import URL

from pointsman.ledger.entries import Ending, Held, Line
from pointsman.pool.billing import bill
from pointsman.pool.cards import Endpoint, Usage
from pointsman.serve.client import Client, ClientGone
from pointsman.serve.connector import CONNECTED, TellingConnector
from pointsman.serve.finished import Hop
from pointsman.serve.patience import Patience
from pointsman.serve.plan import Plan
from pointsman.serve.scheme import CHARS_PER_TOKEN
from pointsman.serve.till import Till
from pointsman.serve.upstreams.adapter import Answer, FaultKind, Relay, UpstreamFault

ANSWER_BYTES = 64 * 1024 * 1024
ERROR_BYTES = 256 * 1024
DRAIN_S = 0.25
# The upstream did nothing that it could bill: it was never reached, or it said no.
FREE: frozenset[FaultKind] = frozenset({"connect", "refused", "credentials", "overloaded", "server"})


class Attempt:
    """One call; see the module.

    Attributes:
        usage: what is posted, once settled.
        cost_nano: the same in nano-dollars.
        receipt: the same on each fund.
        ended_s: from the call to the settling.
        fault: why it failed, None while it hasn't.
    """

    def __init__(
        self, plan: Plan, held: Held, column: int, endpoint: Endpoint, session: aiohttp.ClientSession, till: Till
    ) -> None:
        self.plan, self.held, self.column, self.endpoint = plan, held, column, endpoint
        self._session, self._till = session, till
        self._adapter = plan.scheme.adapters[endpoint.kind]
        self._response: aiohttp.ClientResponse | None = None
        self.relay: Relay | None = None
        self.answer: Answer | None = None
        self.usage: Usage | None = None
        self.fault: FaultKind | None = None
        self.cost_nano = 0
        self.receipt: tuple[Line, ...] = ()
        self.ended_s = 0.0
        self.settled = self._sent = False
        self.buffered = b""
        self.began = time.perf_counter()
        self.first_token_s = self.connect_s = 0.0

    @property
    def stream(self) -> Relay:
        """The stream that has begun."""
        if self.relay is None:
            raise RuntimeError("no stream has begun")
        return self.relay

    @property
    def body(self) -> bytes:
        """The whole answer, for the client."""
        if self.answer is None:
            raise RuntimeError("no answer was read")
        return self.answer.body

    async def open(self, deadline: float) -> None:
        """Calls, and reads the whole answer or a stream's beginning up to its first content.

        Args:
            deadline: loop time at which it must be done.

        Raises:
            UpstreamFault: it failed; nothing has reached the client.
            Refusal: the query can't be said to this upstream.
        """
        failure = self.plan.scheme.settings.failure
        loop = asyncio.get_running_loop()
        stream = self.plan.query.stream
        first = min(deadline, loop.time() + failure.first_token_s) if stream else deadline
        try:
            async with asyncio.timeout_at(first):
                response = await self._call()
                self.connect_s = time.perf_counter() - self.began
                if response.status // 100 != 2:
                    await self._raise_fault(response)
                if stream:
                    await self._to_first_token(response)
                else:
                    self.answer = self._adapter.read(self.plan.query, self.endpoint, await _whole(response))
        except aiohttp.ClientError as error:  # first: aiohttp's own time-outs are TimeoutErrors too
            raise self._failed(_connection_fault(error)) from None
        except TimeoutError:
            raise self._failed(UpstreamFault("timeout", "The model didn't answer in time.")) from None
        except UpstreamFault as fault:
            raise self._failed(fault) from None
        self.first_token_s = time.perf_counter() - self.began

    async def _call(self) -> aiohttp.ClientResponse:
        call = self._adapter.call(self.plan.query, self.endpoint)
        # A connector that can't tell leaves a call as good as sent.
        self._sent = not isinstance(self._session.connector, TellingConnector)
        CONNECTED.set(self._connected)
        self._response = await self._session.post(
            _url(call.url), data=call.body, headers=call.headers, allow_redirects=False
        )
        return self._response

    def _connected(self) -> None:
        """There is a connection, and the request is about to be written."""
        self._sent = True

    async def _raise_fault(self, response: aiohttp.ClientResponse) -> None:
        body = await response.content.read(ERROR_BYTES)
        raise self._adapter.fault(self.plan.query, self.endpoint, response.status, response.headers, body)

    async def _to_first_token(self, response: aiohttp.ClientResponse) -> None:
        self.relay = self._adapter.relay(self.plan.query, self.endpoint)
        parts = []
        while not (self.relay.begun or self.relay.ended):
            data = await response.content.readany()
            if not data:
                self.relay.finish()  # raises an error event that came together with what was fed last
                raise UpstreamFault("broken", "The model's stream ended before it began.")
            parts.append(self.relay.feed(data))
        self.buffered = b"".join(parts)

    async def pump(self, client: Client, deadline: float) -> None:
        """Relays the rest of a stream to the client, up to its end marker, which is kept back.

        Raises:
            UpstreamFault: the stream broke, hung or can't be read; what was relayed stands.
            ClientGone: the client doesn't read.
        """
        failure, loop = self.plan.scheme.settings.failure, asyncio.get_running_loop()
        patience = self.plan.scheme.settings.server.client_timeout_s
        response, relay, sending = self._response, self.stream, False
        try:
            async with Patience() as limit:
                while response is not None and not relay.ended:
                    limit.until(min(deadline, loop.time() + failure.between_tokens_s))
                    data = await response.content.readany()
                    if not data:
                        return
                    piece = relay.feed(data)
                    if piece:
                        sending = True
                        limit.until(loop.time() + patience)
                        await client.more(piece)
                        sending = False
        except aiohttp.ClientError:
            raise self._failed(UpstreamFault("broken", "The model's stream broke off.")) from None
        except TimeoutError:
            if sending:
                raise ClientGone from None
            raise self._failed(UpstreamFault("timeout", "The model stopped answering.")) from None
        except UpstreamFault as fault:
            raise self._failed(fault) from None

    def last_bytes(self, cost: Mapping[str, Any] | None) -> bytes:
        """What ends the stream.

        Raises:
            UpstreamFault: the upstream closed before its end.
        """
        try:
            return self.stream.finish(cost)
        except UpstreamFault as fault:
            raise self._failed(fault) from None

    def settle(self) -> None:
        """Posts what was used, or voids a call that cost nothing. Sync, and done once."""
        if self.settled:
            return
        self.settled = True
        self.ended_s = time.perf_counter() - self.began
        if not self._sent or (self.fault in FREE and not self._answering):
            self._till.end(Ending(self.held.id, "void"))
            return
        self.usage = self._used()
        scheme = self.plan.scheme
        self.cost_nano = bill(self.usage, scheme.rates[self.column])
        tokens = self.usage.input_tokens + self.usage.output_tokens
        self.receipt = scheme.receipt(self.column, self.plan.drawn, self.cost_nano, tokens)
        self._till.end(Ending(self.held.id, "post", self.receipt))

    @property
    def _answering(self) -> bool:
        """Whether a stream had begun, in its content or its counts: what an upstream says no to then, it bills."""
        return self.relay is not None and (self.relay.begun or self.relay.usage is not None)

    def _used(self) -> Usage:
        """Usage as reported; where an answer broke off or reported none, what was certainly read and written."""
        reported = self.answer.usage if self.answer else self.relay.usage if self.relay else None
        whole = self.answer is not None or (self.relay is not None and self.relay.ended)
        if reported is not None and whole:
            return reported
        chars = self.answer.output_chars if self.answer else self.relay.output_chars if self.relay else 0
        output = -(-chars // int(CHARS_PER_TOKEN))
        if reported is None:
            ratio = self.plan.scheme.counting.ratio[self.column]
            return Usage(round(self.plan.input_tokens * float(ratio)), output, estimated=True)
        return replace(reported, output_tokens=max(reported.output_tokens, output), estimated=True)

    def _failed(self, fault: UpstreamFault) -> UpstreamFault:
        self.fault = fault.kind
        return fault

    async def drained(self) -> None:
        """Reads the few bytes behind a stream's end marker, so that the connection can serve again."""
        with suppress(TimeoutError, aiohttp.ClientError):
            async with asyncio.timeout(DRAIN_S):
                while self._response is not None and await self._response.content.readany():
                    pass

    def close(self) -> None:
        """Settles, and cuts the connection where the answer wasn't read to its end: the upstream may stop too."""
        self.settle()
        if self._response is not None:
            self._response.close()

    def hop(self) -> Hop:
        """What this call came to."""
        model = self.plan.scheme.models[self.column].id
        return Hop(model, self.endpoint.name, self.fault, self.cost_nano, self.ended_s)

    @property
    def held_nano(self) -> int:
        """What was held for it in dollars, 0 where no fund is in dollars."""
        return self.plan.scheme.dollars(self.held.lines)

    @property
    def overrun_nano(self) -> int:
        """What it cost beyond that."""
        return max(0, self.plan.scheme.dollars(self.receipt) - self.held_nano)


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    if response.content_length is not None and response.content_length <= ANSWER_BYTES:
        return await response.read()
    return b"".join([part async for part in _bounded(response)])


async def _bounded(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > ANSWER_BYTES:
            raise UpstreamFault("garbage", "The model's answer is too large.")
        yield part


def _connection_fault(error: aiohttp.ClientError) -> UpstreamFault:
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return UpstreamFault("connect", "The model's endpoint can't be reached.")
    return UpstreamFault("broken", "The connection to the model broke off.")


@lru_cache(maxsize=1024)
def _url(text: str) -> URL:
    return URL(text, encoded=True)
