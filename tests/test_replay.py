"""Replays: the book-keeping around decisions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pointsman.decide.policies import make_policy
from pointsman.decide.program import amounts_of
from pointsman.evaluate.replay import at_rates, drawn_by, replay
from worlds import case_of, served_score


def test_figures_are_what_the_choices_say() -> None:
    """Performance, cost and spending are sums of the true outcomes of the served queries, nothing else."""
    case = case_of(500, 4, kind="mixed")
    result = replay(make_policy("paced"), case)
    rows = np.flatnonzero(result.model >= 0)
    assert result.performance == pytest.approx(served_score(case, result.model))
    assert result.cost_usd == pytest.approx(case.truth.cost_usd[rows, result.model[rows]].sum())
    drawn = drawn_by(case.funds, amounts_of(case.truth, case.funds), result.model)
    np.testing.assert_allclose(result.spent, drawn.sum(axis=0))
    calls = case.funds.names.index("calls")
    assert result.spent[calls] == (result.model == 3).sum()


def test_outage_serves_nothing_on_the_model_that_is_out() -> None:
    """During the outage nobody is served by it: passed over by those who ask, lost by those who don't."""
    case = case_of(500, 4, scenario="outage", share=3.0)
    out = int(np.flatnonzero(~case.world.phases[1].open_models)[0])
    for name in ("paced", "greedy-perf", "approx-optimum"):
        result = replay(make_policy(name), case)
        assert not (result.model[200:300] == out).any()
    assert (replay(make_policy("paced"), case).model[:200] == out).any()


def test_rate_cut_halves_later_costs_only() -> None:
    """Costs before the cut are as recorded, after it halved on the model that was cut."""
    case = case_of(100, 4, scenario="rate-cut")
    cut = int(np.flatnonzero(case.world.phases[1].rate_factor != 1)[0])
    seen = at_rates(case.truth, case.world).cost_usd / case.truth.cost_usd
    assert (seen[:50] == 1).all()
    np.testing.assert_allclose(seen[50:, cut], 0.5)
    assert (np.delete(seen[50:], cut, axis=1) == 1).all()


@pytest.mark.parametrize("scenario", ["volume-low", "volume-high"])
def test_paced_survives_a_wrong_forecast(scenario: str) -> None:
    """With the volume forecast off by two, `paced` keeps at least 90 % of what it reaches with the right one."""
    right = replay(make_policy("paced"), case_of(3000, 5, share=0.5)).performance
    wrong = replay(make_policy("paced"), case_of(3000, 5, share=0.5, scenario=scenario)).performance
    assert wrong >= 0.9 * right


def test_paced_spends_its_money_when_queries_are_plenty() -> None:
    """Where money is scarce nearly all of it is spent, over the whole horizon and not at its start."""
    case = case_of(3000, 4, share=0.4)
    result = replay(make_policy("paced"), case)
    assert (result.spent / case.funds.budget > 0.97).all()
    half = drawn_by(case.funds, amounts_of(case.truth, case.funds), result.model)[:1500].sum(axis=0)
    np.testing.assert_allclose(half / case.funds.budget, 0.5, atol=0.1)


def test_plentiful_money_serves_the_best_estimate() -> None:
    """With money for everything prices are zero, and every query gets the model of highest estimated quality."""
    case = case_of(300, 4, share=1e4)
    case = replace(case, estimates=replace(case.estimates, quality=np.maximum(case.estimates.quality, 1e-3)))
    result = replay(make_policy("paced"), case)
    assert result.model.tolist() == case.estimates.quality.argmax(axis=1).tolist()
    assert (result.prices == 0).all()
