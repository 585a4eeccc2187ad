"""The pictures of a bench, from saved rows: one clean style, drawn without a window or any global figure.

Takes `Rows` (or the arrays of a reliability check, or one decision); gives `Picture` values: a figure, its title and
the words that stand for it where it can't be seen. `to_png` and `to_svg` turn a picture into bytes.
Dark on white, 12 inches wide (1200 pixels at 100 dpi), colours that survive colour blindness (Okabe and Ito 2008, two
of Paul Tol's), and names written at the lines rather than in a legend where there is room. A policy has one colour in
every picture; what pools the budgets is dashed, a reference dotted or hollow.
Text is never read as mathematics: a dollar sign in a model's name is a dollar sign.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from statistics import fmean
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator, NullFormatter

from pointsman.evaluate.rows import AXES, Rows, Run, Summary, Trace, Value, along, base_setting, by_setting, summarise
from pointsman.evaluate.tables import (
    AXIS_TITLES,
    axis_words,
    deviation,
    in_order,
    money,
    percent,
    policy_named,
    quantity,
    setting_words,
    value_text,
)
from pointsman.records import Candidate, Decision, Floats, Ints

WIDTH_IN = 12.0
MARGIN_IN = 0.25
HEAD_IN = 1.1  # The title and two lines under it.
MOST_PANELS = 24
MOST_MODELS = 8

INK, FAINT, PAPER = "#1f2328", "#656d76", "#ffffff"

_FONT = "DejaVu Sans"  # Comes with matplotlib: a picture looks the same on every machine.
_STYLE: Any = {
    "font.family": _FONT,
    "font.size": 11,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": "#8c959f",
    "axes.labelcolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.unicode_minus": True,
    "grid.color": "#e6e8eb",
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.major.size": 0,
    "xtick.major.pad": 6,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "svg.hashsalt": "pointsman",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn figure: `name` for its file, `title` as drawn, `alt` for who can't see it."""

    name: str
    title: str
    alt: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class _Look:
    colour: str
    width: float = 1.3
    dashes: Any = "solid"
    marker: str = "o"


_GREY = "#a3a9b1"
_LOOKS = {
    "port": _Look("#D55E00", 2.4),
    "paced": _Look("#0072B2", 3.2),
    "paced-pooled": _Look("#56B4E9", 2.4, (0, (4, 1.5))),
    "batchsplit-prorated": _Look("#009E73", 2.0, marker="s"),
    "greedy-feasible": _Look("#CC79A7", 1.8, marker="^"),
    "mirror-descent": _Look("#882255", 1.8, marker="D"),
    "pid-pacing": _Look("#999933", 1.8, marker="v"),
    "cheapest-pooled": _Look("#E69F00", 2.0, (0, (4, 1.5)), "s"),
    "approx-optimum": _Look("#30363d", 1.6, (0, (1, 1.6)), "None"),
    "optimum": _Look("#30363d", 1.6, (0, (1, 1.6)), "None"),
    "random": _Look(_GREY, marker="o"),
    "greedy-perf": _Look(_GREY, marker="^"),
    "greedy-cost": _Look(_GREY, marker="v"),
    "knn-perf": _Look(_GREY, marker="<"),
    "knn-cost": _Look(_GREY, marker=">"),
    "batchsplit": _Look("#7d858e", 1.6, marker="s"),
    "text-perf": _Look(_GREY, marker="D"),
    "text-cost": _Look(_GREY, marker="P"),
}
_MODEL_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#882255", "#999933")


def _look(policy: str) -> _Look:
    """A policy's own look; on other estimates (`NAME@SOURCE`) the same, thinner."""
    plain, _, source = policy.partition("@")
    look = _LOOKS.get(plain, _Look("#6f42c1", 1.8, marker="X"))
    return replace(look, width=0.6 * look.width, marker="X") if source else look


# ---- bytes


@rc_context(_STYLE)
def to_png(picture: Picture, dpi: int = 200) -> bytes:
    """The picture as PNG, `WIDTH_IN * dpi` pixels wide."""
    return _bytes(picture.figure, "png", dpi)


@rc_context(_STYLE)
def to_svg(picture: Picture) -> bytes:
    """The picture as SVG, the same bytes for the same rows."""
    return _bytes(picture.figure, "svg", 72)


def _bytes(figure: Figure, kind: Literal["png", "svg"], dpi: int) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format=kind, dpi=dpi, metadata={"Date": None} if kind == "svg" else None)
    return buffer.getvalue()


# ---- the sheet that every picture is drawn on


def _sheet(title: str, facts: str, note: str, height_in: float, *, simulated: bool) -> Figure:
    """A white sheet, its title and two lines on the left, and the word "simulated" where nobody can miss it."""
    figure = Figure(figsize=(WIDTH_IN, height_in))
    shown = f"{title} (simulated)" if simulated else title
    left = MARGIN_IN / WIDTH_IN
    figure.text(left, 1 - 0.2 / height_in, _shown(shown), size=16, weight="bold", va="top")
    figure.text(left, 1 - 0.56 / height_in, _shown(facts), size=11, color=FAINT, va="top")
    figure.text(left, 1 - 0.79 / height_in, _shown(note), size=11, color=FAINT, va="top")
    if simulated:
        tag = {"boxstyle": "round,pad=0.35", "facecolor": "#fff4ec", "edgecolor": "#D55E00"}
        words, where = "simulated: no real model answered", (1 - left, 1 - 0.24 / height_in)
        figure.text(*where, words, size=9.5, color="#a64500", ha="right", va="top", bbox=tag)
    return figure


def _place(figure: Figure, left: float, right: float, top: float, bottom: float) -> Axes:
    """Axes by their distances from the sheet's edges, in inches."""
    width, height = figure.get_size_inches()
    box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    return figure.add_axes(box)


def _shown(text: str) -> str:
    """Text on one line, with a box for what the font lacks (drawing it would warn and show the same box)."""
    flat = " ".join(text.split())
    return "".join(letter if ord(letter) in _glyphs() else "□" for letter in flat)


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=_FONT))).get_charmap())


def _rgb(colour: str) -> Floats:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255


def _text_colour(colour: str) -> str:
    """The colour, darkened until it can be read on white (contrast of at least 4.5, WCAG 2)."""
    rgb = _rgb(colour)
    while 1.05 / (_luminance(rgb) + 0.05) < 4.5:
        rgb = rgb * 0.94
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def _luminance(rgb: Floats) -> float:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def _apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions nearest to `wanted`, in the same order, at least `gap` apart and within low and high if they fit.

    Neighbours that are too close are merged into a block around their mean (pool adjacent violators).
    """
    order = sorted(range(len(wanted)), key=lambda at: wanted[at])
    blocks: list[tuple[float, int]] = []  # sum of (wanted - offset in the block), members
    for at in order:
        total, size = wanted[at], 1
        while blocks and blocks[-1][0] / blocks[-1][1] + blocks[-1][1] * gap > total / size:
            before, members = blocks.pop()
            total, size = before + total - size * members * gap, size + members
        blocks.append((total, size))
    spread = [total / size + step * gap for total, size in blocks for step in range(size)]
    shift = max(0.0, low - spread[0]) if spread else 0.0
    spread = [max(position + shift, low + rank * gap) for rank, position in enumerate(spread)]
    spread = [min(position, high - (len(spread) - 1 - rank) * gap) for rank, position in enumerate(spread)]
    placed = dict(zip(order, spread, strict=True))
    return [placed[at] for at in range(len(wanted))]


def _facts(rows: Rows) -> str:
    meta = rows.meta
    return f"{_cut(meta.dataset, 50)} · {len(meta.models)} models · {setting_words(base_setting(rows))}"


def _axis_facts(rows: Rows, axis: str) -> str:
    """As `_facts`, without the parameter that the picture varies."""
    meta, base = rows.meta, base_setting(rows)
    words = [axis_words(name, getattr(base, name)) for name in AXES if name != axis]
    models = [] if axis == "models" else [f"{len(meta.models)} models"]
    return " · ".join((_cut(meta.dataset, 50), *models, ", ".join(words)))


def _orders_words(policies: Iterable[Mapping[str, Sequence[Run]]]) -> str:
    orders = max(len(runs) for found in policies for runs in found.values())
    return "one order of arrivals" if orders == 1 else f"mean of {orders} orders of arrivals ± one standard deviation"


def _listed(parts: Iterable[str], most: int = 12) -> str:
    known = list(parts)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return "; ".join(known[:most]) + more


# ---- performance, policy by policy


@rc_context(_STYLE)
def plot_performance(rows: Rows) -> Picture:
    """Bars of the main table's performance, the highest first.

    Raises:
        InputError: there are no runs.
    """
    base = base_setting(rows)
    policies = by_setting(rows)[base]
    found = {name: summarise(runs) for name, runs in policies.items()}
    names = sorted(in_order(found), key=lambda name: -found[name].performance_mean)
    title = "What the budget buys: sum of scores, by policy"
    note = f"{_orders_words([policies])}; in per cent: of approx-optimum"
    figure = _sheet(title, _facts(rows), note, HEAD_IN + 0.95 + 0.33 * len(names), simulated=rows.meta.simulated)
    axes = _place(figure, 2.3, 2.3, HEAD_IN + 0.45, 0.5)
    for place, name in enumerate(names):
        _bar(axes, place, name, found[name])
    axes.set_yticks(range(len(names)), [_shown(_marked(name)) for name in names], color=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, max(found[name].performance_mean for name in names) * 1.02 or 1.0)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.spines["bottom"].set_visible(False)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    _bar_key(figure, names)
    alt = "Bars of performance: " + _listed(f"{name} {quantity(found[name].performance_mean)}" for name in names)
    return Picture("performance", title, alt, figure)


def _marked(name: str) -> str:
    return f"{name} †" if policy_named(name).pooled else name


def _bar(axes: Axes, place: int, name: str, summary: Summary) -> None:
    policy, colour = policy_named(name), _group_colour(name)
    face, edge = ("#f2f4f6", "#8c959f") if policy.group == "reference" else (colour, PAPER if policy.pooled else colour)
    sd, mean = summary.performance_sd, summary.performance_mean
    hatch = "////" if policy.pooled else None
    axes.barh(place, mean, 0.72, color=face, edgecolor=edge, hatch=hatch, linewidth=0.8)
    if not math.isnan(sd):
        axes.errorbar(mean, place, xerr=sd, fmt="none", ecolor=INK, elinewidth=1.2, capsize=2.5)
    relative = "" if math.isnan(summary.relative_mean) else f"   {100 * summary.relative_mean:.0f} %"
    words = quantity(mean) + ("" if math.isnan(sd) else f" ± {deviation(sd, mean)}") + relative
    weight = "bold" if policy.group == "ours" else "normal"
    reach = mean + (0.0 if math.isnan(sd) else sd)
    axes.annotate(words, (reach, place), (6, 0), textcoords="offset points", va="center", weight=weight)


def _group_colour(name: str) -> str:
    if name.partition("@")[0] == "port":
        return _look(name).colour
    kind = {"ours": "paced", "published": "batchsplit", "honest": "batchsplit-prorated"}
    return _look(kind.get(policy_named(name).group, name)).colour


def _bar_key(figure: Figure, names: Sequence[str]) -> None:
    """Words in the groups' colours under the title, for those that are there."""
    titles = {"ours": "ours", "published": "published baselines", "honest": "honest baselines", "other": "others"}
    ports = {name for name in names if name.partition("@")[0] == "port"}
    words = {"PORT": _look("port").colour} if ports else {}
    for name in names:
        if name not in ports and policy_named(name).group in titles:
            words[titles[policy_named(name).group]] = _group_colour(name)
    if any(policy_named(name).group == "reference" for name in names):
        words["references, not online"] = "#d0d5da"
    if any(policy_named(name).pooled for name in names):
        words["† hatched: the same total in one fund"] = PAPER
    _words(figure, list(words.items()), HEAD_IN)


def _words(figure: Figure, words: Sequence[tuple[str, str]], top_in: float) -> None:
    """A row of coloured swatches with their words, a legend on one line."""
    _key(
        figure,
        [
            Line2D([], [], color=colour, linewidth=7, solid_capstyle="butt", label=_shown(word))
            for word, colour in words
        ],
        top_in,
    )


def _key(figure: Figure, handles: Sequence[Line2D], top_in: float) -> None:
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(MARGIN_IN / WIDTH_IN, 1 - top_in / figure.get_size_inches()[1]),
        ncol=max(1, len(handles)),
        frameon=False,
        fontsize=10,
        handlelength=1.3,
        handletextpad=0.5,
        columnspacing=1.4,
        borderaxespad=0.0,
        borderpad=0.0,
    )


# ---- lines with names at their ends


@dataclass(frozen=True, slots=True)
class _Curve:
    name: str
    x: Sequence[float]
    y: Sequence[float]
    sd: Sequence[float]


Metric = Literal["performance", "relative"]


@rc_context(_STYLE)
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
    note = f"{_orders_words(found.values())}; † the same total in one fund"
    figure = _sheet(title, _axis_facts(rows, axis), note, HEAD_IN + 5.8, simulated=rows.meta.simulated)
    axes = _place(figure, 0.85, 2.75, HEAD_IN + 0.1, 0.75)
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
    return Picture(f"{axis}-{metric}", title, f"Lines of {metric} {span}: {_listed(ends, 18)}", figure)


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
    axes.set_xticks(xs, [_shown(word) for word in words], rotation=15 if named and max(map(len, words)) > 14 else 0)
    return named


def _draw_curve(axes: Axes, curve: _Curve, *, named: bool = False, bare: bool = False) -> None:
    """One line: thin with large markers and whiskers between names, with a band between numbers; bare over time."""
    look = _look(curve.name)
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
    elif look.colour != _GREY:
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
    """Every line's name and last value right of the axes, moved apart, with a thin leader from its end."""
    ends = [_in_axes(axes, curve.x[-1], curve.y[-1]) for curve in curves]
    gap = 0.2 * axes.figure.dpi / axes.bbox.height
    for curve, (x, y), place in zip(curves, ends, _apart([y for _, y in ends], gap, 0.0, 1.0), strict=True):
        look = _look(curve.name)
        weight = "bold" if policy_named(curve.name).group == "ours" else "normal"
        words = _shown(f"{_marked(curve.name)}  {_metric_text(curve.y[-1], metric)}")
        leader: dict[str, Any] = {"transform": axes.transAxes, "clip_on": False, "color": look.colour, "linewidth": 0.7}
        axes.plot([x + 0.006, 1.006, 1.03], [y, y, place], **leader)
        axes.text(
            1.035, place, words, transform=axes.transAxes, va="center", weight=weight, color=_text_colour(look.colour)
        )


def _in_axes(axes: Axes, x: float, y: float) -> tuple[float, float]:
    """A point of the data as shares of the axes' width and height; a missing y stands at the foot."""
    at = axes.transData.transform((x, 0.0 if math.isnan(y) else y))
    left, height = axes.transAxes.inverted().transform(at)
    return float(left), float(height)


# ---- over time


@rc_context(_STYLE)
def plot_progress(rows: Rows) -> Picture | None:
    """The sum of scores as queries arrive, of every policy that left a trace; None without traces."""
    traced = _traced(rows)
    if not traced:
        return None
    title = "Quality bought as queries arrive"
    note = "sum of scores so far, first order of arrivals; † the same total in one fund"
    figure = _sheet(title, _facts(rows), note, HEAD_IN + 5.3, simulated=rows.meta.simulated)
    axes = _place(figure, 0.85, 2.75, HEAD_IN + 0.1, 0.75)
    names = [name for name in reversed(in_order(traced)) if name != "optimum"]
    curves = [_Curve(name, traced[name][1].at, traced[name][1].performance, ()) for name in names]
    for curve in curves:
        _draw_curve(axes, curve, bare=True)
    _finish_y(axes, "performance", curves)
    _finish_time(axes)
    axes.set_xlabel("share of the queries seen")
    _name_ends(axes, curves, "performance")
    ends = _listed((f"{curve.name} {quantity(curve.y[-1])}" for curve in curves), 18)
    return Picture("progress", title, f"Lines of the sum of scores over arriving queries, ending at: {ends}", figure)


def _traced(rows: Rows) -> dict[str, tuple[Run, Trace]]:
    """The first run with a trace of every policy in the base setting."""
    found: dict[str, tuple[Run, Trace]] = {}
    for name, runs in by_setting(rows)[base_setting(rows)].items():
        for run in runs:
            if run.key in rows.traces and rows.traces[run.key].at:
                found.setdefault(name, (run, rows.traces[run.key]))
    return found


def _finish_time(axes: Axes) -> None:
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))


@rc_context(_STYLE)
def plot_spend(rows: Rows, policies: Sequence[str] = ("port", "paced")) -> Picture | None:
    """What share of every fund is spent as queries arrive, one panel a fund, against an even pace.

    Shows those of `policies` that left a trace, in every panel together; None if none did. Of more than
    `MOST_PANELS` funds the largest are drawn, and the picture says so.
    """
    traced = _traced(rows)
    shown = {name: traced[name] for name in policies if name in traced}
    curves = {name: _spent_shares(run, trace) for name, (run, trace) in shown.items()}
    budgets = {fund: amount for run, _ in shown.values() for fund, amount in run.budget.items()}
    if not budgets:
        return None
    title = "Spend of every fund over time"
    panels = _panels(rows, title, budgets, "share of the fund spent, first order of arrivals; in figures: at the end")
    _key(panels.figure, _policy_handles(curves, "even pace"), HEAD_IN)
    for fund, axes in panels.axes.items():
        axes.plot([0, 1], [0, 1], color="#8c959f", lw=1, ls=(0, (2, 2)), zorder=1.5)
        for name, by_fund in curves.items():
            _panel_line(axes, name, shown[name][1].at, by_fund.get(fund))
        axes.set_ylim(0, 1.04)
        axes.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        _end_shares(axes, {name: by_fund[fund][-1] for name, by_fund in curves.items() if fund in by_fund})
    panels.hide_inner_labels()
    totals = (
        f"{name} {percent(sum(run.spent.values()) / sum(run.budget.values()))} %" for name, (run, _) in shown.items()
    )
    alt = (
        f"One panel for each of {len(panels.axes)} funds with the share spent over the queries seen. Spent in the end, "
    )
    return Picture("spend", title, f"{alt}of all funds: {_listed(totals)}", panels.figure)


def _spent_shares(run: Run, trace: Trace) -> dict[str, Floats]:
    return {fund: np.array(spent) / run.budget[fund] for fund, spent in trace.spent.items() if run.budget.get(fund)}


@rc_context(_STYLE)
def plot_prices(rows: Rows) -> Picture | None:
    """The price of every fund as queries arrive, one panel a fund, for all policies with prices; None without."""
    traced = {name: found for name, found in _traced(rows).items() if _has_prices(found[1])}
    # Pooled policies have another fund than the rest: their price has no panel to share.
    shown = {name: traced[name] for name in in_order(traced) if not policy_named(name).pooled} or traced
    budgets = {fund: amount for run, _ in shown.values() for fund, amount in run.budget.items()}
    if not budgets:
        return None
    title = "What a unit of every fund is worth over time"
    note = "quality per unit of the fund, first order of arrivals; each panel on its own scale, short spikes cut off"
    panels = _panels(rows, title, budgets, note, gutter_in=0.45)
    _key(panels.figure, _policy_handles(shown), HEAD_IN)
    for fund, axes in panels.axes.items():
        for name, (_, trace) in shown.items():
            _panel_line(axes, name, trace.at, trace.price.get(fund))
        axes.set_ylim(0, _calm_top([trace.price.get(fund, ()) for _, trace in shown.values()]))
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    panels.hide_inner_labels(shared_y=False)
    alt = f"One panel for each of {len(panels.axes)} funds with its price over the queries seen, by {', '.join(shown)}"
    return Picture("prices", title, alt, panels.figure)


def _calm_top(series: Iterable[Sequence[float]]) -> float:
    """Where to end an axis of prices: at the highest, or at three times the greatest median of a line."""
    known = [np.array(prices)[~np.isnan(prices)] for prices in series]
    known = [prices for prices in known if len(prices)]
    highest = max((float(prices.max()) for prices in known), default=0.0)
    usual = max((float(np.median(prices)) for prices in known), default=0.0)
    return min(1.06 * highest, 3 * usual) or 1.06 * highest or 1.0


def _has_prices(trace: Trace) -> bool:
    return any(not math.isnan(price) for prices in trace.price.values() for price in prices)


@dataclass(frozen=True, slots=True)
class _Panels:
    figure: Figure
    axes: Mapping[str, Axes]
    columns: int

    def hide_inner_labels(self, *, shared_y: bool = True) -> None:
        """Keep tick labels at the grid's left and lower edge only."""
        everyone = list(self.axes.values())
        for place, axes in enumerate(everyone):
            if place + self.columns < len(everyone):
                axes.tick_params(labelbottom=False)
            if shared_y and place % self.columns:
                axes.tick_params(labelleft=False)


def _panels(
    rows: Rows, title: str, budgets: Mapping[str, float], note: str, *, gutter_in: float = 0.3, most: int = MOST_PANELS
) -> _Panels:
    """A grid of small axes, one a fund, the largest fund first."""
    funds = sorted(budgets, key=lambda fund: (-budgets[fund], fund))[:most]
    columns = len(funds) if len(funds) <= 4 else min(6, math.ceil(math.sqrt(1.6 * len(funds))))
    wide, tall = (WIDTH_IN - 0.65) / columns, 2.05 if len(funds) > 4 else 3.2
    if len(budgets) > len(funds):
        note += f"; the {len(funds)} largest of {len(budgets)} funds"
    height = HEAD_IN + 0.95 + tall * math.ceil(len(funds) / columns)
    figure = _sheet(title, _facts(rows), note, height, simulated=rows.meta.simulated)
    names = short_names(funds, round((wide - gutter_in) / 0.073))
    axes = {}
    for place, fund in enumerate(funds):
        line, column = divmod(place, columns)
        left, top = 0.35 + gutter_in + column * wide, HEAD_IN + 0.85 + line * tall
        axes[fund] = _place(figure, left, WIDTH_IN - left - wide + gutter_in, top, height - top - tall + 0.6)
        _title_panel(axes[fund], _shown(names[fund]), money(budgets[fund]))
    figure.text(0.5, 0.12 / height, "share of the queries seen", color=FAINT, ha="center")
    return _Panels(figure, axes, columns)


def _title_panel(axes: Axes, name: str, amount: str) -> None:
    where: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
    axes.annotate(name, (0, 1), (0, 17), size=9, **where)
    axes.annotate(f"budget {amount}", (0, 1), (0, 5), size=8.5, color=FAINT, **where)
    axes.tick_params(labelsize=8.5)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "50", "100 %"])


def _policy_handles(names: Iterable[str], *more: str) -> list[Line2D]:
    handles = [
        Line2D([], [], color=_look(name).colour, lw=3, ls=_look(name).dashes, label=_shown(name)) for name in names
    ]
    return handles + [Line2D([], [], color="#8c959f", lw=1.2, ls=(0, (2, 2)), label=word) for word in more]


def _panel_line(axes: Axes, name: str, at: Sequence[float], values: Sequence[float] | Floats | None) -> None:
    if values is not None:
        look = _look(name)
        axes.plot(at, values, color=look.colour, lw=max(1.4, look.width * 0.7), ls=look.dashes, zorder=2 + look.width)


def _end_shares(axes: Axes, ends: Mapping[str, float]) -> None:
    """The last shares as coloured figures in the lower right corner, where an even pace leaves room."""
    for place, (name, share) in enumerate(reversed(list(ends.items()))):
        where: dict[str, Any] = {"transform": axes.transAxes, "ha": "right", "size": 9, "weight": "bold", "zorder": 9}
        where["bbox"] = {"boxstyle": "round,pad=0.1", "fc": PAPER, "ec": "none", "alpha": 0.75}
        axes.text(0.98, 0.05 + 0.14 * place, f"{100 * share:.0f} %", color=_text_colour(_look(name).colour), **where)


# ---- who serves what


@rc_context(_STYLE)
def plot_served(rows: Rows) -> Picture:
    """Which model serves what share of the arriving queries, one bar a policy; what is blank was served by nobody.

    The models that serve most over all policies have a colour each, the others are grey together.

    Raises:
        InputError: there are no runs.
    """
    policies = by_setting(rows)[base_setting(rows)]
    names = in_order(policies)
    shares = {name: _served_shares(policies[name]) for name in names}
    models = _busiest(shares)
    title = "Who serves what, by policy"
    note = "per cent of the queries that arrived; what is left blank was served by nobody"
    figure = _sheet(title, _facts(rows), note, HEAD_IN + 1.2 + 0.33 * len(names), simulated=rows.meta.simulated)
    axes = _place(figure, 2.3, 0.4, HEAD_IN + 0.7, 0.45)
    for place, name in enumerate(names):
        _stack(axes, place, shares[name], models)
    axes.set_yticks(range(len(names)), [_shown(_marked(name)) for name in names], color=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    _finish_time(axes)
    axes.grid(visible=False)
    _model_key(figure, models, len({model for found in shares.values() for model in found}))
    alt = _listed((f"{name} serves {percent(sum(shares[name].values()))} %" for name in names), 18)
    return Picture("served", title, f"Stacked bars of the share of queries each model serves: {alt}", figure)


def _served_shares(runs: Sequence[Run]) -> dict[str, float]:
    """Share of the arrivals that each model served, the mean over runs."""
    models = {model for run in runs for model in run.served_by}
    return {model: fmean(run.served_by.get(model, 0) / max(1, run.arrivals) for run in runs) for model in models}


def _busiest(shares: Mapping[str, Mapping[str, float]]) -> list[str]:
    totals: dict[str, float] = {}
    for found in shares.values():
        for model, share in found.items():
            totals[model] = totals.get(model, 0.0) + share
    return sorted((model for model in totals if totals[model] > 0), key=lambda model: (-totals[model], model))[
        :MOST_MODELS
    ]


def _stack(axes: Axes, place: int, shares: Mapping[str, float], models: Sequence[str]) -> None:
    left = 0.0
    parts = [(shares.get(model, 0.0), colour) for model, colour in zip(models, _MODEL_COLOURS, strict=False)]
    others = sum(share for model, share in shares.items() if model not in models)
    for share, colour in (*parts, (others, "#c3c8ce")):
        axes.barh(place, share, 0.74, left=left, color=colour, edgecolor=PAPER, linewidth=1.0)
        if share >= 0.045:
            ink = PAPER if _luminance(_rgb(colour)) < 0.3 else INK
            axes.text(left + share / 2, place, f"{100 * share:.0f}", color=ink, ha="center", va="center", size=9.5)
        left += share
    axes.barh(place, max(0.0, 1 - left), 0.74, left=left, color="#f3f5f7")


def _model_key(figure: Figure, models: Sequence[str], total: int) -> None:
    names = short_names(models, 21)
    words = [(names[model], colour) for model, colour in zip(models, _MODEL_COLOURS, strict=False)]
    if total > len(models):
        words.append((f"{total - len(models)} others", "#c3c8ce"))
    half = math.ceil(len(words) / 2)
    _words(figure, words[:half], HEAD_IN)
    _words(figure, words[half:], HEAD_IN + 0.25)


def short_names(names: Iterable[str], limit: int = 26) -> dict[str, str]:
    """Names that fit: without their provider, then cut in the middle, wherever that still tells them apart."""
    known = list(dict.fromkeys(names))
    tails = [name.rsplit("/", 1)[-1] for name in known]
    kept = [tail if tails.count(tail) == 1 else name for name, tail in zip(known, tails, strict=True)]
    ways = [[_cut(name, limit) for name in kept]]
    ways += [[_cut_at(name, limit, size) for name in kept] for size in range(2, limit - 2)]
    return dict(zip(known, max(ways, key=lambda way: len(set(way))), strict=True))


def _cut(name: str, limit: int) -> str:
    """The name cut where most of its digits stay: they tell sizes and versions apart."""
    ways = [_cut_at(name, limit, size) for size in range(2, limit - 2)]
    return max(ways, key=lambda way: (sum(map(str.isdigit, way)), -abs(2 * way.find("…") - limit)))


def _cut_at(name: str, limit: int, tail: int) -> str:
    return name if len(name) <= limit else f"{name[: limit - 1 - tail]}…{name[-tail:]}"


# ---- calibration, and one decision


@dataclass(frozen=True, slots=True)
class Reliability:
    """What was predicted and what happened, in B bins.

    Attributes:
        predicted: float [B], the mean prediction in a bin.
        observed: float [B], the mean outcome in it.
        count: int [B], how many; empty bins are not drawn.
    """

    predicted: Floats
    observed: Floats
    count: Ints

    @property
    def error(self) -> float:
        """Expected calibration error: the mean of |predicted - observed|, weighted by count; NaN of nothing."""
        there = self.count > 0
        if not there.any():
            return math.nan
        return float(np.average(np.abs(self.predicted - self.observed)[there], weights=self.count[there]))


_RELIABILITY_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


@rc_context(_STYLE)
def plot_reliability(
    curves: Mapping[str, Reliability], *, title: str, subtitle: str = "", simulated: bool = False
) -> Picture:
    """Predicted against observed quality for one estimator or several, with how often each prediction is made.

    Whiskers are two standard errors of a mean of scores in [0, 1] (at most, as for 0/1 scores): a point whose
    whisker meets the diagonal is not shown to be off.
    """
    figure = _sheet(title, subtitle, "whiskers: two standard errors", HEAD_IN + 5.8, simulated=simulated)
    axes, counts = _place(figure, 0.85, 5.4, HEAD_IN + 0.5, 0.75), _place(figure, 7.6, 0.35, HEAD_IN + 0.5, 0.75)
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
    _words(figure, list(zip(words, _RELIABILITY_COLOURS, strict=False)), HEAD_IN)
    return Picture("reliability", title, f"Predicted against observed quality. {_listed(words)}", figure)


def _reliability_curve(axes: Axes, bins: Reliability, colour: str) -> None:
    there = bins.count > 0
    predicted, observed, count = bins.predicted[there], bins.observed[there], bins.count[there]
    error = 2 * np.sqrt(np.clip(observed * (1 - observed), 0, None) / count)
    axes.errorbar(predicted, observed, error, color=colour, marker="o", markersize=6, lw=1.8, elinewidth=1, capsize=2)


@rc_context(_STYLE)
def plot_scores(
    decision: Decision, *, title: str = "Why this model", most: int = 12, simulated: bool = False
) -> Picture:
    """One decision: what every candidate is expected to be worth, what it is charged, and what is left."""
    candidates = decision.candidates[:most]
    subtitle = f"chosen: {decision.model or 'nobody'} ({decision.reason.replace('_', ' ')})"
    left_out = len(decision.candidates) - len(candidates)
    note = f"best score first; {left_out} more are not drawn" if left_out > 0 else "best score first"
    figure = _sheet(title, subtitle, note, HEAD_IN + 1.1 + 0.36 * len(candidates), simulated=simulated)
    axes = _place(figure, 3.2, 1.7, HEAD_IN + 0.45, 0.6)
    names = short_names([one.model for one in candidates], 34)
    for place, one in enumerate(candidates):
        _candidate(axes, place, one, chosen=one.model == decision.model)
    axes.axvline(0, color=INK, lw=1)
    axes.set_yticks(range(len(candidates)), [_shown(names[one.model]) for one in candidates], color=INK)
    axes.set_ylim(len(candidates) - 0.4, -0.6)
    axes.grid(visible=True, axis="x")
    axes.set_xlabel("quality")
    _key(figure, _score_handles(), HEAD_IN)
    alt = _listed(f"{one.model} quality {one.quality:.3f}, score {_score_text(one)}" for one in candidates)
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
    axes.text(1.02, place, _score_text(one), transform=where, va="center", color=_text_colour(colour), weight=weight)


def _score_text(one: Candidate) -> str:
    return f"{one.score:.3f}" if math.isfinite(one.score) else "can't be taken"


def _score_handles() -> list[Line2D]:
    ink = "#57606a"
    return [
        Line2D([], [], marker="o", mfc=PAPER, color=ink, lw=0, ms=7, label="expected quality ± its spread"),
        Line2D([], [], color=ink, lw=5, alpha=0.35, label="charge: price × amount, over its funds"),
        Line2D([], [], marker="D", color=ink, lw=0, ms=7, label="score: what is left"),
    ]
