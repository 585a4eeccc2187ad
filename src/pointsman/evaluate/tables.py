"""The tables of a bench, from saved rows: one source, printed with rich, as Markdown or as HTML.

Takes `Rows`; gives `Table` values (columns, sections, cells that know their number) and the facts behind them:
the ratios between policies, where `paced` stands in every cell, how much of every fund was spent.
Policies keep one order everywhere: published, honest, ours, others, references. What pools the budgets plays with
another hand, and a reference knows what no online policy can; both are marked and neither is ranked with the rest.
Computes no figure that the rows don't hold, and hides none: a cell without runs shows a dash.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

from markupsafe import Markup
from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable
from rich.text import Text

from pointsman.evaluate.rows import AXES, Rows, Run, Setting, Value, along, base_setting, by_setting, summarise

Group = Literal["published", "honest", "ours", "other", "reference"]

GROUP_TITLES: dict[Group, str] = {
    "published": "Published",
    "honest": "Honest baselines",
    "ours": "Pointsman",
    "other": "Other policies",
    "reference": "References ‡",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as tables and pictures show it.

    Attributes:
        name: as in the rows.
        group: what it is compared as.
        about: one line, without a final stop.
        pooled: the total of all funds is one fund to it.
    """

    name: str
    group: Group
    about: str = ""
    pooled: bool = False

    @property
    def ranked(self) -> bool:
        """Whether it decides online, under one budget a model: only such policies are ranked."""
        return self.group != "reference" and not self.pooled


ROSTER: tuple[Policy, ...] = (
    Policy("port", "published", "PORT: a random first phase, then prices solved once (Wu & Silwal)"),
    Policy("random", "published", "a model drawn at random"),
    Policy("greedy-perf", "published", "the model expected to answer best, approximate neighbours"),
    Policy("greedy-cost", "published", "the model with most budget left, approximate neighbours"),
    Policy("knn-perf", "published", "the model expected to answer best, exact neighbours"),
    Policy("knn-cost", "published", "the model with most budget left, exact neighbours"),
    Policy("batchsplit", "published", "a 0/1 program a batch of 256, with all the money that is left"),
    Policy("text-perf", "published", "the model expected to answer best by a trained text model (for RoBERTa)"),
    Policy("text-cost", "published", "the model with most budget left by a trained text model (for RoBERTa)"),
    Policy("greedy-feasible", "honest", "the best expected model among those that can still pay"),
    Policy("batchsplit-prorated", "honest", "BatchSplit with the batch's share of the money that is left"),
    Policy("cheapest-pooled", "honest", "the cheapest model alone, with the total of all budgets", pooled=True),
    Policy("mirror-descent", "honest", "prices stepped after every query by online mirror descent on the dual"),
    Policy("pid-pacing", "honest", "prices steered by a controller that holds spend to an even pace"),
    Policy("paced", "ours", "prices from history, every fund feasible, re-solved as money and time run down"),
    Policy("paced-pooled", "ours", "the same with the total of all budgets in one fund", pooled=True),
    Policy("approx-optimum", "reference", "the linear program on PORT's own estimates of all test queries"),
    Policy("optimum", "reference", "the linear program on what really happened"),
)
_BY_NAME = {policy.name: policy for policy in ROSTER}
_GROUPS = tuple(GROUP_TITLES)

RATIOS = (
    ("paced", "port"),
    ("paced", "batchsplit"),
    ("paced", "batchsplit-prorated"),
    ("paced", "greedy-feasible"),
    ("paced", "cheapest-pooled"),
    ("paced-pooled", "cheapest-pooled"),
    ("paced-pooled", "paced"),
)


def policy_named(name: str) -> Policy:
    """The policy of that name; `NAME@SOURCE` is NAME on other estimates, a name nobody knows is shown under "other"."""
    plain, _, source = name.partition("@")
    known = _BY_NAME.get(plain)
    if known is None:
        return Policy(name, "other")
    return replace(known, name=name, about=f"{known.about}, on the estimates `{source}`") if source else known


def in_order(names: Iterable[str]) -> list[str]:
    """Policy names in the one order that all tables and pictures keep."""
    listed = list(_BY_NAME)

    def place(name: str) -> tuple[int, int, str]:
        plain = name.partition("@")[0]
        rank = listed.index(plain) if plain in _BY_NAME else len(listed)
        return _GROUPS.index(policy_named(name).group), rank, name

    return sorted(names, key=place)


# ---- a table, whatever it is printed with


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure or word: its text, what to sort it by (NaN: nothing), its deviation, whether it is the best."""

    text: str
    value: float = math.nan
    spread: str = ""
    best: bool = False

    @property
    def full(self) -> str:
        """Text and deviation."""
        return f"{self.text} ± {self.spread}" if self.spread else self.text


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table: what it is about, a mark that the caption explains, one cell a further column."""

    label: str
    cells: tuple[Cell, ...]
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Lines under one heading; an empty heading shows none."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """The heading of a column, and a shorter one for narrow terminals."""

    name: str
    short: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the first of `columns` is over the labels, then one a cell."""

    title: str
    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    caption: str = ""


POOLED_MARK, REFERENCE_MARK = "†", "‡"
_MARKS = f"{POOLED_MARK} the same total in one fund, not ranked."
_MARKS += f" {REFERENCE_MARK} not online: sees every query before it chooses."


def to_rich(table: Table) -> RichTable:
    """The table for a terminal; names are shown as they are, never read as markup."""
    out = RichTable(
        title=Text(table.title, style="bold"),
        caption=Text(table.caption) if table.caption else None,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    longest = max((len(_label(line)) for section in table.sections for line in section.lines), default=0)
    for number, column in enumerate(table.columns):
        out.add_column(Text(column.short or column.name), justify="right" if number else "left", no_wrap=longest < 36)
    for section in table.sections:
        if section.title:
            out.add_row(Text(section.title, style="italic dim"))
        for line in section.lines:
            out.add_row(
                Text(_label(line)), *(Text(cell.full, style="bold" if cell.best else "") for cell in line.cells)
            )
    return out


def to_markdown(table: Table) -> str:
    """The table in GitHub's Markdown, its caption below, every special character escaped."""
    width = len(table.columns) - 1
    lines = [
        _markdown_row(_markdown_text(column.name) for column in table.columns),
        _markdown_row(["---", *["---:"] * width]),
    ]
    for section in table.sections:
        if section.title:
            lines.append(_markdown_row([f"*{_markdown_text(section.title)}*", *[""] * width]))
        lines.extend(_markdown_line(line) for line in section.lines)
    caption = f"\n{_markdown_text(table.caption)}\n" if table.caption else ""
    return "\n".join(lines) + "\n" + caption


def to_html(table: Table) -> Markup:
    """The table as an HTML element without its caption, all escaped; `data-value` holds what a column sorts by."""
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(column.name) for column in table.columns)
    bodies = Markup("").join(_html_section(section, len(table.columns)) for section in table.sections)
    return Markup('<table aria-label="{}"><thead><tr>{}</tr></thead>{}</table>').format(table.title, head, bodies)


def _label(line: Line) -> str:
    return f"{line.label} {line.mark}" if line.mark else line.label


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_line(line: Line) -> str:
    cells = (f"**{_markdown_text(cell.full)}**" if cell.best else _markdown_text(cell.full) for cell in line.cells)
    return _markdown_row([_markdown_text(_label(line)), *cells])


def _markdown_text(text: str) -> str:
    """Text that Markdown shows as it is: marks escaped, tags and entities disarmed, on one line."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{letter}" if letter in "\\`*_[]|~$!" else letter for letter in flat)


def _html_section(section: Section, width: int) -> Markup:
    heading = Markup('<tr class="group"><th colspan="{}" scope="rowgroup">{}</th></tr>').format(width, section.title)
    lines = Markup("").join(_html_line(line) for line in section.lines)
    return Markup("<tbody>{}{}</tbody>").format(heading if section.title else Markup(""), lines)


def _html_line(line: Line) -> Markup:
    mark = Markup(" <sup>{}</sup>").format(line.mark) if line.mark else Markup("")
    cells = Markup("").join(_html_cell(cell) for cell in line.cells)
    return Markup('<tr><th scope="row">{}{}</th>{}</tr>').format(line.label, mark, cells)


def _html_cell(cell: Cell) -> Markup:
    spread = Markup(' <span class="sd">± {}</span>').format(cell.spread) if cell.spread else Markup("")
    value = "" if math.isnan(cell.value) else repr(float(cell.value))
    return Markup('<td data-value="{}"{}>{}{}</td>').format(
        value, Markup(' class="best"') if cell.best else Markup(""), cell.text, spread
    )


# ---- figures as words


def quantity(value: float) -> str:
    """A count or a sum of scores: 2,881 from a hundred on, 28.8 below, a dash for NaN."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}"


def deviation(value: float, mean: float) -> str:
    """A standard deviation, no finer than its mean unless it is below one."""
    return f"{value:,.0f}" if value < 0.05 or (abs(mean) >= 100 and value >= 1) else f"{value:,.1f}"


def money(value: float) -> str:
    """US dollars to three significant figures: $0.766, $12.3, $1,230."""
    if math.isnan(value):
        return "–"
    if value == 0:
        return "$0"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"${value:,.{places}f}"


def percent(value: float) -> str:
    """A share as a percentage with one decimal, without the sign: 76.7."""
    return "–" if math.isnan(value) else f"{100 * value:,.1f}"


def value_text(value: Value) -> str:
    """A parameter's value as its author would write it: 10,000 queries, factor 0.25, alpha 0.0001."""
    if isinstance(value, int) and value >= 1000:
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _figure(value: float, show: Callable[[float], str], spread: str = "") -> Cell:
    return Cell(show(value), value, spread)


# ---- the main table


def main_table(rows: Rows) -> Table:
    """The table of the paper (PAPERS.md §1) for the base setting, and what a decision takes.

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
        _sections(_with_best(found, (0, 2, 3, 4))),
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


def _with_best(found: Mapping[str, tuple[Cell, ...]], columns: Iterable[int]) -> dict[str, tuple[Cell, ...]]:
    """The same cells, the highest of the ranked policies marked in each of `columns`; nobody where all are equal."""
    marked = {name: list(cells) for name, cells in found.items()}
    for column in columns:
        values = {name: cells[column].value for name, cells in found.items() if policy_named(name).ranked}
        highest = max((value for value in values.values() if not math.isnan(value)), default=math.nan)
        for name in (name for name, value in values.items() if value == highest and len(set(values.values())) > 1):
            cell = marked[name][column]
            marked[name][column] = Cell(cell.text, cell.value, cell.spread, best=True)
    return {name: tuple(cells) for name, cells in marked.items()}


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


_AXIS_WORDS = {
    "test": "{} test queries",
    "factor": "budget factor {}",
    "split": "{} split",
    "scenario": "{} arrivals",
    "history": "{} queries of history",
    "models": "{} models",
}
AXIS_TITLES = {
    "test": "volume",
    "factor": "budget",
    "split": "the split of the budget",
    "scenario": "scenario",
    "history": "history",
    "models": "number of models",
    "k": "neighbours",
    "alpha": "PORT's alpha",
    "eps": "PORT's epsilon",
}
_SCENARIO_WORDS = {
    "iid": "arrivals in random order",
    "shift": "topics shift half-way",
    "burst": "bursty arrivals",
    "volume-low": "half the forecast volume",
    "volume-high": "double the forecast volume",
    "outage": "one model out for a fifth of the time",
    "rate-cut": "one model's rate cut",
}


def axis_words(axis: str, value: Value) -> str:
    """One parameter and its value as words."""
    if axis == "scenario":
        return _SCENARIO_WORDS.get(str(value), str(value))
    return _AXIS_WORDS.get(axis, axis + " {}").format(value_text(value))


def setting_words(setting: Setting) -> str:
    """A setting as words, for titles."""
    words = [axis_words(axis, getattr(setting, axis)) for axis in AXES]
    return ", ".join(words)


# ---- ratios


@dataclass(frozen=True, slots=True)
class Ratio:
    """Performance of `over` divided by that of `under`, on the orders that both have run.

    Attributes:
        ratio: of the means; NaN if `under` got nothing.
        low, high: the least and the greatest of the single orders' ratios.
        orders: how many.
    """

    over: str
    under: str
    ratio: float
    low: float
    high: float
    orders: int


def ratios(rows: Rows, pairs: Iterable[tuple[str, str]] = RATIOS) -> tuple[Ratio, ...]:
    """The ratios of `pairs` in the base setting; a pair that doesn't share an order is left out."""
    policies = by_setting(rows)[base_setting(rows)]
    found = (_ratio(over, under, policies) for over, under in pairs if over in policies and under in policies)
    return tuple(one for one in found if one.orders)


def _ratio(over: str, under: str, policies: Mapping[str, Sequence[Run]]) -> Ratio:
    above, below = _shared(policies[over], policies[under])
    singles = [one / other for one, other in zip(above, below, strict=True) if other > 0]
    whole = sum(above) / sum(below) if sum(below) > 0 else math.nan
    return Ratio(over, under, whole, min(singles, default=math.nan), max(singles, default=math.nan), len(above))


def _shared(one: Sequence[Run], other: Sequence[Run]) -> tuple[list[float], list[float]]:
    """Performances on the orders that both have run, paired."""
    left, right = _by_order(one), _by_order(other)
    orders = sorted(left.keys() & right.keys())
    return [left[order] for order in orders], [right[order] for order in orders]


def _by_order(runs: Sequence[Run]) -> dict[int, float]:
    found: dict[int, list[float]] = {}
    for run in runs:
        found.setdefault(run.order, []).append(run.performance)
    return {order: fmean(values) for order, values in found.items()}


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


# ---- who is first where


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a policy stands in one cell, against the best other ranked policy on the orders that both have run.

    Attributes:
        setting: the cell.
        policy, performance: the policy and its mean over those orders.
        rival, rival_performance: the best of the others.
        ahead, orders: on how many of how many single orders it is ahead of that rival.
        pooled_above: pooled policies with a higher mean; told, not ranked.
    """

    setting: Setting
    policy: str
    performance: float
    rival: str
    rival_performance: float
    ahead: int
    orders: int
    pooled_above: tuple[str, ...]

    @property
    def first(self) -> bool:
        """No other ranked policy has a higher mean."""
        return self.performance >= self.rival_performance

    @property
    def margin(self) -> float:
        """By what share it is ahead; negative if behind, NaN against nothing."""
        return self.performance / self.rival_performance - 1 if self.rival_performance > 0 else math.nan


def standings(rows: Rows, policy: str = "paced") -> tuple[Standing, ...]:
    """`policy` in every (split, factor, test, scenario) cell where it and another ranked policy share an order."""
    found = (
        _standing(setting, policy, policies) for setting, policies in by_setting(rows).items() if policy in policies
    )
    return tuple(one for one in found if one is not None)


def _standing(setting: Setting, policy: str, policies: Mapping[str, Sequence[Run]]) -> Standing | None:
    pairs = {name: _shared(policies[policy], runs) for name, runs in policies.items() if name != policy}
    pairs = {name: pair for name, pair in pairs.items() if pair[0]}
    rivals = [name for name in pairs if policy_named(name).ranked]
    if not rivals:
        return None
    # By distance, not by mean: an unfinished rival may have run other orders than the rest.
    rival = max(rivals, key=lambda name: fmean(pairs[name][1]) - fmean(pairs[name][0]))
    mine, theirs = pairs[rival]
    return Standing(
        setting,
        policy,
        fmean(mine),
        rival,
        fmean(theirs),
        sum(one > other for one, other in zip(mine, theirs, strict=True)),
        len(mine),
        tuple(
            name for name in in_order(pairs) if _is_pooled_baseline(name) and sum(pairs[name][1]) > sum(pairs[name][0])
        ),
    )


def _is_pooled_baseline(name: str) -> bool:
    return policy_named(name).pooled and policy_named(name).group != "ours"


def standing_sentence(found: Sequence[Standing]) -> str:
    """One sentence: is the policy first everywhere, and if not, how often."""
    if not found:
        return "There is no cell yet in which paced and another online policy have both run."
    firsts, name = sum(one.first for one in found), found[0].policy
    where = "the one cell there is" if len(found) == 1 else f"all {len(found)} cells"
    if firsts == len(found):
        return f"{name} is first among the online policies in {where}."
    return f"{name} is first among the online policies in {firsts} of {len(found)} cells; see where it is not below."


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


# ---- along one axis, and fund by fund


def axis_table(rows: Rows, axis: str) -> Table:
    """Mean performance of every policy at every value of `axis`, all else as in the base setting."""
    found = along(rows, axis)
    names = {name for policies in found.values() for name in policies}
    cells = {name: tuple(_mean_cell(policies.get(name, ())) for policies in found.values()) for name in names}
    return Table(
        f"Performance against {AXIS_TITLES.get(axis, axis)}",
        (Column("Policy"), *(Column(axis_words(axis, value), value_text(value)) for value in found)),
        _sections(_with_best(cells, range(len(found)))),
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


@dataclass(frozen=True, slots=True)
class Overspend:
    """A fund that a run spent more of than there was: a defect, wherever it comes from."""

    key: str
    fund: str
    budget: float
    spent: float


def overspends(rows: Rows) -> tuple[Overspend, ...]:
    """Every fund of every run that was overspent, beyond the rounding of a sum of floats (one in a billion)."""
    return tuple(
        Overspend(run.key, fund, amount, run.spent[fund])
        for run in rows.runs
        for fund, amount in run.budget.items()
        if run.spent[fund] > amount * (1 + 1e-9)
    )
