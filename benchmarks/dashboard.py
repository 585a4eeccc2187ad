"""What the dashboard costs a browser: page weight, time to the first chart, and memory after an hour of updates.

    python benchmarks/dashboard.py [--runs 5] [--hours 1] [--minutes 60] [--pages now,decisions] [--json FILE]

A seeded gateway (tests/ui/world.py) serves the pages to the system's Chromium without a window. Each run begins with
an empty cache. Then one page each is sent an hour of updates, 1,800 steps of the traffic with 20 decisions each and a
balance of every fund, by the gateway's own stream format and as fast as the page draws them; a proxy in this process
puts them in the place of the gateway's stream. With `--minutes` the same steps come every two seconds for so long.
The heap is read after a garbage collection.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from playwright.sync_api import Browser, CDPSession, Page
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from gateway_kit import MASTER, free_port, wait_until
from stub_upstream import start_stub
from ui.browser import DESK, PAGES, Visitor, chromium, missing, sign_in
from ui.world import seeded_gateway

DECISIONS = 2_000
STEP_S = 2.0
STEPS = 1_800  # an hour
ROWS = 20  # a step
AT_ONCE = 30  # steps between two looks at the page
LIVE = "/ui/api/live"
NOT_PASSED = {b"host", b"connection", b"accept-encoding"}
MARKS = """
window.__marks = {first_chart: null, pulses: 0, longest: 0, long: 0};
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) {
    window.__marks.long += 1;
    window.__marks.longest = Math.max(window.__marks.longest, one.duration);
  }
}).observe({type: "longtask", buffered: true});
new MutationObserver((_, watch) => {
  if (!document.querySelector("[data-drawn]")) return;
  window.__marks.first_chart = performance.now();
  watch.disconnect();
}).observe(document, {subtree: true, childList: true, attributes: true, attributeFilter: ["data-drawn"]});
const listen = EventSource.prototype.addEventListener;
EventSource.prototype.addEventListener = function (topic, handler, ...rest) {
  const counted = topic !== "pulse" ? handler : (event) => {
    handler(event);
    window.__marks.pulses += 1;
  };
  return listen.call(this, topic, counted, ...rest);
};
"""
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
DRAWN = (
    "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(window.__marks.pulses))))"
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Opening:
    """A page opened with an empty cache: medians of some runs.

    Attributes:
        weight_kb: transferred, as compressed; script_kb: of it, scripts.
        requests: how many.
        paint_ms: first contentful paint.
        chart_ms: the first chart is drawn; None for a page without one.
        longest_ms: longest task; 0 where none took 50 ms.
    """

    page: str
    weight_kb: float
    script_kb: float
    requests: int
    paint_ms: float
    chart_ms: float | None
    longest_ms: float


@dataclass(frozen=True)
class Hour:
    """An hour of updates on one page.

    Attributes:
        steps: how many were drawn.
        took_s: for that.
        heap_mb: after a garbage collection at the start, at half time and at the end.
        nodes: of the document, at the start and at the end.
        longest_ms, long: the longest task, and how many took 50 ms and more.
    """

    page: str
    steps: int
    took_s: float
    heap_mb: tuple[float, float, float]
    nodes: tuple[int, int]
    longest_ms: float
    long: int


# In place of the gateway's stream


class Proxy:
    """Passes everything on to the gateway but the stream of live events, which it makes itself.

    Args:
        gateway: its address.
        now, rows: what it has told, as templates for what comes.
    """

    def __init__(self, gateway: str, now: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._http = httpx.AsyncClient(base_url=gateway, trust_env=False, timeout=60)
        self._now, self._rows = now, rows
        self._queues: list[asyncio.Queue[bytes]] = []  # of every stream that was ever opened: a page may come again
        self._sent = 0
        config = uvicorn.Config(self, host="127.0.0.1", port=self.port, log_level="critical", lifespan="off")
        self._server = uvicorn.Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._server.serve())

    @contextlib.contextmanager
    def running(self) -> Iterator[Proxy]:
        """In a thread, for the length of a block."""
        self._thread.start()
        wait_until(lambda: self._server.started)
        try:
            yield self
        finally:
            self._server.should_exit = True
            self.push(b"")
            self._thread.join(10)

    def push(self, data: bytes) -> None:
        """Sends something to whoever listens; nothing ends the stream."""
        if self._loop is not None:
            for queue in tuple(self._queues):
                self._loop.call_soon_threadsafe(queue.put_nowait, data)

    def step(self) -> None:
        """Another step of the traffic."""
        self._sent += 1
        at_s = self._now["at_s"] + STEP_S * self._sent
        last = self._now["points"][-1]
        wave = 1 + (self._sent % 30) / 30
        point = last | {"t": at_s, "queries": ROWS, "served": ROWS, "cost_nano": int(1_000_000 * wave)}
        point["by_model"] = {id: int(3 * wave) for id in self._now["models"]}
        funds = {
            fund["name"]: [int(fund["remaining"] * (1 - self._sent / 10_000)), 0, fund["spent"], fund["price"]]
            for fund in self._now["funds"]
        }
        balances = [fund | {"remaining": funds[fund["name"]][0]} for fund in self._now["funds"]]
        self.push(_event("pulse", {"point": point, "funds": {"t": at_s, "funds": funds}, "balances": balances}))
        self.push(_event("decisions", {"rows": [self._row(at_s, n) for n in range(ROWS)], "skipped": 0}))

    def _row(self, at_s: float, n: int) -> dict[str, Any]:
        number = 10_000_000 + self._sent * ROWS + ROWS - n
        template = self._rows[number % len(self._rows)]
        return template | {"number": number, "decision_id": f"bench-{number}", "at_s": at_s}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["path"] == LIVE:
            await self._stream(send)
            return
        query = scope["query_string"].decode()
        headers = [(name, value) for name, value in scope["headers"] if name not in NOT_PASSED]
        headers.append((b"accept-encoding", b"gzip"))
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        path = scope["path"] + (f"?{query}" if query else "")
        async with self._http.stream(scope["method"], path, headers=headers, content=body) as answer:
            raw = b"".join([part async for part in answer.aiter_raw()])
        passed = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() != b"transfer-encoding"]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": passed})
        await send({"type": "http.response.body", "body": raw})

    async def _stream(self, send: Send) -> None:
        kind = (b"content-type", b"text/event-stream")
        await send({"type": "http.response.start", "status": 200, "headers": [kind, (b"cache-control", b"no-store")]})
        await send({"type": "http.response.body", "body": b": here\n\n", "more_body": True})
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._queues.append(queue)
        while data := await queue.get():
            await send({"type": "http.response.body", "body": data, "more_body": True})


def _event(name: str, data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


# What is measured


@contextlib.contextmanager
def opened(browser: Browser, url: str) -> Iterator[tuple[Page, CDPSession]]:
    """An empty page with an empty cache, signed in."""
    context = browser.new_context(viewport={"width": DESK[0], "height": DESK[1]})
    try:
        sign_in(context, url, Visitor(MASTER))
        page = context.new_page()
        page.add_init_script(MARKS)
        yield page, context.new_cdp_session(page)
    finally:
        context.close()


def measure_opening(browser: Browser, url: str, name: str) -> Opening:
    """One opening of one page."""
    kinds: dict[str, str] = {}
    sizes: dict[str, float] = {}
    with opened(browser, url) as (page, session):
        session.send("Network.enable")
        session.on("Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["type"]}))
        session.on(
            "Network.loadingFinished", lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]})
        )
        page.goto(f"{url}/ui/{name}")
        page.locator("h1").first.wait_for()
        page.wait_for_timeout(1_500)
        marks, paint = page.evaluate("window.__marks"), page.evaluate(PAINT)
    scripts = sum(size for id, size in sizes.items() if kinds.get(id) == "Script")
    return Opening(
        name,
        round(sum(sizes.values()) / 1024, 1),
        round(scripts / 1024, 1),
        len(sizes),
        round(paint, 1),
        None if marks["first_chart"] is None else round(marks["first_chart"], 1),
        round(marks["longest"], 1),
    )


def median_opening(found: list[Opening]) -> Opening:
    """Figure by figure."""

    def middle(name: str) -> float:
        return float(statistics.median(getattr(one, name) for one in found))

    charts = [one.chart_ms for one in found if one.chart_ms is not None]
    return Opening(
        found[0].page,
        middle("weight_kb"),
        middle("script_kb"),
        int(middle("requests")),
        middle("paint_ms"),
        statistics.median(charts) if charts else None,
        middle("longest_ms"),
    )


def memory(session: CDPSession) -> tuple[float, int]:
    """Megabytes on the heap after a garbage collection, and nodes of the document."""
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    return round(used / 2**20, 1), session.send("Memory.getDOMCounters")["nodes"]


def measure_hour(browser: Browser, proxy: Proxy, name: str, steps: int, every_s: float) -> Hour:
    """So many steps on one page, as fast as it draws them, or one each so many seconds."""
    with opened(browser, proxy.url) as (page, session):
        page.goto(f"{proxy.url}/ui/{name}")
        page.locator("h1").first.wait_for()
        page.wait_for_timeout(2_000)
        for _ in range(AT_ONCE):  # code is compiled and charts are there before the first look
            proxy.step()
        _wait_for(page, AT_ONCE)
        start, begun = memory(session), time.monotonic()
        half = start
        for number in range(1, steps + 1):
            proxy.step()
            if every_s:
                page.wait_for_timeout(every_s * 1_000)
            elif number % AT_ONCE == 0:
                _wait_for(page, AT_ONCE + number)
            if number == steps // 2:
                half = memory(session)
        _wait_for(page, AT_ONCE + steps)
        took_s, end, marks = time.monotonic() - begun, memory(session), page.evaluate("window.__marks")
    heap = (start[0], half[0], end[0])
    return Hour(name, steps, round(took_s, 1), heap, (start[1], end[1]), round(marks["longest"], 1), marks["long"])


def _wait_for(page: Page, pulses: int) -> None:
    deadline = time.monotonic() + 120
    while page.evaluate(DRAWN) < pulses:
        if time.monotonic() > deadline:
            raise SystemExit(f"only {page.evaluate(DRAWN)} of {pulses} steps were drawn after two minutes")


def templates(gateway_url: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the gateway tells now, to make more of."""
    headers = {"authorization": f"Bearer {MASTER}"}
    with httpx.Client(base_url=gateway_url, headers=headers, trust_env=False, timeout=30) as http:
        wait_until(lambda: bool(http.get("/ui/api/now").json()["points"]), 30)
        return http.get("/ui/api/now").json(), http.get("/ui/api/decisions?limit=100").json()["rows"]


def show(openings: list[Opening], hours: list[Hour]) -> None:
    """Two tables."""
    console = Console()
    first = Table("page", "KB", "of it scripts", "requests", "first paint ms", "first chart ms", "longest task ms")
    for one in openings:
        chart = "–" if one.chart_ms is None else f"{one.chart_ms:.0f}"
        figures = (f"{one.weight_kb:.0f}", f"{one.script_kb:.0f}", str(one.requests), f"{one.paint_ms:.0f}", chart)
        first.add_row(one.page, *figures, f"{one.longest_ms:.0f}")
    second = Table("page", "steps", "took s", "heap MB: start, half, end", "nodes: start, end", "longest ms", "≥ 50 ms")
    for hour in hours:
        heap, nodes = " ".join(f"{mb:.1f}" for mb in hour.heap_mb), " ".join(map(str, hour.nodes))
        second.add_row(
            hour.page, str(hour.steps), f"{hour.took_s:.0f}", heap, nodes, f"{hour.longest_ms:.0f}", str(hour.long)
        )
    console.print(first)
    console.print(second)


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description="What the dashboard costs a browser.")
    parser.add_argument("--runs", type=int, default=5, help="openings of each page")
    parser.add_argument("--hours", type=float, default=1, help="worth of updates, as fast as the page draws them")
    parser.add_argument(
        "--minutes", type=float, default=0, help="of updates as they come in life, in place of that: 60 is a real hour"
    )
    parser.add_argument("--pages", default="now,decisions", help="that get an hour of updates")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    if why := missing():
        raise SystemExit(f"nothing can be measured: {why}")
    steps, every_s = (
        (int(options.minutes * 60 / STEP_S), STEP_S) if options.minutes else (int(options.hours * STEPS), 0.0)
    )
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stub, browser = stack.enter_context(start_stub()), stack.enter_context(chromium())
        gateway = stack.enter_context(seeded_gateway(folder, stub, decisions=DECISIONS))
        openings = [
            median_opening([measure_opening(browser, gateway.url, name) for _ in range(options.runs)]) for name in PAGES
        ]
        proxy = stack.enter_context(Proxy(gateway.url, *templates(gateway.url)).running())
        hours = [measure_hour(browser, proxy, name, steps, every_s) for name in options.pages.split(",")]
    show(openings, hours)
    if options.json is not None:
        found = {"openings": [asdict(one) for one in openings], "hours": [asdict(one) for one in hours]}
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
