"""Weights of a blend, by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from pointsman.estimate import stack as stack_module
from pointsman.estimate.stack import fit_stack, least_squares_above_zero


def test_one_member_that_exaggerates_twice_is_halved() -> None:
    """If the truth is half of what the member says, its weight is a half."""
    member = np.array([[2.0], [-2.0], [4.0], [-4.0]])
    found = fit_stack(member / 2, [member])
    assert found.common == pytest.approx(0.5)
    np.testing.assert_allclose(found.blend([member]), member / 2, atol=1e-6)


def test_gram_form_agrees_with_scipy() -> None:
    """The solution from the Gram matrix is that of scipy's solver on the rows."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.normal(size=(30, 3)), rng.normal(size=30)
        np.testing.assert_allclose(least_squares_above_zero(a.T @ a, a.T @ b), nnls(a, b)[0], atol=1e-6)


def test_a_learnable_direction_is_trusted_and_noise_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two outputs share what the member sees; their difference is noise: it gets weight near one and zero."""
    monkeypatch.setattr(stack_module, "PRIOR_ROWS", 1.0)
    rng = np.random.default_rng(1)
    shared, noise = rng.normal(size=(5000, 1)) * 2, rng.normal(size=(5000, 1))
    truth = np.hstack([shared + rng.normal(size=(5000, 1)), shared - rng.normal(size=(5000, 1))])
    member = np.hstack([shared + noise, shared - noise])
    found = fit_stack(truth, [member])
    assert found.weights[0, 0] == pytest.approx(1.0, abs=0.05)
    assert found.weights[0, 1] == pytest.approx(0.0, abs=0.05)


def test_the_better_member_weighs_more_and_a_useless_one_nothing() -> None:
    """Of a good, a noisy and a contrary member the weights fall in that order, to zero."""
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(2000, 3))
    members = [truth + 0.5 * rng.normal(size=truth.shape), truth + 2 * rng.normal(size=truth.shape), -truth]
    common = fit_stack(truth, members).common
    assert common[0] > common[1] > 0 == pytest.approx(common[2], abs=1e-6)


def test_missing_cells_don_t_pull() -> None:
    """Half of the cells missing at random leave the weight of an honest member near what it is without gaps."""
    rng = np.random.default_rng(3)
    member = rng.normal(size=(4000, 2))
    truth = member + rng.normal(size=member.shape)
    gaps = np.where(rng.random(truth.shape) < 0.5, np.nan, truth)
    assert fit_stack(gaps, [member]).common[0] == pytest.approx(fit_stack(truth, [member]).common[0], abs=0.05)


def test_nothing_to_say_gives_finite_weights() -> None:
    """Members that predict nothing at all give a blend of nothing."""
    found = fit_stack(np.ones((10, 2)), [np.zeros((10, 2))] * 2)
    np.testing.assert_allclose(found.blend([np.zeros((3, 2))] * 2), 0.0)
