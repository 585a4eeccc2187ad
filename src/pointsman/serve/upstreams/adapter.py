"""The one shape that every upstream has: sans I/O. It makes calls and reads answers; `serve.exchange` moves the bytes.

An adapter speaks one provider's API and knows every client shape: it passes a shape that the endpoint speaks natively
through untouched, and translates the others through OpenAI's chat shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pointsman.pool.cards import Endpoint, Usage
from pointsman.serve.wire.query import Query


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request to an upstream; always POST. `headers` holds the key, so it is kept out of the repr."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, read.

    Attributes:
        body: what the client gets, in its own shape; the upstream's own bytes where nothing had to be translated.
        usage: as reported; None where the upstream reported none.
        output_chars: characters of the answer, for counting where usage is missing.
    """

    body: bytes
    usage: Usage | None
    output_chars: int


FaultKind = Literal["connect", "timeout", "overloaded", "server", "garbage", "broken", "refused", "credentials"]


@dataclass(slots=True)
class UpstreamFault(Exception):  # noqa: N818 (a fault is what it is)
    """An upstream that didn't answer as it should. Never carries a key or an address.

    Attributes:
        kind: "refused" is a 4xx that is the client's own fault (a bad request): it is passed on, not retried.
            "credentials" is 401, 403 or 404 from the upstream: our fault, falls back. "overloaded" is 429, 503, 529.
            "garbage" is an answer that can't be read, "broken" a stream that ended before its end.
        message: for the client.
        status: the upstream's, 0 where there was none.
        retry_after_s: what the upstream asked for.
        body: the upstream's own error body for a client of the same shape, None where it is not to be passed on.
    """

    kind: FaultKind
    message: str
    status: int = 0
    retry_after_s: float | None = None
    body: bytes | None = None

    @property
    def may_pass(self) -> bool:
        """Whether the same call might work a moment later."""
        return self.kind in {"connect", "timeout", "overloaded", "server", "garbage", "broken"}


class Relay(Protocol):
    """One stream on its way through: bytes in, bytes out, usage collected. Chunk borders may fall anywhere.

    Attributes:
        usage: as reported so far; the last report stands.
        begun: whether any content for the client has come (a first token, a tool call, reasoning).
        output_chars: characters generated so far, for counting where usage is missing.
        ended: whether the upstream's own end was seen; what comes after it is dropped.
    """

    usage: Usage | None
    begun: bool
    output_chars: int
    ended: bool

    def feed(self, data: bytes) -> bytes:
        """What the client gets for these bytes of the upstream; may be empty. The end marker is kept back.

        Raises:
            UpstreamFault: an error event of the upstream, an event too long, or something unreadable where it has
                to be read; what was fed before stands.
        """
        ...

    def finish(self, cost: Mapping[str, Any] | None = None) -> bytes:
        """The last bytes, after the upstream has closed: what was kept back, the end marker among it.

        Args:
            cost: put into a last chunk of its own before the end marker, as the object `pointsman`.

        Raises:
            UpstreamFault: kind "broken", the stream closed before its end.
        """
        ...

    def fail(self, body: Mapping[str, Any]) -> bytes:
        """An error event in the client's shape that ends the stream; `body` as `Refusal.openai()` gives it."""
        ...


class Adapter(Protocol):
    """How to speak with one kind of upstream."""

    def call(self, query: Query, endpoint: Endpoint) -> Call:
        """The request for a query: the client's body with the upstream's own model name, key and usage asked for.

        Raises:
            Refusal: the query can't be said in the upstream's language; names the field.
        """
        ...

    def read(self, query: Query, endpoint: Endpoint, body: bytes) -> Answer:
        """A whole answer with status 200.

        Raises:
            UpstreamFault: kind "garbage".
        """
        ...

    def relay(self, query: Query, endpoint: Endpoint) -> Relay:
        """A stream with status 200, about to begin."""
        ...

    def fault(
        self, query: Query, endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes
    ) -> UpstreamFault:
        """What an answer with a status other than 200 means."""
        ...
