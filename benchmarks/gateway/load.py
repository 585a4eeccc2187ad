"""The load generator: a closed loop of keep-alive connections, HTTP/1.1 by hand on uvloop protocols.

Takes a port, request bodies and a duration; gives the latency of every answer and what was wrong. It reads no more of
an answer than its status and where it ends, so that it needs a small part of a core where a relay needs a whole one.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import orjson
import uvloop

PROMPT_WORDS = 24  # about 30 tokens
TEXT = (
    "what is the sum of all odd numbers between two primes explain why water boils faster on high mountains write a "
    "short poem about an old lighthouse translate this sentence into french compare both answers and give reasons "
    "list five countries that border one ocean find a bug in my python function sort these names by length describe "
    "how plants make sugar from light convert miles to metres prove the theorem in simple words suggest a title"
)
VOCABULARY = TEXT.split()
END = b"\r\n0\r\n\r\n"


@dataclass
class Measured:
    """What one run came to.

    Attributes:
        seconds: how long it ran.
        latencies_s: of every good answer.
        bad: statuses other than 200, by number, and 0 for connections that broke.
        answered_bytes: of bodies and heads.
    """

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    bad: dict[int, int] = field(default_factory=dict)
    answered_bytes: int = 0

    @property
    def per_second(self) -> float:
        """Good answers a second."""
        return len(self.latencies_s) / self.seconds

    def quantile_ms(self, q: float) -> float:
        """Of the latencies; NaN where nothing was answered."""
        return float(np.quantile(self.latencies_s, q)) * 1000 if self.latencies_s else float("nan")


def bodies(count: int, seed: int, *, stream: bool) -> list[bytes]:
    """Chat requests to `auto` with prompts of about 30 tokens, each different."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        text = f"{i + seed * count}: " + " ".join(rng.choice(VOCABULARY, PROMPT_WORDS))
        body = {"model": "auto", "messages": [{"role": "user", "content": text}]}
        found.append(orjson.dumps(body | {"stream": True} if stream else body))
    return found


def requests(port: int, key: str, contents: list[bytes]) -> list[bytes]:
    """The same as bytes on the wire."""
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
        "content-type: application/json\r\naccept: */*\r\nuser-agent: load\r\ncontent-length: "
    ).encode()
    return [head + str(len(body)).encode() + b"\r\n\r\n" + body for body in contents]


class Connection(asyncio.Protocol):
    """One client: asks, reads to the end of the answer, asks again."""

    def __init__(self, asked: Iterator[bytes], measured: Measured) -> None:
        self._asked, self._measured = asked, measured
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.running = True
        self._busy = False
        self._transport: asyncio.Transport
        self._sent = 0.0
        self._head = b""
        self._left = -1  # bytes to come; -1 before the head is read, -2 for a chunked answer
        self._tail = b""
        self._status = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's isn't one by name
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._busy:
            self._measured.bad[0] = self._measured.bad.get(0, 0) + 1
        if not self.done.done():
            self.done.set_result(None)

    def _ask(self) -> None:
        self._head, self._tail, self._left, self._busy = b"", b"", -1, True
        self._sent = time.perf_counter()
        self._transport.write(next(self._asked))

    def data_received(self, data: bytes) -> None:
        self._measured.answered_bytes += len(data)
        if self._left == -1:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            data = self._head[end + 4 :]
            self._read_head(self._head[:end].lower())
        if self._left == -2:
            self._tail = data[-7:] if len(data) >= 7 else (self._tail + data)[-7:]
            if self._tail == END:
                self._answered()
            return
        self._left -= len(data)
        if self._left <= 0:
            self._answered()

    def _read_head(self, head: bytes) -> None:
        self._status = int(head[9:12])
        at = head.find(b"content-length:")
        self._left = -2 if at < 0 else int(head[at + 15 :].split(b"\r\n", 1)[0])

    def _answered(self) -> None:
        self._busy = False
        if self._status == 200:
            self._measured.latencies_s.append(time.perf_counter() - self._sent)
        else:
            self._measured.bad[self._status] = self._measured.bad.get(self._status, 0) + 1
        if self.running:
            self._ask()
        else:
            self._transport.close()


async def drive(port: int, asked: list[bytes], connections: int, seconds: float) -> Measured:
    """Keeps `connections` busy for so long; every request begun is read to its end, but counts for the time alone."""
    loop, measured, turn = asyncio.get_running_loop(), Measured(), itertools.cycle(asked)
    clients = []
    began = time.perf_counter()
    for _ in range(connections):
        _, client = await loop.create_connection(lambda: Connection(turn, measured), "127.0.0.1", port)
        clients.append(client)
    await asyncio.sleep(seconds)
    measured.seconds = time.perf_counter() - began
    kept = len(measured.latencies_s)
    for client in clients:
        client.running = False
    await asyncio.wait([client.done for client in clients], timeout=10)
    del measured.latencies_s[kept:]
    return measured


def load(port: int, asked: list[bytes], connections: int, seconds: float) -> Measured:
    """The same, for a caller without a loop."""
    return uvloop.run(drive(port, asked, connections, seconds))
