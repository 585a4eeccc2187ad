"""The tables: figures checked by hand, nobody ranked who plays another game."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from made_rows import bench, make_meta, make_rows, make_run
from pointsman.errors import InputError
from pointsman.evaluate.render import Line, Table
from pointsman.evaluate.rows import Meta, Rows, Run
from pointsman.evaluate.standings import ratios, standing_sentence, standings
from pointsman.evaluate.tables import axis_table, fund_table, main_table, ratio_table, standing_table


def lines_of(table: Table) -> dict[str, Line]:
    return {line.label: line for section in table.sections for line in section.lines}


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


def test_the_shares_of_funds_by_hand_and_their_total() -> None:
    """Spent 1 of 2 and 3 of 4 is 50 and 75 per cent, together 66.7 (not the mean of the shares)."""
    changes = {"budget": {"a": 2.0, "b": 4.0}, "spent": {"a": 1.0, "b": 3.0}}
    lines = lines_of(fund_table(bench({"port": [1], "paced": [1]}, **changes)))
    assert [cell.text for cell in lines["a"].cells] == ["$2.00", "50.0", "50.0"]
    assert [cell.text for cell in lines["all funds"].cells] == ["$6.00", "66.7", "66.7"]
    assert next(iter(lines)) == "b", "the largest fund first"
    assert fund_table(bench({"optimum": [1]})).sections == ()


def test_a_sweeps_table_has_a_column_a_value_and_a_dash_where_nothing_ran() -> None:
    """Means by value; a policy that didn't run at a value shows a dash, not a zero."""
    rows = make_rows(replace(make_meta(2), sweep="factor"), values=(0.5, 1.0), policies=("port", "paced"))
    kept = tuple(run for run in rows.runs if run.policy == "paced" or run.factor == 1.0)
    table = axis_table(replace(rows, runs=kept), "factor")
    assert [column.name for column in table.columns] == ["Policy", "budget factor 0.5", "budget factor 1"]
    assert [column.short for column in table.columns[1:]] == ["0.5", "1"]
    assert lines_of(table)["port"].cells[0].text == "–"
    assert lines_of(table)["paced"].cells[1].best


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
