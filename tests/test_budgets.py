"""How the experiment's money is split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.evaluate.budgets import SWEPT_SPLITS, budget_funds, check_split, split_weights, total_budget
from pointsman.records import Outcomes
from worlds import outcomes


def tiny() -> Outcomes:
    """Two models: mean scores 1 and 0.5, mean costs 4 and 1."""
    ones = np.ones(2)
    return Outcomes(
        ["a", "b"],
        ["x", "y"],
        ["t", "t"],
        ("dear", "cheap"),
        np.array([[1.0, 0.0], [1.0, 1.0]]),
        np.array([[3.0, 1.0], [5.0, 1.0]]),
        np.ones((2, 2)),
        ones,
    )


def test_by_hand() -> None:
    """perf = (1, .5), cost = (4, 1): weighted ∝ (√.25, √.5), cost ∝ (√.25, 1), perf ∝ (1, .5)."""
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(
        split_weights("weighted", tiny(), rng), np.sqrt([0.25, 0.5]) / np.sqrt([0.25, 0.5]).sum()
    )
    np.testing.assert_allclose(split_weights("cost", tiny(), rng), [1 / 3, 2 / 3])
    np.testing.assert_allclose(split_weights("perf", tiny(), rng), [2 / 3, 1 / 3])
    np.testing.assert_allclose(split_weights("uniform", tiny(), rng), [0.5, 0.5])
    # dear has the lower perf / cost (.25 against .5): four fifths of the money
    np.testing.assert_allclose(split_weights("extreme", tiny(), rng), [0.8, 0.2])


def test_total_is_the_cheapest_models_bill() -> None:
    """Factor times what all tested queries cost on the model that is cheapest in sum."""
    assert total_budget(tiny(), 1.5) == pytest.approx(1.5 * 2.0)
    assert [f.amount for f in budget_funds(("a", "b"), np.array([0.8, 0.2]), 10.0)] == [8.0, 2.0]
    assert [f.amount for f in budget_funds(("a", "b"), np.array([0.8, 0.2]), 10.0, pooled=True)] == [10.0]


@given(st.sampled_from(SWEPT_SPLITS), st.integers(6, 20), st.integers(0, 1000))
def test_weights_are_shares(split: str, models: int, seed: int) -> None:
    """Every split gives each model a share above zero, and the shares sum to one."""
    weights = split_weights(split, outcomes(40, models, seed), np.random.default_rng(seed))
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1.0)


@given(st.integers(1, 5), st.integers(6, 20))
def test_extreme_puts_four_fifths_on_the_worst(h: int, models: int) -> None:
    """The h models of lowest score per dollar hold 80 % of the money."""
    world = outcomes(60, models, 1)
    weights = split_weights(f"extreme-{h}", world, np.random.default_rng(0))
    value = world.score.mean(axis=0) / world.cost_usd.mean(axis=0)
    assert weights[np.argsort(value, kind="stable")[:h]].sum() == pytest.approx(0.8)


def test_refusals() -> None:
    """Unknown splits, too many worst models and factors that are no money are refused."""
    for split in ("fair", "extreme-0", "extreme-x"):
        with pytest.raises(InputError, match="split"):
            check_split(split)
    with pytest.raises(InputError, match="more than 2 models"):
        split_weights("extreme-2", tiny(), np.random.default_rng(0))
    for factor in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="factor"):
            total_budget(tiny(), factor)
