"""`bench deferral` from the command line to the saved rows, on a small set."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pointsman.cli import main
from pointsman.cli.deferral import parse_probes
from pointsman.errors import InputError
from pointsman.outcomes import read, write

# In this process: starting workers takes longer than the small trials.
BENCH = ("bench", "deferral", "--workers", "1", "--trials", "2")
METHODS = "zero,knn,kmeans,matfac-retrained,oracle"


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Exit code of `pointsman WORDS`."""
    monkeypatch.setattr("sys.argv", ["pointsman", *words])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.fixture(scope="module")
def finished(small_set: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[str]]:
    """One bench: its folder, its JSON, its words."""
    out = tmp_path_factory.mktemp("deferral") / "out"
    words = [*BENCH, "--data", str(small_set), "--methods", METHODS, "--probes", "10,50", "--out", str(out)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POINTSMAN_CACHE", str(out.parent / "cache"))
        assert run(patch, *words, "--json", str(out.parent / "o.json")) == 0
    return out, json.loads((out.parent / "o.json").read_text()), words


def test_json_has_the_promised_shape(finished: tuple[Path, dict[str, Any], list[str]]) -> None:
    """A trial a method, number of probes and parting, and a summary by method for the most probes."""
    _, found, _ = finished
    assert "simulated" in found["dataset"]
    assert len(found["trials"]) == 2 * 2 * 5
    assert {trial["method"] for trial in found["trials"]} == set(METHODS.split(",")) == set(found["summary"])
    for trial in found["trials"]:
        assert {"trial", "method", "area", "area50", "qnc", "peak", "seconds"} <= set(trial)
    for summary in found["summary"].values():
        assert {"area_mean", "area_sd", "qnc_median", "peak_mean", "beats_zero", "beats_knn", "beats_kmeans"} <= set(
            summary
        )
    assert found["summary"] == found["by_probes"]["50"]["random"]
    assert found["summary"]["oracle"]["beats_zero"] == 1.0


def test_the_folder_holds_rows_atlas_and_report(finished: tuple[Path, dict[str, Any], list[str]]) -> None:
    """A page that loads nothing from outside, beside the rows that it is made of."""
    out, _, _ = finished
    assert {"meta.json", "trials.jsonl", "atlas.json"} <= {path.name for path in out.iterdir()}
    page = next(out.glob("*.html")).read_text()
    assert "matfac-retrained" in page
    assert 'src="http' not in page


def test_the_same_command_makes_no_row_twice(
    finished: tuple[Path, dict[str, Any], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resuming a finished bench changes no row; another seed in the same folder is refused."""
    out, _, words = finished
    before = (out / "trials.jsonl").read_bytes()
    assert run(monkeypatch, *words) == 0
    assert run(monkeypatch, *words, "--seed", "1") == 2
    assert (out / "trials.jsonl").read_bytes() == before


def test_shift_and_static_run(small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole tasks held out, a pool of known models, estimated costs, picked probes."""
    monkeypatch.setenv("POINTSMAN_CACHE", str(tmp_path / "cache"))
    words = [*BENCH, "--data", str(small_set), "--methods", "zero,kmeans", "--json", str(tmp_path / "o.json")]
    for more in (["--shift", "--costs", "estimated"], ["--static"], ["--probing", "picked", "--probes", "10"]):
        assert run(monkeypatch, *words, *more) == 0
        assert len(json.loads((tmp_path / "o.json").read_text())["trials"]) == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--methods", "nobody"], "--methods: method 'nobody' is unknown"),
        (["--probes", "51"], "a trial has 50 validation prompts; use 1 to 50"),
        (["--probes", "many"], "'many' is no list of whole numbers"),
        (["--trials", "0"], "--trials"),
        (["--costs", "none"], "--costs"),
        (["--workers", "0"], "--workers"),
        (["--seed", "-1"], "--seed"),
        (["--static", "--probes", "5"], "a static pool has no probes"),
        (["--embedder", "nothing"], "is no embedder"),
        (["--data", "nowhere"], "there is no such folder"),
    ],
)
def test_bad_input_is_one_message(
    small_set: Path, words: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and a message that names the thing, the place and the remedy; no trace."""
    assert run(monkeypatch, "bench", "deferral", "--data", str(small_set), *words) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert told in error
    assert "Traceback" not in error


def test_one_task_cant_be_shifted(
    small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A set without tasks says so."""
    outcomes = read(small_set)
    write(replace(outcomes, datasets=["one"] * len(outcomes)), tmp_path / "one")
    assert run(monkeypatch, "bench", "deferral", "--data", str(tmp_path / "one"), "--shift") == 2
    assert "all prompts are of one task" in " ".join(capsys.readouterr().err.split())


def test_numbers_of_probes() -> None:
    """One number or several with commas."""
    assert parse_probes(None) == ()
    assert parse_probes("16, 64,100") == (16, 64, 100)
    for text in ("", "0", "1.5", "-3", "²"):
        with pytest.raises(InputError, match="--probes"):
            parse_probes(text)
