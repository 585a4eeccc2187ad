"""The tables of a bench, from saved rows: which there are, and what each is made of.

Takes `rows.Rows`; gives `render.Table` values: the main table, the ratios, where a policy stands in every cell, the
means along one parameter, how much of every fund was spent. Policies keep the order of `roster`; what pools the
budgets and what is no online policy is marked and never the best.
Computes no figure that the rows don't hold, and hides none: a cell without runs shows a dash.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from pointsman.evaluate.best import with_best
from pointsman.evaluate.render import Cell, Column, Line, Section, Table
from pointsman.evaluate.roster import GROUP_TITLES, in_order, policy_named
from pointsman.evaluate.rows import Rows, Run
from pointsman.evaluate.standings import Standing, ratios, standings
from pointsman.evaluate.summary import AXES, Setting, along, base_setting, by_setting, summarise
from pointsman.evaluate.wording import (
    AXIS_TITLES,
    axis_words,
    deviation,
    money,
    percent,
    quantity,
    setting_words,
    value_text,
)

POOLED_MARK, REFERENCE_MARK = "†", "‡"
_MARKS = f"{POOLED_MARK} the same total in one fund, not ranked."
_MARKS += f" {REFERENCE_MARK} not online: sees every query before it chooses."


def _figure(value: float, show: Callable[[float], str], spread: str = "") -> Cell:
    return Cell(show(value), value, spread)


def main_table(rows: Rows) -> Table:
    """The main table of the PORT paper for the base setting, and what a decision takes.

    The best ranked policy's performance, efficiency, throughput and relative performance are marked.

    Raises:
        InputError: there are no runs.
    """
    base = base_setting(rows)
    policies = by_setting(rows)[base]
    columns = (
        Column("Policy"),
        Column("Performance"),
        Column("Cost $"),
        Column("Cost efficiency", "Per $"),
        Column("Throughput", "Served"),
        Column("Relative %"),
        Column("Decide µs", "µs"),
        Column("Orders", "n"),
    )
    found = {name: _main_cells(runs) for name, runs in policies.items()}
    return Table(
        f"{rows.meta.dataset}: {setting_words(base)}",
        columns,
        _sections(with_best(found, _ranked, (0, 2, 3, 4))),
        _MAIN_CAPTION,
    )


_MAIN_CAPTION = (
    "Performance: sum of the scores of the served queries. Cost efficiency: performance per dollar. Throughput: "
    "queries served. Relative: performance against approx-optimum. Decide: median microseconds a query from estimates "
    "to decision. Mean ± standard deviation over orders of arrival; bold: best of the online policies under one "
    f"budget a model. {_MARKS}"
)


def _main_cells(runs: Sequence[Run]) -> tuple[Cell, ...]:
    summary = summarise(runs)
    mean, sd = summary.performance_mean, summary.performance_sd
    return (
        _figure(mean, quantity, "" if math.isnan(sd) else deviation(sd, mean)),
        _figure(summary.cost_usd_mean, lambda value: money(value).lstrip("$")),
        _figure(summary.efficiency_mean, quantity),
        _figure(summary.served_mean, quantity),
        _figure(
            summary.relative_mean, percent, "" if math.isnan(summary.relative_sd) else percent(summary.relative_sd)
        ),
        _figure(summary.decide_us_per_query_median, quantity),
        _figure(float(summary.runs), lambda value: f"{value:.0f}"),
    )


def _ranked(name: str) -> bool:
    return policy_named(name).ranked


def _sections(found: Mapping[str, tuple[Cell, ...]]) -> tuple[Section, ...]:
    """Lines of policies under the heading of their group."""
    names = in_order(found)
    return tuple(
        Section(title, tuple(_policy_line(name, found[name]) for name in names if policy_named(name).group == group))
        for group, title in GROUP_TITLES.items()
        if any(policy_named(name).group == group for name in names)
    )


def _policy_line(name: str, cells: tuple[Cell, ...]) -> Line:
    policy = policy_named(name)
    mark = POOLED_MARK if policy.pooled else ""
    return Line(name, cells, mark + (REFERENCE_MARK if policy.group == "reference" else ""))


def ratio_table(rows: Rows) -> Table:
    """The ratios of performance that the project is judged by."""
    lines = tuple(
        Line(
            f"{one.over} ÷ {one.under}",
            (
                Cell(_times(one.ratio), one.ratio),
                Cell(f"{_times(one.low)} to {_times(one.high)}", one.low),
                Cell(str(one.orders), one.orders),
            ),
            POOLED_MARK if policy_named(one.over).pooled != policy_named(one.under).pooled else "",
        )
        for one in ratios(rows)
    )
    return Table(
        "Ratios of performance",
        (Column("Ratio"), Column("Of means"), Column("Single orders"), Column("Orders")),
        (Section("", lines),),
        f"{POOLED_MARK} one of the two has the same total in one fund.",
    )


def _times(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def standing_table(rows: Rows, policy: str = "paced") -> Table:
    """Every cell: the policy, its nearest rival, the margin; the cells where it is not first come first."""
    found = sorted(standings(rows, policy), key=lambda one: one.first)
    missed, won = [one for one in found if not one.first], [one for one in found if one.first]
    words = _cell_words(rows, [one.setting for one in found])
    sections = (
        Section(f"{policy} is not first", tuple(_standing_line(one, words[one.setting]) for one in missed)),
        Section(f"{policy} is first", tuple(_standing_line(one, words[one.setting]) for one in won)),
    )
    return Table(
        f"{policy} against the best other online policy",
        (
            Column("Cell"),
            Column(policy),
            Column("Best other"),
            Column("Its performance", "Its"),
            Column("Margin %"),
            Column("Orders ahead", "Ahead"),
            Column(f"Pooled above {POOLED_MARK}"),
        ),
        tuple(section for section in sections if section.lines),
        f"On the orders that both have run. {POOLED_MARK} baselines with the same total in one fund; told, not ranked.",
    )


def _cell_words(rows: Rows, settings: Sequence[Setting]) -> dict[Setting, str]:
    """Every setting by what it differs in from the others, or whole if there is but one."""
    names = [*AXES, "swept"]
    varying = [name for name in names if len({getattr(setting, name) for setting in settings}) > 1]
    titles = {"swept": str(rows.meta.sweep)}
    return {
        setting: ", ".join(axis_words(titles.get(name, name), getattr(setting, name)) for name in varying or AXES)
        for setting in settings
    }


def _standing_line(one: Standing, label: str) -> Line:
    return Line(
        label,
        (
            _figure(one.performance, quantity),
            Cell(one.rival),
            _figure(one.rival_performance, quantity),
            Cell("–" if math.isnan(one.margin) else f"{100 * one.margin:+.1f}", one.margin),
            Cell(f"{one.ahead} of {one.orders}", one.ahead / one.orders),
            Cell(", ".join(one.pooled_above) or "none", len(one.pooled_above)),
        ),
    )


def axis_table(rows: Rows, axis: str) -> Table:
    """Mean performance of every policy at every value of `axis`, all else as in the base setting."""
    found = along(rows, axis)
    names = {name for policies in found.values() for name in policies}
    cells = {name: tuple(_mean_cell(policies.get(name, ())) for policies in found.values()) for name in names}
    return Table(
        f"Performance against {AXIS_TITLES.get(axis, axis)}",
        (Column("Policy"), *(Column(axis_words(axis, value), value_text(value)) for value in found)),
        _sections(with_best(cells, _ranked, range(len(found)))),
        f"Mean over orders of arrival; bold: best of the online policies under one budget a model. {_MARKS}",
    )


def _mean_cell(runs: Sequence[Run]) -> Cell:
    return _figure(summarise(runs).performance_mean, quantity) if runs else Cell("–")


def fund_table(rows: Rows, policies: Sequence[str] = ("port", "batchsplit-prorated", "paced")) -> Table:
    """What share of every fund was spent in the base setting, by those of `policies` that have the last one's funds."""
    there = {name: runs for name, runs in by_setting(rows)[base_setting(rows)].items() if name in policies}
    shown = [name for name in policies if name in there]
    budget = there[shown[-1]][0].budget if shown else {}
    shown = [name for name in shown if set(there[name][0].budget) == set(budget)]
    runs = [there[name] for name in shown]
    funds = sorted(budget.items(), key=lambda fund: (-fund[1], fund[0]))
    lines = tuple(_fund_line(name, amount, name, runs) for name, amount in funds)
    total = _fund_line("all funds", sum(budget.values()), None, runs)
    return Table(
        "Share of every fund spent, %",
        (Column("Fund"), Column("Budget"), *(Column(name) for name in shown)),
        (Section("", lines), Section("", (total,))) if lines else (),
        "Mean over orders of arrival, the largest fund first.",
    )


def _fund_line(label: str, amount: float, fund: str | None, policies: Iterable[Sequence[Run]]) -> Line:
    return Line(label, (_figure(amount, money), *(_share(runs, fund) for runs in policies)))


def _share(runs: Sequence[Run], fund: str | None) -> Cell:
    """Spent ÷ budget of one fund, or of all of them together."""
    spent = sum(run.spent[fund] if fund is not None else sum(run.spent.values()) for run in runs)
    budget = sum(run.budget[fund] if fund is not None else sum(run.budget.values()) for run in runs)
    return _figure(spent / budget if budget > 0 else math.nan, percent)
