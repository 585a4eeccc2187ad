"""The playground: where a prompt would go and what it would cost, without holding anything; and sending it.

Routing goes through the switchboard as `/v1/route` does, sending through the way of every query, as the visitor's
principal. Nothing of either is kept here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from pointsman.pool.settings import Alias
from pointsman.serve.again.basis import Basis
from pointsman.serve.client import Client
from pointsman.serve.duties import DOING
from pointsman.serve.endpoints import body_of, serve
from pointsman.serve.gateway import Gateway
from pointsman.serve.health import Health
from pointsman.serve.pages import object_of
from pointsman.serve.plan import Plan
from pointsman.serve.scheme import Scheme
from pointsman.serve.ui.insight import insight_of
from pointsman.serve.ui.neighbours import neighbours_json
from pointsman.serve.ui.past import Past
from pointsman.serve.ui.session import Visitor, changer_of, viewer_of
from pointsman.serve.ui.why import Case, candidates_json, funds_json, outsiders_json
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.reading import read_query

FIELDS = ("prompt", "model")
HURRY_S = 0.2  # a page that asks while somebody types doesn't wait for the recorded prompts to be read


async def route(gateway: Gateway, client: Client, _: str) -> None:
    """POST /ui/api/route: {"prompt": …, "model": …}; nothing is held and nobody is asked."""
    visitor = viewer_of(gateway, client)
    body = chat_of(object_of(await body_of(gateway, client), FIELDS), stream=False)
    query = read_query("chat", body, {})
    plan = await gateway.switchboard.consider(query, visitor.principal)
    neighbours = await near(gateway, visitor, query.text, HURRY_S)
    await client.json(routed_json(plan, gateway.health) | {"neighbours": neighbours})


async def send(gateway: Gateway, client: Client, _: str) -> None:
    """POST /ui/api/send: the same body, really asked, as a stream; it costs what it costs."""
    visitor = changer_of(gateway, client)
    body = chat_of(object_of(await body_of(gateway, client), FIELDS), stream=True)
    await serve(gateway, client, "chat", as_=visitor.principal, given=body)


def chat_of(given: Mapping[str, Any], *, stream: bool) -> bytes:
    """A prompt and a model as the body of a chat; a stream ends with usage and cost.

    Raises:
        Refusal: no prompt, or a model that is no text.
    """
    prompt, model = given.get("prompt"), given.get("model")
    if not isinstance(prompt, str) or not prompt.strip():
        raise Refusal("invalid_request_error", "`prompt` is no text, or an empty one.", param="prompt")
    if model is not None and not isinstance(model, str):
        raise Refusal("invalid_request_error", "`model` is no text.", param="model")
    body: dict[str, Any] = {"model": model or "auto", "messages": [{"role": "user", "content": prompt}]}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}, "pointsman": {"stream_cost": True}}
    return orjson.dumps(body)


def routed_json(plan: Plan, health: Health) -> dict[str, Any]:
    """A decision that was only considered, with every model's part in it."""
    basis = Basis(plan).columns()
    chosen = plan.scheme.models[plan.ranked[0]].id if plan.ranked else None
    case = Case([asdict(one) for one in plan.candidates], basis, chosen)
    models = [model.id for model in plan.scheme.models]
    left_out = outsiders_json(models, case, reasons(plan, health))
    return {
        "model": chosen,
        "reason": plan.reason,
        "candidates": candidates_json(case) + left_out,
        "funds": funds_json(basis),
        "input_tokens": round(plan.input_tokens),
    }


def reasons(plan: Plan, health: Health) -> dict[str, str]:
    """Why each model that is no candidate isn't one, as far as that can be told."""
    alias = plan.scheme.aliases.get(plan.query.model)
    scheme, now = plan.scheme, time.monotonic()
    found = {}
    for column, model in enumerate(scheme.models):
        rests = "" if health.up(model.endpoints, now) else "All of its endpoints are resting after failures."
        why = _reason(plan, alias, column) or rests
        if why:
            found[model.id] = why
    return found


def _reason(plan: Plan, alias: Alias | None, column: int) -> str:
    """The first of the hard filters that a model doesn't pass; "" where none of these says it."""
    scheme: Scheme = plan.scheme
    model = scheme.models[column]
    if alias is None:
        return "Another model was named."
    checks = (
        (model.duty == "serving", f"Not serving: it is {DOING[model.duty]}."),
        (not alias.models or model.id in alias.models, f"Not among the models of alias {alias.name!r}."),
        (model.tags.issuperset(alias.tags), f"It lacks a tag of alias {alias.name!r}."),
        (bool(scheme.with_capability(plan.query.needs)[column]), "It can't do what the query needs."),
        (_fits(plan, column), "The prompt doesn't fit its context."),
    )
    return next((why for passes, why in checks if not passes), "")


def _fits(plan: Plan, column: int) -> bool:
    scheme = plan.scheme
    return bool(plan.input_tokens * scheme.counting.ratio[column] < scheme.context[column])


async def near(gateway: Gateway, visitor: Visitor, text: str, patience_s: float, but: str = "") -> dict[str, Any]:
    """The recorded prompts nearest to a text, or why there are none to show; `but` is the id of the text's own."""
    past, why = await insight_of(gateway).past(gateway, patience_s)
    if past is None:
        return {"rows": [], "why": why}
    embedder = gateway.scheme.snapshot.embedder

    def find(found: Past = past) -> list[dict[str, Any]]:
        return neighbours_json(found, embedder.embed([text])[0], prompts=visitor.prompts, but=but)

    return {"rows": await asyncio.to_thread(find), "why": ""}
