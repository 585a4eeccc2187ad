"""Pictures of the funds as queries arrive, one panel a fund: what is spent of it, and what a unit of it is worth.

Takes `rows.Rows` with traces; gives pictures, or None where no trace has what is to be drawn. Of very many funds the
largest are drawn, and the picture says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator

from pointsman.evaluate.plots.labels import listed, short_names
from pointsman.evaluate.plots.looks import FAINT, PAPER, look_of, text_colour
from pointsman.evaluate.plots.sheet import (
    HEAD_IN,
    STYLE,
    WIDTH_IN,
    Picture,
    bench_facts,
    draw_key,
    drawable,
    make_sheet,
    place_axes,
)
from pointsman.evaluate.roster import in_order, policy_named
from pointsman.evaluate.rows import Rows, Run, Trace
from pointsman.evaluate.summary import traced_runs
from pointsman.evaluate.wording import money, percent
from pointsman.records import Floats

MOST_PANELS = 24


@rc_context(STYLE)
def plot_spend(rows: Rows, policies: Sequence[str] = ("port", "paced")) -> Picture | None:
    """What share of every fund is spent as queries arrive, one panel a fund, against an even pace.

    Shows those of `policies` that left a trace, in every panel together; None if none did. Of more than
    `MOST_PANELS` funds the largest are drawn, and the picture says so.
    """
    traced = traced_runs(rows)
    shown = {name: traced[name] for name in policies if name in traced}
    curves = {name: _spent_shares(run, trace) for name, (run, trace) in shown.items()}
    budgets = {fund: amount for run, _ in shown.values() for fund, amount in run.budget.items()}
    if not budgets:
        return None
    title = "Spend of every fund over time"
    panels = _panels(rows, title, budgets, "share of the fund spent, first order of arrivals; in figures: at the end")
    draw_key(panels.figure, _policy_handles(curves, "even pace"), HEAD_IN)
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
    return Picture("spend", title, f"{alt}of all funds: {listed(totals)}", panels.figure)


def _spent_shares(run: Run, trace: Trace) -> dict[str, Floats]:
    return {fund: np.array(spent) / run.budget[fund] for fund, spent in trace.spent.items() if run.budget.get(fund)}


@rc_context(STYLE)
def plot_prices(rows: Rows) -> Picture | None:
    """The price of every fund as queries arrive, one panel a fund, for all policies with prices; None without."""
    traced = {name: found for name, found in traced_runs(rows).items() if _has_prices(found[1])}
    # Pooled policies have another fund than the rest: their price has no panel to share.
    shown = {name: traced[name] for name in in_order(traced) if not policy_named(name).pooled} or traced
    budgets = {fund: amount for run, _ in shown.values() for fund, amount in run.budget.items()}
    if not budgets:
        return None
    title = "What a unit of every fund is worth over time"
    note = "quality per unit of the fund, first order of arrivals; each panel on its own scale, short spikes cut off"
    panels = _panels(rows, title, budgets, note, gutter_in=0.45)
    draw_key(panels.figure, _policy_handles(shown), HEAD_IN)
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
    figure = make_sheet(title, bench_facts(rows), note, height, simulated=rows.meta.simulated)
    names = short_names(funds, round((wide - gutter_in) / 0.073))
    axes = {}
    for place, fund in enumerate(funds):
        line, column = divmod(place, columns)
        left, top = 0.35 + gutter_in + column * wide, HEAD_IN + 0.85 + line * tall
        axes[fund] = place_axes(figure, left, WIDTH_IN - left - wide + gutter_in, top, height - top - tall + 0.6)
        _title_panel(axes[fund], drawable(names[fund]), money(budgets[fund]))
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
        Line2D([], [], color=look_of(name).colour, lw=3, ls=look_of(name).dashes, label=drawable(name))
        for name in names
    ]
    return handles + [Line2D([], [], color="#8c959f", lw=1.2, ls=(0, (2, 2)), label=word) for word in more]


def _panel_line(axes: Axes, name: str, at: Sequence[float], values: Sequence[float] | Floats | None) -> None:
    if values is not None:
        look = look_of(name)
        axes.plot(at, values, color=look.colour, lw=max(1.4, look.width * 0.7), ls=look.dashes, zorder=2 + look.width)


def _end_shares(axes: Axes, ends: Mapping[str, float]) -> None:
    """The last shares as coloured figures in the lower right corner, where an even pace leaves room."""
    for place, (name, share) in enumerate(reversed(list(ends.items()))):
        where: dict[str, Any] = {"transform": axes.transAxes, "ha": "right", "size": 9, "weight": "bold", "zorder": 9}
        where["bbox"] = {"boxstyle": "round,pad=0.1", "fc": PAPER, "ec": "none", "alpha": 0.75}
        axes.text(0.98, 0.05 + 0.14 * place, f"{100 * share:.0f} %", color=text_colour(look_of(name).colour), **where)
