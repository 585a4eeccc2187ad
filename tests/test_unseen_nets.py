"""What both nets must do, whatever is inside: learn where there is something, stay at the means where there isn't."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learned_worlds import outcomes_of, prompts_of, scored, topical, with_gaps
from pointsman.errors import InputError
from pointsman.estimate.fitted import Estimator
from pointsman.estimate.unseen.factorisation import fit_factorisation
from pointsman.estimate.unseen.logistic import FittedNet, log_losses
from pointsman.estimate.unseen.perceptron import fit_perceptron
from pointsman.records import Estimates, Floats, Outcomes, Prompts

Fit = Callable[[Outcomes, Prompts, int], FittedNet]

pytestmark = pytest.mark.parametrize("fit", [fit_perceptron, fit_factorisation])


def cost(quality: Floats, truth: Outcomes) -> float:
    """Mean log loss."""
    chance = np.clip(quality, 1e-6, 1.0 - 1e-6)
    return float(log_losses(np.log(chance / (1.0 - chance)), truth.score).mean() / truth.score.shape[1])


@pytest.mark.parametrize("rows", [400, 2_000])
def test_learns_what_there_is(fit: Fit, rows: int) -> None:
    """With clear topics it takes at least a third of what the means lose against the truth's own noise."""
    made, prompts = topical(rows, 6, seed=1, signal=4.0)
    fresh, asked = topical(1_500, 6, seed=1, signal=4.0, of=1)
    fitted = fit(made, prompts, 0)
    means = np.tile(made.score.mean(axis=0), (1_500, 1))
    assert cost(fitted.estimate(asked).quality, fresh) < cost(means, fresh) * 2 / 3


@pytest.mark.parametrize("rows", [16, 64, 250])
def test_noise_teaches_it_nothing(fit: Fit, rows: int) -> None:
    """Where scores don't depend on the prompt, it loses next to nothing against the means, over six worlds."""
    losses = []
    for seed in range(6):
        made, prompts = topical(rows, 5, seed=seed, signal=0.0)
        fresh, asked = topical(500, 5, seed=seed, signal=0.0, of=1)
        quality = fit(made, prompts, seed).estimate(asked).quality
        shrunk = (made.score.sum(axis=0) + made.score.mean()) / (rows + 1)
        losses.append(cost(quality, fresh) - cost(np.tile(shrunk, (500, 1)), fresh))
    assert np.mean(losses) < 0.01


def test_few_probes_are_no_worse_than_the_means(fit: Fit) -> None:
    """On 16 probes of a world with topics it never falls far behind the means and is better on the whole."""
    losses = []
    for seed in range(8):
        made, prompts = topical(16, 5, seed=seed)
        fresh, asked = topical(500, 5, seed=seed, of=1)
        shrunk = (made.score.sum(axis=0) + made.score.mean()) / 17
        quality = fit(made, prompts, seed).estimate(asked).quality
        losses.append(cost(quality, fresh) - cost(np.tile(shrunk, (500, 1)), fresh))
    assert max(losses) < 0.05
    assert np.mean(losses) <= 0.0


def test_fewer_than_eight_rows_leave_the_means(fit: Fit) -> None:
    """Three probes: right, right, wrong, and one more at the mean of all, make two thirds everywhere."""
    fitted = fit(outcomes_of(np.array([[1.0], [1.0], [0.0]])), prompts_of(np.eye(3)), 0)
    np.testing.assert_allclose(fitted.estimate(prompts_of(np.eye(3))).quality, 2 / 3, rtol=1e-6)


def test_the_same_seed_gives_the_same_fit(fit: Fit) -> None:
    """And another seed another one."""
    made, prompts = topical(60, 3, seed=2, signal=4.0)
    first, again, other = (fit(made, prompts, seed).estimate(prompts).quality for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-6


def test_models_in_another_order_are_columns_in_another_order(fit: Fit) -> None:
    """Nothing depends on where a model stands, but for rounding."""
    made, prompts = topical(100, 4, seed=3, signal=4.0)
    made = with_gaps(made, 0.2, 1)
    order = np.array([2, 0, 3, 1])
    straight = fit(made, prompts, 0)
    turned = fit(made.only(order), prompts, 0)
    assert turned.models == tuple(made.models[i] for i in order)
    np.testing.assert_allclose(
        turned.estimate(prompts).quality, straight.estimate(prompts).quality[:, order], atol=1e-3
    )


def test_wrongs_for_rights_turn_the_estimate_round(fit: Fit) -> None:
    """Fitted on 1 − score it expects 1 − quality: neither side of a score is special."""
    made, prompts = topical(100, 3, seed=4, signal=4.0)
    straight = fit(made, prompts, 0).estimate(prompts).quality
    turned = fit(outcomes_of(1.0 - made.score), prompts, 0).estimate(prompts).quality
    assert straight.std(axis=0).min() > 0.1
    np.testing.assert_allclose(turned, 1.0 - straight, atol=1e-3)


def test_gaps_are_not_zeros(fit: Fit) -> None:
    """With half the scores missing at random, expectations stay near those with all of them."""
    made, prompts = topical(600, 4, seed=5, signal=4.0)
    all_cells = fit(made, prompts, 0).estimate(prompts).quality
    half = fit(with_gaps(made, 0.5, 1), prompts, 0).estimate(prompts).quality
    assert np.abs(half.mean(axis=0) - all_cells.mean(axis=0)).max() < 0.05
    assert np.abs(half - all_cells).mean() < 0.1


@settings(max_examples=12, deadline=None)
@given(scored(24), st.integers(0, 100))
def test_estimates_are_in_bounds(fit: Fit, world: tuple[Outcomes, Prompts], seed: int) -> None:
    """Any scores, gaps and repeated vectors give finite estimates in bounds, one column a model."""
    made, prompts = world
    fitted: Estimator = fit(made, prompts, seed)
    given_back: Estimates = fitted.estimate(prompts)
    for cells in (given_back.quality, given_back.cost_usd, given_back.tokens, given_back.spread):
        assert cells.shape == made.score.shape
        assert np.isfinite(cells).all()
    assert (given_back.quality >= 0.0).all()
    assert (given_back.quality <= 1.0).all()
    assert (given_back.spread > 0.0).all()


def test_survives_pickling_and_refuses_other_widths(fit: Fit) -> None:
    """A pickled fit says the same; vectors of another embedder are refused."""
    made, prompts = topical(60, 2, seed=6)
    fitted = fit(made, prompts, 0)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.estimate(prompts).quality, fitted.estimate(prompts).quality)
    with pytest.raises(InputError, match="3 dimensions"):
        fitted.estimate(prompts_of(np.eye(3)))
