"""200 queries at once against a fund that can pay for 50, in every weather: not one too many, not one too few.

During each storm the ledger is sampled from another process; after it every hold has ended and all entries balance.
"""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gateway_kit import MASTER, GatewayProcess, openai_model, running_gateway, wait_until
from gateway_storm import BROKEN, LEFT, storm, watched
from stub_upstream import Stub, start_stub

CLIENTS, PAID_FOR = 200, 50
TOKENS = 8
COST_NANO = TOKENS * 10_000  # 10 USD per million tokens; input is free, so what is held is what it costs
HOLDS_MORE: dict[str, Any] = {"id": "stub/wordy", "rates": {"input": 1, "output": 10}}
MODEL: dict[str, Any] = {"id": "stub/plain", "rates": {"input": 0, "output": 10}}
FRAIL: dict[str, Any] = {"id": "stub/frail", "rates": {"input": 0, "output": 10}}
SLOW: dict[str, Any] = {"id": "stub/slow", "rates": {"input": 0, "output": 10}}
USD = f"0.{COST_NANO * PAID_FOR:09d}"
FUNDS: list[dict[str, Any]] = [
    {"name": "all", "amount": 100},
    {"name": "exact", "amount": USD, "keys": ["exact"]},
    {"name": "wordy", "amount": "0.05", "keys": ["wordy"]},
    {"name": "asked", "amount": PAID_FOR, "unit": "requests", "keys": ["asked"]},
    {"name": "leaving", "amount": PAID_FOR, "unit": "requests", "keys": ["leaving"]},
    {"name": "frail", "amount": USD, "keys": ["frail"]},
    {"name": "killed", "amount": PAID_FOR, "unit": "requests", "keys": ["killed"]},
]
FAILURE = {"cooldown_after": 10_000, "backoff": "0.02s", "retries": 4}


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    """The upstream of all storms."""
    with start_stub() as running:
        yield running


@pytest.fixture(scope="module", params=[1, 2], ids=["one-worker", "two-workers"])
def gateway(
    request: pytest.FixtureRequest, stub: Stub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """A gateway with one worker, and one with two."""
    folder, models = tmp_path_factory.mktemp("storm"), [MODEL, HOLDS_MORE, FRAIL, SLOW]
    with running_gateway(folder, stub, models, FUNDS, workers=request.param, failure=FAILURE) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(stub: Stub) -> None:
    stub.reset()
    for name in ("plain", "frail", "slow"):
        stub.script(name, first_token_s=0.02, output_tokens=TOKENS)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_exactly_as_many_as_the_fund_can_pay_are_served(gateway: GatewayProcess, stub: Stub, stream: bool) -> None:
    """200 at once, money for 50: never more than the fund at any instant, 50 answered, 150 refused, not a cent left."""
    fund = "asked" if stream else "exact"
    with watched(gateway, fund) as seen:
        statuses = storm(gateway, gateway.key(id=fund), CLIENTS, model="stub/plain", max_tokens=TOKENS, stream=stream)
    assert statuses == {200: PAID_FOR, 429: CLIENTS - PAID_FOR}
    gateway.settled()
    balance = gateway.balance(fund)
    assert len(seen.samples) > 5
    assert seen.most <= balance.amount
    assert (balance.spent, balance.overrun) == (balance.amount, 0)
    assert stub.calls()["by_model"] == {"plain": PAID_FOR}


def test_what_is_only_held_is_waited_for(gateway: GatewayProcess, stub: Stub) -> None:
    """Holds are larger than receipts: queries wait for what comes back, until the fund can't hold one more."""
    stub.script("wordy", first_token_s=0.02, output_tokens=100, input_tokens=0)
    once = gateway.decision(gateway.chat("stub/wordy", max_tokens=500))
    cost, held, amount = once["cost_nano"], once["held_nano"], 50_000_000
    assert (cost, held) == (1_000_000, pytest.approx(5_000_000, rel=0.05))
    with watched(gateway, "wordy") as seen:
        statuses = storm(gateway, gateway.key(id="wordy"), CLIENTS, model="stub/wordy", max_tokens=500)
    can_pay = math.floor((amount - held) / cost) + 1
    assert statuses == {200: can_pay, 429: CLIENTS - can_pay}
    gateway.settled()
    assert seen.most <= amount
    assert gateway.balance("wordy").spent == can_pay * cost


def test_clients_that_leave_spend_what_they_used_and_no_more(gateway: GatewayProcess, stub: Stub) -> None:
    """Half of the clients disconnect, before the first token or in mid-stream: every hold ends, each call is booked."""
    stub.script("slow", first_token_s=0.03, between_s=0.03, output_tokens=TOKENS)
    with watched(gateway, "leaving") as seen:
        statuses = storm(
            gateway,
            gateway.key(id="leaving"),
            CLIENTS,
            leaves=lambda i: i % 2 == 0,
            leave_after_s=lambda i: 0.001 * (i + 10),
            model="stub/slow",
            max_tokens=TOKENS,
            stream=True,
        )
    gateway.settled()
    balance = gateway.balance("leaving")
    assert statuses[200] + statuses[429] + statuses[LEFT] == CLIENTS
    assert statuses[LEFT] > 0
    assert seen.most <= PAID_FOR
    # A call may be made for a client that leaves a moment later; none is made that isn't booked.
    wait_until(lambda: stub.calls()["open"] == 0)
    assert balance.spent == stub.calls()["by_model"].get("slow", 0) <= PAID_FOR


def test_upstream_errors_cost_nothing_and_leak_nothing(gateway: GatewayProcess, stub: Stub) -> None:
    """Every third call fails: each retry is held for, failed calls are given back, and still exactly 50 are paid."""
    answer: dict[str, Any] = {"first_token_s": 0.02, "output_tokens": TOKENS}
    stub.script("frail", *([{"status": 503}, answer, answer] * 200))
    with watched(gateway, "frail") as seen:
        statuses = storm(gateway, gateway.key(id="frail"), CLIENTS, model="stub/frail", max_tokens=TOKENS)
    audit = gateway.settled()
    # Who failed and found the money for another try gone meanwhile is told what the upstream said.
    assert set(statuses) <= {200, 429, 503}
    assert (statuses[200], statuses.total()) == (PAID_FOR, CLIENTS)
    assert seen.most <= COST_NANO * PAID_FOR
    assert gateway.balance("frail").spent == COST_NANO * PAID_FOR
    assert stub.calls()["by_model"]["frail"] > PAID_FOR
    assert audit.counts["voided"] > 0


def test_kill_9_mid_flight_loses_no_hold_and_breaks_no_file(gateway: GatewayProcess, stub: Stub) -> None:
    """Killed with 50 calls in flight: the next start ends every hold, and charges what may be owed."""
    stub.script("slow", hang="first")
    key = gateway.key(id="killed")
    found: dict[int, int] = {}

    def clients() -> None:
        found.update(storm(gateway, key, CLIENTS, model="stub/slow", max_tokens=TOKENS, stream=True))

    thread = threading.Thread(target=clients)
    with watched(gateway, "killed") as seen:
        thread.start()
        wait_until(lambda: stub.calls()["open"] >= PAID_FOR, 30)
        gateway.kill9()
        thread.join()
    assert found.get(BROKEN, 0) >= PAID_FOR
    assert gateway.integrity() == "ok"
    assert gateway.balance("killed").held == PAID_FOR == seen.most
    gateway.start()
    audit = gateway.settled()
    assert audit.counts["expired"] >= PAID_FOR
    assert gateway.integrity() == "ok"
    # The upstream may have billed every one of them, so none may be given back.
    assert gateway.balance("killed").spent == PAID_FOR
    stub.script("slow", output_tokens=TOKENS)
    assert gateway.chat("stub/slow").status_code == 200


def test_a_killed_workers_holds_are_ended_by_the_others(gateway: GatewayProcess, stub: Stub) -> None:
    """One of two is killed: the other ends its holds; who takes its place has the configuration that was reloaded."""
    if gateway.workers == 1:
        pytest.skip("takes two workers")
    stub.script("slow", hang="first")
    before = gateway.settings
    more = openai_model(stub, id="stub/new", model="new", rates={"input": 1, "output": 1})
    gateway.write(before | {"models": [*before["models"], more]})
    assert gateway.post("/admin/reload").status_code == 200
    workers = gateway.children
    thread = threading.Thread(target=lambda: storm(gateway, gateway.key(id="more"), 12, model="stub/slow", stream=True))
    thread.start()
    wait_until(lambda: len(gateway.open_holds()) == 12, 30)
    owners = {hold.owner.partition("-")[0] for hold in gateway.open_holds()}
    victim = next(one for one in workers if str(one.pid) in owners)
    theirs = sum(hold.owner.startswith(f"{victim.pid}-") for hold in gateway.open_holds())
    victim.send_signal(signal.SIGKILL)
    wait_until(lambda: len(gateway.open_holds()) == 12 - theirs, 30)
    wait_until(lambda: len(gateway.children) == 2 and len(gateway.owners()) == 2, 60)
    # Each on a connection of its own, so that both workers answer some.
    assert storm(gateway, MASTER, 30, model="stub/new") == {200: 30}
    survivor = next(one for one in workers if one != victim)
    survivor.send_signal(signal.SIGKILL)
    thread.join()
    gateway.settled(60)


def test_the_end_leaves_the_books_in_order(gateway: GatewayProcess) -> None:
    """After all storms, told to end or left alone by who watches it, it ends: no hold is left, the file is whole."""
    if gateway.workers == 1:
        assert gateway.stop() in {0, -signal.SIGTERM}
    else:
        workers = gateway.children
        gateway.signal(signal.SIGKILL)
        wait_until(lambda: not any(one.is_running() for one in workers), 30)
    assert gateway.settled().ok
    assert gateway.integrity() == "ok"
