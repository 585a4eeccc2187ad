"""The head of a request within limits, in bytes and in time, on real connections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

from pointsman.serve.protocol import limited

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GET = b"GET / HTTP/1.1\r\nhost: x\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = str(size).encode()
    head = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


def talk(what: Talk, *, header_bytes: int = 2_000, head_s: float = 5.0) -> None:
    """One connection to a server with these limits."""

    async def run() -> None:
        config = uvicorn.Config(app, log_config=None, lifespan="off")
        config.load()
        state = uvicorn.server.ServerState()
        protocol = limited(header_bytes, head_s)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            await asyncio.wait_for(what(reader, writer), 10)
        finally:
            writer.close()
            server.close()
            for connection in list(state.connections):
                connection.transport.close()
            await asyncio.sleep(0.01)

    asyncio.run(run())


async def answer(reader: asyncio.StreamReader) -> bytes:
    """The first line and the body of one answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return head.split(b"\r\n")[0] + b" | " + await reader.readexactly(size)


def test_an_endless_head_is_cut_off() -> None:
    """Headers that never end are answered with 431, in the words of an API error, and the connection is closed."""

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GET)
        for number in range(4):
            writer.write(b"x-%d: %s\r\n" % (number, b"a" * 490))
            await asyncio.sleep(0.001)
        told = await answer(reader)
        assert told.startswith(b"HTTP/1.1 431")
        assert b'"type":"invalid_request_error"' in told
        assert await reader.read() == b""

    talk(endless)


def test_one_header_without_an_end_is_cut_off() -> None:
    """A single header line that goes on and on is limited too."""

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GET + b"x-long: ")
        for _ in range(5):
            writer.write(b"a" * 500)
            await asyncio.sleep(0.001)
        assert (await answer(reader)).startswith(b"HTTP/1.1 431")

    talk(endless)


def test_a_large_head_in_one_read_is_refused() -> None:
    """A head that is whole when it is looked at is measured all the same, and its request reaches nobody."""

    async def whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GET + b"x-long: " + b"a" * 3_000 + b"\r\n\r\n")
        told = await reader.read()
        assert told.startswith(b"HTTP/1.1 431")
        assert b"too large" in told

    talk(whole)


def test_a_slow_head_is_cut_off() -> None:
    """A head that trickles in, and a connection that says nothing at all, end with 408."""

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GET)
        await asyncio.sleep(0.01)
        writer.write(b"x-a: b\r\n")
        assert (await answer(reader)).startswith(b"HTTP/1.1 408")
        assert await reader.read() == b""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await answer(reader)).startswith(b"HTTP/1.1 408")

    for slow in (trickle, silent):
        talk(slow, head_s=0.05)


def test_a_connection_is_used_again() -> None:
    """Many requests on one connection, each head within the limit, are all served, also when together they aren't."""

    async def many(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(10):
            writer.write(GET + b"x-some: " + b"a" * 900 + b"\r\n\r\n")
            assert (await answer(reader)).endswith(b"200 OK | 0")

    talk(many)


def test_a_second_slow_head_is_cut_off_too() -> None:
    """The time for a head begins again with each request on a connection, and idling between them is no fault."""

    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GET + b"\r\n")
        assert (await answer(reader)).endswith(b"200 OK | 0")
        await asyncio.sleep(0.15)
        writer.write(GET + b"\r\n")
        assert (await answer(reader)).endswith(b"200 OK | 0")
        writer.write(GET)
        assert (await answer(reader)).startswith(b"HTTP/1.1 408")

    talk(twice, head_s=0.1)


def test_a_large_body_is_no_large_head() -> None:
    """Bodies are not counted as heads, whether they come with it or after it, and the next request is served."""

    async def bodies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        post = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 50000\r\n\r\n"
        writer.write(post + b"b" * 50_000)
        assert (await answer(reader)).endswith(b"200 OK | 50000")
        writer.write(post)
        await asyncio.sleep(0.01)
        for _ in range(50):
            writer.write(b"b" * 1_000)
            await asyncio.sleep(0)
        assert (await answer(reader)).endswith(b"200 OK | 50000")
        writer.write(GET + b"\r\n")
        assert (await answer(reader)).endswith(b"200 OK | 0")

    talk(bodies)
