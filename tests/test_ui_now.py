"""The first page: how funds go, how far back one can look, and what a running gateway says of itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_kit import PLAIN, GatewayProcess, running_gateway, wait_until
from made_dashboard import LOOK, MASTER, Browser, dashboard_settings, made_gateway
from made_serving import USD
from pointsman.ledger.entries import Ask, Balance, Ending, LedgerFund, Line, Option
from pointsman.ledger.sqlite import SqliteBook
from pointsman.ledger.window import Window
from pointsman.pool.settings import FundRule, WindowRule
from pointsman.serve.drift.alarms import Alarm
from pointsman.serve.pulse import STEP_S, Step
from pointsman.serve.pulse_file import FILE, PulseFile
from pointsman.serve.ui import now as page
from pointsman.serve.ui.funds import cheapest_of, course, draws_words, lately_s, window_words
from pointsman.serve.ui.now import POINTS, alarm_json, length_of
from pointsman.serve.ui.rates import spend_rates
from stub_upstream import start_stub

DAY = 86_400
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC).timestamp()
DAILY = FundRule("pool", 100, window=WindowRule("calendar", 0, "day"))
ONCE = FundRule("pool", 100, pace_over_s=10 * DAY)
ROLLING = FundRule("pool", 100, window=WindowRule("rolling", DAY))


def balance(spent: int, held: int = 0, amount: int = 100) -> Balance:
    return Balance("pool", "usd", amount, held, spent, amount - spent - held, 0, None)


# How a fund goes


HOUR = 3_600


def test_a_day_by_hand() -> None:
    """At noon half of the day's money should be left; with 40 spent, 3 an hour lasts and 10 an hour doesn't."""
    fine = course(DAILY, balance(40), 3 / HOUR, 1.0, NOON, None)
    assert (fine.starts_s, fine.ends_s, fine.pace) == (NOON - DAY / 2, NOON + DAY / 2, 50.0)
    assert (fine.empty_s, fine.state) == (None, "fine")
    fast = course(DAILY, balance(40), 10 / HOUR, 1.0, NOON, None)
    assert (fast.empty_s, fast.state) == (NOON + 6 * HOUR, "fast")
    slow = course(DAILY, balance(40), 1 / HOUR, 1.0, NOON, None)
    assert (slow.empty_s, slow.state) == (None, "slow")


def test_money_without_a_window_by_hand() -> None:
    """It is spread over its pace from when it was granted; when that is over, over a little more, again and again."""
    early = course(ONCE, balance(10), 0.0, 1.0, NOON + DAY, NOON)
    assert (early.starts_s, early.ends_s, early.pace) == (NOON, NOON + 10 * DAY, 90.0)
    late = course(ONCE, balance(10), 0.0, 1.0, NOON + 20 * DAY, NOON)
    assert late.ends_s == NOON + 20.5 * DAY


def test_a_rolling_window_by_hand() -> None:
    """It has no end. What spends no more in its length than it has lasts for ever; more, and the difference goes."""
    steady = course(ROLLING, balance(60), 100 / DAY, 1.0, NOON, None)
    assert (steady.starts_s, steady.ends_s, steady.pace, steady.empty_s, steady.state) == (*(None,) * 4, "fine")
    faster = course(ROLLING, balance(60), 140 / DAY, 1.0, NOON, None)
    assert faster.empty_s == pytest.approx(NOON + DAY / 2)
    assert faster.state == "fast"


def test_empty_is_when_nothing_can_be_paid() -> None:
    """A fund that can't pay the cheapest query is empty, whatever is left in it."""
    assert course(DAILY, balance(95), 0.0, 6.0, NOON, None).state == "empty"
    assert course(DAILY, balance(95), 0.0, 5.0, NOON, None).state == "fine"
    assert course(DAILY, balance(100), 0.0, 0.0, NOON, None).state == "empty"


def test_an_idle_fund_is_fine() -> None:
    """Where nothing was ever spent there is nothing to complain of."""
    assert course(DAILY, balance(0), 0.0, 1.0, NOON, None).state == "fine"


@given(st.integers(0, 100), st.floats(0, 0.1), st.sampled_from([DAILY, ONCE, ROLLING]))
def test_a_forecast_comes_true(spent: int, rate: float, rule: FundRule) -> None:
    """Going on like that until the end that is forecast leaves nothing; it is never behind the window's end."""
    found = course(rule, balance(spent), rate, 0.0, NOON, NOON - DAY)
    if found.empty_s is not None:
        back = spent / DAY if rule is ROLLING else 0.0
        assert (found.empty_s - NOON) * (rate - back) == pytest.approx(100 - spent, abs=1e-3)
        assert found.ends_s is None or found.empty_s < found.ends_s
    if found.pace is not None:
        assert 0 <= found.pace <= 100


def test_how_far_back_by_hand() -> None:
    """Ten minutes, or a fiftieth of the window where that is longer, but never before the window began."""
    assert lately_s(DAILY, NOON, None) == DAY / 50
    assert lately_s(DAILY, NOON - DAY / 2 + 60, None) == 60
    assert lately_s(ROLLING, NOON, None) == DAY / 50
    assert lately_s(FundRule("calls", 9, "requests", WindowRule("rolling", 60)), NOON, None) == 60
    assert lately_s(FundRule("hourly", 9, window=WindowRule("calendar", 0, "hour")), NOON + 900, None) == 600
    assert lately_s(ONCE, NOON + DAY, NOON) == 10 * DAY / 50


def test_how_fast_by_hand(tmp_path: Path) -> None:
    """A busy minute is taken for ten where no more is known; what was spent since a while ago, over that while."""
    with closing(PulseFile(tmp_path / FILE, "one")) as file:
        file.write({}, {int(NOON) - 62: {"pool": (0, 0, 40, None)}})

        def rate(rule: FundRule, now_s: float = NOON) -> dict[str, float]:
            return spend_rates(tmp_path, [rule], {rule.name: balance(46)}, {"pool": NOON - 70}, now_s)

        assert rate(DAILY) == {"pool": 6 / 600}
        assert rate(DAILY, NOON + 1_140) == {"pool": 6 / 1_200}
        assert rate(ONCE) == {"pool": 46 / 70}  # granted 70 seconds ago, so all of it was spent since
        assert rate(ONCE, NOON - 65) == {"pool": 46 / 30}
        assert rate(replace(DAILY, name="other")) == {}


def test_how_fast_a_rolling_window_goes(tmp_path: Path) -> None:
    """From the ledger's own sums, whatever it gave back meanwhile: 24 an hour in the latest stretch, 2 before."""
    at_ns = int(NOON) * USD
    part_s = DAY // 60
    with closing(SqliteBook(tmp_path / "ledger.sqlite")) as book:
        book.declare([LedgerFund("pool", 100, window=Window("rolling", DAY))], at_ns)
        for i, (ago, amount) in enumerate([(20, 1), (19, 1), (1, 8), (0, 8)]):
            moment = at_ns - ago * part_s * USD
            line = (Line("pool", amount),)
            book.hold([Ask(f"d:{i}", [Option("p/m", line)], moment + USD)], moment)
            book.end([Ending(f"d:{i}", "post", line)], moment)
    begun = (at_ns - round(DAY / 50 * USD)) // (part_s * USD) * (part_s * USD) / USD
    found = spend_rates(tmp_path, [ROLLING], {"pool": balance(18)}, {}, NOON)
    assert found == {"pool": pytest.approx(16 / (NOON - begun))}


def test_in_words() -> None:
    """Windows and what draws on a fund, as people say it."""
    assert window_words(WindowRule()) == "once"
    assert window_words(WindowRule("rolling", DAY)) == "rolling 24 h"
    assert window_words(WindowRule("rolling", 7 * DAY)) == "rolling 7 d"
    assert window_words(WindowRule("rolling", 90)) == "rolling 90 s"
    assert window_words(WindowRule("calendar", 0, "month", "Europe/Berlin")) == "1 month (Europe/Berlin)"
    assert draws_words(FundRule("f", 1)) == "all queries"
    assert draws_words(FundRule("f", 1, models=("p/a", "p/b"), keys=("team-a",))) == "models p/a, p/b; key team-a"
    assert draws_words(FundRule("f", 1, models=tuple("abcdef"))) == "models a, b, c and 3 more"


def test_the_cheapest_query(tmp_path: Path) -> None:
    """By unit: the cheapest model's typical dollars, its typical tokens, one request."""
    rules = (FundRule("usd", USD), FundRule("tokens", 10, "tokens"), FundRule("calls", 10, "requests"))
    with made_gateway(dashboard_settings(tmp_path, funds=rules)) as made:
        scheme = made.scheme
        found = cheapest_of(scheme, {"usd", "tokens", "calls"})
    assert found["calls"] == 1.0
    assert found["usd"] == pytest.approx(float(min(map(_median, scheme.typical.cost_usd.T))) * USD)
    assert found["tokens"] == pytest.approx(min(map(_median, scheme.typical.tokens.T)))
    assert cheapest_of(scheme, {"usd"}).keys() == {"usd"}


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


# The page


@given(st.integers(1, page.MOST_MINUTES))
def test_no_more_points_than_a_chart_shows(minutes: int) -> None:
    """However far back, there are at most 450 steps; a quarter of an hour has them all."""
    length_s = length_of(minutes)
    assert minutes * 60 / length_s <= POINTS
    assert length_s % (STEP_S if minutes <= page.FINE_MINUTES else 60) == 0
    assert length_of(15) == STEP_S


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[Browser]:
    with made_gateway(dashboard_settings(tmp_path)) as made:
        found = Browser(made)
        found.sign_in()
        yield found


def test_a_fresh_gateway(visitor: Browser) -> None:
    """Before anything has happened there are funds and models, and no points."""
    told = visitor.get("/ui/api/now").json()
    assert (told["points"], told["fund_points"], told["alarms"]) == ([], [], [])
    assert told["models"] == ["p/big", "p/small"]
    assert told["step_s"] == STEP_S
    pool, calls = told["funds"]
    assert (pool["name"], pool["remaining"], pool["window"], pool["state"]) == (
        "pool",
        10 * USD,
        "1 month (UTC)",
        "fine",
    )
    assert pool["starts_s"] < told["at_s"] < pool["ends_s"]
    assert (calls["name"], calls["starts_s"], calls["of_key"], calls["draws"]) == ("calls", None, None, "all queries")


def test_from_the_file(visitor: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """What all workers have written is what is shown, and a question for more shows longer steps."""
    begin = 1_790_000_000
    file = visitor.gateway.beating._file
    assert file is not None
    file.write({begin + 2 * i: Step(queries=1, served=1) for i in range(30)}, {begin: {"pool": (5, 0, 5, 0.1)}})
    monkeypatch.setattr(time, "time", lambda: begin + 62.0)
    monkeypatch.setattr(page, "standing", nothing)
    told = visitor.get("/ui/api/now?minutes=1").json()
    assert [point["queries"] for point in told["points"]] == [1] * 30
    assert told["fund_points"] == [{"t": begin, "funds": {"pool": [5, 0, 5, 0.1]}}]
    longer = visitor.get("/ui/api/now?minutes=60").json()
    assert (longer["step_s"], sum(point["queries"] for point in longer["points"])) == (8, 30)


async def nothing(*_: object) -> list[object]:
    return []


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "9" * 30])
def test_a_question_without_sense(visitor: Browser, given: str) -> None:
    """A number that is none is refused; one that is too large means all there is."""
    assert visitor.get(f"/ui/api/now?minutes={given}").status == 400
    assert visitor.get("/ui/api/now?minutes=999999999").status == 200


def test_a_file_that_cannot_be_read(visitor: Browser) -> None:
    """With the figures gone bad the funds are shown all the same; the charts say that they can't be read."""
    path = visitor.gateway.settings.state / FILE
    for part in path.parent.glob(f"{FILE}*"):
        part.write_bytes(b"no database" * 1000)
    assert visitor.get("/ui/api/funds").status == 200
    answer = visitor.get("/ui/api/now")
    assert (answer.status, answer.json()["error"]["type"]) == (503, "overloaded")


ALARM = Alarm("a-1", "score", "p/m", 200.0, 100.0, 0.0, -0.2, -0.3, -0.1, 50, 40, 1e5)


def test_alarms_by_hand() -> None:
    """One sentence, with what was done about it; what somebody pays for is severe."""
    told = alarm_json(replace(ALARM, note="asked again"))
    assert told["what"].startswith("scores of p/m fell by 0.20")
    assert told["what"].endswith("; asked again")
    assert {name: told[name] for name in ("kind", "model", "severity", "since_s", "active", "acknowledged_s")} == {
        "kind": "score",
        "model": "p/m",
        "severity": "alarm",
        "since_s": 100.0,
        "active": True,
        "acknowledged_s": None,
    }
    assert alarm_json(replace(ALARM, kind="mix", model=""))["model"] is None
    assert alarm_json(replace(ALARM, kind="length", before=1.0))["severity"] == "warning"


def test_alarms_are_acknowledged(visitor: Browser) -> None:
    """Active ones come first, the newest of them first; one that somebody knows of is active no more."""
    alarms = visitor.gateway.drifting.alarms
    for id, at_s in (("a-1", 1.0), ("a-2", 3.0), ("a-3", 2.0)):
        alarms.raise_(replace(ALARM, id=id, at_s=at_s))
    assert [one["id"] for one in visitor.get("/ui/api/now").json()["alarms"]] == ["a-2", "a-3", "a-1"]
    assert visitor.ask("POST", "/ui/api/alarms/a-2/acknowledge").status == 403
    visitor.sign_in(changes=True)
    assert visitor.ask("POST", "/ui/api/alarms/a-2/acknowledge").json()["acknowledged_s"] is not None
    assert [one["id"] for one in visitor.get("/ui/api/alarms").json()["alarms"]] == ["a-3", "a-1", "a-2"]
    assert visitor.ask("POST", "/ui/api/alarms/other/acknowledge").status == 404
    assert visitor.ask("POST", "/ui/api/alarms/a-1/other").status == 404


# A running one, of two workers

CHAT = {"model": "auto", "messages": PLAIN}  # on a connection of its own each, so that both workers get some


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("gateway")
    funds = [{"name": "pool", "amount": 5, "window": "1mo"}]
    with start_stub() as stub, running_gateway(folder, stub, funds=funds, workers=2, dashboard={"key": LOOK}) as made:
        yield made


def test_two_workers_show_one_traffic(running: GatewayProcess) -> None:
    """Queries and scores that both workers took are all there, whichever of them is asked."""
    for i in range(40):
        answer = httpx.post(f"{running.url}/v1/chat/completions", json=CHAT, headers=running.headers, trust_env=False)
        if i % 4 == 0:
            score = {"decision_id": answer.headers["x-pointsman-decision-id"], "score": 0.75}
            wait_until(lambda said=score: running.post("/v1/feedback", said).status_code == 200)  # type: ignore[misc]

    def told() -> list[dict[str, object]]:
        found: list[dict[str, object]] = running.get("/ui/api/now").json()["points"]
        return found

    wait_until(lambda: sum(int(str(point["queries"])) for point in told()) == 40, 20)
    points = told()
    assert sum(int(str(point["served"])) for point in points) == 40
    assert sum(int(str(point["feedbacks"])) for point in points) == 10
    spent = sum(int(str(point["cost_nano"])) for point in points)
    wait_until(lambda: running.get("/ui/api/funds").json()["funds"][0]["spent"] == spent)

    def stood() -> list[int]:
        found: list[int] = running.get("/ui/api/now").json()["fund_points"][-1]["funds"]["pool"]
        return found

    wait_until(lambda: stood()[2] == spent)


def test_a_session_holds_with_both_workers(running: GatewayProcess) -> None:
    """A cookie of one worker is good with the other, and its key stands in no log."""
    with httpx.Client(base_url=running.url, headers={"x-pointsman-ui": "1"}, trust_env=False) as browser:
        assert browser.post("/ui/api/session", json={"key": LOOK}).status_code == 200
    cookie = browser.cookies["pointsman_ui"]
    for _ in range(12):
        answer = httpx.get(f"{running.url}/ui/api/funds", cookies={"pointsman_ui": cookie}, trust_env=False)
        assert answer.status_code == 200
    assert LOOK not in running.log
    assert MASTER not in running.log
