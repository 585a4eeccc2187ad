"""What the pool says of a model: where it answers, what it can do, what its tokens cost. Frozen, no I/O.

Takes and gives plain values; `pool.registry` makes them from a file, `pool.billing` turns usage into money. A key's
text is kept out of every representation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

UpstreamKind = Literal["openai", "anthropic", "gemini"]
Shape = Literal["chat", "completions", "responses", "embeddings", "messages"]
Capability = Literal["tools", "vision", "json", "streaming", "audio", "embeddings"]
Tier = Literal["small", "medium", "large", "frontier"]
Duty = Literal["serving", "waiting", "shadow", "retired"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address that serves a model.

    Attributes:
        name: unique in the registry; what cooldowns and metrics are kept by.
        kind: whose API it speaks.
        base_url: without a final slash, for example `https://api.openai.com/v1`.
        model: what the upstream calls the model.
        shapes: API shapes that it answers natively; the others are translated through chat.
        headers: sent with every call.
        key: the secret, None where the endpoint asks for none.
    """

    name: str
    kind: UpstreamKind
    base_url: str
    model: str
    shapes: frozenset[Shape]
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer, as the upstream reported them; totals include their parts.

    Attributes:
        input_tokens: all of the prompt, cached parts included.
        cached_tokens: of these, read from the upstream's prompt cache.
        cache_write_tokens: of these, written to it at a rate of their own.
        output_tokens: all that was generated, reasoning included.
        reasoning_tokens: of these, not shown.
        estimated: True where the upstream reported nothing and the gateway counted.
        cache_write_1h_tokens: of `cache_write_tokens`, those written to be kept for an hour.
        reported_usd: what the upstream itself says that the answer cost; only the drift watch looks at it.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    cache_write_1h_tokens: int = 0
    reported_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A rate from a number of input tokens on: US dollars per million tokens, exact."""

    from_tokens: int
    usd_per_million: Decimal


@dataclass(frozen=True, slots=True)
class Rates:
    """What a model's tokens cost from a day on. Each kind is steps by input length, the first from 0.

    Attributes:
        since: the day they begin.
        source: where they come from: "config", "genai-prices" or "free".
        input, output: always there.
        cached, cache_write, reasoning: None where the rate is that of `input` or `output`.
        request_usd: per call, besides tokens.
        cache_write_1h: of writes that are kept for an hour; None where the rate is that of `cache_write`.
    """

    since: date
    source: str
    input: tuple[Step, ...]
    output: tuple[Step, ...]
    cached: tuple[Step, ...] | None = None
    cache_write: tuple[Step, ...] | None = None
    reasoning: tuple[Step, ...] | None = None
    request_usd: Decimal = Decimal(0)
    cache_write_1h: tuple[Step, ...] | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """Who may answer.

    Attributes:
        id: `provider/model`.
        endpoints: in the order of preference, at least one.
        rates: by day, the latest last; the ones in force are the last that have begun.
        context_tokens: most input plus output tokens; None where not known.
        max_output_tokens: most output tokens; None where not known.
        capabilities: what it can do beyond text.
        tags: for data-residency and the like; a query that demands tags goes only to models that have them all.
        tier, quality: what is believed of it where no outcome is recorded; `quality` is an expected score in [0, 1].
        output_tokens: expected answer length before any answer was seen; None takes the pool's default.
        history: its name in recorded outcomes.
        duty: "serving"; "waiting" until it is onboarded; "shadow", which gets mirrored traffic and serves nobody; or
            "retired".
    """

    id: str
    endpoints: tuple[Endpoint, ...]
    rates: tuple[Rates, ...]
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[Capability] = frozenset({"streaming"})
    tags: frozenset[str] = frozenset()
    tier: Tier | None = None
    quality: float | None = None
    output_tokens: int | None = None
    history: str = ""
    duty: Duty = "serving"

    @property
    def provider(self) -> str:
        """The part of the id before the first slash."""
        return self.id.partition("/")[0]
