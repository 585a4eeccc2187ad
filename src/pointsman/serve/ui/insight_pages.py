"""What the pages that look closer answer: models, trade-off, and a change written for review.

Each is a function of the worker's gateway, a client and what followed the path's prefix. What takes long is done in
the worker's insight thread; what isn't to be read now is refused with the reason.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from pointsman.errors import InputError
from pointsman.serve.client import Client
from pointsman.serve.endpoints import body_of
from pointsman.serve.gateway import Gateway, today
from pointsman.serve.pages import object_of
from pointsman.serve.ui.decided_log import MOST_LOOKED_AT, read_log
from pointsman.serve.ui.insight import insight_of
from pointsman.serve.ui.latest import latest
from pointsman.serve.ui.models import facts_of, models_json
from pointsman.serve.ui.proposal import Wanted, propose
from pointsman.serve.ui.session import changer_of, viewer_of
from pointsman.serve.ui.trade_off import LEAST_QUERIES, Ground, check_knob, ground_of, page_json, replayed_json
from pointsman.serve.wire.errors import Refusal

FIELDS = ("funds", "knob")
MOST_AMOUNT = 10**18  # whole units; a billion dollars in nano-dollars
GROUND_S = 20.0

Made = TypeVar("Made")


async def models(gateway: Gateway, client: Client, _: str) -> None:
    """GET /ui/api/models."""
    viewer_of(gateway, client)
    insight = insight_of(gateway)
    past, why = await insight.past(gateway)
    facts = facts_of(gateway)
    found = await _readable(lambda: insight.fresh("models", past, lambda: models_json(facts, past, why)))
    await client.json(found)


async def trade_off(gateway: Gateway, client: Client, _: str) -> None:
    """GET /ui/api/trade-off."""
    viewer_of(gateway, client)
    ground = await _ground(gateway)
    await client.json(await insight_of(gateway).fresh("trade-off", ground, lambda: page_json(ground), GROUND_S))


async def replay(gateway: Gateway, client: Client, _: str) -> None:
    """POST /ui/api/trade-off/replay: {"funds": {name: amount}, "knob": 0 to 10}; changes nothing."""
    viewer_of(gateway, client)
    amounts, knob = await _asked(gateway, client)
    ground = await _ground(gateway)
    found = await insight_of(gateway).beside(
        lambda: replayed_json(ground, amounts, ground.knob if knob is None else knob)
    )
    if found is None:
        raise Refusal("invalid_request_error", f"Fewer than {LEAST_QUERIES} queries are there to be decided again.")
    await client.json(found)


async def write(gateway: Gateway, client: Client, _: str) -> None:
    """POST /ui/api/trade-off/write: the same body; writes the change beside the configuration, for review."""
    changer_of(gateway, client)
    amounts, knob = await _asked(gateway, client)
    path = gateway.settings.path
    if path is None:
        raise Refusal("invalid_request_error", "These settings are no file's, so there is nothing to change.")
    wanted = Wanted(amounts, (await _ground(gateway)).log.alias or "auto", knob)
    try:
        target, diff = await asyncio.to_thread(propose, path, wanted, os.environ, today())
    except InputError as error:
        raise Refusal("invalid_request_error", f"{error}") from None
    hidden = gateway.logs.redact(diff.encode()).decode(errors="replace")  # lines around a change may hold keys
    await client.json({"path": str(target), "diff": hidden})


async def _ground(gateway: Gateway) -> Ground:
    """What the page and its replays stand on, at most some seconds old."""
    scheme, state, rate = gateway.scheme, gateway.settings.state, gateway.traffic.arrivals.rate

    def make() -> Ground:
        return ground_of(read_log(latest(state, MOST_LOOKED_AT), scheme, rate), scheme)

    return await _readable(lambda: insight_of(gateway).fresh("ground", scheme.funds, make, GROUND_S))


async def _readable(read: Callable[[], Awaitable[Made]]) -> Made:
    try:
        return await read()
    except InputError as error:
        raise Refusal("overloaded", f"This can't be read now: {error}", retry_after_s=1) from None


async def _asked(gateway: Gateway, client: Client) -> tuple[dict[str, int], float | None]:
    given = object_of(await body_of(gateway, client), FIELDS)
    return amounts_of(given, {rule.name for rule in gateway.settings.funds}), knob_of(given)


def amounts_of(given: Mapping[str, Any], known: set[str]) -> dict[str, int]:
    """Amounts by fund of a body, in whole units.

    Raises:
        Refusal: no such fund, or no whole number.
    """
    funds = given.get("funds") or {}
    if not isinstance(funds, dict):
        raise Refusal("invalid_request_error", "`funds` is no object of amounts by fund.", param="funds")
    for name, amount in funds.items():
        if name not in known:
            raise Refusal("invalid_request_error", f"The configuration has no fund `{name[:100]}`.", param="funds")
        if isinstance(amount, bool) or not isinstance(amount, int) or not 0 <= amount <= MOST_AMOUNT:
            raise Refusal("invalid_request_error", "An amount is no whole number of at least 0.", param="funds")
    return funds


def knob_of(given: Mapping[str, Any]) -> float | None:
    """The trade-off of a body; None where it gives none.

    Raises:
        Refusal: no number from 0 to 10.
    """
    knob = given.get("knob")
    if knob is None:
        return None
    if isinstance(knob, bool) or not isinstance(knob, int | float) or not check_knob(knob):
        raise Refusal("invalid_request_error", "`knob` is no number from 0 to 10.", param="knob")
    return float(knob)
