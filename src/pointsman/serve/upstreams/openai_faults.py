"""What an OpenAI-compatible upstream's errors mean: error bodies with their statuses, and errors inside of an answer.

Pure. What a client is told never holds the endpoint's key or address, even where the upstream repeats them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from pointsman.pool.cards import Endpoint
from pointsman.serve.upstreams.adapter import FaultKind, UpstreamFault
from pointsman.serve.upstreams.faults import kind_of, retry_after_s, said_of

HIDDEN = "[hidden]"
SECRET_CHARS = 8

# Money or access that is ours to put right: the same call won't work a moment later, whatever the status says.
_OURS = frozenset({"insufficient_quota", "invalid_api_key", "billing_not_active", "model_not_found"})
# Inside of an answer, words of the error's type or code that mean that there is too much to do.
_BUSY = ("rate_limit", "overloaded", "unavailable")


def read_fault(
    endpoint: Endpoint, status: int, headers: Mapping[str, str], body: bytes, *, native: bool
) -> UpstreamFault:
    """What a status other than 200 means.

    Args:
        endpoint: whose key and address are kept from the client.
        status: as it came.
        headers: by lower-case name.
        body: as it came.
        native: whether the client speaks the upstream's own shape, so that the body may be passed on.
    """
    error = _error_of(body)
    kind = _kind(status, error)
    message = _hidden(said_of(kind, error.get("message", ""), endpoint), endpoint)
    passed = None
    if kind == "refused" and native and error:
        passed = _hidden(body.decode(errors="replace"), endpoint).encode()
    return UpstreamFault(kind, message, status=status, retry_after_s=retry_after_s(headers), body=passed)


def event_fault(error: Any) -> UpstreamFault:
    """What an error inside of an answer or a stream with status 200 means: the value of its `error`."""
    error = error if isinstance(error, dict) else {}
    status = next((code for name in ("code", "status") if type(code := error.get(name)) is int), 0)
    kind = _kind(status, error) if 400 <= status < 600 else "server"
    if any(word in f"{error.get('type')} {error.get('code')}" for word in _BUSY):
        kind = "overloaded"
    if kind == "credentials":
        return UpstreamFault(kind, "The upstream stopped letting this gateway use the model.", status=status)
    if kind == "overloaded":
        return UpstreamFault(kind, "The upstream is overloaded and gave up on its answer.", status=status)
    return UpstreamFault("server", "The upstream failed while it answered.", status=status)


def _kind(status: int, error: dict[str, Any]) -> FaultKind:
    if error.get("code") in _OURS or error.get("type") in _OURS:
        return "credentials"
    if status < 400:
        # Redirects aren't followed: the key would go with them.
        return "credentials" if status >= 300 else "garbage"
    return "credentials" if status == 405 else kind_of(status)


def _error_of(body: bytes) -> dict[str, Any]:
    """The error of a body as text fields, from the several places where servers put it; empty where it has none."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]
    if not isinstance(parsed, dict):
        return {}
    error = parsed.get("error") or parsed
    if isinstance(error, str):
        return {"message": error}
    if not isinstance(error, dict):
        return {}
    message = error.get("message") or error.get("detail") or ""
    plain = {name: error[name] for name in ("type", "code") if isinstance(error.get(name), str)}
    return {**plain, "message": message if isinstance(message, str) else orjson.dumps(message).decode()}


def _hidden(text: str, endpoint: Endpoint) -> str:
    """The text without the endpoint's secrets and host."""
    secrets = {endpoint.key, *endpoint.headers.values(), endpoint.base_url, urlsplit(endpoint.base_url).netloc}
    # A header such as `x-version: 1` is no secret, and its value stands in any text.
    long = [secret for secret in secrets if secret and len(secret) >= SECRET_CHARS]
    for secret in sorted(long, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text
