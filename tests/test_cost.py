"""Rates from a log, and expected costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.estimate.cost import cost_targets, infer_tariff
from pointsman.records import Floats, Outcomes


def outcomes(input_tokens: Floats, output_tokens: Floats, cost_usd: Floats) -> Outcomes:
    n, m = cost_usd.shape
    names = [str(i) for i in range(n)]
    score = np.where(np.isfinite(cost_usd), 0.5, np.nan)
    models = tuple(f"m{i}" for i in range(m))
    return Outcomes(names, names, names, models, score, cost_usd, output_tokens, input_tokens)


def test_two_calls_give_two_rates() -> None:
    """10 in and 5 out for 20, 20 in and 0 out for 20: one per input token, two per output token."""
    found = infer_tariff(outcomes(np.array([10.0, 20.0]), np.array([[5.0], [0.0]]), np.array([[20.0], [20.0]])))
    assert found.input_usd[0] == pytest.approx(1.0)
    assert found.output_usd[0] == pytest.approx(2.0)
    assert found.exact.all()
    assert found.cost(np.array([3.0]), np.array([[4.0]]))[0, 0] == pytest.approx(11.0)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 100), st.floats(0.01, 100), st.integers(0, 1000), st.sampled_from([0.0, 0.01]), st.booleans())
def test_rates_are_found_behind_gaps_and_outliers(
    rate_in: float, rate_out: float, seed: int, wrong: float, gaps: bool
) -> None:
    """List rates are recovered from 200 calls, be some missing or one in a hundred billed five times over."""
    rng = np.random.default_rng(seed)
    tokens_in, tokens_out = rng.integers(20, 900, 200).astype(float), rng.integers(1, 600, (200, 1)).astype(float)
    cost = (tokens_in[:, None] * rate_in + tokens_out * rate_out) * 1e-6
    cost[: round(200 * wrong)] *= 5
    if gaps:
        cost[rng.random(200) < 0.3] = np.nan
    found = infer_tariff(outcomes(tokens_in, tokens_out, cost))
    assert found.input_usd[0] * 1e6 == pytest.approx(rate_in, rel=1e-5)
    assert found.output_usd[0] * 1e6 == pytest.approx(rate_out, rel=1e-5)
    assert found.exact.all()


def test_input_alone_is_exact() -> None:
    """Where nothing is paid for output, the cost is known from the input to the last digit of the log."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(5, 900, 100).astype(float)
    history = outcomes(tokens, np.zeros((100, 2)), tokens[:, None] * np.array([1.2e-6, 3e-7]))
    targets = cost_targets(history)
    cost, total = targets.to_money(targets.values, tokens)
    np.testing.assert_allclose(cost, history.cost_usd, rtol=1e-9)
    np.testing.assert_allclose(total, np.column_stack([tokens, tokens]))


def test_costs_that_no_rate_explains_are_learned_as_a_remainder() -> None:
    """A surcharge by the whim of the provider is no tariff; targets and costs turn into one another all the same."""
    rng = np.random.default_rng(1)
    tokens, answers = rng.integers(5, 900, 300).astype(float), rng.integers(1, 400, (300, 2)).astype(float)
    cost = (tokens[:, None] + 3 * answers) * 1e-6
    cost[:, 1] *= rng.uniform(0.5, 2.0, 300)
    history = outcomes(tokens, answers, cost)
    targets = cost_targets(history)
    assert targets.remainder.tolist() == [1]
    back, total = targets.to_money(targets.values, tokens)
    np.testing.assert_allclose(back[:, 0], cost[:, 0], rtol=1e-6)
    np.testing.assert_allclose(back.mean(axis=0), cost.mean(axis=0), rtol=0.05)
    np.testing.assert_allclose(total, tokens[:, None] + answers, rtol=1e-9)


def test_missing_output_counts_are_not_taken_for_zero() -> None:
    """A model whose answers were never counted keeps its recorded cost, and others' mean length."""
    tokens = np.full(50, 100.0)
    answers = np.column_stack([np.full(50, np.nan), np.full(50, 30.0)])
    targets = cost_targets(outcomes(tokens, answers, np.column_stack([np.full(50, 0.5), 130 * np.ones(50)])))
    cost, total = targets.to_money(np.ones((1, targets.values.shape[1])), tokens[:1])
    assert cost[0, 0] == pytest.approx(0.5)
    assert total[0, 0] == pytest.approx(130.0)
