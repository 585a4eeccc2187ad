"""The gateway's rooms in one process: models, schemes, a switchboard over a ledger in memory, a client made of lists.

Nothing here listens or starts a process. Estimates are told by hand, so that a decision can be computed beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from pointsman.decide.policies.standing import StandingState
from pointsman.ledger.entries import Ended, Ending, Held, Refused
from pointsman.ledger.memory import MemoryBook
from pointsman.pool.cards import Endpoint, Model, Rates, Shape, Step
from pointsman.pool.settings import Alias, FundRule, Settings
from pointsman.records import Estimates, Floats, Mask, Prompts, Vectors
from pointsman.serve.access import Principal
from pointsman.serve.build import build_scheme
from pointsman.serve.client import Client
from pointsman.serve.health import Health
from pointsman.serve.scheme import Scheme
from pointsman.serve.switchboard import Switchboard
from pointsman.serve.till import Till
from pointsman.serve.wire.query import Query
from pointsman.serve.wire.reading import read_query

DAY = date(2026, 11, 1)
ADMIN = Principal("master", admin=True)
USD = 1_000_000_000


class Dot:
    """An embedder of one dimension, in which all texts are alike."""

    name, dimension = "dot", 1

    def embed(self, texts: Sequence[str]) -> Vectors:
        return np.ones((len(texts), 1), np.float32)


@dataclass(frozen=True)
class Told:
    """An estimator that says of every prompt what it was told: quality and dollars by model, tokens at one rate."""

    models: tuple[str, ...]
    quality: tuple[float, ...]
    cost_usd: tuple[float, ...]
    output_tokens: float = 100.0

    def estimate(self, prompts: Prompts) -> Estimates:
        rows = np.ones((len(prompts), 1))
        tokens = prompts.input_tokens[:, None] + np.full((1, len(self.models)), self.output_tokens)
        return Estimates(rows * self.quality, rows * self.cost_usd, tokens, rows * np.full(len(self.models), 0.1))


def rates(input: float = 1, output: float = 4, **more: float) -> Rates:
    """Rates in dollars per million tokens that hold for ever, for prompts of any length."""
    steps: dict[str, Any] = {
        name: (Step(0, Decimal(str(each))),) for name, each in ({"input": input, "output": output} | more).items()
    }
    return Rates(date(2020, 1, 1), "config", **steps)


def endpoint(name: str, base_url: str = "http://127.0.0.1:9/v1", model: str = "", **more: Any) -> Endpoint:
    """An OpenAI-like endpoint."""
    shapes: frozenset[Shape] = frozenset({"chat", "completions", "embeddings"})
    return Endpoint(
        **{"name": name, "kind": "openai", "base_url": base_url, "model": model or name, "shapes": shapes} | more
    )


def model(id: str, *, price: Rates | None = None, **fields: Any) -> Model:
    """A model with one endpoint of its own name."""
    return Model(**{"id": id, "endpoints": (endpoint(f"{id}@1"),), "rates": (price or rates(),)} | fields)


def settings_of(*models: Model, state: Path = Path("unused"), **sections: Any) -> Settings:
    """A configuration made in code."""
    return Settings(models, state=state, **sections)


def scheme_of(
    settings: Settings,
    *,
    quality: Sequence[float] | None = None,
    cost_usd: Sequence[float] | None = None,
    prices: Mapping[str, float] | None = None,
    key_funds: Sequence[FundRule] = (),
    output_tokens: float = 100.0,
) -> Scheme:
    """What is in force, with estimates as told where any are."""
    scheme = build_scheme(settings, Dot(), None, key_funds, {}, DAY, prices)
    if quality is None:
        return scheme
    ids = tuple(each.id for each in settings.models)
    told = Told(ids, tuple(quality), tuple(cost_usd or [0.001] * len(ids)), output_tokens)
    typical = told.estimate(Prompts(["?"], np.ones((1, 1), np.float32), np.array([100.0])))
    return replace(scheme, snapshot=replace(scheme.snapshot, estimator=told), typical=typical)


def priced(scheme: Scheme, **prices: float) -> Scheme:
    """The same scheme with funds at these prices, all others free."""
    price = np.array([prices.get(rule.name, 0.0) for rule in scheme.funds])
    return replace(scheme, snapshot=replace(scheme.snapshot, state=StandingState(price, scheme.snapshot.funds)))


def chat(model: str = "auto", content: str = "How far is it?", shape: Shape = "chat", **fields: Any) -> Query:
    """A request, read as the gateway reads it."""
    body: dict[str, Any] = {"model": model}
    if "messages" not in fields and shape in {"chat", "messages"}:
        body["messages"] = [{"role": "user", "content": content}]
    if shape in {"embeddings", "responses"}:
        body["input"] = content
    return read_query(shape, orjson.dumps(body | fields), {})


@dataclass
class Board:
    """A switchboard over a ledger in memory, and what it told others."""

    scheme: Scheme
    recalled: tuple[str, int] | None = None
    troubles: list[tuple[str, str]] = field(default_factory=list)
    witnessed: list[tuple[Estimates, list[tuple[int, ...]], Mask]] = field(default_factory=list)
    asked_for: list[tuple[str, Query]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.book = MemoryBook()
        self.till = Till(self.book, lambda what, why: self.troubles.append((what, why)))
        self.till.declare(self.scheme.ledger_funds)
        self.health = Health(3, 30.0)
        self.switchboard = Switchboard(
            self.scheme, self.till, self.health, self._recall, "me", lambda *seen: self.witnessed.append(seen)
        )

    def _recall(self, key_id: str, query: Query) -> tuple[str, int] | None:
        self.asked_for.append((key_id, query))
        return self.recalled

    def fund(self, name: str) -> tuple[int, int]:
        """Held and spent."""
        found = next(balance for balance in self.till.balances() if balance.fund == name)
        return found.held, found.spent


class Shaky(MemoryBook):
    """A ledger whose store fails while `broken`; counts its acts."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False
        self.holds: list[int] = []
        self.ends: list[int] = []

    def hold(self, asks: Any, at_ns: int) -> list[Held | Refused]:
        self._fail()
        self.holds.append(len(asks))
        return super().hold(asks, at_ns)

    def end(self, endings: Sequence[Ending], at_ns: int) -> Any:
        self._fail()
        self.ends.append(len(endings))
        return super().end(endings, at_ns)

    def _fail(self) -> None:
        if self.broken:
            raise OSError("the disk is full")


@dataclass
class Talk:
    """One request's ASGI callables: what the client sends, and what it got."""

    parts: Sequence[bytes] = (b"",)
    headers: Sequence[tuple[str, str]] = ()
    method: str = "POST"
    path: str = "/v1/chat/completions"
    hang: bool = False

    def __post_init__(self) -> None:
        self.sent: list[MutableMapping[str, Any]] = []
        self.gone = asyncio.Event()
        self._left = list(self.parts)
        self.stuck: asyncio.Event | None = None
        scope = {
            "type": "http",
            "path": self.path,
            "method": self.method,
            "headers": [(name.encode(), value.encode()) for name, value in self.headers],
        }
        self.client = Client(scope, self.receive, self.send)

    async def receive(self) -> MutableMapping[str, Any]:
        """As a server does: the body's parts, and a disconnect when the client has gone or the answer is complete."""
        if self._left:
            return {"type": "http.request", "body": self._left.pop(0), "more_body": bool(self._left) or self.hang}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if self.stuck is not None:
            await self.stuck.wait()
        self.sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.gone.set()

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def answer_headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(each.get("body", b"") for each in self.sent[1:])

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


def ended(results: Sequence[Any]) -> list[Ended]:
    """Those that were booked."""
    return [each for each in results if isinstance(each, Ended)]


def worth_of(quality: Sequence[float], cost_usd: Sequence[float], price: float) -> Floats:
    """Quality less the charge, where every model draws on one fund in dollars."""
    return np.array(quality) - price * np.array(cost_usd)


__all__ = [
    "ADMIN", "DAY", "USD", "Alias", "Board", "Dot", "Shaky", "Talk", "Told", "chat", "ended", "endpoint", "model",
    "priced", "rates", "scheme_of", "settings_of", "worth_of",
]  # fmt: skip
