"""A folder kept up: rows go for good, parts become one, and who reads meanwhile sees every row or none."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_outcomes import refusal
from pointsman.outcomes import About, OutcomeLog, OutcomeRow, prompt_id_of, read, read_timed, write_table
from pointsman.outcomes.exporting import log_table
from pointsman.outcomes.upkeep import Taken, compact, take_out
from pointsman.records import Mask


def row(prompt: str, model: str = "m", score: float | None = 1.0, at_s: float | None = None) -> OutcomeRow:
    return OutcomeRow(f"dec_{prompt}", prompt, "live", model, score, 0.1, at_s=at_s)


def of(*texts: str) -> object:
    """Chooses the rows of some prompts."""

    def chosen(table: pa.Table) -> Mask:
        return np.isin(np.array(table.column("prompt").to_pylist()), texts)

    return chosen


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_rows_go_and_the_others_stay(tmp_path: Path) -> None:
    """By hand: one part is written anew without its row, one is gone, one isn't touched; the optional columns stay."""
    log = OutcomeLog(tmp_path)
    log.append([replace(row("a"), answer="forty", at_s=5.0), replace(row("secretword"), answer="x")])
    log.append([row("secretword", "n")])
    last = log.append([row("b")])
    assert last is not None
    before = last.stat().st_mtime_ns
    assert b"secretword" in bytes_of(tmp_path)
    assert take_out(tmp_path, of("secretword")) == Taken(2, 1, 1)  # type: ignore[arg-type]
    assert b"secretword" not in bytes_of(tmp_path)
    assert read(tmp_path).texts == ["a", "b"]
    assert read_timed([tmp_path]).at_s[0, 0] == 5.0
    assert last.stat().st_mtime_ns == before
    assert take_out(tmp_path, of("secretword")) == Taken(0, 0, 0)  # type: ignore[arg-type]
    assert take_out(tmp_path / "nowhere", of("a")) == Taken(0, 0, 0)  # type: ignore[arg-type]


def test_many_parts_become_one(tmp_path: Path) -> None:
    """Eighty parts, some graded later, some with more columns: one part, the same set, no later row lost."""
    log = OutcomeLog(tmp_path)
    for i in range(70):
        log.append([row(f"q{i}", score=None, at_s=float(i) if i % 2 else None)])
    for i in range(10):
        log.append([replace(row(f"q{i}", score=0.25), grader="feedback", propensity=0.5)])
    before = read(tmp_path)
    assert compact(tmp_path, least=200) == 0
    assert compact(tmp_path) == 80
    assert [path.name for path in sorted(tmp_path.glob("*.parquet"))] == ["outcomes-000000000080.parquet"]
    after = read(tmp_path)
    assert (after.prompt_ids, after.texts, after.models) == (before.prompt_ids, before.texts, before.models)
    np.testing.assert_array_equal(after.score, before.score)
    assert read_timed([tmp_path]).propensity[0, 0] == 0.5
    log.append([row("q0", score=0.75)])
    assert log.read().score[0, 0] == 0.75


def test_a_reader_never_sees_half(tmp_path: Path) -> None:
    """While parts are appended, put together and thinned out, every reading is a set that there was."""
    log = OutcomeLog(tmp_path)
    log.append([row("always")])
    done = threading.Event()
    seen: list[int] = []
    wrong: list[str] = []

    def look() -> None:
        while not done.is_set():
            found = read(tmp_path)
            seen.append(len(found))
            if "always" not in found.texts or not np.isfinite(found.score).all():
                wrong.append(str(found.texts))

    reader = threading.Thread(target=look)
    reader.start()
    for turn in range(12):
        for i in range(6):
            log.append([row(f"q{turn}-{i}")])
        compact(tmp_path, least=2)
        take_out(tmp_path, of(f"q{turn}-0"))  # type: ignore[arg-type]
    done.set()
    reader.join()
    assert wrong == []
    assert seen
    assert len(read(tmp_path)) == 1 + 12 * 5


def test_who_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A part that is no parquet is one error, and nothing is changed."""
    OutcomeLog(tmp_path).append([row("a")])
    (tmp_path / "outcomes-000000000002.parquet").write_bytes(b"no")
    assert "outcomes-000000000002" in str(refusal(lambda: compact(tmp_path, least=2)).place)
    assert len(list(tmp_path.glob("*.parquet"))) == 2


@settings(max_examples=25)
@given(
    parts=st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=4), max_size=6
    )
)
def test_putting_together_changes_no_reading(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[tuple[int, int, float]]]
) -> None:
    """Whatever was appended: the dense set is the same before and after."""
    folder = tmp_path_factory.mktemp("log")
    log = OutcomeLog(folder)
    log.append([row("first")])
    for part in parts:
        rows = {(f"q{i}", f"m{j}"): row(f"q{i}", f"m{j}", score) for i, j, score in part}
        log.append(rows.values())
    before = read(folder)
    compact(folder, least=2)
    after = read(folder)
    assert (after.prompt_ids, after.models) == (before.prompt_ids, before.models)
    np.testing.assert_array_equal(after.score, before.score)


def test_a_log_becomes_a_set(tmp_path: Path) -> None:
    """By hand: the same text asked twice is one query, the scored answer stands, the probe's model joins its row."""
    log = OutcomeLog(tmp_path / "log")
    text = "What is 17 * 23?"
    log.append([row("later", at_s=9.0), replace(row(text, score=0.5, at_s=2.0), prompt_id="dec_1")])
    log.append([replace(row(text, score=None, at_s=3.0), prompt_id="dec_2")])
    log.append([OutcomeRow(prompt_id_of(text), text, "probe:sums", "n", 1.0, 0.2, at_s=1.0, answer="391")])
    table = log_table(tmp_path / "log")
    write_table(table, tmp_path / "set", About("mine"), optional=True)
    found = read_timed([tmp_path / "set"])
    assert found.outcomes.texts == [text, "later"]
    assert found.outcomes.prompt_ids[0] == prompt_id_of(text)
    np.testing.assert_array_equal(found.outcomes.score, [[0.5, 1.0], [1.0, np.nan]])
    assert found.at_s[0].tolist() == [2.0, 1.0]
    assert "answer" in table.column_names
    assert log_table(tmp_path / "log", probes=False).num_rows == 2
    assert log_table(tmp_path / "log", joined=False).num_rows == 4


def test_time_puts_queries_in_order(tmp_path: Path) -> None:
    """By hand: by the first answer's time; one of no known time stays behind the one before it."""
    log = OutcomeLog(tmp_path)
    log.append([row("c", at_s=30.0), row("c2"), row("a", at_s=10.0), row("a", "n", at_s=5.0), row("b", at_s=20.0)])
    found = read_timed([tmp_path])
    assert [found.outcomes.texts[int(i)] for i in found.order] == ["a", "b", "c", "c2"]
    assert found.asked_s[2] == 5.0
    assert np.isnan(found.asked_s[1])
