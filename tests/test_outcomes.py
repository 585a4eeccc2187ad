"""An outcome folder, read: by hand, as other writers make it, and refused with the place of the fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from made_outcomes import ROWS, folder_of, refusal, table
from pointsman.outcomes import (
    About,
    prompt_id_of,
    read,
    read_about,
    token_estimates,
)

# ---- reading


def test_three_rows_by_hand(tmp_path: Path) -> None:
    """Queries keep the order of their first row, models are sorted, what is not recorded is NaN."""
    found = read(folder_of(table(ROWS), tmp_path / "set"))
    assert found.prompt_ids == ["q2", "q1"]
    assert found.texts == ["two", "one and a bit"]
    assert found.datasets == ["d", "e"]
    assert found.models == ("a", "b")
    np.testing.assert_array_equal(found.score, [[0.5, 1.0], [0.0, np.nan]])
    np.testing.assert_array_equal(found.cost_usd, [[0.1, 0.2], [0.3, np.nan]])
    assert np.isnan(found.output_tokens).all()
    assert found.title == "set"
    assert not found.simulated


def test_input_tokens_are_the_mean_or_an_estimate(tmp_path: Path) -> None:
    """Where models counted, their mean; where none did, a quarter of the characters, rounded up."""
    rows = [ROWS[0] | {"input_tokens": 10}, ROWS[1] | {"input_tokens": 13}, ROWS[2]]
    found = read(folder_of(table(rows), tmp_path / "set"))
    assert found.input_tokens.tolist() == [11.5, 4.0]  # "one and a bit" has 13 characters
    assert token_estimates(["", "abcd", "abcde"]).tolist() == [1.0, 1.0, 2.0]


def test_a_null_is_not_recorded(tmp_path: Path) -> None:
    """A row may hold a cost without a score: answered, never graded."""
    found = read(folder_of(table([ROWS[0] | {"score": None}, *ROWS[1:]]), tmp_path / "set"))
    assert np.isnan(found.score[0, 1])
    assert found.cost_usd[0, 1] == 0.2


def test_types_of_other_writers(tmp_path: Path) -> None:
    """Integers, float32, large strings, dictionaries in any order and extra columns are read alike."""
    made = table([row | {"score": round(row["score"])} for row in ROWS])
    words = pa.DictionaryArray.from_arrays(pa.array([1, 1, 0]), pa.array(["one and a bit", "two", "unused"]))
    made = made.set_column(1, "prompt", words).set_column(4, "score", made["score"].cast(pa.int8()))
    made = made.set_column(5, "input_tokens", pa.nulls(3)).append_column("split", pa.array(["x"] * 3))
    made = made.set_column(3, "model", made["model"].cast(pa.large_string()))
    found = read(folder_of(made, tmp_path / "set"))
    assert found.texts == ["two", "one and a bit"]
    np.testing.assert_array_equal(found.score, [[0.0, 1.0], [0.0, np.nan]])


def test_many_row_groups(tmp_path: Path) -> None:
    """A file in small row groups reads as one in a single group."""
    (tmp_path / "set").mkdir()
    pq.write_table(table(ROWS), tmp_path / "set" / "outcomes.parquet", row_group_size=1)
    found = read(tmp_path / "set")
    assert found.prompt_ids == ["q2", "q1"]
    np.testing.assert_array_equal(found.score, [[0.5, 1.0], [0.0, np.nan]])


@pytest.mark.data
@pytest.mark.parametrize("name", ["openllm_lb_v2", "paretobandit_k4"])
def test_real_sets_agree_with_their_dense_twin(shared_data: Path, name: str) -> None:
    """The parquet file, read, is the matrix that was published beside it."""
    found = read(shared_data / name)
    with np.load(shared_data / name / "matrix.npz") as twin:
        row = {prompt_id: number for number, prompt_id in enumerate(twin["prompt_ids"])}
        models = twin["models"].tolist()
        at = np.ix_([row[prompt_id] for prompt_id in found.prompt_ids], [models.index(name) for name in found.models])
        for field in ("score", "cost_usd", "output_tokens"):
            np.testing.assert_allclose(getattr(found, field), twin[field][at], rtol=1e-5)
        np.testing.assert_allclose(found.input_tokens, np.nanmean(twin["input_tokens"][at], axis=1), rtol=1e-5)


def test_an_id_follows_from_the_text() -> None:
    """The same text has the same id everywhere, even where it is not valid Unicode."""
    assert prompt_id_of("a") == prompt_id_of("a") == "ca978112ca1bbdcafac2"
    assert prompt_id_of("a") != prompt_id_of("b")
    assert len(prompt_id_of("\ud800")) == 20


# ---- what is refused


BAD_CELLS = [
    ("score", 1.5, "1.5 is not a number in [0, 1]"),
    ("score", -0.1, "-0.1 is not a number in [0, 1]"),
    ("score", float("nan"), "nan is not a number in [0, 1]"),
    ("score", float("inf"), "inf is not a number in [0, 1]"),
    ("cost_usd", -1e-9, "-1e-09 is not a finite number of at least zero"),
    ("cost_usd", float("nan"), "nan is not"),
    ("input_tokens", -1.0, "-1 is not"),
    ("output_tokens", float("inf"), "inf is not"),
    ("prompt", "another text", "differs from row 1"),
    ("dataset", "another", "differs from row 1"),
    ("prompt", None, "is missing"),
    ("model", None, "is missing"),
    ("dataset", None, "is missing"),
    ("prompt_id", " ", "is empty"),
    ("model", "", "is empty"),
]


@pytest.mark.parametrize(("column", "value", "what"), BAD_CELLS)
def test_a_bad_cell_is_named(tmp_path: Path, column: str, value: object, what: str) -> None:
    """File, row (from 1), column, what is wrong with it and a remedy; never the text of a prompt."""
    rows = [ROWS[0], ROWS[1] | {column: value}, ROWS[2]]
    made = table(rows)
    if isinstance(value, float) and np.isnan(value):
        made = made.set_column(made.column_names.index(column), column, pa.array([0.5, value, 0.5], from_pandas=False))
    error = refusal(lambda: read(folder_of(made, tmp_path / "set")))
    assert what in error.what
    assert error.place == f"{tmp_path / 'set' / 'outcomes.parquet'}, row 2, column `{column}`"
    assert error.remedy
    assert "another text" not in str(error)


def test_a_duplicate_in_one_file_is_named(tmp_path: Path) -> None:
    """The second row for one query and model is refused, with the first one's number."""
    error = refusal(lambda: read(folder_of(table([*ROWS, ROWS[1]]), tmp_path / "set")))
    assert error.what == "the same prompt_id and model as row 2"
    assert error.place.endswith("outcomes.parquet, row 4")


@pytest.mark.parametrize("column", ["prompt_id", "prompt", "dataset", "model", "score", "input_tokens", "cost_usd"])
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    """Each of the eight columns has to be there."""
    error = refusal(lambda: read(folder_of(table(ROWS).drop_columns([column]), tmp_path / "set")))
    assert f"`{column}`" in error.what
    assert "prompt_id, prompt" in error.remedy


@pytest.mark.parametrize(
    ("column", "values"), [("score", ["a", "b", "c"]), ("prompt_id", [1, 2, 3]), ("model", [[1]] * 3)]
)
def test_a_wrong_type_is_named(tmp_path: Path, column: str, values: list[object]) -> None:
    """Text where numbers belong, numbers where text belongs, lists anywhere."""
    made = table(ROWS)
    made = made.set_column(made.column_names.index(column), column, pa.array(values))
    error = refusal(lambda: read(folder_of(made, tmp_path / "set")))
    assert "expected" in error.what
    assert error.place.endswith(f"column `{column}`")


def test_an_empty_table_is_refused(tmp_path: Path) -> None:
    """No rows are no outcomes."""
    assert refusal(lambda: read(folder_of(table([]), tmp_path / "set"))).what == "holds no rows"


def test_places_that_hold_nothing(tmp_path: Path) -> None:
    """No folder, a file, an empty folder, a file that is not parquet: each says so."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "outcomes.parquet").write_bytes(b"PAR1 no")
    assert "no such folder" in refusal(lambda: read(tmp_path / "none")).what
    assert "not a folder" in refusal(lambda: read(tmp_path / "file")).what
    assert "no outcomes.parquet" in refusal(lambda: read(tmp_path / "empty")).what
    assert "not a readable parquet" in refusal(lambda: read(tmp_path / "torn")).what


# ---- dataset.yaml


def test_dataset_yaml_is_read(tmp_path: Path) -> None:
    """Title, licence, source, notes and whether the set is simulated."""
    folder = folder_of(table(ROWS), tmp_path / "set")
    (folder / "dataset.yaml").write_text("title: My set\nlicence: CC0\nsimulated: true\n")
    assert read_about(folder) == About("My set", "CC0", simulated=True)
    assert read(folder).simulated
    assert read(folder).title == "My set"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("- a\n- b\n", "is not a mapping"),
        ("license: MIT\n", "unknown key `license`"),
        ("title: [1]\n", "`title` is list, expected text"),
        ("simulated: 1\n", "`simulated` is int, expected true or false"),
        ("title: 'x\n", "is not readable YAML"),
        ("title: \x07\n", "is not readable YAML"),
    ],
)
def test_a_malformed_dataset_yaml_is_refused(tmp_path: Path, text: str, what: str) -> None:
    """It says what is wrong and where."""
    folder = folder_of(table(ROWS), tmp_path / "set")
    (folder / "dataset.yaml").write_text(text)
    error = refusal(lambda: read(folder))
    assert error.what == what
    assert "dataset.yaml" in error.place
    assert error.remedy


def test_a_misspelt_key_is_guessed(tmp_path: Path) -> None:
    """`license` is close to `licence`."""
    folder = folder_of(table(ROWS), tmp_path / "set")
    (folder / "dataset.yaml").write_text("license: MIT\n")
    assert refusal(lambda: read(folder)).remedy == "did you mean `licence`"
