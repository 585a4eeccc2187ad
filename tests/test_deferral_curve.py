"""The deferral curve: exact, by one convention, against brute force and the convex hull."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial import ConvexHull

from pointsman.errors import InputError
from pointsman.evaluate.deferral.curve import Curve, area, deferral_curve, mixture_curve, quality_neutral_cost, sampled
from pointsman.records import Floats

# ---- an example by hand

# Two prompts, models at 1, 2 and 4 dollars. The first prompt needs the dearest, the second only the middle one.
QUALITY = np.array([[0.0, 0.25, 1.0], [0.5, 1.0, 1.0]])
COST = np.array([1.0, 2.0, 4.0])
SCORE = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.5]])
PAID = np.array([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]])


def test_by_hand() -> None:
    """The second prompt switches at 0.5 a dollar, the first one at 1 / 3, straight past the middle model."""
    curve = deferral_curve(QUALITY, COST, SCORE, PAID)
    assert curve.relative_cost.tolist() == [0.25, 0.375, 0.75]
    assert curve.quality.tolist() == [0.0, 0.5, 1.0]
    assert (curve.peak, curve.best_quality, curve.best_cost) == (1.0, 0.75, 1.0)
    # Flat at 0 up to 1/4, a line to 1/2 at 3/8, a line to 1 at 3/4, flat from there.
    assert area(curve) == pytest.approx(0.125 * 0.25 + 0.375 * 0.75 + 0.25)
    assert area(curve, 0.5) == pytest.approx(2 * (0.125 * 0.25 + 0.125 * (0.5 + 2 / 3) / 2))
    # 0.75 is reached half-way between 3/8 and 3/4.
    assert quality_neutral_cost(curve) == pytest.approx(0.5625)
    x, y = sampled(curve)
    assert (x[0], x[-1], len(x)) == (0.0, 1.0, 101)
    assert (y[0], y[25], y[100]) == (0.0, pytest.approx(0.0), 1.0)


def test_prompts_that_switch_at_one_price_switch_together() -> None:
    """Estimates that are the same for all prompts give the two ends of the mixture and nothing between."""
    quality = np.tile([0.3, 0.7], (3, 1))
    score = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    curve = deferral_curve(quality, np.array([1.0, 3.0]), score, np.tile([1.0, 3.0], (3, 1)))
    assert curve.relative_cost.tolist() == [pytest.approx(1 / 3), 1.0]
    assert curve.quality.tolist() == [pytest.approx(1 / 3), pytest.approx(2 / 3)]


def test_of_equal_estimates_the_cheaper_model_is_taken() -> None:
    """A dearer model that is expected to do no better is never asked, whatever it would have scored."""
    curve = deferral_curve(np.full((2, 2), 0.5), np.array([2.0, 1.0]), np.eye(2), np.tile([2.0, 1.0], (2, 1)))
    assert curve.relative_cost.tolist() == [0.5]
    assert curve.quality.tolist() == [0.5]


def test_a_curve_that_bends_back_is_sorted_and_the_last_of_equals_holds() -> None:
    """With costs that differ from prompt to prompt a switch may save money: points are in order of x all the same."""
    paid = np.array([[2.0, 1.0], [1.0, 3.0]])
    curve = deferral_curve(np.array([[0.0, 1.0], [0.0, 0.5]]), np.array([1.0, 2.0]), np.eye(2)[::-1], paid)
    # (paid, score) of the sweep: (3, 1), then prompt 0 changes: (2, 2), then prompt 1: (4, 1).
    assert curve.relative_cost.tolist() == [0.5, 0.75, 1.0]
    assert curve.quality.tolist() == [1.0, 0.5, 0.5]
    same = deferral_curve(np.array([[0.0, 1.0]]), np.array([1.0, 2.0]), np.array([[0.0, 1.0]]), np.array([[3.0, 3.0]]))
    assert (same.relative_cost.tolist(), same.quality.tolist()) == ([1.0], [1.0])


def test_a_curve_that_never_gets_there_has_no_quality_neutral_cost() -> None:
    """A method that never asks the most accurate model, and isn't lucky, has an infinite QNC."""
    curve = deferral_curve(
        np.tile([0.9, 0.1], (2, 1)), np.array([1.0, 2.0]), np.array([[0, 1.0], [0, 1.0]]), PAID[:, :2]
    )
    assert quality_neutral_cost(curve) == math.inf
    assert area(curve) == 0.0


def test_free_models() -> None:
    """A free best model is reached for nothing; a pool in which nothing costs money has no relative cost."""
    free_best = deferral_curve(
        np.array([[1.0, 0.5]]), np.array([0.0, 1.0]), np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    )
    assert quality_neutral_cost(free_best) == 1.0
    with pytest.raises(InputError, match="no model of the pool cost anything"):
        deferral_curve(QUALITY, COST, SCORE, np.zeros((2, 3)))


@pytest.mark.parametrize("name", ["quality", "cost", "score", "recorded cost"])
def test_a_missing_cell_is_refused_by_name(name: str) -> None:
    """No cell counts as zero: the prompt and the model are named."""
    cells = {
        "quality": QUALITY.copy(),
        "cost": np.tile(COST, (2, 1)),
        "score": SCORE.copy(),
        "recorded cost": PAID.copy(),
    }
    cells[name][1, 2] = np.nan
    with pytest.raises(InputError, match=f"test prompt 1: the {name} of model 2"):
        deferral_curve(*cells.values())


def test_a_staircase_joins_neighbours_by_lines() -> None:
    """Mixtures of listed models: their own means, joined; a hull would skip the second one."""
    curve = mixture_curve(np.array([0, 1, 2]), SCORE, PAID)
    assert curve.relative_cost.tolist() == [0.25, 0.5, 1.0]
    assert curve.quality.tolist() == [0.0, 0.5, 0.75]


# ---- outside oracles


def brute_force(quality: Floats, cost: Floats, score: Floats, paid: Floats) -> tuple[Floats, Floats]:
    """x and y at a price between any two at which any prompt could be indifferent, from infinity down to zero."""
    gaps = [
        (quality[:, b] - quality[:, a]) / (cost[:, b] - cost[:, a])
        for a in range(quality.shape[1])
        for b in range(quality.shape[1])
        if (cost[:, a] != cost[:, b]).all()
    ]
    corners = np.unique(np.concatenate([np.zeros(1), *[gap[gap > 0] for gap in gaps]]))
    keep = np.concatenate([[True], np.diff(corners) > 1e-9 * corners[1:]])
    corners = corners[keep]
    prices = np.concatenate([[1e9], ((corners[1:] + corners[:-1]) / 2)[::-1], [0.0]])
    rows = np.arange(len(quality))
    points = []
    for price in prices:
        value = quality - price * cost
        best = value.max(axis=1, keepdims=True)
        choice = np.where(value >= best, cost, np.inf).argmin(axis=1)
        points.append((paid[rows, choice].mean(), score[rows, choice].mean()))
    x, y = np.array(points).T
    return x / paid.mean(axis=0).max(), y


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Floats, Floats, Floats]:
    """quality, score [Q, N] and different costs [N]; qualities are binary fractions, so that ties are exact."""
    shape = (draw(st.integers(1, 12)), draw(st.integers(1, 5)))
    quality = draw(hnp.arrays(np.float64, shape, elements=st.integers(0, 64).map(lambda n: n / 64)))
    score = draw(hnp.arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.5, 1.0])))
    cost = draw(st.lists(st.integers(1, 64), min_size=shape[1], max_size=shape[1], unique=True))
    return quality, score, np.array(cost, dtype=np.float64)


@settings(max_examples=80, deadline=None)
@given(worlds(), st.integers(0, 2**32 - 1))
def test_all_points_of_a_dense_sweep_are_on_the_curve_and_no_others(
    world: tuple[Floats, Floats, Floats], seed: int
) -> None:
    """Brute force over every price at which anything changes traces the same area, whatever was really paid."""
    quality, score, cost = world
    paid = cost * np.random.default_rng(seed).uniform(0.5, 2.0, quality.shape)
    curve = deferral_curve(quality, cost, score, paid)
    x, y = brute_force(quality, np.tile(cost, (len(quality), 1)), score, paid)
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    last = np.concatenate([np.diff(x) > 1e-12, [True]])
    assert curve.relative_cost == pytest.approx(x[last], abs=1e-12)
    assert curve.quality == pytest.approx(y[last], abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_constant_estimates_trace_the_pareto_hull(world: tuple[Floats, Floats, Floats]) -> None:
    """The zero router's curve is the upper left of SciPy's convex hull of the models' means."""
    _, score, cost = world
    means = score.mean(axis=0)
    curve = deferral_curve(np.tile(means, (len(score), 1)), cost, score, np.tile(cost, (len(score), 1)))
    x = cost / cost.max()
    # Two points far below and one far to the right, at the best model's height, leave only the upper chain of models.
    points = np.vstack([np.column_stack([x, means]), [[x.min(), -1.0], [2.0, -1.0], [2.0, means.max()]]])
    chain = np.array(sorted(point.tolist() for point in points[ConvexHull(points).vertices] if point[1] >= 0.0))
    at = np.linspace(x.min(), 1.0, 101)
    assert np.interp(at, curve.relative_cost, curve.quality) == pytest.approx(
        np.interp(at, chain[:, 0], chain[:, 1]), abs=1e-9
    )


# ---- properties


@settings(max_examples=60, deadline=None)
@given(worlds(), st.data())
def test_only_differences_between_models_matter(world: tuple[Floats, Floats, Floats], data: st.DataObject) -> None:
    """A constant added to all models' estimates, prompt by prompt, changes nothing."""
    quality, score, cost = world
    shift = data.draw(hnp.arrays(np.float64, (len(quality), 1), elements=st.integers(-99, 99).map(lambda n: n / 64)))
    paid = np.tile(cost, (len(quality), 1))
    one, other = (deferral_curve(q, cost, score, paid) for q in (quality, quality + shift))
    assert one.relative_cost.tolist() == other.relative_cost.tolist()
    assert one.quality.tolist() == other.quality.tolist()


@settings(max_examples=80, deadline=None)
@given(worlds())
def test_nothing_is_above_the_oracle_or_outside_the_scores(world: tuple[Floats, Floats, Floats]) -> None:
    """Who knows the scores has the largest area of all; areas, peak and curve stay within what the pool scores."""
    quality, score, cost = world
    paid = np.tile(cost, (len(quality), 1))
    curve, oracle = (deferral_curve(q, cost, score, paid) for q in (quality, score))
    for share in (0.5, 1.0):
        assert area(oracle, share) >= area(curve, share) - 1e-12
        assert score.min() - 1e-12 <= area(curve, share) <= score.max() + 1e-12
    assert oracle.peak == pytest.approx(score.max(axis=1).mean())
    assert quality_neutral_cost(oracle) <= min(quality_neutral_cost(curve), 1.0) + 1e-9
    assert (np.diff(curve.relative_cost) > 0).all()


def test_rounding_splits_no_switch() -> None:
    """Estimates that are equal but for rounding still switch together: the line between is not a path of prompts."""
    rng = np.random.default_rng(0)
    score = (rng.random((500, 3)) < [0.2, 0.5, 0.7]).astype(np.float64)
    cost, means = np.array([1.0, 2.0, 5.0]), np.array([0.2, 0.5, 0.7])
    quality = means + rng.random((500, 1))
    curve = deferral_curve(quality, cost, score, np.tile(cost, (500, 1)))
    assert len(curve.quality) == 3
    assert isinstance(curve, Curve)
