"""What an upstream's status and headers mean, whatever API it speaks. Pure; no key and no address gets through."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from pointsman.pool.cards import Endpoint
from pointsman.serve.upstreams.adapter import FaultKind, UpstreamFault

MESSAGE_CHARS = 1_000
MOST_RETRY_S = 86_400.0

_KINDS: dict[int, FaultKind] = {
    401: "credentials",
    402: "credentials",
    403: "credentials",
    404: "credentials",
    405: "credentials",
    408: "timeout",
    425: "overloaded",
    429: "overloaded",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
_SAID: dict[FaultKind, str] = {
    "credentials": "The upstream doesn't let this gateway use the model.",
    "overloaded": "The upstream is overloaded or limits this gateway's rate.",
    "timeout": "The upstream took too long.",
    "server": "The upstream failed.",
    "garbage": "The upstream's answer can't be read.",
    "broken": "The upstream's stream ended before its end.",
}
_ADDRESS = re.compile(r"https?://\S+")


def kind_of(status: int) -> FaultKind:
    """The kind of a status of 400 or more."""
    return _KINDS.get(status) or ("refused" if 400 <= status < 500 else "server")


def said_of(kind: FaultKind, told: str, endpoint: Endpoint) -> str:
    """A message for the client: the upstream's own words only where the client's request is at fault."""
    if kind != "refused" or not told:
        return _SAID.get(kind, "The upstream refuses the request.")
    if endpoint.key:
        told = told.replace(endpoint.key, "…")
    return _ADDRESS.sub("…", told)[:MESSAGE_CHARS]


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """When the upstream asks to come again, in seconds; a date is taken against the answer's own date.

    Args:
        headers: by lower-case name.
    """
    if (wait_ms := _number(headers.get("retry-after-ms"))) is not None:
        return min(wait_ms / 1_000, MOST_RETRY_S)
    told = headers.get("retry-after")
    if (wait_s := _number(told)) is not None:
        return min(wait_s, MOST_RETRY_S)
    try:
        until, now = parsedate_to_datetime(told or ""), parsedate_to_datetime(headers.get("date", ""))
        return min(max(0.0, (until - now).total_seconds()), MOST_RETRY_S)
    except (ValueError, TypeError):
        return None


def _number(told: str | None) -> float | None:
    try:
        number = float(told or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def garbage() -> UpstreamFault:
    """An answer that can't be read."""
    return UpstreamFault("garbage", _SAID["garbage"], 200)


def broken() -> UpstreamFault:
    """A stream that ended before its end."""
    return UpstreamFault("broken", _SAID["broken"], 200)
