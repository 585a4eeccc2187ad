"""The pictures of a plug-in bench, from saved rows: performance against the number of probes, and regret over time.

Takes `rows.PluginRows`; gives `Picture` values with names written at the lines' ends. Writes no file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from pointsman.evaluate.plots.ends import End, name_ends
from pointsman.evaluate.plots.labels import cut_name, listed
from pointsman.evaluate.plots.looks import PAPER, Look
from pointsman.evaluate.plots.sheet import HEAD_IN, STYLE, Picture, make_sheet, percent_axis, place_axes
from pointsman.evaluate.plugin.plan import PROBED, REFERENCES
from pointsman.evaluate.plugin.rows import PluginMeta, PluginRows
from pointsman.evaluate.plugin.summary import Measure, Summary, by_line, summarise
from pointsman.evaluate.wording import percent, quantity

_USUAL_PROBES = 64
LOOKS = {
    "transfer": Look("#0072B2", 3.2),
    "kmeans": Look("#D55E00", 2.2, marker="s"),
    "mean": Look("#7d858e", 2.0, marker="^"),
    "exploration": Look("#009E73", 2.2, marker="D"),
    "from-the-start": Look("#30363d", 1.6, (0, (1, 1.6)), "None"),
    "full-history": Look("#30363d", 1.6, (0, (4, 1.5)), "None"),
    "never": Look("#882255", 1.6, (0, (4, 1.5)), "None"),
}


@dataclass(frozen=True, slots=True)
class _Points:
    name: str
    probes: Sequence[int]
    mean: Sequence[float]
    sd: Sequence[float]


@rc_context(STYLE)
def plot_probes(rows: PluginRows) -> Picture:
    """Share of `from-the-start`'s performance against the number of probes, one line a variant, bars of one deviation.

    Raises:
        InputError: no pair is finished.
    """
    found = summarise(rows)
    pairs = max(one.pairs for one in found.values())
    title = "Performance against the number of probes"
    figure = make_sheet(title, _facts(rows.meta), _note(pairs), HEAD_IN + 5.3, simulated=rows.meta.simulated)
    axes = place_axes(figure, 0.85, 2.75, HEAD_IN + 0.1, 0.75)
    points = [_points(found, name) for name in PROBED if any(variant == name for variant, _ in found)]
    numbers = sorted({number for one in points for number in one.probes}) or [1]
    _scale_probes(axes, numbers)
    for place, one in enumerate(points):
        _draw_points(axes, one, place)
    ends = [
        End(one.probes[-1], one.mean[-1], _ending(one.name, one.mean[-1]), LOOKS[one.name].colour) for one in points
    ]
    for name in REFERENCES:
        level, look = found[name, 0].of_start_mean, LOOKS[name]
        axes.axhline(level, color=look.colour, lw=look.width, ls=look.dashes, zorder=1.5)
        ends.append(End(axes.get_xlim()[1], level, _ending(name, level), look.colour))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axes.set_xlabel("probe prompts; for exploration, the first live queries")
    name_ends(axes, ends)
    return Picture("plugin-probes", title, f"{title}: {listed((end.words for end in ends), 9)}", figure)


def _facts(meta: PluginMeta) -> str:
    words = f"{meta.split} split, budget factor {meta.factor:g}, {meta.test:,} test queries"
    return f"{cut_name(meta.dataset, 50)} · {len(meta.models)} models · {words}"


def _note(pairs: int) -> str:
    told = "one order of arrivals" if pairs == 1 else f"mean of {pairs} orders and newcomers ± one standard deviation"
    return f"a model joins after a third of the queries, another leaves after two thirds; {told}"


def _points(found: dict[tuple[str, int], Summary], name: str) -> _Points:
    there = [(probes, one) for (variant, probes), one in found.items() if variant == name]
    return _Points(
        name,
        [probes for probes, _ in there],
        [one.of_start_mean for _, one in there],
        [0.0 if math.isnan(one.of_start_sd) else one.of_start_sd for _, one in there],
    )


def _scale_probes(axes: Axes, numbers: Sequence[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(numbers, [f"{number:,}" for number in numbers])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(numbers[0] / 1.3, numbers[-1] * 1.3)


def _draw_points(axes: Axes, one: _Points, place: int) -> None:
    """A line with whiskers, a little to the side so that those of several variants don't cover each other."""
    look, x = LOOKS[one.name], np.array(one.probes) * 1.02 ** (place - 1.5)
    shape: dict[str, Any] = {"marker": look.marker, "ms": 5 + look.width, "mec": PAPER, "mew": 0.6}
    axes.errorbar(x, one.mean, one.sd, color=look.colour, lw=look.width, elinewidth=1.2, capsize=3, zorder=3, **shape)


def _ending(name: str, share: float) -> str:
    return f"{name}  {percent(share)} %"


@rc_context(STYLE)
def plot_regret(rows: PluginRows) -> Picture:
    """Mean regret against `full-history` as queries arrive, one line a variant, with 64 probes or the number nearest.

    Raises:
        InputError: no pair is finished.
    """
    found = by_line(rows)
    probes = _nearest((number for variant, number in found if variant in PROBED), _USUAL_PROBES)
    shown = {v: some for (v, number), some in found.items() if number == probes or v in ("never", "from-the-start")}
    title = f"Regret over time with {probes:,} probes" if probes else "Regret over time"
    pairs = max(len(some) for some in shown.values())
    figure = make_sheet(title, _facts(rows.meta), _note(pairs), HEAD_IN + 5.3, simulated=rows.meta.simulated)
    axes = place_axes(figure, 0.85, 2.75, HEAD_IN + 0.1, 0.75)
    ends = []
    for name, some in shown.items():
        y, look = np.mean([one.regret for one in some], axis=0), LOOKS[name]
        axes.plot(np.linspace(0, 1, len(y)), y, color=look.colour, lw=look.width, ls=look.dashes, zorder=2 + look.width)
        ends.append(End(1.0, float(y[-1]), f"{name}  {quantity(float(y[-1]))}", look.colour))
    percent_axis(axes)
    _mark_moments(axes, next(iter(shown.values()))[0])
    axes.axhline(0, color=LOOKS["full-history"].colour, lw=0.8)
    axes.set_xlabel("share of the queries seen")
    axes.set_ylabel("sum of scores behind full-history")
    name_ends(axes, ends)
    return Picture("plugin-regret", title, f"{title}, at the end: {listed((end.words for end in ends), 9)}", figure)


def _mark_moments(axes: Axes, one: Measure) -> None:
    """Where the newcomer joins and the leaver leaves."""
    for share, word in ((1 / 3, "joins"), (one.row.leaves / one.row.arrivals, "leaves")):
        axes.axvline(share, color="#8c959f", lw=0.9, ls=(0, (1, 2)))
        axes.annotate(
            word,
            (share, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(4, -2),
            textcoords="offset points",
            va="top",
            fontsize=10,
        )


def _nearest(numbers: Iterable[int], wanted: int) -> int:
    return min(numbers, key=lambda number: (abs(math.log(number / wanted)), number), default=0)
