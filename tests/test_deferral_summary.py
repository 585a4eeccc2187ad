"""Deferral rows: kept, read back, summed up, laid out and exported."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from made_trials import deferral_meta, deferral_rows, trial_row
from pointsman.errors import InputError
from pointsman.evaluate.deferral.export import export_deferral
from pointsman.evaluate.deferral.records import ROWS_FILE, DeferralRows
from pointsman.evaluate.deferral.roster import FAMILY_TITLES, ROSTER, entry_of, in_order
from pointsman.evaluate.deferral.rows import DeferralWriter, read_deferral
from pointsman.evaluate.deferral.summary import against, base_of, summarise
from pointsman.evaluate.deferral.tables import deferral_table, probes_table
from pointsman.evaluate.render import to_markdown

# ---- an example by hand


def test_a_summary_by_hand() -> None:
    """Means, the sample deviation, the median with infinity, and shares in which a tie counts half."""
    rows = deferral_rows({"zero": [0.5, 0.6, 0.7, 0.8], "knn": [0.6, 0.6, 0.6, 0.9]})
    rows = replace(rows, rows=(*rows.rows[:6], *(replace(row, qnc=math.inf) for row in rows.rows[6:])))
    found = summarise(rows)["knn", 10, "random"]
    assert (found.trials, found.peak_mean) == (4, 1.0)
    assert found.area_mean == pytest.approx(0.675)
    assert found.area_sd == pytest.approx(0.15)
    assert found.qnc_median == math.inf
    assert found.beats_zero == (2 + 0.5) / 4
    assert found.beats_knn == 0.5
    assert found.beats_kmeans is None
    assert found.zero is not None
    assert found.zero.difference == pytest.approx(0.025)
    assert found.coverage is None


@pytest.mark.parametrize(("above", "below", "tied", "holds"), [(8, 0, 0, True), (7, 0, 3, False), (1, 12, 1, True)])
def test_the_sign_test_looks_at_trials_that_differ(above: int, below: int, tied: int, holds: bool) -> None:
    """Two-sided and exact, as SciPy has it, over the trials without a tie."""
    found = against([(1.0, 0.5)] * above + [(0.5, 1.0)] * below + [(0.5, 0.5)] * tied)
    assert found is not None
    assert found.p == pytest.approx(binomtest(above, above + below).pvalue)
    assert found.holds == holds
    assert found.share == (above + tied / 2) / (above + below + tied)


def test_nothing_to_compare() -> None:
    """Without a shared trial there is no comparison; with nothing but ties there is no difference."""
    assert against([]) is None
    tied = against([(0.5, 0.5 + 1e-15)])
    assert tied is not None
    assert (tied.share, tied.p) == (0.5, 1.0)
    with pytest.raises(InputError, match="no rows yet"):
        summarise(DeferralRows(deferral_meta(), ()))


def test_methods_are_compared_on_the_trials_that_both_have_run() -> None:
    """An interrupted bench compares what there is; other numbers of probes and other probing stay apart."""
    rows = (
        trial_row("zero", 0, 0.5),
        trial_row("zero", 1, 0.9),
        trial_row("knn", 0, 0.6),
        trial_row("knn", 1, 0.1, probes=5),
        trial_row("knn", 1, 0.2, probing="picked"),
    )
    found = summarise(DeferralRows(deferral_meta(), rows))
    assert found["knn", 10, "random"].beats_zero == 1.0
    assert found["knn", 5, "random"].beats_zero is None
    assert found["knn", 10, "picked"].beats_zero is None


def test_coverage_is_over_all_intervals() -> None:
    """Trials with more intervals count more."""
    rows = (
        trial_row("transfer", 0, 0.5, intervals=10, covered=9),
        trial_row("transfer", 1, 0.5, intervals=30, covered=21),
    )
    assert summarise(DeferralRows(deferral_meta(), rows))["transfer", 10, "random"].coverage == 0.75


# ---- the roster


def test_the_roster_keeps_one_order() -> None:
    """Every method has a line and a family; unknown names of old rows come with the published ones."""
    names = [entry.name for entry in ROSTER]
    assert in_order(reversed(names)) == names
    assert all(entry.about and not entry.about.endswith(".") for entry in ROSTER)
    assert {entry.family for entry in ROSTER} == set(FAMILY_TITLES)
    assert in_order(["transfer", "new", "knn"]) == ["knn", "new", "transfer"]
    assert not entry_of("oracle").ranked


# ---- the folder


@settings(max_examples=25)
@given(st.data())
def test_an_interruption_at_any_byte_loses_the_row_in_progress(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Cut the file anywhere: whole lines are read, and resuming completes the same rows."""
    folder = tmp_path_factory.mktemp("rows")
    rows = deferral_rows({"zero": [0.5, 0.6], "knn": [0.25, 1.0]}, qnc=math.inf)
    _save(rows, folder)
    assert read_deferral(folder) == rows
    whole = (folder / ROWS_FILE).read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    (folder / ROWS_FILE).write_bytes(whole[:cut])
    assert read_deferral(folder).rows == rows.rows[: whole[:cut].count(b"\n")]
    _save(rows, folder)
    assert read_deferral(folder) == rows


def _save(rows: DeferralRows, folder: Path) -> None:
    with DeferralWriter(folder, rows.meta) as writer:
        for row in rows.rows:
            if row.key not in writer.done_keys():
                writer.append(row)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("area", "much", "`area` is 'much', expected a finite number of at least zero"),
        ("area", 10**400, "`area` is 1000"),
        ("trial", True, "`trial` is True"),
        ("probing", "guessed", "expected one of random, picked"),
        ("quality", [0.5], "must have 101 values each"),
        ("covered", 3, "3 intervals held of 0"),
        ("colour", "red", "`colour` is not a known field"),
        ("relative_cost", 0.5, "expected a list"),
        ("method", None, "`method` is None, expected text"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, field: str, value: object, told: str) -> None:
    """The file, the line, the field and the remedy."""
    _save(deferral_rows({"zero": [0.5, 0.6]}), tmp_path)
    path = tmp_path / ROWS_FILE
    first, second = path.read_text().splitlines()
    path.write_text(first + "\n" + json.dumps({**json.loads(second), field: value}) + "\n")
    with pytest.raises(InputError) as refusal:
        read_deferral(tmp_path)
    assert refusal.value.place == f"{path}, line 2"
    assert told in refusal.value.what
    assert refusal.value.remedy


def test_other_benches_rows_are_not_mixed_in(tmp_path: Path) -> None:
    """Another seed, embedder or way of parting is refused; a longer command is the same bench; one writer at a time."""
    meta = deferral_meta()
    with DeferralWriter(tmp_path, meta) as writer:
        writer.append(trial_row("zero", 0, 0.5))
        with pytest.raises(InputError, match="key is there already"):
            writer.append(trial_row("zero", 0, 0.5))
        with pytest.raises(InputError, match="another bench is writing"):
            DeferralWriter(tmp_path, meta)
        with pytest.raises(InputError, match="`area` is nan"):
            writer.append(trial_row("zero", 1, math.nan))
    for other in (replace(meta, seed=1), replace(meta, embedder="fuse"), replace(meta, shift=True)):
        with pytest.raises(InputError, match="give another --out"):
            DeferralWriter(tmp_path, other)
    DeferralWriter(tmp_path, replace(meta, command="longer")).close()
    assert read_deferral(tmp_path).meta.command == "longer"
    with pytest.raises(InputError, match="bench deferral --out"):
        read_deferral(tmp_path / "nowhere")


# ---- the export


def test_the_export_has_the_promised_shape(tmp_path: Path) -> None:
    """Keys as promised; what is never reached, undefined or not run is null; the order of writing doesn't matter."""
    rows = deferral_rows({"knn": [0.6], "zero": [0.5]}, qnc=math.inf)
    export_deferral(rows, tmp_path / "one.json")
    export_deferral(replace(rows, rows=rows.rows[::-1]), tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    out = json.loads((tmp_path / "one.json").read_text())
    assert list(out) == ["dataset", "trials", "summary"]
    assert all(
        list(trial) == ["trial", "method", "area", "area50", "qnc", "peak", "seconds"] for trial in out["trials"]
    )
    assert list(out["summary"]) == ["zero", "knn"]
    assert out["summary"]["knn"] == {
        "area_mean": 0.6,
        "area_sd": None,
        "qnc_median": None,
        "peak_mean": 1.0,
        "beats_zero": 1.0,
        "beats_knn": 0.5,
        "beats_kmeans": None,
        "coverage": None,
    }
    with pytest.raises(InputError, match="no rows yet"):
        export_deferral(DeferralRows(deferral_meta(), ()), tmp_path / "three.json")
    assert not (tmp_path / "three.json").exists()


def test_several_numbers_of_probes_are_told_apart(tmp_path: Path) -> None:
    """Each trial says what it is of, the summary is of the most probes at random, `by_probes` has them all."""
    rows = (
        trial_row("zero", 0, 0.5),
        trial_row("zero", 0, 0.4, probes=5),
        trial_row("zero", 0, 0.6, probing="picked"),
    )
    found = DeferralRows(deferral_meta(), rows)
    assert base_of(found) == (10, "random")
    export_deferral(found, tmp_path / "out.json")
    out = json.loads((tmp_path / "out.json").read_text())
    assert [(one["probes"], one["probing"]) for one in out["trials"]] == [(5, "random"), (10, "random"), (10, "picked")]
    assert out["summary"]["zero"]["area_mean"] == 0.5
    assert {probes: list(ways) for probes, ways in out["by_probes"].items()} == {
        "5": ["random"],
        "10": ["random", "picked"],
    }
    assert out["by_probes"]["10"]["picked"]["zero"]["area_mean"] == 0.6
    picked = DeferralRows(deferral_meta(), rows[2:])
    assert base_of(picked) == (10, "picked")


# ---- the tables


def test_the_main_table_marks_the_best_ranked_method_and_the_sign_test() -> None:
    """Bold is the best of those that aren't clairvoyant; a star says that the sign test tells two methods apart."""
    areas = {"zero": [0.5] * 10, "transfer": [0.6] * 10, "oracle": [0.9] * 10}
    table = deferral_table(deferral_rows(areas))
    cells = {line.label: line.cells for section in table.sections for line in section.lines}
    assert [section.title for section in table.sections] == ["No look at the prompt", "Pointsman", "Clairvoyant"]
    assert cells["transfer"][0].best
    assert not cells["oracle"][0].best
    assert cells["transfer"][1].text == "+0.1000"
    assert cells["transfer"][5].text == "100*"
    assert cells["zero"][5].text == "–"
    assert "10 probes, 2 unseen models, 4 known ones, constant costs" in table.title
    assert "oracle ‡" in to_markdown(table)


def test_coverage_and_numbers_of_trials_have_columns_only_where_they_say_something() -> None:
    """No method with intervals, no column of them; all with the same trials, and the title says how many."""
    plain = deferral_table(deferral_rows({"zero": [0.5, 0.6], "knn": [0.5, 0.6]}))
    assert [column.name for column in plain.columns][-1] == "Seconds"
    assert plain.title.endswith("2 trials")
    rows = (trial_row("zero", 0, 0.5), trial_row("zero", 1, 0.5), trial_row("knn", 0, 0.6, intervals=10, covered=9))
    full = deferral_table(DeferralRows(deferral_meta(), rows))
    assert [column.name for column in full.columns][-3:] == ["Holds %", "Seconds", "Trials"]
    cells = {line.label: [cell.text for cell in line.cells][-3:] for section in full.sections for line in section.lines}
    assert cells == {"zero": ["–", "0.25", "2"], "knn": ["90.0", "0.25", "1"]}


def test_titles_say_what_was_held_out() -> None:
    """A static pool has no probes and no unseen model; a shift tests other tasks."""
    rows = deferral_rows({"zero": [0.5]}, probes=0)
    static = replace(rows, meta=deferral_meta(static=True, known=6, unseen=6, shift=True, costs="estimated"))
    assert "6 models, all labels, tested on other tasks, estimated costs" in deferral_table(static).title


def test_areas_against_the_number_of_probes() -> None:
    """A column a number of probes; what has not run shows a dash, never a zero."""
    rows = (trial_row("zero", 0, 0.5), trial_row("zero", 0, 0.4, probes=1), trial_row("knn", 0, 0.6))
    table = probes_table(DeferralRows(deferral_meta(), rows))
    assert [column.name for column in table.columns] == ["Method", "1 probe", "10 probes"]
    cells = {line.label: [cell.text for cell in line.cells] for section in table.sections for line in section.lines}
    assert cells == {"zero": ["0.4000", "0.5000"], "knn": ["–", "0.6000"]}
    assert asdict(rows[0])["probes"] == 10
