"""Prices for funds of different windows, and for funds that only some queries draw on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from pointsman.decide.dual import solve
from pointsman.decide.live import live_prices, solve_prices
from pointsman.decide.program import FundTable, amounts_of, program_of
from pointsman.errors import InputError
from pointsman.records import Estimates, Floats, Mask

Case = tuple[Estimates, FundTable, Mask, Floats, Floats]


def case_of(seed: int, rows: int, models: int, keys: int, *, common: int = 3, tight: float = 0.3) -> Case:
    """Rows of `keys` keys, `common` funds that every row draws on (the first on all models), one fund a key."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(0.4, 0.9, models)
    quality = np.clip(level + rng.normal(0, 0.15, (rows, 1)) + rng.normal(0, 0.1, (rows, models)), 0, 1)
    cost = np.exp(rng.normal(0, 1.5, models)) * 1e-3 * level**4 * np.exp(rng.normal(0, 0.7, (rows, 1)))
    tokens = np.exp(rng.normal(0, 0.7, (rows, models))) * 500
    funds = common + keys
    draws = rng.random((funds, models)) < 0.5
    draws[0], draws[common:] = True, True
    draws[:, 0] = True
    unit = rng.integers(0, 3, funds)
    drawn = np.ones((rows, funds), np.bool_)
    drawn[:, common:] = rng.integers(0, max(keys, 1), rows)[:, None] == np.arange(keys)
    to_come = np.exp(rng.uniform(3, 9, funds))
    table = FundTable(tuple(f"f{f}" for f in range(funds)), np.ones(funds), unit, draws)
    estimates = Estimates(quality, cost, tokens, np.zeros_like(quality))
    best = np.eye(models)[quality.argmax(axis=1)]
    wanted = np.array([(taken(estimates, table, drawn, f) * best).sum() for f in range(funds)])
    return estimates, table, drawn, wanted * rng.uniform(tight, 1.3, funds) / rows * to_come + 1e-9, to_come


def taken(estimates: Estimates, table: FundTable, drawn: Mask, fund: int) -> Floats:
    amount = (estimates.cost_usd, estimates.tokens, np.ones_like(estimates.quality))[int(table.unit[fund])]
    return np.asarray(amount * table.draws[fund] * drawn[:, fund, None])


def exact(case: Case, allowed: Mask | None = None) -> float:
    """The optimum of the program, by HiGHS."""
    estimates, table, drawn, remaining, to_come = case
    rows, models = estimates.quality.shape
    budget = remaining * rows / to_come
    use = np.stack([taken(estimates, table, drawn, f).ravel() / budget[f] for f in range(len(table))])
    once = np.kron(np.eye(rows), np.ones(models))
    most = np.ones(rows * models) if allowed is None else allowed.ravel().astype(float)
    found = linprog(
        -estimates.quality.ravel(),
        A_ub=np.vstack([use, once]),
        b_ub=np.ones(len(use) + rows),
        bounds=np.column_stack([np.zeros_like(most), most]),
    )
    assert found.success
    return -float(found.fun)


def dual(case: Case, price: Floats, allowed: Mask | None = None) -> float:
    """D(price), straight from its formula."""
    estimates, table, drawn, remaining, to_come = case
    charge = sum(price[f] * taken(estimates, table, drawn, f) for f in range(len(table)))
    scores = estimates.quality - charge
    if allowed is not None:
        scores = np.where(allowed, scores, -np.inf)
    rows = len(estimates)
    return float(price @ (remaining * rows / to_come) + np.maximum(0.0, scores.max(axis=1)).sum())


def test_two_keys_and_one_pool_by_hand() -> None:
    """One model, gains .9 .8 .7 .6 at a dollar each; key a (rows 0, 1) may spend half of one.

    With 2.6 in the pool b's rows both fit, the pool has no price, and another dollar of a's would serve a .9. With
    1.1 the pool's next dollar would serve a .7, and a's is worth the .2 more that it would serve.
    """
    quality = np.array([[0.9], [0.8], [0.7], [0.6]])
    estimates = Estimates(quality, np.ones((4, 1)), np.ones((4, 1)), np.zeros((4, 1)))
    table = FundTable(("pool", "a"), np.ones(2), np.zeros(2, np.int64), np.ones((2, 1), np.bool_))
    drawn = np.array([[1, 1], [1, 1], [1, 0], [1, 0]], np.bool_)
    found = live_prices(estimates, table, drawn, np.array([2.6, 0.5]), np.full(2, 4.0), np.zeros(2), tolerance=1e-6)
    assert found.price == pytest.approx([0.0, 0.9], abs=1e-4)
    assert found.value == pytest.approx(0.45 + 0.7 + 0.6, abs=1e-4)
    pool_binds = live_prices(
        estimates, table, drawn, np.array([1.1, 0.5]), np.full(2, 4.0), np.zeros(2), tolerance=1e-6
    )
    assert pool_binds.price == pytest.approx([0.7, 0.2], abs=1e-4)
    assert pool_binds.bound == pytest.approx(0.45 + 0.6 * 0.7, abs=1e-4)


def test_windows_are_put_on_one_scale() -> None:
    """A dollar for the ten queries of this minute is a thousand dollars for the ten thousand of this month."""
    estimates, table, drawn, remaining, to_come = case_of(1, 60, 4, 3)
    scale = np.exp(np.random.default_rng(0).uniform(-3, 3, len(table)))
    one = solve_prices(estimates, table, drawn, remaining, to_come, np.zeros(len(table)))
    other = solve_prices(estimates, table, drawn, remaining * scale, to_come * scale, np.zeros(len(table)))
    np.testing.assert_allclose(one, other, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 40), st.integers(1, 5), st.integers(0, 6))
def test_prices_reach_the_optimum_of_the_exact_program(seed: int, rows: int, models: int, keys: int) -> None:
    """HiGHS lies between value and bound, the bound is the dual value at the prices, and the gap is as asked."""
    case = case_of(seed, rows, models, keys)
    found = live_prices(*case, np.zeros(len(case[1])), tolerance=1e-4)
    optimum = exact(case)
    assert found.converged
    assert found.value <= optimum * (1 + 1e-7)
    assert optimum <= found.bound * (1 + 1e-7)
    assert found.bound - found.value <= 1e-4 * found.bound + 1e-12
    assert dual(case, found.price) == pytest.approx(found.bound, rel=1e-7)


def test_forbidden_pairs_are_no_demand() -> None:
    """Rows that must not go somewhere don't raise the price there."""
    case = case_of(3, 40, 4, 3)
    allowed = np.random.default_rng(3).random((40, 4)) < 0.6
    found = live_prices(*case, np.zeros(len(case[1])), allowed, tolerance=1e-5)
    assert found.value <= exact(case, allowed) * (1 + 1e-7)
    assert found.bound == pytest.approx(exact(case, allowed), rel=2e-5)
    assert dual(case, found.price, allowed) == pytest.approx(found.bound, rel=1e-7)


def test_funds_that_all_draw_on_have_the_prices_of_the_dual() -> None:
    """Without keys it is `dual.solve` on weighted budgets."""
    estimates, table, drawn, remaining, to_come = case_of(5, 200, 5, 0)
    budgeted = table.with_budget(remaining * 200 / to_come)
    old = solve(program_of(estimates, budgeted), tolerance=1e-6)
    new = live_prices(estimates, table, drawn, remaining, to_come, np.zeros(3), tolerance=1e-6)
    assert new.bound == pytest.approx(old.bound, rel=2e-6)


def test_an_empty_fund_closes_its_own_rows_and_no_others() -> None:
    """A key without money takes nothing, so the pool's money is the others'."""
    estimates, table, drawn, remaining, to_come = case_of(7, 50, 4, 2)
    broke = remaining.copy()
    broke[3] = 0.0
    paid = table.unit[3] == 2 or (taken(estimates, table, drawn, 3) > 0).any()
    found = live_prices(estimates, table, drawn, broke, to_come, np.zeros(5), tolerance=1e-6)
    others = ~drawn[:, 3]
    scaled = (estimates.take(np.flatnonzero(others)), table, drawn[others], broke, to_come * 50 / others.sum())
    kept = [f for f in range(5) if f != 3]
    narrowed = (
        scaled[0],
        table.take(np.array(kept)),
        scaled[2][:, kept],
        broke[kept],
        to_come[kept] * (others.sum() / 50),
    )
    assert paid
    assert found.price[3] == 0.0
    assert found.bound == pytest.approx(exact(narrowed), rel=1e-5)


def test_nothing_to_pay_for() -> None:
    """No price: nobody comes, no rows, no funds, plenty for everyone, or a fund that no row draws on."""
    estimates, table, drawn, remaining, to_come = case_of(9, 30, 3, 2)
    nothing = np.zeros(5)
    assert not solve_prices(estimates, table, drawn, remaining, nothing, nothing).any()
    assert not solve_prices(estimates, table, drawn, remaining * 1e6, to_come, nothing).any()
    none = estimates.take(np.arange(0))
    assert not solve_prices(none, table, drawn[:0], remaining, to_come, nothing).any()
    bare = table.take(np.array([], dtype=np.int64))
    empty = np.empty(0)
    assert solve_prices(estimates, bare, drawn[:, :0], empty, empty, empty).shape == (0,)
    alone = drawn.copy()
    alone[:, 4] = False
    assert solve_prices(estimates, table, alone, remaining * 0.1, to_come, nothing)[4] == 0.0


def test_useless_models_have_no_price() -> None:
    """Where nothing is worth anything, nothing is scarce."""
    estimates, table, drawn, remaining, to_come = case_of(9, 30, 3, 2)
    flat = replace(estimates, quality=np.zeros_like(estimates.quality))
    assert not solve_prices(flat, table, drawn, remaining, to_come, np.zeros(5)).any()


def test_earlier_prices_lead_to_the_same_place() -> None:
    """From good prices, from absurd ones and from none."""
    case = case_of(11, 80, 4, 4)
    cold = live_prices(*case, np.zeros(7), tolerance=1e-5)
    for start in (cold.price, np.full(7, 1e6), cold.price * 3):
        warm = live_prices(*case, start, tolerance=1e-5)
        assert warm.converged
        assert warm.bound == pytest.approx(cold.bound, rel=2e-5)


def test_two_hundred_keys_are_solved() -> None:
    """Within the passes allowed, and the certificate says so."""
    case = case_of(13, 1_000, 6, 200)
    found = live_prices(*case, np.zeros(203))
    assert found.converged
    assert (found.price > 0).sum() > 50
    assert found.value <= found.bound <= found.value * 1.0011


@pytest.mark.parametrize("place", range(6))
def test_what_does_not_fit_is_refused(place: int) -> None:
    """Each argument by its name."""
    estimates, table, drawn, remaining, to_come = case_of(1, 10, 3, 2)
    good: list[Any] = [drawn, remaining, to_come, np.zeros(5), np.ones((10, 3), np.bool_)]
    bad: list[Any] = [drawn[:, :4], -remaining, to_come * np.nan, np.zeros(4), np.ones((9, 3), np.bool_)]
    names = ["drawn", "remaining", "to_come", "start", "allowed", "cost"]
    if place < 5:
        good[place] = bad[place]
    else:
        estimates = replace(estimates, cost_usd=np.full_like(estimates.cost_usd, np.nan))
    with pytest.raises(InputError, match=f"`{names[place]}`"):
        solve_prices(estimates, table, *good)


def test_amounts_are_read_in_every_unit() -> None:
    """The cases above mix dollars, tokens and requests."""
    units = {int(unit) for seed in range(5) for unit in case_of(seed, 10, 3, 6)[1].unit}
    estimates, table, *_ = case_of(0, 10, 3, 6)
    assert units == {0, 1, 2}
    assert amounts_of(estimates, table).usd is not None
