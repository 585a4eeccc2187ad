"""The gateway as an ASGI application: paths to endpoints, and every error turned into an answer.

One callable without middleware. A request is looked up by its path, authenticated, and handed to a function of
`endpoints` (queries) or `pages` (everything else) with its client. A `Refusal` becomes an error in the client's shape;
anything else is a bug, logged with its trace, and the client learns no more than that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from pointsman.errors import InputError
from pointsman.serve import administration, endpoints, pages
from pointsman.serve.client import Client, ClientGone, Receive, Scope, Send
from pointsman.serve.gateway import Gateway
from pointsman.serve.onboarding import pages as onboarding_pages
from pointsman.serve.paths import Route
from pointsman.serve.ui import routes as dashboard
from pointsman.serve.ui.fence import fenced
from pointsman.serve.wire.errors import Refusal

log = logging.getLogger(__name__)

QUERIES: Mapping[str, Route] = {
    "/chat/completions": Route({"POST": endpoints.chat}),
    "/completions": Route({"POST": endpoints.completions}),
    "/responses": Route({"POST": endpoints.responses}),
    "/embeddings": Route({"POST": endpoints.embeddings}),
    "/messages": Route({"POST": endpoints.messages}, anthropic=True),
    "/messages/count_tokens": Route({"POST": endpoints.count_tokens}, anthropic=True),
    "/models": Route({"GET": pages.models}),
    "/route": Route({"POST": endpoints.route_only}),
    "/feedback": Route({"POST": pages.feedback}),
    "/funds": Route({"GET": pages.funds}),
}
OTHERS: Mapping[str, Route] = {
    "/": Route({"GET": pages.home}),
    "/health": Route({"GET": pages.liveliness}),
    "/health/liveliness": Route({"GET": pages.liveliness}),
    "/health/liveness": Route({"GET": pages.liveliness}),
    "/health/readiness": Route({"GET": pages.readiness}),
    "/metrics": Route({"GET": pages.metrics}),
    "/openapi.json": Route({"GET": pages.openapi}),
    "/docs": Route({"GET": pages.docs}),
    "/admin/keys": Route({"GET": administration.list_keys, "POST": administration.create_key}),
    "/admin/reload": Route({"POST": administration.reload}),
    "/admin/audit": Route({"GET": administration.audit}),
    "/admin/alarms": Route({"GET": administration.alarms}),
    "/admin/config": Route({"GET": administration.config}),
    "/admin/refit": Route({"POST": administration.refit}),
    "/admin/onboardings": Route({"GET": onboarding_pages.list_all, "POST": onboarding_pages.start}),
}
# With and without /v1, since clients differ in what they take for the base address.
ROUTES: Mapping[str, Route] = {
    **OTHERS,
    **QUERIES,
    **{f"/v1{path}": route for path, route in QUERIES.items()},
    **dashboard.ROUTES,
}
# What follows the prefix is handed to the endpoint.
PREFIXES: Mapping[str, Route] = {
    "/v1/decisions/": Route({"GET": pages.decision}),
    "/decisions/": Route({"GET": pages.decision}),
    "/v1/models/": Route({"GET": pages.model}),
    "/models/": Route({"GET": pages.model}),
    "/admin/alarms/": Route({"POST": administration.acknowledge}),
    "/admin/keys/": Route({"DELETE": administration.revoke_key}),
    "/admin/onboardings/": Route({"GET": onboarding_pages.one, "DELETE": onboarding_pages.cancel}),
    **dashboard.PREFIXES,
}


class App:
    """The application.

    Args:
        open_gateway: makes this worker's gateway, when the server begins.
    """

    def __init__(self, open_gateway: Callable[[], Gateway]) -> None:
        self._open = open_gateway
        self.gateway: Gateway | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's request, or the server's own beginning and end."""
        if scope["type"] == "http":
            await self._answer(Client(scope, receive, fenced(scope, send)))
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self.gateway = await asyncio.to_thread(self._open)
            await self.gateway.start()
        except InputError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.gateway.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, client: Client) -> None:
        path, method = client.scope["path"], client.scope["method"]
        route, rest = found(path)
        anthropic = route is not None and route.anthropic
        try:
            if route is None:
                raise Refusal("not_found_error", f"There is nothing at {path[:200]}. GET /docs lists what there is.")
            endpoint = route.methods.get(method) or (route.methods.get("GET") if method == "HEAD" else None)
            if endpoint is None:
                allowed = ", ".join(route.methods)
                raise Refusal("invalid_request_error", f"Use {allowed} here.", status=405, headers={"allow": allowed})
            if self.gateway is None:
                raise Refusal("overloaded", "The gateway is starting.", retry_after_s=1)
            await endpoint(self.gateway, client, rest)
        except Refusal as refusal:
            await self._refuse(client, refusal, anthropic=anthropic)
        except ClientGone:
            pass
        except Exception:
            log.exception("an exchange failed by a fault of the gateway's own")
            await self._refuse(
                client, Refusal("server_error", "The gateway failed; its log says why."), anthropic=anthropic
            )

    async def _refuse(self, client: Client, refusal: Refusal, *, anthropic: bool) -> None:
        if not client.started and not client.gone:
            await client.refuse(refusal, anthropic=anthropic)


def found(path: str) -> tuple[Route | None, str]:
    """What answers at a path, and what follows its prefix."""
    route = ROUTES.get(path)
    if route is not None:
        return route, ""
    for prefix, route in PREFIXES.items():
        if path.startswith(prefix) and len(path) > len(prefix):
            return route, path[len(prefix) :]
    return None, ""
