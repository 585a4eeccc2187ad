"""What is in an outcome folder, and the commands that say so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from typer.testing import CliRunner

from pointsman.cli import data
from pointsman.errors import InputError
from pointsman.evaluate.data.describe import describe, folders_in, reach
from pointsman.outcomes import OutcomeLog, OutcomeRow, read, write
from pointsman.records import Floats, Outcomes

NAN = np.nan


def made(score: Floats, cost: Floats, simulated: bool = False) -> Outcomes:
    rows, models = score.shape
    names = [f"q{row}" for row in range(rows)]
    tasks = ["task" if row else "other" for row in range(rows)]
    return Outcomes(
        names,
        names,
        tasks,
        tuple(f"m{model}" for model in range(models)),
        score,
        cost,
        np.where(np.isnan(score), NAN, 8.0),
        np.full(rows, 4.0),
        "a set",
        simulated,
    )


SCORE = np.array([[1.0, 0.5, NAN], [0.0, 0.0, NAN], [1.0, 1.0, 1.0], [0.25, 1.0, NAN]])
COST = np.array([[0.4, 0.1, NAN], [0.4, 0.1, NAN], [0.4, 0.1, 0.05], [0.4, NAN, NAN]])


def folder(tmp_path: Path, simulated: bool = False) -> Path:
    write(made(SCORE, COST, simulated), tmp_path / "set", licence="CC0", source="here", notes="mind the gap")
    return tmp_path / "set"


def test_a_description_by_hand(tmp_path: Path) -> None:
    """Four queries, three models, one of them almost absent; every mean is over what is recorded."""
    said = describe(folder(tmp_path), 0.7)
    assert (said.rows, said.models, said.missing_cells) == (4, 3, 4)
    assert said.datasets == {"task": 3, "other": 1}
    assert said.input_tokens == 4.0
    assert [(line.model, line.rows, line.score) for line in said.per_model] == [
        ("m2", 1, 1.0),
        ("m1", 4, 0.625),
        ("m0", 4, 0.5625),
    ]
    assert said.per_model[1].cost_usd == pytest.approx(0.1)
    assert said.per_model[1].output_tokens == 8.0
    every = said.reach
    assert every.oracle_score == 0.75
    assert every.oracle_cost_usd == pytest.approx((0.4 + 0.1 + 0.05) / 3)  # the last row's best has no cost
    assert (every.best_model, every.best_score) == ("m2", 1.0)
    assert (every.cheapest_model, every.cheapest_cost_usd) == ("m2", 0.05)
    assert (every.all_wrong, every.all_right) == (0.25, 0.25)
    assert said.benchmark is not None
    assert (said.benchmark.rows, said.benchmark.models, said.benchmark.best_model) == (3, 2, "m0")
    assert said.left_out.startswith("left out 1 model: m2 25.0%")


def test_a_set_without_use_is_still_described(tmp_path: Path) -> None:
    """Where a benchmark would keep nothing, that is what is said."""
    write(made(np.array([[1.0, NAN], [NAN, 1.0]]), np.array([[1.0, NAN], [NAN, 1.0]])), tmp_path / "set")
    said = describe(tmp_path / "set")
    assert said.benchmark is None
    assert said.left_out.startswith("a benchmark could use nothing: no row is complete")
    with pytest.raises(InputError, match="min-coverage"):
        describe(tmp_path / "set", 0.0)


def test_scores_without_costs(tmp_path: Path) -> None:
    """An ungraded or unpriced model has no mean and is never called the best or the cheapest."""
    score, cost = np.array([[1.0, NAN]]), np.array([[NAN, 0.5]])
    found = reach(made(score, cost))
    assert (found.best_model, found.best_cost_usd) == ("m0", None)
    assert (found.cheapest_model, found.cheapest_score) == ("m1", None)
    assert found.oracle_cost_usd is None
    assert reach(made(np.array([[NAN]]), np.array([[0.5]]))).oracle_score is None


grids = hnp.arrays(np.float64, (4, 3), elements=st.sampled_from([0.0, 0.25, 1.0, NAN]))


@settings(max_examples=60, deadline=None)
@given(grids, grids)
def test_the_oracle_against_brute_force(score: Floats, cost: Floats) -> None:
    """Row by row with plain Python: the best score, the cheapest model that has it, all wrong, all right."""
    found = reach(made(score, cost))
    best, cheapest, wrong, right = [], [], 0, 0
    for row in range(4):
        known = [(score[row, m], cost[row, m]) for m in range(3) if not np.isnan(score[row, m])]
        if not known:
            continue
        top = max(value for value, _ in known)
        best.append(top)
        priced = [money for value, money in known if value == top and not np.isnan(money)]
        cheapest += [min(priced)] if priced else []
        wrong += all(value == 0 for value, _ in known)
        right += all(value == 1 for value, _ in known)
    if not best:
        assert found.oracle_score is None
        return
    assert found.oracle_score == pytest.approx(np.mean(best))
    assert found.oracle_cost_usd == (pytest.approx(np.mean(cheapest)) if cheapest else None)
    assert found.all_wrong == pytest.approx(wrong / len(best))
    assert found.all_right == pytest.approx(right / len(best))


def test_folders_are_found_and_the_broken_ones_named(tmp_path: Path) -> None:
    """The roots themselves and what lies right below them; all parts count; hidden folders are left alone."""
    folder(tmp_path)
    OutcomeLog(tmp_path / "log").append([OutcomeRow("q", "t", "d", "m", 1.0, 1.0)])
    OutcomeLog(tmp_path / "log").append([OutcomeRow("r", "u", "d", "m", 1.0, 1.0)])
    OutcomeLog(tmp_path / ".hidden").append([OutcomeRow("r", "u", "d", "m", 1.0, 1.0)])
    for name, text in (("torn", None), ("odd", "[")):
        folder(tmp_path / name)
        (tmp_path / name / "set").rename(tmp_path / f"{name}-set")
        (tmp_path / name).rmdir()
        if text:
            (tmp_path / f"{name}-set" / "dataset.yaml").write_text(text)
        else:
            (tmp_path / f"{name}-set" / "outcomes.parquet").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    lines = {Path(line.folder).name: line for line in folders_in([tmp_path, tmp_path / "set", tmp_path / "none"])}
    assert sorted(lines) == ["log", "odd-set", "set", "torn-set"]
    assert (lines["set"].outcomes, lines["set"].licence, lines["set"].problem) == (9, "CC0", "")
    assert lines["log"].outcomes == 2
    assert "not readable" in lines["torn-set"].problem
    assert "not readable YAML" in lines["odd-set"].problem


# --- the commands ---------------------------------------------------------------------------------------------------


def run(*words: str | Path) -> str:
    result = CliRunner().invoke(data.app, [str(word) for word in words], env={"COLUMNS": "100"})
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def refusal(*words: str | Path) -> str:
    result = CliRunner().invoke(data.app, [str(word) for word in words])
    assert isinstance(result.exception, InputError)
    return str(result.exception)


def test_describe_prints_for_people_and_for_programs(tmp_path: Path) -> None:
    """Names, licence, notes, models, the oracle; and the same as JSON without NaN."""
    text = run("describe", folder(tmp_path, simulated=True), "--min-coverage", "0.7")
    for expected in ("a set (simulated", "CC0", "mind the gap", "m1", "0.6250", "oracle", "left out 1 model: m2"):
        assert expected in text
    said = json.loads(run("describe", tmp_path / "set", "--json"))
    assert said["about"]["simulated"] is True
    assert said["per_model"][0] == {"model": "m2", "rows": 1, "score": 1.0, "cost_usd": 0.05, "output_tokens": 8.0}
    assert said["reach"]["oracle_score"] == 0.75
    assert "no such folder" in refusal("describe", tmp_path / "none")


def test_import_prints_its_report(tmp_path: Path) -> None:
    """What was read, which columns, what was left out and why; then the folder is there."""
    table = tmp_path / "mine.csv"
    table.write_text("q,model,score,price\na,m,1,0.5\nb,m,9,0.5\n")
    words = ("import", table, "--to", tmp_path / "set", "--map", "prompt=q", "--map", "cost_usd=price")
    assert "row 2, column `score`" in refusal(*words)
    assert "`prompt` is not COLUMN=SOURCE" in refusal(*words, "--map", "prompt")
    text = " ".join(run(*words, "--skip-bad", "--title", "Mine", "--licence", "CC0").split())
    for expected in ("1 outcomes: 1 queries x 1 models", "prompt = q", "left out, is above 1: 1", "row 2, score"):
        assert expected in text
    assert read(tmp_path / "set").title == "Mine"
    said = json.loads(run(*words, "--skip-bad", "--force", "--json"))
    assert said["rejected"] == {"is above 1": 1}
    assert said["examples"] == [{"row": 2, "column": "score", "reason": "is above 1"}]


def test_list_names_sources_and_folders(tmp_path: Path) -> None:
    """Every published set with licence, size and home; every folder in the cache and where it was told to look."""
    assert "No outcome folder" in run("list", "--cache", tmp_path / "cache")
    folder(tmp_path)
    folder(tmp_path / "cache" / "sets", simulated=True)
    text = run("list", "--cache", tmp_path / "cache", "--in", tmp_path)
    for expected in ("routerbench", "embedllm", "Apache-2.0", "100 MB", "a set (simulated)", "huggingface.co/datasets"):
        assert expected in text
    said = json.loads(run("list", "--cache", tmp_path / "cache", "--in", tmp_path, "--json"))
    assert {source["name"] for source in said["sources"]} >= {
        "routerbench",
        "sprout",
        "open-llm-leaderboard",
        "embedllm",
    }
    assert [line["simulated"] for line in said["folders"]] == [True, False]
