"""The page of the models: figures, one opened, where each is good, and a new one that is onboarded from here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from gateway_kit import GatewayProcess
from stub_upstream import Stub
from ui.browser import ADMIN, CHANGER
from ui.conftest import Open
from ui.world import ANSWER, NEWCOMER, SERVING, SKILLS, WAITING


def test_every_model_stands_there(seeded: GatewayProcess, visit: Open) -> None:
    """A row a model with its duty; the one with an alarm says so; the newcomer serves, and one waits."""
    page = visit(seeded, "models").page
    table = page.get_by_role("table").first
    expect(table.locator("tbody tr")).to_have_count(len(SERVING) + 2)
    row = {id: table.get_by_role("row").filter(has_text=id) for id in (NEWCOMER, WAITING, "simulated/small-b")}
    expect(row[NEWCOMER]).to_contain_text("serving")
    expect(row[WAITING]).to_contain_text("waiting")
    expect(row["simulated/small-b"]).to_contain_text("1 alarm")
    expect(page.get_by_text("7 serving · 1 waiting")).to_be_visible()


def test_sorting(seeded: GatewayProcess, visit: Open) -> None:
    """A click on a column's head sorts by it, the largest first, and again the other way round."""
    page = visit(seeded, "models").page
    table = page.get_by_role("table").first
    head = table.get_by_role("columnheader", name="Answered")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    first = table.locator("tbody tr a").first.inner_text()
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert table.locator("tbody tr a").last.inner_text() == first


def test_one_opened(seeded: GatewayProcess, visit: Open) -> None:
    """A row leads to the model in full, at an address of its own; its decisions are one click away."""
    watch = visit(seeded, "models")
    page = watch.page
    page.get_by_role("link", name=NEWCOMER).click()
    expect(page).to_have_url(f"{seeded.url}/ui/models?model={NEWCOMER.replace('/', '%2F')}")
    opened = page.get_by_role("region", name=NEWCOMER)
    expect(opened).to_contain_text("$3.00 in, $15.00 out")
    page.reload()
    watch.settled()
    expect(opened).to_be_visible()
    page.get_by_role("link", name="Its decisions").click()
    watch.settled()
    expect(page.get_by_role("heading", level=1)).to_have_text("Decisions")


def test_who_is_good_at_what(seeded: GatewayProcess, visit: Open) -> None:
    """Topics of the recorded outcomes, and skills from the probes of the model that was onboarded: 0.75 over all."""
    page = visit(seeded, "models").page
    card = page.get_by_role("region", name="Who is good at what")
    card.get_by_role("button", name="Skills").click()
    table = card.get_by_role("table")
    for skill in SKILLS:
        expect(table).to_contain_text(skill)
    card.get_by_role("button", name="Topics").click()
    expect(table).not_to_contain_text(SKILLS[0])
    assert table.locator("tbody tr").count() >= 5


@pytest.mark.parametrize(
    ("title", "least"), [("Likeness", len(SERVING)), ("Cost and time", len(SERVING)), ("Calibration", 5)]
)
def test_charts_have_data(seeded: GatewayProcess, visit: Open, title: str, least: int) -> None:
    """Each chart has something on it, and says it as a table too."""
    table = visit(seeded, "models").as_table(title)
    assert table.locator("tbody tr").count() >= least


def test_read_only(seeded: GatewayProcess, visit: Open) -> None:
    """Without changes switched on, nothing can be onboarded, and the button says why."""
    button = visit(seeded, "models", ADMIN).page.get_by_role("button", name="Onboard a model")
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("title", "This session is read-only. Allow changes at the foot of the navigation.")


@pytest.fixture
def slow(stub: Stub) -> Iterator[None]:
    """The model that waits takes its time, so that it can be watched."""
    name = WAITING.partition("/")[2]
    stub.script(name, text="No idea.", first_token_s=0.3)
    yield
    stub.script(name, text=ANSWER)


def test_onboarding_live(seeded: GatewayProcess, visit: Open, slow: None) -> None:
    """Asked for in a dialog; probes are counted as they are answered; cancelled, it is said to have been broken off."""
    watch = visit(seeded, "models", CHANGER)
    page = watch.page
    page.get_by_role("button", name="Onboard a model").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Model")).to_have_value(WAITING)
    assert watch.axe() == []
    dialog.get_by_label("Budget, in dollars").fill("0.5")
    dialog.get_by_label("Probes at most").fill("200")
    dialog.get_by_role("button", name="Begin").click()
    expect(dialog).to_have_count(0)
    going = page.get_by_role("region", name=f"Onboarding {WAITING}")
    meter = going.get_by_role("meter")
    expect(meter).to_be_visible(timeout=60_000)
    expect(meter).not_to_have_attribute("aria-valuenow", "0", timeout=60_000)
    going.get_by_role("button", name="Cancel").click()
    expect(going).to_have_count(0, timeout=60_000)
    page.get_by_text("Earlier onboardings").click()
    expect(page.get_by_role("listitem").filter(has_text=WAITING)).to_contain_text("broken off")


def test_refused_onboarding(seeded: GatewayProcess, visit: Open) -> None:
    """What the gateway refuses is said in the dialog, which stays open."""
    watch = visit(seeded, "models", CHANGER)
    watch.expected.append("status of 400")
    page = watch.page
    page.get_by_role("button", name="Onboard a model").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Budget, in dollars").fill("0.00000000001")  # finer than money is counted
    dialog.get_by_role("button", name="Begin").click()
    expect(dialog.get_by_label("Budget, in dollars")).to_have_attribute("aria-invalid", "true")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
