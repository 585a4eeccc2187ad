"""Prices that are set from outside."""

from __future__ import annotations

import numpy as np
import pytest

from pointsman.decide.policies import Briefing, Policy, View
from pointsman.decide.policies.standing import Standing, StandingState
from pointsman.decide.program import FundTable, amounts_of, charges
from pointsman.decide.terms import charges_drawn, drawn_by_all, drawn_of
from pointsman.errors import InputError
from pointsman.records import Estimates

TABLE = FundTable(
    ("pool", "tokens", "key"),
    np.array([10.0, 1e4, 5.0]),
    np.array([0, 1, 2]),
    np.array([[1, 1], [0, 1], [1, 1]], np.bool_),
)
BATCH = Estimates(
    np.array([[0.6, 0.9], [0.5, 0.7]]), np.array([[0.1, 0.4], [0.2, 0.5]]), np.full((2, 2), 100.0), np.zeros((2, 2))
)


def view(drawn: tuple[tuple[int, ...], ...] | None) -> View:
    rows = None if drawn is None else drawn_of(drawn, 3)
    return View(BATCH, TABLE.budget, 0, 0.0, np.ones(2, np.bool_), np.ones(2), rows)


def test_scores_by_hand() -> None:
    """q − .5 · dollars − .001 · tokens (second model) − .02 · requests; the state stays as it is."""
    state = StandingState(np.array([0.5, 1e-3, 0.02]), TABLE)
    scores, after = Standing().scores(state, view(None))
    np.testing.assert_allclose(scores, [[0.6 - 0.05 - 0.02, 0.9 - 0.2 - 0.1 - 0.02], [0.38, 0.33]])
    assert after is state
    assert Standing().price(state) is state.price


def test_each_query_pays_for_its_own_funds() -> None:
    """The first draws on the pool alone, the second on nothing."""
    state = StandingState(np.array([0.5, 1e-3, 0.02]), TABLE)
    scores, _ = Standing().scores(state, view(((0,), ())))
    np.testing.assert_allclose(scores, [[0.55, 0.7], [0.5, 0.7]])


def test_drawing_on_all_is_charged_like_everything_else() -> None:
    """The kernel by query and the product by model agree."""
    rng = np.random.default_rng(0)
    table = FundTable(tuple("abcdef"), np.ones(6), rng.integers(0, 3, 6), rng.random((6, 5)) < 0.5)
    batch = Estimates(*(rng.random((7, 5)) for _ in range(4)))
    price, amounts = rng.random(6), amounts_of(batch, table)
    np.testing.assert_allclose(
        charges_drawn(price, table, amounts, drawn_by_all(6, 7)), charges(price, table, amounts, 7)
    )


def test_it_is_a_policy_that_begins_free() -> None:
    """Nothing has a price until one is set."""
    policy: Policy = Standing()
    state = policy.begin(Briefing(TABLE, BATCH, 10))
    assert np.array_equal(policy.scores(state, view(None))[0], BATCH.quality)
    assert policy.traits.by_query
    assert policy.traits.ask_first


def test_without_funds_everything_is_worth_its_quality() -> None:
    """A pool that nothing limits."""
    none = TABLE.take(np.array([], dtype=np.int64))
    state = StandingState(np.empty(0), none)
    assert np.array_equal(Standing().scores(state, view(None))[0], BATCH.quality)
    free = View(BATCH, none.budget, 0, 0.0, np.ones(2, np.bool_), np.ones(2), drawn_of(((), ()), 0))
    assert np.array_equal(Standing().scores(state, free)[0], BATCH.quality)


def test_a_state_is_its_own_copy() -> None:
    """Whoever set the prices may reuse the array."""
    price = np.zeros(3)
    state = StandingState(price, TABLE)
    price[0] = 1.0
    assert state.price[0] == 0.0


@pytest.mark.parametrize("price", [[1.0, 2.0], [1.0, -1.0, 0.0], [1.0, np.nan, 0.0], [np.inf, 0.0, 0.0]])
def test_prices_that_are_none_are_refused(price: list[float]) -> None:
    """One finite number of at least zero for each fund."""
    with pytest.raises(InputError, match="pass 3 prices"):
        StandingState(np.array(price), TABLE)
