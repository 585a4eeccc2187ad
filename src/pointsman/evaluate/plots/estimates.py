"""Pictures of estimates: how reliable the predicted quality is, and how one decision weighed its candidates.

Takes the bins of a reliability check, or one `records.Decision`; gives pictures. Bins nothing itself and decides
nothing; a candidate that can't be taken has no score and says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from pointsman.estimate.calibration import Reliability
from pointsman.evaluate.plots.labels import listed, short_names
from pointsman.evaluate.plots.looks import INK, PAPER, text_colour
from pointsman.evaluate.plots.sheet import (
    HEAD_IN,
    STYLE,
    Picture,
    draw_key,
    draw_swatches,
    drawable,
    make_sheet,
    place_axes,
)
from pointsman.records import Candidate, Decision

_RELIABILITY_NOTE = "whiskers: two standard errors · ECE: expected calibration error"
_RELIABILITY_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


@rc_context(STYLE)
def plot_reliability(
    curves: Mapping[str, Reliability], *, title: str, subtitle: str = "", simulated: bool = False
) -> Picture:
    """Predicted against observed quality for one estimator or several, with how often each prediction is made.

    Whiskers are two standard errors of a mean of scores in [0, 1] (at most, as for 0/1 scores): a point whose
    whisker meets the diagonal is not shown to be off.
    """
    figure = make_sheet(
        title,
        subtitle,
        _RELIABILITY_NOTE,
        HEAD_IN + 5.8,
        simulated=simulated,
    )
    axes, counts = (
        place_axes(figure, 0.85, 5.4, HEAD_IN + 0.5, 0.75),
        place_axes(figure, 7.6, 0.35, HEAD_IN + 0.5, 0.75),
    )
    axes.plot([0, 1], [0, 1], color="#8c959f", lw=1, ls=(0, (2, 2)))
    axes.grid(visible=True, axis="x")
    for place, (colour, bins) in enumerate(zip(_RELIABILITY_COLOURS, curves.values(), strict=False)):
        _reliability_curve(axes, bins, colour)
        aside = 0.014 * (place - (len(curves) - 1) / 2)
        counts.bar(bins.predicted + aside, bins.count, 0.013, color=colour)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted quality", ylabel="observed quality, mean of the bin")
    counts.set(xlim=(0, 1), xlabel="predicted quality", ylabel="predictions in the bin")
    counts.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    words = [f"{name}: expected calibration error {bins.error:.3f}" for name, bins in curves.items()]
    short = [f"{name}: ECE {bins.error:.3f}" for name, bins in curves.items()]
    draw_swatches(figure, list(zip(short, _RELIABILITY_COLOURS, strict=False)), HEAD_IN)
    return Picture("reliability", title, f"Predicted against observed quality. {listed(words)}", figure)


def _reliability_curve(axes: Axes, bins: Reliability, colour: str) -> None:
    there = bins.count > 0
    predicted, observed, count = bins.predicted[there], bins.observed[there], bins.count[there]
    error = 2 * np.sqrt(np.clip(observed * (1 - observed), 0, None) / count)
    axes.errorbar(predicted, observed, error, color=colour, marker="o", markersize=6, lw=1.8, elinewidth=1, capsize=2)


@rc_context(STYLE)
def plot_scores(
    decision: Decision, *, title: str = "Why this model", most: int = 12, simulated: bool = False
) -> Picture:
    """One decision: what every candidate is expected to be worth, what it is charged, and what is left."""
    candidates = decision.candidates[:most]
    subtitle = f"chosen: {decision.model or 'nobody'} ({decision.reason.replace('_', ' ')})"
    left_out = len(decision.candidates) - len(candidates)
    note = f"best score first; {left_out} more are not drawn" if left_out > 0 else "best score first"
    figure = make_sheet(title, subtitle, note, HEAD_IN + 1.1 + 0.36 * len(candidates), simulated=simulated)
    axes = place_axes(figure, 3.2, 1.7, HEAD_IN + 0.45, 0.6)
    names = short_names([one.model for one in candidates], 34)
    for place, one in enumerate(candidates):
        _candidate(axes, place, one, chosen=one.model == decision.model)
    axes.axvline(0, color=INK, lw=1)
    axes.set_yticks(range(len(candidates)), [drawable(names[one.model]) for one in candidates], color=INK)
    axes.set_ylim(len(candidates) - 0.4, -0.6)
    axes.grid(visible=True, axis="x")
    axes.set_xlabel("quality")
    draw_key(figure, _score_handles(), HEAD_IN)
    alt = listed(f"{one.model} quality {one.quality:.3f}, score {_score_text(one)}" for one in candidates)
    return Picture("scores", title, f"{subtitle}. {alt}", figure)


def _candidate(axes: Axes, place: int, one: Candidate, *, chosen: bool) -> None:
    taken = math.isfinite(one.score)
    colour = "#0072B2" if chosen else ("#7d858e" if taken else "#c3c8ce")
    rest = one.quality - one.charge
    if math.isfinite(rest):
        axes.plot([rest, one.quality], [place, place], color=colour, lw=5, alpha=0.35, solid_capstyle="butt")
    axes.errorbar(one.quality, place, xerr=one.spread, fmt="o", color=colour, mfc=PAPER, ms=7, elinewidth=1.2)
    if taken:
        axes.plot(one.score, place, "D", color=colour, ms=7)
    where = axes.get_yaxis_transform()
    weight = "bold" if chosen else "normal"
    axes.text(1.02, place, _score_text(one), transform=where, va="center", color=text_colour(colour), weight=weight)


def _score_text(one: Candidate) -> str:
    return f"{one.score:.3f}" if math.isfinite(one.score) else "can't be taken"


def _score_handles() -> list[Line2D]:
    ink = "#57606a"
    return [
        Line2D([], [], marker="o", mfc=PAPER, color=ink, lw=0, ms=7, label="expected quality ± its spread"),
        Line2D([], [], color=ink, lw=5, alpha=0.35, label="charge: price × amount, over its funds"),
        Line2D([], [], marker="D", color=ink, lw=0, ms=7, label="score: what is left"),
    ]
