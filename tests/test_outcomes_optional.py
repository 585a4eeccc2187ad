"""What a part may hold beside its eight columns: when, the answer, the propensity, the grader; and rows by age."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_outcomes import ROWS, folder_of, refusal, table
from pointsman.outcomes import COLUMNS, OutcomeLog, OutcomeRow, check, prompt_id_of, read, read_several


def row(prompt: str, model: str, score: float | None = 1.0, at_s: float | None = None) -> OutcomeRow:
    return OutcomeRow(prompt_id_of(prompt), prompt, "live", model, score, 0.1, at_s=at_s)


FULL = replace(row("a", "m", 0.5, 1_000.25), answer="forty-two", propensity=0.05, grader='{"kind":"exact"}')


def test_optional_columns_are_written_and_change_nothing_that_is_read(tmp_path: Path) -> None:
    """A part with all four columns reads as the part without them; the file holds what was given."""
    plain, full = OutcomeLog(tmp_path / "plain"), OutcomeLog(tmp_path / "full")
    plain.append([row("a", "m", 0.5), row("b", "m")])
    path = full.append([FULL, row("b", "m")])
    assert path is not None
    kept = pq.read_table(path).to_pylist()
    assert [kept[0][name] for name in ("at_s", "answer", "propensity", "grader")] == [
        1_000.25,
        "forty-two",
        0.05,
        '{"kind":"exact"}',
    ]
    assert [kept[1][name] for name in ("at_s", "answer", "propensity", "grader")] == [None] * 4
    ours, theirs = plain.read(), full.read()
    np.testing.assert_array_equal(ours.score, theirs.score)
    assert (ours.texts, ours.models) == (theirs.texts, theirs.models)


def test_a_column_that_no_row_has_is_not_written(tmp_path: Path) -> None:
    """Plain rows make the file that they always made."""
    path = OutcomeLog(tmp_path).append([row("a", "m")])
    assert path is not None
    assert tuple(pq.read_schema(path).names) == COLUMNS


@pytest.mark.parametrize(
    ("bad", "column", "says"),
    [
        (replace(FULL, propensity=0.0), "propensity", "above 0"),
        (replace(FULL, propensity=1.5), "propensity", "at most 1"),
        (replace(FULL, propensity=float("nan")), "propensity", "above 0"),
        (replace(FULL, at_s=-1.0), "at_s", "finite"),
        (replace(FULL, at_s=float("inf")), "at_s", "finite"),
    ],
)
def test_an_optional_value_out_of_range_is_refused(tmp_path: Path, bad: OutcomeRow, column: str, says: str) -> None:
    """A propensity outside (0, 1] and a time that is none are errors of row and column, and nothing is written."""
    found = refusal(lambda: OutcomeLog(tmp_path / "log").append([row("b", "m"), bad]))
    assert found.place == f"outcomes to append, row 2, column `{column}`"
    assert says in found.what
    assert not (tmp_path / "log").exists()


def test_an_optional_column_of_another_type_is_refused() -> None:
    """An answer that is a number is a table somebody mixed up."""
    made = table(ROWS)
    bad = made.append_column("answer", [[1.0] * len(ROWS)])
    assert "expected text" in refusal(lambda: check(bad, "here")).what


def test_rows_before_a_time_are_left_out(tmp_path: Path) -> None:
    """By hand: of model m what is older than 100, or of no known time, is gone; n keeps everything."""
    log = OutcomeLog(tmp_path)
    log.append([row("old", "m", 0.1, 50.0), row("new", "m", 0.2, 100.0), row("old", "n", 0.3, 1.0)])
    log.append([row("unknown", "m", 0.4)])
    found = read_several([tmp_path], since={"m": 100.0, "never seen": 7.0})
    assert (found.texts, found.models) == (["new", "old"], ("m", "n"))
    np.testing.assert_array_equal(found.score, [[0.2, np.nan], [np.nan, 0.3]])


def test_nothing_may_be_left(tmp_path: Path) -> None:
    """A folder whose every row is too old is an empty set and no error."""
    OutcomeLog(tmp_path).append([row("a", "m", 1.0, 5.0)])
    found = read_several([tmp_path], since={"m": 6.0})
    assert (len(found), found.models) == (0, ())


def test_an_older_row_in_a_later_part_does_not_hide_a_newer_one(tmp_path: Path) -> None:
    """What is left out replaces nothing."""
    log = OutcomeLog(tmp_path)
    log.append([row("a", "m", 0.9, 10.0)])
    log.append([row("a", "m", 0.1, 1.0)])
    assert read(tmp_path).score[0, 0] == 0.1
    assert read_several([tmp_path], since={"m": 5.0}).score[0, 0] == 0.9


def test_without_since_nothing_changes(tmp_path: Path) -> None:
    """`read_several` of one folder is `read`, with an empty `since` as with none."""
    folder = folder_of(table(ROWS), tmp_path / "set")
    for found in (read_several([folder]), read_several([folder], since={})):
        np.testing.assert_array_equal(found.score, read(folder).score)


@given(
    times=st.lists(st.one_of(st.none(), st.integers(0, 9).map(float)), min_size=1, max_size=6),
    least=st.integers(0, 10).map(float),
)
def test_since_keeps_exactly_the_rows_that_are_late_enough(
    tmp_path_factory: pytest.TempPathFactory, times: list[float | None], least: float
) -> None:
    """For any times: the texts that are left are those of rows at or after the time."""
    folder = tmp_path_factory.mktemp("log")
    OutcomeLog(folder).append([row(f"q{i}", "m", 1.0, at) for i, at in enumerate(times)])
    found = read_several([folder], since={"m": least})
    assert found.texts == [f"q{i}" for i, at in enumerate(times) if at is not None and at >= least]
