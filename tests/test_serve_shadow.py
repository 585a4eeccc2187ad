"""Mirrored traffic: what is mirrored to whom, that clients never notice, that its fund holds, what is recorded."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import orjson
import pytest

from gateway_kit import PLAIN, GatewayProcess, running_gateway, wait_until
from made_finished import finished as finished_of
from made_serving import ADMIN, Board, chat, model, scheme_of, settings_of
from pointsman.outcomes import read
from pointsman.pool.settings import Alias, LearningSettings
from pointsman.serve.access import Principal
from pointsman.serve.scheme import Scheme
from pointsman.serve.shadow import AT_ONCE, WAITING, Shadow, copied, mirrored_to, share_of
from pointsman.serve.wire.query import Query
from pointsman.serve.wire.reading import read_query
from stub_upstream import Stub, start_stub

TEXT = frozenset({"streaming"})


def scheme_with(**sections: Any) -> Scheme:
    """One model that serves, and two in the shadow: one that can use tools and is in the EU, one that isn't."""
    models = (
        model("p/a", capabilities=TEXT | {"tools", "vision"}, tags=frozenset({"eu"})),
        model("s/eu", capabilities=TEXT | {"tools", "vision"}, tags=frozenset({"eu"}), duty="shadow"),
        model("s/us", capabilities=frozenset(), duty="shadow"),
        model("w/w", capabilities=TEXT, duty="waiting"),
    )
    return scheme_of(settings_of(*models, **sections))


def mirrored(query: Query, principal: Principal = ADMIN, **sections: Any) -> list[str]:
    scheme = scheme_with(**sections)
    return [each.id for each, goes in zip(scheme.models, mirrored_to(scheme, query, principal), strict=True) if goes]


PICTURE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]
TOOL = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
ALIASES = (Alias("auto"), Alias("here", tags=("eu",)), Alias("two", models=("p/a", "s/us")))


@pytest.mark.parametrize(
    ("query", "principal", "found"),
    [
        (chat(), ADMIN, ["s/eu", "s/us"]),
        (chat(stream=True), ADMIN, ["s/eu", "s/us"]),  # a copy isn't streamed, so nobody needs to be able to
        (chat(shape="messages", max_tokens=9), ADMIN, ["s/eu", "s/us"]),
        (chat("p/a"), ADMIN, []),  # the client wanted this very model
        (chat("here"), ADMIN, ["s/eu"]),
        (chat("two"), ADMIN, ["s/us"]),
        (chat(pointsman={"residency": ["eu"]}), ADMIN, ["s/eu"]),
        (chat(pointsman={"models": ["p/a", "s/us"]}), ADMIN, ["s/us"]),
        (chat(), Principal("k", models=("p/*",)), []),
        (chat(), Principal("k", models=("p/*", "s/e*")), ["s/eu"]),
        (chat(), Principal("onboard-x-1"), []),
        (chat(tools=TOOL), ADMIN, ["s/eu"]),
        (chat(messages=PICTURE), ADMIN, []),
        (chat(shape="embeddings"), ADMIN, []),
        (chat(content="x" * 300_000), ADMIN, []),
    ],
)
def test_only_where_it_could_have_been_sent(query: Query, principal: Principal, found: list[str]) -> None:
    """Alias, key, own candidates, residency and abilities count for a copy as they do for the query."""
    assert mirrored(query, principal, aliases=ALIASES) == found


def test_a_share_by_model() -> None:
    """One share for all, or the first pattern's; 0 for who fits none."""
    assert share_of(0.2, "s/eu") == 0.2
    shares = {"s/e*": 0.5, "s/*": 0.1}
    assert [share_of(shares, name) for name in ("s/eu", "s/us", "p/a")] == [0.5, 0.1, 0.0]


def test_a_copy_keeps_what_is_asked_and_where_it_may_go() -> None:
    """Not streamed, another model, no wish but residency; the original stays as it was."""
    wishes = {"residency": ["eu"], "models": ["p/a"], "tags": ["team"], "session": "s", "max_cost_usd": 0.1}
    given = chat(stream=True, stream_options={"include_usage": True}, temperature=0.5, pointsman=wishes)
    made = copied(given, "s/eu")
    assert made.body == {"model": "s/eu", "temperature": 0.5, "messages": given.body["messages"]}
    assert (made.stream, made.needs, made.wishes.residency) == (False, frozenset(), ("eu",))
    assert (made.wishes.models, made.wishes.tags, made.wishes.max_cost_nano, made.wishes.session) == (
        (),
        (),
        None,
        None,
    )
    assert made.text == given.text
    assert given.body["stream"]
    # It is what a client would have sent: read anew it says the same.
    assert read_query("chat", orjson.dumps(made.body), {}).digest == made.digest


class Told:
    """A recorder and metrics that keep what they were told."""

    def __init__(self) -> None:
        self.counts: list[tuple[str, str]] = []

    def mirrored(self, *what: Any) -> None:
        if isinstance(what[0], str):
            self.counts.append((what[0], what[1]))


class Stuck:
    """A rig whose switchboard never decides."""

    def __init__(self, scheme: Scheme) -> None:
        self.switchboard: Any = self
        self.scheme = scheme
        self.asked = 0

    async def decide(self, *_: Any) -> None:
        self.asked += 1
        await asyncio.Event().wait()


def test_what_waits_is_bounded_and_the_rest_is_counted() -> None:
    """Behind a model that doesn't answer so many wait, all others are dropped, and stopping waits for nobody."""
    told: Any = Told()
    rig: Any = Stuck(scheme_with(learning=LearningSettings(shadow_share={"s/eu": 1.0})))

    async def act() -> None:
        shadow = Shadow(rig, told, told, random.Random(0))
        for _ in range(10):
            await asyncio.sleep(0)
        for number in range(WAITING + AT_ONCE + 7):
            shadow.offer(finished_of(outcome="served"), chat(), ADMIN)
            if number < AT_ONCE:
                for _ in range(3):
                    await asyncio.sleep(0)
        await asyncio.wait_for(shadow.stop(), 5)

    asyncio.run(act())
    assert rig.asked == AT_ONCE
    assert told.counts == [("s/eu", "dropped")] * 7


def test_the_lot_falls_on_a_share() -> None:
    """Of 2,000 served queries about a twentieth goes to each model; of failed ones none."""
    told: Any = Told()
    rig: Any = Stuck(scheme_with())

    async def act() -> None:
        shadow = Shadow(rig, told, told, random.Random(7))
        for outcome in ("upstream_failed", "client_gone"):
            shadow.offer(finished_of(outcome=outcome), chat(), ADMIN)
        for _ in range(2_000):
            shadow.offer(finished_of(outcome="served"), chat(), ADMIN)
        await shadow.stop()

    asyncio.run(act())
    drawn = {name: sum(each == name for each, _ in told.counts) + WAITING / 2 for name in ("s/eu", "s/us")}
    assert all(60 <= count <= 145 for count in drawn.values()), drawn


def test_nobody_is_hurt_by_a_fault() -> None:
    """Whatever goes wrong while a query is offered, its own exchange never hears of it."""
    told: Any = Told()
    rig: Any = Stuck(scheme_with())

    async def act() -> None:
        shadow = Shadow(rig, told, told, random.Random(0))
        broken: Any = None
        shadow.offer(finished_of(outcome="served"), broken, ADMIN)
        await shadow.stop()

    asyncio.run(act())
    assert Board(rig.scheme).scheme is rig.scheme


# With a gateway


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    """The upstream of all tests."""
    with start_stub() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(stub: Stub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One model that serves, one in the shadow that gets all of it, for half a cent a day."""
    models = [
        {"id": "stub/a", "rates": {"input": 1, "output": 4}, "quality": 0.5},
        {"id": "stub/dark", "rates": {"input": 5, "output": 20}, "quality": 0.9, "duty": "shadow", "max_output": 40},
    ]
    funds = [{"name": "all", "amount": 10}]
    learning: dict[str, Any] = {"store_prompts": True, "shadow_share": {"stub/dark": 1}, "shadow_budget": 0.006}
    folder = tmp_path_factory.mktemp("shadow")
    with running_gateway(folder, stub, models, funds, learning=learning, routing={"ceiling": "model"}) as running:
        yield running


def asked(stub: Stub, name: str) -> int:
    return int(stub.calls()["by_model"].get(name, 0))


def count(gateway: GatewayProcess, result: str) -> float:
    """Of the metric, of this model."""
    lines = gateway.get("/metrics").text.splitlines()
    name = f'pointsman_shadow_queries_total{{model="stub/dark",result="{result}"}}'
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def ended(gateway: GatewayProcess) -> float:
    """Copies that somebody was asked, or refused, by now."""
    return sum(count(gateway, result) for result in ("served", "failed", "refused"))


def journal(gateway: GatewayProcess) -> list[dict[str, Any]]:
    """Every exchange that was kept."""
    with closing(sqlite3.connect(gateway.state / "decisions.sqlite")) as db:
        return [orjson.loads(body) for (body,) in db.execute("select body from exchanges order by number")]


def test_a_served_query_is_asked_of_the_shadow_too(gateway: GatewayProcess, stub: Stub) -> None:
    """The client gets the serving model's answer; the other is asked the same, not streamed, and is paid and kept."""
    answer = gateway.stream(temperature=0.25)
    assert answer.headers["x-pointsman-model"] == "stub/a"
    wait_until(lambda: count(gateway, "served") == 1)
    (call,) = [each for each in stub.calls()["calls"] if each["model"] == "dark"]
    assert (call["body"]["messages"], call["body"]["temperature"]) == (PLAIN, 0.25)
    assert not call["body"].get("stream")
    wait_until(lambda: len(journal(gateway)) == 2)
    served, dark = sorted(journal(gateway), key=lambda each: each["key_id"] == "shadow")
    assert (served["model"], served["key_id"]) == ("stub/a", "master")
    assert (dark["model"], dark["outcome"], dark["stream"]) == ("stub/dark", "served", False)
    balance = gateway.balance("key:shadow:budget")
    assert balance.spent == dark["cost_nano"] > 0
    assert gateway.balance("all").spent == served["cost_nano"] + dark["cost_nano"]
    shown = gateway.get("/metrics").text
    assert 'pointsman_requests_total{model="stub/dark"' not in shown
    with closing(sqlite3.connect(gateway.state / "decisions.sqlite")) as db:
        assert dict(db.execute("select model, answered from tallies")) == {"stub/a": 1, "stub/dark": 1}


def test_a_client_never_waits_for_the_shadow(gateway: GatewayProcess, stub: Stub) -> None:
    """While the shadow hangs and then fails, answers come as ever, and the failure is the shadow's alone."""
    stub.script("dark", {"connect_s": 1.0, "status": 500}, {"status": 500}, {"status": 500}, {})
    before, counted = asked(stub, "dark"), ended(gateway)
    assert all(gateway.chat().status_code == 200 for _ in range(2))
    assert asked(stub, "dark") <= before + 2  # they were answered before the first one failed
    wait_until(lambda: ended(gateway) == counted + 2, 20)
    assert count(gateway, "failed") >= 1
    gateway.settled()


def test_named_queries_and_probes_are_not_mirrored(gateway: GatewayProcess, stub: Stub) -> None:
    """Who names a model, and an onboarding, stay where they are; then one that isn't named is mirrored again."""
    before, counted = asked(stub, "dark"), ended(gateway)
    gateway.chat("stub/a")
    secret = gateway.key(id="onboard-x-1")
    body = {"model": "auto", "messages": PLAIN}
    done = httpx.post(
        f"{gateway.url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {secret}"}, timeout=30
    )
    assert done.status_code == 200
    gateway.chat(messages=[{"role": "user", "content": "the last one"}])
    wait_until(lambda: asked(stub, "dark") > before)
    wait_until(lambda: ended(gateway) == counted + 1)
    texts = [str(each["body"]) for each in stub.calls()["calls"] if each["model"] == "dark"][before:]
    assert all("the last one" in text for text in texts)


def test_its_fund_holds(gateway: GatewayProcess, stub: Stub) -> None:
    """Storms of queries: no more is mirrored than the day's money pays for, and every client is served."""
    answers: list[int] = []

    def storm() -> None:
        answers.extend(gateway.chat().status_code for _ in range(10))

    threads = [threading.Thread(target=storm) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 40
    wait_until(lambda: count(gateway, "refused") > 0)
    gateway.settled()
    balance = gateway.balance("key:shadow:budget")
    assert 0 < balance.spent <= balance.amount
    assert balance.overrun == 0


def test_both_models_stand_in_one_row(gateway: GatewayProcess) -> None:
    """After the end: outcomes of the query have both models' costs in one row, and nobody's score but by feedback."""
    dark = next(each for each in journal(gateway) if each["key_id"] == "shadow" and each["outcome"] == "served")
    assert gateway.post("/v1/feedback", {"decision_id": dark["decision_id"], "score": 0.75}).status_code == 200
    gateway.stop()
    found = read(gateway.state / "outcomes")
    columns = [found.models.index(name) for name in ("stub/a", "stub/dark")]
    both = ~(found.cost_usd[:, columns] != found.cost_usd[:, columns]).any(axis=1)  # NaN differs from itself
    assert both.any()
    scores = found.score[:, columns[1]]
    assert [float(score) for score in scores if score == score] == [0.75]
    assert both[int((scores == 0.75).argmax())]
