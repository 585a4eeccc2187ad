"""Prompts that wait for feedback: kept, found by another worker, forgotten."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from pointsman.outcomes import OutcomeRow
from pointsman.serve.prompts import Prompts

ROW = OutcomeRow("q1", "How far is it? – ünïcode \ufffd", "live", "p/m", cost_usd=0.001, input_tokens=12.0)


class Clock:
    """A clock that stands still until it is moved."""

    now_ns = 1_700_000_000 * 10**9

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "prompts.sqlite"


def rows(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return [name for (name,) in db.execute("SELECT decision_id FROM prompts ORDER BY decision_id")]


def test_a_row_is_there_before_and_after_it_is_written(path: Path) -> None:
    """A prompt is found while it waits, and as it was by another worker once it is written."""
    mine, others = Prompts(path, 60.0), Prompts(path, 60.0)
    assert mine.get("d1") is None
    mine.add("d1", ROW)
    assert mine.get("d1") == ROW
    assert others.get("d1") is None
    mine.flush()
    assert mine.get("d1") == ROW
    assert others.get("d1") == ROW
    assert others.get("d2") is None


def test_nothing_is_made_for_nothing(path: Path) -> None:
    """Where no prompt was ever kept there is no file."""
    prompts = Prompts(path, 60.0)
    prompts.flush()
    prompts.close()
    assert prompts.get("d1") is None
    assert not path.exists()


def test_prompts_are_their_owners_alone(path: Path) -> None:
    """Nobody else on the machine may read the file."""
    prompts = Prompts(path, 60.0)
    prompts.add("d1", ROW)
    prompts.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_old_prompts_are_forgotten(path: Path) -> None:
    """What is older than feedback may be goes with the next writing."""
    clock = Clock()
    prompts = Prompts(path, 60.0, now_ns=clock)
    prompts.add("d1", ROW)
    prompts.flush()
    clock.now_ns += 59 * 10**9
    prompts.add("d2", ROW)
    prompts.flush()
    assert rows(path) == ["d1", "d2"]
    clock.now_ns += 2 * 10**9
    prompts.add("d3", ROW)
    prompts.flush()
    assert rows(path) == ["d2", "d3"]


def test_a_locked_file_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be written waits, can still be found, and is written the next time."""
    monkeypatch.setattr("pointsman.serve.prompts.LOCK_WAIT_S", 0.01)
    prompts = Prompts(path, 60.0)
    prompts.add("d1", ROW)
    prompts.flush()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        prompts.add("d2", ROW)
        with pytest.raises(sqlite3.OperationalError):
            prompts.flush()
        assert prompts.get("d2") == ROW
        other.execute("ROLLBACK")
    prompts.flush()
    assert rows(path) == ["d1", "d2"]
