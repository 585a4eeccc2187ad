"""The pictures of a log with one outcome a query: what policies would have scored, and at which cost.

Takes the log and a row a policy; gives `plots.Picture` values. Computes no estimate and writes no file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes

from pointsman.evaluate.logged.choosing import AS_SERVED
from pointsman.evaluate.logged.sparse import SparseLog, SparseRow
from pointsman.evaluate.offpolicy import Estimate
from pointsman.evaluate.plots.looks import FAINT, INK, look_of
from pointsman.evaluate.plots.sheet import (
    HEAD_IN,
    STYLE,
    Picture,
    draw_swatches,
    drawable,
    make_sheet,
    place_axes,
)
from pointsman.evaluate.wording import money

_WAYS = (("direct", "#9aa1a9", -0.22), ("snips", "#E69F00", 0.0), ("robust", "#0072B2", 0.22))
_WAY_WORDS = {"direct": "direct (estimates alone)", "snips": "SNIPS", "robust": "doubly robust"}


@rc_context(STYLE)
def plot_values(log: SparseLog, rows: Sequence[SparseRow]) -> Picture:
    """Mean score a query by policy, each way with its interval."""
    title = "What each policy would have scored, by this log"
    note = "mean score a query, 90 % intervals; the line is what was really served"
    figure = make_sheet(title, _facts(log), note, HEAD_IN + 1.2 + 0.55 * len(rows), simulated=log.simulated)
    axes = place_axes(figure, 2.3, 0.5, HEAD_IN + 0.5, 0.6)
    for place, row in enumerate(rows):
        _ways(axes, place, row)
    served = next((row.value.snips.value for row in rows if row.policy == AS_SERVED), math.nan)
    if math.isfinite(served):
        axes.axvline(served, color=FAINT, linewidth=1.0, linestyle=(0, (3, 2)))
    axes.set_yticks(range(len(rows)), [drawable(row.policy) for row in rows], color=INK)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("mean score a query")
    draw_swatches(figure, [(_WAY_WORDS[name], colour) for name, colour, _ in _WAYS], HEAD_IN)
    alt = ", ".join(f"{row.policy} {row.value.robust.value:.3f}" for row in rows)
    return Picture("values", title, f"Points with intervals of mean score: {alt}", figure)


def _ways(axes: Axes, place: int, row: SparseRow) -> None:
    if row.policy == AS_SERVED:
        _point(axes, place, row.value.snips, INK)
        return
    for name, colour, shift in _WAYS:
        _point(axes, place + shift, getattr(row.value, name), colour)


def _point(axes: Axes, place: float, one: Estimate, colour: str) -> None:
    if math.isfinite(one.value):
        axes.plot([one.low, one.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
        axes.plot([one.value], [place], color=colour, marker="o", markersize=6)


@rc_context(STYLE)
def plot_bought(log: SparseLog, rows: Sequence[SparseRow]) -> Picture:
    """Mean score against cost: doubly robust where the log allows it, else the estimates' word (hollow)."""
    title = "Score against cost, by policy"
    note = "doubly robust, 90 % interval; hollow: the estimates' word alone"
    figure = make_sheet(title, _facts(log), note, 6.2, simulated=log.simulated)
    axes = place_axes(figure, 0.9, 1.6, HEAD_IN + 0.3, 0.7)
    for row in rows:
        told = math.isfinite(row.value.robust.value)
        one = row.value.robust if told else row.value.direct
        if not math.isfinite(one.value):
            continue
        colour = INK if row.policy == AS_SERVED else look_of(row.policy).colour
        axes.plot([row.cost_known_usd] * 2, [one.low, one.high], color=colour, linewidth=1.6)
        axes.plot(
            [row.cost_known_usd],
            [one.value],
            color=colour,
            marker="o",
            markersize=8,
            fillstyle="full" if told else "none",
        )
        axes.annotate(
            drawable(row.policy), (row.cost_known_usd, one.value), (8, 4), textcoords="offset points", color=colour
        )
    axes.set_xlabel("cost in dollars")
    axes.set_ylabel("mean score a query")
    alt = ", ".join(f"{row.policy} {money(row.cost_known_usd)}" for row in rows)
    return Picture("bought", title, f"Points of mean score against cost: {alt}", figure)


def _facts(log: SparseLog) -> str:
    return f"{log.title} · {len(log.models)} models · {len(log):,} queries played, {log.fitted_on:,} learned from"
