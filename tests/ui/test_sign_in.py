"""Signing in: by the form, by the address, as whom, for what; and a gateway that needs no key."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from gateway_kit import MASTER, GatewayProcess
from stub_upstream import Stub
from ui.browser import ADMIN, CHANGER, NOBODY, Visitor
from ui.conftest import Open
from ui.world import VIEWER, fresh_gateway

UNAUTHORISED = r"status of 401|status of 429"


def test_the_form(seeded: GatewayProcess, visit: Open) -> None:
    """A wrong key is refused in words beside the field; the right one opens the page that was asked for."""
    watch = visit(seeded, "ledger", NOBODY)
    watch.expected.append(UNAUTHORISED)
    page = watch.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Pointsman")
    page.get_by_label("Key", exact=True).fill("sk-wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("neither the master key nor")).to_be_visible()
    expect(page.get_by_label("Key", exact=True)).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Key", exact=True).fill(MASTER)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ledger")
    expect(page.get_by_role("navigation")).to_be_visible()


def test_the_key_in_the_address(seeded: GatewayProcess, visit: Open) -> None:
    """`#key=…` signs in once and is gone from the address and the history; the cookie is out of scripts' reach."""
    watch = visit(seeded, "", NOBODY)
    page = watch.page
    page.goto(f"{seeded.url}/ui/#key={MASTER}")
    watch.settled()
    expect(page.get_by_role("heading", level=1)).to_have_text("Now")
    assert MASTER not in page.evaluate("location.href + document.cookie + JSON.stringify(localStorage)")
    (cookie,) = page.context.cookies(f"{seeded.url}/ui")
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/ui")
    page.reload()
    watch.settled()
    expect(page.get_by_role("navigation")).to_be_visible()


def test_signing_out(seeded: GatewayProcess, visit: Open) -> None:
    """The form comes back, and so it does after a reload."""
    watch = visit(seeded, "now")
    watch.page.get_by_role("button", name="Sign out").click()
    expect(watch.page.get_by_role("button", name="Sign in")).to_be_visible()
    watch.page.reload()
    expect(watch.page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_viewer_sees_no_prompt(seeded: GatewayProcess, visit: Open) -> None:
    """With the dashboard's key every page opens, nothing can be changed, and no text of a query reaches the browser."""
    bodies: list[str] = []
    watch = visit(seeded, "", Visitor(VIEWER))
    watch.page.on("response", lambda answer: bodies.append(answer.url) if "/ui/api/" in answer.url else None)
    watch.open("decisions?key=team-app&outcome=served")
    watch.page.locator("main tbody a").first.click()
    watch.settled()
    expect(watch.page.locator("main")).to_contain_text("master key")
    expect(watch.page.get_by_text("Viewer", exact=True)).to_be_visible()
    expect(watch.page.get_by_text("Read-only").first).to_be_visible()
    expect(watch.page.get_by_role("button", name="Read-only")).to_have_count(0)
    path = next(url for url in reversed(bodies) if "/ui/api/decisions/" in url)
    opened = watch.page.request.get(path).json()
    assert opened["prompt"]["text"] is None
    assert all(one["text"] is None for one in opened["neighbours"]["rows"])


def test_read_only_by_default(seeded: GatewayProcess, visit: Open) -> None:
    """A session with the master key changes nothing until that is asked for, again with the key."""
    watch = visit(seeded, "keys", ADMIN)
    page = watch.page
    expect(page.get_by_role("button", name="Changes on")).to_have_count(0)
    made = page.request.post(f"{seeded.url}/ui/api/keys", data={"id": "sneaked"}, headers={"x-pointsman-ui": "1"})
    assert made.status == 403
    page.get_by_role("button", name="Read-only").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Master key").fill(MASTER)
    dialog.get_by_role("button", name="Allow changes").click()
    expect(page.get_by_role("button", name="Changes on")).to_be_visible()
    expect(dialog).to_have_count(0)
    page.reload()
    expect(page.get_by_role("button", name="Changes on")).to_be_visible()


@pytest.mark.parametrize(("visitor", "role"), [(ADMIN, "Admin"), (CHANGER, "Admin"), (Visitor(VIEWER), "Viewer")])
def test_who_one_is(seeded: GatewayProcess, visit: Open, visitor: Visitor, role: str) -> None:
    """The navigation says as whom one has signed in."""
    page = visit(seeded, "now", visitor).page
    expect(page.get_by_role("banner").get_by_text(role, exact=True)).to_be_visible()


def test_an_open_gateway_needs_no_key(stub: Stub, visit: Open, tmp_path: Path) -> None:
    """Without a master key, on loopback: nobody is asked for one, and changes still have to be switched on."""
    with fresh_gateway(tmp_path, stub, master_key=None) as gateway:
        watch = visit(gateway, "now", NOBODY)
        page = watch.page
        expect(page.get_by_role("navigation")).to_be_visible()
        expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
        page.get_by_role("button", name="Read-only").click()
        expect(page.get_by_role("button", name="Changes on")).to_be_visible()


def test_a_session_that_has_ended(seeded: GatewayProcess, visit: Open) -> None:
    """A page whose session is gone shows the sign-in, not an error, at its next request."""
    watch = visit(seeded, "now")
    watch.expected.append(UNAUTHORISED)
    watch.page.context.clear_cookies()
    watch.page.get_by_role("link", name="Ledger").click()
    expect(watch.page.get_by_role("button", name="Sign in")).to_be_visible()


def test_switched_off(stub: Stub, visit: Open, tmp_path: Path) -> None:
    """`dashboard.enabled: false` leaves nothing below /ui."""
    with fresh_gateway(tmp_path, stub, dashboard={"enabled": False}) as gateway:
        assert gateway.get("/ui/").status_code == 404
        assert gateway.get("/ui/api/session").status_code == 404
