"""What the server and client libraries relay by themselves: raw ASGI on uvicorn, aiohttp's client, nothing else.

    python benchmarks/gateway/bare.py --upstream http://127.0.0.1:9000 --port 8000

The same server, loop, parser and client settings as the gateway's. Every request goes on as it came, body and content
type; an answer goes back whole where its length is known, else piece by piece. No parsing, no checks, no time-outs.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp
import uvicorn
from yarl import URL

Message = MutableMapping[str, Any]
JSON = {"content-type": "application/json"}


class Bare:
    """The application."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._session: aiohttp.ClientSession
        self._urls: dict[str, URL] = {}

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        message = await receive()
        parts = [message.get("body", b"")]
        while message.get("more_body"):
            message = await receive()
            parts.append(message.get("body", b""))
        path = scope["path"]
        url = self._urls.get(path) or self._urls.setdefault(path, URL(self._upstream + path))
        async with self._session.request(scope["method"], url, data=b"".join(parts), headers=JSON) as answer:
            kind = (b"content-type", answer.headers["content-type"].encode())
            if answer.content_length is not None:
                body = await answer.read()
                headers = [kind, (b"content-length", str(len(body)).encode())]
                await send({"type": "http.response.start", "status": answer.status, "headers": headers})
                await send({"type": "http.response.body", "body": body})
                return
            await send({"type": "http.response.start", "status": answer.status, "headers": [kind]})
            async for piece in answer.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def _live(
        self, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        await receive()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=None),
            skip_auto_headers=("User-Agent",),
            read_bufsize=256 * 1024,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._session.close()
        await send({"type": "lifespan.shutdown.complete"})


def main() -> None:
    """Serves until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    uvicorn.run(
        Bare(asked.upstream),
        host="127.0.0.1",
        port=asked.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main()
