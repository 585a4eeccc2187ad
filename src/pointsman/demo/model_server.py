"""One simulated LLM server: python -m pointsman.demo.model_server FILE [--port 0]

Prints its address on the first line, and ends when standard input ends. Answers OpenAI's chat completions, whole or
streamed, from the file that `answers` wrote, after the time that its model would take, and bills what it says it wrote;
`POST /control {"failing": true}` makes every further call fail until it is taken back. It listens on loopback alone. No
model is behind it: every answer says "simulated", in its model and in its fingerprint.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

PIECES = 24  # most events of a streamed answer: a client sees it grow, and nobody's processor is busy with it
JITTER = 0.25  # standard deviation of the logarithm of a time
SLOWEST_S = 20.0
FINGERPRINT = "simulated"
MOST_BYTES = 4 * 2**20
LIMITS = ("max_completion_tokens", "max_tokens")


class Server:
    """The application.

    Args:
        told: the file's contents.
    """

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.model, self.called = str(told["model"]), str(told["called"])
        self._told, self._answers = told, told["answers"]
        self._lots = random.Random(told["seed"])  # noqa: S311 (jitter)
        self._failing = False

    def app(self) -> web.Application:
        """To be served."""
        app = web.Application(client_max_size=MOST_BYTES)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_post("/control", self._control)
        return app

    async def _models(self, _: web.Request) -> web.Response:
        one = {"id": self.called, "object": "model", "created": 0, "owned_by": FINGERPRINT}
        return web.json_response({"object": "list", "data": [one]})

    async def _control(self, request: web.Request) -> web.Response:
        try:
            failing = (await request.json())["failing"]
        except (ValueError, TypeError, KeyError):
            return refusal(400, 'say {"failing": true} or {"failing": false}')
        self._failing = bool(failing)
        return web.json_response({"failing": self._failing})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        try:
            query = await request.json()
            prompt = last_words(query["messages"])
        except (ValueError, TypeError, KeyError, AttributeError):
            return refusal(400, "the body is no chat completion")
        if self._failing:
            return refusal(503, f"{self.model} is out of order (simulated)")
        answer = self._answer(prompt, query)
        if query.get("stream"):
            return await self._stream(request, query, answer)
        await asyncio.sleep(self._first_token_s() + answer["usage"]["completion_tokens"] / self._told["tokens_per_s"])
        return web.json_response(answer)

    def _answer(self, prompt: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """The whole answer as it is given at once."""
        key = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()
        known: Mapping[str, Any] = self._answers.get(key[:20]) or self._made_up(prompt, key)
        limit = min((query[name] for name in LIMITS if isinstance(query.get(name), int)), default=known["output"])
        written = max(1, min(known["output"], limit))
        whole = written == known["output"]
        message = known.get("message") or {"role": "assistant", "content": self._words(written)}
        if not whole and message.get("content"):
            message = dict(message, content=message["content"][: 4 * written])
        calls = "tool_calls" if message.get("tool_calls") else "stop"
        return {
            "id": f"chatcmpl-{key[:12]}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
            "choices": [{"index": 0, "message": message, "finish_reason": calls if whole else "length"}],
            "usage": {
                "prompt_tokens": known["input"],
                "completion_tokens": written,
                "total_tokens": known["input"] + written,
            },
        }

    def _made_up(self, prompt: str, key: str) -> dict[str, int]:
        """The sizes of a prompt that nobody planned: always the same for the same text."""
        plain = 40 + int(key[:4], 16) % 240
        return {"input": len(prompt) // 4 + 1, "output": max(1, round(plain * self._told["verbosity"]))}

    def _words(self, tokens: int) -> str:
        return f"Simulated answer of {self.model}: no model was asked. " + "simulated " * min(40, tokens // 3)

    def _first_token_s(self) -> float:
        jitter: float = self._lots.lognormvariate(0.0, JITTER)
        return min(SLOWEST_S, float(self._told["first_token_s"]) * jitter)

    async def _stream(
        self, request: web.Request, query: Mapping[str, Any], answer: Mapping[str, Any]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-cache"})
        await response.prepare(request)
        await asyncio.sleep(self._first_token_s())
        choice = answer["choices"][0]
        deltas = pieces_of(choice["message"])
        pause_s = answer["usage"]["completion_tokens"] / self._told["tokens_per_s"] / len(deltas)
        for delta in deltas:
            await response.write(_event(answer, [{"index": 0, "delta": delta, "finish_reason": None}]))
            await asyncio.sleep(pause_s)
        await response.write(_event(answer, [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]))
        if (query.get("stream_options") or {}).get("include_usage"):
            await response.write(_event(answer, [], usage=answer["usage"]))
        await response.write(b"data: [DONE]\n\n")
        return response


def last_words(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text of the last message of the user."""
    said = next(one["content"] for one in reversed(messages) if one["role"] == "user")
    if isinstance(said, str):
        return said
    return "\n".join(part["text"] for part in said if part.get("type") == "text")


def pieces_of(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A message as the deltas of a stream, at least one."""
    if message.get("tool_calls"):
        calls = [dict(call, index=i) for i, call in enumerate(message["tool_calls"])]
        return [{"role": "assistant", "content": message.get("content"), "tool_calls": calls}]
    text = message["content"] or ""
    size = max(1, -(-len(text) // PIECES))
    return [{"role": "assistant", "content": text[:size]}] + [
        {"content": text[at : at + size]} for at in range(size, len(text), size)
    ]


def _event(answer: Mapping[str, Any], choices: list[Any], **more: Any) -> bytes:
    kept = ("id", "created", "model", "system_fingerprint")
    body = {name: answer[name] for name in kept} | {"object": "chat.completion.chunk", "choices": choices} | more
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def refusal(status: int, said: str) -> web.Response:
    """An error in OpenAI's shape."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return web.json_response({"error": {"message": said, "type": kind, "code": None}}, status=status)


async def serve(app: web.Application, port: int = 0) -> None:
    """Prints the address and serves until standard input ends."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    await runner.cleanup()


def main() -> None:
    """Serves until standard input ends."""
    parser = argparse.ArgumentParser(description="One simulated LLM server.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    asyncio.run(serve(Server(json.loads(given.file.read_text(encoding="utf-8"))).app(), given.port))


if __name__ == "__main__":
    main()
