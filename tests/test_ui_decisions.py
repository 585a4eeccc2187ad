"""The table of decisions: every row once, in order, and just those that were asked for."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from made_dashboard import Browser, dashboard_settings, made_gateway
from made_finished import finished
from pointsman.pool.cards import Usage
from pointsman.records import Candidate
from pointsman.serve.journal_file import Batch, open_journal, write
from pointsman.serve.ui import decisions
from pointsman.serve.ui.decisions import FILE, LIVE, Latest, Wanted, page_of, wanted_of
from pointsman.serve.wire.errors import Refusal

MODELS, KEYS = ("p/big", "p/small", None), ("team-a", "team-b", 'odd "key"')
OUTCOMES, REASONS = ("served", "client_gone", "upstream_failed"), ("best", "named")
COUNT = 60


def candidate(model: str, score: float) -> Candidate:
    return Candidate(model, quality=0.6, spread=0.1, cost_usd=0.001, tokens=80.0, charge=0.1, score=score)


def exchange(i: int, **changes: Any) -> Any:
    """The i-th of a made journal: all fields vary, each at its own pace."""
    model = MODELS[i % 3]
    given = {
        "decision_id": f"dec_{i:04d}",
        "at_ns": (1_700_000_000 + i) * 10**9,
        "model": model,
        "key_id": KEYS[i // 2 % 3],
        "outcome": OUTCOMES[i // 3 % 3],
        "reason": REASONS[i % 2],
        "asked": "auto" if i % 4 else "p/big",
        "cost_nano": 1_000 * (i % 7),
        "usage": Usage(input_tokens=i, output_tokens=2 * i) if model else None,
        "candidates": (candidate("p/big", 0.5), candidate("p/small", 0.4)),
    }
    return finished(**given | changes)


def fresh(i: int) -> Any:
    """One that has just ended, which a journal doesn't sweep away."""
    return exchange(i, at_ns=time.time_ns())


def fill(path: Path, exchanges: list[Any], scores: dict[str, float]) -> None:
    with closing(open_journal(path)) as db:
        write(db, Batch({one.decision_id: one for one in exchanges}, scores))


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("state") / FILE
    fill(path, [exchange(i) for i in range(COUNT)], {f"dec_{i:04d}": i / COUNT for i in range(0, COUNT, 5)})
    return path


def test_a_row_by_hand(journal: Path) -> None:
    """A row says what the journal keeps, with the estimate for the model that served and the best of the others."""
    rows, after = page_of(journal, Wanted(limit=1, before=2))
    assert after is None
    assert rows == [
        {
            "number": 1,
            "decision_id": "dec_0000",
            "at_s": 1_700_000_000.0,
            "key_id": "team-a",
            "shape": "chat",
            "asked": "p/big",
            "outcome": "served",
            "status": 200,
            "reason": "best",
            "stream": True,
            "model": "p/big",
            "input_tokens": 0,
            "output_tokens": 0,
            "cost_nano": 0,
            "held_nano": 60_000,
            "quality": 0.6,
            "spread": 0.1,
            "feedback": 0.0,
            "runner_up": "p/small",
            "hops": 2,
            "total_ms": pytest.approx(700.5),
            "overhead_ms": pytest.approx(0.6),
        }
    ]


def test_nobody_answered(journal: Path) -> None:
    """Without a model there is no estimate, and the first choice is the runner-up."""
    row = page_of(journal, Wanted(limit=1, before=4))[0][0]
    assert [row[name] for name in ("model", "quality", "spread", "input_tokens", "runner_up")] == [
        *(None, None, None, None),
        "p/big",
    ]


def test_pages_follow_each_other(journal: Path) -> None:
    """Page after page every decision comes once, the newest first."""
    numbers: list[int] = []
    before: int | None = None
    while True:
        rows, before = page_of(journal, Wanted(limit=7, before=before))
        numbers += [row["number"] for row in rows]
        if before is None:
            break
    assert numbers == list(range(COUNT, 0, -1))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "model": st.sampled_from(["p/big", "p/small", "p/none"]),
            "key": st.sampled_from(KEYS),
            "outcome": st.sampled_from(OUTCOMES),
            "reason": st.sampled_from(REASONS),
            "asked": st.sampled_from(["auto", "p/big"]),
            "scored": st.sampled_from(["yes", "no"]),
            "least_cost_nano": st.sampled_from(["0", "3000", "7000"]),
            "text": st.sampled_from(["DEC_001", "team-b", "p/", "nothing like it"]),
            "after": st.sampled_from(["0", "30"]),
        },
    ),
    st.integers(1, 25),
)
def test_filters_against_brute_force(journal: Path, question: dict[str, str], limit: int) -> None:
    """Whatever is asked for, all pages together are what looking at every decision finds."""
    expected = [row for row in page_of(journal, Wanted(limit=500))[0] if _fits(row, question)]
    found: list[dict[str, Any]] = []
    before: int | None = 10**6
    while before is not None:
        rows, before = page_of(journal, wanted_of(question | {"limit": str(limit), "before": str(before)}))
        found += rows
    assert found == expected


def _fits(row: dict[str, Any], question: dict[str, str]) -> bool:
    exact = {"model": "model", "key": "key_id", "outcome": "outcome", "reason": "reason", "asked": "asked"}
    words = " ".join(str(row[name]) for name in ("decision_id", "key_id", "model", "reason", "asked")).lower()
    return (
        all(row[field] == question[name] for name, field in exact.items() if name in question)
        and ("scored" not in question or (row["feedback"] is not None) == (question["scored"] == "yes"))
        and row["cost_nano"] >= int(question.get("least_cost_nano", 0))
        and row["number"] > int(question.get("after", 0))
        and question.get("text", "").lower() in words
    )


def test_a_page_looks_only_so_far(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that finds little gives up for now, and says where to go on."""
    monkeypatch.setattr(decisions, "LOOKED_AT", 10)
    rows, after = page_of(journal, wanted_of({"key": "nobody"}))
    assert (rows, after) == ([], COUNT - 9)
    monkeypatch.setattr(decisions, "SPANNED", 20)
    rows, after = page_of(journal, wanted_of({"model": "p/none"}))
    assert (rows, after) == ([], COUNT + 1 - 20)


def test_no_journal(tmp_path: Path) -> None:
    """Where nothing was ever decided the table is empty."""
    assert page_of(tmp_path / FILE, Wanted()) == ([], None)


@pytest.mark.parametrize(
    "question",
    [{"limit": "x"}, {"before": "-1"}, {"outcome": "lost"}, {"scored": "perhaps"}, {"order": "asc"}],
)
def test_a_question_without_sense(question: dict[str, str]) -> None:
    """An unknown name or value is refused rather than left aside."""
    with pytest.raises(Refusal, match="invalid_request_error"):
        wanted_of(question)


def test_empty_values_ask_for_nothing() -> None:
    """A form sends its empty fields too; a page has a greatest length."""
    assert wanted_of({"model": "", "key": "", "text": "", "limit": ""}) == Wanted(fields={})
    assert wanted_of({"limit": "100000"}).limit == decisions.MOST_PAGE


def test_new_decisions_by_hand(tmp_path: Path) -> None:
    """A look tells of what came since the last one: rows, how many more, and scores of earlier ones."""
    path = tmp_path / FILE
    fill(path, [exchange(0)], {})
    latest = Latest(path)
    assert latest.look() == ([], 0, [])
    assert latest.look() == ([], 0, [])
    fill(path, [exchange(1), exchange(3)], {"dec_0000": 0.5})
    rows, skipped, scores = latest.look()
    assert [row["decision_id"] for row in rows] == ["dec_0003", "dec_0001"]
    assert (skipped, scores) == (0, [{"decision_id": "dec_0000", "feedback": 0.5}])
    fill(path, [exchange(i) for i in range(10, 20 + LIVE)], {})
    rows, skipped, scores = latest.look()
    assert (len(rows), skipped, scores) == (LIVE, 10, [])
    assert latest.look() == ([], 0, [])


# Over HTTP


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[Browser]:
    with made_gateway(dashboard_settings(tmp_path)) as made:
        for i in range(10):
            made.journal.add(fresh(i))
        made.journal.flush()
        found = Browser(made)
        found.sign_in()
        yield found


def test_the_page(visitor: Browser) -> None:
    """Rows with what there is to choose from; names with odd letters find their way through an address."""
    made = visitor.gateway.keys.create(1, id="team-a")[1]
    told = visitor.get("/ui/api/decisions?limit=3").json()
    assert [row["number"] for row in told["rows"]] == [10, 9, 8]
    assert told["next"] == 8
    assert told["models"] == ["p/big", "p/small"]
    assert told["keys"] == ["master", "shadow", made.id]
    assert {"best", "named", "explored", "budget_exceeded"} <= set(told["reasons"])
    odd = visitor.get("/ui/api/decisions?key=odd%20%22key%22").json()["rows"]
    assert {row["key_id"] for row in odd} == {'odd "key"'}
    assert visitor.get("/ui/api/decisions?key=%ff").status == 400


def test_a_journal_that_cannot_be_read(visitor: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and may pass."""

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(decisions, "_opened", fail)
    answer = visitor.get("/ui/api/decisions")
    assert (answer.status, answer.json()["error"]["type"]) == (503, "overloaded")
