"""Administration of onboardings: begun, looked at and cancelled over HTTP. For the master key alone.

Each is a function of the worker's gateway, a client and what followed the path's prefix, as in `administration`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from pointsman.serve.access import require_admin
from pointsman.serve.administration import dollars_of
from pointsman.serve.client import Client
from pointsman.serve.endpoints import body_of, principal_of
from pointsman.serve.gateway import Gateway
from pointsman.serve.onboarding.onboardings import Wanted
from pointsman.serve.pages import object_of
from pointsman.serve.scheme import Scheme
from pointsman.serve.wire.errors import Refusal

FIELDS = ("model", "probes", "budget_usd", "shadow", "judge")
MOST_PROBES = 10_000


async def list_all(gateway: Gateway, client: Client, _: str) -> None:
    """GET /admin/onboardings."""
    require_admin(principal_of(gateway, client))
    await client.json({"object": "list", "data": await asyncio.to_thread(gateway.onboardings.all)})


async def start(gateway: Gateway, client: Client, _: str) -> None:
    """POST /admin/onboardings: {"model": …} begins one, or goes on with one that was cancelled."""
    require_admin(principal_of(gateway, client))
    wanted = wanted_of(object_of(await body_of(gateway, client), FIELDS), gateway.scheme)
    name = gateway.onboardings.start(wanted)
    await client.json({"id": name, "object": "onboarding", "model": wanted.model, "running": True}, 202)


async def one(gateway: Gateway, client: Client, rest: str) -> None:
    """GET /admin/onboardings/{model}: progress, and the profile at the end; by the model's id or the onboarding's."""
    require_admin(principal_of(gateway, client))
    found = await asyncio.to_thread(gateway.onboardings.one, rest)
    if found is None:
        raise Refusal("not_found_error", "This model has never been onboarded here.", param="model")
    await client.json(found)


async def cancel(gateway: Gateway, client: Client, rest: str) -> None:
    """DELETE /admin/onboardings/{model}: ends it; everything that it asked is kept, and it can go on later."""
    require_admin(principal_of(gateway, client))
    if not gateway.onboardings.cancel(rest):
        raise Refusal("not_found_error", "No onboarding is running for this model.", param="model")
    await client.json({"model": rest, "cancelled": True}, 202)


def wanted_of(given: Mapping[str, Any], scheme: Scheme) -> Wanted:
    """What a body asks for.

    Raises:
        Refusal: a model that isn't there or is retired, a judge that isn't there, a field of the wrong kind.
    """
    model, judge = given.get("model"), given.get("judge")
    column = scheme.column.get(model) if isinstance(model, str) else None
    if column is None:
        raise Refusal("invalid_request_error", "`model` is no model of the configuration.", param="model")
    if scheme.models[column].duty == "retired":
        raise Refusal("invalid_request_error", "The model is retired: `pointsman retire --back` first.", param="model")
    if judge is not None and (not isinstance(judge, str) or judge not in scheme.column):
        raise Refusal("invalid_request_error", "`judge` is no model of the configuration.", param="judge")
    shadow = given.get("shadow", False)
    if not isinstance(shadow, bool):
        raise Refusal("invalid_request_error", "`shadow` is neither true nor false.", param="shadow")
    budget = dollars_of(given, "budget_usd")
    if budget == 0:
        raise Refusal("invalid_request_error", "`budget_usd` is 0, which buys no probe.", param="budget_usd")
    return Wanted(
        scheme.models[column].id, _probes(given), None if budget is None else f"{budget:f}", shadow=shadow, judge=judge
    )


def _probes(given: Mapping[str, Any]) -> int | None:
    probes = given.get("probes")
    if probes is not None and (
        isinstance(probes, bool) or not isinstance(probes, int) or not 1 <= probes <= MOST_PROBES
    ):
        raise Refusal("invalid_request_error", f"`probes` is no whole number up to {MOST_PROBES}.", param="probes")
    return probes
