"""What a new model's answers will cost: by hand, against ridge and nnls, and as properties of any probes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from pointsman.estimate.cost import infer_tariff
from pointsman.estimate.unseen.costs import Lengths, fit_lengths
from pointsman.records import Floats, Outcomes
from unseen_worlds import NAN, made_outcomes


def answered(length: Floats, input_tokens: Floats, rates: tuple[float, float], fixed: float = 0.0) -> Outcomes:
    """Outcomes with answers of these lengths [n, N] at these rates, and a fixed charge an answer."""
    cost = input_tokens[:, None] * rates[0] + length * rates[1] + fixed
    made = made_outcomes(np.ones(length.shape), cost)
    return replace(made, output_tokens=length, input_tokens=input_tokens)


@st.composite
def priced(draw: st.DrawFn) -> tuple[Outcomes, Floats]:
    """Any few answers with gaps in costs and lengths (each model has one cost), and relative lengths."""
    n, models = draw(st.integers(1, 10)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    gap = draw(st.sampled_from([0.0, 0.4, 0.95]))
    made = made_outcomes(np.ones((n, models)), rng.choice([0.0, 1e-4, 2e-3], size=(n, models)))
    cost, length = made.cost_usd.copy(), rng.choice([0.0, 30.0, 500.0], size=(n, models))
    cost[1:][rng.random((n - 1, models)) < gap] = NAN
    length[rng.random((n, models)) < gap] = NAN
    return replace(made, cost_usd=cost, output_tokens=length), rng.uniform(0.05, 10.0, n)


def test_two_answers_by_hand() -> None:
    """Answers of 100 and 300 tokens where others' are half and one and a half as long: 200 a relative length."""
    asked = answered(np.array([[100.0], [300.0]]), np.array([10.0, 50.0]), (1e-6, 2e-6))
    placed = fit_lengths(asked, np.array([0.5, 1.5]))
    np.testing.assert_allclose([placed.level[0], placed.slope[0]], [1.0, 1.0])
    cost, tokens = placed.to_money(np.array([1.0, 2.0]), np.array([20.0, 40.0]))
    np.testing.assert_allclose(tokens, [[220.0], [440.0]])
    np.testing.assert_allclose(cost, [[20e-6 + 400e-6], [40e-6 + 800e-6]])


def test_a_slope_is_drawn_towards_one_by_hand() -> None:
    """Answers of one length where others' differ by ±½: the slope falls from 1 by ½ / (½ + ¼ / ¼), to ⅔."""
    asked = answered(np.array([[200.0], [200.0]]), np.array([10.0, 50.0]), (1e-6, 2e-6))
    placed = fit_lengths(asked, np.array([0.5, 1.5]))
    np.testing.assert_allclose([placed.level[0], placed.slope[0]], [1.0, 2 / 3])


def test_a_slope_is_that_of_a_ridge() -> None:
    """Level and slope are scikit-learn's ridge about a slope of the mean, its penalty the noise over a quarter."""
    rng = np.random.default_rng(0)
    relative = rng.lognormal(0.0, 0.5, 60)
    length = 150.0 * relative * rng.lognormal(0.0, 0.3, 60)
    placed = fit_lengths(answered(length[:, None], np.full(60, 9.0), (1e-6, 3e-6)), relative)
    value, away = length / length.mean(), relative - 1.0
    left = value - 1.0 - (away - away.mean())
    ridge = Ridge(alpha=float((left**2).mean()) / 0.25).fit(away[:, None], value - away)
    assert placed.slope[0] == pytest.approx(1.0 + ridge.coef_[0])
    assert placed.level[0] == pytest.approx(ridge.intercept_)


def test_exact_rates_are_those_of_the_tariff() -> None:
    """Where the rates explain the costs, the expected cost is `infer_tariff`'s on the expected lengths."""
    rng = np.random.default_rng(1)
    length, tokens = rng.integers(20, 400, (12, 3)).astype(np.float64), rng.integers(10, 900, 12).astype(np.float64)
    asked = answered(length, tokens, (2e-6, 8e-6))
    tariff = infer_tariff(asked)
    assert tariff.exact.all()
    np.testing.assert_allclose(tariff.output_usd, 8e-6)
    new = np.array([5.0, 70.0, 3000.0])
    cost, total = fit_lengths(asked, rng.lognormal(0.0, 0.4, 12)).to_money(np.array([0.3, 1.0, 4.0]), new)
    np.testing.assert_allclose(cost, tariff.cost(new, total - new[:, None]))


def test_a_charge_that_no_rate_explains_is_kept() -> None:
    """Costs that have nothing to do with tokens are expected at their mean, the rest after the input side."""
    rng = np.random.default_rng(2)
    made = made_outcomes(np.ones((80, 1)), rng.uniform(1.0, 3.0, (80, 1)))
    asked = replace(made, output_tokens=rng.integers(1, 500, (80, 1)).astype(np.float64), input_tokens=np.full(80, 7.0))
    placed = fit_lengths(asked, np.ones(80))
    assert not placed.targets.tariff.exact.any()
    cost, _ = placed.to_money(np.ones(2), np.full(2, 7.0))
    np.testing.assert_allclose(cost, asked.cost_usd.mean(), rtol=1e-6)


def test_answers_that_were_never_counted_cost_their_mean() -> None:
    """Without a single length the mean cost is what is known, and it follows the relative length."""
    asked = replace(made_outcomes(np.ones((3, 1)), np.array([[1.0], [2.0], [3.0]])), output_tokens=np.full((3, 1), NAN))
    cost, tokens = fit_lengths(asked, np.ones(3)).to_money(np.array([1.0, 2.0]), np.array([9.0, 9.0]))
    np.testing.assert_allclose(cost[:, 0], [2.0, 4.0])
    np.testing.assert_allclose(tokens[:, 0], 9.0)


def test_empty_answers_stay_empty_and_free_ones_free() -> None:
    """A model that always answered nothing, for nothing, isn't expected to begin where others' answers are long."""
    asked = answered(np.zeros((4, 1)), np.array([10.0, 50.0, 20.0, 30.0]), (0.0, 0.0))
    cost, tokens = fit_lengths(asked, np.array([0.5, 1.5, 1.0, 4.0])).to_money(np.array([0.1, 8.0]), np.full(2, 9.0))
    np.testing.assert_array_equal(cost, np.zeros((2, 1)))
    np.testing.assert_array_equal(tokens, np.full((2, 1), 9.0))


@settings(max_examples=50, deadline=None)
@given(priced(), st.integers(0, 1000))
def test_money_is_finite_and_never_negative(made: tuple[Outcomes, Floats], seed: int) -> None:
    """Any answers, with any gaps, give finite costs of at least zero and at least the input tokens."""
    asked, relative = made
    rng = np.random.default_rng(seed)
    tokens_in = rng.uniform(1.0, 5000.0, 6)
    cost, tokens = fit_lengths(asked, relative).to_money(rng.uniform(0.05, 10.0, 6), tokens_in)
    assert cost.shape == tokens.shape == (6, len(asked.models))
    assert np.isfinite(cost).all()
    assert (cost >= 0.0).all()
    assert (tokens >= tokens_in[:, None]).all()


@settings(max_examples=50, deadline=None)
@given(priced(), st.integers(0, 1000))
def test_columns_move_with_their_models(made: tuple[Outcomes, Floats], seed: int) -> None:
    """The order of new models changes nothing but the order of columns."""
    asked, relative = made
    order = np.random.default_rng(seed).permutation(len(asked.models))
    at, tokens = np.array([0.2, 3.0]), np.array([10.0, 400.0])
    whole, moved = fit_lengths(asked, relative), fit_lengths(asked.only(order), relative)
    for one, other in zip(whole.to_money(at, tokens), moved.to_money(at, tokens), strict=True):
        np.testing.assert_allclose(one[:, order], other, rtol=1e-9)


@settings(max_examples=50, deadline=None)
@given(priced())
def test_a_row_that_nobody_answered_changes_nothing(made: tuple[Outcomes, Floats]) -> None:
    """A missing length or cost is left out; it is never a zero."""
    asked, relative = made
    longer = asked.take(np.array([*range(len(asked)), 0], np.int64))
    cost, length = longer.cost_usd.copy(), longer.output_tokens.copy()
    cost[-1], length[-1] = NAN, NAN
    longer = replace(longer, cost_usd=cost, output_tokens=length)
    one, other = fit_lengths(asked, relative), fit_lengths(longer, np.append(relative, 7.0))
    np.testing.assert_allclose(one.level, other.level, rtol=1e-9)
    np.testing.assert_allclose(one.slope, other.slope, rtol=1e-9)


def test_longer_prompts_of_answers_cost_more() -> None:
    """With a slope above zero, cost and tokens rise with the relative length."""
    asked = answered(np.array([[100.0], [310.0], [180.0]]), np.array([10.0, 50.0, 20.0]), (1e-6, 2e-6))
    placed: Lengths = fit_lengths(asked, np.array([0.5, 1.5, 1.0]))
    cost, tokens = placed.to_money(np.linspace(0.1, 10, 20), np.full(20, 5.0))
    assert (np.diff(cost[:, 0]) > 0).all()
    assert (np.diff(tokens[:, 0]) > 0).all()
