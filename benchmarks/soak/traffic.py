"""Mixed load on a running gateway: what clients do, right and wrong, at a moderate rate.

Takes the gateway's address and keys; gives counts of what was answered, and of what was answered otherwise than it
should. Half of the acts are plain queries; the others leave early, ask for nonsense, meet upstreams that fail, give
feedback, change keys and reload the configuration.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

WORDS = (
    "compare", "explain", "river", "budget", "python", "letter", "number", "theory", "garden", "signal", "history",
    "proof", "market", "engine", "window", "music", "planet", "contract", "verb", "atom",
)  # fmt: skip
# An upstream that fails: retried, passed on to another model where the client left the choice, refused otherwise.
FAILING = {200, 429, 502, 503, 504}
QUIET_S = 30.0


@dataclass
class Tally:
    """What happened."""

    done: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)


@dataclass
class Traffic:
    """One load.

    Args:
        url: the gateway's address.
        master: its master key.
        key: a virtual one.
        config: its file; a fund's amount in it is changed now and then.
    """

    url: str
    master: str
    key: str
    config: Path
    rng: random.Random
    tally: Tally = field(default_factory=Tally)
    decisions: list[str] = field(default_factory=list)
    session: aiohttp.ClientSession = field(init=False)
    made: int = 0

    async def run(self, seconds: float, rate: float, clients: int) -> None:
        """Keeps `clients` busy at `rate` acts a second altogether, for so long."""
        until = time.monotonic() + seconds
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=15)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(QUIET_S)) as self.session:
            lots = [self._client(until, clients / rate) for _ in range(clients)]
            await asyncio.gather(*lots, self._administer(until))

    async def _client(self, until: float, pause_s: float) -> None:
        await asyncio.sleep(self.rng.uniform(0, pause_s))
        while (began := time.monotonic()) < until:
            act = self.rng.choices(ACTS, WEIGHTS)[0]
            await self._safely(act.__name__, lambda act=act: act(self))  # type: ignore[misc]
            await asyncio.sleep(max(0.0, began + pause_s * self.rng.uniform(0.5, 1.5) - time.monotonic()))

    async def _administer(self, until: float) -> None:
        """Keys made, used and revoked; reloads, every third of a file that can't be used."""
        turn = 0
        while time.monotonic() < until:
            turn += 1
            await self._safely("a key's life", self._a_keys_life)
            if turn % 3 == 0:
                broken = turn % 9 == 0
                await self._safely("reload", lambda broken=broken: self._reload(broken=broken))  # type: ignore[misc]
            await asyncio.sleep(5)

    async def _safely(self, name: str, act: Callable[[], Awaitable[None]]) -> None:
        self.tally.done[name] += 1
        try:
            await act()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.tally.wrong[f"{name}: {type(error).__name__}"] += 1

    # What can be asked

    def text(self) -> str:
        """A prompt of one to sixty words."""
        return " ".join(self.rng.choices(WORDS, k=self.rng.randint(1, 60)))

    def chat(self, model: str = "auto", **more: Any) -> dict[str, Any]:
        """A chat's body."""
        return {"model": model, "messages": [{"role": "user", "content": self.text()}], **more}

    async def ask(
        self, path: str, body: Any, *, good: set[int] | int = 200, name: str = "", key: str = "", **more: str
    ) -> bytes:
        """Posts, reads to the end, and notes a status that isn't a good one."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = {"authorization": f"Bearer {key or self.key}", "content-type": "application/json", **more}
        async with self.session.post(self.url + path, data=data, headers=headers) as answer:
            read = await answer.read()
            self.note(name or path, answer.status, good, read)
            decision = answer.headers.get("x-pointsman-decision-id")
            if decision and answer.status == 200:
                self.decisions = [*self.decisions[-50:], decision]
        return read

    def note(self, name: str, status: int, good: set[int] | int, read: bytes = b"") -> None:
        """A status; what came with a wrong one is kept in short."""
        self.tally.statuses[status] += 1
        if status not in ({good} if isinstance(good, int) else good):
            self.tally.wrong[f"{name}: {status} {read[:120].decode(errors='replace')}"] += 1

    # Administration

    async def _a_keys_life(self) -> None:
        self.made += 1
        limits = {"budget_usd": "0.5", "requests_per_minute": 1_000} if self.made % 2 else {}
        body = {"id": f"soak-{self.made}", "models": ["ok/*"], **limits}
        made = orjson.loads(await self.ask("/admin/keys", body, good=201, name="key made", key=self.master))
        await asyncio.sleep(1.2)  # until every worker has seen it
        await self.ask("/v1/chat/completions", self.chat(), name="with a new key", key=made["key"])
        headers = {"authorization": f"Bearer {self.master}"}
        async with self.session.delete(f"{self.url}/admin/keys/soak-{self.made}", headers=headers) as answer:
            self.note("key revoked", answer.status, 200, await answer.read())
        await asyncio.sleep(1.2)
        await self.ask("/v1/chat/completions", self.chat(), good=401, name="with a revoked key", key=made["key"])

    async def _reload(self, *, broken: bool) -> None:
        before = self.config.read_text()
        amount = f"amount: {self.rng.randint(900_000, 999_999)}  # of the day"
        lines = [f"    {amount}" if "# of the day" in line else line for line in before.splitlines()]
        after = "\n".join(lines) + "\n"
        aside = self.config.with_suffix(".new")
        aside.write_text(after + ("nonsense: true\n" if broken else ""))
        aside.rename(self.config)
        good = {400} if broken else {200}
        await self.ask("/admin/reload", {}, good=good, name="reload", key=self.master)
        if broken:
            aside.write_text(before)
            aside.rename(self.config)


async def chat(traffic: Traffic) -> None:
    await traffic.ask("/v1/chat/completions", traffic.chat())


async def stream(traffic: Traffic) -> None:
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if traffic.rng.random() < 0.5 else {}
    read = await traffic.ask("/v1/chat/completions", traffic.chat(stream=True, **options), name="stream")
    if not read.rstrip().endswith(b"data: [DONE]"):
        traffic.tally.wrong[f"stream: ends with {read[-60:]!r}"] += 1


async def conversation(traffic: Traffic) -> None:
    turns = [{"role": "user", "content": traffic.text()}]
    for _ in range(traffic.rng.randint(2, 4)):
        answer = orjson.loads(await traffic.ask("/v1/chat/completions", {"model": "auto", "messages": turns}))
        turns += [answer["choices"][0]["message"], {"role": "user", "content": traffic.text()}]


async def messages(traffic: Traffic) -> None:
    body = traffic.chat(max_tokens=200, stream=traffic.rng.random() < 0.5)
    await traffic.ask("/v1/messages", body)


async def responses(traffic: Traffic) -> None:
    await traffic.ask("/v1/responses", {"model": "auto", "input": traffic.text(), "stream": traffic.rng.random() < 0.5})


async def completions(traffic: Traffic) -> None:
    await traffic.ask("/v1/completions", {"model": "auto", "prompt": traffic.text()})


async def embeddings(traffic: Traffic) -> None:
    await traffic.ask("/v1/embeddings", {"model": "ok/embed", "input": [traffic.text(), traffic.text()]})


async def nonsense(traffic: Traffic) -> None:
    bodies: list[tuple[Any, int]] = [
        (b"{", 400),
        ([], 400),
        ({"model": "auto"}, 400),
        ({"model": "no/such", "messages": [{"role": "user", "content": "x"}]}, 404),
        (traffic.chat(temperature="warm", n=0), 400),
        (traffic.chat(pointsman={"unknown": 1}), 400),
    ]
    body, status = traffic.rng.choice(bodies)
    await traffic.ask("/v1/chat/completions", body, good=status, name="nonsense")


async def no_key(traffic: Traffic) -> None:
    await traffic.ask("/v1/chat/completions", traffic.chat(), good=401, key="sk-pm-nobody-has-this-one")


async def leaves(traffic: Traffic) -> None:
    """A client that goes before the answer, or in the middle of a stream."""
    headers = {"authorization": f"Bearer {traffic.key}", "content-type": "application/json"}
    body = orjson.dumps(traffic.chat("ok/slow", stream=True))
    timeout = aiohttp.ClientTimeout(sock_read=QUIET_S)
    async with aiohttp.ClientSession(timeout=timeout) as own:
        asking = own.post(f"{traffic.url}/v1/chat/completions", data=body, headers=headers)
        try:
            async with asyncio.timeout(traffic.rng.uniform(0.02, 0.8)), asking as answer:
                async for _ in answer.content.iter_any():
                    pass
        except TimeoutError:
            return


async def failing(traffic: Traffic) -> None:
    """A model whose upstream fails, in one of the ways of upstreams."""
    model = traffic.rng.choice(["bad/errors", "bad/limited", "bad/cut", "bad/garbage"])
    stream = traffic.rng.random() < 0.5
    await traffic.ask("/v1/chat/completions", traffic.chat(model, stream=stream), good=FAILING, name=model)


async def hanging(traffic: Traffic) -> None:
    """A model that never answers: the gateway's own time-out answers for it."""
    await traffic.ask("/v1/chat/completions", traffic.chat("bad/hangs", stream=True), good=FAILING, name="hanging")


async def falls_back(traffic: Traffic) -> None:
    """A choice among models of which most fail."""
    body = traffic.chat(pointsman={"models": ["bad/errors", "bad/limited", "ok/small"]})
    await traffic.ask("/v1/chat/completions", body, good=FAILING, name="fallback")


async def feedback(traffic: Traffic) -> None:
    if traffic.decisions:
        body = {"decision_id": traffic.rng.choice(traffic.decisions), "score": traffic.rng.random()}
        # Another worker's decision shows a moment after its end.
        await traffic.ask("/v1/feedback", body, good={200, 404})


async def looks(traffic: Traffic) -> None:
    """Pages that people and scrapers read."""
    path = traffic.rng.choice(["/v1/models", "/v1/funds", "/metrics", "/health/readiness", "/openapi.json"])
    async with traffic.session.get(traffic.url + path, headers={"authorization": f"Bearer {traffic.master}"}) as answer:
        traffic.note(path, answer.status, 200, await answer.read())


async def route_only(traffic: Traffic) -> None:
    await traffic.ask("/v1/route", {"prompt": traffic.text()})


Act = Callable[[Traffic], Awaitable[None]]
SHARES: dict[Act, int] = {
    chat: 30,
    stream: 15,
    conversation: 3,
    messages: 8,
    responses: 6,
    completions: 4,
    embeddings: 6,
    nonsense: 6,
    no_key: 2,
    leaves: 6,
    failing: 5,
    hanging: 1,
    falls_back: 2,
    feedback: 4,
    looks: 2,
    route_only: 2,
}
ACTS, WEIGHTS = list(SHARES), list(SHARES.values())
