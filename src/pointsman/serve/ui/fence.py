"""What every answer below `/ui` carries, so that a browser keeps the dashboard to itself.

No script but our own, no style but our own, nothing from another host, nobody's frame. It wraps the sending side of
ASGI, so that refusals and failures carry it too.
"""

from __future__ import annotations

from pointsman.serve.client import Message, Send

CSP = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", CSP),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
DATA = "/ui/api/"  # kept by nobody on its way


def fenced(path: str, send: Send) -> Send:
    """The same sending side; below `/ui`, with the headers."""
    if not path.startswith("/ui"):
        return send

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *HEADERS]
            if path.startswith(DATA) and not any(name == b"cache-control" for name, _ in message["headers"]):
                message["headers"].append((b"cache-control", b"no-store"))
        await send(message)

    return with_headers
