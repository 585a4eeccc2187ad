"""The dashboard's pages as they are given out: once compressed, for ever kept, and nothing but them."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from made_dashboard import Browser, dashboard_settings, made_gateway
from pointsman.serve.client import Message
from pointsman.serve.gateway import Gateway
from pointsman.serve.ui.fence import fenced, takes_gzip
from pointsman.serve.ui.files import Files, read_all

PAGE = b"<!doctype html><title>Pointsman</title>" + b"<p>again</p>" * 50
SCRIPT = b"export const a = 1;\n" * 50


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a build leaves it."""
    folder = tmp_path_factory.mktemp("static")
    (folder / "assets").mkdir()
    (folder / "index.html").write_bytes(PAGE)
    (folder / "assets" / "index-3f2a.js").write_bytes(SCRIPT)
    (folder / "assets" / "dot-1c.png").write_bytes(b"\x89PNG" + bytes(100))
    (folder / "built_from.txt").write_text("0" * 64)
    return folder


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Browser]:
    with made_gateway(dashboard_settings(tmp_path_factory.mktemp("state"))) as made:
        made.front.files = Files(built)
        yield Browser(made)


def test_the_page_by_hand(visitor: Browser) -> None:
    """Every address of a page gives the one page, which a browser is to look at anew each time."""
    for path in ("/ui/", "/ui/now", "/ui/decisions/dec_01", "/ui/index.html"):
        answer = visitor.get(path)
        assert (answer.status, answer.body) == (200, PAGE), path
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
    moved = visitor.get("/ui")
    assert (moved.status, moved.headers["location"]) == (308, "/ui/")


def test_files_never_change(visitor: Browser) -> None:
    """What has a hash in its name is kept for ever, and is small on its way to whoever takes that."""
    answer = visitor.get("/ui/assets/index-3f2a.js", accept_encoding="br, gzip;q=0.8")
    assert (answer.status, answer.headers["content-encoding"]) == (200, "gzip")
    assert gzip.decompress(answer.body) == SCRIPT
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"] == "accept-encoding"
    assert visitor.get("/ui/assets/index-3f2a.js").body == SCRIPT
    assert "content-encoding" not in visitor.get("/ui/assets/dot-1c.png", accept_encoding="gzip").headers


def test_what_a_browser_has_is_not_sent_again(visitor: Browser) -> None:
    """With the tag that it was given, weak or not, alone or among others, there is nothing to send."""
    tag = visitor.get("/ui/").headers["etag"]
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = visitor.get("/ui/", if_none_match=given)
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)
    assert visitor.get("/ui/", if_none_match='"other"').status == 200


def test_a_head_is_a_get_without_its_body(visitor: Browser) -> None:
    """HEAD is answered as GET; the server leaves the body out."""
    assert visitor.ask("HEAD", "/ui/").headers["content-length"] == str(len(PAGE))


@pytest.mark.parametrize(
    "path",
    [
        "/ui/assets/other.js",
        "/ui/built_from.txt",
        "/ui/../serve/app.py",
        "/ui/%2e%2e/app.py",
        "/ui/assets/..%2findex.html",
        "/ui//etc/passwd.txt",
        "/ui/api/nothing",
        "/ui/api/nothing.js",
    ],
)
def test_nothing_else_is_there(visitor: Browser, path: str) -> None:
    """Only what was built for browsers has an address."""
    assert visitor.get(path).status == 404


def test_without_a_build(tmp_path: Path, visitor: Browser) -> None:
    """Where the pages aren't built, that is what is said."""
    gateway: Gateway = visitor.gateway
    built, gateway.front.files = gateway.front.files, Files(tmp_path / "nowhere")
    try:
        answer = visitor.get("/ui/")
    finally:
        gateway.front.files = built
    assert answer.status == 404
    assert "aren't built" in answer.json()["error"]["message"]


def test_a_new_build_shows_at_once(built: Path) -> None:
    """A folder that was built again is read again."""
    files = Files(built)
    first = files.get("index.html")
    later = (built / "index.html").stat().st_mtime_ns + 1_000_000
    (built / "index.html").write_bytes(PAGE + b"!")
    os.utime(built / "index.html", ns=(later, later))
    second = files.get("index.html")
    (built / "index.html").write_bytes(PAGE)
    assert first is not None
    assert second is not None
    assert (first.plain, second.plain) == (PAGE, PAGE + b"!")
    assert first.tag != second.tag


def test_compressed_alike(built: Path) -> None:
    """Workers, which each read the files by themselves, give the same bytes."""
    assert read_all(built) == read_all(built)


@pytest.mark.parametrize(
    ("given", "takes"),
    [("gzip", True), ("deflate, gzip;q=0.1", True), ("*", True), ("", False), ("br", False), ("gzip;q=0", False)],
)
def test_whotakes_gzip(given: str, takes: bool) -> None:
    """As the header says, with its weights."""
    assert takes_gzip(given) is takes


@pytest.mark.parametrize(
    ("accepted", "size", "squeezed"), [("gzip, br", 9_000, True), ("gzip", 100, False), ("identity", 9_000, False)]
)
def test_large_data_is_compressed(accepted: str, size: int, squeezed: bool) -> None:
    """A whole answer of data that is large, for who takes it; its length is what is sent."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def answer() -> None:
        scope = {"path": "/ui/api/now", "headers": [(b"accept-encoding", accepted.encode())]}
        head = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]}
        to = fenced(scope, send)
        await to(head)
        await to({"type": "http.response.body", "body": b"7" * size})

    asyncio.run(answer())
    headers, body = dict(sent[0]["headers"]), sent[1]["body"]
    assert (gzip.decompress(body) if squeezed else body) == b"7" * size
    assert (headers.get(b"content-encoding") == b"gzip") is squeezed
    assert int(headers[b"content-length"]) == len(body)


def test_streams_pass_at_once() -> None:
    """Events are never held back to be compressed."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def stream() -> None:
        to = fenced({"path": "/ui/api/live", "headers": [(b"accept-encoding", b"gzip")]}, send)
        await to({"type": "http.response.start", "status": 200, "headers": []})
        await to({"type": "http.response.body", "body": b"x" * 9_000, "more_body": True})
        assert sent[-1]["body"] == b"x" * 9_000

    asyncio.run(stream())
    assert len(sent) == 2
