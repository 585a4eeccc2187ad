"""The journal: what is kept of exchanges, and that keeping it never hurts a query."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from made_finished import SERVED, finished, refused
from pointsman.errors import InputError
from pointsman.pool.cards import Usage
from pointsman.records import Candidate
from pointsman.serve.finished import Finished
from pointsman.serve.journal import Journal
from pointsman.serve.journal_file import (
    BEGINNINGS,
    CONVERSATION_NS,
    RECALL,
    Batch,
    ModelTally,
    open_journal,
    sweep,
    write,
)
from pointsman.serve.wire.errors import Refusal

DAY_S = 86_400.0
MODEL = "openai/gpt-4o-mini"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_ns = SERVED.at_ns

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "decisions.sqlite"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(path: Path, clock: Clock) -> Iterator[Callable[..., Journal]]:
    """Journals on one file, closed after the test; nothing is written before a `flush`, unless `every_s` is given."""
    made: list[Journal] = []

    def one(**arguments: Any) -> Journal:
        settled: dict[str, Any] = {"every_s": 30.0, "now_ns": clock} | arguments
        made.append(Journal(path, DAY_S, **settled))
        return made[-1]

    yield one
    for journal in made:
        journal.close(1.0)


def count(path: Path, table: str = "exchanges") -> int:
    db = sqlite3.connect(path)
    try:
        return int(db.execute(f"select count(*) from {table}").fetchone()[0])
    finally:
        db.close()


def test_a_decision_is_found_before_and_after_it_is_written(make: Callable[..., Journal], path: Path) -> None:
    """The same values, waiting and written, here and in another worker; None for an id that never was."""
    journal, other = make(), make()
    candidate = Candidate(MODEL, 0.8, 0.05, 3e-5, 80.0, 0.1, float("-inf"))
    journal.add(finished(candidates=(candidate,)))
    waiting = journal.get("d-1")
    assert count(path) == 0
    assert other.get("d-1") is None
    assert journal.flush()
    assert count(path) == 1
    assert journal.get("d-1") == other.get("d-1") == waiting
    assert waiting is not None
    assert waiting["model"] == MODEL
    assert waiting["hops"][0]["fault"] == "overloaded"
    assert waiting["usage"]["cached_tokens"] == 10
    assert waiting["candidates"][0]["quality"] == 0.8
    assert waiting["candidates"][0]["score"] is None  # minus infinity is no JSON
    assert waiting["score"] is None
    assert journal.get("never") is None


def test_rows_are_written_without_being_asked(make: Callable[..., Journal], path: Path) -> None:
    """A row is in the file a moment later, by the thread alone."""
    journal = make(every_s=0.01)
    journal.add(SERVED)
    deadline = time.monotonic() + 10
    while journal.health().waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    assert count(path) == 1


def test_feedback_completes_a_decision(make: Callable[..., Journal]) -> None:
    """A score is shown with its decision, waiting or written; the last word counts; an unknown id is said to be so."""
    journal, other = make(), make()
    assert not journal.feedback("d-1", 0.5)
    journal.add(SERVED)
    assert journal.feedback("d-1", 0.5)
    shown = journal.get("d-1")
    assert shown is not None
    assert shown["score"] == 0.5
    journal.flush()
    assert other.feedback("d-1", 1.0)
    other.flush()
    for each in (journal, other):
        again = each.get("d-1")
        assert again is not None
        assert again["score"] == 1.0
    assert journal.tallies()[MODEL].scored == 1
    assert journal.tallies()[MODEL].score_sum == pytest.approx(1.0)


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_score_outside_its_range_is_refused(make: Callable[..., Journal], score: float) -> None:
    """A score is a number from 0 to 1; anything else is the client's error and names the field."""
    journal = make()
    journal.add(SERVED)
    with pytest.raises(Refusal) as raised:
        journal.feedback("d-1", score)
    assert (raised.value.status, raised.value.param) == (400, "score")


def test_tallies_by_hand(make: Callable[..., Journal]) -> None:
    """Two whole answers, one cut short, one counted by the gateway, one refused: only what says something is summed."""
    journal = make()
    journal.add(SERVED)  # 30 tokens for 120 characters, 50 out
    journal.add(finished(decision_id="d-3", usage=Usage(10, 5, estimated=True), input_chars=44))
    journal.add(finished(decision_id="d-4", outcome="client_gone", usage=Usage(10, 1)))
    journal.add(refused())
    journal.add(SERVED)  # the same again is the same
    journal.feedback("d-4", 0.25)
    journal.feedback("d-2", 1.0)  # of no model
    journal.flush()
    assert journal.tallies() == {MODEL: ModelTally(MODEL, 2, 55, 1, 0.25, 30, 120)}


exchanges = st.lists(
    st.tuples(
        st.integers(0, 8),
        st.sampled_from(["a/x", "a/y", None]),
        st.sampled_from(["served", "client_gone", "upstream_failed"]),
        st.none() | st.builds(Usage, st.integers(0, 99), st.integers(0, 99), estimated=st.booleans()),
        st.integers(0, 99),
        st.none() | st.floats(0, 1),
        st.integers(0, 1),
    ),
    max_size=20,
)


@given(steps=exchanges)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tallies_are_the_fold_over_all_exchanges(tmp_path_factory: pytest.TempPathFactory, steps: list[Any]) -> None:
    """Whatever two workers write in turns, the sums are those over the first record and the last score of each id."""
    path = tmp_path_factory.mktemp("journal") / "decisions.sqlite"
    workers = [open_journal(path), open_journal(path)]
    first: dict[str, Finished] = {}
    scores: dict[str, float] = {}
    for number, model, outcome, usage, chars, score, worker in steps:
        id = f"d-{number}"
        one = finished(decision_id=id, model=model, outcome=outcome, usage=usage, input_chars=chars)
        first.setdefault(id, one)
        given_scores = {} if score is None else {id: score}
        scores |= given_scores
        write(workers[worker], Batch({id: one}, given_scores))
    expected: dict[str, list[float]] = {}
    for id, one in first.items():
        if one.model is None:
            continue
        sums = [0.0] * 6
        if one.usage is not None and one.outcome == "served":
            sums[:2] = [1, one.usage.output_tokens]
            if one.input_chars and not one.usage.estimated:
                sums[4:] = [one.usage.input_tokens, one.input_chars]
        if id in scores:
            sums[2:4] = [1, scores[id]]
        so_far = expected.setdefault(one.model, [0.0] * 6)
        expected[one.model] = [a + b for a, b in zip(so_far, sums, strict=True)]
    rows = {row[0]: list(row[1:]) for row in workers[0].execute("select * from tallies")}
    for db in workers:
        db.close()
    assert {model: sums for model, sums in rows.items() if any(sums)} == {
        model: pytest.approx(sums, abs=1e-9) for model, sums in expected.items() if any(sums)
    }


def test_a_conversation_is_recalled_by_its_longest_beginning(make: Callable[..., Journal]) -> None:
    """The longest known one wins, be it this worker's or another's; an unknown conversation gives None."""
    journal, other = make(), make()
    journal.remember(b"turn-1", "a/x", 10)
    assert journal.recall([b"turn-2", b"turn-1"]) == ("a/x", 10)
    other.remember(b"turn-2", "a/y", 20)
    other.flush()
    assert journal.recall([b"turn-3", b"turn-2", b"turn-1"]) == ("a/y", 20)
    assert journal.recall([]) is None
    assert journal.recall([b"other"]) is None
    assert other.recall([b"turn-1"]) is None  # not written yet
    journal.flush()
    assert other.recall([b"turn-1"]) == ("a/x", 10)


def test_a_conversation_is_forgotten_after_an_hour(make: Callable[..., Journal], clock: Clock) -> None:
    """In memory and in the file alike: by then no upstream has its prompt in a cache."""
    journal, other = make(), make()
    journal.remember(b"turn-1", "a/x", 10)
    journal.flush()
    clock.now_ns += CONVERSATION_NS - 1
    assert journal.recall([b"turn-1"]) == other.recall([b"turn-1"]) == ("a/x", 10)
    clock.now_ns += 1
    assert journal.recall([b"turn-1"]) is None
    assert other.recall([b"turn-1"]) is None


def test_the_latest_place_of_a_conversation_counts(make: Callable[..., Journal]) -> None:
    """A conversation that has moved is recalled where it moved to."""
    journal, other = make(), make()
    for model in ("a/x", "a/y"):
        journal.remember(b"turn-1", model, 10)
        journal.flush()
    assert journal.recall([b"turn-1"]) == other.recall([b"turn-1"]) == ("a/y", 10)


def test_what_is_old_is_swept_but_still_summed(path: Path) -> None:
    """After `keep_s` decisions and conversations are gone, in pieces; the sums that were learned stay."""
    db = open_journal(path)
    many = {f"d-{n}": finished(decision_id=f"d-{n}", at_ns=n) for n in range(4_500)}
    write(db, Batch(many, {}, {b"a": ("a/x", 1, 0), b"b": ("a/x", 1, CONVERSATION_NS)}))
    sweep(db, now_ns=CONVERSATION_NS + 1, keep_ns=CONVERSATION_NS + 1 - 4_490)
    assert db.execute("select count(*), min(at_ns) from exchanges").fetchone() == (10, 4_490)
    assert db.execute("select digest from conversations").fetchall() == [(b"b",)]
    assert db.execute("select answered from tallies").fetchone() == (4_500,)
    db.close()


def test_a_locked_file_hurts_nobody(make: Callable[..., Journal], path: Path) -> None:
    """While another process holds the file, rows wait, reads still work, failures are counted; then all is written."""
    journal = make(every_s=0.005)
    journal.add(SERVED)
    journal.flush()
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("begin immediate")
    journal.add(finished(decision_id="d-3"))
    assert not journal.flush(0.6)
    assert journal.health().failures > 0
    assert "locked" in journal.health().problem
    assert journal.get("d-1") is not None
    assert journal.get("d-3") is not None
    lock.execute("rollback")
    lock.close()
    assert journal.flush(10)
    assert count(path) == 2
    assert journal.health().problem == ""
    assert journal.health().dropped == 0


def test_a_full_disk_hurts_nobody(make: Callable[..., Journal], path: Path) -> None:
    """A write that finds no room is taken back whole and done again when there is some."""
    journal = make(every_s=0.005)
    (pages,) = journal._writer.execute("pragma page_count").fetchone()
    journal._writer.execute(f"pragma max_page_count = {pages}")
    for n in range(200):
        journal.add(finished(decision_id=f"d-{n}"))
    assert not journal.flush(0.2)
    assert "full" in journal.health().problem
    assert count(path) == 0
    journal._writer.execute("pragma max_page_count = 1000000")
    assert journal.flush(10)
    assert count(path) == 200
    assert journal.tallies()[MODEL].answered == 200


def test_the_queue_is_bounded(make: Callable[..., Journal], path: Path) -> None:
    """What doesn't fit is dropped and counted, feedback is refused with 503, and no more than the limit ever waits."""
    journal = make(limit=3)
    kept = [journal.add(finished(decision_id=f"d-{n}")) for n in range(5)]
    assert kept == [True, True, True, False, False]
    with pytest.raises(Refusal) as raised:
        journal.feedback("d-0", 1.0)
    assert raised.value.status == 503
    journal.remember(b"turn-1", "a/x", 1)
    assert journal.health().dropped == 4
    assert journal.health().waiting == 3
    assert journal.recall([b"turn-1"]) == ("a/x", 1)
    journal.flush()
    assert count(path) == 3
    assert journal.add(finished(decision_id="d-9"))


def test_a_row_that_cannot_be_kept_spares_the_others(make: Callable[..., Journal], path: Path) -> None:
    """Half a surrogate pair or a number too large for any column costs its own row and no other."""
    journal = make()
    journal.add(finished(decision_id="d-1", asked="\ud800"))
    journal.add(finished(decision_id="d-2", cost_nano=2**70))
    journal.add(finished(decision_id="d-3", cost_nano=2**63))
    journal.add(finished(decision_id="d-4"))
    assert journal.flush()
    assert count(path) == 1
    assert journal.health().dropped == 3


def test_nothing_is_lost_when_it_is_closed(path: Path, clock: Clock) -> None:
    """Rows that wait are written before the thread ends, and the next run goes on from them."""
    journal = Journal(path, DAY_S, every_s=30.0, now_ns=clock)
    for n in range(100):
        journal.add(finished(decision_id=f"d-{n}"))
    assert journal.close()
    again = Journal(path, DAY_S, now_ns=clock)
    assert count(path) == 100
    assert again.tallies()[MODEL].answered == 100
    assert again.close()


def test_what_is_lost_when_it_is_closed_is_counted(path: Path) -> None:
    """If the file can't be written to the end, closing doesn't hang and says so."""
    journal = Journal(path, DAY_S, every_s=0.005)
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("begin immediate")
    journal.add(SERVED)
    assert not journal.close(0.1)
    assert journal.health().dropped == 1
    lock.close()


def test_a_killed_process_leaves_a_whole_file(path: Path) -> None:
    """After kill -9 in the middle of writing, the file is intact and its sums are those of its rows."""
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from pathlib import Path\n"
        "from made_finished import finished\n"
        "from pointsman.serve.journal import Journal\n"
        f"journal = Journal(Path({str(path)!r}), 1e10, every_s=0.001)\n"
        "for n in range(10**9):\n"
        "    journal.add(finished(decision_id=f'd-{n}'))\n"
        "    if n == 500: print('on', flush=True)\n"
    )
    root = Path(__file__).parent.parent
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"on\n"
        time.sleep(0.05)
        process.kill()
    db = open_journal(path)
    assert db.execute("pragma integrity_check").fetchone() == ("ok",)
    rows = db.execute("select count(*) from exchanges").fetchone()[0]
    assert db.execute("select coalesce(sum(answered), 0) from tallies").fetchone()[0] == rows
    db.close()


def test_no_prompt_is_kept(path: Path) -> None:
    """The file has no column, and `Finished` no field, in which a prompt or an answer could lie."""
    words = {"prompt", "text", "messages", "content", "answer"}
    assert not words & set(Finished.__slots__)
    db = open_journal(path)
    for table in ("exchanges", "tallies", "conversations"):
        assert not words & {row[1] for row in db.execute(f"pragma table_info({table})")}
    db.close()


def test_another_file_is_not_taken_for_a_journal(tmp_path: Path) -> None:
    """Garbage, another SQLite file and another version are refused with a remedy, and left as they are."""
    garbage, other, newer = tmp_path / "garbage", tmp_path / "other", tmp_path / "newer"
    garbage.write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with sqlite3.connect(other) as db:
        db.execute("create table t (a)")
    open_journal(newer).close()
    with sqlite3.connect(newer) as db:
        db.execute("pragma user_version = 99")
    for path in (garbage, other, newer):
        with pytest.raises(InputError) as raised:
            open_journal(path)
        assert raised.value.remedy
    with pytest.raises(InputError):
        open_journal(garbage / "below" / "decisions.sqlite")


def test_recall_has_as_many_places_as_it_looks_for() -> None:
    """The statement's places and the number of beginnings agree."""
    assert RECALL.count("?") == BEGINNINGS + 1
