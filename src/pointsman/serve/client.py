"""The client's side of one exchange, over ASGI: its body in, an answer or a stream out, and whether it is still there.

Takes an ASGI scope with its two callables. Refuses bodies that are too large, too slow or compressed. It knows
nothing of models.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import orjson

from pointsman.serve.wire.errors import Refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON: tuple[bytes, bytes] = (b"content-type", b"application/json")
EVENTS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


class ClientGone(Exception):  # noqa: N818 (nobody did anything wrong)
    """The client left, or doesn't read, before the whole answer was sent."""


class Client:
    """One request's client.

    Attributes:
        headers: by lower-case name; of a repeated one the last.
        started: whether the answer has begun: a refusal can't be sent any more.
        status: of the answer, 0 before it has begun.
    """

    __slots__ = ("_receive", "_send", "gone", "headers", "scope", "started", "status")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self.headers: Mapping[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.started, self.status, self.gone = False, 0, False

    async def body(self, limit: int, timeout_s: float) -> bytes:
        """The whole body.

        Raises:
            Refusal: too large, too slow, compressed.
            ClientGone: the client left while sending it.
        """
        self._check_lengths(limit)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(timeout_s):
                while (message := await self._receive())["type"] != "http.disconnect":
                    part = message.get("body", b"")
                    size += len(part)
                    if size > limit:
                        raise _too_large(limit)
                    if not message.get("more_body"):
                        return b"".join([*parts, part]) if parts else part
                    parts.append(part)
        except TimeoutError:
            raise Refusal("invalid_request_error", "The request's body didn't come in time.", status=408) from None
        self.gone = True
        raise ClientGone

    def _check_lengths(self, limit: int) -> None:
        declared = self.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            raise _too_large(limit)
        if self.headers.get("content-encoding", "identity") != "identity":
            raise Refusal(
                "invalid_request_error", "Compressed request bodies aren't read; send it uncompressed.", status=415
            )

    async def left(self) -> None:
        """Returns when the client has gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer."""
        self.started, self.status = True, status
        length = (b"content-length", str(len(body)).encode())
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
        await self._send({"type": "http.response.body", "body": body})

    async def begin(self, headers: Headers, body: bytes) -> None:
        """A stream's head and its first bytes."""
        self.started, self.status = True, 200
        await self._send({"type": "http.response.start", "status": 200, "headers": [*EVENTS, *headers]})
        if body:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def more(self, body: bytes) -> None:
        """Further bytes of a stream."""
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self, body: bytes) -> None:
        """A stream's last bytes."""
        await self._send({"type": "http.response.body", "body": body})

    async def json(self, value: Any, status: int = 200, headers: Headers | None = None) -> None:
        """A whole answer of JSON."""
        await self.answer(status, [JSON, *(headers or [])], orjson.dumps(value, default=str))

    async def refuse(self, refusal: Refusal, *, anthropic: bool = False, headers: Headers | None = None) -> None:
        """A refusal in the client's shape."""
        extra = [(name.encode(), value.encode()) for name, value in refusal.headers.items()]
        if refusal.retry_after_s is not None:
            extra.append((b"retry-after", str(max(1, math.ceil(refusal.retry_after_s))).encode()))
        body = refusal.anthropic() if anthropic else refusal.openai()
        await self.json(body, refusal.status, [*extra, *(headers or [])])


def _too_large(limit: int) -> Refusal:
    return Refusal("request_too_large", f"The request's body is larger than {limit:,} bytes.")
