"""A scripted upstream as a process of its own: OpenAI's, Anthropic's and Gemini's APIs, and a record of every call.

    python tests/stub_upstream.py --port 0        prints its port on the first line

    with start_stub() as stub:
        stub.script("slow", first_token_s=0.5)            every call to the model `slow`
        stub.script("shaky", {"status": 503}, {})         the first call fails, all further ones are answered
        ...
        assert stub.calls()["by_model"] == {"slow": 3}

What a model does can stand in its name too: `any;status=429;retry_after=2`. The base URLs are `.url + "/v1"` for
OpenAI's and Anthropic's APIs, and `.url + "/v1beta"` for Gemini's. It serves one process on one loop, bills every
token that it wrote, and keeps the last 2,000 calls in full.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import uvicorn

from stub_replies import FRAMES, WHOLE, Frames, Reply, Script, failure, failure_frame, reply_to, script_of

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATHS = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
}
GEMINI = re.compile(r"/v1beta/models/(.+):(generateContent|streamGenerateContent)")
KEPT_CALLS = 2_000
JSON_TYPE, STREAM_TYPE = (b"content-type", b"application/json"), (b"content-type", b"text/event-stream")


@dataclass
class Record:
    """What has been asked and answered."""

    scripts: dict[str, list[Script]] = field(default_factory=dict)
    calls: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_CALLS))
    by_model: Counter[str] = field(default_factory=Counter)
    input_tokens: int = 0
    output_tokens: int = 0
    open: int = 0
    most_open: int = 0
    gone: int = 0
    keep: bool = True

    def next_script(self, model: str) -> Script:
        """The model's next step, the last one from then on; else what its name says."""
        steps = self.scripts.get(model)
        if steps:
            return steps.pop(0) if len(steps) > 1 else steps[0]
        if ";" in model:
            return script_of(dict(part.partition("=")[::2] for part in model.split(";")[1:]))
        return PLAIN

    def as_json(self) -> dict[str, Any]:
        return {
            "count": self.by_model.total(),
            "by_model": dict(self.by_model),
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "open": self.open,
            "most_open": self.most_open,
            "gone": self.gone,
            "calls": list(self.calls),
        }


PLAIN = Script()


class GoneError(Exception):
    """The client went away, or the script cut it off."""


class App:
    """The ASGI application."""

    def __init__(self, record: Record) -> None:
        self.record = record

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        path = scope["path"]
        body = await _body(receive)
        if path.startswith("/_stub/"):
            await _send_json(send, 200, self.control(path, body))
            return
        api, model, stream, parsed = _what(path, body)
        if not api:
            await _send_json(send, 404, failure("chat", 404, f"no such path: {path}"))
            return
        record = self.record
        record.by_model[model] += 1
        if record.keep:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            query = scope["query_string"].decode()
            record.calls.append({"path": path, "query": query, "model": model, "headers": headers, "body": parsed})
        record.open += 1
        record.most_open = max(record.most_open, record.open)
        try:
            reply = reply_to(api, model, parsed, record.next_script(model))
            await self.answer(api, reply, stream, receive, send)
        except GoneError:
            record.gone += 1
        finally:
            record.open -= 1

    def control(self, path: str, body: bytes) -> Any:
        """The control endpoint: `script`, `calls`, `reset`."""
        if path == "/_stub/script":
            asked = orjson.loads(body)
            self.record.scripts[asked["model"]] = [script_of(step) for step in asked["steps"]]
        elif path == "/_stub/reset":
            self.record = Record(keep=self.record.keep, open=self.record.open)
        elif path == "/_stub/calls":
            return self.record.as_json()
        return {"ok": True}

    async def answer(self, api: str, reply: Reply, stream: bool, receive: Receive, send: Send) -> None:
        script = reply.script
        await _pause(receive, script.connect_s)
        await _stop_at("headers", script, receive, send)
        if script.status != 200:
            body = failure(api, script.status) if script.error is None else script.error
            await _send_json(send, script.status, body, script.retry_after)
            return
        self.record.input_tokens += reply.input_tokens
        if stream and api in FRAMES and script.garbage not in {"html", "sse"}:
            await self.stream(api, reply, receive, send)
            return
        await _pause(receive, script.first_token_s)
        for place in ("first", "middle"):
            await _stop_at(place, script, receive, send)
        await _send_bytes(send, *_whole_answer(api, reply, stream))
        self.record.output_tokens += 0 if api == "embeddings" else reply.output_tokens

    async def stream(self, api: str, reply: Reply, receive: Receive, send: Send) -> None:
        script = reply.script
        await send({"type": "http.response.start", "status": 200, "headers": [STREAM_TYPE]})
        frames = list(_scripted(api, reply, FRAMES[api](reply)))
        half = sum(counts for _, counts in frames) // 2
        done = 0
        for data, counts in frames:
            if counts:
                await _pause(receive, script.between_s if done else script.first_token_s)
                for place, at in (("first", 0), ("middle", half)):
                    if done == at:
                        await _stop_at(place, script, receive, send)
                done += 1
                self.record.output_tokens += 1
            await _send_pieces(send, data, script.split)
        # Tokens that no piece stands for, such as hidden reasoning.
        self.record.output_tokens += max(0, reply.output_tokens - done)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _scripted(api: str, reply: Reply, frames: Frames) -> Frames:
    """The frames with the script's garbage or error event among them."""
    script, done = reply.script, 0
    for data, counts in frames:
        if counts and script.error_after == done:
            yield failure_frame(api), False
            return
        done += counts
        if counts and script.garbage == "json" and done == 2:
            yield b'data: {"choices": [{"delta": {"content": "usage\n\n', False
        yield data, counts
    if script.error_after is not None and script.error_after >= done:
        yield failure_frame(api), False


def _whole_answer(api: str, reply: Reply, stream: bool) -> tuple[bytes, tuple[bytes, bytes]]:
    """The body and its type, garbage as scripted."""
    garbage = reply.script.garbage
    if garbage == "html":
        return b"<html><body>Bad gateway</body></html>", (b"content-type", b"text/html")
    if garbage == "sse":
        return b"\x00\xff: this is no event stream \r" * 50, STREAM_TYPE if stream else JSON_TYPE
    data = orjson.dumps(WHOLE[api](reply))
    return data[: len(data) // 2] if garbage == "json" else data, JSON_TYPE


def _what(path: str, body: bytes) -> tuple[str, str, bool, dict[str, Any]]:
    """The API, model, whether to stream, and the parsed body."""
    try:
        parsed = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        parsed = {"unreadable": body.decode("latin-1")}
    if api := PATHS.get(path):
        return api, str(parsed.get("model", "")), parsed.get("stream") is True, parsed
    if found := GEMINI.fullmatch(path):
        return "gemini", found[1], found[2] == "streamGenerateContent", parsed
    return "", "", False, parsed


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _pause(receive: Receive, seconds: float) -> None:
    """Waits; raises if the client goes meanwhile."""
    if seconds <= 0:
        return
    with contextlib.suppress(TimeoutError):
        message = await asyncio.wait_for(receive(), seconds)
        if message["type"] == "http.disconnect":
            raise GoneError


async def _stop_at(place: str, script: Script, receive: Receive, send: Send) -> None:
    if script.hang == place:
        await _pause(receive, 3_600.0)
    if script.cut == place:
        # The server offers no way to break off; its transport does.
        await asyncio.sleep(0)
        send.__self__.transport.abort()  # type: ignore[attr-defined]
        raise GoneError


async def _send_json(send: Send, status: int, value: Any, retry_after: str | float | None = None) -> None:
    extra = [] if retry_after is None else [(b"retry-after", str(retry_after).encode())]
    data = value.encode() if isinstance(value, str) else orjson.dumps(value)
    await send({"type": "http.response.start", "status": status, "headers": [JSON_TYPE, *extra]})
    await send({"type": "http.response.body", "body": data})


async def _send_bytes(send: Send, data: bytes, kind: tuple[bytes, bytes]) -> None:
    length = (b"content-length", str(len(data)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [kind, length]})
    await send({"type": "http.response.body", "body": data})


async def _send_pieces(send: Send, data: bytes, size: int) -> None:
    for at in range(0, len(data), size or len(data)):
        await send({"type": "http.response.body", "body": data[at : at + (size or len(data))], "more_body": True})
        if size:
            await asyncio.sleep(0)


class Stub:
    """The handle on a running stub."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def script(self, model: str, *steps: Mapping[str, Any], **fields: Any) -> None:
        """Sets what calls to a model do: one step a call, the last one from then on; or one step by fields."""
        self._ask("script", {"model": model, "steps": [*steps, *([fields] if fields or not steps else [])]})

    def calls(self) -> dict[str, Any]:
        """What was asked so far: `Record.as_json`."""
        answer: dict[str, Any] = self._ask("calls", None)
        return answer

    def reset(self) -> None:
        """Forgets scripts and calls."""
        self._ask("reset", None)

    def _ask(self, what: str, value: Any) -> Any:
        request = urllib.request.Request(f"{self.url}/_stub/{what}", data=orjson.dumps(value), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return orjson.loads(answer.read())


@contextlib.contextmanager
def start_stub(*options: str) -> Iterator[Stub]:
    """A stub process for the length of a block; it ends with its parent, however that ends."""
    command = [sys.executable, str(Path(__file__)), "--port", "0", "--with-parent", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield Stub(int(process.stdout.readline()))
        finally:
            process.terminate()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Serves until ended."""
    parser = argparse.ArgumentParser(description="A scripted upstream.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--with-parent", action="store_true", help="end when standard input ends")
    parser.add_argument("--no-record", action="store_true", help="keep counts alone: for benchmarks")
    options = parser.parse_args()
    if options.with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    listener = socket.create_server(("127.0.0.1", options.port), backlog=2_048)
    app = App(Record(keep=not options.no_record))
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        log_level="critical",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
