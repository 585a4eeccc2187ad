"""`bench budget` from the command line to the saved rows, on small sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pointsman.cli import main
from pointsman.decide.policies import POLICIES

BENCH = ("bench", "budget", "--workers", "1")  # in this process: starting workers takes longer than the small runs


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Exit code of `pointsman WORDS`."""
    monkeypatch.setattr("sys.argv", ["pointsman", *words])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.fixture(scope="module")
def finished(small_set: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """One bench of all policies: its folder and its JSON."""
    out = tmp_path_factory.mktemp("bench") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POINTSMAN_CACHE", str(out.parent / "cache"))
        code = run(patch, *BENCH, "--data", str(small_set), "--out", str(out), "--json", str(out.parent / "o.json"))
    assert code == 0
    return out, json.loads((out.parent / "o.json").read_text())


def test_json_has_the_promised_shape(finished: tuple[Path, dict[str, Any]]) -> None:
    """Counts, one run a policy with budgets and spending by fund, and a summary by policy."""
    _, found = finished
    assert (found["models"], found["test"], found["history"]) == (5, 275, 225)
    assert {run["policy"] for run in found["runs"]} == set(POLICIES) == set(found["summary"])
    for run in found["runs"]:
        assert {"split", "factor", "order", "scenario", "performance", "cost_usd", "efficiency", "served"} <= set(run)
        assert set(run["budget"]) == set(run["spent"])
        assert all(run["spent"][fund] <= run["budget"][fund] * (1 + 1e-9) for fund in run["budget"])
    assert {"performance_mean", "performance_sd"} <= set(found["summary"]["paced"])
    assert "simulated" in found["dataset"]


def test_relative_is_against_the_reference(finished: tuple[Path, dict[str, Any]]) -> None:
    """`relative` is performance over `approx-optimum`'s in the same order."""
    _, found = finished
    by_policy = {run["policy"]: run for run in found["runs"]}
    base = by_policy["approx-optimum"]
    assert base["relative"] == 1.0
    for run in by_policy.values():
        assert run["relative"] == pytest.approx(run["performance"] / base["performance"])


def test_the_report_is_one_page_and_pictures(finished: tuple[Path, dict[str, Any]]) -> None:
    """The folder holds the rows, a page that loads nothing from outside, and PNG pictures."""
    out, _ = finished
    page = next(out.glob("*.html")).read_text()
    assert "paced" in page
    assert "simulated" in page
    assert 'src="http' not in page
    assert list(out.glob("*.png"))


def test_the_same_command_makes_no_run_twice(
    finished: tuple[Path, dict[str, Any]], small_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resuming a finished bench changes no row; another bench in the same folder is refused."""
    out, _ = finished
    before = (out / "runs.jsonl").read_bytes()
    assert run(monkeypatch, *BENCH, "--data", str(small_set), "--out", str(out)) == 0
    assert (out / "runs.jsonl").read_bytes() == before
    assert run(monkeypatch, *BENCH, "--data", str(small_set), "--out", str(out), "--seed", "1") == 2
    assert (out / "runs.jsonl").read_bytes() == before


def test_interrupted_rows_are_made_again(
    finished: tuple[Path, dict[str, Any]], small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A torn last line costs that run alone: the next start makes it again with the same result."""
    done, _ = finished
    words = [*BENCH, "--data", str(small_set), "--out", str(tmp_path / "o"), "--policies", "paced,port"]
    assert run(monkeypatch, *words) == 0
    runs = tmp_path / "o" / "runs.jsonl"
    whole = runs.read_bytes()
    runs.write_bytes(whole[:-40])
    assert run(monkeypatch, *words) == 0

    def performances(data: bytes) -> dict[str, float]:
        return {line["policy"]: line["performance"] for line in map(json.loads, data.splitlines())}

    assert performances(runs.read_bytes()) == performances(whole)
    full = performances((done / "runs.jsonl").read_bytes())
    assert performances(whole).items() <= full.items()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "/nowhere"], "no such folder"),
        (["--policies", "packed"], "unknown"),
        (["--split", "fair"], "split"),
        (["--scenario", "flood"], "scenario"),
        (["--sweep", "time"], "sweep"),
        (["--factor", "0"], "factor"),
        (["--test", "500"], "leave no history"),
        (["--orders", "0"], "orders"),
        (["--workers", "0"], "workers"),
        (["--min-coverage", "2"], "coverage"),
        (["--embedder", "nothing"], "embedder"),
        (["--policies", "port", "--eps", "2"], "eps"),
        (["--policies", "knn-perf", "--k", "0"], "k is 0"),
    ],
)
def test_bad_options_end_with_one_sentence(
    words: list[str], said: str, small_set: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and one error that names the thing; no trace."""
    given = words if "--data" in words else ["--data", str(small_set), *words]
    assert run(monkeypatch, *BENCH, *given) == 2
    printed = capsys.readouterr().err
    assert said in " ".join(printed.split())
    assert "Traceback" not in printed


def test_workers_make_the_same_rows(small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two worker processes give the rows that one process gives, whatever order they finish in."""
    found = []
    for workers in ("1", "2"):
        out = tmp_path / f"{workers}.json"
        words = ["--workers", workers, "--policies", "paced,random", "--orders", "2", "--json", str(out)]
        assert run(monkeypatch, "bench", "budget", "--data", str(small_set), *words) == 0
        runs = json.loads(out.read_text())["runs"]
        found.append({(r["policy"], r["order"]): (r["performance"], r["served"], r["relative"]) for r in runs})
    assert found[0] == found[1]
    assert len(found[0]) == 6


def test_sweep_over_factor(small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep's runs carry what was swept, and more money never serves a great deal less."""
    out = tmp_path / "s.json"
    words = ["--data", str(small_set), "--sweep", "factor", "--policies", "paced", "--json", str(out)]
    assert run(monkeypatch, *BENCH, *words) == 0
    found = json.loads(out.read_text())
    curve = {run["factor"]: run["performance"] for run in found["runs"] if run["policy"] == "paced"}
    assert sorted(curve) == [n / 4 for n in range(1, 9)]
    assert curve[2.0] > curve[0.25]
