"""Claims about `decide.dual`: the prices of a program, and the certificate they come with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from pointsman.decide.dual import Prices, layout_of, read_rows, rows_of, solve
from pointsman.decide.program import Amounts, Program, charges, compile_funds, open_pairs
from pointsman.errors import InputError
from pointsman.records import UNITS, Floats, Fund, Mask


def per_model(quality: Floats, usd: Floats, budget: Floats, weights: Floats | None = None) -> Program:
    """PORT's case: one fund of dollars a model."""
    models = [f"m{i}" for i in range(quality.shape[1])]
    funds = compile_funds([Fund(m, float(b), "usd", (m,)) for m, b in zip(models, budget, strict=True)], models)
    return Program(quality, Amounts(usd=usd), funds, np.ones(len(quality)) if weights is None else weights)


def random_program(seed: int, queries: int = 0, *, empty_funds: bool = True) -> Program:
    """Any few funds, units, ties, free pairs, forbidden pairs, weights and scales."""
    rng = np.random.default_rng(seed)
    rows, columns = queries or int(rng.integers(1, 25)), int(rng.integers(1, 6))
    models = [f"m{i}" for i in range(columns)]
    quality = [
        lambda: rng.random((rows, columns)),
        lambda: np.round(rng.random((rows, columns))),
        lambda: rng.random((rows, columns)) - 0.5,
        lambda: np.repeat(rng.random((1, columns)), rows, 0),
        lambda: 100 * np.round(rng.random((rows, columns)), 1),
    ][rng.integers(5)]()
    scale = 10.0 ** rng.integers(-9, 7)
    usd = scale * rng.lognormal(0, 1, (rows, columns)) * (rng.random((rows, columns)) > 0.1)
    tokens = np.round(rng.lognormal(5, 1, (rows, columns)))
    demand = {"usd": usd.mean() * rows, "tokens": tokens.mean() * rows, "requests": rows}
    tightness = [0.0, 0.01, 0.1, 0.5, 1.0, 100.0][0 if empty_funds else 1 :]
    funds = []
    for k in range(rng.integers(1, 7)):
        unit = UNITS[rng.integers(3)]
        drawing = tuple(m for m in models if rng.random() < 0.5) or None
        funds.append(Fund(f"f{k}", float(demand[unit] * rng.choice(tightness)), unit, drawing))
    if rng.random() < 0.3:
        funds.append(Fund("again", funds[0].amount, funds[0].unit, funds[0].models))
    weights = rng.choice([0.5, 1.0, 3.0], rows) if rng.random() < 0.5 else np.ones(rows)
    allowed = rng.random((rows, columns)) < 0.8 if rng.random() < 0.4 else None
    return Program(quality, Amounts(usd, tokens), compile_funds(funds, models), weights, allowed)


def pairs_open(program: Program) -> Mask:
    found = open_pairs(program)
    return np.ones_like(program.quality, dtype=bool) if found is None else found


def amounts(program: Program, fund: int) -> Floats:
    table = program.amounts.of(int(program.funds.unit[fund]))
    return np.where(program.funds.draws[fund], 1.0 if table is None else table, 0.0)


def optimum(program: Program) -> float:
    """The outside oracle: HiGHS on the whole linear program, budgets scaled to 1."""
    queries, models = program.quality.shape
    budgets = [
        (program.weights[:, None] * amounts(program, f)).ravel() / program.funds.budget[f]
        for f in range(len(program.funds))
        if not program.funds.closed[f]
    ]
    once = np.kron(np.eye(queries), np.ones(models))
    upper = np.where(pairs_open(program), 1.0, 0.0).ravel()
    size = max(1e-9, float(np.abs(program.quality).max()))
    solution = linprog(
        -(program.weights[:, None] * program.quality / size).ravel(),
        A_ub=np.vstack([*budgets, once]),
        b_ub=np.ones(len(budgets) + queries),
        bounds=np.column_stack([np.zeros_like(upper), upper]),
        method="highs",
    )
    return float(-solution.fun * size)


def dual_value(program: Program, price: Floats) -> float:
    """D(p), written out."""
    charged = charges(price, program.funds, program.amounts, len(program))
    score = np.where(pairs_open(program), program.quality - charged, -np.inf)
    return float(price @ program.funds.budget + program.weights @ np.maximum(0.0, score.max(axis=1)))


def test_one_pooled_fund_by_hand() -> None:
    """Two queries, a model that costs 1 and one that costs 4, four to spend.

    Both to the cheap one costs 2 and earns 0.5 + 0.6. The first query gains 0.4 by the dear one for 3 more, the second
    only 0.1: the two left over buy two thirds of the first upgrade. So a unit is worth 0.4 / 3, and the whole
    1.1 + 0.8 / 3.
    """
    funds = compile_funds([Fund("pool", 4.0)], ["cheap", "dear"])
    quality = np.array([[0.5, 0.9], [0.6, 0.7]])
    program = Program(quality, Amounts(usd=np.array([[1.0, 4.0], [1.0, 4.0]])), funds, np.ones(2))
    prices = solve(program, tolerance=1e-8)
    assert prices.converged
    np.testing.assert_allclose(prices.price, [0.4 / 3], rtol=1e-6)
    assert prices.bound == pytest.approx(1.1 + 0.8 / 3, rel=1e-7)
    assert prices.value == pytest.approx(1.1 + 0.8 / 3, rel=1e-7)


def test_a_fund_for_each_model_by_hand() -> None:
    """Two queries, two models, every answer costs 1; one and a half for the first model, one for the second.

    The first query earns 1 on the first model, nothing on the second; the second query 0.8 and 0.5. Half of the second
    query fits on the first model: a unit there is worth 0.8 − 0.5, and the second model's fund is never used up.
    """
    program = per_model(np.array([[1.0, 0.0], [0.8, 0.5]]), np.ones((2, 2)), np.array([1.5, 1.0]))
    prices = solve(program, tolerance=1e-8)
    np.testing.assert_allclose(prices.price, [0.3, 0.0], atol=1e-6)
    assert prices.price[1] == 0.0
    assert prices.bound == pytest.approx(1.65, rel=1e-7)


def test_one_query_one_model_by_hand() -> None:
    """A third of a query can be paid: the price is all it is worth, and a third of it is earned."""
    prices = solve(per_model(np.array([[0.6]]), np.array([[3.0]]), np.array([1.0])), tolerance=1e-8)
    assert prices.price[0] == pytest.approx(0.2, rel=1e-6)
    assert prices.value == pytest.approx(0.2, rel=1e-7)


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 10**6))
def test_the_bound_is_within_the_tolerance_of_what_highs_finds(seed: int) -> None:
    """The optimum lies between value and bound, the two are within the tolerance, and the bound is D(price)."""
    program = random_program(seed)
    prices, best = solve(program, tolerance=1e-5), optimum(program)
    slack = 1e-6 * max(1.0, abs(best), float(np.abs(program.quality).max()))
    assert prices.converged
    assert prices.price.min() >= 0
    assert best - slack <= prices.bound <= best + 1e-5 * prices.bound + slack
    assert prices.value <= best + slack
    assert prices.bound == pytest.approx(dual_value(program, prices.price), rel=1e-9, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 0.5))
def test_one_pass_reads_what_its_formulas_say(seed: int, temperature: float) -> None:
    """Smooth and exact dual, spend, value and curvature are what numpy makes of their definitions."""
    program = random_program(seed)
    layout = layout_of(program.funds)
    rows = rows_of(program, layout)
    temperature *= float(np.abs(program.quality).max()) + 1e-3
    stored = [*rows.tables, np.ones(rows.quality.shape)]
    taken = np.stack(stored[: len(layout.units)])
    sizes = np.maximum(1e-12, taken.mean(axis=(1, 2)))
    rates = temperature * np.random.default_rng(seed).random((len(taken), layout.models)) / sizes[:, None]
    reading = read_rows(rows, rates.ravel(), temperature)
    score = rows.quality - np.einsum("ui,uji->ji", rates, taken)
    weight = np.exp(score / temperature)
    share = weight / (1.0 + weight.sum(axis=1, keepdims=True))
    assert reading.exact == pytest.approx(rows.weights @ np.maximum(0.0, score.max(axis=1)), rel=1e-9, abs=1e-12)
    assert reading.smooth == pytest.approx(rows.weights @ (temperature * np.log1p(weight.sum(axis=1))), rel=1e-9)
    quality = np.where(share > 0, rows.quality, 0.0)
    spent = np.einsum("j,ji,uji->ui", rows.weights, share, taken).ravel()
    np.testing.assert_allclose(reading.value, np.einsum("j,ji,ji->i", rows.weights, share, quality), atol=1e-9)
    np.testing.assert_allclose(reading.spent, spent, rtol=1e-9, atol=1e-9 * spent.max())
    flat = (share * taken).transpose(1, 0, 2).reshape(len(rows.quality), -1)
    curvature = -np.einsum("j,jk,jl->kl", rows.weights, flat, flat)
    blocks = curvature.reshape(len(taken), layout.models, len(taken), layout.models)
    each = np.arange(layout.models)
    squares = np.einsum("j,ji,uji,vji->iuv", rows.weights, share, taken, taken)
    blocks[:, each, :, each] += squares
    np.testing.assert_allclose(reading.curvature, curvature, atol=1e-9 * squares.max())


def test_a_fund_that_never_binds_is_free() -> None:
    """Its price is exactly zero, and so is that of a fund whose models nobody wants."""
    rng = np.random.default_rng(0)
    quality, usd = rng.random((200, 4)), rng.random((200, 4))
    quality[:, 3] = -1.0
    prices = solve(per_model(quality, usd, np.array([5.0, 5.0, 1000.0, 1.0])))
    assert prices.price[2] == 0.0
    assert prices.price[3] == 0.0
    assert (prices.price[:2] > 0).all()


def test_a_fund_of_zero_closes_its_models() -> None:
    """It has no price; the others are priced as if its model were not there."""
    rng = np.random.default_rng(1)
    quality, usd = rng.random((100, 3)), rng.random((100, 3)) + 0.1
    closed = solve(per_model(quality, usd, np.array([0.0, 5.0, 5.0])), tolerance=1e-7)
    absent = solve(per_model(quality[:, 1:], usd[:, 1:], np.array([5.0, 5.0])), tolerance=1e-7)
    assert closed.closed.tolist() == [True, False, False]
    assert closed.price[0] == 0.0
    assert closed.bound == pytest.approx(absent.bound, rel=1e-6)
    np.testing.assert_allclose(closed.price[1:], absent.price, rtol=1e-3)


def test_nothing_to_gain_and_nothing_to_spend_have_answers() -> None:
    """With no quality above zero, or with every fund empty, the prices are zero and the certificate closed."""
    worthless = solve(per_model(np.zeros((5, 2)), np.ones((5, 2)), np.ones(2)))
    penniless = solve(per_model(np.ones((5, 2)), np.ones((5, 2)), np.zeros(2)))
    for prices in (worthless, penniless):
        assert prices.converged
        assert prices.price.tolist() == [0.0, 0.0]
        assert prices.bound == prices.value == prices.gap == 0.0


def test_a_fund_given_twice_is_worth_the_same_in_all() -> None:
    """Two equal funds share one price between them, in some way."""
    rng = np.random.default_rng(2)
    quality, usd = rng.random((300, 3)), Amounts(usd=rng.random((300, 3)))
    models, weights = ["a", "b", "c"], np.ones(300)
    once = solve(Program(quality, usd, compile_funds([Fund("x", 20.0)], models), weights), tolerance=1e-7)
    funds = compile_funds([Fund("x", 20.0), Fund("y", 20.0)], models)
    twice = solve(Program(quality, usd, funds, weights), tolerance=1e-7)
    assert twice.bound == pytest.approx(once.bound, rel=1e-6)
    assert twice.price.sum() == pytest.approx(once.price[0], rel=1e-3)


def workload(queries: int, models: int, seed: int = 0) -> Program:
    """Dearer models are better, queries differ in hardness and length; money for the cheapest alone, split evenly."""
    rng = np.random.default_rng(seed)
    skill = np.sort(rng.normal(0, 1.2, models))
    quality = 1 / (1 + np.exp(rng.normal(0, 1.5, (queries, 1)) - skill - rng.normal(0, 0.5, (queries, models))))
    usd = 1e-6 * np.exp(1.2 * skill + rng.normal(6, 0.8, (queries, 1)) + rng.normal(0, 0.3, (queries, models)))
    return per_model(quality, usd, np.full(models, usd.sum(axis=0).min() / models))


def rescaled(prices: Prices, program: Program) -> Floats:
    """Prices times budgets: what each fund contributes to the bound."""
    return prices.price * program.funds.budget


def test_a_large_program_begun_on_a_sample_is_as_good() -> None:
    """Past a few thousand rows the descent begins on a sample; its certificate is for all rows."""
    program = workload(9000, 6)
    prices = solve(program)
    assert prices.converged
    assert prices.gap <= 1e-4
    assert prices.bound == pytest.approx(dual_value(program, prices.price), rel=1e-9)


def test_a_warm_start_gives_the_same_prices() -> None:
    """Whether earlier prices were right, far off or absurd changes the time and not the answer."""
    program = workload(600, 5)
    cold = solve(program, tolerance=1e-7)
    for start in (cold.price, cold.price * 0.3, cold.price * 30, np.full(5, 1e300), np.array([0, 0, 0, 0, 1.0])):
        warm = solve(program, start=start, tolerance=1e-7)
        assert warm.converged
        np.testing.assert_allclose(rescaled(warm, program), rescaled(cold, program), rtol=2e-3, atol=1e-3 * cold.bound)
        assert warm.bound == pytest.approx(cold.bound, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_a_weight_is_so_many_equal_rows(seed: int) -> None:
    """A row of weight three prices like the row three times."""
    program = random_program(seed)
    times = np.random.default_rng(seed).integers(1, 4, len(program))
    weighted = Program(program.quality, program.amounts, program.funds, times.astype(float), program.allowed)
    repeated = weighted.take(np.repeat(np.arange(len(program)), times))
    repeated = Program(
        repeated.quality, repeated.amounts, program.funds, np.ones(times.sum(), dtype=float), repeated.allowed
    )
    assert solve(weighted, tolerance=1e-7).bound == pytest.approx(solve(repeated, tolerance=1e-7).bound, rel=1e-6)


def test_the_order_of_queries_and_models_is_nothing() -> None:
    """The same program shuffled has the same prices."""
    program = workload(500, 5)
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(500), rng.permutation(5)
    usd = program.amounts.of(0)
    assert usd is not None
    shuffled = per_model(
        program.quality[rows][:, columns], usd[rows][:, columns], program.funds.budget[columns], program.weights
    )
    first, second = solve(program, tolerance=1e-7), solve(shuffled, tolerance=1e-7)
    np.testing.assert_allclose(second.price, first.price[columns], rtol=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(1.0, 10.0))
def test_more_money_never_buys_less(seed: int, factor: float) -> None:
    """A larger budget in every fund never lowers the bound."""
    program = random_program(seed)
    richer = program.funds.with_budget(program.funds.budget * factor)
    more = Program(program.quality, program.amounts, richer, program.weights, program.allowed)
    assert solve(more, tolerance=1e-6).bound >= solve(program, tolerance=1e-6).bound * (1 - 2e-6) - 1e-9


def test_without_the_nobody_option_scarce_money_drives_prices_to_the_edge() -> None:
    """PORT's dual as published has no zero in the maximum: where money is short it falls for ever.

    Within its box [0, 1] L-BFGS-B ends at the edge, whatever the box; with the zero the prices are inside.
    """
    rng = np.random.default_rng(3)
    quality, usd, budget = rng.random((100, 2)), 0.5 + rng.random((100, 2)), np.array([5.0, 5.0])

    def published(price: Floats) -> float:
        return float(price @ budget + (quality - price * usd).max(axis=1).sum())

    for edge in (1.0, 10.0):
        ended = minimize(published, np.full(2, 0.5), method="L-BFGS-B", bounds=[(0.0, edge)] * 2)
        np.testing.assert_allclose(ended.x, edge)
    prices = solve(per_model(quality, usd, budget), tolerance=1e-6)
    assert prices.converged
    assert (prices.price < 1.5).all()


def test_a_pass_limit_is_kept_and_said() -> None:
    """Stopped early, the prices are not called converged, and the bound and value still hold."""
    program = workload(300, 4)
    stopped, done = solve(program, most_passes=3), solve(program, tolerance=1e-6)
    assert not stopped.converged
    assert stopped.iterations <= 3 + 6
    assert stopped.value <= done.bound * (1 + 1e-6)
    assert stopped.bound >= done.value * (1 - 1e-6)


def test_bad_requests_are_refused() -> None:
    """A tolerance outside (0, 1), and earlier prices that are no prices."""
    program = workload(10, 2)
    for tolerance in (0.0, 1.0, -1.0, np.nan):
        with pytest.raises(InputError, match="tolerance"):
            solve(program, tolerance=tolerance)
    for start in ([1.0], [1.0, -1.0], [1.0, np.nan], [np.inf, 1.0]):
        with pytest.raises(InputError, match="one finite price"):
            solve(program, start=np.array(start))
