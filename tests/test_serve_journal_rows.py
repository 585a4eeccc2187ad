"""`serve.journal_file`: candidates kept by column, and rows written together."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from made_finished import finished
from pointsman.records import Estimates
from pointsman.serve.journal import Journal
from pointsman.serve.journal_file import ROWS_TOGETHER, Batch, open_journal, write
from pointsman.serve.plan import Candidates

KEEP_S = 1e9  # the exchanges of these tests are from some day in the past


def candidates_of(models: int) -> Candidates:
    """Some models' figures in the second row of a batch, the last model not allowed."""
    rng = np.random.default_rng(models)
    estimates = Estimates(*[rng.random((3, models)) for _ in range(4)])
    scores = rng.random((3, models))
    scores[1, -1] = -math.inf
    order = np.argsort(-scores[1], kind="stable")
    return Candidates([f"p/m{i}" for i in range(models)], estimates, scores, 1, order)


@pytest.mark.parametrize("flushed", [False, True])
def test_candidates_read_back_as_records(tmp_path: Path, flushed: bool) -> None:
    """Kept by column in seven digits, candidates come back one by one, best first; no figure is minus infinity."""
    journal = Journal(tmp_path / "decisions.sqlite", KEEP_S)
    made = candidates_of(5)
    journal.add(finished(decision_id="dec_1", candidates=made))
    if flushed:
        assert journal.flush()
    kept = journal.get("dec_1")
    journal.close()
    assert kept is not None
    assert [one["model"] for one in kept["candidates"]] == [one.model for one in made]
    assert kept["candidates"][-1]["score"] is None
    for one, told in zip(list(made)[:-1], kept["candidates"], strict=False):
        wanted = asdict(one)
        assert list(told) == list(wanted)
        assert all(told[name] == pytest.approx(wanted[name], rel=1e-6) for name in wanted if name != "model")


def test_no_candidates_read_back(tmp_path: Path) -> None:
    """A decision without candidates reads back without any."""
    journal = Journal(tmp_path / "decisions.sqlite", KEEP_S)
    journal.add(finished(decision_id="dec_1", candidates=()))
    assert journal.flush()
    kept = journal.get("dec_1")
    journal.close()
    assert kept is not None
    assert kept["candidates"] == []


@pytest.mark.parametrize("count", [1, ROWS_TOGETHER, ROWS_TOGETHER + 1, 3 * ROWS_TOGETHER])
def test_rows_written_together_are_counted_once(tmp_path: Path, count: int) -> None:
    """However many rows a statement takes: a row seen before is left alone, one that can't be kept is left out."""
    db = open_journal(tmp_path / "decisions.sqlite")
    some = [finished(decision_id=f"dec_{i}") for i in range(count)]
    assert write(db, Batch({one.decision_id: one for one in some})) == 0
    again = [*some, finished(decision_id="dec_new"), replace(some[0], decision_id="dec_bad", cost_nano=1 << 80)]
    assert write(db, Batch({one.decision_id: one for one in again})) == 1
    (rows,) = db.execute("select count(*) from exchanges").fetchone()
    (answered,) = db.execute("select sum(answered) from tallies").fetchone()
    db.close()
    assert rows == answered == count + 1
