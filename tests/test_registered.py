"""Estimates for the registry's models, in its order and at its rates; and how long answers may get."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.estimate.lengths import DEFAULT_FACTOR, Lengths, default_lengths, fit_lengths
from pointsman.estimate.prior import Prior
from pointsman.estimate.registered import Rating, Registered, columns_of
from pointsman.records import Estimates, Floats, Prompts


@dataclass(frozen=True)
class Recorded:
    """Two models of a history: qualities .6 and .8, answers of 10 and 20 tokens, costs that no longer hold."""

    models: tuple[str, ...] = ("old-a", "old-b")

    def estimate(self, prompts: Prompts) -> Estimates:
        rows = np.ones((len(prompts), 1))
        tokens = prompts.input_tokens[:, None] + np.array([10.0, 20.0])
        return Estimates(rows * [0.6, 0.8], rows * [9.0, 9.0], tokens, rows * [0.01, 0.02])


PROMPTS = Prompts(["p", "q"], np.zeros((2, 2), np.float32), np.array([100.0, 50.0]))
RATING = Rating(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 30.0]), np.array([0.0, 0.5, 0.0]), np.ones(3))
PRIOR = Prior(("x", "y", "z"), np.array([0.5, 0.4, 0.3]), np.full(3, 0.2), np.array([7.0, 8.0, 9.0]))


def registered(column: list[int]) -> Registered:
    return Registered(PRIOR.models, Recorded(), np.array(column, dtype=np.int64), PRIOR, RATING)


def test_columns_of_the_history_and_the_prior_by_hand() -> None:
    """x is the history's second model, y its first, z nobody knows; money is 100·1 + 20·10 and so on."""
    found = registered([1, 0, -1]).estimate(PROMPTS)
    assert found.quality[0].tolist() == [0.8, 0.6, 0.3]
    assert found.spread[0].tolist() == [0.02, 0.01, 0.2]
    assert found.tokens[0].tolist() == [120.0, 110.0, 109.0]
    assert found.cost_usd[0].tolist() == [300.0, 400.5, 570.0]
    assert found.cost_usd[1].tolist() == [250.0, 300.5, 420.0]


def test_every_model_known_or_none() -> None:
    """The two ends: nothing of the prior shows, and without a history all of it does."""
    assert registered([0, 1, 0]).estimate(PROMPTS).quality.tolist() == [[0.6, 0.8, 0.6]] * 2
    alone = Registered(PRIOR.models, None, np.full(3, -1), PRIOR, RATING).estimate(PROMPTS)
    expected = PRIOR.estimate(PROMPTS)
    assert np.array_equal(alone.quality, expected.quality)
    assert np.array_equal(alone.spread, expected.spread)
    assert np.array_equal(alone.tokens, expected.tokens)
    assert alone.cost_usd[0].tolist() == [170.0, 360.5, 570.0]


def test_a_model_that_counts_more_tokens() -> None:
    """A ratio of 2 doubles the prompt for that model, and leaves the answer."""
    twice = replace(RATING, token_ratio=np.array([2.0, 1.0, 1.0]))
    found = replace(registered([1, 0, -1]), rating=twice).estimate(PROMPTS)
    assert found.tokens[0].tolist() == [220.0, 110.0, 109.0]
    assert found.cost_usd[0, 0] == 400.0


def test_held_out_estimates_get_the_same_money() -> None:
    """`rated` on the base's estimates is `estimate`."""
    one = registered([1, 0, -1])
    again = one.rated(Recorded().estimate(PROMPTS), PROMPTS.input_tokens)
    assert np.array_equal(again.cost_usd, one.estimate(PROMPTS).cost_usd)


def test_comes_back_from_a_pickle() -> None:
    """The same estimates after a round trip."""
    one = registered([1, 0, -1])
    again = pickle.loads(pickle.dumps(one))
    assert np.array_equal(again.estimate(PROMPTS).cost_usd, one.estimate(PROMPTS).cost_usd)


@pytest.mark.parametrize("column", [[1, 0], [2, 0, 0], [-2, 0, 0]])
def test_columns_that_are_not_there_are_refused(column: list[int]) -> None:
    """Too few, too high, too low."""
    with pytest.raises(InputError, match="registered estimates"):
        registered(column)


@pytest.mark.parametrize("bad", [np.array([np.nan, 1.0, 1.0]), np.array([-1.0, 1.0, 1.0]), np.ones(2)])
def test_an_unknown_rate_is_no_free_one(bad: Floats) -> None:
    """NaN, negative and missing rates are refused."""
    with pytest.raises(InputError, match="output_usd"):
        replace(RATING, output_usd=bad)


def test_names_in_the_history() -> None:
    """An empty name has no column; a wrong one is said."""
    assert columns_of(("b", "", "a"), ("a", "b")).tolist() == [1, -1, 0]
    with pytest.raises(InputError, match="no outcomes are recorded for 'c'"):
        columns_of(("c",), ("a", "b"))


def test_a_quantile_by_hand() -> None:
    """Of ratios 1 … 99 the 95 % point of a hundredth one is the 95th; 99 rows count 99 / 149."""
    recorded = np.arange(1.0, 100.0)[:, None]
    found = fit_lengths(recorded, np.ones((99, 1)))
    assert found.factor.tolist() == pytest.approx([95.0])
    assert found.ceiling(np.array([[10.0]])).tolist() == [[pytest.approx(950.0)]]


def test_new_answers_stay_below_the_ceiling_as_often_as_asked() -> None:
    """Lognormal lengths of three scales, expectations that are off at random: 95 % and 80 % hold to a percent."""
    rng = np.random.default_rng(0)
    expected = np.exp(rng.normal(5.0, 1.0, (20_000, 3)))
    recorded = expected * np.exp(rng.normal(-0.2, [0.3, 0.6, 1.0], (20_000, 3)))
    for quantile in (0.8, 0.95):
        fitted = fit_lengths(recorded[:10_000], expected[:10_000], quantile=quantile)
        covered = (recorded[10_000:] <= fitted.ceiling(expected[10_000:])).mean(axis=0)
        assert covered == pytest.approx([quantile] * 3, abs=0.01)


def test_few_answers_take_the_common_factor() -> None:
    """A model with five rows has no 95 % point of its own, nor has one with none; one with fifty is half its own."""
    rng = np.random.default_rng(1)
    recorded = np.full((2_000, 3), np.nan)
    recorded[:, 0] = np.exp(rng.normal(0.0, 1.0, 2_000)) * 100
    recorded[:5, 1] = 100.0
    expected = np.full((2_000, 3), 100.0)
    found = fit_lengths(recorded, expected).factor
    assert found[1] == found[2]
    assert found[1] == pytest.approx(np.exp(1.645), rel=0.15)
    recorded[:50, 2] = 100.0
    own_half = fit_lengths(recorded, expected).factor[2]
    assert own_half == pytest.approx(np.sqrt(fit_lengths(recorded, expected).factor[1]))


def test_no_answers_at_all_take_the_default() -> None:
    """And so do models outside the history."""
    nothing = fit_lengths(np.full((3, 2), np.nan), np.ones((3, 2)))
    assert nothing.factor.tolist() == default_lengths(2).factor.tolist() == [DEFAULT_FACTOR] * 2
    assert Lengths(np.array([2.0, 3.0])).over(np.array([1, -1])).factor.tolist() == [3.0, DEFAULT_FACTOR]
    assert Lengths(np.empty(0)).over(np.array([-1])).factor.tolist() == [DEFAULT_FACTOR]


def test_the_default_holds_for_every_lognormal() -> None:
    """The 95 % point over the mean is exp(1.645 s − s² / 2), at most 3.87."""
    deviation = np.linspace(0.01, 5.0, 1_000)
    assert np.exp(1.645 * deviation - deviation**2 / 2).max() < DEFAULT_FACTOR


@given(st.floats(0.5, 0.99), st.integers(1, 200))
def test_a_factor_covers_the_history_itself(quantile: float, rows: int) -> None:
    """With one model, at least that share of its own rows, where there are enough to tell."""
    recorded = np.random.default_rng(rows).random((rows, 1)) * 100 + 1
    fitted = fit_lengths(recorded, np.full((rows, 1), 50.0), quantile=quantile)
    if (rows + 1) * quantile <= rows:
        assert (recorded <= fitted.ceiling(np.full((rows, 1), 50.0)) * (1 + 1e-12)).mean() >= quantile


@pytest.mark.parametrize("quantile", [0.0, 1.0, float("nan")])
def test_quantiles_outside_are_refused(quantile: float) -> None:
    """No answer, or every answer."""
    with pytest.raises(InputError, match="quantile"):
        fit_lengths(np.ones((2, 1)), np.ones((2, 1)), quantile=quantile)


def test_tables_that_do_not_fit_are_refused() -> None:
    """Lengths need an expectation each, and factors a column."""
    with pytest.raises(InputError, match="lengths"):
        fit_lengths(np.ones((2, 1)), np.ones((3, 1)))
    with pytest.raises(InputError, match="no factors"):
        Lengths(np.empty(0)).over(np.array([0]))


def test_a_place_without_a_name_is_nobodys() -> None:
    """A base may have columns that count no more, named ""; a model without a history isn't taken for one of them."""
    assert columns_of(("", "a", ""), ("", "a")).tolist() == [-1, 1, -1]
