"""One description for both sides: what a running gateway answers below `/ui/api` is what `ui/src/types.ts` says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from gateway_kit import GatewayProcess, running_gateway, wait_until
from made_dashboard import LOOK
from stub_upstream import start_stub
from typescript_types import differences, fits, read_types

TEXT = """
// a remark
export type Id = string;
export type State = "fine" | "fast";
export interface One { name: Id; amount: number }
export interface All {
  state: State; // in a word
  ones: One[];
  pair: [at: number, price: number | null];
  by_name: Record<Id, One | null>;
  rows: (number | null)[];
  nested: { fund: string }[];
  raw?: unknown;
}
"""
GOOD: dict[str, Any] = {
    "state": "fine",
    "ones": [{"name": "a", "amount": 1}],
    "pair": [1, None],
    "by_name": {"a": {"name": "a", "amount": 1.5}, "b": None},
    "rows": [None, 2],
    "nested": [{"fund": "pool"}],
}


def test_types_by_hand() -> None:
    """What fits is found to fit, with what may be left out or not."""
    types = read_types(TEXT)
    assert list(types) == ["Id", "State", "One", "All"]
    assert differences(GOOD, types["All"], types) == []
    assert differences(GOOD | {"raw": [1]}, types["All"], types) == []


@pytest.mark.parametrize(
    "change",
    [
        {"state": "slow"},
        {"ones": [{"name": "a"}]},
        {"ones": [{"name": "a", "amount": True}]},
        {"pair": [1]},
        {"pair": [None, 1]},
        {"by_name": {"a": 1}},
        {"rows": ["1"]},
        {"nested": {"fund": "pool"}},
        {"more": 1},
    ],
)
def test_what_does_not_fit_is_found(change: dict[str, Any]) -> None:
    """One value of another type, one field too many or too few, however deep."""
    types = read_types(TEXT)
    assert len(differences(GOOD | change, types["All"], types)) == 1


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway with some traffic behind it, a score, a key with a budget."""
    folder = tmp_path_factory.mktemp("gateway")
    funds = [
        {"name": "pool", "amount": 5, "window": "1mo"},
        {"name": "calls", "amount": 500, "unit": "requests", "window": "1m"},
        {"name": "once", "amount": 9},
    ]
    with (
        start_stub() as stub,
        running_gateway(folder, stub, funds=funds, dashboard={"key": LOOK}, learning={"store_prompts": True}) as made,
    ):
        made.key(id="team-a", budget_usd="2", budget_window={"every": "day"}, expires_in_s=3_600)
        answers = [made.chat() for _ in range(8)]
        ids = [answer.headers["x-pointsman-decision-id"] for answer in answers]
        wait_until(lambda: made.post("/v1/feedback", {"decision_id": ids[0], "score": 0.5}).status_code == 200)
        wait_until(lambda: sum(point["queries"] for point in told(made, "now")["points"]) == 8, 30)
        yield made


def told(gateway: GatewayProcess, path: str) -> Any:
    answer = gateway.get(f"/ui/api/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("session", "Session"),
        ("now", "Now"),
        ("now?minutes=600", "Now"),
        ("decisions", "Decisions"),
        ("models", "Models"),
        ("trade-off", "TradeOff"),
        ("entries", "Entries"),
    ],
)
def test_answers_are_as_described(running: GatewayProcess, path: str, name: str) -> None:
    """Every field that is described is there, of its type, and no other."""
    fits(told(running, path), name)


@pytest.mark.parametrize(
    ("path", "field", "name"),
    [("funds", "funds", "Fund"), ("keys", "keys", "Key"), ("alarms", "alarms", "Alarm")],
)
def test_lists_are_as_described(running: GatewayProcess, path: str, field: str, name: str) -> None:
    """The same of what is given as a list with a name."""
    for one in told(running, path)[field]:
        fits(one, name)


def test_a_decision_is_as_described(running: GatewayProcess) -> None:
    """One opened, where its prompt is kept."""
    row = told(running, "decisions?scored=yes")["rows"][0]
    fits(told(running, f"decisions/{row['decision_id']}"), "Opened")


def test_acts_are_as_described(running: GatewayProcess) -> None:
    """What a POST answers: the audit, a prompt's route, a key with its secret."""
    fits(running.post("/ui/api/audit", x_pointsman_ui="1").json(), "Audit")
    fits(running.post("/ui/api/route", {"prompt": "What is six times seven?"}, x_pointsman_ui="1").json(), "Routed")
    made = running.post("/ui/api/keys", {"id": "team-b"}, x_pointsman_ui="1").json()
    assert made.pop("key").startswith("sk-pm-")
    fits(made, "Key")


def test_events_are_as_described(running: GatewayProcess) -> None:
    """A step with the funds, and the rows of a query."""
    seen: dict[str, Any] = {}
    with httpx.stream("GET", f"{running.url}/ui/api/live", headers=running.headers, trust_env=False) as stream:
        name = ""
        for line in stream.iter_lines():
            if line.startswith("retry:"):
                running.chat()
            name = line.removeprefix("event: ") if line.startswith("event: ") else name
            if line.startswith("data: "):
                seen[name] = orjson.loads(line.removeprefix("data: "))
            if {"pulse", "decisions"} <= seen.keys():
                break
    fits(seen["pulse"]["point"], "Point")
    fits(seen["pulse"]["funds"], "FundPoint")
    for fund in seen["pulse"]["balances"]:
        fits(fund, "Fund")
    for row in seen["decisions"]["rows"]:
        fits(row, "Row")
