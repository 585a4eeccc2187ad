"""`bench plugin` from the command line to the saved rows, on a small simulated set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pointsman.cli import main
from pointsman.estimate.fitted import Fitted
from pointsman.estimate.neighbours import fit_neighbours
from pointsman.evaluate.plugin import ground
from pointsman.records import Outcomes, Prompts

BENCH = ("bench", "plugin", "--workers", "1", "--probes", "8,16", "--orders", "2", "--test", "240")


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Exit code of `pointsman WORDS`."""
    monkeypatch.setattr("sys.argv", ["pointsman", *words])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.fixture(scope="module", autouse=True)
def _quick_fits() -> Iterator[None]:
    """Neighbours in place of the blend, whose fits take seconds: what is tested here is everything around them."""

    def fit(history: Outcomes, prompts: Prompts, *, seed: int, threads: int | None) -> Fitted:
        return fit_neighbours(history, prompts, k=20, index="exact")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ground, "fit_blend", fit)
        yield


def rows_of(data: bytes) -> dict[str, dict[str, Any]]:
    """Saved rows by key, without the clock."""
    found = {row["key"]: row for row in map(json.loads, data.splitlines())}
    return {key: {name: value for name, value in row.items() if name != "seconds"} for key, row in found.items()}


@pytest.fixture(scope="module")
def finished(small_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One bench of two orders: its folder, with the JSON beside it."""
    out = tmp_path_factory.mktemp("plugin") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POINTSMAN_CACHE", str(out.parent / "cache"))
        words = ("--data", str(small_set), "--out", str(out), "--json", str(out.parent / "o.json"))
        assert run(patch, *BENCH, *words) == 0
    return out


def test_json_has_every_variant(finished: Path) -> None:
    """Three references once a pair and four variants for each number of probes, with sound figures."""
    found = json.loads((finished.parent / "o.json").read_text())
    assert len(found["runs"]) == 2 * (3 + 4 * 2)
    assert set(found["summary"]) == {
        *("from-the-start", "full-history", "never", "transfer", "kmeans", "mean", "exploration")
    }
    assert set(found["summary"]["transfer"]) == {"8", "16"}
    for one in found["runs"]:
        assert one["spent_usd"] <= one["fund_usd"] * (1 + 1e-9)
        assert one["newcomer"] != one["leaver"]
        assert len(one["regret"]) == 101
        assert (one["served_by_newcomer"] == 0) == (one["spent_usd"] == 0.0)
    never = [one for one in found["runs"] if one["variant"] == "never"]
    assert [one["served_by_newcomer"] for one in never] == [0, 0]
    assert {one["newcomer"] for one in never} != {never[0]["newcomer"]}


def test_the_report_is_one_page_and_pictures(finished: Path) -> None:
    """The folder holds the rows, a page that loads nothing from outside, and both pictures."""
    page = (finished / "report.html").read_text()
    assert "never" in page
    assert 'src="http' not in page
    assert {path.name for path in finished.glob("*.png")} == {"plugin-probes.png", "plugin-regret.png"}


def test_interrupted_rows_are_made_again(
    finished: Path, small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a torn file only the rows that are lost are made again, with the same figures, by the same seed."""
    monkeypatch.setenv("POINTSMAN_CACHE", str(finished.parent / "cache"))
    whole = (finished / "rides.jsonl").read_bytes()
    out = tmp_path / "o"
    out.mkdir()
    (out / "meta.json").write_bytes((finished / "meta.json").read_bytes())
    kept = whole.splitlines(keepends=True)
    (out / "rides.jsonl").write_bytes(b"".join(kept[:-3]) + kept[-3][:40])
    assert run(monkeypatch, *BENCH, "--data", str(small_set), "--out", str(out)) == 0
    again = (out / "rides.jsonl").read_bytes()
    assert again.startswith(b"".join(kept[:-3]))
    assert rows_of(again) == rows_of(whole)
    assert run(monkeypatch, *BENCH, "--data", str(small_set), "--out", str(out), "--factor", "2") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "/nowhere"], "no such folder"),
        (["--probes", "none"], "probes"),
        (["--newcomers", "0"], "newcomers"),
        (["--split", "fair"], "split"),
        (["--factor", "0"], "factor"),
        (["--test", "500"], "leave no history"),
        (["--orders", "0"], "orders"),
        (["--workers", "0"], "workers"),
        (["--min-coverage", "2"], "coverage"),
        (["--embedder", "nothing"], "embedder"),
        (["--probes", "261"], "the history has 260"),
        (["--test", "2"], "thirds"),
    ],
)
def test_bad_options_end_with_one_sentence(
    words: list[str], said: str, small_set: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A message that names the option, and code 2."""
    given = [*BENCH, "--data", str(small_set), *words]
    assert run(monkeypatch, *given) == 2
    assert said in " ".join(capsys.readouterr().err.split())
