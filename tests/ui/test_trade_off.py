"""The page of the trade-off: the frontier, sliders that are replayed, and a change written for review."""

from __future__ import annotations

from pathlib import Path

import yaml
from playwright.sync_api import expect

from gateway_kit import GatewayProcess
from ui.browser import ADMIN, CHANGER
from ui.conftest import Open
from ui.world import SERVING


def test_frontier(seeded: GatewayProcess, visit: Open) -> None:
    """The knobs, where we stand and each model alone are on the chart, and in its table."""
    table = visit(seeded, "trade-off").as_table("Quality against money")
    for name in SERVING:
        expect(table).to_contain_text(name)
    assert table.locator("tbody tr").count() >= len(SERVING) + 10


def test_sliders_are_replayed(seeded: GatewayProcess, visit: Open) -> None:
    """The knob moved to the cheapest, by keyboard: the table says what the same queries would have come to, cheaper."""
    watch = visit(seeded, "trade-off")
    page = watch.page
    card = page.get_by_role("region", name="What it would change")
    expect(card).to_contain_text("Move a slider")
    knob = page.get_by_role("slider", name="Trade-off")
    knob.focus()
    page.keyboard.press("End")
    expect(knob).to_have_value("10")
    expect(card.locator("[aria-live]")).to_have_attribute("aria-busy", "false")
    expect(card).not_to_contain_text("Move a slider")
    money = card.get_by_role("row", name="Money")
    expect(money).to_contain_text("−")
    assert watch.axe() == []
    page.get_by_role("button", name="Put all back").click()
    expect(card).to_contain_text("Move a slider")


def test_an_amount_typed(seeded: GatewayProcess, visit: Open) -> None:
    """An amount can be typed; one that is none is marked and changes nothing."""
    page = visit(seeded, "trade-off").page
    field = page.get_by_role("textbox", name="Amount of month in dollars")
    field.fill("nothing")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("button", name="Put all back")).to_be_disabled()
    field.fill("600")
    expect(field).to_have_attribute("aria-invalid", "false")
    expect(page.get_by_role("button", name="Put all back")).to_be_enabled()


def test_read_only(seeded: GatewayProcess, visit: Open) -> None:
    """A session that may only look replays, and can't write."""
    page = visit(seeded, "trade-off", ADMIN).page
    page.get_by_role("slider", name="Trade-off").press("End")
    expect(page.get_by_role("button", name="Write the change for review")).to_be_disabled()


def test_written_for_review(seeded: GatewayProcess, visit: Open) -> None:
    """The proposal is a file beside the configuration with the one amount changed; the configuration is as it was."""
    before = seeded.config.read_text()
    watch = visit(seeded, "trade-off", CHANGER)
    page = watch.page
    page.get_by_role("textbox", name="Amount of month in dollars").fill("600")
    page.get_by_role("button", name="Write the change for review").click()
    dialog = page.get_by_role("dialog")
    path = Path(dialog.locator("code").first.inner_text())
    differs = dialog.get_by_role("region", name="What differs")
    expect(differs).to_contain_text("+  amount: 600")
    expect(differs).to_contain_text("-  amount: 1000")
    assert watch.axe() == []
    assert seeded.config.read_text() == before
    assert path.parent == seeded.config.parent
    proposed = yaml.safe_load(path.read_text())
    assert [fund["amount"] for fund in proposed["funds"] if fund["name"] == "month"] == [600]
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_have_count(0)
