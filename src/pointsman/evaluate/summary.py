"""Saved rows by setting: which runs belong in one mean, and the means, deviations and medians over them.

Takes `rows.Rows`; gives its runs grouped by `Setting` and policy, the setting that the main table is about, the
values along a sweep, and a `Summary` of runs. Refuses to average runs that differ in something that is not swept.
Computes nothing beyond means, deviations and medians over runs; reads and writes no file.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pointsman.errors import InputError
from pointsman.evaluate.rows import RUNS_FILE, Rows, Run, Sweep, Trace

Value = str | int | float

# What always tells one setting from another; a sweep over anything else adds its own field.
AXES = ("split", "factor", "test", "scenario")

# What must not differ unnoticed between the runs that one mean is taken over.
_SILENT = ("history", "models", "k", "alpha", "eps", "embedder")

# Splits and scenarios in the order that the paper and the command line name them.
_USUAL_ORDER = (
    *("weighted", "cost", "perf", "uniform", "random", "extreme"),
    *("iid", "shift", "burst", "volume-low", "volume-high", "outage", "rate-cut"),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a mean is taken within: everything but policy and order. `swept` is None unless outside `AXES`."""

    split: str
    factor: float
    test: int
    scenario: str
    swept: Value | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """One policy over the runs of one setting.

    Deviations are sample deviations (n - 1), NaN for a single run; undefined quotients are left out of their means.
    """

    performance_mean: float
    performance_sd: float
    cost_usd_mean: float
    efficiency_mean: float
    served_mean: float
    relative_mean: float
    relative_sd: float
    decide_us_per_query_median: float
    runs: int


def swept_field(sweep: Sweep) -> str:
    """The field of a run that a sweep varies."""
    return "test" if sweep == "volume" else sweep


def setting_of(run: Run, sweep: Sweep | None) -> Setting:
    """The setting that a run belongs to."""
    name = swept_field(sweep) if sweep else ""
    swept = None if not name or name in AXES else getattr(run, name)
    return Setting(run.split, run.factor, run.test, run.scenario, swept)


def by_setting(rows: Rows) -> dict[Setting, dict[str, tuple[Run, ...]]]:
    """Runs by setting, then by policy, each in order of arrival order.

    Raises:
        InputError: runs of one policy in one setting differ in something that is not swept (k, embedder, ...): a
            mean over them would mean nothing.
    """
    grouped: dict[Setting, dict[str, list[Run]]] = {}
    for run in rows.runs:
        grouped.setdefault(setting_of(run, rows.meta.sweep), {}).setdefault(run.policy, []).append(run)
    for policies in grouped.values():
        for runs in policies.values():
            _refuse_mixture(runs)
    return {
        setting: {policy: tuple(sorted(runs, key=lambda run: run.order)) for policy, runs in policies.items()}
        for setting, policies in grouped.items()
    }


def _refuse_mixture(runs: Sequence[Run]) -> None:
    for name in _SILENT:
        values = sorted({str(getattr(run, name)) for run in runs})
        if len(values) > 1:
            raise InputError(
                f"runs of {runs[0].policy!r} in one setting have `{name}` {values[0]} and {values[1]}",
                place=RUNS_FILE,
                remedy=f"give each its own --out, or compare them with --sweep {name}",
            )


def base_setting(rows: Rows) -> Setting:
    """The setting that the summary and the main table are about.

    Of the settings there are, the one nearest to the published run: arrivals in random order, the weighted split,
    factor 1, the command's own volume, and for a sweep the published or the command's own value; else the first.

    Raises:
        InputError: there are no runs.
    """
    if not rows.runs:
        raise InputError("there are no runs yet", place=RUNS_FILE, remedy="let at least one run finish")
    usual = {"k": 5, "alpha": 1e-4, "eps": 0.025, "history": rows.meta.history, "models": len(rows.meta.models)}
    swept = usual.get(rows.meta.sweep or "")

    def distance(setting: Setting) -> tuple[bool, ...]:
        there = (setting.scenario, setting.split, setting.factor, setting.test, setting.swept)
        wanted = ("iid", "weighted", 1.0, rows.meta.test, swept)
        return tuple(one != other for one, other in zip(there, wanted, strict=True))

    return min(by_setting(rows), key=distance)


def axes(rows: Rows) -> tuple[str, ...]:
    """The parameters of which the rows hold more than one value around the base setting, the swept one first."""
    swept = swept_field(rows.meta.sweep) if rows.meta.sweep else ""
    names = sorted({*AXES, swept} - {""}, key=lambda name: (name != swept, name))
    return tuple(name for name in names if len(along(rows, name)) > 1)


def along(rows: Rows, axis: str) -> dict[Value, dict[str, tuple[Run, ...]]]:
    """Runs by value of `axis`, then by policy, all else as in the base setting; values in ascending or usual order."""
    field, base = axis if axis in AXES else "swept", asdict(base_setting(rows))
    found: dict[Value, dict[str, tuple[Run, ...]]] = {}
    for setting, policies in by_setting(rows).items():
        here = asdict(setting)
        if here[field] is not None and {**here, field: None} == {**base, field: None}:
            found[here[field]] = policies
    return dict(sorted(found.items(), key=lambda item: _rank(item[0])))


def _rank(value: Value) -> tuple[float, str]:
    if isinstance(value, str):
        return (_USUAL_ORDER.index(value) if value in _USUAL_ORDER else math.inf), value
    return value, ""


def traced_runs(rows: Rows) -> dict[str, tuple[Run, Trace]]:
    """The first run with a trace of every policy in the base setting."""
    found: dict[str, tuple[Run, Trace]] = {}
    for name, runs in by_setting(rows)[base_setting(rows)].items():
        for run in runs:
            if run.key in rows.traces and rows.traces[run.key].at:
                found.setdefault(name, (run, rows.traces[run.key]))
    return found


def summarise(runs: Sequence[Run]) -> Summary:
    """Means, deviations and the median over at least one run."""
    performance = [run.performance for run in runs]
    relative = [run.relative for run in runs if not math.isnan(run.relative)]
    return Summary(
        performance_mean=_mean(performance),
        performance_sd=_sd(performance),
        cost_usd_mean=_mean([run.cost_usd for run in runs]),
        efficiency_mean=_mean([run.efficiency for run in runs if not math.isnan(run.efficiency)]),
        served_mean=_mean([run.served for run in runs]),
        relative_mean=_mean(relative),
        relative_sd=_sd(relative),
        decide_us_per_query_median=statistics.median(run.decide_us_per_query for run in runs),
        runs=len(runs),
    )


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if values else math.nan


def _sd(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else math.nan
