"""Who looks at the dashboard: a cookie or a key in, a `Visitor` out, or a refusal.

The master key makes an administrator, the dashboard's own key a viewer, who sees no prompt and no answer. Nobody may
change anything unless that was asked for at the sign-in, with the master key. A gateway without any key, on loopback,
needs none; it answers only to loopback's own names, so that no foreign page can pass itself off as one of ours.
Whatever isn't a GET needs a header that no other site's page can send.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from pointsman import __version__
from pointsman.serve.access import MASTER, Principal, secret_from
from pointsman.serve.client import Client
from pointsman.serve.endpoints import body_of
from pointsman.serve.gateway import Gateway
from pointsman.serve.pages import object_of
from pointsman.serve.ui.seal import Granted, Role, same
from pointsman.serve.wire.errors import Refusal

COOKIE = "pointsman_ui"
OUR_HEADER = "x-pointsman-ui"
READING = ("GET", "HEAD")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks.

    Attributes:
        role: "viewer" or "admin".
        changes: whether they may change anything.
        prompts: whether they may see prompts and answers that are stored.
        principal: as whom their queries count.
        expires_s: when the session ends, Unix seconds; None where there is no cookie to end.
    """

    role: Role
    changes: bool
    prompts: bool
    principal: Principal
    expires_s: float | None = None


def viewer_of(gateway: Gateway, client: Client) -> Visitor:
    """Who looks, whatever they may do. Every endpoint below `/ui/api` asks this, or one of the two below, first.

    Raises:
        Refusal: not_found_error, the dashboard is switched off; authentication_error, nobody has signed in;
            permission_error, a request that another site's page may have sent; rate_limit_exceeded, too many wrong
            keys.
    """
    check_enabled(gateway)
    check_origin(client)
    found = _known(gateway, client)
    if found is None:
        raise Refusal("authentication_error", "Sign in at /ui, with the master key or the dashboard's key.")
    return found


def admin_of(gateway: Gateway, client: Client) -> Visitor:
    """As `viewer_of`, for what viewers aren't to see.

    Raises:
        Refusal: permission_error, a viewer. So are those of `viewer_of`.
    """
    visitor = viewer_of(gateway, client)
    if visitor.role != "admin":
        raise Refusal("permission_error", "This needs a session with the master key.")
    return visitor


def changer_of(gateway: Gateway, client: Client) -> Visitor:
    """As `admin_of`, for what changes something or spends money.

    Raises:
        Refusal: permission_error, a session that may only look. So are those of `admin_of`.
    """
    visitor = admin_of(gateway, client)
    if not visitor.changes:
        raise Refusal("permission_error", "This session may only look. Sign in again with changes switched on.")
    return visitor


def check_enabled(gateway: Gateway) -> None:
    """Refuses where the dashboard is switched off."""
    if not gateway.settings.dashboard.enabled:
        raise Refusal("not_found_error", "The dashboard is switched off (`dashboard.enabled`).")


def check_origin(client: Client) -> None:
    """Refuses what another site's page may have sent: only ours can send the header without being asked about it."""
    if client.scope["method"] in READING:
        return
    if client.headers.get(OUR_HEADER) != "1":
        raise Refusal("permission_error", f"Send the header `{OUR_HEADER}: 1`.")
    origin = client.headers.get("origin")
    ours = (client.headers.get("host"), client.headers.get("x-forwarded-host"))
    if origin is not None and urlsplit(origin).netloc not in ours:
        raise Refusal("permission_error", "This comes from another site's page.")


def is_open(gateway: Gateway) -> bool:
    """Whether the gateway needs no key at all."""
    if gateway.settings.master_key is not None:
        return False
    try:
        return gateway.principal_of("").admin
    except Refusal:
        return False


def _known(gateway: Gateway, client: Client) -> Visitor | None:
    """Who a request comes from, by its cookie, its key, or because no key is needed; None where it doesn't say."""
    granted = gateway.front.seal.read(_cookie(client), _keys(gateway), time.time())
    if granted is not None:
        return _visitor(gateway, granted)
    secret = secret_from(client.headers)
    if secret:
        role = _role_of(gateway, secret)
        return None if role is None else _visitor(gateway, Granted(role, role == "admin", 0.0))
    if is_open(gateway):
        _check_host(client)
        return _visitor(gateway, Granted("admin", changes=False, expires_s=0.0))
    return None


def _visitor(gateway: Gateway, granted: Granted) -> Visitor:
    admin = granted.role == "admin"
    name = MASTER if gateway.settings.master_key is not None else ""
    principal = Principal(name, admin=True) if admin else Principal("")
    return Visitor(granted.role, granted.changes, admin, principal, granted.expires_s or None)


def _keys(gateway: Gateway) -> dict[Role, str | None]:
    """The key that each role is bound to now; "" where administrators need none."""
    settings = gateway.settings
    admin = settings.master_key
    if admin is None and is_open(gateway):
        admin = ""
    return {"admin": admin, "viewer": settings.dashboard.key}


def _role_of(gateway: Gateway, secret: str) -> Role | None:
    """Whose key this is; wrong ones are counted.

    Raises:
        Refusal: rate_limit_exceeded.
    """
    door, now = gateway.front.door, time.monotonic()
    shut_s = door.shut_s(now)
    if shut_s is not None:
        raise Refusal("rate_limit_exceeded", "Too many wrong keys were given; wait a minute.", retry_after_s=shut_s)
    if same(secret, gateway.settings.master_key):
        return "admin"
    if same(secret, gateway.settings.dashboard.key):
        return "viewer"
    door.wrong(now)
    return None


def _check_host(client: Client) -> None:
    """A gateway that needs no key answers to loopback's names alone: another name that leads here is another site's."""
    host = urlsplit(f"//{client.headers.get('host', '')}").hostname or ""
    if host not in LOOPBACK and not host.startswith("127."):
        raise Refusal("permission_error", "Without a master key the dashboard answers at localhost alone.")


def _cookie(client: Client) -> str:
    try:
        found = SimpleCookie(client.headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


async def show(gateway: Gateway, client: Client, _: str) -> None:
    """GET /ui/api/session: who looks; an answer for those who haven't signed in too."""
    check_enabled(gateway)
    await client.json(_told(gateway, _known(gateway, client)))


async def sign_in(gateway: Gateway, client: Client, _: str) -> None:
    """POST /ui/api/session: {"key": …, "changes": …}; a cookie in exchange for a key.

    Without a key a session gives up changes, and lasts no longer for it.
    """
    check_enabled(gateway)
    check_origin(client)
    given = object_of(await body_of(gateway, client), ("key", "changes"))
    key, changes = given.get("key", ""), given.get("changes", False)
    if not isinstance(key, str) or not isinstance(changes, bool):
        raise Refusal("invalid_request_error", "`key` is a text, `changes` true or false.")
    now = time.time()
    before = gateway.front.seal.read(_cookie(client), _keys(gateway), now)
    if before is not None and not key and not changes:
        role, key, expires_s = before.role, _keys(gateway)[before.role] or "", before.expires_s
    else:
        role, key = _entered(gateway, client, key)
        expires_s = round(now + gateway.settings.dashboard.session_s, 3)
    if changes and role != "admin":
        raise Refusal("permission_error", "Changes need the master key.", param="changes")
    granted = Granted(role, changes, expires_s)
    cookie = _set(client, gateway.front.seal.sign(granted, key), round(expires_s - now))
    await client.json(_told(gateway, _visitor(gateway, granted)), headers=[cookie])


def _entered(gateway: Gateway, client: Client, key: str) -> tuple[Role, str]:
    """The role that a key opens, and the key it is bound to.

    Raises:
        Refusal: the wrong key, or too many of them.
    """
    if not key and is_open(gateway):
        _check_host(client)
        return "admin", ""
    role = _role_of(gateway, key)
    if role is None:
        raise Refusal("authentication_error", "This is neither the master key nor the dashboard's key.", param="key")
    return role, key


async def sign_out(gateway: Gateway, client: Client, _: str) -> None:
    """DELETE /ui/api/session: the browser forgets its cookie."""
    check_enabled(gateway)
    check_origin(client)
    await client.json(_told(gateway, None), headers=[_set(client, "", 0)])


def _set(client: Client, value: str, age_s: int) -> tuple[bytes, bytes]:
    secure = "https" in (client.scope.get("scheme"), client.headers.get("x-forwarded-proto"))
    line = f"{COOKIE}={value}; Path=/ui; Max-Age={age_s}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"
    return b"set-cookie", line.encode()


def _told(gateway: Gateway, visitor: Visitor | None) -> dict[str, Any]:
    return {
        "signed_in": visitor is not None,
        "role": None if visitor is None else visitor.role,
        "changes": visitor is not None and visitor.changes,
        "prompts": visitor is not None and visitor.prompts,
        "needs_key": not is_open(gateway),
        "expires_s": None if visitor is None else visitor.expires_s,
        "version": __version__,
        "notice": gateway.settings.dashboard.notice,
        "workers": gateway.settings.server.workers,
    }
