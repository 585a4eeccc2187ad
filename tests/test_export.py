"""The export: exactly the promised shape, whatever the order of writing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from made_rows import make_meta, make_rows
from pointsman.errors import InputError
from pointsman.evaluate.export import export_json
from pointsman.evaluate.rows import Rows

KEYS = [
    "policy",
    "split",
    "factor",
    "order",
    "scenario",
    "performance",
    "cost_usd",
    "efficiency",
    "served",
    "relative",
    "budget",
    "spent",
    "decide_us_per_query",
    "seconds",
]


def test_the_export_has_exactly_the_promised_shape(tmp_path: Path) -> None:
    """Keys as promised, no more and no fewer; a single order's deviation is null."""
    rows = make_rows(make_meta(3), orders=1, policies=("paced", "port"))
    export_json(rows, tmp_path / "out.json")
    out = json.loads((tmp_path / "out.json").read_text())
    assert list(out) == ["dataset", "models", "test", "history", "runs", "summary"]
    assert (out["models"], out["test"], out["history"]) == (3, 1000, 800)
    assert all(list(run) == KEYS for run in out["runs"])
    assert list(out["summary"]) == ["paced", "port"]
    assert out["summary"]["paced"]["performance_mean"] == out["runs"][0]["performance"]
    assert out["summary"]["paced"]["performance_sd"] is None
    assert set(out["summary"]["port"]) == {
        "performance_mean",
        "performance_sd",
        "cost_usd_mean",
        "efficiency_mean",
        "served_mean",
        "relative_mean",
        "relative_sd",
        "decide_us_per_query_median",
        "runs",
    }


def test_a_sweeps_export_carries_the_parameter_and_a_summary_by_value(tmp_path: Path) -> None:
    """`summary` stays that of the base setting; `sweep` holds one a value, and no mean is over several settings."""
    rows = make_rows(make_meta(2, "k"), values=(1, 5), orders=2, policies=("port",))
    export_json(rows, tmp_path / "out.json")
    out = json.loads((tmp_path / "out.json").read_text())
    assert all(list(run) == [*KEYS, "k"] for run in out["runs"])
    assert out["summary"]["port"]["runs"] == 2
    assert out["sweep"]["parameter"] == "k"
    assert [one["k"] for one in out["sweep"]["values"]] == [1, 5]
    assert out["sweep"]["values"][1]["summary"] == out["summary"]


def test_the_export_doesnt_depend_on_the_order_of_writing_and_of_nothing_there_is_none(tmp_path: Path) -> None:
    """Parallel runs finish in any order: the same bytes; without runs an error and no file."""
    rows = make_rows(make_meta(2), policies=("port", "paced"))
    export_json(rows, tmp_path / "one.json")
    export_json(replace(rows, runs=rows.runs[::-1]), tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    with pytest.raises(InputError, match="no runs yet"):
        export_json(Rows(make_meta(2), (), {}), tmp_path / "three.json")
    assert not (tmp_path / "three.json").exists()
