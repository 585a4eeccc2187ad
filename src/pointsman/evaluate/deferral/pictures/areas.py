"""Pictures of areas against `zero`'s, and of intervals: trial by trial, and along the number of probes.

Takes `records.DeferralRows`; gives pictures, or None where the rows have nothing to draw (no `zero`, one number of
probes, no intervals). Differences are taken within a trial. `oracle` is left to the tables. Refuses rows without a
trial.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from pointsman.evaluate.deferral.coverage import LEVEL
from pointsman.evaluate.deferral.pictures.looks import bench_facts, look_of, names_in, rows_in, signed
from pointsman.evaluate.deferral.pictures.series import (
    BEYOND,
    REFERENCE,
    Group,
    gains,
    groups_of,
    main_groups,
    standard_error,
)
from pointsman.evaluate.deferral.records import DeferralRows
from pointsman.evaluate.deferral.summary import against
from pointsman.evaluate.plots import HEAD_IN, Picture
from pointsman.evaluate.plots.ends import End, name_ends
from pointsman.evaluate.plots.labels import listed
from pointsman.evaluate.plots.looks import INK, PAPER, text_colour
from pointsman.evaluate.plots.sheet import STYLE, drawable, make_sheet, place_axes
from pointsman.records import Floats

GOOD = (0.85, 0.95)  # Shares of 90 % intervals that held which count as honest.
_ROW_IN = 0.42


@rc_context(STYLE)
def plot_areas(rows: DeferralRows) -> Picture | None:
    """Area minus `zero`'s, a dot a trial with a box from quartile to quartile, one row a method, the best on top.

    Raises:
        InputError: there are no trials.
    """
    groups = main_groups(groups_of(rows))
    found = [(group, gains(group, groups)) for group in groups if group.method != BEYOND and group.name != REFERENCE]
    found = sorted((one for one in found if len(one[1])), key=lambda one: -float(one[1].mean()))
    if not found:
        return None
    title = "Area under the curve against zero's, trial by trial"
    note = "dot: a trial (triangle: beyond); box: middle half; stroke: mean; right: mean ± standard error, "
    note += "trials above zero"
    note += "; ‡ clairvoyant" if any(group.entry.family == "clairvoyant" for group, _ in found) else ""
    height = HEAD_IN + 0.95 + _ROW_IN * len(found)
    figure = make_sheet(title, bench_facts(rows.meta, groups), note, height, simulated=rows.meta.simulated)
    axes = place_axes(figure, rows_in(group.name for group, _ in found), 2.85, HEAD_IN + 0.1, 0.75)
    axes.axvline(0, color=look_of(REFERENCE).colour, ls=look_of(REFERENCE).dashes, lw=2)
    low, high = _whiskers([values for _, values in found])
    for place, (group, values) in enumerate(found):
        _strip(axes, place, look_of(group.method).colour, values, (low, high))
        _say_gain(axes, place, group, values)
    axes.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))
    _name_rows(axes, [group for group, _ in found])
    axes.set_xlabel("area minus zero's area on the same trial")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: signed(value, 3) if value else "zero"))
    alt = listed((f"{group.name} {_gain_words(values)}" for group, values in found), 18)
    return Picture("areas", title, f"Dots of area minus zero's, one a trial: {alt}", figure)


def _whiskers(found: Sequence[Floats]) -> tuple[float, float]:
    """The view: one box's height and a half beyond every box (Tukey's fences), no further than the dots, zero in it."""
    low, high = -1e-4, 1e-4
    for values in found:
        lower, upper = np.quantile(values, [0.25, 0.75])
        reach = 1.5 * (upper - lower)
        mean = float(values.mean())
        low = min(low, mean, max(float(values.min()), lower - reach))
        high = max(high, mean, min(float(values.max()), upper + reach))
    return low, high


def _strip(axes: Axes, place: int, colour: str, values: Floats, view: tuple[float, float]) -> None:
    """One row: the dots, spread a little so that they can be counted, triangles for those beyond; the box; the mean."""
    aside = place + 0.3 * _spread(len(values))
    size = 20 if len(values) <= 60 else 9
    inside = (values >= view[0]) & (values <= view[1])
    dots: dict[str, Any] = {"color": colour, "alpha": 0.55, "linewidths": 0}
    axes.scatter(values[inside], aside[inside], s=size, zorder=3, **dots)
    for edge, marker, beyond in ((view[0], "<", values < view[0]), (view[1], ">", values > view[1])):
        axes.scatter(np.full(int(beyond.sum()), edge), aside[beyond], s=1.6 * size, marker=marker, zorder=3, **dots)
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    axes.barh(place, high - low, 0.7, left=low, color=colour, alpha=0.16, zorder=2)
    axes.plot([middle, middle], [place - 0.35, place + 0.35], color=colour, lw=1, alpha=0.7, zorder=2.5)
    mean = float(values.mean())
    axes.plot([mean, mean], [place - 0.35, place + 0.35], color=INK, lw=2.4, zorder=4)


def _say_gain(axes: Axes, place: int, group: Group, values: Floats) -> None:
    """Mean, its error and the share above zero, right of the row."""
    colour = text_colour(look_of(group.method).colour)
    where: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "color": colour}
    axes.text(1.02, place, _gain_words(values), weight=_weight(group), **where)


def _spread(count: int) -> Floats:
    """Places in [-1, 1] for dots in a row, the same every time: neighbours lie far apart (van der Corput)."""
    binary = [format(number, "b")[::-1] for number in range(count)]
    return np.array([2 * int(digits, 2) / 2 ** len(digits) - 1 for digits in binary])


def _gain_words(values: Floats) -> str:
    error = float(standard_error(values))
    told = signed(float(values.mean())) + ("" if math.isnan(error) else f" ± {error:.4f}")
    found = against([(value, 0.0) for value in values.tolist()])
    return f"{told}  {100 * found.share:.0f} %" if found else told


def _weight(group: Group) -> str:
    return "bold" if group.entry.family == "ours" else "normal"


def _name_rows(axes: Axes, groups: Sequence[Group]) -> None:
    """Names left of the rows, the first on top, and grid lines along x only."""
    words = [f"{group.name} ‡" if group.entry.family == "clairvoyant" else group.name for group in groups]
    axes.set_yticks(range(len(groups)), [drawable(word) for word in words], color=INK)
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


@rc_context(STYLE)
def plot_probes(rows: DeferralRows) -> Picture | None:
    """Area minus `zero`'s against the number of probes, one line a method; dashed and hollow where probes were picked.

    None with a single number of probes, or without `zero`.

    Raises:
        InputError: there are no trials.
    """
    groups = groups_of(rows)
    lines = _probe_lines(groups)
    counts = sorted({group.probes for line in lines for group, _ in line})
    if len(counts) < 2:
        return None
    title = "How many probes it takes: area against zero's"
    view, cut = _probe_view(lines)
    note = "mean over trials ± one standard error, each against zero with as many random probes"
    note += "; dashed and hollow: picked probes" if any(line[0][0].probing == "picked" for line in lines) else ""
    note += "; cut below" if cut else ""
    figure = make_sheet(title, bench_facts(rows.meta, groups), note, HEAD_IN + 5.6, simulated=rows.meta.simulated)
    axes = place_axes(figure, 0.95, names_in(_probe_words(line) for line in lines), HEAD_IN + 0.1, 0.75)
    _scale_probes(axes, counts)
    axes.axhline(0, color=look_of(REFERENCE).colour, ls=look_of(REFERENCE).dashes, lw=2)
    gap = min(math.log(after / before) for before, after in pairwise(counts))
    step = min(0.035, 0.5 * gap / len(lines))
    for place, line in enumerate(lines):
        _probe_line(axes, line, math.exp(step * (place - (len(lines) - 1) / 2)))
    axes.set_ylim(view)
    name_ends(axes, [_probe_end(line, view) for line in lines])
    ends = (_probe_words(line) for line in lines)
    words = f"Lines of area minus zero's over {counts[0]} to {counts[-1]} probes, ending at: {listed(ends, 24)}"
    return Picture("probes", title, words, figure)


_ProbeLine = list[tuple[Group, Floats]]


def _probe_lines(groups: Sequence[Group]) -> list[_ProbeLine]:
    """A line a method and choice of probes: its groups with their gains, few probes first; the thickest line last.

    Clairvoyant methods need no probes and have no line.
    """
    lines: dict[str, _ProbeLine] = {}
    for group in groups:
        values = gains(group, groups)
        if len(values) and group.probes and group.name != REFERENCE and group.entry.ranked:
            lines.setdefault(group.name, []).append((group, values))
    return sorted(lines.values(), key=lambda line: look_of(line[0][0].method).width)


def _probe_line(axes: Axes, line: _ProbeLine, aside: float) -> None:
    group = line[0][0]
    look, picked = look_of(group.method), group.probing == "picked"
    x = [aside * one.probes for one, _ in line]
    y = [float(values.mean()) for _, values in line]
    error = np.nan_to_num([float(standard_error(values)) for _, values in line])
    style: dict[str, Any] = {"mfc": PAPER if picked else look.colour, "mec": look.colour, "marker": look.marker}
    dashes = (0, (4, 1.5)) if picked else look.dashes
    axes.errorbar(x, y, error, color=look.colour, ls=dashes, lw=look.width, ms=7, elinewidth=1.2, capsize=2.5, **style)


def _probe_view(lines: Sequence[_ProbeLine]) -> tuple[tuple[float, float], bool]:
    """Limits that hold every line, but no more than twice as far below zero as above; whether that cuts any."""
    reach = [
        (float(values.mean()), float(np.nan_to_num(standard_error(values)))) for line in lines for _, values in line
    ]
    high = max(0.0, *(mean + error for mean, error in reach))
    low = min(0.0, *(mean - error for mean, error in reach))
    seen = max(low, -2 * high) if high > 0.002 else low
    room = 0.05 * (high - seen) or 0.01
    return (seen - room, high + room), low < seen - room


def _probe_end(line: _ProbeLine, view: tuple[float, float]) -> End:
    group, values = line[-1]
    mean = float(values.mean())
    return End(
        float(group.probes),
        min(max(mean, view[0]), view[1]),
        _probe_words(line),
        look_of(group.method).colour,
        bold=group.entry.family == "ours",
    )


def _probe_words(line: _ProbeLine) -> str:
    group, values = line[-1]
    return f"{group.name}  {signed(float(values.mean()))}"


def _scale_probes(axes: Axes, counts: Sequence[int]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(counts[0] / 1.3, counts[-1] * 1.3)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(list(counts), [f"{count:,}" for count in counts])
    axes.set_xlabel("labelled prompts of every unseen model (probes)")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: signed(value, 3) if value else "zero"))


@rc_context(STYLE)
def plot_coverage(rows: DeferralRows) -> Picture | None:
    """Share of the 90 % intervals that held, a row a method and number of probes, discs for trials; None without any.

    An interval is for a model's mean score over all test prompts, or over a group of them (`coverage`).

    Raises:
        InputError: there are no trials.
    """
    groups = [group for group in groups_of(rows) if any(row.intervals for row in group.trials.values())]
    if not groups:
        return None
    title = "Do the intervals hold?"
    note = (
        "share of 90 % intervals for mean scores that held; discs: single trials, by their number; diamond: all of them"
    )
    height = HEAD_IN + 0.95 + _ROW_IN * len(groups)
    figure = make_sheet(title, bench_facts(rows.meta, groups), note, height, simulated=rows.meta.simulated)
    axes = place_axes(figure, rows_in(_coverage_name(group) for group in groups), 1.6, HEAD_IN + 0.1, 0.75)
    axes.axvspan(*GOOD, color="#eef1f4", zorder=0.5)
    axes.axvline(LEVEL, color=look_of(REFERENCE).colour, lw=1.4)
    for place, group in enumerate(groups):
        _coverage_row(axes, place, group)
    _name_rows(axes, groups)
    axes.set_yticklabels([drawable(_coverage_name(group)) for group in groups])
    axes.set_xlim(right=1.01)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axes.set_xlabel("share that held; shaded: 85 to 95 %")
    alt = listed((f"{_coverage_name(group)} {100 * coverage(group):.1f} %" for group in groups), 18)
    return Picture("coverage", title, f"Discs of the share of 90 % intervals that held, by trial: {alt}", figure)


def coverage(group: Group) -> float:
    """Share of a group's intervals that held; NaN without any."""
    looked = sum(row.intervals for row in group.trials.values())
    return sum(row.covered for row in group.trials.values()) / looked if looked else math.nan


def _coverage_name(group: Group) -> str:
    return f"{group.name}, {group.probes:,} probes" if group.probes else group.name


def _coverage_row(axes: Axes, place: int, group: Group) -> None:
    colour = look_of(group.method).colour
    shares = [row.covered / row.intervals for row in group.trials.values() if row.intervals]
    there, trials = np.unique(np.round(shares, 6), return_counts=True)
    sizes = 500 * trials / len(shares)
    axes.scatter(
        there, np.full(len(there), place), s=sizes, color=colour, alpha=0.3, linewidths=0, zorder=3, clip_on=False
    )
    held = coverage(group)
    axes.plot(held, place, "D", ms=9, color=colour, mec=PAPER, mew=1.2, zorder=4)
    where: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "color": text_colour(colour)}
    axes.text(1.02, place, f"{100 * held:.1f} %", weight=_weight(group), **where)
