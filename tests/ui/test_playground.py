"""The playground: where a prompt would go as one types, and the answer as it comes."""

from __future__ import annotations

from playwright.sync_api import expect

from gateway_kit import GatewayProcess
from stub_upstream import Stub
from ui.browser import ADMIN, CHANGER, Visitor
from ui.conftest import Open
from ui.world import ANSWER, SERVING, VIEWER

PROMPT = "Compute 1546 + 2482."


def test_routed_as_one_types(seeded: GatewayProcess, visit: Open) -> None:
    """Every model that serves with its figures, the chosen one named, the nearest known prompts; nothing is held."""
    watch = visit(seeded, "playground")
    page = watch.page
    spent = seeded.balance("month").spent
    page.get_by_label("Prompt").fill(PROMPT)
    expect(page.get_by_text("It would go to", exact=True)).to_be_visible()
    table = page.get_by_role("region", name="Candidates").get_by_role("table")
    for name in SERVING:
        expect(table).to_contain_text(f"simulated/{name}")
    chosen = table.locator("tr.chosen").get_by_role("rowheader").inner_text()
    expect(page.locator(".verdict-model")).to_contain_text(chosen)
    expect(page.get_by_role("region", name="Nearest known prompts").get_by_role("listitem").first).to_be_visible()
    assert watch.axe() == []
    watch.settled()
    assert seeded.balance("month").spent == spent


def test_a_model_named(seeded: GatewayProcess, visit: Open) -> None:
    """With a model chosen it would go there."""
    page = visit(seeded, "playground").page
    page.get_by_label("Prompt").fill(PROMPT)
    page.get_by_label("Model").select_option("simulated/medium-a")
    expect(page.locator(".verdict-model")).to_contain_text("simulated/medium-a")


def test_examples(seeded: GatewayProcess, visit: Open) -> None:
    """An empty playground offers prompts to try."""
    page = visit(seeded, "playground").page
    page.get_by_role("button", name="What is the capital").click()
    expect(page.get_by_label("Prompt")).to_have_value("What is the capital of Australia?")
    expect(page.get_by_text("It would go to", exact=True)).to_be_visible()


def test_sent(seeded: GatewayProcess, stub: Stub, visit: Open) -> None:
    """The answer streams in; what it cost and the way to its decision stand below; the decision has the prompt."""
    watch = visit(seeded, "playground", CHANGER)
    page = watch.page
    page.get_by_label("Prompt").fill(PROMPT)
    page.get_by_label("Model").select_option("simulated/medium-a")
    page.keyboard.press("Control+Enter")
    answer = page.get_by_role("region", name="Answer").first
    expect(answer.locator(".answer")).to_have_text(ANSWER)
    expect(answer).to_contain_text("$0.0")
    assert watch.axe() == []
    answer.get_by_role("link", name="Open the decision").click()
    watch.settled()
    expect(page.locator("main")).to_contain_text(PROMPT)
    expect(page.locator("main")).to_contain_text("simulated/medium-a")


def test_who_may_send(seeded: GatewayProcess, visit: Open) -> None:
    """A session that may only look, and a viewer, see where it would go and can't send."""
    for visitor in (ADMIN, Visitor(VIEWER)):
        page = visit(seeded, "playground", visitor).page
        page.get_by_label("Prompt").fill(PROMPT)
        expect(page.get_by_text("It would go to", exact=True)).to_be_visible()
        expect(page.get_by_role("button", name="Send")).to_be_disabled()
        expect(page.get_by_text("This session is read-only")).to_be_visible()
