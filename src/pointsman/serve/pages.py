"""Everything but queries: models, feedback, decisions, funds, health, metrics, the API's description.

Each is a function of the worker's gateway, a client and what followed the path's prefix. What belongs to one key is
shown to that key and to an administrator, to nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import orjson

from pointsman import __version__
from pointsman.pool.cards import Model
from pointsman.serve.access import Principal, require_admin
from pointsman.serve.client import Client
from pointsman.serve.duties import check_named, may_name, trouble_of
from pointsman.serve.endpoints import body_of, principal_of
from pointsman.serve.explain import balance_json, usd
from pointsman.serve.gateway import Gateway
from pointsman.serve.learn import prices_of
from pointsman.serve.metrics import CONTENT_TYPE
from pointsman.serve.openapi import docs_page, document
from pointsman.serve.wire.errors import Refusal

HTML = (b"content-type", b"text/html; charset=utf-8")


async def home(_: Gateway, client: Client, __: str) -> None:
    """GET /: what this is."""
    await client.json({"name": "pointsman", "version": __version__, "docs": "/docs", "models": "/v1/models"})


async def models(gateway: Gateway, client: Client, _: str) -> None:
    """GET /v1/models: the aliases and models that the key may use."""
    principal = principal_of(gateway, client)
    scheme = gateway.scheme
    aliases = [_alias_json(alias.name) for alias in scheme.settings.aliases]
    mine = [model_json(model) for model in scheme.models if may_name(principal, model)]
    await client.json({"object": "list", "data": aliases + mine})


async def model(gateway: Gateway, client: Client, rest: str) -> None:
    """GET /v1/models/{id}."""
    principal = principal_of(gateway, client)
    scheme = gateway.scheme
    if rest in scheme.aliases:
        await client.json(_alias_json(rest))
        return
    column = scheme.column.get(rest)
    if column is not None and scheme.models[column].duty == "retired":
        check_named(principal, scheme.models[column])
    if column is None or not may_name(principal, scheme.models[column]):
        raise Refusal("not_found_error", f"The model `{rest[:200]}` is not known here.", param="model")
    await client.json(model_json(scheme.models[column]))


def _alias_json(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "pointsman"}


def model_json(model: Model) -> dict[str, Any]:
    return {
        "id": model.id,
        "object": "model",
        "created": 0,
        "owned_by": model.provider,
        "context_window": model.context_tokens,
        "max_output_tokens": model.max_output_tokens,
        "capabilities": sorted(model.capabilities),
        "tags": sorted(model.tags),
        "duty": model.duty,
    }


async def feedback(gateway: Gateway, client: Client, _: str) -> None:
    """POST /v1/feedback: {"decision_id": …, "score": 0 to 1} completes the outcome of a decision."""
    principal = principal_of(gateway, client)
    given = object_of(await body_of(gateway, client), {"decision_id", "score"})
    decision_id, score = given.get("decision_id"), given.get("score")
    if not isinstance(decision_id, str) or not decision_id:
        raise Refusal("invalid_request_error", "`decision_id` is not a text.", param="decision_id")
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise Refusal("invalid_request_error", "`score` is not a number from 0 to 1.", param="score")
    _own_decision(gateway, principal, decision_id)
    if not gateway.score(decision_id, float(score)):
        raise Refusal("not_found_error", "No exchange has this decision id any more.", param="decision_id")
    await client.json({"decision_id": decision_id, "score": float(score), "recorded": True})


async def decision(gateway: Gateway, client: Client, rest: str) -> None:
    """GET /v1/decisions/{id}: why this model, what it cost, every hop."""
    await client.json(_own_decision(gateway, principal_of(gateway, client), rest))


def _own_decision(gateway: Gateway, principal: Principal, decision_id: str) -> dict[str, Any]:
    found = gateway.journal.get(decision_id)
    if found is None or not (principal.admin or found.get("key_id") == principal.key_id):
        raise Refusal("not_found_error", "No decision has this id, or it is another key's.", param="decision_id")
    found["cost_usd"] = usd(int(found.get("cost_nano") or 0))
    return found


async def funds(gateway: Gateway, client: Client, _: str) -> None:
    """GET /v1/funds: every fund that the key's queries may draw on; an administrator sees all."""
    principal = principal_of(gateway, client)
    scheme = gateway.scheme
    mine = {scheme.funds[f].name for f in scheme.drawn(principal.key_id, principal.tags)}
    balances = [one for one in gateway.till.balances() if principal.admin or one.fund in mine]
    await client.json({"object": "list", "data": balance_json(balances, prices_of(scheme))})


async def liveliness(_: Gateway, client: Client, __: str) -> None:
    """GET /health/liveliness: the process answers."""
    await client.json({"status": "alive"})


async def readiness(gateway: Gateway, client: Client, _: str) -> None:
    """GET /health/readiness: it can decide and book; says where its estimates come from, and if nobody serves."""
    try:
        gateway.till.balances()
    except Exception:
        raise Refusal("ledger_unavailable", "The ledger can't be read.", retry_after_s=1) from None
    scheme = gateway.scheme
    serving = {"serving": int(scheme.serving.sum()), "trouble": trouble_of(scheme.settings)}
    told = {
        "status": "ready",
        "models": len(scheme.models),
        "funds": len(scheme.funds),
        "estimates_from": scheme.origin,
    }
    await client.json(told | serving)


async def metrics(gateway: Gateway, client: Client, _: str) -> None:
    """GET /metrics, for Prometheus: the sums over all workers."""
    telemetry = gateway.settings.telemetry
    if not telemetry.metrics:
        raise Refusal("not_found_error", "Metrics are switched off (`telemetry.metrics`).")
    if not telemetry.metrics_public:
        require_admin(principal_of(gateway, client))
    gateway.show()
    body = await asyncio.to_thread(gateway.metrics.render)
    await client.answer(200, [(b"content-type", CONTENT_TYPE.encode())], body)


async def openapi(_: Gateway, client: Client, __: str) -> None:
    """GET /openapi.json."""
    await client.json(document())


async def docs(_: Gateway, client: Client, __: str) -> None:
    """GET /docs: the same for people."""
    await client.answer(200, [HTML], docs_page().encode())


def object_of(body: bytes, known: Collection[str]) -> dict[str, Any]:
    """A JSON object with none but known fields."""
    try:
        given = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError:
        raise Refusal("invalid_request_error", "The body is not JSON.") from None
    if not isinstance(given, dict):
        raise Refusal("invalid_request_error", "The body is not a JSON object.")
    for name in given:
        if name not in known:
            raise Refusal(
                "invalid_request_error",
                f"`{name[:100]}` is not known; use {', '.join(sorted(known))}.",
                param=name[:100],
            )
    return given
