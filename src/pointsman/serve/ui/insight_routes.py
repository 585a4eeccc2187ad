"""Where the opened decision, the models, the trade-off and the playground answer."""

from __future__ import annotations

from collections.abc import Mapping

from pointsman.serve.paths import Route

ROUTES: Mapping[str, Route] = {}
PREFIXES: Mapping[str, Route] = {}
