"""The table of decisions, live and filtered, and one decision opened."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from gateway_kit import GatewayProcess
from ui.browser import PHONE
from ui.conftest import Open
from ui.world import ANSWER

MADE = "made-009999"


def test_a_new_one_comes_in(seeded: GatewayProcess, visit: Open) -> None:
    """A query that is sent while one looks is the first row a moment later; its row leads to its decision."""
    watch = visit(seeded, "decisions")
    page = watch.page
    page.mouse.move(5, 5)
    answer = seeded.chat("simulated/medium-a", messages=[{"role": "user", "content": "Is this one live?"}])
    id = answer.headers["x-pointsman-decision-id"]
    link = page.locator(f'tbody a[href="/ui/decisions/{id}"]')
    expect(link).to_be_visible()
    link.click()
    watch.settled()
    expect(page.locator("main")).to_contain_text("Is this one live?")


def test_paused(seeded: GatewayProcess, visit: Open) -> None:
    """While it is paused, or one looks closer, new ones wait and are counted; a click lets them in."""
    page = visit(seeded, "decisions").page
    page.get_by_role("button", name="Pause").click()
    first = page.locator("tbody a").first
    before = first.get_attribute("href")
    assert seeded.chat().status_code == 200
    coming = page.get_by_role("button", name=re.compile(r"\d+ new"))
    expect(coming).to_be_visible()
    assert first.get_attribute("href") == before
    coming.click()
    expect(coming).to_have_count(0)
    assert first.get_attribute("href") != before


def test_filters(seeded: GatewayProcess, visit: Open) -> None:
    """Each filter leaves what fits it, stands in the address, and survives a reload; all can be cleared at once."""
    watch = visit(seeded, "decisions")
    page = watch.page
    page.get_by_label("Outcome").select_option("refused")
    expect(page).to_have_url(re.compile("outcome=refused"))
    rows = page.locator("tbody tr:not(.room)")
    expect(rows.filter(has_text="served")).to_have_count(0)
    expect(rows.first).to_contain_text("refused")
    page.get_by_label("Key", exact=True).select_option("team-app")
    expect(rows.filter(has_text="team-search")).to_have_count(0)
    page.reload()
    watch.settled()
    expect(page.get_by_label("Outcome")).to_have_value("refused")
    expect(rows.first).to_contain_text("refused")
    page.get_by_role("button", name="Clear").click()
    expect(page).to_have_url(f"{seeded.url}/ui/decisions")
    expect(rows.filter(has_text="served").first).to_be_visible()


def test_searched(seeded: GatewayProcess, visit: Open) -> None:
    """`/` goes to the search; an id finds its one decision; nonsense finds nothing and says so."""
    page = visit(seeded, "decisions").page
    page.keyboard.press("/")
    page.keyboard.type(MADE)
    rows = page.locator("tbody tr:not(.room)")
    expect(rows).to_have_count(1)
    page.get_by_label(re.compile("Search")).fill("there is no such thing")
    expect(page.get_by_text("No decision passes these filters")).to_be_visible()


def test_live_ones_are_filtered_too(seeded: GatewayProcess, visit: Open) -> None:
    """A row that doesn't fit the filters stays out when it comes in live; one that fits comes in."""
    page = visit(seeded, "decisions?model=simulated/small-b").page
    page.mouse.move(5, 5)
    seeded.chat("simulated/medium-a")
    fitting = seeded.chat("simulated/small-b").headers["x-pointsman-decision-id"]
    expect(page.locator(f'tbody a[href="/ui/decisions/{fitting}"]')).to_be_visible()
    expect(page.locator("tbody tr:not(.room)").filter(has_text="medium-a")).to_have_count(0)


def test_opened(seeded: GatewayProcess, visit: Open) -> None:
    """Everything that one may want to know: prompt, candidates with why, course, funds, entries, neighbours."""
    text = "Compute 1546 + 2482, please."
    answer = seeded.chat(messages=[{"role": "user", "content": text}])
    found = seeded.decision(answer)
    id = answer.headers["x-pointsman-decision-id"]
    watch = visit(seeded, f"decisions/{id}")
    page = watch.page
    expect(page.get_by_role("region", name="Prompt", exact=True)).to_contain_text(text)
    candidates = page.get_by_role("region", name="Candidates", exact=True).get_by_role("table")
    expect(candidates.locator("tr.chosen")).to_contain_text(found["model"])
    expect(candidates.locator("tbody tr").nth(1)).to_contain_text("scored")
    expect(page.get_by_role("region", name="Funds it drew on")).to_contain_text("month")
    booked = page.get_by_role("region", name="Booked")
    expect(booked).to_contain_text("hold")
    expect(booked).to_contain_text("post")
    expect(page.get_by_role("region", name="Course")).to_contain_text("decide")
    expect(page.get_by_role("region", name="Nearest recorded prompts", exact=True)).to_contain_text("Compute")
    assert watch.axe() == []


def test_opened_after_a_fault(seeded: GatewayProcess, visit: Open) -> None:
    """Of an exchange that failed over, both hops are there with the fault."""
    watch = visit(seeded, "decisions?model=simulated/large-a&text=named")
    page = watch.page
    page.locator("tbody a").first.click()
    watch.settled()
    course = page.get_by_role("region", name="Course")
    expect(course).to_contain_text("2 hops")
    assert watch.axe() == []


def test_there_and_back(seeded: GatewayProcess, visit: Open) -> None:
    """From a decision to the older one and back to the table, with its filters as they were."""
    watch = visit(seeded, "decisions?outcome=refused")
    page = watch.page
    page.locator("tbody a").first.click()
    watch.settled()
    first = page.url
    page.get_by_role("button", name="Older").click()
    expect(page).not_to_have_url(first)
    watch.settled()
    page.get_by_role("link", name="All decisions").click()
    expect(page).to_have_url(re.compile("outcome=refused"))


def test_unknown_decision(seeded: GatewayProcess, visit: Open) -> None:
    """An id that nobody knows is an error in words."""
    watch = visit(seeded)
    watch.expected.append("status of 404")
    watch.page.goto(f"{seeded.url}/ui/decisions/dec_nobody")
    expect(watch.page.get_by_role("alert")).to_be_visible()


def test_opened_on_a_phone(seeded: GatewayProcess, visit: Open) -> None:
    """The opened decision fits a phone, without a violation that axe can find, in the dark."""
    watch = visit(seeded, f"decisions/{MADE}", size=PHONE, theme="dark")
    watch.fits()
    assert watch.axe() == []


def test_the_answer_is_never_stored(seeded: GatewayProcess, visit: Open) -> None:
    """What a model answered is nowhere on the page of its decision."""
    answer = seeded.chat("simulated/medium-a")
    watch = visit(seeded, f"decisions/{answer.headers['x-pointsman-decision-id']}")
    assert ANSWER not in watch.page.content()
