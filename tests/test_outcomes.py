"""The outcome folder: read, write, append, and what a benchmark can use."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pointsman.errors import InputError
from pointsman.outcomes import (
    About,
    OutcomeLog,
    OutcomeRow,
    complete,
    dense_table,
    prompt_id_of,
    read,
    read_about,
    token_estimates,
    write,
    write_table,
)
from pointsman.records import Outcomes

ROWS: list[dict[str, Any]] = [
    {"prompt_id": "q2", "prompt": "two", "dataset": "d", "model": "b", "score": 1.0, "cost_usd": 0.2},
    {"prompt_id": "q2", "prompt": "two", "dataset": "d", "model": "a", "score": 0.5, "cost_usd": 0.1},
    {"prompt_id": "q1", "prompt": "one and a bit", "dataset": "e", "model": "a", "score": 0.0, "cost_usd": 0.3},
]


def table(rows: list[dict[str, Any]]) -> pa.Table:
    blank = {"input_tokens": None, "output_tokens": None}
    schema = pa.schema(
        [(name, pa.string()) for name in ("prompt_id", "prompt", "dataset", "model")]
        + [(name, pa.float64()) for name in ("score", "input_tokens", "output_tokens", "cost_usd")]
    )
    return pa.Table.from_pylist([blank | row for row in rows], schema)


def folder_of(made: pa.Table, folder: Path, name: str = "outcomes.parquet") -> Path:
    folder.mkdir(exist_ok=True)
    pq.write_table(made, folder / name)
    return folder


def refusal(call: Callable[[], object]) -> InputError:
    with pytest.raises(InputError) as caught:
        call()
    return caught.value


# --- reading ------------------------------------------------------------------------------------------------------


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


# --- what is refused ----------------------------------------------------------------------------------------------

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


# --- dataset.yaml ---------------------------------------------------------------------------------------------------


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


# --- writing ------------------------------------------------------------------------------------------------------

numbers = st.one_of(st.just(float("nan")), st.floats(0.0, 1.0))


@st.composite
def outcome_sets(draw: st.DrawFn) -> Outcomes:
    """Small sets with missing cells; every query and every model has at least one."""
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 4)))
    score, cost, written = (draw(hnp.arrays(np.float64, shape, elements=numbers)) for _ in range(3))
    bare = np.isnan(score) & np.isnan(cost)
    score[bare.all(axis=1), 0] = 0.5
    bare = np.isnan(score) & np.isnan(cost)
    score[0, bare.all(axis=0)] = 0.25
    written[np.isnan(score) & np.isnan(cost)] = np.nan
    texts = draw(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"])).filter(str.strip), min_size=shape[0], max_size=shape[0]
        )
    )
    sent = draw(hnp.arrays(np.float64, shape[0], elements=st.floats(0, 1e6)))
    ids = [f"q{number}" for number in draw(st.permutations(range(shape[0])))]
    models = tuple(f"provider/m{number}" for number in range(shape[1]))
    return Outcomes(ids, texts, [f"d{len(t) % 2}" for t in texts], models, score, cost, written, sent, "a set")


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


# --- what a benchmark can use ---------------------------------------------------------------------------------------


def grid(score: list[list[float]], cost: list[list[float]] | None = None) -> Outcomes:
    points = np.array(score)
    rows, models = points.shape
    names = [f"q{row}" for row in range(rows)]
    money = np.ones_like(points) if cost is None else np.array(cost)
    return Outcomes(
        names, names, names, tuple(f"m{m}" for m in range(models)), points, money, np.zeros_like(points), np.ones(rows)
    )


NAN = float("nan")


def test_complete_by_hand() -> None:
    """First the thin model goes, then the rows that the others leave open; a missing cost is as missing as a score."""
    made = grid(
        [[1, 0, NAN], [1, NAN, NAN], [0, 1, 1], [0, 0, NAN]],
        [[1, 1, 1], [1, 1, 1], [1, 1, 1], [NAN, 1, 1]],
    )
    kept, left_out = complete(made, 0.7)
    assert kept.models == ("m0", "m1")
    assert kept.prompt_ids == ["q0", "q2"]
    assert left_out.models == (("m2", 0.25),)
    assert (left_out.rows, left_out.rows_kept, left_out.models_kept) == (2, 2, 2)
    assert str(left_out) == (
        "left out 1 model: m2 25.0% (recorded on fewer than 70.0% of the rows) and 2 incomplete rows: "
        "2 rows x 2 models kept"
    )


def test_complete_keeps_all_of_a_full_set() -> None:
    """Nothing missing, nothing left out, and one line that says so."""
    kept, left_out = complete(grid([[1, 0], [0, 1]]), 1.0)
    assert len(kept) == 2
    assert str(left_out) == "nothing left out: 2 rows x 2 models kept"


def test_a_long_list_of_models_is_cut() -> None:
    """Five names, then how many more."""
    score = np.full((4, 9), NAN)
    score[:, 0] = 1.0
    score[0] = 1.0
    text = str(complete(grid(score.tolist()), 0.9)[1])
    assert text.startswith("left out 8 models: m1 25.0%, m2 25.0%, m3 25.0%, m4 25.0%, m5 25.0% and 3 more")


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, NAN])
def test_an_impossible_coverage_is_refused(share: float) -> None:
    """It is a share in (0, 1]."""
    assert refusal(lambda: complete(grid([[1.0]]), share)).place == "--min-coverage"


def test_nothing_left_is_an_error() -> None:
    """With every model too thin, or no row whole, it says what to lower."""
    assert "lower --min-coverage" in refusal(lambda: complete(grid([[1, NAN], [NAN, 1]]), 0.9)).remedy
    assert "no row is complete" in refusal(lambda: complete(grid([[1, NAN], [NAN, 1]]), 0.5)).what


@settings(max_examples=100, deadline=None)
@given(outcome_sets(), st.floats(0.05, 1.0))
def test_complete_against_brute_force(made: Outcomes, share: float) -> None:
    """Cell by cell the same models and rows; what is kept has no gap."""
    cells = ~np.isnan(made.score) & ~np.isnan(made.cost_usd)
    models = [m for m in range(len(made.models)) if sum(cells[:, m]) >= share * len(made) - 1e-9]
    rows = [q for q in range(len(made)) if models and all(cells[q, m] for m in models)]
    if not rows:
        refusal(lambda: complete(made, share))
        return
    kept, left_out = complete(made, share)
    assert kept.models == tuple(made.models[m] for m in models)
    assert kept.prompt_ids == [made.prompt_ids[q] for q in rows]
    assert not np.isnan(kept.score).any()
    assert not np.isnan(kept.cost_usd).any()
    assert len(left_out.models) + left_out.models_kept == len(made.models)
    assert left_out.rows + left_out.rows_kept == len(made)


# --- the log ------------------------------------------------------------------------------------------------------


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


def test_an_id_follows_from_the_text() -> None:
    """The same text has the same id everywhere, even where it is not valid Unicode."""
    assert prompt_id_of("a") == prompt_id_of("a") == "ca978112ca1bbdcafac2"
    assert prompt_id_of("a") != prompt_id_of("b")
    assert len(prompt_id_of("\ud800")) == 20
