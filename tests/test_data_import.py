"""Foreign tables into outcome folders."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.evaluate.data.importers import ImportReport, import_file
from pointsman.evaluate.data.tables import read_raw
from pointsman.outcomes import About, prompt_id_of, read, read_about

LONG: list[dict[str, Any]] = [
    {"prompt": "one, two", "model": "a", "score": 1, "cost_usd": 0.25, "output_tokens": 7},
    {"prompt": "one, two", "model": "b", "score": 0.5, "cost_usd": 0.5, "output_tokens": None},
    {"prompt": 'three\n"four"', "model": "a", "score": 0, "cost_usd": 1e-6, "output_tokens": 9},
]


def save(rows: list[dict[str, Any]], path: Path) -> Path:
    """The rows in the format that the file's name says."""
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    with io.StringIO(newline="") as file:
        if kind == "jsonl":
            file.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if kind == "tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
        data = file.getvalue().encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def bring(path: Path, **options: Any) -> ImportReport:
    return import_file(path, path.parent / "set", **options)


def refusal(path: Path, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        bring(path, **options)
    assert not (path.parent / "set").exists()
    return caught.value


# --- the long shape -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.jsonl", "t.jsonl.gz", "t.parquet"])
def test_the_same_table_in_every_format(tmp_path: Path, name: str) -> None:
    """Quotes, commas, line breaks, empty cells: the same outcomes out of CSV, TSV, JSON lines and parquet."""
    report = bring(save(LONG, tmp_path / name))
    found = read(tmp_path / "set")
    assert found.texts == ["one, two", 'three\n"four"']
    assert found.prompt_ids == [prompt_id_of(text) for text in found.texts]
    np.testing.assert_array_equal(found.score, [[1.0, 0.5], [0.0, np.nan]])
    np.testing.assert_array_equal(found.cost_usd, [[0.25, 0.5], [1e-6, np.nan]])
    np.testing.assert_array_equal(found.output_tokens, [[7, np.nan], [9, np.nan]])
    assert found.datasets == ["t", "t"]
    assert (report.layout, report.rows_read, report.outcomes) == ("long", 3, 3)
    assert (report.queries, report.models, report.missing_cells, report.rejected) == (2, 2, 1, {})


def test_names_are_found_by_alias_and_by_mapping(tmp_path: Path) -> None:
    """Usual other names are known; the rest is mapped; the report says which column became which."""
    rows = [
        {"question": "q", "llm": "m", "label": "true", "price": 0.5, "eval_name": "task", "question_id": 7, "tok": 3}
    ]
    report = bring(save(rows, tmp_path / "t.jsonl"), mapping={"cost_usd": "price", "input_tokens": "tok"})
    found = read(tmp_path / "set")
    assert (found.prompt_ids, found.datasets, found.models) == (["7"], ["task"], ("m",))
    assert found.score.item() == 1.0
    assert found.input_tokens.item() == 3.0
    assert report.columns["cost_usd"] == "price"
    assert report.columns["prompt"] == "question"
    assert "output_tokens" not in report.columns


def test_what_the_set_is_called(tmp_path: Path) -> None:
    """Title and source default to the file's name; what is given is kept."""
    bring(save(LONG, tmp_path / "mine.csv"))
    assert read_about(tmp_path / "set") == About("mine", source="mine.csv")
    bring(save(LONG, tmp_path / "mine.csv"), about=About("T", "CC0", "lab", "n"), overwrite=True)
    assert read_about(tmp_path / "set") == About("T", "CC0", "lab", "n")


def test_money_is_not_guessed(tmp_path: Path) -> None:
    """A column `cost` may be cents: it has to be mapped, and the message says how."""
    rows = [{"prompt": "q", "model": "m", "score": 1, "cost": 3}]
    error = refusal(save(rows, tmp_path / "t.csv"))
    assert error.what == "no column for `cost_usd`"
    assert "--map cost_usd=COLUMN" in error.remedy
    assert "`cost`" in error.remedy


def test_a_mapping_that_fits_nothing_is_refused(tmp_path: Path) -> None:
    """An unknown column of ours, an unknown column of theirs with the nearest name."""
    path = save(LONG, tmp_path / "t.csv")
    assert "`price` is no column of ours" in refusal(path, mapping={"price": "score"}).what
    assert refusal(path, mapping={"prompt": "promt"}).remedy == "did you mean `prompt`"


BAD = [
    ({"score": "good"}, "score", "is not a number"),
    ({"score": 1.5}, "score", "is above 1"),
    ({"score": -1}, "score", "is negative"),
    ({"score": "inf"}, "score", "is not a number"),
    ({"cost_usd": -0.5}, "cost_usd", "is negative"),
    ({"cost_usd": "$3"}, "cost_usd", "is not a number"),
    ({"output_tokens": "-1"}, "output_tokens", "is negative"),
    ({"prompt": ""}, "prompt", "is missing"),
    ({"model": "  "}, "model", "is missing"),
    ({"model": "a"}, "model", "appears again for the same prompt_id"),
]


@pytest.mark.parametrize(("change", "column", "reason"), BAD)
@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_bad_row_is_named(tmp_path: Path, name: str, change: dict[str, Any], column: str, reason: str) -> None:
    """Row, column, reason and both ways out; with skip_bad the rest is imported and the row counted."""
    path = save([LONG[0], LONG[1] | change, LONG[2]], tmp_path / name)
    error = refusal(path)
    assert error.what == reason
    assert error.place == f"{path}, row 2, column `{column}`"
    assert "--skip-bad" in error.remedy
    report = bring(path, skip_bad=True)
    assert report.rejected == {reason: 1}
    assert [(bad.row, bad.column) for bad in report.examples] == [(2, column)]
    assert report.outcomes == 2


@pytest.mark.parametrize("text", ["", "NA", "NaN", "null", " none "])
def test_nothing_is_not_bad(tmp_path: Path, text: str) -> None:
    """An empty score is a missing cell, not a bad row."""
    report = bring(save([LONG[0], LONG[1] | {"score": text}, LONG[2]], tmp_path / "t.csv"))
    assert report.rejected == {}
    assert (report.outcomes, report.missing_cells) == (3, 2)


def test_one_id_with_two_texts_or_tasks_is_refused(tmp_path: Path) -> None:
    """The later row is the bad one."""
    rows = [row | {"prompt_id": "q", "prompt": "x", "dataset": "d"} for row in LONG[:2]]
    assert "differs from an earlier row" in refusal(save([rows[0], rows[1] | {"prompt": "y"}], tmp_path / "t.csv")).what
    error = refusal(save([rows[0], rows[1] | {"dataset": "e"}], tmp_path / "t.csv"))
    assert error.place.endswith("row 2, column `dataset`")


def test_ragged_csv_rows_are_counted_from_the_first_row(tmp_path: Path) -> None:
    """A row with too few cells is named by its number, and the numbers behind it do not shift."""
    path = tmp_path / "t.csv"
    path.write_text("prompt,model,score,cost_usd\na,m,1,1\nb,m\n\nc,m,1,1\nd,m,9,1\n")
    error = refusal(path)
    assert (error.what, error.place) == ("has 2 columns instead of 4", f"{path}, row 2")
    report = bring(path, skip_bad=True)
    assert report.rejected == {"has 2 columns instead of 4": 1, "is above 1": 1}
    assert report.examples[1].row == 4
    assert report.rows_read == 4


def test_broken_json_lines_are_named(tmp_path: Path) -> None:
    """Not JSON, not an object, a list where a text belongs; line numbers count blank lines."""
    path = tmp_path / "t.jsonl"
    good = json.dumps(LONG[0])
    path.write_text("\n".join([good, "", "{", "[1]", json.dumps(LONG[1] | {"prompt": ["x"]})]) + "\n")
    assert refusal(path).place == f"{path}, row 3"
    report = bring(path, skip_bad=True)
    assert report.rejected == {"is not a JSON object": 2, "is missing": 1}
    assert report.outcomes == 1


def test_parquet_types_that_are_neither_text_nor_number(tmp_path: Path) -> None:
    """A nested prompt column is refused as a whole, a nested score cell by cell, dates are no numbers."""
    rows = {"prompt": [["x"]], "model": ["m"], "score": [1.0], "cost_usd": [1.0]}
    pq.write_table(pa.table(rows), tmp_path / "t.parquet")
    assert "expected text" in refusal(tmp_path / "t.parquet").what
    pq.write_table(pa.table(rows | {"prompt": ["x"], "score": [[1.0]]}), tmp_path / "t.parquet")
    assert refusal(tmp_path / "t.parquet").what == "is not a number"
    pq.write_table(pa.table(rows | {"prompt": ["x"], "score": pd.to_datetime(["2024-01-01"])}), tmp_path / "t.parquet")
    assert refusal(tmp_path / "t.parquet").what == "is not a number"


def test_parquet_dictionaries_and_booleans(tmp_path: Path) -> None:
    """Categories as pandas writes them, a boolean score, NaN for nothing."""
    frame = pd.DataFrame({"prompt": ["x", "y"], "model": ["m", "m"], "score": [True, False], "cost_usd": [0.1, np.nan]})
    frame.astype({"model": "category"}).to_parquet(tmp_path / "t.parquet")
    bring(tmp_path / "t.parquet")
    found = read(tmp_path / "set")
    assert found.score.ravel().tolist() == [1.0, 0.0]
    assert np.isnan(found.cost_usd[1, 0])


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"a,a\n1,2\n", "column `a` appears twice"),
        ("t.csv", b"prompt,model,score,cost_usd\n", "no usable row is left"),
        ("t.csv", b"prompt,model,score,cost_usd\n\xff,m,1,1\n", "is not readable as CSV in UTF-8"),
        ("t.csv.gz", b"no gzip", "is not readable as CSV in UTF-8"),
        ("t.jsonl.gz", b"no gzip", "cannot be read to its end"),
        ("t.jsonl", b"", "no column for `prompt`"),
        ("t.parquet", b"PAR1", "is not a readable parquet file"),
        ("t.xlsx", b"", "has an unknown ending"),
    ],
)
def test_files_that_are_not_what_they_say(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    """Each is one clear error and no folder."""
    (tmp_path / name).write_bytes(content)
    assert refusal(tmp_path / name).what == what


def test_no_file_and_a_taken_folder(tmp_path: Path) -> None:
    """Both are found before anything is read or written."""
    assert "no such file" in refusal(tmp_path / "none.csv").what
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "x").touch()
    with pytest.raises(InputError, match="not empty"):
        bring(save(LONG, tmp_path / "t.csv"))


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    """As Excel writes CSV."""
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfprompt,model,score,cost_usd\na,m,1,1\n")
    assert bring(path).outcomes == 1


# --- RouterBench's wide shape ---------------------------------------------------------------------------------------

WIDE: list[dict[str, Any]] = [
    {
        "sample_id": "a.1",
        "prompt": "['one', 'two']",
        "eval_name": "task",
        "gpt-4": 1.0,
        "org/small": 0.25,
        "gpt-4|model_response": "x" * 9,
        "gpt-4|total_cost": 0.5,
        "org/small|total_cost": 0.125,
        "oracle_model_to_route_to": "gpt-4",
    },
    {
        "sample_id": "a.2",
        "prompt": "[not a list",
        "eval_name": "task",
        "gpt-4": None,
        "org/small": 1.0,
        "gpt-4|model_response": "",
        "gpt-4|total_cost": None,
        "org/small|total_cost": 0.25,
        "oracle_model_to_route_to": "org/small",
    },
]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_the_wide_shape_by_hand(tmp_path: Path, name: str) -> None:
    """One row a query, two columns a model: found by `|total_cost`; turns are joined, answers' lengths are tokens."""
    report = bring(save(WIDE, tmp_path / name))
    found = read(tmp_path / "set")
    assert report.layout == "wide"
    assert found.models == ("gpt-4", "org/small")
    assert found.prompt_ids == ["a.1", "a.2"]
    assert found.texts == ["one\n\ntwo", "[not a list"]
    assert found.datasets == ["task", "task"]
    np.testing.assert_array_equal(found.score, [[1.0, 0.25], [np.nan, 1.0]])
    np.testing.assert_array_equal(found.cost_usd, [[0.5, 0.125], [np.nan, 0.25]])
    assert found.output_tokens[0, 0] == 3.0  # nine characters
    assert np.isnan(found.output_tokens[:, 1]).all()
    assert (report.rows_read, report.outcomes, report.missing_cells) == (2, 3, 1)


def test_a_bad_wide_cell_names_the_models_column(tmp_path: Path) -> None:
    """And with skip_bad only that cell is lost, not its row."""
    path = save([WIDE[0] | {"org/small|total_cost": -1}, WIDE[1]], tmp_path / "t.csv")
    assert refusal(path).place == f"{path}, row 1, column `org/small|total_cost`"
    report = bring(path, skip_bad=True)
    assert report.rejected == {"is negative": 1}
    assert report.outcomes == 2


def test_a_wide_model_without_scores_is_refused(tmp_path: Path) -> None:
    """`X|total_cost` without `X`."""
    rows = [{key: value for key, value in row.items() if key != "gpt-4"} for row in WIDE]
    assert "no column `gpt-4`" in refusal(save(rows, tmp_path / "t.csv")).what


# --- against other readers ------------------------------------------------------------------------------------------

cells = st.fixed_dictionaries(
    {
        "prompt": st.sampled_from(["p", "q, r", 's "t"', "u\nv", "Ω"]),
        "model": st.sampled_from(["a", "b", "c"]),
        "score": st.one_of(st.none(), st.floats(0, 1)),
        "cost_usd": st.one_of(st.none(), st.floats(0, 1e3)),
    }
)


@settings(max_examples=40, deadline=None)
@given(st.lists(cells, min_size=1, max_size=12, unique_by=lambda row: (row["prompt"], row["model"])))
def test_against_pandas(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    """The folder holds what pandas pivots out of the same CSV file."""
    if all(row["score"] is None and row["cost_usd"] is None for row in rows):
        return
    path = save(rows, tmp_path_factory.mktemp("pivot") / "t.csv")
    bring(path)
    found = read(path.parent / "set")
    frame = pd.read_csv(path).dropna(subset=["score", "cost_usd"], how="all")
    for column, values in (("score", found.score), ("cost_usd", found.cost_usd)):
        wanted = frame.pivot(index="prompt", columns="model", values=column).loc[found.texts, list(found.models)]
        np.testing.assert_allclose(values, wanted.to_numpy(), rtol=1e-12)


def test_rows_are_numbered_as_in_the_file(tmp_path: Path) -> None:
    """JSON lines keep their line numbers, CSV its data rows."""
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1}\n\n{"a": 2, "b": true}\n')
    raw = read_raw(path)
    assert raw.rows.tolist() == [1, 3]
    assert raw.columns["a"].to_pylist() == ["1", "2"]
    assert raw.columns["b"].to_pylist() == [None, "true"]
