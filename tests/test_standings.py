"""The facts: ratios by hand, who is first checked by brute force, overspends found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_rows import STRENGTHS, bench, make_meta, make_run
from pointsman.evaluate.rows import Rows
from pointsman.evaluate.standings import overspends, ratios, standing_sentence, standings


def test_ratios_by_hand_on_the_orders_that_both_have_run() -> None:
    """(110 + 130) ÷ (50 + 65) on the two shared orders; 2.0 and 2.2 are the single ones."""
    (one,) = ratios(bench({"paced": [110, 130, 999], "port": [55, 59]}))
    assert (one.over, one.under, one.orders) == ("paced", "port", 2)
    assert one.ratio == pytest.approx(240 / 114)
    assert (one.low, one.high) == pytest.approx((2.0, 130 / 59))


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


def test_a_fund_that_was_overspent_is_found_and_rounding_is_not() -> None:
    """One part in a million over is an overspend, a float's rounding is none, a closed fund can't be spent."""
    meta = make_meta(2)
    over = make_run(meta, "port", 0, key="over", budget={"a": 1.0}, spent={"a": 1.000001})
    rounded = make_run(meta, "port", 1, key="rounded", budget={"a": 0.3}, spent={"a": 0.1 + 0.2})
    closed = make_run(meta, "port", 2, key="closed", budget={"a": 0.0}, spent={"a": 1e-9})
    found = overspends(Rows(meta, (over, rounded, closed), {}))
    assert [one.key for one in found] == ["over", "closed"]


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
