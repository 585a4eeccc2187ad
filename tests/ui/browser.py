"""A page of the dashboard under watch, in the system's Chromium.

    with chromium() as browser, watched(browser, gateway.url, visitor=ADMIN) as page:
        page.goto("/ui/now")

A message on the console, an exception, a violation of the content security policy or an answer with a 5xx status is an
error when the page is closed, unless the test has said that it expects it (`page.expected`).
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Response,
    Route,
    expect,
    sync_playwright,
)

from gateway_kit import MASTER

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
STATIC = Path(str(files("pointsman"))) / "serve" / "ui" / "static"
PAGES = ("now", "decisions", "models", "trade-off", "playground", "ledger", "keys")
DESK, PHONE, WALL = (1440, 900), (390, 844), (2560, 1440)
WAIT_MS = 20_000
# Software rendering draws the same everywhere; fonts without hinting or subpixels do, too.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
    "--disable-lcd-text",
)
WCAG = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "resultTypes": ["violations"],
}
VIOLATIONS = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.__violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
SETTLED = """() => !document.querySelector(".loading")
  && [...document.querySelectorAll("figure.chart")].every((one) => "drawn" in one.dataset)"""
LEAVES_ROOM = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
TOO_WIDE = """() => [...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .slice(0, 5).map((one) => `${one.tagName}.${one.className} ${Math.round(one.getBoundingClientRect().right)}`)"""

Theme = Literal["light", "dark"]


def browser_path() -> str | None:
    """Where the system's Chromium is."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def missing() -> str:
    """Why no browser test can run, or nothing."""
    if browser_path() is None:
        return "there is no Chromium (Debian: apt-get install chromium)"
    if not (STATIC / "index.html").is_file():
        return "the front-end isn't built (make ui)"
    return ""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, without a window, for the length of a block."""
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True)
class Visitor:
    """Who signs in, and whether changes are asked for; no key: nobody does."""

    key: str | None = None
    changes: bool = False


NOBODY, ADMIN, CHANGER = Visitor(), Visitor(MASTER), Visitor(MASTER, changes=True)


@dataclass
class Watched:
    """A page, and what was wrong on it.

    Attributes:
        page: Playwright's.
        expected: patterns of console messages and failed answers that belong to the test.
        wrong: everything else that shouldn't be.
    """

    page: Page
    url: str
    expected: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.add_init_script(VIOLATIONS)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.note(f"exception: {error}"))
        self.page.on("response", self._answered)

    def note(self, what: str) -> None:
        """Something wrong, unless it is expected."""
        if not any(re.search(pattern, what) for pattern in self.expected):
            self.wrong.append(what)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.note(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def _answered(self, response: Response) -> None:
        if response.status >= 500:
            self.note(f"answer {response.status}: {response.url}")

    def check(self) -> None:
        """Nothing was wrong."""
        if not self.page.is_closed():
            with contextlib.suppress(Exception):  # the page may just be going elsewhere
                self.wrong += [f"policy: {one}" for one in self.page.evaluate("window.__violations ?? []")]
        assert not self.wrong, "\n".join(self.wrong)

    # What tests do with it

    def open(self, path: str) -> Page:
        """Goes to a page of the dashboard and waits until its heading is there and nothing loads any more."""
        self.page.goto(f"{self.url}/ui/{path}")
        self.settled()
        return self.page

    def settled(self) -> None:
        """The page's heading is there and nothing is shown as loading."""
        self.page.locator("h1").first.wait_for()
        self.page.wait_for_function(SETTLED)

    def as_table(self, title: str | re.Pattern[str]) -> Locator:
        """What a card's chart shows, as a table; the switch is there for whoever points at the chart or tabs to it."""
        card = self.page.get_by_role("region", name=title, exact=True).first
        card.locator("figure").first.hover()
        card.get_by_role("button", name="Show as table").first.click()
        return card.get_by_role("table").first

    def axe(self) -> list[str]:
        """Violations of WCAG 2.1 A and AA, one line each."""
        found = Axe().run(self.page, options=WCAG).response["violations"]
        return [f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:4]]}" for one in found]

    def fits(self) -> None:
        """Nothing is wider than the window."""
        wide, room = self.page.evaluate(LEAVES_ROOM)
        assert wide <= room, f"{wide} px of {room}: {self.page.evaluate(TOO_WIDE)}"


def sign_in(context: BrowserContext, url: str, visitor: Visitor) -> None:
    """A session for the context, without a page."""
    if visitor.key is None:
        return
    answer = context.request.post(
        f"{url}/ui/api/session",
        data={"key": visitor.key, "changes": visitor.changes},
        headers={"x-pointsman-ui": "1"},
    )
    assert answer.ok, answer.text()


@contextlib.contextmanager
def watched(
    browser: Browser,
    url: str,
    visitor: Visitor = ADMIN,
    *,
    size: tuple[int, int] = DESK,
    theme: Theme = "light",
    still: bool = False,
    **options: Any,
) -> Iterator[Watched]:
    """A page in a context of its own, signed in, checked when it is closed.

    Args:
        still: without motion.
        options: of the context.
    """
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=theme,
        reduced_motion="reduce" if still else "no-preference",
        locale="en-GB",
        timezone_id="UTC",
        **options,
    )
    context.set_default_timeout(WAIT_MS)
    try:
        sign_in(context, url, visitor)
        page = Watched(context.new_page(), url)
        yield page
        page.check()
    finally:
        context.close()


def cut_off(page: Page, url: str) -> None:
    """From now on the gateway can't be reached from the page."""
    page.context.route(f"{url}/**", _abort)


def _abort(route: Route) -> None:
    route.abort("connectionrefused")
