"""Runs in one mean: settings, sweeps, and figures that agree with NumPy."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_rows import make_meta, make_rows, make_run
from pointsman.errors import InputError
from pointsman.evaluate.rows import Rows, Sweep
from pointsman.evaluate.summary import (
    Setting,
    Value,
    along,
    axes,
    base_setting,
    by_setting,
    setting_of,
    summarise,
    swept_field,
)


def test_the_summary_of_three_runs_by_hand() -> None:
    """Means, sample deviations and the median of 1, 2 and 6 are 3, the root of 7, and 2."""
    meta = make_meta(2)
    runs = [
        make_run(meta, "paced", o, performance=x, relative=x / 2, decide_us_per_query=x)
        for o, x in enumerate((1, 2, 6))
    ]
    summary = summarise(runs)
    assert summary.performance_mean == 3
    assert summary.performance_sd == pytest.approx(math.sqrt(7))
    assert summary.relative_mean == 1.5
    assert summary.decide_us_per_query_median == 2
    assert summary.runs == 3


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=8))
def test_means_and_deviations_agree_with_numpy(values: list[float]) -> None:
    """The summary's mean, deviation and median are NumPy's, with one degree of freedom less."""
    runs = [make_run(make_meta(2), "port", order, performance=value) for order, value in enumerate(values)]
    summary = summarise(runs)
    assert summary.performance_mean == pytest.approx(np.mean(values))
    assert summary.performance_sd == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    assert summary.cost_usd_mean == pytest.approx(np.mean([run.cost_usd for run in runs]))
    assert summary.served_mean == pytest.approx(statistics.fmean(run.served for run in runs))


def test_undefined_quotients_are_left_out_of_their_mean_and_one_run_has_no_deviation() -> None:
    """NaN is missing, never zero: the mean is over what is defined, and of nothing it is NaN."""
    meta = make_meta(2)
    known, unknown = make_run(meta, "port", 0, relative=0.5), make_run(meta, "port", 1, relative=math.nan)
    assert summarise([known, unknown]).relative_mean == 0.5
    assert math.isnan(summarise([unknown]).relative_mean)
    assert math.isnan(summarise([known]).performance_sd)


def test_the_base_setting_is_the_published_one_if_it_is_there() -> None:
    """Factor 1 of a sweep over factors; the command's own volume of a sweep over volumes; else the first run's."""
    factors = make_rows(make_meta(2, "factor"), values=(0.25, 1.0, 2.0), policies=("port",))
    assert base_setting(factors) == Setting("weighted", 1.0, 1000, "iid")
    volumes = make_rows(make_meta(2, "volume"), values=(400, 1000), policies=("port",))
    assert base_setting(volumes).test == 1000
    neighbours = make_rows(make_meta(2, "k"), values=(1, 5, 20), policies=("port",))
    assert base_setting(neighbours).swept == 5
    others = make_rows(make_meta(2, "factor"), values=(0.5, 2.0), policies=("port",))
    assert base_setting(others).factor == 0.5
    with pytest.raises(InputError, match="no runs yet"):
        base_setting(Rows(make_meta(2), (), {}))


@pytest.mark.parametrize(
    ("sweep", "values", "expected"),
    [
        ("factor", (2.0, 0.25, 1.0), [0.25, 1.0, 2.0]),
        ("volume", (1000, 400), [400, 1000]),
        ("split", ("extreme-1", "uniform", "weighted"), ["weighted", "uniform", "extreme-1"]),
        ("k", (20, 1), [1, 20]),
        ("embedder", ("wordllama", "fuse"), ["fuse", "wordllama"]),
    ],
)
def test_a_sweep_is_one_axis_with_its_values_in_order(
    sweep: Sweep, values: tuple[Value, ...], expected: list[Value]
) -> None:
    """Values come back ascending (or in the paper's order), however the parallel runs were written."""
    rows = make_rows(make_meta(2, sweep), values=values, policies=("port", "paced"))
    axis = swept_field(sweep)
    assert axes(rows) == (axis,)
    assert list(along(rows, axis)) == expected
    assert all(set(policies) == {"port", "paced"} for policies in along(rows, axis).values())


def test_no_sweep_is_no_axis_and_one_setting() -> None:
    """Orders and policies alone make one setting, runs sorted by order."""
    rows = make_rows(make_meta(2), orders=3, policies=("port",))
    shuffled = replace(rows, runs=rows.runs[::-1])
    assert axes(rows) == ()
    grouped = by_setting(shuffled)
    assert list(grouped) == [setting_of(rows.runs[0], None)]
    assert [run.order for run in grouped[base_setting(rows)]["port"]] == [0, 1, 2]


def test_runs_that_differ_in_what_is_not_swept_are_not_averaged() -> None:
    """Two values of k in one folder without a sweep over k: told, not averaged."""
    meta = make_meta(2)
    mixed = Rows(meta, (make_run(meta, "port", 0, k=5), make_run(meta, "port", 1, k=20)), {})
    with pytest.raises(InputError, match=r"`k` 20 and 5"):
        by_setting(mixed)
