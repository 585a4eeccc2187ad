"""Where the opened decision, the models, the trade-off and the playground answer."""

from __future__ import annotations

from collections.abc import Mapping

from pointsman.serve.paths import Route
from pointsman.serve.ui import insight_pages, opened, playground

ROUTES: Mapping[str, Route] = {
    "/ui/api/models": Route({"GET": insight_pages.models}),
    "/ui/api/trade-off": Route({"GET": insight_pages.trade_off}),
    "/ui/api/trade-off/replay": Route({"POST": insight_pages.replay}),
    "/ui/api/trade-off/write": Route({"POST": insight_pages.write}),
    "/ui/api/route": Route({"POST": playground.route}),
    "/ui/api/send": Route({"POST": playground.send}),
}
PREFIXES: Mapping[str, Route] = {
    "/ui/api/decisions/": Route({"GET": opened.opened}),
}
