"""Claims about `decide.program`: funds laid out over models, amounts priced, bad input refused by name and place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.decide.program import (
    Amounts,
    FundTable,
    Program,
    amounts_of,
    charges,
    compile_funds,
    open_pairs,
    program_of,
)
from pointsman.errors import InputError
from pointsman.records import UNITS, Estimates, Fund

MODELS = ("acme/small", "acme/large", "beta/large")


def table(*funds: Fund) -> FundTable:
    return compile_funds(funds, MODELS)


def estimates(queries: int = 2) -> Estimates:
    rng = np.random.default_rng(0)
    shape = (queries, len(MODELS))
    return Estimates(rng.random(shape), rng.random(shape), 100 * rng.random(shape), np.zeros(shape))


def test_funds_are_laid_out_over_the_models() -> None:
    """A fund draws on the models it names, or on all of them, in its own unit."""
    funds = table(Fund("pool", 3.0), Fund("acme", 50.0, "tokens", ("acme/small", "acme/large")))
    assert funds.names == ("pool", "acme")
    assert funds.budget.tolist() == [3.0, 50.0]
    assert [UNITS[unit] for unit in funds.unit] == ["usd", "tokens"]
    assert funds.draws.tolist() == [[True, True, True], [True, True, False]]


def test_charges_by_hand() -> None:
    """A pair is charged each fund's price times what it takes, summed over the funds the model draws on."""
    funds = table(Fund("pool", 1.0), Fund("acme", 1.0, "tokens", MODELS[:2]), Fund("beta", 1.0, "requests", MODELS[2:]))
    amounts = Amounts(usd=np.array([[1.0, 2.0, 3.0]]), tokens=np.array([[10.0, 20.0, 30.0]]))
    found = charges(np.array([0.5, 0.01, 0.2]), funds, amounts)
    np.testing.assert_allclose(found, [[0.5 + 0.1, 1.0 + 0.2, 1.5 + 0.2]])


@given(st.integers(0, 10_000))
def test_charges_agree_with_the_sum_over_funds(seed: int) -> None:
    """Charges are Σ_f p_f a_fji, whichever funds, units and models."""
    rng = np.random.default_rng(seed)
    funds = table(
        *(
            Fund(f"f{k}", 1.0, UNITS[rng.integers(3)], tuple(rng.choice(MODELS, rng.integers(1, 4), replace=False)))
            for k in range(rng.integers(1, 6))
        )
    )
    given_ = estimates(4)
    price = rng.random(len(funds))
    by_unit = (given_.cost_usd, given_.tokens, np.ones((4, 3)))
    expected = sum(price[f] * by_unit[funds.unit[f]] * funds.draws[f] for f in range(len(funds)))
    np.testing.assert_allclose(charges(price, funds, amounts_of(given_, funds), 4), expected)


def test_only_the_units_in_use_are_kept() -> None:
    """Amounts in a unit that no fund is in are not asked for, and requests are never stored."""
    amounts = amounts_of(estimates(), table(Fund("a", 1.0, "requests"), Fund("b", 1.0, "tokens")))
    assert amounts.usd is None
    assert amounts.tokens is not None
    assert amounts.of(UNITS.index("requests")) is None
    with pytest.raises(InputError, match="no amounts in usd are given"):
        amounts.of(UNITS.index("usd"))


def test_charges_in_requests_alone_need_the_number_of_queries() -> None:
    """Nothing in an empty `Amounts` says how many queries there are."""
    funds = table(Fund("a", 1.0, "requests"))
    assert charges(np.array([0.25]), funds, Amounts(), 2).tolist() == [[0.25] * 3] * 2
    with pytest.raises(InputError, match="number of queries"):
        charges(np.array([0.25]), funds, Amounts())


def test_an_empty_fund_closes_the_pairs_that_take_from_it() -> None:
    """Pairs that take nothing from a fund of zero stay open; forbidden pairs are closed besides."""
    funds = table(Fund("acme", 0.0, "usd", MODELS[:2]), Fund("pool", 1.0))
    amounts = Amounts(usd=np.array([[0.0, 1.0, 1.0]]))
    program = Program(np.ones((1, 3)), amounts, funds, np.ones(1))
    assert funds.closed.tolist() == [True, False]
    found = open_pairs(program)
    assert found is not None
    assert found.tolist() == [[True, False, True]]
    forbidden = Program(np.ones((1, 3)), amounts, funds, np.ones(1), np.array([[False, True, True]]))
    found = open_pairs(forbidden)
    assert found is not None
    assert found.tolist() == [[False, False, True]]


def test_nothing_closed_is_no_mask() -> None:
    """With money in every fund and nothing forbidden there is no mask to carry about."""
    assert open_pairs(program_of(estimates(), table(Fund("pool", 1.0)))) is None


def test_taking_rows_keeps_everything_in_step() -> None:
    """The program of some rows has their qualities, amounts, weights and permissions, and the same funds."""
    allowed = np.arange(15).reshape(5, 3) % 2 == 0
    program = program_of(estimates(5), table(Fund("pool", 1.0)), np.arange(1.0, 6.0), allowed)
    part = program.take(np.array([3, 1]))
    assert len(part) == 2
    np.testing.assert_array_equal(part.quality, program.quality[[3, 1]])
    whole = program.amounts.usd
    assert whole is not None
    assert part.amounts.usd is not None
    np.testing.assert_array_equal(part.amounts.usd, whole[[3, 1]])
    assert part.weights.tolist() == [4.0, 2.0]
    assert part.allowed is not None
    np.testing.assert_array_equal(part.allowed, allowed[[3, 1]])


def test_budgets_are_replaced_whole() -> None:
    """What remains takes the place of what was given; anything that isn't one amount a fund is refused."""
    funds = table(Fund("a", 1.0), Fund("b", 2.0))
    assert funds.with_budget(np.array([0.5, 0.0])).budget.tolist() == [0.5, 0.0]
    for wrong in ([1.0], [1.0, -1.0], [1.0, np.nan]):
        with pytest.raises(InputError, match="one finite number"):
            funds.with_budget(np.array(wrong))


def test_bad_funds_are_refused_by_name() -> None:
    """No funds, a name twice, a model nobody knows (with the nearest that somebody does), a fund without a model."""
    with pytest.raises(InputError, match="no funds"):
        table()
    with pytest.raises(InputError, match=r"fund 'a': two funds have this name"):
        table(Fund("a", 1.0), Fund("a", 2.0))
    with pytest.raises(InputError, match=r"fund 'a': model 'acme/smal' is unknown; did you mean 'acme/small'"):
        table(Fund("a", 1.0, "usd", ("acme/smal",)))
    with pytest.raises(InputError, match=r"the models are acme/small, acme/large, beta/large"):
        table(Fund("a", 1.0, "usd", ("zzz",)))
    with pytest.raises(InputError, match="matches no model"):
        compile_funds([Fund("a", 1.0)], ())


@pytest.mark.parametrize("cell", [np.nan, np.inf, -1.0])
def test_a_bad_amount_is_named_by_row_and_column(cell: float) -> None:
    """An amount that is missing, infinite or negative is refused with its place; missing is never free."""
    usd = np.ones((4, 3))
    usd[2, 1] = cell
    with pytest.raises(InputError, match=rf"row 2, column 1: `usd` is {cell}"):
        Program(np.ones((4, 3)), Amounts(usd=usd), table(Fund("a", 1.0)), np.ones(4))


def test_bad_quality_weights_and_shapes_are_refused() -> None:
    """Quality must be finite, weights above zero, and everything queries by models."""
    funds, usd = table(Fund("a", 1.0)), np.ones((2, 3))
    with pytest.raises(InputError, match="row 1, column 0: `quality` is nan"):
        Program(np.array([[1, 1, 1], [np.nan, 1, 1]]), Amounts(usd=usd), funds, np.ones(2))
    with pytest.raises(InputError, match="row 1: `weights` is 0"):
        Program(usd, Amounts(usd=usd), funds, np.array([1.0, 0.0]))
    with pytest.raises(InputError, match=r"`weights` has shape \(3,\)"):
        Program(usd, Amounts(usd=usd), funds, np.ones(3))
    with pytest.raises(InputError, match=r"`usd` has shape \(2, 2\), expected \(2, 3\)"):
        Program(usd, Amounts(usd=usd[:, :2]), funds, np.ones(2))
    with pytest.raises(InputError, match=r"`allowed` has shape"):
        Program(usd, Amounts(usd=usd), funds, np.ones(2), np.ones((1, 3), dtype=bool))
    with pytest.raises(InputError, match="has no cells"):
        Program(usd[:0], Amounts(usd=usd[:0]), funds, np.ones(0))
