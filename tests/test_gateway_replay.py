"""A log that a running gateway made agrees with the gateway: every decision made again comes out the same."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from gateway_kit import PLAIN, GatewayProcess, running_gateway, wait_until
from pointsman.cli.replay import app
from pointsman.evaluate.simulated import simulate
from pointsman.ledger.entries import Entry
from pointsman.ledger.sqlite import SqliteBook
from pointsman.outcomes import write
from pointsman.serve.again.agreement import agreement
from pointsman.serve.again.decided import Kept, kept_of
from pointsman.serve.again.kept import kept_decisions
from stub_upstream import start_stub

QUERIES = 320
OK = 200
FUNDS = [
    {"name": "all", "amount": 0.5},
    {"name": "big-dollars", "amount": 0.03, "models": ["stub/big"]},
    {"name": "mid-tokens", "amount": 9_000, "unit": "tokens", "models": ["stub/mid"]},
    {"name": "red", "amount": 12, "unit": "requests", "tags": ["red"], "window": "1h"},
]
SECTIONS: dict[str, Any] = {
    "routing": {"explore": 0.15, "expect_per_day": 1_000_000, "patience": "0s"},
    "learning": {"store_prompts": True, "resolve": "200ms"},
    "aliases": {"thrifty": {"trade_off": 7}, "picky": {"scarcity": "decline"}, "capped": {"max_cost_usd": 0.002}},
    "telemetry": {"log": "off"},
}


def query(number: int) -> dict[str, Any]:
    """One of every kind: aliases, knobs, limits, tags, models by name, conversations that go on."""
    lots = random.Random(number)
    text = " ".join(
        lots.choice(["how", "far", "is", "it", "to", "Oslo", "prove", "that"]) for _ in range(5 + number % 90)
    )
    body: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": text}], "max_tokens": 300}
    kinds: list[dict[str, Any]] = [
        {},
        {"model": "thrifty"},
        {"model": "picky"},
        {"model": "capped"},
        {"model": "stub/mid"},
        {"pointsman": {"trade_off": lots.choice([0, 2, 5, 9, 10])}},
        {"pointsman": {"tags": ["red"]}},
        {"pointsman": {"session": f"s{number % 5}"}},
        {"messages": [*PLAIN, {"role": "assistant", "content": "42"}, {"role": "user", "content": text}]},
        {"pointsman": {"models": ["stub/small", "stub/mid"]}},
    ]
    return body | kinds[number % len(kinds)]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of a gateway that has answered, while its funds ran short, and has ended."""
    folder = tmp_path_factory.mktemp("gate")
    learning = SECTIONS["learning"] | {"history": str(history_in(folder / "history"))}
    with (
        start_stub() as stub,
        running_gateway(folder, stub, funds=FUNDS, **(SECTIONS | {"learning": learning})) as gateway,
    ):
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda n: ask(gateway, n), range(QUERIES // 2)))
            wait_until(lambda: any(fund["price"] for fund in gateway.get("/v1/funds").json()["data"]))
            answers += pool.map(lambda n: ask(gateway, n), range(QUERIES // 2, QUERIES))
        served = answers.count(OK)
        assert served > QUERIES // 2
        wait_until(lambda: len(list(kept_decisions(gateway.state))) >= served)
        gateway.stop()
        yield gateway.state


def history_in(folder: Path) -> Path:
    """Outcomes of two of the three models, so that estimates come from a fit and, for the third, from a prior."""
    made = simulate(160, seed=1)
    best = np.argsort(-made.score.mean(axis=0))
    write(replace(made.only(best[[0, 6]]), models=("stub/big", "stub/mid")), folder)
    return folder


def ask(gateway: GatewayProcess, number: int) -> int:
    answer = gateway.post("/v1/chat/completions", query(number))
    assert answer.status_code in {200, 402, 429, 503}, answer.text
    if answer.status_code == 200 and number % 3 == 0:
        given = {"decision_id": answer.headers["x-pointsman-decision-id"], "score": (number % 4) / 3}
        gateway.post("/v1/feedback", given)
    return answer.status_code


def logged(state: Path) -> tuple[list[Kept | None], list[Entry]]:
    with closing(SqliteBook(state / "ledger.sqlite", create=False)) as book:
        return [kept_of(row) for row in kept_decisions(state)], list(book.entries())


def test_every_decision_comes_out_the_same(state: Path) -> None:
    """Several hundred mixed queries, funds that run short, chance among them: order, hold and model, each the same."""
    rows, entries = logged(state)
    found = agreement(rows, entries)
    assert found.differing == ()
    assert (found.same_order, found.same_model, found.same_hold) == (found.decisions, found.decisions, found.held)
    assert (found.without_basis, found.decisions) == (0, len(rows))
    assert found.share == 1.0


def test_the_log_had_something_to_disagree_on(state: Path) -> None:
    """The traffic was mixed: models, prices, refused options, stays and propensities of several kinds."""
    kept = [one for one in logged(state)[0] if one is not None]
    assert len(Counter(one.served for one in kept)) == 3
    assert {one.place for one in kept} >= {0, 1}
    for there in (
        [one.passed for one in kept],
        [one.explored for one in kept],
        [one.bonus.any() for one in kept],
        [one.money_price for one in kept],
        [one.limit_usd for one in kept],
        [one.price.any() for one in kept],
        [one.propensity for one in kept],
    ):
        assert any(there)
        assert not all(there)


def test_a_decision_that_was_altered_is_found(state: Path) -> None:
    """The check is one: a model that would have scored higher, or a refusal of nothing, doesn't agree."""
    rows, entries = logged(state)
    kept = [one for one in rows if one is not None]
    plain = next(one for one in kept if one.ranked == (0, 1, 2) and not one.explored)
    better = replace(plain, bonus=np.array([0.0, 0.0, 9.0]))
    assert agreement([better], entries).differing == (plain.id,)
    short = next(one for one in kept if one.passed)
    free = replace(short, passed=(replace(short.passed[0], lines=()), *short.passed[1:]))
    assert agreement([free], entries).differing == (short.id,)


def test_the_command_says_so(state: Path) -> None:
    """`pointsman replay STATE` prints the share; as JSON it is one."""
    said = CliRunner().invoke(app, [str(state)]).stdout
    assert "(100.00%)" in said
    told = json.loads(CliRunner().invoke(app, [str(state), "--policy", "as-served", "--json"]).stdout)
    assert told["as_served"]["share"] == 1.0
    again = told["as_served"]["from_text"]
    assert again["same_order"] == again["decisions"] > QUERIES // 2


def test_outcomes_carry_time_and_propensity(state: Path) -> None:
    """What is stored to learn from says when and with which probability."""
    rows = [row for path in sorted((state / "outcomes").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert all(row["at_s"] > 1.6e9 for row in rows)
    assert {row["grader"] for row in rows if row["score"] is not None} == {"feedback"}
    assert any(row["propensity"] for row in rows)
    assert any(row["propensity"] is None for row in rows)
