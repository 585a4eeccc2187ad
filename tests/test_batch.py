"""A file of prompts in, a file of decisions out."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pointsman import Fund, InputError, Router
from pointsman.batch import CHUNK, chunks, count, route_file
from pointsman.evaluate.simulated import simulate
from test_bench import run

PAST = simulate(300, seed=5).only(np.array([0, 2, 5, 9]))


@pytest.fixture(scope="module")
def router() -> Router:
    return Router.fit(PAST, [Fund("pool", 0.05)], volume=100)


def write(path: Path, prompts: list[str]) -> Path:
    """The prompts in the format that the file's name asks for."""
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"prompt": prompts, "input_tokens": [7.0] * len(prompts)}), path)
    elif path.suffix == ".csv":
        path.write_text("prompt_id,prompt\n" + "".join(f'i{n},"{p}"\n' for n, p in enumerate(prompts)))
    elif path.suffix == ".gz":
        with gzip.open(path, "wt") as file:
            file.writelines(json.dumps({"prompt": p}) + "\n" for p in prompts)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"prompt": p, "prompt_id": f"i{n}"}) + "\n" for n, p in enumerate(prompts)))
    else:
        path.write_text("".join(f"{p}\n" for p in prompts))
    return path


@pytest.mark.parametrize("name", ["p.parquet", "p.csv", "p.jsonl", "p.jsonl.gz", "p.txt"])
def test_every_format_reads_the_same(name: str, tmp_path: Path) -> None:
    """The same prompts come out of every format, in order."""
    prompts = [f"question {n}, one line" for n in range(5)]
    path = write(tmp_path / name, prompts)
    assert [asked.text for chunk in chunks(path) for asked in chunk] == prompts
    assert count(path) == 5


def test_decisions_are_within_the_funds(router: Router, tmp_path: Path) -> None:
    """One row a prompt in the file's order; what was promised is within the fund, and the tally adds up."""
    path = write(tmp_path / "p.jsonl", list(simulate(60, seed=6).texts))
    tally = route_file(path, router, tmp_path / "d.parquet")
    rows = pq.read_table(tmp_path / "d.parquet").to_pydict()
    assert rows["prompt_id"] == [f"i{n}" for n in range(60)]
    costs = [c for c in rows["cost_usd"] if c is not None]
    assert sum(costs) == pytest.approx(tally.cost_usd)
    assert sum(costs) <= 0.05 * (1 + 1e-9)
    assert tally.served == len(costs) == sum(tally.by_model.values())
    assert {m for m in rows["model"] if m} <= set(PAST.models)
    assert list(tmp_path.glob(".*")) == []


def test_chunks_are_bounded(tmp_path: Path) -> None:
    """A long file comes in pieces of at most `CHUNK` prompts."""
    path = write(tmp_path / "p.txt", [f"question {n}" for n in range(2 * CHUNK + 3)])
    assert [len(chunk) for chunk in chunks(path)] == [CHUNK, CHUNK, 3]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("p.jsonl", '{"prompt": "x"}\n{oops\n', "line 2"),
        ("p.jsonl", '{"prompt": "x"}\n{"text": "y"}\n', "row 2"),
        ("p.jsonl", "[1]\n", "row 1"),
        ("p.jsonl", '{"prompt": "x", "input_tokens": "many"}\n', "input_tokens"),
        ("p.jsonl", '{"prompt": "x", "input_tokens": -1}\n', "input_tokens"),
        ("p.csv", "question\nx\n", "column `prompt`"),
        ("p.txt", "x\n\ny\n", "row 2"),
        ("p.txt", "", "no prompt"),
        ("p.parquet", "not parquet", "parquet"),
        ("p.docx", "x", "can't be read"),
    ],
)
def test_bad_files_are_refused_before_anything_is_written(
    name: str, text: str, said: str, router: Router, tmp_path: Path
) -> None:
    """A malformed file names its row or line, and leaves no output behind."""
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=said):
        count(tmp_path / name)
    if text and "no prompt" not in said:
        with pytest.raises(InputError):
            route_file(tmp_path / name, router, tmp_path / "d.parquet")
    assert not (tmp_path / "d.parquet").exists()
    assert list(tmp_path.glob(".*")) == []


def test_route_command(
    small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`pointsman route` writes the decisions and prints totals that a script can read."""
    monkeypatch.setenv("POINTSMAN_CACHE", str(tmp_path / "cache"))
    prompts = write(tmp_path / "p.jsonl", list(simulate(40, seed=6).texts))
    funds = tmp_path / "funds.yaml"
    funds.write_text("funds:\n  - {name: pool, amount: 0.02}\n  - {name: calls, amount: 30, unit: requests}\n")
    out = tmp_path / "d.parquet"
    words = ["--funds", str(funds), "--history", str(small_set), "--out", str(out)]
    assert run(monkeypatch, "route", str(prompts), *words, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["prompts"] == 40
    assert found["spent"]["pool"] <= 0.02
    assert found["spent"]["calls"] == found["served"] <= 30
    assert pq.read_table(out).num_rows == 40
    assert run(monkeypatch, "route", str(prompts), *words) == 0
    assert "40 prompts have a model" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no list `funds`"),
        ("funds: {}", "no list `funds`"),
        ("funds: [", "not YAML"),
        ("funds:\n  - {name: a, amount: 1}\nbudget: 3", "'budget' is unknown"),
        ("funds:\n  - {name: a}", "line 2: the fund has no `amount`"),
        ("funds:\n  - {name: a, amount: 1, color: red}", "line 2: key 'color' is unknown"),
        ("funds:\n  - {name: a, amount: lots}", "is no number"),
        ("funds:\n  - {name: a, amount: -1}", "at least zero"),
        ("funds:\n  - {name: a, amount: 1, unit: euros}", "unit 'euros'"),
        ("funds:\n  - {name: a, amount: 1, models: simulated}", "not a list"),
        ("funds:\n  - {name: a, amount: 1, models: [no/body]}", "unknown"),
        ("funds:\n  - {name: a, amount: 1}\n  - {name: a, amount: 2}", "two funds"),
        ("funds:\n  - just text", "not a mapping"),
    ],
)
def test_bad_funds_files(
    text: str,
    said: str,
    small_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A malformed funds file is refused with its line; nothing is written."""
    funds = tmp_path / "funds.yaml"
    funds.write_text(text)
    prompts = write(tmp_path / "p.txt", ["a question"])
    out = tmp_path / "d.parquet"
    words = [str(prompts), "--funds", str(funds), "--history", str(small_set), "--out", str(out)]
    assert run(monkeypatch, "route", *words) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_explain_command(
    small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`pointsman explain` shows neighbours, prices and every model's score, in words and as JSON."""
    monkeypatch.setenv("POINTSMAN_CACHE", str(tmp_path / "cache"))
    text = simulate(40, seed=6).texts[3]
    assert run(monkeypatch, "explain", text, "--history", str(small_set), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["neighbours"]) == 5
    similar = [one["similarity"] for one in found["neighbours"]]
    assert similar == sorted(similar, reverse=True)
    assert set(found["prices"]) == {"pool"}
    top = found["decision"]["candidates"][0]
    assert top["score"] == pytest.approx(top["quality"] - top["charge"])
    assert len(found["decision"]["candidates"]) == 5
    assert run(monkeypatch, "explain", text, "--history", str(small_set)) == 0
    assert "simulated outcomes" in capsys.readouterr().out
    assert run(monkeypatch, "explain", "  ", "--history", str(small_set)) == 2
    assert np.isfinite(top["score"])
