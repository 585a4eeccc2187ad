"""Pages without anything to show, and pages whose gateway has gone: both are said, in words and with a way on."""

from __future__ import annotations

import signal

import pytest
from playwright.sync_api import Route, expect

from gateway_kit import GatewayProcess
from ui.browser import PAGES, Theme, cut_off
from ui.conftest import Open

GONE = r"ERR_CONNECTION|ERR_FAILED|status of 500|answer 500"
API = {
    "now": "now",
    "decisions": "decisions",
    "models": "models",
    "trade-off": "trade-off",
    "ledger": "entries",
    "keys": "keys",
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_yet(fresh: GatewayProcess, visit: Open, name: str, theme: Theme) -> None:
    """A gateway that nobody has asked anything: every page stands, says something, and axe finds nothing."""
    watch = visit(fresh, name, theme=theme)
    expect(watch.page.get_by_role("alert")).to_have_count(0)
    assert len(watch.page.locator("main").inner_text()) > 40
    assert "NaN" not in watch.page.locator("main").inner_text()
    assert "undefined" not in watch.page.locator("main").inner_text()
    assert watch.axe() == []


@pytest.mark.parametrize("name", API)
def test_not_loaded(seeded: GatewayProcess, visit: Open, name: str) -> None:
    """What can't be loaded says why and offers to try again, which works when the gateway is back."""
    watch = visit(seeded)
    watch.expected.append(GONE)
    broken = True

    def answer(route: Route) -> None:
        if broken:
            route.fulfill(status=500, json={"error": {"message": "The disk is full.", "type": "api_error"}})
        else:
            route.fallback()

    watch.page.route(f"**/ui/api/{API[name]}", answer)
    watch.page.route(f"**/ui/api/{API[name]}?*", answer)
    watch.page.goto(f"{seeded.url}/ui/{name}")
    alert = watch.page.get_by_role("alert").first
    expect(alert).to_contain_text("The disk is full.")
    assert watch.axe() == []
    broken = False
    alert.get_by_role("button", name="Try again").click()
    expect(watch.page.get_by_role("alert")).to_have_count(0)


def test_gateway_gone_and_back(own: GatewayProcess, visit: Open) -> None:
    """A gateway that stops: the page says that the connection is lost, keeps what it shows, and comes back by itself.

    The gateway ends at once although the page still listens to its stream.
    """
    watch = visit(own, "now")
    watch.expected.append(GONE)
    page = watch.page
    state = page.get_by_role("banner").get_by_role("status")
    expect(state).to_have_text("Live")
    assert own.stop() in {0, -signal.SIGTERM}
    expect(state).to_have_text("Connection lost")
    expect(page.get_by_text("may be out of date")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Now")
    assert watch.axe() == []
    own.start()
    expect(state).to_have_text("Live", timeout=60_000)
    expect(page.get_by_text("may be out of date")).to_have_count(0)


def test_a_page_that_was_not_there_yet(seeded: GatewayProcess, visit: Open) -> None:
    """Going to a page while the gateway can't be reached is an error in words, not an empty window."""
    watch = visit(seeded, "now")
    watch.expected.append(GONE)
    cut_off(watch.page, seeded.url)
    watch.page.get_by_role("link", name="Models").click()
    expect(watch.page.get_by_role("alert").first).to_be_visible()
    expect(watch.page.get_by_role("navigation")).to_be_visible()
