"""What holds on every page: it can be read by everybody, fits every window, and is reached by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from gateway_kit import GatewayProcess
from ui.browser import CHANGER, PAGES, PHONE, WALL, Theme
from ui.conftest import Open

TITLES = dict(zip(PAGES, ("Now", "Decisions", "Models", "Trade-off", "Playground", "Ledger", "Keys"), strict=True))
FOCUSED = "() => document.activeElement.outerHTML.slice(0, 120)"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_accessible(seeded: GatewayProcess, visit: Open, name: str, theme: Theme) -> None:
    """No violation of WCAG 2.1 A or AA that axe can find, in either theme, and a title that names the page."""
    watch = visit(seeded, name, theme=theme)
    expect(watch.page).to_have_title(f"{TITLES[name]} · Pointsman")
    expect(watch.page.get_by_role("heading", level=1)).to_have_text(TITLES[name])
    assert watch.axe() == []


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("size", [PHONE, WALL], ids=["phone", "wall"])
def test_fits(seeded: GatewayProcess, visit: Open, name: str, size: tuple[int, int]) -> None:
    """On a phone and on a wall nothing is wider than the window."""
    watch = visit(seeded, name, size=size)
    watch.fits()


def test_phone_menu(seeded: GatewayProcess, visit: Open) -> None:
    """On a phone the pages are behind a button that says whether it is open; going somewhere closes it."""
    page = visit(seeded, "now", size=PHONE).page
    link = page.get_by_role("link", name="Models")
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(page.get_by_role("button", name="Menu")).to_have_attribute("aria-expanded", "true")
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")
    expect(link).to_be_hidden()


def test_keyboard(seeded: GatewayProcess, visit: Open) -> None:
    """g and a letter goes to each page; ? tells of it, Escape closes that; the first Tab skips to the content."""
    watch = visit(seeded, "now")
    page = watch.page
    for name in PAGES[1:]:
        page.keyboard.press("g")
        page.keyboard.press(name[0])
        expect(page.get_by_role("heading", level=1)).to_have_text(TITLES[name])
        watch.settled()
    page.keyboard.press("Shift+?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("Decisions")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_skip_link(seeded: GatewayProcess, visit: Open) -> None:
    """The first Tab offers to skip the navigation."""
    page = visit(seeded, "now").page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"


@pytest.mark.parametrize("name", PAGES)
def test_tab_goes_everywhere(seeded: GatewayProcess, visit: Open, name: str) -> None:
    """Every place that Tab reaches can be seen, and Tab leads out of the page again."""
    page = visit(seeded, name, CHANGER).page
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement === document.body"):
            break
        seen.append(page.evaluate(FOCUSED))
        outline = page.evaluate(
            "() => { const it = getComputedStyle(document.activeElement);"
            " return it.outlineStyle !== 'none' || it.boxShadow !== 'none'; }"
        )
        assert outline, f"no focus to be seen on {seen[-1]}"
    assert len(seen) > len(PAGES)


def test_colours_are_kept(seeded: GatewayProcess, visit: Open) -> None:
    """The switch overrules the system's setting, and stays after a reload."""
    watch = visit(seeded, "now", theme="light")
    page = watch.page
    light = _background(page)
    page.get_by_role("group", name="Colours").get_by_role("button", name="Dark").click()
    assert _background(page) != light
    page.reload()
    watch.settled()
    assert _background(page) != light


def _background(page: Page) -> str:
    return str(page.evaluate("() => getComputedStyle(document.body).backgroundColor"))


def test_notice_and_connection(seeded: GatewayProcess, visit: Open) -> None:
    """The configuration's notice stands on the page; the connection says that it is live."""
    page = visit(seeded, "now").page
    expect(page.get_by_text("Simulated models")).to_be_visible()
    expect(page.get_by_role("banner").get_by_text("Live", exact=True)).to_be_visible()


def test_no_such_page(seeded: GatewayProcess, visit: Open) -> None:
    """An address that is none says so, with the navigation still there."""
    watch = visit(seeded)
    watch.page.goto(f"{seeded.url}/ui/nowhere")
    expect(watch.page.get_by_role("alert")).to_contain_text("nowhere")
    expect(watch.page.get_by_role("navigation")).to_be_visible()


def test_strict_policy(seeded: GatewayProcess, visit: Open) -> None:
    """Everything comes from the gateway itself, and the policy forbids everything else."""
    hosts: set[str] = set()
    watch = visit(seeded)
    watch.page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    answer = watch.page.goto(f"{seeded.url}/ui/now")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    watch.settled()
    assert hosts == {seeded.url.removeprefix("http://")}
