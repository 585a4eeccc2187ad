"""Claims about `decide.polish`: the exact optimum of a program, proved by its own dual."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.decide.polish import Exact, assignment, solve_exact
from pointsman.decide.program import Amounts, Program, charges, compile_funds
from pointsman.records import Fund
from test_dual import amounts, dual_value, optimum, pairs_open, per_model, random_program, workload


def check_optimal(program: Program, exact: Exact) -> None:
    """Feasible on both sides, complementary, and equal in value: there is no other proof of optimality."""
    shares, price = exact.shares.toarray(), exact.price
    assert shares.min() >= 0
    assert shares.sum(axis=1).max() <= 1 + 1e-9
    assert price.min() >= 0
    assert not shares[~pairs_open(program)].any()
    scale = max(1.0, exact.bound)
    for f in range(len(program.funds)):
        drawn = float(program.weights @ (shares * amounts(program, f)).sum(axis=1))
        assert drawn <= program.funds.budget[f] * (1 + 1e-9)
        assert price[f] * (program.funds.budget[f] - drawn) <= 1e-8 * scale
    charged = charges(price, program.funds, program.amounts, len(program))
    score = np.where(pairs_open(program), program.quality - charged, -np.inf)
    best = np.maximum(0.0, score.max(axis=1))
    assert (shares * np.where(shares > 0, best[:, None] - score, 0.0)).max() <= 1e-8 * scale
    assert (best * (1 - shares.sum(axis=1))).max() <= 1e-8 * scale
    assert exact.bound == pytest.approx(dual_value(program, price), rel=1e-9, abs=1e-12)
    assert exact.value == pytest.approx(exact.bound, rel=1e-9, abs=1e-12)


def test_one_pooled_fund_by_hand() -> None:
    """The example of `test_dual`: two thirds of the first query go up, and the price is 0.4 / 3 to the last digit."""
    funds = compile_funds([Fund("pool", 4.0)], ["cheap", "dear"])
    usd = Amounts(usd=np.array([[1.0, 4.0], [1.0, 4.0]]))
    program = Program(np.array([[0.5, 0.9], [0.6, 0.7]]), usd, funds, np.ones(2))
    exact = solve_exact(program)
    np.testing.assert_allclose(exact.shares.toarray(), [[1 / 3, 2 / 3], [1.0, 0.0]], atol=1e-9)
    assert exact.price[0] == pytest.approx(0.4 / 3, rel=1e-12)
    assert exact.value == pytest.approx(1.1 + 0.8 / 3, rel=1e-12)
    assert assignment(exact).tolist() == [1, 0]


def test_the_largest_share_wins_and_nobody_is_minus_one() -> None:
    """Query 0 is worth nothing to anyone, query 1 is split evenly (the first model has it), query 2 is whole."""
    quality = np.array([[0.0, 0.0], [0.5, 0.5], [0.1, 0.9]])
    usd = np.array([[1.0, 1.0], [2.0, 2.0], [4.0, 1.0]])
    exact = solve_exact(per_model(quality, usd, np.array([1.0, 2.0])))
    np.testing.assert_allclose(exact.shares.toarray(), [[0.0, 0.0], [0.5, 0.5], [0.0, 1.0]], atol=1e-9)
    assert assignment(exact).tolist() == [-1, 0, 1]


@pytest.mark.parametrize("budget", [1e-9, 1e-12, 1e-20, 1e-37, 1e-99])
def test_budgets_next_to_nothing_buy_nothing(budget: float) -> None:
    """A fund that pays for a billionth of a query is no error: the optimum is nothing, as near as can be told."""
    exact = solve_exact(per_model(np.array([[0.5, 0.9]]), np.array([[1.0, 1.0]]), np.array([budget, budget])))
    assert exact.value <= exact.bound <= 3.0 * max(budget, 1e-9)
    assert assignment(exact).tolist() in ([-1], [0], [1])


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 10**6))
def test_small_programs_are_solved_to_optimality(seed: int) -> None:
    """Any small program: feasible, complementary, bound and value equal, and what HiGHS finds for the whole."""
    program = random_program(seed)
    exact = solve_exact(program)
    check_optimal(program, exact)
    slack = 1e-6 * max(1.0, float(np.abs(program.quality).max()))
    assert exact.value == pytest.approx(optimum(program), rel=1e-6, abs=slack)


@pytest.mark.parametrize("rounded", [False, True])
def test_a_larger_program_is_solved_to_optimality(rounded: bool) -> None:
    """Fixing the clear queries loses nothing, with estimates between 0 and 1 and with outcomes that are 0 or 1."""
    program = workload(3000, 8)
    if rounded:
        program = Program(np.round(program.quality), program.amounts, program.funds, program.weights)
    exact = solve_exact(program)
    check_optimal(program, exact)
    whole = np.diff(exact.shares.indptr)
    assert (whole > 1).sum() <= len(program.funds)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_value_grows_with_the_budget_and_ever_more_slowly(seed: int) -> None:
    """The optimum is a concave, never falling function of the budgets."""
    program = random_program(seed, empty_funds=False)

    def at(factor: float) -> float:
        funds = program.funds.with_budget(program.funds.budget * factor)
        return solve_exact(Program(program.quality, program.amounts, funds, program.weights, program.allowed)).value

    low, middle, high = at(0.5), at(1.0), at(1.5)
    slack = 1e-8 * (1 + high)
    assert low <= middle + slack <= high + 2 * slack
    assert middle - low >= high - middle - slack


def test_the_order_of_queries_and_models_is_nothing() -> None:
    """The same program shuffled has the same prices, to the last digits."""
    program = workload(400, 5)
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(400), rng.permutation(5)
    usd = program.amounts.of(0)
    assert usd is not None
    shuffled = per_model(
        program.quality[rows][:, columns], usd[rows][:, columns], program.funds.budget[columns], program.weights
    )
    np.testing.assert_allclose(solve_exact(shuffled).price, solve_exact(program).price[columns], rtol=1e-8)


def test_rounding_loses_little_and_overdraws_by_little() -> None:
    """Every query to its largest share: all but one split query a fund are as they were."""
    program = workload(2000, 6)
    exact = solve_exact(program)
    chosen = assignment(exact)
    served = np.flatnonzero(chosen >= 0)
    value = program.quality[served, chosen[served]].sum()
    assert abs(value - exact.value) <= len(program.funds) * program.quality.max()
    usd = program.amounts.of(0)
    assert usd is not None
    for f, budget in enumerate(program.funds.budget):
        assert usd[served[chosen[served] == f], f].sum() <= budget + usd[:, f].max()
