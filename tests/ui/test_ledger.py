"""The ledger and the keys: funds, entries, the audit; keys that are made and revoked."""

from __future__ import annotations

import re

import httpx
from playwright.sync_api import expect

from gateway_kit import GatewayProcess, wait_until
from ui.browser import ADMIN, CHANGER
from ui.conftest import Open
from ui.world import FUNDS, TEAMS


def test_funds_and_entries(seeded: GatewayProcess, visit: Open) -> None:
    """All funds with what is left; the latest entries, filtered by fund and kind in the address."""
    page = visit(seeded, "ledger").page
    funds = page.get_by_role("region", name="Funds").first
    for fund in FUNDS:
        expect(funds).to_contain_text(str(fund["name"]))
    entries = page.get_by_role("region", name="Entries").first
    page.get_by_label("Kind", exact=True).select_option("post")
    expect(page).to_have_url(re.compile("kind=post"))
    expect(entries.locator("tbody tr").filter(has_text="hold")).to_have_count(0)
    expect(entries.locator("tbody tr").filter(has_text="post").first).to_be_visible()
    page.get_by_label("Fund", exact=True).select_option("month")
    expect(entries.locator("tbody tr").filter(has_text="tokens-per-minute")).to_have_count(0)
    entries.get_by_role("link", name=re.compile("dec_")).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Decision")


def test_audit(seeded: GatewayProcess, visit: Open) -> None:
    """The books are folded on demand, and balance."""
    page = visit(seeded, "ledger", ADMIN).page
    page.get_by_role("button", name="Audit").click()
    expect(page.get_by_text("balanced", exact=True)).to_be_visible()


def test_new_entries_come_in(own: GatewayProcess, visit: Open) -> None:
    """A query's hold and post appear without a reload."""
    page = visit(own, "ledger").page
    assert own.chat().status_code == 200
    entries = page.get_by_role("region", name="Entries").first
    expect(entries.locator("tbody tr").filter(has_text="post").first).to_be_visible()


def test_keys(seeded: GatewayProcess, visit: Open) -> None:
    """Every key with its state and what is left of its budget; none can be made or revoked in a session that looks."""
    page = visit(seeded, "keys", ADMIN).page
    for id, usd in TEAMS.items():
        row = page.get_by_role("row").filter(has_text=id)
        expect(row).to_contain_text("live")
        expect(row).to_contain_text(f"of ${usd:.2f}")
    expect(page.get_by_role("row").filter(has_text="old-script")).to_contain_text("revoked")
    expect(page.get_by_role("button", name="New key")).to_be_disabled()
    expect(page.get_by_role("button", name="Revoke batch")).to_be_disabled()


def test_a_key_from_making_to_revoking(own: GatewayProcess, visit: Open) -> None:
    """Its secret is shown once and works; a name that is taken is refused in words; revoked, it works no more."""
    watch = visit(own, "keys", CHANGER)
    watch.expected.append("status of 400")
    page = watch.page
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("team-new")
    dialog.get_by_label("Budget, $").fill("2.50")
    assert watch.axe() == []
    dialog.get_by_role("button", name="Make key").click()
    expect(dialog).to_contain_text("can't be shown again")
    secret = dialog.locator(".secret").inner_text()
    asked = {"model": "auto", "messages": [{"role": "user", "content": "Hello?"}]}

    def status() -> int:
        headers = {"authorization": f"Bearer {secret}"}
        path = f"{own.url}/v1/chat/completions"
        return httpx.post(path, json=asked, headers=headers, trust_env=False).status_code

    assert status() == 200
    dialog.get_by_role("button", name="Done").click()
    expect(page.get_by_role("row").filter(has_text="team-new")).to_contain_text("of $2.50")
    assert secret not in page.content()
    page.get_by_role("button", name="New key").click()
    dialog.get_by_label("Name").fill("team-new")
    dialog.get_by_role("button", name="Make key").click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Revoke team-new").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row").filter(has_text="team-new")).to_contain_text("revoked")
    wait_until(lambda: status() == 401)
