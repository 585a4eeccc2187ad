"""Many clients at once against a gateway, and an eye on its ledger meanwhile, on a connection of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from gateway_kit import PLAIN, GatewayProcess
from pointsman.ledger.entries import Balance

LEFT, BROKEN = -1, 0  # in place of a status: the client left, the gateway did
TIMEOUT_S = 60.0


@dataclass
class Sight:
    """What was seen of one fund during a storm."""

    samples: list[Balance] = field(default_factory=list)

    @property
    def most(self) -> int:
        """The most that was ever held and spent together."""
        return max(one.held + one.spent for one in self.samples)

    @property
    def most_held(self) -> int:
        """The most that was ever held at once."""
        return max(one.held for one in self.samples)


@contextlib.contextmanager
def watched(gateway: GatewayProcess, fund: str) -> Iterator[Sight]:
    """Samples a fund's balance again and again for the length of a block."""
    sight, stop = Sight(), threading.Event()

    def look() -> None:
        with gateway.book() as book:
            while not stop.wait(0.002):
                sight.samples += [one for one in book.balances(time.time_ns()) if one.fund == fund]

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield sight
    finally:
        stop.set()
        thread.join()


def storm(
    gateway: GatewayProcess,
    key: str,
    count: int,
    *,
    leaves: Callable[[int], bool] = lambda i: False,
    leave_after_s: Callable[[int], float] = lambda i: 0.05,
    **fields: Any,
) -> Counter[int]:
    """So many chat completions at once; gives how often each status was the answer.

    Args:
        leaves: which clients close their connection, after `leave_after_s` of theirs.
        fields: of the body.
    """
    return asyncio.run(_storm(gateway.url, key, count, leaves, leave_after_s, fields))


async def _storm(
    url: str,
    key: str,
    count: int,
    leaves: Callable[[int], bool],
    leave_after_s: Callable[[int], float],
    fields: dict[str, Any],
) -> Counter[int]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    headers = {"authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout, headers=headers) as http:
        return Counter(
            await asyncio.gather(
                *(
                    _client(http, url, {"messages": PLAIN} | fields, leave_after_s(i) if leaves(i) else None)
                    for i in range(count)
                )
            )
        )


async def _client(http: aiohttp.ClientSession, url: str, body: dict[str, Any], leave_s: float | None) -> int:
    """One client; its connection is cut where it leaves."""
    try:
        async with asyncio.timeout(leave_s):
            async with http.post(f"{url}/v1/chat/completions", json=body) as answer:
                await answer.read()
                return answer.status
    except TimeoutError:
        return LEFT
    except aiohttp.ClientError:
        return BROKEN
