"""One worker: what is in force and how it changes, dead workers' holds, fits taken over, outcomes kept."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from made_serving import ADMIN, USD, chat, model, rates, settings_of
from pointsman.errors import InputError
from pointsman.ledger.entries import Ask, Ending, Line, Option
from pointsman.outcomes import OutcomeLog, OutcomeRow, read
from pointsman.pool.cards import Usage
from pointsman.pool.settings import (
    FailureSettings,
    FundRule,
    LearningSettings,
    ServerSettings,
    Settings,
    TelemetrySettings,
    WindowRule,
)
from pointsman.serve import fits
from pointsman.serve import gateway as module
from pointsman.serve.access import Keys, Principal
from pointsman.serve.finished import Finished, Outcome
from pointsman.serve.fitting import fingerprint_of, fit_learned
from pointsman.serve.gateway import Gateway
from pointsman.serve.keys import Budget
from pointsman.serve.learn import prices_of, with_prices
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.query import Query

MODELS = (model("p/good", price=rates(5, 20), tier="frontier"), model("p/cheap", price=rates(0.1, 0.4), tier="small"))
ALL = FundRule("all", 100 * USD)
HOUR_NS = 3_600 * USD

Making = Callable[..., Gateway]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_of(
        *MODELS,
        state=tmp_path / "state",
        funds=(ALL,),
        master_key="master-secret",
        telemetry=TelemetrySettings(log="off"),
    )


@dataclass
class File:
    """A configuration that can be changed, as a reload reads it."""

    settings: Settings | InputError

    def __call__(self) -> Settings:
        if isinstance(self.settings, InputError):
            raise self.settings
        return self.settings


@pytest.fixture
def make() -> Iterator[Making]:
    made: list[Gateway] = []

    def making(settings: Settings, reread: Any = None, number: int = 0) -> Gateway:
        made.append(Gateway(settings, reread, number))
        return made[-1]

    before = logging.getLogger().level
    yield making
    for gateway in reversed(made):
        if gateway._clockwork is None:  # what was started has to be stopped on its own loop
            asyncio.run(gateway.stop())
        gateway.logs.give_back()
    logging.getLogger().setLevel(before)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def names(gateway: Gateway) -> list[str]:
    return [rule.name for rule in gateway.scheme.funds]


def balances(gateway: Gateway) -> dict[str, tuple[int, int, int]]:
    return {one.fund: (one.amount, one.held, one.spent) for one in gateway.till.balances()}


def served(query: Query, decision_id: str = "dec_1", *, key_id: str = "k", outcome: Outcome = "served") -> Finished:
    """An exchange that ended: the good model, 1 milli-dollar."""
    return Finished(
        decision_id, time.time_ns(), key_id, query.shape, query.model, outcome, 200, "best", "p/good", "p", "p/good@1",
        usage=Usage(12, 34), cost_nano=1_000_000, input_chars=query.input_chars,
    )  # fmt: skip


# Beginning and end


def test_a_worker_begins_and_ends(settings: Settings, make: Making) -> None:
    """Its state is its owner's alone; it decides; what it had open is closed, and another finds the same ledger."""
    gateway = make(settings)
    assert stat.S_IMODE(settings.state.stat().st_mode) == 0o700
    assert balances(gateway) == {"all": (100 * USD, 0, 0)}

    async def life() -> None:
        await gateway.start()
        plan = await gateway.switchboard.decide(chat(), ADMIN)
        assert plan.scheme.models[plan.column].id == "p/good"
        gateway.till.end(Ending(plan.first_held.id, "post", (Line("all", 5),)))
        await gateway.stop()

    run(life())
    assert list((settings.state / "workers").iterdir()) == []
    after = make(settings)
    assert balances(after)["all"] == (100 * USD, 0, 5)
    assert after.audit().ok


def test_how_it_stands_is_shown(settings: Settings, make: Making) -> None:
    """Funds, endpoints and prices are in the metrics' text."""
    gateway = make(settings)
    gateway.show()
    text = gateway.metrics.render().decode()
    assert 'fund="all"' in text
    assert "p/good@1" in text


# Reloading


def test_a_valid_configuration_comes_in_force(settings: Settings, make: Making) -> None:
    """Other models, funds and limits at once; what was spent stays spent, prices stay, and nothing needs a restart."""
    fresh = replace(
        settings,
        models=(*MODELS, model("p/new")),
        funds=(ALL, FundRule("more", 7, "requests")),
        failure=FailureSettings(cooldown_after=9, cooldown_s=1.5),
        master_key="another-secret",
    )
    gateway = make(settings, File(fresh))
    gateway.switchboard.scheme = with_prices(gateway.scheme, np.array([3.0]))
    before = gateway.scheme
    assert gateway.reload() == ""
    assert names(gateway) == ["all", "more"]
    assert "p/new" in gateway.scheme.column
    assert balances(gateway)["more"] == (7, 0, 0)
    assert prices_of(gateway.scheme) == {"all": 3.0, "more": 0.0}
    assert (gateway.health.after, gateway.health.rest_s) == (9, 1.5)
    assert gateway.principal_of("another-secret").admin
    assert before.settings is settings  # who was decided under the old one keeps it


@pytest.mark.parametrize("wrong", ["unreadable", "two funds of one name"])
def test_an_invalid_configuration_changes_nothing(settings: Settings, make: Making, wrong: str) -> None:
    """Whether it can't be read or can't be used: the error is raised, and everything stays as it was."""
    clash = replace(settings, funds=(ALL, FundRule("key:a:rpm", 1, "requests")), master_key="another-secret")
    gateway = make(settings, File(InputError("bad") if wrong == "unreadable" else clash))
    gateway.keys.create(time.time_ns(), id="a", requests_per_minute=5)
    gateway.rebuild()
    before = gateway.scheme
    with pytest.raises(InputError):
        gateway.reload()
    assert gateway.scheme is before
    assert gateway.settings is settings
    assert names(gateway) == ["all", "key:a:rpm"]
    assert gateway.principal_of("master-secret").admin
    with pytest.raises(Refusal):
        gateway.principal_of("another-secret")


def test_what_a_reload_cannot_change_is_named(settings: Settings, make: Making) -> None:
    """Listening, the embedder, the history and the time to connect wait for a restart, and so does the volume."""
    fresh = replace(
        settings,
        server=ServerSettings(port=1),
        learning=LearningSettings(embedder="wordllama#cap_tokens=9"),
        failure=FailureSettings(connect_s=0.5),
        routing=replace(settings.routing, expect_per_day=77.0),
    )
    note = make(settings, File(fresh)).reload()
    assert note == "a restart is needed for: server, learning.embedder, failure.connect, routing.expect_per_day"


def test_settings_made_in_code_have_no_file(settings: Settings, make: Making) -> None:
    """There is nothing to read again, and that is said."""
    with pytest.raises(InputError, match="made in code"):
        make(settings).reload()


def test_a_changed_file_is_noticed(settings: Settings, make: Making, tmp_path: Path) -> None:
    """A file with another time is read at the next look, once; a bad one is read again when it changes again."""
    path = tmp_path / "pointsman.yaml"
    path.write_text("one")
    at = replace(settings, path=path)
    file = File(replace(at, funds=(replace(ALL, amount=5),)))
    gateway = make(at, file)
    run(gateway._look_around())
    assert balances(gateway)["all"][0] == 100 * USD
    _touch(path, 1)
    run(gateway._look_around())
    assert balances(gateway)["all"][0] == 5
    file.settings = InputError("bad")
    _touch(path, 2)
    with pytest.raises(InputError):
        run(gateway._look_around())
    run(gateway._look_around())
    assert balances(gateway)["all"][0] == 5


def _touch(path: Path, seconds: int) -> None:
    os.utime(path, ns=(seconds * USD, seconds * USD))


# Keys


def test_a_new_key_brings_its_funds(settings: Settings, make: Making) -> None:
    """A key made by another process is limited from its first query on; a revoked one's fund goes at the next look."""
    gateway = make(settings)
    others = Keys(settings.state / "keys.sqlite", "master-secret")
    secret, _ = others.create(time.time_ns(), id="a", budget=Budget(3 * USD), requests_per_minute=2)
    assert gateway.principal_of(secret).key_id == "a"
    assert names(gateway) == ["all", "key:a:budget", "key:a:rpm"]
    assert balances(gateway)["key:a:budget"] == (3 * USD, 0, 0)
    assert gateway.scheme.drawn("a", ()) == (0, 1, 2)
    others.revoke("a", time.time_ns())
    gateway.keys._looked_ns = 0
    run(gateway._look_around())
    assert names(gateway) == ["all"]
    others.close()


def test_rates_change_with_the_day(settings: Settings, make: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    """At midnight UTC the rates of the new day come in force, funds and their rows untouched."""
    later = replace(rates(7, 7), since=date(2100, 1, 1))
    gateway = make(replace(settings, models=(replace(MODELS[0], rates=(rates(5, 20), later)), MODELS[1])))
    gateway.traffic.witness(gateway.scheme.typical, [(0,)], np.ones((1, 2), np.bool_))
    monkeypatch.setattr(module, "today", lambda: date(2100, 1, 1))
    run(gateway._look_around())
    assert gateway.scheme.rates[0].input[0].usd_per_million == Decimal(7)
    assert gateway.traffic.rows(1) is not None


# Workers that died


@pytest.mark.parametrize(("rule", "spent"), [("charge", 40), ("release", 0)])
def test_the_dead_leave_no_holds(settings: Settings, make: Making, rule: Any, spent: int) -> None:
    """Holds of a worker that is no more are charged or released, as configured; those of the living are left alone."""
    gateway = make(replace(settings, failure=FailureSettings(crashed_holds=rule)))
    other = make(settings, number=1)
    now = time.time_ns()
    options = (Option("p/good", (Line("all", 40),)),)
    asks = [Ask("dead", options, now + HOUR_NS, "1-00"), Ask("mine", options, now + HOUR_NS, gateway.owner.name)]
    gateway.till.hold([*asks, Ask("others", options, now + HOUR_NS, other.owner.name)])
    gateway._end_orphans()
    assert {hold.id for hold in gateway.till.book.open_holds()} == {"mine", "others"}
    assert balances(gateway)["all"] == (100 * USD, 80, spent)
    assert gateway.audit().ok


def test_holds_do_not_live_for_ever(settings: Settings, make: Making) -> None:
    """What nobody ended in its time is ended at the next look, a living worker's too."""
    gateway = make(settings)
    option = (Option("p/good", (Line("all", 40),)),)
    gateway.till.hold([Ask("old", option, time.time_ns() - 1, gateway.owner.name)])
    run(gateway._look_around())
    assert balances(gateway)["all"] == (100 * USD, 0, 40)


def test_a_start_ends_what_a_crash_left(settings: Settings, make: Making) -> None:
    """The first worker after a crash finds the holds of the one before it."""
    first = make(settings)
    option = (Option("p/good", (Line("all", 40),)),)
    first.till.hold([Ask("left", option, time.time_ns() + HOUR_NS, "9-dead")])
    second = make(settings)

    async def life() -> None:
        await second.start()
        assert second.till.book.open_holds() == []
        await second.stop()

    run(life())
    assert balances(first)["all"] == (100 * USD, 0, 40)


# Prices


def test_prices_are_solved_when_they_are_due(settings: Settings, make: Making) -> None:
    """After the configured time, and not before; scarce money gets a price, and the scheme is swapped for it."""
    scarce = FundRule("all", USD // 100, window=WindowRule("calendar", every="day"))
    gateway = make(replace(settings, funds=(scarce,), routing=replace(settings.routing, expect_per_day=10_000.0)))
    before = gateway.scheme
    run(gateway._solve())
    assert gateway.scheme is before
    gateway._priced_at -= 3_600
    run(gateway._solve())
    assert prices_of(gateway.scheme)["all"] > 0
    assert gateway.scheme.settings is before.settings


def test_a_swap_while_prices_are_solved_wins(settings: Settings, make: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices of funds that are no more in force are thrown away."""
    gateway = make(settings, File(replace(settings, funds=(FundRule("other", 5), ALL))))

    def slow(*_: Any) -> Any:
        gateway.reload()
        return np.array([9.0])

    monkeypatch.setattr(module, "solved", slow)
    gateway._priced_at -= 3_600
    run(gateway._solve())
    assert prices_of(gateway.scheme) == {"other": 0.0, "all": 0.0}


def test_a_failing_step_stops_no_clockwork(settings: Settings, make: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick whose first step fails still takes the others, and the next tick comes."""
    monkeypatch.setattr(module, "TICK_S", 0.001)
    gateway = make(settings)
    steps: list[str] = []

    async def look() -> None:
        steps.append("look")
        raise OSError("the disk is full" if len(steps) > 3 else "")

    async def solve() -> None:
        steps.append("solve")
        raise InputError("not now")

    async def learn() -> None:
        steps.append("learn")

    monkeypatch.setattr(gateway, "_look_around", look)
    monkeypatch.setattr(gateway, "_solve", solve)
    monkeypatch.setattr(gateway, "_learn", learn)

    async def life() -> None:
        task = asyncio.ensure_future(gateway._tick_forever())
        while len(steps) < 9:
            await asyncio.sleep(0.002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(life())
    assert steps[:6] == ["look", "solve", "learn"] * 2


# What is learned


def keep_outcomes(settings: Settings, rows: int = 40) -> None:
    OutcomeLog(settings.state / "outcomes").append(
        OutcomeRow(f"q{i}", f"question {i}", "live", name, score=float(i % 2), cost_usd=0.01, output_tokens=9.0)
        for i in range(rows)
        for name in ("p/good", "p/cheap")
    )


def test_a_fit_is_taken_over(settings: Settings, make: Making) -> None:
    """A file that another worker left is in force after the next look, and is not loaded twice."""
    gateway = make(settings)
    assert gateway.scheme.origin.startswith("declared")
    keep_outcomes(settings)
    fingerprint = fingerprint_of(settings)
    assert fingerprint is not None
    assert fit_learned(settings, fingerprint) is not None
    run(gateway._learn())
    assert gateway.scheme.origin == "recorded outcomes of all 2 models"
    assert len(gateway.scheme.typical) == 40
    scheme = gateway.scheme
    run(gateway._learn())
    assert gateway.scheme is scheme
    (settings.state / "learned" / "bad.fit").write_bytes(b"garbage")
    run(gateway._learn())
    assert gateway.scheme is scheme
    assert make(settings).scheme.origin == "recorded outcomes of all 2 models"


@dataclass
class Child:
    """A fit in another process, as far as a worker looks at it."""

    alive: bool = True
    exitcode: int | None = None

    def is_alive(self) -> bool:
        return self.alive

    def terminate(self) -> None:
        self.alive = False


def test_one_worker_fits_when_outcomes_came(settings: Settings, make: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first worker begins one fit when it is due and something is new; one that fails leaves the old in force."""
    begun: list[Child] = []

    def begin(*_: Any) -> Child:
        begun.append(Child())
        return begun[-1]

    monkeypatch.setattr(fits, "start_fit", begin)
    first, second = make(settings), make(settings, number=1)

    def due() -> None:
        for worker in (first, second):
            worker.fits._fitted_at -= 10_000
            run(worker._learn())

    due()
    assert begun == []
    keep_outcomes(settings)
    due()
    due()
    assert len(begun) == 1
    before = first.scheme
    begun[0].alive, begun[0].exitcode = False, 1
    run(first._learn())
    assert first.scheme is before
    due()
    assert len(begun) == 2


def test_prompts_and_feedback_make_outcomes(settings: Settings, make: Making) -> None:
    """With `store_prompts` an answer is an outcome without a score; feedback completes it, whichever worker hears."""
    storing = replace(settings, learning=LearningSettings(store_prompts=True))
    gateway, other = make(storing), make(storing, number=1)
    query = chat(content="How far is the moon?")
    gateway.observe(served(query), query)
    run(asyncio.to_thread(gateway.recorder.store))
    found = read(settings.state / "outcomes")
    assert (found.texts, found.models) == (["How far is the moon?"], ("p/good",))
    assert (found.cost_usd[0, 0], found.output_tokens[0, 0], found.input_tokens[0]) == (0.001, 34, 12)
    assert np.isnan(found.score).all()
    assert gateway.journal.flush()
    assert other.score("dec_1", 0.75)
    other.recorder.store()
    scored = read(settings.state / "outcomes")
    assert scored.score[0, 0] == 0.75
    assert scored.cost_usd[0, 0] == 0.001
    assert not gateway.score("dec_unknown", 1.0)


def test_feedback_at_once_is_one_row(settings: Settings, make: Making) -> None:
    """A score that comes before the outcome was written is written with it."""
    gateway = make(replace(settings, learning=LearningSettings(store_prompts=True)))
    query = chat()
    gateway.observe(served(query), query)
    assert gateway.score("dec_1", 1.0)
    gateway.recorder.store()
    found = read(settings.state / "outcomes")
    assert found.score.tolist() == [[1.0]]
    gateway.recorder.store()
    assert len(list((settings.state / "outcomes").iterdir())) == 1


def test_prompts_are_kept_only_where_that_is_asked_for(settings: Settings, make: Making) -> None:
    """Without `store_prompts` no prompt reaches the disk, though its tokens are learned from and it can be scored."""
    gateway = make(settings)
    query = chat(content="my secret question")
    gateway.observe(served(query), query)
    assert gateway.score("dec_1", 1.0)
    run(gateway.stop())
    assert not (settings.state / "outcomes").exists()
    assert all(b"secret question" not in path.read_bytes() for path in settings.state.rglob("*") if path.is_file())


@pytest.mark.parametrize("outcome", ["client_gone", "upstream_failed", "refused"])
def test_only_what_was_served_is_learned_from(settings: Settings, make: Making, outcome: Outcome) -> None:
    """A broken answer is no outcome and no place for a conversation to stay."""
    gateway = make(replace(settings, learning=LearningSettings(store_prompts=True)))
    query = chat(messages=[{"role": "user", "content": "Hi"}], pointsman={"session": "s"})
    gateway.observe(served(query, outcome=outcome), query)
    gateway.recorder.store()
    assert not (settings.state / "outcomes").exists()
    assert gateway._recall("k", query) is None


def test_a_full_disk_hurts_nobody(settings: Settings, make: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outcomes that can't be written are let go with a warning, and so is an exchange that can't be recorded."""
    gateway = make(replace(settings, learning=LearningSettings(store_prompts=True)))
    (settings.state / "outcomes").write_text("a file is in the way")
    query = chat()
    gateway.observe(served(query), query)
    gateway.recorder.store()
    assert not gateway.recorder._rows

    def fail(_: Any) -> bool:
        raise RuntimeError

    monkeypatch.setattr(gateway.journal, "add", fail)
    gateway.observe(served(query), query)


TURNS = [{"role": "user", "content": "Hi"}]
MORE = [*TURNS, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Why?"}]


def test_a_conversation_is_found_again(settings: Settings, make: Making) -> None:
    """Its next turn is recalled by its beginning, a session by its name; neither for another key, nor as each other."""
    gateway = make(settings)
    first, second = chat(messages=TURNS), chat(messages=MORE)
    assert gateway._recall("k", second) is None
    gateway.observe(served(first), first)
    assert gateway._recall("k", second) == ("p/good", 12)
    assert gateway._recall("other", second) is None
    session = chat(messages=TURNS, pointsman={"session": "s"})
    assert gateway._recall("k", session) is None
    gateway.observe(served(session), session)
    assert gateway._recall("k", chat(content="anything", pointsman={"session": "s"})) == ("p/good", 12)
    assert gateway._recall("k", chat(content="anything", pointsman={"session": "t"})) is None


def test_keys_limit_who_asks(settings: Settings, make: Making) -> None:
    """A key's fund is drawn on by its own queries alone, in one ledger with everybody's."""
    gateway = make(settings)
    secret, _ = gateway.keys.create(time.time_ns(), id="a", requests_per_minute=1)
    gateway.rebuild()

    async def ask() -> list[Any]:
        mine = gateway.principal_of(secret)
        asked = [gateway.switchboard.decide(chat(), who) for who in (mine, Principal("b"), ADMIN)]
        return await asyncio.gather(*asked)

    plans = run(ask())
    assert [[line.fund for line in plan.first_held.lines] for plan in plans] == [["all", "key:a:rpm"], ["all"], ["all"]]
