"""The tables: one source in three dresses, figures checked by hand, nobody ranked who plays another game."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from pointsman.errors import InputError
from pointsman.evaluate.rows import Meta, Rows, Run
from pointsman.evaluate.tables import (
    ROSTER,
    Cell,
    Column,
    Line,
    Section,
    Table,
    axis_table,
    deviation,
    fund_table,
    in_order,
    main_table,
    money,
    overspends,
    percent,
    policy_named,
    quantity,
    ratio_table,
    ratios,
    standing_sentence,
    standing_table,
    standings,
    to_html,
    to_markdown,
    to_rich,
    value_text,
)
from test_rows import STRENGTHS, make_meta, make_rows, make_run


def bench(performance: dict[str, list[float]], **changes: object) -> Rows:
    """Rows in which every policy has the given performances, one an order."""
    meta = make_meta(2)
    runs = tuple(
        make_run(meta, name, order, performance=value, relative=value / 100, **changes)
        for name, values in performance.items()
        for order, value in enumerate(values)
    )
    return Rows(meta, runs, {})


def lines_of(table: Table) -> dict[str, Line]:
    return {line.label: line for section in table.sections for line in section.lines}


# ---- by hand


def test_the_main_table_of_two_policies_by_hand() -> None:
    """110 and 130 are 120 ± 14; against 100 that is 120.0 ± 14.1 per cent, and the best of the online ones."""
    lines = lines_of(main_table(bench({"paced": [110, 130], "port": [60, 60], "optimum": [500, 500]})))
    assert list(lines) == ["port", "paced", "optimum"]
    performance, cost, _, served, relative, _, orders = lines["paced"].cells
    assert performance.full == "120 ± 14"
    assert relative.full == "120.0 ± 14.1"
    assert orders.text == "2"
    assert performance.best
    assert relative.best
    assert not lines["optimum"].cells[0].best
    assert not served.best, "all serve the same: nobody is best"
    assert not cost.text.startswith("$")


def test_ratios_by_hand_on_the_orders_that_both_have_run() -> None:
    """(110 + 130) ÷ (50 + 65) on the two shared orders; 2.0 and 2.2 are the single ones."""
    (one,) = ratios(bench({"paced": [110, 130, 999], "port": [55, 59]}))
    assert (one.over, one.under, one.orders) == ("paced", "port", 2)
    assert one.ratio == pytest.approx(240 / 114)
    assert (one.low, one.high) == pytest.approx((2.0, 130 / 59))


def test_a_ratio_to_nothing_is_missing_and_not_infinite() -> None:
    """A rival that got nothing has no ratio: NaN, shown as a dash."""
    rows = bench({"paced": [110], "port": [0]})
    assert math.isnan(ratios(rows)[0].ratio)
    assert lines_of(ratio_table(rows))["paced ÷ port"].cells[0].text == "–"


def test_where_paced_is_not_first_is_listed_first_and_told() -> None:
    """One cell lost of two: the sentence says so, the table opens with it, the margin is negative."""
    meta = replace(make_meta(2), sweep="factor")
    figures = {
        (0.5, "paced"): 90.0,
        (0.5, "mirror-descent"): 100.0,
        (1.0, "paced"): 120.0,
        (1.0, "mirror-descent"): 100.0,
    }
    runs = tuple(make_run(meta, name, 0, factor=f, performance=value) for (f, name), value in figures.items())
    rows = Rows(meta, runs, {})
    lost, won = standings(rows)
    assert (lost.first, won.first) == (False, True)
    assert lost.margin == pytest.approx(-0.1)
    assert "1 of 2 cells" in standing_sentence([lost, won])
    table = standing_table(rows)
    assert [section.title for section in table.sections] == ["paced is not first", "paced is first"]
    assert table.sections[0].lines[0].label == "budget factor 0.5"
    assert [cell.text for cell in table.sections[0].lines[0].cells] == [
        "90.0",
        "mirror-descent",
        "100",
        "-10.0",
        "0 of 1",
        "none",
    ]


def test_pooled_policies_and_references_are_told_but_not_ranked() -> None:
    """`paced` stays first with a pooled baseline and the optimum above it; the baseline is named."""
    rows = bench({"paced": [100], "port": [50], "cheapest-pooled": [120], "paced-pooled": [150], "optimum": [300]})
    (one,) = standings(rows)
    assert one.first
    assert one.rival == "port"
    assert one.pooled_above == ("cheapest-pooled",)
    best = {label for label, line in lines_of(main_table(rows)).items() if line.cells[0].best}
    assert best == {"paced"}


def test_an_unfinished_rival_is_compared_on_the_orders_that_both_have_run() -> None:
    """A rival that has only run the richest order is not ahead for that."""
    rows = bench({"paced": [100, 200], "port": [50, 60]})
    late = [run for run in rows.runs if run.policy == "paced" or run.order == 1]
    rich = [replace(run, performance=190.0) if run.policy == "port" else run for run in late]
    (one,) = standings(replace(rows, runs=tuple(rich)))
    assert (one.performance, one.rival_performance, one.orders) == (200, 190, 1)
    assert one.first


def test_no_cell_is_judged_without_a_rival() -> None:
    """Alone, or with references only, there is nothing to be first of."""
    assert standings(bench({"paced": [1], "optimum": [2]})) == ()
    assert "no cell yet" in standing_sentence(())


def test_the_shares_of_funds_by_hand_and_their_total() -> None:
    """Spent 1 of 2 and 3 of 4 is 50 and 75 per cent, together 66.7 (not the mean of the shares)."""
    changes = {"budget": {"a": 2.0, "b": 4.0}, "spent": {"a": 1.0, "b": 3.0}}
    lines = lines_of(fund_table(bench({"port": [1], "paced": [1]}, **changes)))
    assert [cell.text for cell in lines["a"].cells] == ["$2.00", "50.0", "50.0"]
    assert [cell.text for cell in lines["all funds"].cells] == ["$6.00", "66.7", "66.7"]
    assert next(iter(lines)) == "b", "the largest fund first"
    assert fund_table(bench({"optimum": [1]})).sections == ()


def test_a_fund_that_was_overspent_is_found_and_rounding_is_not() -> None:
    """One part in a million over is an overspend, a float's rounding is none, a closed fund can't be spent."""
    meta = make_meta(2)
    over = make_run(meta, "port", 0, key="over", budget={"a": 1.0}, spent={"a": 1.000001})
    rounded = make_run(meta, "port", 1, key="rounded", budget={"a": 0.3}, spent={"a": 0.1 + 0.2})
    closed = make_run(meta, "port", 2, key="closed", budget={"a": 0.0}, spent={"a": 1e-9})
    found = overspends(Rows(meta, (over, rounded, closed), {}))
    assert [one.key for one in found] == ["over", "closed"]


def test_a_sweeps_table_has_a_column_a_value_and_a_dash_where_nothing_ran() -> None:
    """Means by value; a policy that didn't run at a value shows a dash, not a zero."""
    rows = make_rows(replace(make_meta(2), sweep="factor"), values=(0.5, 1.0), policies=("port", "paced"))
    kept = tuple(run for run in rows.runs if run.policy == "paced" or run.factor == 1.0)
    table = axis_table(replace(rows, runs=kept), "factor")
    assert [column.name for column in table.columns] == ["Policy", "budget factor 0.5", "budget factor 1"]
    assert [column.short for column in table.columns[1:]] == ["0.5", "1"]
    assert lines_of(table)["port"].cells[0].text == "–"
    assert lines_of(table)["paced"].cells[1].best


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (quantity(2880.6), "2,881"),
        (quantity(28.84), "28.8"),
        (quantity(math.nan), "–"),
        (deviation(29.2, 2983), "29"),
        (deviation(0.25, 2983), "0.2"),
        (deviation(1.25, 12), "1.2"),
        (deviation(0.0, 576), "0"),
        (money(0.7659), "$0.766"),
        (money(0.00012345), "$0.000123"),
        (money(12.34), "$12.3"),
        (money(1234.5), "$1,234"),
        (money(0), "$0"),
        (money(math.nan), "–"),
        (percent(0.7666), "76.7"),
        (percent(math.nan), "–"),
        (value_text(10000), "10,000"),
        (value_text(0.0001), "0.0001"),
        (value_text("weighted"), "weighted"),
    ],
)
def test_figures_as_words(shown: str, expected: str) -> None:
    """Three significant figures of money, no false precision, a dash for what is missing."""
    assert shown == expected


# ---- brute force


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(list(STRENGTHS)), st.floats(1, 1e4), min_size=2))
def test_first_means_that_no_other_ranked_policy_has_more(figures: dict[str, float]) -> None:
    """Against brute force over the published list of who is pooled and who is a reference."""
    unranked = {"cheapest-pooled", "paced-pooled", "approx-optimum", "optimum"}
    rows = bench({name: [value] for name, value in figures.items()})
    rivals = {name: value for name, value in figures.items() if name not in unranked | {"paced"}}
    found = standings(rows)
    if "paced" not in figures or not rivals:
        assert found == ()
        return
    assert found[0].first == (figures["paced"] >= max(rivals.values()))
    assert rivals[found[0].rival] == max(rivals.values())


@given(st.permutations([policy.name for policy in ROSTER] + ["zebra", "my-own"]))
def test_policies_keep_one_order_however_they_come(names: list[str]) -> None:
    """Published, honest, ours, others by name, references last."""
    listed = [policy.name for policy in ROSTER]
    assert in_order(names) == [*listed[:-2], "my-own", "zebra", *listed[-2:]]


def test_every_policy_of_the_bench_is_known_by_its_group() -> None:
    """The names of the work order, each described; what pools and what is a reference is not ranked."""
    assert {policy.name for policy in ROSTER} == set(STRENGTHS)
    assert all(policy.about and not policy.about.endswith(".") for policy in ROSTER)
    unranked = {policy.name for policy in ROSTER if not policy.ranked}
    assert unranked == {"cheapest-pooled", "paced-pooled", "approx-optimum", "optimum"}
    assert policy_named("my-own").group == "other"
    assert not policy_named("cheapest-pooled@blend").ranked
    assert policy_named("optimum@text").group == "reference"
    assert in_order(["paced@text", "paced-pooled", "paced"]) == ["paced", "paced@text", "paced-pooled"]


# ---- three dresses


class Cells(HTMLParser):
    """The texts of a table's cells, row by row, and every tag that was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.rows[-1][-1] += data


def html_rows(table: Table) -> Cells:
    parser = Cells()
    parser.feed(str(to_html(table)))
    return parser


def expected_rows(table: Table) -> list[list[str]]:
    rows = []
    for section in table.sections:
        rows += [[section.title]] if section.title else []
        for line in section.lines:
            label = f"{line.label} {line.mark}" if line.mark else line.label
            rows.append([label, *(cell.full for cell in line.cells)])
    return rows


def test_the_terminal_markdown_and_html_say_the_same() -> None:
    """One source: every label and figure of the table is in all three."""
    table = main_table(make_rows(make_meta(3)))
    assert html_rows(table).rows[1:] == expected_rows(table)
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(to_rich(table))
    printed = [re.split(r"\s{2,}", line.strip()) for line in console.export_text().splitlines()]
    console.file.close()
    markdown = [
        [cell.strip().replace("\\", "").strip("*") for cell in line.strip("|").split(" | ")]
        for line in to_markdown(table).splitlines()
        if line.startswith("|")
    ]
    for row in expected_rows(table):
        assert row in printed, "eighty columns are enough for the main table"
        assert [*row, *[""] * (8 - len(row))] in markdown


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
hostile = st.sampled_from(
    ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "&lt;b&gt;", "a|b", "[bold]x[/]", "`x`"]
)


def one_line(label: str, text: str) -> Table:
    section = Section(label, (Line(label, (Cell(text, 1.0, text, best=True),), label),))
    return Table(label, (Column(label), Column(text)), (section,), text)


@given(names | hostile, names | hostile)
def test_no_name_gets_through_the_html_as_markup(label: str, text: str) -> None:
    """Whatever the names, the page has the table's own tags only, and shows the names as they are."""
    table = one_line(label, text)
    parser = html_rows(table)
    assert set(parser.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "sup", "span"}
    assert parser.rows == [[label, text], [label], [f"{label} {label}", f"{text} ± {text}"]]


@given(names | hostile, names | hostile)
def test_no_name_breaks_the_markdown(label: str, text: str) -> None:
    """Every line keeps its two cells, and no tag, entity or mark of a name is left standing."""
    rows = [line for line in to_markdown(one_line(label, text)).split("\n") if line.startswith("|")]
    assert len(rows) == 4
    for row in rows:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 3
    assert "<" not in to_markdown(one_line(label, text))


@given(names | hostile)
def test_a_terminal_shows_names_as_they_are(label: str) -> None:
    """Square brackets in a name are no markup."""
    table = to_rich(one_line(label, "x"))
    assert str(next(iter(table.columns[0].cells))) == label


def test_without_runs_there_is_no_table() -> None:
    """An empty folder is told, not shown as an empty table."""
    with pytest.raises(InputError, match="no runs yet"):
        main_table(Rows(make_meta(2), (), {}))


def test_a_policy_of_ones_own_is_shown_and_ranked() -> None:
    """A name that nobody knows gets a line of its own, under its own heading."""
    table = main_table(bench({"paced": [1], "my-own": [2]}))
    assert [section.title for section in table.sections] == ["Pointsman", "Other policies"]
    assert lines_of(table)["my-own"].cells[0].best


def test_undefined_figures_are_dashes() -> None:
    """Nothing spent: no efficiency, no relative; a single order has no deviation."""
    meta: Meta = make_meta(2)
    run: Run = make_run(meta, "port", 0, efficiency=math.nan, relative=math.nan, cost_usd=0.0)
    cells = lines_of(main_table(Rows(meta, (run,), {})))["port"].cells
    assert [cells[1].text, cells[2].text, cells[4].text] == ["0", "–", "–"]
    assert "±" not in cells[0].full
