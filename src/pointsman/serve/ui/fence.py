"""What every answer below `/ui` carries, so that a browser keeps the dashboard to itself.

No script but our own, no style but our own, nothing from another host, nobody's frame. Large answers of data are
compressed. It wraps the sending side of ASGI, so that refusals and failures carry it too.
"""

from __future__ import annotations

import gzip

from pointsman.serve.client import Headers, Message, Scope, Send

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
LARGE_BYTES = 4_096  # what is smaller, keys among it, isn't worth it
LEVEL = 1  # a third of a megabyte in three milliseconds, to an eighth


def fenced(scope: Scope, send: Send) -> Send:
    """The same sending side; below `/ui`, with the headers."""
    path = scope["path"]
    if not path.startswith("/ui"):
        return send
    squeezes = path.startswith(DATA) and takes_gzip(_accepted(scope["headers"]))
    head: Message = {}

    async def with_headers(message: Message) -> None:
        nonlocal head
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *HEADERS]
            if path.startswith(DATA) and not any(name == b"cache-control" for name, _ in message["headers"]):
                message["headers"].append((b"cache-control", b"no-store"))
            head = message
            return
        if head:  # the answer's beginning waits for its first bytes, which say whether it is whole and large
            begun, head = head, {}
            if squeezes and not message.get("more_body") and len(message.get("body", b"")) >= LARGE_BYTES:
                message["body"] = gzip.compress(message["body"], LEVEL, mtime=0)
                begun["headers"] = _squeezed(begun["headers"], len(message["body"]))
            await send(begun)
        await send(message)

    return with_headers


def takes_gzip(given: str) -> bool:
    """Whether an `accept-encoding` header takes gzip."""
    for one in given.lower().split(","):
        name, _, weight = one.replace(" ", "").partition(";q=")
        if name in {"gzip", "*"}:
            return weight == "" or weight.strip("0.") != ""
    return False


def _accepted(headers: Headers) -> str:
    return next((value.decode("latin-1") for name, value in headers if name == b"accept-encoding"), "")


def _squeezed(headers: Headers, length: int) -> Headers:
    kept = [(name, value) for name, value in headers if name != b"content-length"]
    return [*kept, (b"content-length", b"%d" % length), (b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
