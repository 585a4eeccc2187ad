"""uvicorn's HTTP protocol with what it has no limit for: the head of a request, in bytes and in time.

A connection that sends an endless header, or never finishes one, is answered with 431 or 408 and closed. Everything
else is uvicorn's own.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class LimitedProtocol(HttpToolsProtocol):
    """One connection. `header_bytes` and `head_s` are set on a subclass by `limited`."""

    header_bytes: ClassVar[int] = 64 * 1024
    head_s: ClassVar[float] = 60.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_size = 0
        self._in_head = True
        self._head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected: its first head is due."""
        super().connection_made(transport)
        self._head_due = self.loop.call_later(self.head_s, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._not_due()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a head or a body."""
        if self._in_head:
            self._head_size += len(data)
        super().data_received(data)
        if self._in_head and self._head_size > self.header_bytes and not self.transport.is_closing():
            self._refuse(b"431 Request Header Fields Too Large", b"The request's head is too large.")

    def on_message_begin(self) -> None:
        """The first byte of a further request."""
        self._in_head = True
        if self._head_due is None:
            self._head_due = self.loop.call_later(self.head_s, self._too_slow)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole; what follows is a body, which the application limits."""
        # One read may bring a head and a body; only where both together are that large they are told apart.
        if self._head_size > self.header_bytes and self._head() > self.header_bytes:
            self.app = _head_too_large
        self._in_head, self._head_size = False, 0
        self._not_due()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is whole; what follows is another head."""
        self._in_head = True
        super().on_message_complete()

    def _head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _not_due(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None

    def _too_slow(self) -> None:
        self._head_due = None
        if not self.transport.is_closing():
            self._refuse(b"408 Request Timeout", b"The request's head didn't come in time.")

    def _refuse(self, status: bytes, message: bytes) -> None:
        body = _error(message)
        head = (
            b"HTTP/1.1 " + status + b"\r\ncontent-type: application/json\r\nconnection: close\r\n"
            b"content-length: " + str(len(body)).encode() + b"\r\n\r\n"
        )
        self.transport.write(head + body)
        self.transport.close()


def _error(message: bytes) -> bytes:
    return b'{"error":{"message":"' + message + b'","type":"invalid_request_error","param":null,"code":null}}'


async def _head_too_large(_: Any, __: Any, send: Any) -> None:
    """Answers in the application's place, and closes."""
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 431, "headers": headers})
    await send({"type": "http.response.body", "body": _error(b"The request's head is too large.")})


def limited(header_bytes: int, head_s: float) -> type[LimitedProtocol]:
    """The protocol with these limits."""
    return type("Limited", (LimitedProtocol,), {"header_bytes": header_bytes, "head_s": head_s})
