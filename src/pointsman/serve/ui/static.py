"""The pages over HTTP: status, headers and bytes for a path below `/ui`.

Every path without a dot is the page, which finds out itself what to show, and is looked at anew each time. Files below
`assets/` have a hash of their content in their name and never change.
"""

from __future__ import annotations

import asyncio

from pointsman.serve.client import Client, Headers
from pointsman.serve.gateway import Gateway
from pointsman.serve.ui.fence import takes_gzip
from pointsman.serve.ui.files import PAGE, File
from pointsman.serve.ui.session import check_enabled
from pointsman.serve.wire.errors import Refusal

FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")
LOOK_AGAIN = (b"cache-control", b"no-cache")


async def moved(gateway: Gateway, client: Client, _: str) -> None:
    """GET /ui: the pages are below `/ui/`."""
    check_enabled(gateway)
    await client.answer(308, [(b"location", b"/ui/")], b"")


async def page(gateway: Gateway, client: Client, rest: str) -> None:
    """GET /ui/…: a file of the pages."""
    check_enabled(gateway)
    if rest.startswith("api/"):
        raise Refusal("not_found_error", f"There is nothing at /ui/{rest[:200]}.")
    name = rest if "." in rest else PAGE
    file = await asyncio.to_thread(gateway.front.files.get, name)
    if file is None and name == PAGE:
        raise Refusal("not_found_error", "The dashboard's pages aren't built here; see docs/dashboard.md.")
    if file is None:
        raise Refusal("not_found_error", f"There is no file at /ui/{rest[:200]}.")
    await _give(client, file, immutable=name.startswith("assets/"))


async def _give(client: Client, file: File, *, immutable: bool) -> None:
    headers: Headers = [
        (b"etag", file.tag.encode()),
        FOR_EVER if immutable else LOOK_AGAIN,
        (b"vary", b"accept-encoding"),
    ]
    if _has(client.headers.get("if-none-match", ""), file.tag):
        await client.answer(304, headers, b"")
        return
    headers.append((b"content-type", file.kind.encode()))
    if file.squeezed is not None and takes_gzip(client.headers.get("accept-encoding", "")):
        await client.answer(200, [*headers, (b"content-encoding", b"gzip")], file.squeezed)
    else:
        await client.answer(200, headers, file.plain)


def _has(given: str, tag: str) -> bool:
    """Whether `if-none-match` names a tag; proxies that compress make it a weak one."""
    return given.strip() == "*" or tag in {one.strip().removeprefix("W/") for one in given.split(",")}
