"""An outcome folder, written: read back as it was, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from made_outcomes import ROWS, folder_of, outcome_sets, refusal, table
from pointsman.outcomes import (
    About,
    dense_table,
    read,
    read_about,
    write,
    write_table,
)
from pointsman.records import Outcomes


@settings(max_examples=60, deadline=None)
@given(outcome_sets())
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, made: Outcomes) -> None:
    """Every field survives, missing cells included."""
    folder = tmp_path_factory.mktemp("round") / "set"
    write(made, folder, licence="CC0", source="here", notes="none")
    found = read(folder)
    for field in ("score", "cost_usd", "output_tokens"):
        np.testing.assert_array_equal(getattr(found, field), getattr(made, field))
    np.testing.assert_allclose(found.input_tokens, made.input_tokens)
    assert (found.prompt_ids, found.texts, found.datasets) == (made.prompt_ids, made.texts, made.datasets)
    assert (found.models, found.title, found.simulated) == (made.models, made.title, made.simulated)
    assert read_about(folder) == About("a set", "CC0", "here", "none")


def test_missing_cells_leave_no_row(tmp_path: Path) -> None:
    """The long table has one row per recorded cell and no NaN."""
    found = read(folder_of(table(ROWS), tmp_path / "set"))
    write(found, tmp_path / "again")
    assert pq.read_table(tmp_path / "again" / "outcomes.parquet").num_rows == 3


def test_a_taken_folder_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    """Nothing is replaced unless asked, and only outcome folders are ever replaced."""
    found = read(folder_of(table(ROWS), tmp_path / "set"))
    assert "not empty" in refusal(lambda: write(found, tmp_path / "set")).what
    write(found.take(np.array([0])), tmp_path / "set", overwrite=True)
    assert len(read(tmp_path / "set")) == 1
    (tmp_path / "set" / "thesis.tex").write_text("x")
    assert "thesis.tex" in refusal(lambda: write(found, tmp_path / "set", overwrite=True)).what
    assert "is a file" in refusal(lambda: write(found, tmp_path / "set" / "thesis.tex", overwrite=True)).what
    assert (tmp_path / "set" / "thesis.tex").read_text() == "x"
    assert len(read(tmp_path / "set")) == 1


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """A bad value is found before anything is made; a failing disk leaves the old folder in place."""
    found = read(folder_of(table(ROWS), tmp_path / "set"))
    bad = Outcomes(["q"], ["t"], ["d"], ("m",), np.array([[2.0]]), np.ones((1, 1)), np.ones((1, 1)), np.ones(1), "bad")
    assert "row 1, column `score`" in refusal(lambda: write(bad, tmp_path / "set", overwrite=True)).place
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        error = refusal(lambda: write(found, tmp_path / "set", overwrite=True))
    assert "No space left" in error.what
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert len(read(tmp_path / "set")) == 2


def test_the_old_folder_comes_back_if_the_new_one_cannot_take_its_place(tmp_path: Path) -> None:
    """Between the two renames nothing is lost."""
    found = read(folder_of(table(ROWS), tmp_path / "set"))
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", fails)
        refusal(lambda: write(found, tmp_path / "set", overwrite=True))
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert len(read(tmp_path / "set")) == 2


def test_dense_table_takes_input_tokens_by_query_or_by_cell() -> None:
    """[Q] is the same for every model, [Q, M] is each model's own count."""
    one = np.array([[0.5, 0.5]])
    texts = {"prompt_ids": ["q"], "texts": ["t"], "datasets": ["d"], "models": ["a", "b"]}
    by_query = dense_table(**texts, score=one, cost_usd=one, output_tokens=one, input_tokens=np.array([7.0]))
    by_cell = dense_table(**texts, score=one, cost_usd=one, output_tokens=one, input_tokens=np.array([[7.0, 9.0]]))
    assert by_query["input_tokens"].to_pylist() == [7.0, 7.0]
    assert by_cell["input_tokens"].to_pylist() == [7.0, 9.0]


def test_write_table_says_what_it_is_given(tmp_path: Path) -> None:
    """Only the eight columns and the non-empty fields of `About` are written."""
    write_table(table(ROWS).append_column("more", pa.array([1, 2, 3])), tmp_path / "set", About("t", simulated=True))
    assert pq.read_schema(tmp_path / "set" / "outcomes.parquet").names[-1] == "cost_usd"
    assert (tmp_path / "set" / "dataset.yaml").read_text() == "title: t\nsimulated: true\n"
