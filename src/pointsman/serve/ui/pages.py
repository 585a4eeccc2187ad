"""The dashboard's data: what each path below `/ui/api` answers, and the few things that it may change.

Each is a function of the worker's gateway, a client and what followed the path's prefix. Looking needs a session,
changing one with changes switched on; both are asked first.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pointsman.errors import InputError
from pointsman.serve.access import MASTER
from pointsman.serve.administration import KEY_FIELDS, key_arguments
from pointsman.serve.client import Client
from pointsman.serve.endpoints import body_of
from pointsman.serve.gateway import Gateway
from pointsman.serve.keys import SHADOW, KeyRecord
from pointsman.serve.onboarding.pages import FIELDS as ONBOARDING_FIELDS
from pointsman.serve.onboarding.pages import wanted_of as onboarding_of
from pointsman.serve.pages import object_of
from pointsman.serve.ui import books, decisions
from pointsman.serve.ui.live import onboardings_json
from pointsman.serve.ui.now import MOST_MINUTES, alarm_json, alarms_json, now_json, standing
from pointsman.serve.ui.session import admin_of, changer_of, viewer_of
from pointsman.serve.wire.errors import Refusal

MINUTES = 15
MOST_KEYS = 1_000  # the newest

T = TypeVar("T")


def question_of(client: Client) -> dict[str, str]:
    """What stands behind the `?` of the address; of a repeated name the last."""
    query = client.scope.get("query_string", b"")
    try:
        return dict(parse_qsl(query.decode(), keep_blank_values=True, errors="strict", max_num_fields=50))
    except (UnicodeDecodeError, ValueError):
        raise Refusal("invalid_request_error", "The question in the address can't be read.") from None


async def reading(read: Callable[[], T]) -> T:
    """What a thread reads from a file of the state folder.

    Raises:
        Refusal: overloaded, the file can't be read just now.
    """
    try:
        return await asyncio.to_thread(read)
    except sqlite3.Error as error:
        raise Refusal("overloaded", f"This can't be read now: {error}.", retry_after_s=1) from None


async def now(gateway: Gateway, client: Client, _: str) -> None:
    """GET /ui/api/now?minutes=15."""
    viewer_of(gateway, client)
    given = question_of(client).get("minutes", str(MINUTES))
    minutes = decisions.number_of("minutes", given)
    try:
        await client.json(await now_json(gateway, max(1, min(minutes, MOST_MINUTES))))
    except sqlite3.Error as error:
        raise Refusal("overloaded", f"The charts' figures can't be read now: {error}.", retry_after_s=1) from None


async def decided(gateway: Gateway, client: Client, _: str) -> None:
    """GET /ui/api/decisions?…: a page of decisions, newest first."""
    viewer_of(gateway, client)
    wanted = decisions.wanted_of(question_of(client))
    path = gateway.settings.state / decisions.FILE
    rows, after = await reading(lambda: decisions.page_of(path, wanted))
    await client.json(
        {
            "rows": rows,
            "next": after,
            "models": [model.id for model in gateway.scheme.models],
            "keys": [MASTER, SHADOW, *(record.id for record in gateway.keys.list()[-MOST_KEYS:])],
            "reasons": list(decisions.REASONS_SHOWN),
        }
    )


async def funds(gateway: Gateway, client: Client, _: str) -> None:
    """GET /ui/api/funds."""
    viewer_of(gateway, client)
    await client.json({"funds": await standing(gateway, time.time())})


async def entries(gateway: Gateway, client: Client, _: str) -> None:
    """GET /ui/api/entries?…: a page of the ledger, newest first."""
    viewer_of(gateway, client)
    gateway.till.flush()
    question, path = question_of(client), gateway.settings.state / books.FILE
    await client.json(await reading(lambda: books.entries_page(path, question)))


async def audit(gateway: Gateway, client: Client, _: str) -> None:
    """POST /ui/api/audit: the ledger folded and compared; for administrators, since it may take a while."""
    admin_of(gateway, client)
    gateway.till.flush()
    began = time.perf_counter()
    found = await asyncio.to_thread(gateway.audit)
    took_s = round(time.perf_counter() - began, 3)
    problems = list(found.problems)
    await client.json({"ok": found.ok, "entries": found.counts["entries"], "problems": problems, "took_s": took_s})


async def keys(gateway: Gateway, client: Client, _: str) -> None:
    """GET /ui/api/keys: every virtual key, the newest first, without secrets."""
    viewer_of(gateway, client)
    await client.json({"keys": await _keys_json(gateway, gateway.keys.list()[: -MOST_KEYS - 1 : -1])})


async def _keys_json(gateway: Gateway, records: Sequence[KeyRecord]) -> list[dict[str, Any]]:
    names = [books.budget_of(record) for record in records]
    by_name = {fund["name"]: fund for fund in await standing(gateway, time.time(), names)} if names else {}
    return [books.key_json(record, by_name.get(name)) for record, name in zip(records, names, strict=True)]


async def create_key(gateway: Gateway, client: Client, _: str) -> None:
    """POST /ui/api/keys: as /admin/keys; the secret is in this answer and nowhere else."""
    changer_of(gateway, client)
    at_ns = time.time_ns()
    arguments = key_arguments(object_of(await body_of(gateway, client), KEY_FIELDS), at_ns)
    try:
        secret, record = gateway.keys.create(at_ns, **arguments)
    except InputError as error:
        raise Refusal("invalid_request_error", str(error)) from None
    gateway.rebuild()
    (shown,) = await _keys_json(gateway, [record])
    await client.json(shown | {"key": secret}, 201)


async def revoke_key(gateway: Gateway, client: Client, rest: str) -> None:
    """DELETE /ui/api/keys/{id}."""
    changer_of(gateway, client)
    record = gateway.keys.revoke(rest, time.time_ns())
    if record is None:
        raise Refusal("not_found_error", "No live key has this id.", param="id")
    gateway.rebuild()
    await client.json(books.key_json(record, None))


async def alarms(gateway: Gateway, client: Client, _: str) -> None:
    """GET /ui/api/alarms: the latest ones, those that are active first."""
    viewer_of(gateway, client)
    await client.json({"alarms": await alarms_json(gateway)})


async def acknowledge(gateway: Gateway, client: Client, rest: str) -> None:
    """POST /ui/api/alarms/{id}/acknowledge: somebody knows of it."""
    changer_of(gateway, client)
    id, _, act = rest.rpartition("/")
    if act != "acknowledge":
        raise Refusal("not_found_error", "There is nothing here; POST /ui/api/alarms/ID/acknowledge.")
    alarm = await asyncio.to_thread(gateway.drifting.alarms.acknowledge, id, time.time())
    if alarm is None:
        raise Refusal("not_found_error", "No alarm has this id.", param="id")
    await client.json(alarm_json(alarm))


async def onboardings(gateway: Gateway, client: Client, _: str) -> None:
    """GET /ui/api/onboardings: how far each is, or what it came to."""
    viewer_of(gateway, client)
    await client.json({"onboardings": await onboardings_json(gateway)})


async def onboard(gateway: Gateway, client: Client, _: str) -> None:
    """POST /ui/api/onboardings: {"model": …, "budget_usd": …, "probes": …} begins one."""
    changer_of(gateway, client)
    wanted = onboarding_of(object_of(await body_of(gateway, client), ONBOARDING_FIELDS), gateway.scheme)
    slug = gateway.onboardings.start(wanted)
    await client.json({"slug": slug, "model": wanted.model}, 202)


async def cancel_onboarding(gateway: Gateway, client: Client, rest: str) -> None:
    """DELETE /ui/api/onboardings/{slug}: ends one; everything that it asked is kept."""
    changer_of(gateway, client)
    if not gateway.onboardings.cancel(rest):
        raise Refusal("not_found_error", "No onboarding of this name is running.", param="slug")
    await client.json({"slug": rest, "cancelled": True}, 202)
