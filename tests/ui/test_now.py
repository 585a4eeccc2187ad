"""The page of what happens now: figures and charts that move, funds against their pace, alarms."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from gateway_kit import GatewayProcess
from ui.browser import ADMIN, CHANGER
from ui.conftest import Open
from ui.world import FUNDS, SERVING, TEAMS

ALARM = "answers of simulated/small-b cost 1.46 times"


def queries_shown(page: Page) -> int:
    """How many queries the page has counted."""
    text = page.get_by_text(re.compile(r"[\d,]+ quer(y|ies) in ")).inner_text()
    return int(text.split()[0].replace(",", ""))


def test_live(own: GatewayProcess, visit: Open) -> None:
    """Queries that are sent while one looks are counted, served and paid for on the page, within a few steps."""
    watch = visit(own, "now")
    page = watch.page
    expect(page.get_by_text("No queries yet")).to_be_visible()
    for _ in range(20):
        assert own.chat().status_code == 200
    expect(page.get_by_text("20 queries in 15 min")).to_be_visible()
    expect(page.get_by_text("No queries yet")).to_have_count(0)
    expect(page.locator("main")).to_contain_text("100.0 %")
    rows = watch.as_table("Queries per second").locator("tbody tr")
    before = rows.count()
    expect(rows).not_to_have_count(before)


def test_other_stretches(seeded: GatewayProcess, visit: Open) -> None:
    """A longer stretch holds more of the past."""
    watch = visit(seeded, "now")
    page = watch.page
    short = queries_shown(page)
    page.get_by_role("group", name="Time shown").get_by_role("button", name="6 h").click()
    expect(page.get_by_text(re.compile(r"queries in 6 h"))).to_be_visible()
    assert queries_shown(page) > 5 * short
    watch.settled()


def test_share_of_models(seeded: GatewayProcess, visit: Open) -> None:
    """The chart of the traffic is by model, as rates or as shares, and as a table."""
    watch = visit(seeded, "now")
    card = watch.page.get_by_role("region", name="Queries per second")
    for name in SERVING:
        expect(card).to_contain_text(name)
    card.get_by_role("button", name="Share").click()
    watch.settled()
    assert watch.as_table("Queries per second").locator("tbody tr").count() >= 10


def test_funds(seeded: GatewayProcess, visit: Open) -> None:
    """Every fund stands there with what is left of it; the one that can't pay anything is said to be empty."""
    page = visit(seeded, "now").page
    main = page.locator("main")
    for fund in FUNDS:
        expect(main).to_contain_text(str(fund["name"]))
    for key in TEAMS:
        expect(main).to_contain_text(key)
    expect(main).to_contain_text("of $1,000.00")
    expect(page.get_by_text("empty", exact=True).first).to_be_visible()
    expect(page.get_by_role("region", name="trial")).to_contain_text("Too little for any query")


def test_alarm_is_acknowledged(seeded: GatewayProcess, visit: Open) -> None:
    """Who may only look can't; who may change does it once, and the count beside the page's name falls for all."""
    looking = visit(seeded, "now", ADMIN).page
    line = looking.get_by_role("listitem").filter(has_text=ALARM)
    expect(line.get_by_role("button", name="Acknowledge")).to_be_disabled()
    count = looking.get_by_role("link", name="Now").locator(".count")
    open_before = int(re.sub(r"\D.*", "", count.inner_text()))
    page = visit(seeded, "now", CHANGER).page
    page.get_by_role("listitem").filter(has_text=ALARM).get_by_role("button", name="Acknowledge").click()
    button = page.get_by_role("listitem").filter(has_text=ALARM).get_by_role("button", name="Acknowledge")
    expect(button).to_have_count(0)
    if open_before == 1:
        expect(count).to_have_count(0)
    else:
        expect(count).to_contain_text(str(open_before - 1))
