"""Pictures of deferral curves: quality against cost, and the same against `zero` at every cost.

Takes `records.DeferralRows`; gives pictures of the largest number of probes, cut to where the curves rise: what is flat
beyond is said in words. `oracle` is left to the tables. Refuses rows without a trial.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from pointsman.evaluate.deferral.pictures.looks import MAIN, bench_facts, look_of, names_in, signed
from pointsman.evaluate.deferral.pictures.series import (
    BEYOND,
    REFERENCE,
    Group,
    curve_gains,
    gains,
    groups_of,
    main_groups,
    one_probing,
    standard_error,
    usual_curves,
)
from pointsman.evaluate.deferral.records import DeferralRows
from pointsman.evaluate.plots import HEAD_IN, Picture
from pointsman.evaluate.plots.ends import End, name_ends
from pointsman.evaluate.plots.labels import listed
from pointsman.evaluate.plots.sheet import STYLE, make_sheet, place_axes
from pointsman.records import Floats

_FLAT = 0.01  # Of the height drawn: a curve that rises by less is flat to the eye.


@dataclass(frozen=True, slots=True)
class _Line:
    """Mean and standard error [101] of a group's curve, and what is said at its end."""

    group: Group
    mean: Floats
    error: Floats
    words: str


@rc_context(STYLE)
def plot_curves(rows: DeferralRows) -> Picture:
    """Quality against relative cost, the mean over trials, one line a method.

    Raises:
        InputError: there are no trials.
    """
    groups = _drawn(rows)
    usual = usual_curves(groups)
    lines = [
        _Line(group, group.curves.mean(axis=0), standard_error(group.curves - _of(group, usual)), _area(group))
        for group in groups
    ]
    title = "Deferral curves: quality against cost"
    note = "mean over trials; bands: one standard error against the trial's mean curve; figures: mean area"
    figure = make_sheet(title, bench_facts(rows.meta, groups), note, HEAD_IN + 6.0, simulated=rows.meta.simulated)
    axes = place_axes(figure, 0.85, names_in(_words(line) for line in lines), HEAD_IN + 0.1, 0.75)
    _set_view(axes, lines)
    _draw(axes, lines)
    axes.set_ylabel("mean score")
    alt = listed((f"{line.group.name} {line.words}" for line in lines), 18)
    return Picture("curves", title, f"Lines of mean score against relative cost; area under each: {alt}", figure)


@rc_context(STYLE)
def plot_curve_gains(rows: DeferralRows) -> Picture | None:
    """Quality minus `zero`'s at the same relative cost, the mean over trials; None where `zero` wasn't run.

    Raises:
        InputError: there are no trials.
    """
    groups = _drawn(rows)
    lines = []
    for group in groups:
        differences = curve_gains(group, groups)
        if len(differences) and group.method != REFERENCE:
            words = signed(float(gains(group, groups).mean()))
            lines.append(_Line(group, differences.mean(axis=0), standard_error(differences), words))
    if not lines:
        return None
    title = "What looking at the prompt adds"
    note = "difference in quality to zero at the same cost; mean over trials ± one standard error; figures: mean area"
    figure = make_sheet(title, bench_facts(rows.meta, groups), note, HEAD_IN + 5.4, simulated=rows.meta.simulated)
    axes = place_axes(figure, 0.85, names_in(_words(line) for line in lines), HEAD_IN + 0.1, 0.75)
    curves = [_Line(group, group.curves.mean(axis=0), np.zeros(0), "") for group in groups]
    _scale_x(axes, _last_rise(curves))
    axes.axhline(0, color=look_of(REFERENCE).colour, ls=look_of(REFERENCE).dashes, lw=2)
    _draw(axes, lines)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: signed(value, 3) if value else "zero"))
    alt = listed((f"{line.group.name} {line.words}" for line in lines), 18)
    words = f"Lines of mean score minus zero's against relative cost; differences in area: {alt}"
    return Picture("gains", title, words, figure)


def _of(group: Group, usual: Mapping[int, Floats]) -> Floats:
    return np.array([usual[trial] for trial in sorted(group.trials)])


def _area(group: Group) -> str:
    return f"{group.areas.mean():.4f}"


def _drawn(rows: DeferralRows) -> list[Group]:
    """One group a method, the thickest lines last, on top of others; the oracle only if nothing else is there."""
    groups = one_probing(main_groups(groups_of(rows)))
    seen = [group for group in groups if group.method != BEYOND] or groups
    return sorted(seen, key=lambda group: look_of(group.method).width)


def _set_view(axes: Axes, lines: Sequence[_Line]) -> None:
    """From where the curves have left the cheapest model to where the last one is flat."""
    last = _last_rise(lines)
    _scale_x(axes, last)
    x = lines[0].group.relative_cost
    seen = np.array([line.mean[(x >= 0.04 * last) & (x <= last)] for line in lines])
    low, high = float(seen.min()), float(seen.max())
    room = 0.06 * (high - low) or 0.01
    axes.set_ylim(low - room, high + room)


def _last_rise(lines: Sequence[_Line]) -> float:
    """The relative cost, in tenths, after which no curve rises or falls any more that the eye would see."""
    means = np.array([line.mean for line in lines])
    moved = np.abs(means - means[:, -1:]).max(axis=0)
    flat = _FLAT * float(means.max() - means.min())
    beyond = np.flatnonzero(moved > flat)
    x = lines[0].group.relative_cost
    last = float(x[min(int(beyond[-1]) + 1, len(x) - 1)]) if len(beyond) else 1.0
    return min(1.0, max(0.2, math.ceil(10 * last - 1e-9) / 10))


def _scale_x(axes: Axes, last: float) -> None:
    axes.set_xlim(0, last)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    beyond = "" if last == 1.0 else "; hardly anything changes beyond"
    axes.set_xlabel(f"mean cost a prompt, in per cent of the dearest model's{beyond}")


def _draw(axes: Axes, lines: Sequence[_Line]) -> None:
    """The lines inside the view and their names, once all limits stand."""
    last = axes.get_xlim()[1]
    x = lines[0].group.relative_cost
    seen = x <= last + 1e-9
    for line in lines:
        look = look_of(line.group.method)
        style: dict[str, Any] = {"color": look.colour, "zorder": 2 + look.width}
        axes.plot(x[seen], line.mean[seen], lw=look.width, ls=look.dashes, **style)
        if line.group.method in MAIN and np.isfinite(line.error).all():
            low, high = line.mean - line.error, line.mean + line.error
            axes.fill_between(x[seen], low[seen], high[seen], color=look.colour, alpha=0.14, linewidth=0, zorder=1.5)
    axes.set_ylim(axes.get_ylim())  # Names at the ends move no limit.
    name_ends(axes, [_end(line, x[seen]) for line in lines])


def _end(line: _Line, x: Floats) -> End:
    look = look_of(line.group.method)
    return End(
        float(x[-1]), float(line.mean[len(x) - 1]), _words(line), look.colour, bold=line.group.entry.family == "ours"
    )


def _words(line: _Line) -> str:
    return f"{line.group.name}  {line.words}"
