"""Queries: read, decided, held for, carried out. One function a path, all of them the same way.

Takes the worker's gateway and a client. What is refused before anything is spent is witnessed too, so that a log and
the metrics show every request.
"""

from __future__ import annotations

import time
from typing import Any

import orjson

from pointsman.pool.cards import Shape
from pointsman.serve.access import Principal, secret_from
from pointsman.serve.client import JSON, Client, ClientGone
from pointsman.serve.exchange import GONE, Exchange, PassedOn
from pointsman.serve.explain import explanation
from pointsman.serve.finished import Finished
from pointsman.serve.gateway import Gateway
from pointsman.serve.plan import Plan
from pointsman.serve.scheme import counted_tokens
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.query import Query
from pointsman.serve.wire.reading import read_query


def principal_of(gateway: Gateway, client: Client) -> Principal:
    """Who asks.

    Raises:
        Refusal: no valid key.
    """
    return gateway.principal_of(secret_from(client.headers))


async def body_of(gateway: Gateway, client: Client) -> bytes:
    """The request's body, within the limits."""
    server = gateway.settings.server
    return await client.body(server.body_bytes, server.client_timeout_s)


async def chat(gateway: Gateway, client: Client, _: str) -> None:
    """POST /v1/chat/completions."""
    await serve(gateway, client, "chat")


async def completions(gateway: Gateway, client: Client, _: str) -> None:
    """POST /v1/completions."""
    await serve(gateway, client, "completions")


async def responses(gateway: Gateway, client: Client, _: str) -> None:
    """POST /v1/responses."""
    await serve(gateway, client, "responses")


async def embeddings(gateway: Gateway, client: Client, _: str) -> None:
    """POST /v1/embeddings."""
    await serve(gateway, client, "embeddings")


async def messages(gateway: Gateway, client: Client, _: str) -> None:
    """POST /v1/messages, Anthropic's shape."""
    await serve(gateway, client, "messages")


async def serve(
    gateway: Gateway, client: Client, shape: Shape, *, as_: Principal | None = None, given: bytes | None = None
) -> None:
    """One query, from its body to the receipt.

    Args:
        as_: who asks, where that is known already; else the request's key says it.
        given: the query's body, where it isn't the request's; then the request's headers say nothing of it either.
    """
    began, at_ns = time.perf_counter(), time.time_ns()
    principal, query = as_, None
    try:
        principal = principal_of(gateway, client) if as_ is None else as_
        body, headers = (await body_of(gateway, client), client.headers) if given is None else (given, {})
        query = read_query(shape, body, headers)
        read_s = time.perf_counter() - began
        plan = await gateway.switchboard.decide(query, principal, client.left)
    except (Refusal, ClientGone) as ended:
        key_id = "" if principal is None else principal.key_id
        gateway.observe(_not_served(ended, shape, query, key_id, at_ns, began), query)
        raise
    plan.stages_s["read"] = read_s
    exchange = Exchange(gateway.rig, plan, client, at_ns, began)
    try:
        await exchange.run(lambda finished: gateway.observe(finished, query, principal))
    except PassedOn as refusal:
        await _pass_on(client, plan, refusal)


async def _pass_on(client: Client, plan: Plan, refusal: PassedOn) -> None:
    """An upstream's refusal: in its own bytes where the client speaks its language, with our headers either way."""
    headers = [(b"x-pointsman-decision-id", plan.decision_id.encode())]
    if refusal.raw is not None:
        await client.answer(refusal.status, [JSON, *headers], refusal.raw)
    else:
        await client.refuse(refusal, anthropic=plan.query.shape == "messages", headers=headers)


def _not_served(
    ended: Refusal | ClientGone, shape: Shape, query: Query | None, key_id: str, at_ns: int, began: float
) -> Finished:
    refusal = ended if isinstance(ended, Refusal) else None
    total = time.perf_counter() - began
    return Finished(
        decision_id="",
        at_ns=at_ns,
        key_id=key_id,
        shape=shape,
        asked="" if query is None else query.model,
        outcome="refused" if refusal else "client_gone",
        status=refusal.status if refusal else GONE,
        reason=refusal.type if refusal else "",
        stream=query is not None and query.stream,
        total_s=total,
        overhead_s=total,
        input_chars=0 if query is None else query.input_chars,
    )


async def route_only(gateway: Gateway, client: Client, _: str) -> None:
    """POST /v1/route: the decision for a chat body, or for `{"prompt": "…"}`; nothing is held and nobody is asked."""
    principal = principal_of(gateway, client)
    body = await body_of(gateway, client)
    plan = await gateway.switchboard.consider(read_query("chat", _as_chat(body), client.headers), principal)
    await client.json(explanation(plan))


def _as_chat(body: bytes) -> bytes:
    """A bare prompt as a chat of one message; anything else as it is, to be read and refused as a chat."""
    try:
        given: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    if not isinstance(given, dict) or "messages" in given or not isinstance(given.get("prompt"), str):
        return body
    prompt = given.pop("prompt")
    return orjson.dumps({"model": "auto"} | given | {"messages": [{"role": "user", "content": prompt}]})


async def count_tokens(gateway: Gateway, client: Client, _: str) -> None:
    """POST /v1/messages/count_tokens: an estimate, corrected by what upstreams have reported."""
    principal = principal_of(gateway, client)
    query = read_query("messages", _with_limit(await body_of(gateway, client)), client.headers)
    asked = gateway.switchboard.admit(query, principal)
    ratio = asked.scheme.counting.ratio[asked.allowed].mean()
    await client.json({"input_tokens": round(counted_tokens(query.input_chars, query.images) * float(ratio))})


def _with_limit(body: bytes) -> bytes:
    """A body to be counted names no `max_tokens`, which one to be answered must."""
    try:
        given: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    return orjson.dumps({"max_tokens": 1} | given) if isinstance(given, dict) else body
