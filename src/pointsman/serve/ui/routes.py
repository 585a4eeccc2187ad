"""Where the dashboard answers: its data below `/ui/api`, its pages at everything else below `/ui`."""

from __future__ import annotations

from collections.abc import Mapping

from pointsman.serve.paths import Route
from pointsman.serve.ui import insight_routes, session, static

ROUTES: Mapping[str, Route] = {
    "/ui": Route({"GET": static.moved}),
    "/ui/": Route({"GET": static.page}),
    "/ui/api/session": Route({"GET": session.show, "POST": session.sign_in, "DELETE": session.sign_out}),
    **insight_routes.ROUTES,
}
# What follows the prefix is handed to the endpoint; the last one takes what none before it took.
PREFIXES: Mapping[str, Route] = {
    **insight_routes.PREFIXES,
    "/ui/": Route({"GET": static.page}),
}
