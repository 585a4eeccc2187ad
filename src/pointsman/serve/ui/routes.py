"""Where the dashboard answers: its data below `/ui/api`, its pages at everything else below `/ui`."""

from __future__ import annotations

from collections.abc import Mapping

from pointsman.serve.paths import Route
from pointsman.serve.ui import insight_routes, live, pages, session, static

ROUTES: Mapping[str, Route] = {
    "/ui": Route({"GET": static.moved}),
    "/ui/": Route({"GET": static.page}),
    "/ui/api/session": Route({"GET": session.show, "POST": session.sign_in, "DELETE": session.sign_out}),
    "/ui/api/live": Route({"GET": live.live}),
    "/ui/api/now": Route({"GET": pages.now}),
    "/ui/api/decisions": Route({"GET": pages.decided}),
    "/ui/api/funds": Route({"GET": pages.funds}),
    "/ui/api/entries": Route({"GET": pages.entries}),
    "/ui/api/audit": Route({"POST": pages.audit}),
    "/ui/api/keys": Route({"GET": pages.keys, "POST": pages.create_key}),
    "/ui/api/alarms": Route({"GET": pages.alarms}),
    "/ui/api/onboardings": Route({"GET": pages.onboardings, "POST": pages.onboard}),
    **insight_routes.ROUTES,
}
# What follows the prefix is handed to the endpoint; the last one takes what none before it took.
PREFIXES: Mapping[str, Route] = {
    **insight_routes.PREFIXES,
    "/ui/api/keys/": Route({"DELETE": pages.revoke_key}),
    "/ui/api/alarms/": Route({"POST": pages.acknowledge}),
    "/ui/api/onboardings/": Route({"DELETE": pages.cancel_onboarding}),
    "/ui/": Route({"GET": static.page}),
}
