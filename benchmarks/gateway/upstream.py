"""An upstream that is never the bottleneck: HTTP/1.1 by hand on uvloop, one canned answer, one canned stream.

    python benchmarks/gateway/upstream.py --port 0 [--pause-ms 1]        prints its port

Answers every POST with a chat completion of 20 tokens, or, where the body says `"stream":true`, with 20 chunks of a
token each, `--pause-ms` apart, a usage chunk and `[DONE]`. It checks nothing, and ends when its standard input does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import threading
from typing import cast

import orjson
import uvloop

TOKENS = 20
HEAD = {"id": "chatcmpl-bench", "created": 1_760_000_000, "model": "bench"}
USAGE = {"prompt_tokens": 30, "completion_tokens": TOKENS, "total_tokens": 30 + TOKENS}
WORDS = [f"word{i} " for i in range(TOKENS)]


def whole_answer() -> bytes:
    """A whole HTTP response."""
    message = {"role": "assistant", "content": "".join(WORDS)}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    body = orjson.dumps({**HEAD, "object": "chat.completion", "choices": choices, "usage": USAGE})
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def chunk(choices: list[dict[str, object]], **more: object) -> bytes:
    """One event of a stream in one HTTP chunk."""
    value = {**HEAD, "object": "chat.completion.chunk", "choices": choices, **more}
    event = b"data: " + orjson.dumps(value) + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


def stream_parts() -> list[bytes]:
    """The head with the first chunk, then one token each; the last part holds the finish, the usage and the end."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    tokens = [chunk([{"index": 0, "delta": {"content": word}, "finish_reason": None}]) for word in WORDS]
    end = chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]) + chunk([], usage=USAGE)
    done = b"data: [DONE]\n\n"
    end += b"%x\r\n%b\r\n0\r\n\r\n" % (len(done), done)
    tokens[0] = head + tokens[0]
    return [*tokens, end]


WHOLE, PARTS = whole_answer(), stream_parts()


class Upstream(asyncio.Protocol):
    """One connection; requests one after another."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._loop = asyncio.get_running_loop()
        self._data = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's isn't one by name

    def data_received(self, data: bytes) -> None:
        self._data = self._data + data if self._data else data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        lowered = self._data[:end].lower()
        at = lowered.find(b"content-length:")
        length = int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._data) < end + 4 + length:
            return
        body = self._data[end + 4 :]
        self._data = b""
        if b'"stream":true' in body or b'"stream": true' in body:
            self._send(0)
        else:
            self._transport.write(WHOLE)

    def _send(self, part: int) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(PARTS[part])
        if part + 1 < len(PARTS):
            self._loop.call_later(self._pause_s, self._send, part + 1)


def end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


async def serve(port: int, pause_s: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upstream(pause_s), "127.0.0.1", port, backlog=2_048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Serves until its standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pause-ms", type=float, default=1.0)
    asked = parser.parse_args()
    threading.Thread(target=end_with_parent, daemon=True).start()
    uvloop.run(serve(asked.port, asked.pause_ms / 1000))


if __name__ == "__main__":
    main()
