"""Pictures of bars, one bar a policy: what the budget buys, and who serves what.

Takes `rows.Rows`; gives pictures of the base setting. Refuses rows without a run. A pooled policy is hatched, a
reference hollow; what nobody served stays blank.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from pointsman.evaluate.plots.labels import listed, short_names
from pointsman.evaluate.plots.looks import INK, PAPER, look_of, luminance, marked, rgb_of
from pointsman.evaluate.plots.sheet import (
    HEAD_IN,
    STYLE,
    Picture,
    bench_facts,
    draw_swatches,
    drawable,
    make_sheet,
    orders_words,
    percent_axis,
    place_axes,
)
from pointsman.evaluate.roster import in_order, policy_named
from pointsman.evaluate.rows import Rows, Run
from pointsman.evaluate.summary import Summary, base_setting, by_setting, summarise
from pointsman.evaluate.wording import deviation, percent, quantity

MOST_MODELS = 8

_MODEL_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#882255", "#999933")


@rc_context(STYLE)
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
    note = f"{orders_words([policies])}; in per cent: of approx-optimum"
    figure = make_sheet(
        title, bench_facts(rows), note, HEAD_IN + 0.95 + 0.33 * len(names), simulated=rows.meta.simulated
    )
    axes = place_axes(figure, 2.3, 2.3, HEAD_IN + 0.45, 0.5)
    for place, name in enumerate(names):
        _bar(axes, place, name, found[name])
    axes.set_yticks(range(len(names)), [drawable(marked(name)) for name in names], color=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, max(found[name].performance_mean for name in names) * 1.02 or 1.0)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.spines["bottom"].set_visible(False)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    _bar_key(figure, names)
    alt = "Bars of performance: " + listed(f"{name} {quantity(found[name].performance_mean)}" for name in names)
    return Picture("performance", title, alt, figure)


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
        return look_of(name).colour
    kind = {"ours": "paced", "published": "batchsplit", "honest": "batchsplit-prorated"}
    return look_of(kind.get(policy_named(name).group, name)).colour


def _bar_key(figure: Figure, names: Sequence[str]) -> None:
    """Words in the groups' colours under the title, for those that are there."""
    titles = {"ours": "ours", "published": "published baselines", "honest": "honest baselines", "other": "others"}
    ports = {name for name in names if name.partition("@")[0] == "port"}
    words = {"PORT": look_of("port").colour} if ports else {}
    for name in names:
        if name not in ports and policy_named(name).group in titles:
            words[titles[policy_named(name).group]] = _group_colour(name)
    if any(policy_named(name).group == "reference" for name in names):
        words["references, not online"] = "#d0d5da"
    if any(policy_named(name).pooled for name in names):
        words["† hatched: the same total in one fund"] = PAPER
    draw_swatches(figure, list(words.items()), HEAD_IN)


@rc_context(STYLE)
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
    figure = make_sheet(
        title, bench_facts(rows), note, HEAD_IN + 1.2 + 0.33 * len(names), simulated=rows.meta.simulated
    )
    axes = place_axes(figure, 2.3, 0.4, HEAD_IN + 0.7, 0.45)
    for place, name in enumerate(names):
        _stack(axes, place, shares[name], models)
    axes.set_yticks(range(len(names)), [drawable(marked(name)) for name in names], color=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    percent_axis(axes)
    axes.grid(visible=False)
    _model_key(figure, models, len({model for found in shares.values() for model in found}))
    alt = listed((f"{name} serves {percent(sum(shares[name].values()))} %" for name in names), 18)
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
            ink = PAPER if luminance(rgb_of(colour)) < 0.3 else INK
            axes.text(left + share / 2, place, f"{100 * share:.0f}", color=ink, ha="center", va="center", size=9.5)
        left += share
    axes.barh(place, max(0.0, 1 - left), 0.74, left=left, color="#f3f5f7")


def _model_key(figure: Figure, models: Sequence[str], total: int) -> None:
    names = short_names(models, 21)
    words = [(names[model], colour) for model, colour in zip(models, _MODEL_COLOURS, strict=False)]
    if total > len(models):
        words.append((f"{total - len(models)} others", "#c3c8ce"))
    half = math.ceil(len(words) / 2)
    draw_swatches(figure, words[:half], HEAD_IN)
    draw_swatches(figure, words[half:], HEAD_IN + 0.25)
