"""Administration: virtual keys, the configuration, the ledger's audit. For the master key alone.

Each is a function of the worker's gateway, a client and what followed the path's prefix. A key's secret is in one
answer, when the key is made, and nowhere else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any

from pointsman.errors import InputError
from pointsman.pool.settings import WindowRule
from pointsman.serve.access import require_admin
from pointsman.serve.client import Client
from pointsman.serve.endpoints import body_of, principal_of
from pointsman.serve.gateway import Gateway
from pointsman.serve.keys import Budget
from pointsman.serve.pages import model_json, object_of
from pointsman.serve.refitting import request_refit
from pointsman.serve.scheme import NANO
from pointsman.serve.wire.errors import Refusal

KEY_FIELDS = (
    "id", "models", "tags", "expires_in_s", "budget_usd", "budget_window", "requests_per_minute", "tokens_per_minute"
)  # fmt: skip
MOST_USD = Decimal(10) ** 9


async def list_keys(gateway: Gateway, client: Client, _: str) -> None:
    """GET /admin/keys."""
    require_admin(principal_of(gateway, client))
    await client.json({"object": "list", "data": [record.public() for record in gateway.keys.list()]})


async def create_key(gateway: Gateway, client: Client, _: str) -> None:
    """POST /admin/keys: a new virtual key; its secret is in this answer and nowhere else."""
    require_admin(principal_of(gateway, client))
    given, now = object_of(await body_of(gateway, client), KEY_FIELDS), time.time_ns()
    try:
        secret, record = gateway.keys.create(now, **key_arguments(given, now))
    except InputError as error:
        raise Refusal("invalid_request_error", str(error)) from None
    gateway.rebuild()
    await client.json(record.public() | {"key": secret}, 201)


async def revoke_key(gateway: Gateway, client: Client, rest: str) -> None:
    """DELETE /admin/keys/{id}: ends a key here at once, in other workers within a second."""
    require_admin(principal_of(gateway, client))
    record = gateway.keys.revoke(rest, time.time_ns())
    if record is None:
        raise Refusal("not_found_error", "No live key has this id.", param="id")
    gateway.rebuild()
    await client.json(record.public())


async def reload(gateway: Gateway, client: Client, _: str) -> None:
    """POST /admin/reload: the configuration again; one that can't be used leaves the old one in force."""
    require_admin(principal_of(gateway, client))
    try:
        note = gateway.reload()
    except InputError as error:
        raise Refusal("invalid_request_error", f"The old configuration stays in force. {error}") from None
    await client.json({"reloaded": True, "note": note})


async def audit(gateway: Gateway, client: Client, _: str) -> None:
    """GET /admin/audit: the ledger's double entry, folded and compared."""
    require_admin(principal_of(gateway, client))
    gateway.till.flush()
    found = await asyncio.to_thread(gateway.audit)
    await client.json(asdict(found), 200 if found.ok else 500)


async def refit(gateway: Gateway, client: Client, _: str) -> None:
    """POST /admin/refit: estimators fitted on what is stored by now, soon, in a process beside the workers."""
    require_admin(principal_of(gateway, client))
    request_refit(gateway.settings.state)
    await client.json({"requested": True, "fit": gateway.scheme.fit}, 202)


async def alarms(gateway: Gateway, client: Client, _: str) -> None:
    """GET /admin/alarms: what the drift watch has found, the latest last."""
    require_admin(principal_of(gateway, client))
    found = await asyncio.to_thread(gateway.drifting.alarms.all)
    await client.json({"object": "list", "data": [alarm.public() for alarm in found]})


async def acknowledge(gateway: Gateway, client: Client, rest: str) -> None:
    """POST /admin/alarms/{id}/acknowledge: somebody knows of it; it is active no more."""
    require_admin(principal_of(gateway, client))
    id, _, act = rest.partition("/")
    if act != "acknowledge":
        raise Refusal("not_found_error", "There is nothing here; POST /admin/alarms/ID/acknowledge.")
    alarm = await asyncio.to_thread(gateway.drifting.alarms.acknowledge, id, time.time())
    if alarm is None:
        raise Refusal("not_found_error", "No alarm has this id.", param="id")
    await client.json(alarm.public())


async def config(gateway: Gateway, client: Client, _: str) -> None:
    """GET /admin/config: what is in force, without secrets."""
    require_admin(principal_of(gateway, client))
    scheme = gateway.scheme
    await client.json(
        {
            "file": str(gateway.settings.path or ""),
            "estimates_from": scheme.origin,
            "rates_of": scheme.day.isoformat(),
            "fit": scheme.fit,
            "models": [model_json(model) | {"endpoints": [e.name for e in model.endpoints]} for model in scheme.models],
            "aliases": [asdict(alias) for alias in scheme.settings.aliases],
            "funds": [asdict(rule) for rule in scheme.funds],
            "routing": asdict(scheme.settings.routing),
            "failure": asdict(scheme.settings.failure),
        }
    )


def key_arguments(given: Mapping[str, Any], now_ns: int) -> dict[str, Any]:
    """What `Keys.create` takes, from a body's fields.

    Raises:
        Refusal: a field of the wrong kind.
    """
    expires = _whole(given, "expires_in_s")
    return {
        "id": _text(given, "id"),
        "models": _texts(given, "models"),
        "tags": _texts(given, "tags"),
        "expires_ns": None if expires is None else now_ns + expires * NANO,
        "budget": _budget(given),
        "requests_per_minute": _whole(given, "requests_per_minute"),
        "tokens_per_minute": _whole(given, "tokens_per_minute"),
    }


def _budget(given: Mapping[str, Any]) -> Budget | None:
    usd = dollars_of(given, "budget_usd")
    if usd is None:
        if given.get("budget_window") is not None:
            raise _wrong("budget_window", "needs a `budget_usd`")
        return None
    return Budget(int(usd * NANO), _window(given.get("budget_window")))


def dollars_of(given: Mapping[str, Any], name: str) -> Decimal | None:
    """An amount of dollars in a body, a number or a text, exact to the nano-dollar; None where there is none.

    Raises:
        Refusal: neither.
    """
    amount = given.get(name)
    if amount is None:
        return None
    try:
        usd = Decimal(str(amount)) if not isinstance(amount, bool) else Decimal("NaN")
    except InvalidOperation:
        usd = Decimal("NaN")
    if not usd.is_finite() or not 0 <= usd <= MOST_USD or usd * NANO != int(usd * NANO):
        raise _wrong(name, "is not an amount of dollars with at most 9 decimals")
    return usd


def _window(given: Any) -> WindowRule:
    """{"rolling_s": 86400}, or {"every": "month", "zone": "Europe/Berlin"}, or nothing for once and for all."""
    if given is None:
        return WindowRule()
    if isinstance(given, dict) and set(given) == {"rolling_s"} and type(given["rolling_s"]) is int:
        return WindowRule("rolling", given["rolling_s"])
    if isinstance(given, dict) and set(given) <= {"every", "zone"} and isinstance(given.get("every"), str):
        return WindowRule("calendar", 0, given["every"], str(given.get("zone", "UTC")))
    raise _wrong("budget_window", 'is not {"rolling_s": seconds} or {"every": "month", "zone": "UTC"}')


def _whole(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10**12):
        raise _wrong(name, "is not a whole number of at least 0")
    return value


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong(name, "is not a text")
    return value


def _texts(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = given.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _wrong(name, "is not a list of texts")
    return tuple(value)


def _wrong(name: str, why: str) -> Refusal:
    return Refusal("invalid_request_error", f"`{name}` {why}.", param=name)
