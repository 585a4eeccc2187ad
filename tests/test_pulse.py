"""The pulse: steps that add up, over time and over workers, in memory and in the file."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_finished import finished, refused
from pointsman.errors import InputError
from pointsman.ledger.entries import Balance
from pointsman.pool.settings import DashboardSettings
from pointsman.records import Candidate
from pointsman.serve.beating import MOST_FUNDS, Beating, stood
from pointsman.serve.finished import Finished
from pointsman.serve.pulse import MOST_WAITING, STEP_S, Pulse, Step, merged, overhead_class, quantile_ms
from pointsman.serve.pulse_file import FILE, KEPT_S, MINUTE_S, PulseFile, funds_since, packed, read_history, unpacked

BEGIN = 1_800_000_000
FUNDS = {"pool": (70, 10, 20, 0.5), "calls": (9, 0, 1, None)}


def candidate(model: str, quality: float) -> Candidate:
    return Candidate(model, quality=quality, spread=0.1, cost_usd=0.001, tokens=80.0, charge=0.0, score=quality)


def served(model: str = "p/m", quality: float = 0.5, **changes: Any) -> Finished:
    return finished(model=model, candidates=(candidate("p/other", 0.9), candidate(model, quality)), **changes)


# In memory


def test_a_step_by_hand() -> None:
    """Everything that ended is counted once, by its outcome; the mean estimate is of the models that served."""
    pulse = Pulse()
    pulse.note([served(quality=0.5, cost_nano=100), served("p/n", 0.7, cost_nano=50), refused()], BEGIN + 0.5)
    pulse.note([served(outcome="client_gone", cost_nano=7), served(outcome="upstream_failed")], BEGIN + 1.9)
    pulse.score(0.25, BEGIN + 1.0)
    pulse.score(0.75, BEGIN + 1.0)
    point = pulse.take(BEGIN + STEP_S)[BEGIN].point(BEGIN)
    overhead = {name: point.pop(name) for name in ("overhead_p50_ms", "overhead_p99_ms")}
    assert point == {
        "t": BEGIN,
        "queries": 5,
        "served": 2,
        "refused": 1,
        "failed": 2,
        "cost_nano": 157 + 34_500,
        "quality": pytest.approx(0.6),
        "feedback": 0.5,
        "feedbacks": 2,
        "by_model": {"p/m": 1, "p/n": 1},
    }
    assert overhead == {
        "overhead_p50_ms": pytest.approx(0.6, rel=0.05),
        "overhead_p99_ms": pytest.approx(0.6, rel=0.05),
    }


def test_nothing_is_none() -> None:
    """Where nothing happened, means and quantiles are missing, not zero."""
    point = Step().point(BEGIN)
    assert [point[name] for name in ("quality", "feedback", "overhead_p50_ms", "overhead_p99_ms")] == [None] * 4


def test_an_estimate_that_is_missing() -> None:
    """A model that answered in place of those that were decided on has no estimate, and counts in no mean."""
    step = Step()
    step.add(finished(candidates=()))
    step.add(served(quality=math.nan))
    assert (step.served, step.qualities, step.point(0)["quality"]) == (2, 0, None)


def test_steps_are_handed_on_once() -> None:
    """The step that is still going on waits, what was handed on is gone, and a clock put back opens nothing again."""
    pulse = Pulse()
    pulse.note([served()], BEGIN + 1.0)
    pulse.note([served()], BEGIN + 2.0)
    assert list(pulse.take(BEGIN + 2.5)) == [BEGIN]
    pulse.note([served()], BEGIN + 1.0)
    taken = pulse.take(BEGIN + 4.0)
    assert {t: step.queries for t, step in taken.items()} == {BEGIN + 2: 2}
    assert pulse.take(BEGIN + 4.0) == {}


def test_what_could_not_be_written_waits() -> None:
    """Steps that are given back are handed on again, the latest of them if there are too many."""
    pulse = Pulse()
    pulse.give_back({BEGIN + STEP_S * i: Step(queries=i) for i in range(MOST_WAITING + 5)})
    found = pulse.take(BEGIN + 10_000)
    assert [step.queries for step in found.values()] == list(range(5, MOST_WAITING + 5))


@given(st.lists(st.floats(0.001, 60_000), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_quantiles_against_numpy(overheads_ms: list[float], share: float) -> None:
    """Within 5 % of the exact quantile, from counts by class alone."""
    classes: dict[int, int] = {}
    for ms in overheads_ms:
        classes[overhead_class(ms)] = classes.get(overhead_class(ms), 0) + 1
    exact = float(np.quantile(overheads_ms, share, method="inverted_cdf"))
    assert quantile_ms(classes, share) == pytest.approx(exact, rel=0.05)


steps = st.builds(
    Step,
    queries=st.integers(0, 10**6),
    served=st.integers(0, 10**6),
    cost_nano=st.integers(0, 10**15),
    quality_sum=st.integers(0, 1000).map(float),
    qualities=st.integers(0, 1000),
    feedbacks=st.integers(0, 1000),
    overhead=st.dictionaries(st.integers(0, 250), st.integers(1, 1000), max_size=5),
    by_model=st.dictionaries(st.sampled_from(["p/a", "p/b", 'odd "name"']), st.integers(1, 1000)),
)


@given(st.lists(steps, max_size=6))
def test_steps_add_up_in_any_order(parts: list[Step]) -> None:
    """Several steps are what their counts add up to, whichever way they are put together, and through the file."""
    whole, again = Step(), Step()
    for part in parts:
        whole.absorb(part)
    for part in reversed(parts):
        again.absorb(unpacked(packed(part)))
    assert whole == again
    assert whole.queries == sum(part.queries for part in parts)
    assert sum(whole.by_model.values()) == sum(sum(part.by_model.values()) for part in parts)


@given(st.dictionaries(st.integers(0, 500).map(lambda i: BEGIN + STEP_S * i), steps, max_size=10))
def test_longer_steps_hold_all_of_the_shorter(parts: dict[int, Step]) -> None:
    """Merging moves nothing out of its stretch and loses nothing."""
    longer = merged(parts.items(), 60)
    assert all(t % 60 == 0 for t in longer)
    assert list(longer) == sorted(longer)
    for t, step in longer.items():
        assert step.queries == sum(part.queries for at, part in parts.items() if t <= at < t + 60)


# In the file


def test_two_workers_by_hand(tmp_path: Path) -> None:
    """What two workers wrote reads as one, with the steps between in which nothing happened."""
    path = tmp_path / FILE
    with closing(PulseFile(path, "one")) as one, closing(PulseFile(path, "two")) as two:
        one.write({BEGIN: Step(queries=1), BEGIN + 6: Step(queries=2)}, {BEGIN: FUNDS})
        two.write({BEGIN: Step(queries=10, by_model={"p/m": 10})}, {})
    found = read_history(path, BEGIN - 100, BEGIN + 10, STEP_S)
    assert {t - BEGIN: step.queries for t, step in found.steps.items()} == {0: 11, 2: 0, 4: 0, 6: 2, 8: 0}
    assert found.steps[BEGIN].by_model == {"p/m": 10}
    assert found.funds == {BEGIN: FUNDS}
    longer = read_history(path, BEGIN + 1, BEGIN + 10, 10)
    assert {t - BEGIN: step.queries for t, step in longer.steps.items()} == {0: 13}


def test_minutes_by_hand(tmp_path: Path) -> None:
    """A minute is added up when it is surely over; what is asked in minutes has the latest steps too."""
    path, begin = tmp_path / FILE, BEGIN // 60 * 60
    with closing(PulseFile(path, "one")) as file:
        file.write(
            {begin + 2 * i: Step(queries=1) for i in range(45)},
            {begin + 2: FUNDS, begin + 58: {"pool": (1, 2, 3, 0.0)}},
        )
        assert file.roll_up(begin + 65) == 0
        assert file.roll_up(begin + 70) == 1
        assert file.roll_up(begin + 71) == 0
        found = read_history(path, begin, begin + 120, MINUTE_S)
        assert {t - begin: step.queries for t, step in found.steps.items()} == {0: 30, 60: 15}
        assert found.funds == {begin: {"pool": (1, 2, 3, 0.0)}}
        # Steps go after two hours, minutes after two weeks; the sums stay as they were meanwhile.
        file.write({begin + KEPT_S[STEP_S] + 60: Step()}, {})
        file.roll_up(begin + KEPT_S[STEP_S] + 200)
        assert read_history(path, begin, begin + 120, STEP_S).steps == {}
        assert read_history(path, begin, begin + 60, MINUTE_S).steps[begin].queries == 30
        file.write({begin + KEPT_S[MINUTE_S] + 60: Step()}, {})
        file.roll_up(begin + KEPT_S[MINUTE_S] + 200)
        assert read_history(path, begin, begin + 60, MINUTE_S).steps == {}


def test_a_gateway_that_was_away(tmp_path: Path) -> None:
    """After a long pause the minutes go on from where there is something to add up."""
    path, begin = tmp_path / FILE, BEGIN // 60 * 60
    with closing(PulseFile(path, "one")) as file:
        file.write({begin: Step(queries=1)}, {})
        file.roll_up(begin + 70)
        later = begin + 10 * 86_400
        file.write({later: Step(queries=2)}, {})
        assert file.roll_up(later + 70) <= 1
        for at in range(3):
            file.roll_up(later + 70 + at)
        found = read_history(path, begin, later + 60, 86_400)
    assert sum(step.queries for step in found.steps.values()) == 3


def test_where_funds_stood_by_hand(tmp_path: Path) -> None:
    """The first row from a moment on, and the moment that it is of: fine ones for two hours back, minutes before."""
    path, begin = tmp_path / FILE, BEGIN // 60 * 60
    assert funds_since(path, [begin], begin) == {}
    with closing(PulseFile(path, "one")) as file:
        file.write({begin: Step()}, {begin + 2 * i: {"pool": (0, 0, i, None)} for i in range(60)})
        file.roll_up(begin + 130)
    now = begin + 130
    assert funds_since(path, [begin + 10.5, now], now) == {begin + 10.5: (begin + 12, {"pool": (0, 0, 5, None)})}
    later = begin + 3 * 3_600
    assert funds_since(path, [begin - 5.0], later) == {begin - 5.0: (begin + 60, {"pool": (0, 0, 29, None)})}


def test_no_file_no_history(tmp_path: Path) -> None:
    """Where nothing was ever written there is nothing to read, and no file is made by reading."""
    assert read_history(tmp_path / FILE, 0, BEGIN, STEP_S).steps == {}
    assert not (tmp_path / FILE).exists()


def test_another_file_is_refused(tmp_path: Path) -> None:
    """A file that isn't the charts' is left alone, with a word of what to do."""
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other)) as db:
        db.execute("create table t (a)")
    (tmp_path / "text").write_text("no database" * 100)
    for path in (other, tmp_path / "text", tmp_path / "none" / FILE):
        with pytest.raises(InputError, match="charts"):
            PulseFile(path, "one")


# One worker's


def balance(name: str, remaining: int = 70) -> Balance:
    return Balance(name, "usd", 100, 10, 20, remaining, 0, None)


def test_the_first_worker_writes_the_funds(tmp_path: Path) -> None:
    """Each worker writes its own steps, once a step; where the funds stood is written once."""
    first, second = Beating(tmp_path, "one", 0), Beating(tmp_path, "two", 1)
    settings, funds = DashboardSettings(), {"pool": balance("pool")}
    for worker in (first, second):
        worker.pulse.note([served()], BEGIN + 1.0)
        assert worker.due(BEGIN + 2.1)
        asyncio.run(worker.keep(BEGIN + 2.1, funds, {"pool": 0.5}, settings))
        assert not worker.due(BEGIN + 3.9)
    found = read_history(tmp_path / FILE, BEGIN, BEGIN + 2, STEP_S)
    assert found.steps[BEGIN].queries == 2
    assert found.funds == {BEGIN: {"pool": (70, 10, 20, 0.5)}}
    first.pulse.note([served()], BEGIN + 3.0)
    first.close(BEGIN + 3.0)
    second.close(BEGIN + 3.0)
    assert read_history(tmp_path / FILE, BEGIN, BEGIN + 4, STEP_S).steps[BEGIN + 2].queries == 1


def test_a_file_that_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be written is kept for the next time, and no query hears of it."""
    worker = Beating(tmp_path, "one", 0)
    worker.pulse.note([served()], BEGIN + 1.0)

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database is locked")

    with monkeypatch.context() as locked:
        locked.setattr(PulseFile, "write", fail)
        asyncio.run(worker.keep(BEGIN + 2.0, {}, {}, DashboardSettings()))
    asyncio.run(worker.keep(BEGIN + 4.0, {}, {}, DashboardSettings()))
    assert read_history(tmp_path / FILE, BEGIN, BEGIN + 4, STEP_S).steps[BEGIN].queries == 1
    worker.close(BEGIN + 4.0)


def test_a_file_that_cannot_be_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without its file the pulse goes on and is forgotten; the log says what to do."""
    (tmp_path / FILE).write_text("no database" * 100)
    worker = Beating(tmp_path, "one", 0)
    worker.pulse.note([served()], BEGIN + 1.0)
    asyncio.run(worker.keep(BEGIN + 2.0, {"pool": balance("pool")}, {}, DashboardSettings()))
    worker.close(BEGIN + 4.0)
    assert "remove it" in caplog.text


def test_no_dashboard_no_charts(tmp_path: Path) -> None:
    """With the dashboard switched off nothing is written, and nothing piles up."""
    worker = Beating(tmp_path, "one", 0)
    worker.pulse.note([served()], BEGIN + 1.0)
    asyncio.run(worker.keep(BEGIN + 2.0, {"pool": balance("pool")}, {}, DashboardSettings(enabled=False)))
    assert read_history(tmp_path / FILE, BEGIN, BEGIN + 4, STEP_S).steps == {}
    assert worker.pulse.take(BEGIN + 10.0) == {}
    worker.close(BEGIN + 4.0)


def test_funds_without_number() -> None:
    """Of very many funds the first ones' course is kept: the file's, which come before those of keys."""
    many = {f"fund-{i}": balance(f"fund-{i}") for i in range(MOST_FUNDS + 10)}
    assert list(stood(many, {})) == list(many)[:MOST_FUNDS]
