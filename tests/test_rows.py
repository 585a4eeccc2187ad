"""The saved rows: what is written is what is read, what is torn is left out, what is malformed is named."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_rows import make_meta, make_rows, make_run, make_trace, save
from pointsman.errors import InputError
from pointsman.evaluate.json_files import write_aside
from pointsman.evaluate.rows import Rows
from pointsman.evaluate.rows_folder import RunWriter, read_rows

# ---- an example by hand


def test_a_saved_run_is_one_json_line_with_null_for_an_undefined_quotient(tmp_path: Path) -> None:
    """A run is one line of JSON with the field names of the contract; nothing spent means no efficiency, not zero."""
    meta = make_meta(2)
    run = make_run(meta, "paced", 0, cost_usd=0.0, efficiency=math.nan, key="a")
    save(Rows(meta, (run,), {}), tmp_path)
    lines = (tmp_path / "runs.jsonl").read_text().splitlines()
    assert len(lines) == 1
    saved = json.loads(lines[0])
    assert list(saved)[:7] == ["key", "policy", "split", "factor", "order", "scenario", "test"]
    assert saved["efficiency"] is None
    assert saved["served_by"] == dict(run.served_by)
    assert json.loads((tmp_path / "meta.json").read_text())["left_out"] == meta.left_out


# ---- what is written is what is read


amounts = st.floats(0, 1e12)

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@settings(max_examples=40)
@given(
    performance=amounts,
    relative=amounts | st.just(math.nan),
    names=st.lists(words, min_size=1, max_size=4, unique=True),
)
def test_any_run_reads_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, performance: float, relative: float, names: list[str]
) -> None:
    """Whatever the figures and names (line ends and quotes included), reading gives the run that was appended."""
    folder = tmp_path_factory.mktemp("rows")
    counts = {name: place for place, name in enumerate(names)}
    money = {name: 0.1 * place for place, name in enumerate(names)}
    served = sum(counts.values())
    run = make_run(
        make_meta(2),
        names[0],
        0,
        performance=performance,
        relative=relative,
        budget=money,
        spent=money,
        served_by=counts,
        served=served,
    )
    rows = Rows(make_meta(2), (run,), {run.key: make_trace(run, 3)})
    read = read_rows(save(rows, folder))
    assert repr(read.runs) == repr(rows.runs)
    assert repr(read.traces) == repr(rows.traces)
    assert read.meta == rows.meta


def test_numpy_numbers_are_saved_as_plain_ones(tmp_path: Path) -> None:
    """A runner's NumPy scalars need no conversion, and come back as Python's."""
    meta = make_meta(2)
    run = make_run(meta, "paced", 0, k=np.int64(3), performance=np.float64(2.5), seconds=np.float32(0.5))
    read = read_rows(save(Rows(meta, (run,), {}), tmp_path)).runs[0]
    assert (read.k, read.performance, read.seconds) == (3, 2.5, 0.5)
    assert type(read.k) is int


# ---- interruptions


@settings(max_examples=25)
@given(st.data())
def test_an_interruption_at_any_byte_loses_the_run_in_progress_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Cut the file anywhere: the whole lines are read, the rest is not, and resuming completes the same rows."""
    rows = make_rows(make_meta(2), policies=("port", "paced"), orders=2, points=3)
    folder = save(rows, tmp_path_factory.mktemp("rows"))
    whole = (folder / "runs.jsonl").read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    (folder / "runs.jsonl").write_bytes(whole[:cut])
    assert read_rows(folder).runs == rows.runs[: whole[:cut].count(b"\n")]
    with RunWriter(folder, rows.meta) as writer:
        for run in rows.runs:
            if run.key not in writer.done_keys():
                writer.append(run, rows.traces.get(run.key))
    assert read_rows(folder).runs == rows.runs
    assert repr(read_rows(folder).traces) == repr(dict(rows.traces))


def test_a_run_is_on_the_disk_before_append_returns(tmp_path: Path) -> None:
    """Another reader sees every appended run while the writer is still open."""
    rows = make_rows(make_meta(2), policies=("port",), orders=2)
    with RunWriter(tmp_path, rows.meta) as writer:
        for done, run in enumerate(rows.runs, start=1):
            writer.append(run)
            assert len(read_rows(tmp_path).runs) == done
        assert writer.done_keys() == {run.key for run in rows.runs}


def test_a_trace_without_its_run_is_ignored(tmp_path: Path) -> None:
    """The trace goes first, so an interruption may leave one without its run: it doesn't count."""
    rows = make_rows(make_meta(2), policies=("port", "paced"), orders=1)
    save(rows, tmp_path)
    lines = (tmp_path / "runs.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "runs.jsonl").write_bytes(lines[0])
    assert set(read_rows(tmp_path).traces) == {rows.runs[0].key}


# ---- refusals


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("performance", "much", "`performance` is 'much', expected a finite number of at least zero"),
        ("performance", -1, "`performance` is -1"),
        ("performance", 10**400, "`performance` is 1000"),
        ("order", 1.5, "`order` is 1.5, expected a whole number of at least zero"),
        ("order", True, "`order` is True"),
        ("policy", "", "`policy` is '', expected text"),
        ("budget", [1], "`budget` is [1], expected an object"),
        ("spent", {"elsewhere": 1.0}, "`spent` and `budget` name different funds"),
        ("served", 1, "contradict each other"),
        ("colour", "red", "`colour` is not a known field"),
        ("seconds", None, "`seconds` is None"),
    ],
)
def test_a_malformed_line_is_named_with_its_file_line_and_field(
    tmp_path: Path, field: str, value: object, told: str
) -> None:
    """Strict reading: the second line's fault is told with the file and the line, and with what to do."""
    rows = make_rows(make_meta(2), policies=("port",), orders=2)
    path = save(rows, tmp_path) / "runs.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(first + "\n" + json.dumps({**json.loads(second), field: value}) + "\n")
    with pytest.raises(InputError) as refusal:
        read_rows(tmp_path)
    assert refusal.value.place == f"{path}, line 2"
    assert told in refusal.value.what
    assert refusal.value.remedy


@pytest.mark.parametrize("line", [b"not json", b"[]", b"\xff\xfe", b"{}", b"", b"null"])
def test_a_line_that_is_no_row_is_refused(tmp_path: Path, line: bytes) -> None:
    """Whatever stands on a whole line must be a row."""
    rows = make_rows(make_meta(2), policies=("port",), orders=1)
    path = save(rows, tmp_path) / "runs.jsonl"
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(InputError, match="line 2"):
        read_rows(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"), [("at", [0.0, 2.0]), ("at", [1.0, 0.0]), ("performance", [1.0]), ("served_by", {"m": [1.5, 2]})]
)
def test_a_malformed_trace_is_refused(tmp_path: Path, field: str, value: object) -> None:
    """Series of unequal length, shares out of order or range, and broken counts are told with their line."""
    rows = make_rows(make_meta(2), policies=("port",), orders=1, points=2)
    path = save(rows, tmp_path) / "traces.jsonl"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}) + "\n")
    with pytest.raises(InputError, match=r"traces\.jsonl, line 1"):
        read_rows(tmp_path)


def test_a_folder_without_a_bench_is_refused(tmp_path: Path) -> None:
    """No meta.json: not a bench's folder; a broken one is told, not guessed around."""
    with pytest.raises(InputError, match="no such file"):
        read_rows(tmp_path)
    (tmp_path / "meta.json").write_text('{"dataset": "x"}')
    with pytest.raises(InputError, match="`command` is missing"):
        read_rows(tmp_path)
    (tmp_path / "meta.json").write_text('{"dataset"')
    with pytest.raises(InputError, match="not JSON"):
        read_rows(tmp_path)


def test_the_same_key_twice_is_refused_both_ways(tmp_path: Path) -> None:
    """A run can't be appended twice, and a file that holds one twice is not read."""
    rows = make_rows(make_meta(2), policies=("port",), orders=1)
    with RunWriter(tmp_path, rows.meta) as writer:
        writer.append(rows.runs[0])
        with pytest.raises(InputError, match="there already"):
            writer.append(rows.runs[0])
    path = tmp_path / "runs.jsonl"
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(InputError, match="line 2"):
        read_rows(tmp_path)


def test_values_that_are_not_fit_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    """A NaN performance is a defect of the runner: refused, and the file stays as it was."""
    meta = make_meta(2)
    with RunWriter(tmp_path, meta) as writer:
        with pytest.raises(InputError, match="performance"):
            writer.append(make_run(meta, "port", 0, performance=math.nan))
        with pytest.raises(InputError, match="another one"):
            writer.append(make_run(meta, "port", 0), make_trace(make_run(meta, "port", 1)))
    assert (tmp_path / "runs.jsonl").read_bytes() == b""


def test_two_writers_at_once_are_refused_and_one_after_the_other_are_not(tmp_path: Path) -> None:
    """Two benches into one folder would interleave their lines."""
    meta = make_meta(2)
    with RunWriter(tmp_path, meta), pytest.raises(InputError, match="another bench is writing"):
        RunWriter(tmp_path, meta)
    RunWriter(tmp_path, meta).close()


def test_a_refused_folder_is_let_go(tmp_path: Path) -> None:
    """A trace that can't be read is told on opening, and once it is mended the folder can be opened."""
    meta = make_meta(2)
    RunWriter(tmp_path, meta).close()
    (tmp_path / "traces.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match=r"traces\.jsonl, line 1"):
        RunWriter(tmp_path, meta)
    (tmp_path / "traces.jsonl").unlink()
    RunWriter(tmp_path, meta).close()


def test_another_bench_is_not_mixed_in_but_more_orders_of_the_same_one_are(tmp_path: Path) -> None:
    """Rows of another data set, seed or sweep are refused; a longer command resumes and is remembered."""
    meta = make_meta(2)
    RunWriter(tmp_path, meta).close()
    for other in (replace(meta, dataset="else"), replace(meta, seed=1), replace(meta, sweep="factor")):
        with pytest.raises(InputError, match="give another --out"):
            RunWriter(tmp_path, other)
    RunWriter(tmp_path, replace(meta, command="pointsman bench budget --orders 9")).close()
    assert read_rows(tmp_path).meta.command.endswith("--orders 9")


def test_write_aside_leaves_the_old_file_whole_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure before the rename changes nothing and leaves nothing behind."""
    path = tmp_path / "table.json"
    write_aside(path, b"old")

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("pointsman.evaluate.json_files.os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_aside(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
