"""Ten thousand decisions in the table: few rows in the document, and no step that takes long."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from gateway_kit import GatewayProcess
from ui.conftest import Open
from ui.world import DECISIONS

MOST_ROWS = 120  # in the document, whatever is loaded
# Generous, since the machine may be busy: ten thousand rows in the document would take many seconds at each step.
LONGEST_MS = 1_500
SCROLLS = 400
LONG_TASKS = """
window.__longest = 0;
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) window.__longest = Math.max(window.__longest, one.duration);
}).observe({type: "longtask"});
"""
STEP = """() => new Promise((done) => {
  const box = document.querySelector("main .scroll");
  box.scrollTop = box.scrollHeight;
  requestAnimationFrame(() => requestAnimationFrame(() => done([
    Number(box.querySelector("table").getAttribute("aria-rowcount")),
    box.querySelectorAll("tbody tr").length,
  ])));
})"""


def test_ten_thousand_rows(seeded: GatewayProcess, visit: Open) -> None:
    """Scrolled to the oldest decision, page by page: all are there, and no more than a screenful is in the document."""
    watch = visit(seeded)
    watch.page.add_init_script(LONG_TASKS)
    page = watch.open("decisions")
    counted, in_document = scrolled(page, DECISIONS)
    assert counted > DECISIONS
    assert in_document <= MOST_ROWS
    expect(page.get_by_text("all there are")).to_be_visible()
    for place in (0.1, 0.9, 0.5, 0.0):
        page.evaluate(
            "(place) => { const box = document.querySelector('main .scroll');"
            " box.scrollTop = place * box.scrollHeight; }",
            place,
        )
        page.wait_for_timeout(100)
        assert page.locator("main tbody tr").count() <= MOST_ROWS
        expect(page.locator("main tbody tr:not(.room)").first).to_be_visible()
    assert page.evaluate("window.__longest") < LONGEST_MS


def scrolled(page: Page, wanted: int) -> tuple[int, int]:
    """Scrolls to the end again and again, until so many rows are loaded; the count, and the most in the document."""
    counted = most = 0
    for _ in range(SCROLLS):
        counted, in_document = page.evaluate(STEP)
        most = max(most, in_document)
        if counted > wanted and page.get_by_text("all there are").count():
            break
        page.wait_for_timeout(50)
    return counted, most
