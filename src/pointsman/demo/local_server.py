"""SmolLM2 by llama.cpp at several settings: python -m pointsman.demo.local_server WEIGHTS SETTINGS PORT

SETTINGS is JSON: for each name a system message, a temperature and a limit of tokens. Prints its address on the first
line, and ends when standard input ends. Answers OpenAI's chat completions, whole or streamed; a setting is a model. It
runs in a process of its own with the engine in it, since the engine needs no interpreter while it computes. `POST
/control {"model": …, "failing": true}` makes one setting fail.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from importlib import import_module
from typing import Any

import aiohttp
from aiohttp import web

from pointsman.demo.model_server import MOST_BYTES, refusal, serve

SLOTS = 2  # queries at once
CONTEXT_TOKENS = 4_096  # of one query, answer included
THREADS = 1  # the gateway and the clients want the other core
SEED = 7
PATIENCE_S = 300.0


class Front:
    """The application.

    Args:
        settings: by name.
        engine: llama.cpp's address.
    """

    def __init__(self, settings: Mapping[str, Mapping[str, Any]], engine: str) -> None:
        self._settings, self._engine = settings, engine
        self._failing: set[str] = set()
        self._session: aiohttp.ClientSession

    def app(self) -> web.Application:
        """To be served."""
        app = web.Application(client_max_size=MOST_BYTES)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_post("/control", self._control)
        app.cleanup_ctx.append(self._live)
        return app

    async def _live(self, _: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S)) as self._session:
            yield

    async def _models(self, _: web.Request) -> web.Response:
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "local"} for name in self._settings]
        return web.json_response({"object": "list", "data": data})

    async def _control(self, request: web.Request) -> web.Response:
        try:
            wish = await request.json()
            model, failing = str(wish["model"]), bool(wish["failing"])
        except (ValueError, TypeError, KeyError):
            return refusal(400, 'say {"model": …, "failing": true}')
        (self._failing.add if failing else self._failing.discard)(model)
        return web.json_response({"model": model, "failing": failing})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        try:
            query = await request.json()
            name = query["model"]
            body = asked(self._settings[name], query)
        except (ValueError, TypeError, KeyError, AttributeError):
            return refusal(400, f"not a query for one of {', '.join(self._settings)}")
        if name in self._failing:
            return refusal(503, f"{name} is out of order (on purpose)")
        async with self._session.post(f"{self._engine}/v1/chat/completions", json=body) as answer:
            response = web.StreamResponse(status=answer.status, headers={"content-type": answer.content_type})
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
        await response.write_eof()
        return response


def asked(setting: Mapping[str, Any], query: Mapping[str, Any]) -> dict[str, Any]:
    """What the engine is sent: the query with the setting's system message before its own, temperature and limit."""
    limits = [query.get("max_completion_tokens"), query.get("max_tokens"), setting["most_tokens"]]
    turns = [one for one in query["messages"] if one["role"] != "system"]
    systems = [setting["system"], *(one["content"] for one in query["messages"] if one["role"] == "system")]
    system = "\n\n".join(text for text in systems if text)
    kept = {name: query[name] for name in ("stream", "stream_options", "stop") if name in query}
    return kept | {
        "messages": [{"role": "system", "content": system}, *turns] if system else turns,
        "temperature": setting["temperature"],
        "seed": SEED,
        "max_tokens": min(int(limit) for limit in limits if limit),
    }


def engine(weights: str) -> Any:
    """llama.cpp with these weights, listening on loopback."""
    xllamacpp = import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.n_ctx, params.n_parallel = SLOTS * CONTEXT_TOKENS, SLOTS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.use_jinja = True
    params.warmup = False
    return xllamacpp.Server(params)


def main() -> None:
    """Serves until standard input ends."""
    running = engine(sys.argv[1])
    asyncio.run(serve(Front(json.loads(sys.argv[2]), running.listening_address).app(), int(sys.argv[3])))
    del running


if __name__ == "__main__":
    main()
