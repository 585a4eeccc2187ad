"""The log: what is appended is read, a bad row is refused whole, many writers lose nothing."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from made_outcomes import ROWS, folder_of, refusal, table
from pointsman.outcomes import (
    OutcomeLog,
    OutcomeRow,
    prompt_id_of,
)


def row(prompt: str, model: str, score: float | None = 1.0, cost: float | None = 0.1) -> OutcomeRow:
    return OutcomeRow(prompt_id_of(prompt), prompt, "live", model, score, cost, input_tokens=3, output_tokens=5)


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    """Two appends are two parts, read as one set."""
    log = OutcomeLog(tmp_path / "log")
    first = log.append([row("a", "m"), row("b", "m", 0.0)])
    second = log.append([row("a", "n", 0.25)])
    assert first is not None
    assert second is not None
    assert [first.name, second.name] == ["outcomes-000000000001.parquet", "outcomes-000000000002.parquet"]
    found = log.read()
    assert found.models == ("m", "n")
    np.testing.assert_array_equal(found.score, [[1.0, 0.25], [0.0, np.nan]])
    assert found.input_tokens.tolist() == [3.0, 3.0]


def test_a_later_part_replaces_an_earlier_outcome(tmp_path: Path) -> None:
    """A query is answered now and graded later: the later row stands, whole."""
    folder_of(table([ROWS[0] | {"prompt_id": prompt_id_of("two"), "dataset": "live"}]), tmp_path)
    log = OutcomeLog(tmp_path)
    log.append([row("two", "b", None, 0.4)])
    assert np.isnan(log.read().score[0, 0])
    log.append([row("two", "b", 0.75, None)])
    assert log.read().score[0, 0] == 0.75
    assert np.isnan(log.read().cost_usd[0, 0])


def test_nothing_to_append_writes_nothing(tmp_path: Path) -> None:
    """No rows, no file, no folder."""
    assert OutcomeLog(tmp_path / "log").append([]) is None
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    ("bad", "where"),
    [
        (row("a", "m", 2.0), "row 2, column `score`"),
        (row("a", "m", 1.0, -1.0), "row 2, column `cost_usd`"),
        (row("a", ""), "row 2, column `model`"),
        (row("b", "m"), "row 2"),
    ],
)
def test_a_bad_row_is_refused_whole(tmp_path: Path, bad: OutcomeRow, where: str) -> None:
    """One bad row and nothing of the append is written."""
    log = OutcomeLog(tmp_path / "log")
    assert refusal(lambda: log.append([row("b", "m"), bad])).place == f"outcomes to append, {where}"
    assert not (tmp_path / "log").exists()


def test_a_wrong_type_is_refused(tmp_path: Path) -> None:
    """A text where a score belongs is an error of the caller's, said plainly."""
    bad = OutcomeRow("q", "t", "d", "m", "good")  # type: ignore[arg-type]
    assert "wrong type" in refusal(lambda: OutcomeLog(tmp_path).append([bad])).what


def test_half_a_file_is_never_seen(tmp_path: Path) -> None:
    """What a killed writer leaves aside is not read, and a failed write leaves nothing aside."""
    log = OutcomeLog(tmp_path)
    log.append([row("a", "m")])
    (tmp_path / ".outcomes.1.2.partial").write_bytes(b"PAR1 half")
    assert len(log.read()) == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            log.append([row("b", "m")])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".outcomes.1.2.partial",
        "outcomes-000000000001.parquet",
    ]


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    """Eight threads append at once: every row is there, no part replaced another."""
    log = OutcomeLog(tmp_path / "log")

    def write_some(writer: int) -> None:
        for number in range(5):
            log.append([row(f"{writer}-{number}", "m")])

    threads = [threading.Thread(target=write_some, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log.read()) == 40


def test_one_id_with_two_texts_across_parts_is_refused(tmp_path: Path) -> None:
    """The part and the row are named."""
    log = OutcomeLog(tmp_path)
    log.append([OutcomeRow("q", "one", "d", "m", 1.0, 1.0)])
    log.append([OutcomeRow("p", "x", "d", "m", 1.0, 1.0), OutcomeRow("q", "two", "d", "n", 1.0, 1.0)])
    error = refusal(log.read)
    assert error.place.endswith("outcomes-000000000002.parquet, row 2, column `prompt`")
