"""An OpenAI-compatible front over llama.cpp: a setting is a model.

    cd benchmarks && python -m local_pool.front --folder FOLDER        prints its address; ends when standard input ends

Answers /v1/chat/completions and /v1/models, whole answers alone: no streams. What llama.cpp answered is kept in
`FOLDER/answers.jsonl`, and a request that was answered before is answered from there: a run that is broken off, or
made again with other graders, makes no answer twice.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from local_pool.asking import Call, calls, completion
from local_pool.llama import running_llama
from local_pool.settings import SETTINGS, Setting, by_name
from local_pool.weights import missing, weights

PATIENCE_S = 600.0


class Answers:
    """What was answered before, by request; a file of lines, only ever appended to."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._known = dict(_lines(path)) if path.exists() else {}
        self._file = path.open("a", encoding="utf-8")

    def get(self, key: str) -> Mapping[str, Any] | None:
        """The answer, if there was one."""
        return self._known.get(key)

    def put(self, key: str, answer: Mapping[str, Any]) -> None:
        """Keeps it."""
        self._known[key] = answer
        self._file.write(json.dumps({"key": key, "answer": answer}, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _lines(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The whole lines; one that a crash cut short is passed over."""
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            held = json.loads(line)
            yield held["key"], held["answer"]


def key_of(weights_name: str, call: Call) -> str:
    """The same for requests that llama.cpp can't tell apart."""
    whole = json.dumps([weights_name, call.path, call.body], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def _place(call: Call, servers: int) -> int:
    """Which server: the same for the same prompt, so that it is in its cache."""
    prompt = json.dumps(call.body.get("prompt") or call.body.get("messages"))
    return hashlib.sha256(prompt.encode()).digest()[0] % servers


class Front:
    """The application; `upstreams` are the addresses of llama.cpp's servers by name of their weights."""

    def __init__(self, settings: Iterable[Setting], upstreams: Mapping[str, Sequence[str]], answers: Answers) -> None:
        self._settings, self._upstreams, self._answers = by_name(settings), dict(upstreams), answers
        self._session: aiohttp.ClientSession

    def app(self) -> web.Application:
        """To be served."""
        app = web.Application(client_max_size=2**20)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.cleanup_ctx.append(self._live)
        return app

    async def _live(self, _: web.Application) -> Any:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S)) as self._session:
            yield

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"object": "list", "data": [{"id": name, "object": "model"} for name in self._settings]}
        )

    async def _complete(self, request: web.Request) -> web.Response:
        try:
            query = await request.json()
            setting = self._settings[query["model"]]
            wanted = calls(setting, query)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            return _refusal(400, f"not a query for one of {', '.join(self._settings)}: {error!r}")
        if query.get("stream"):
            return _refusal(400, "answers are not streamed")
        try:
            answers = [await self._ask(setting, call) for call in wanted]  # in turn: the prompt is read once
        except Refused as error:
            return _refusal(error.status, str(error))
        return web.json_response(completion(setting, query, answers))

    async def _ask(self, setting: Setting, call: Call) -> Mapping[str, Any]:
        key = key_of(setting.weights, call)
        known = self._answers.get(key)
        if known is not None:
            return known
        servers = self._upstreams[setting.weights]
        server = servers[_place(call, len(servers))]
        async with self._session.post(server + call.path, json=call.body) as response:
            answer = await response.json(content_type=None)
        if response.status != 200:
            raise Refused(response.status, str(answer.get("error", answer)))
        self._answers.put(key, answer)
        return dict(answer)


class Refused(Exception):  # noqa: N818
    """llama.cpp's own refusal, for example of a prompt that is longer than its context."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


def _refusal(status: int, said: str) -> web.Response:
    error = {"message": said, "type": "invalid_request_error" if status < 500 else "server_error", "code": None}
    return web.json_response({"error": error}, status=status)


async def serve(front: Front, port: int = 0) -> None:
    """Prints the address and serves until standard input ends."""
    runner = web.AppRunner(front.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    await runner.cleanup()


def available() -> tuple[Setting, ...]:
    """The settings whose weights are installed."""
    return tuple(one for one in SETTINGS if not missing(one.weights))


def main() -> None:
    """Starts a llama.cpp for each file of weights, then serves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for weights that are put together, and answers")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--servers", type=int, default=2, help="llama.cpp processes for each file of weights")
    given = parser.parse_args()
    settings = available()
    answers = Answers(given.folder / "answers.jsonl")
    with contextlib.ExitStack() as stack, contextlib.closing(answers):
        names = dict.fromkeys(one.weights for one in settings)
        files = {name: weights(name, given.folder / "weights") for name in names}
        upstreams = {
            name: [stack.enter_context(running_llama(file)) for _ in range(given.servers)]
            for name, file in files.items()
        }
        asyncio.run(serve(Front(settings, upstreams, answers), given.port))


if __name__ == "__main__":
    main()
