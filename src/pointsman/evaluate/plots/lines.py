"""Pictures of lines, one line a policy: along a parameter, and as queries arrive.

Takes `rows.Rows`; gives pictures with names written at the lines' ends rather than in a legend. A missing value is a
shorter line, not a zero. Refuses rows without a run; without traces there is no picture over time, but None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from pointsman.evaluate.plots.ends import End, name_ends
from pointsman.evaluate.plots.labels import listed
from pointsman.evaluate.plots.looks import GREY, PAPER, look_of, marked
from pointsman.evaluate.plots.sheet import (
    HEAD_IN,
    STYLE,
    Picture,
    axis_facts,
    bench_facts,
    drawable,
    make_sheet,
    orders_words,
    percent_axis,
    place_axes,
)
from pointsman.evaluate.roster import in_order, policy_named
from pointsman.evaluate.rows import Rows, Run
from pointsman.evaluate.summary import Value, along, summarise, traced_runs
from pointsman.evaluate.wording import AXIS_TITLES, axis_words, quantity, value_text

Metric = Literal["performance", "relative"]


@dataclass(frozen=True, slots=True)
class _Curve:
    name: str
    x: Sequence[float]
    y: Sequence[float]
    sd: Sequence[float]


@rc_context(STYLE)
def plot_axis(rows: Rows, axis: str, metric: Metric = "performance") -> Picture:
    """One line a policy over the values of `axis`, all else as in the base setting, bands of one deviation.

    `optimum` is left to the table: it would take half of the height. Values that are names, not numbers, stand side
    by side and their lines are only there to be followed by the eye.

    Raises:
        InputError: there are no runs.
    """
    found = along(rows, axis)
    values = list(found)
    title = f"{_METRIC_TITLES[metric]} against {AXIS_TITLES.get(axis, axis)}"
    note = f"{orders_words(found.values())}; † the same total in one fund"
    figure = make_sheet(title, axis_facts(rows, axis), note, HEAD_IN + 5.8, simulated=rows.meta.simulated)
    axes = place_axes(figure, 0.85, 2.75, HEAD_IN + 0.1, 0.75)
    curves = _axis_curves(found, metric)
    named = _scale_x(axes, axis, values)
    for curve in curves:
        _draw_curve(axes, curve, named=named)
    _finish_y(axes, metric, curves)
    _name_ends(axes, curves, metric)
    axes.set_xlabel(_AXIS_LABELS.get(axis, AXIS_TITLES.get(axis, axis)))
    ends = (
        f"{curve.name} {_metric_text(curve.y[0], metric)} to {_metric_text(curve.y[-1], metric)}" for curve in curves
    )
    span = f"from {value_text(values[0])} to {value_text(values[-1])}"
    return Picture(f"{axis}-{metric}", title, f"Lines of {metric} {span}: {listed(ends, 18)}", figure)


_METRIC_TITLES: dict[Metric, str] = {"performance": "Performance", "relative": "Share of approx-optimum"}
_AXIS_LABELS = {
    "test": "number of test queries",
    "factor": "budget, as a multiple of what the cheapest model would cost for all queries",
    "split": "how the total is split over the models",
    "history": "queries of history",
    "k": "number of neighbours k",
    "eps": "share of random first queries, epsilon",
}


def _axis_curves(found: Mapping[Value, Mapping[str, Sequence[Run]]], metric: Metric) -> list[_Curve]:
    names = {name for policies in found.values() for name in policies} - {"optimum"}
    xs = _positions(list(found))
    curves = []
    for name in reversed(in_order(names)):
        points = [
            (x, summarise(policies[name])) for x, policies in zip(xs, found.values(), strict=True) if name in policies
        ]
        means = [getattr(summary, f"{metric}_mean") for _, summary in points]
        sds = [getattr(summary, f"{metric}_sd") for _, summary in points]
        if not all(math.isnan(mean) for mean in means):
            curves.append(_Curve(name, [x for x, _ in points], means, sds))
    return curves


def _positions(values: Sequence[Value]) -> list[float]:
    """Numbers at their own value, names side by side."""
    numbers = [float(value) for value in values if not isinstance(value, str)]
    return numbers if len(numbers) == len(values) else [float(at) for at in range(len(values))]


def _scale_x(axes: Axes, axis: str, values: Sequence[Value]) -> bool:
    """Ticks at the values there are, a log scale where they span a factor of twenty; True where they are names."""
    xs = _positions(values)
    named = any(isinstance(value, str) for value in values)
    if not named and xs[0] > 0 and xs[-1] >= 20 * xs[0]:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    words = [axis_words(axis, value) if axis == "scenario" else value_text(value) for value in values]
    axes.set_xticks(xs, [drawable(word) for word in words], rotation=15 if named and max(map(len, words)) > 14 else 0)
    return named


def _draw_curve(axes: Axes, curve: _Curve, *, named: bool = False, bare: bool = False) -> None:
    """One line: thin with large markers and whiskers between names, with a band between numbers; bare over time."""
    look = look_of(curve.name)
    line: dict[str, Any] = {"color": look.colour, "ls": look.dashes, "zorder": 2 + look.width}
    marker: dict[str, Any] = {"marker": "None" if bare else look.marker, "mec": PAPER, "mew": 0.6}
    axes.plot(
        curve.x,
        curve.y,
        lw=look.width * (0.45 if named else 1),
        ms=4.5 + look.width * (1 if named else 0.6),
        **line,
        **marker,
    )
    y, sd = np.array(curve.y), np.array(curve.sd)
    if bare or not np.isfinite(sd).any():
        return
    if named:
        axes.errorbar(curve.x, y, np.nan_to_num(sd), fmt="none", ecolor=look.colour, elinewidth=1.2)
    elif look.colour != GREY:
        axes.fill_between(curve.x, y - sd, y + sd, color=look.colour, alpha=0.16, linewidth=0, zorder=1.5)


def _finish_y(axes: Axes, metric: Metric, curves: Sequence[_Curve]) -> None:
    highest = max((y for curve in curves for y in curve.y if not math.isnan(y)), default=1.0)
    axes.set_ylim(0, highest * 1.06 or 1.0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _metric_text(value, metric)))


def _metric_text(value: float, metric: Metric) -> str:
    if metric == "relative":
        return "–" if math.isnan(value) else f"{100 * value:.0f} %"
    return f"{value:,.0f}" if not math.isnan(value) else "–"


def _name_ends(axes: Axes, curves: Sequence[_Curve], metric: Metric) -> None:
    """Every line's name and last value right of the axes."""
    name_ends(
        axes,
        [
            End(
                curve.x[-1],
                curve.y[-1],
                f"{marked(curve.name)}  {_metric_text(curve.y[-1], metric)}",
                look_of(curve.name).colour,
                bold=policy_named(curve.name).group == "ours",
            )
            for curve in curves
        ],
    )


@rc_context(STYLE)
def plot_progress(rows: Rows) -> Picture | None:
    """The sum of scores as queries arrive, of every policy that left a trace; None without traces."""
    traced = traced_runs(rows)
    if not traced:
        return None
    title = "Quality bought as queries arrive"
    note = "sum of scores so far, first order of arrivals; † the same total in one fund"
    figure = make_sheet(title, bench_facts(rows), note, HEAD_IN + 5.3, simulated=rows.meta.simulated)
    axes = place_axes(figure, 0.85, 2.75, HEAD_IN + 0.1, 0.75)
    names = [name for name in reversed(in_order(traced)) if name != "optimum"]
    curves = [_Curve(name, traced[name][1].at, traced[name][1].performance, ()) for name in names]
    for curve in curves:
        _draw_curve(axes, curve, bare=True)
    _finish_y(axes, "performance", curves)
    percent_axis(axes)
    axes.set_xlabel("share of the queries seen")
    _name_ends(axes, curves, "performance")
    ends = listed((f"{curve.name} {quantity(curve.y[-1])}" for curve in curves), 18)
    return Picture("progress", title, f"Lines of the sum of scores over arriving queries, ending at: {ends}", figure)
