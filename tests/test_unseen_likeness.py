"""How a new model resembles known ones: by hand, against scikit-learn's Gaussian process, and as properties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import DotProduct

from pointsman.estimate.unseen.likeness import (
    DEFAULT,
    LEAST_PROBES,
    Posterior,
    Scales,
    _loss,
    _turn,
    design,
    foreseen_design,
    learn_scales,
    regress,
)
from pointsman.records import Floats
from unseen_worlds import NAN

SCALES = Scales(level=0.05, common=0.2, observed=0.3, expected=0.6, own=0.01, noise=0.1, hidden=0.08)


@st.composite
def regressions(draw: st.DrawFn) -> tuple[Floats, Floats, Floats, Floats]:
    """Scores of new models [n, N] and of known ones [n, M] with gaps, expectations and means."""
    n, new, m = draw(st.integers(1, 8)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    score, known = rng.random((n, new)), rng.choice([0.0, 1.0], size=(n, m))
    gaps = st.sampled_from([0.0, 0.4, 0.95])
    score[1:][rng.random((n - 1, new)) < draw(gaps)] = NAN
    known[rng.random((n, m)) < draw(gaps)] = NAN
    return score, known, rng.random((n, m)), rng.random(m)


def written_out(observed: Floats, expected: Floats, scales: Scales) -> Floats:
    """Regressors with their prior deviations in them, one by one as the module says; the level is a column of them."""
    m = observed.shape[1]
    columns = [np.full(len(observed), np.sqrt(scales.level)), np.sqrt(scales.common) * observed.mean(axis=1)]
    columns += [np.sqrt(scales.observed / m) * (observed[:, j] - observed.mean(axis=1)) for j in range(m)]
    columns += [np.sqrt(scales.expected / m) * (expected[:, j] - expected.mean(axis=1)) for j in range(m)]
    return np.column_stack(columns)


def test_one_known_model_and_two_probes_by_hand() -> None:
    """It scored 1 and 0 about a mean of ½, the new one 1 and 1: what is left, 0 and 1, is regressed on (1, ±½).

    With variances of 1 (level), 4 (a) and 1 (noise) the precisions are 1 + 2 and ¼ + ½, the moments 1 and −½. One
    known model doesn't differ from itself, so nothing is learned of b and c.
    """
    scales = replace(SCALES, level=1.0, common=4.0, noise=1.0)
    found = regress(np.array([[1.0], [1.0]]), np.array([[1.0], [0.0]]), np.full((2, 1), 0.5), np.array([0.5]), scales)
    np.testing.assert_allclose(found.mean[:, 0], [1 / 3, -2 / 3, 0.0], atol=1e-12)
    np.testing.assert_allclose(found.covariance[0], np.diag([1 / 3, 4 / 3, 0.9]), atol=1e-12)


def test_one_probe_of_two_known_models_by_hand() -> None:
    """Known scores 1 and 0 about means of ½, a new 1: all of level, b₁ and −b₂ share what is left in proportion."""
    scales = Scales(1.0, 1.0, 2.0, 0.0 + 1e-12, 0.01, 1.0, 0.0)
    half = np.array([[0.5, 0.5]])
    found = regress(np.array([[1.0]]), np.array([[1.0, 0.0]]), half, half[0], scales)
    # Regressors 1, 0, ½/√2, −½/√2: prior variance of the target 1 + 2·2/8 + noise 1 = 2.5, and ½ is left.
    np.testing.assert_allclose(found.mean[:, 0], np.array([1.0, 0.0, 1 / np.sqrt(2), -1 / np.sqrt(2)]) * 0.5 / 2.5)


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_scikit_learns_gaussian_process(seed: int) -> None:
    """Mean and variance on new prompts are those of a Gaussian process with a linear kernel and the rows' noises."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(2, 30)), int(rng.integers(1, 6))
    score, known, expected, means = rng.random(n), rng.random((n, m)), rng.random((n, m)), rng.random(m)
    known[rng.random((n, m)) < 0.3] = NAN
    gone = np.isnan(known)
    observed = np.where(gone, expected, known) - means
    prior_mean = means.mean() + observed.mean(axis=1)
    process = GaussianProcessRegressor(
        DotProduct(0.0, "fixed"), alpha=SCALES.noise + SCALES.hidden * gone.mean(axis=1), optimizer=None
    ).fit(written_out(observed, expected - means, SCALES), score - prior_mean)
    new = rng.random((7, m)) - means
    mean, deviation = process.predict(written_out(new, new, SCALES), return_std=True)

    found = regress(score[:, None], known, expected, means, SCALES)
    x = foreseen_design(new)
    np.testing.assert_allclose(x @ found.mean[:, 0], mean, atol=1e-9)
    np.testing.assert_allclose(np.sqrt(((x @ found.covariance[0]) * x).sum(axis=1)), deviation, atol=1e-7)


def test_designs_are_as_written() -> None:
    """Level, mean, deviations of the observed and of the expected scores over √M; on new prompts b and c are one."""
    observed, expected = np.array([[0.4, 0.0]]), np.array([[0.1, 0.3]])
    root = np.sqrt(2)
    row = [1.0, 0.2, 0.2 / root, -0.2 / root, -0.1 / root, 0.1 / root]
    np.testing.assert_allclose(design(observed, expected), [row])
    np.testing.assert_allclose(foreseen_design(expected), [[1.0, 0.2, -0.1 / root, 0.1 / root]])


@settings(max_examples=50, deadline=None)
@given(regressions(), st.integers(0, 1000))
def test_each_new_model_is_described_on_its_own(made: tuple[Floats, Floats, Floats, Floats], seed: int) -> None:
    """The order and the company of new models change nothing."""
    score, known, expected, means = made
    rest = (known, expected, means)
    order = np.random.default_rng(seed).permutation(score.shape[1])
    whole, moved = regress(score, *rest, SCALES), regress(score[:, order], *rest, SCALES)
    np.testing.assert_allclose(whole.mean[:, order], moved.mean, atol=1e-10)
    np.testing.assert_allclose(whole.covariance[order], moved.covariance, atol=1e-10)
    alone = regress(score[:, :1], *rest, SCALES)
    np.testing.assert_allclose(alone.mean[:, 0], whole.mean[:, 0], atol=1e-10)


@settings(max_examples=50, deadline=None)
@given(regressions())
def test_a_probe_not_asked_is_a_probe_left_out(made: tuple[Floats, Floats, Floats, Floats]) -> None:
    """A model's missing score says exactly as much as the probe's absence, and is never a zero."""
    score, known, expected, means = made
    whole = regress(score, known, expected, means, SCALES)
    for column in range(score.shape[1]):
        asked = np.isfinite(score[:, column])
        alone = regress(score[asked][:, [column]], known[asked], expected[asked], means, SCALES)
        np.testing.assert_allclose(alone.mean[:, 0], whole.mean[:, column], atol=1e-10)
        np.testing.assert_allclose(alone.covariance[0], whole.covariance[column], atol=1e-10)


@settings(max_examples=50, deadline=None)
@given(regressions(), st.integers(0, 1000))
def test_the_order_of_known_models_and_probes_doesnt_matter(
    made: tuple[Floats, Floats, Floats, Floats], seed: int
) -> None:
    """Coefficients move with their known models; probes are a set."""
    score, known, expected, means = made
    rng = np.random.default_rng(seed)
    order, rows = rng.permutation(known.shape[1]), rng.permutation(len(known))
    whole = regress(*made, SCALES)
    moved = regress(score[rows], known[rows][:, order], expected[rows][:, order], means[order], SCALES)
    np.testing.assert_allclose(moved.mean, whole.mean[[0, 1, *(2 + order)]], atol=1e-10)


def largest_excess(one: Posterior, other: Posterior) -> float:
    """How much larger `one` is than `other` in any direction for any model: at most 0 if it is surer throughout."""
    return max(float(np.linalg.eigvalsh(a - b).max()) for a, b in zip(one.covariance, other.covariance, strict=True))


@settings(max_examples=50, deadline=None)
@given(regressions())
def test_more_probes_make_surer(made: tuple[Floats, Floats, Floats, Floats]) -> None:
    """In every direction the uncertainty after all probes is at most that after the first."""
    score, known, expected, means = made
    few = regress(score[:1], known[:1], expected[:1], means, SCALES)
    assert largest_excess(regress(*made, SCALES), few) < 1e-9
    assert all((np.linalg.eigvalsh(each) > 0).all() for each in few.covariance)


@settings(max_examples=50, deadline=None)
@given(regressions())
def test_what_the_known_models_made_of_a_probe_makes_it_worth_more(
    made: tuple[Floats, Floats, Floats, Floats],
) -> None:
    """Had they scored just as expected, knowing it makes a new model's place surer than not knowing it."""
    score, known, expected, means = made
    told = regress(score, expected, expected, means, SCALES)
    untold = regress(score, np.full(known.shape, NAN), expected, means, SCALES)
    assert largest_excess(told, untold) < 1e-9
    assert np.trace(untold.covariance[0]) > np.trace(told.covariance[0]) + 1e-9


def test_a_twin_of_a_known_model_is_found() -> None:
    """A model that scores like the third of five, probe by probe, ends nearest to that one's expectations."""
    rng = np.random.default_rng(3)
    expected = rng.random((150, 5))
    known = (rng.random(expected.shape) < expected).astype(np.float64)
    found = regress(known[:, [2]], known, expected, np.full(5, 0.5), DEFAULT)
    assert int(found.mean[2:, 0].argmax()) == 2
    new = rng.random((300, 5))
    guess = 0.5 + (new - 0.5).mean(axis=1) + foreseen_design(new - 0.5) @ found.mean[:, 0]
    off = [float(((guess - new[:, j]) ** 2).mean()) for j in range(5)]
    assert int(np.argmin(off)) == 2
    assert off[2] < 0.2 * min(off[:2] + off[3:])


# ---- scales


def some_outcomes(rows: int, models: int, seed: int, gaps: float = 0.0) -> tuple[Floats, Floats, Floats]:
    """0/1 scores, expectations and vectors of mean square length one."""
    rng = np.random.default_rng(seed)
    expected = rng.uniform(0.05, 0.95, (rows, models))
    score = (rng.random(expected.shape) < expected).astype(np.float64)
    score[rng.random(score.shape) < gaps] = NAN
    return score, expected, rng.normal(size=(rows, 6)) / np.sqrt(6)


def test_the_slope_is_that_of_finite_differences() -> None:
    """The gradient handed to the optimiser is the loss's own, at several points."""
    score, expected, vectors = some_outcomes(40, 4, 0, 0.2)
    rng = np.random.default_rng(1)
    turns = [turn for column in range(4) for turn in _turn(score, expected, vectors, column, rng)]
    start = np.log(np.array([0.02, 0.03, 0.08, 0.5, 0.004, 0.14]))
    for _ in range(5):
        at = start + rng.normal(size=6)
        numeric = approx_fprime(at, lambda logs: _loss(logs, turns, start)[0], 1e-6)
        np.testing.assert_allclose(_loss(at, turns, start)[1], numeric, rtol=1e-3, atol=1e-4)


def test_the_loss_is_scipys_likelihood() -> None:
    """At the start, where nothing pulls, it is the mean of scipy's negative log densities without their constant."""
    score, expected, vectors = some_outcomes(30, 3, 2)
    rng = np.random.default_rng(3)
    turns = [turn for column in range(3) for turn in _turn(score, expected, vectors, column, rng)]
    logs = np.log(np.array([0.02, 0.03, 0.08, 0.5, 0.004, 0.14]))
    densities = [
        multivariate_normal(np.zeros(30), np.tensordot(np.exp(logs), turn.kernels, 1)).logpdf(turn.target)
        for turn in turns
    ]
    constant = 15 * np.log(2 * np.pi)
    assert _loss(logs, turns, logs)[0] == pytest.approx(-np.mean(densities) - constant)


def test_kernels_are_of_the_regressors() -> None:
    """A turn's kernels are the Gram matrices of level, mean, observed, expected, vector and noise, in that order."""
    score, expected, vectors = some_outcomes(12, 3, 4)
    (turn,) = _turn(score, expected, vectors, 1, np.random.default_rng(5))
    rows = np.random.default_rng(5).permutation(np.arange(12))
    means = expected[:, [0, 2]].mean(axis=0)
    observed, foreseen = score[rows][:, [0, 2]] - means, expected[rows][:, [0, 2]] - means
    x = design(observed, foreseen)
    np.testing.assert_allclose(turn.target, score[rows, 1] - means.mean() - observed.mean(axis=1))
    for kernel, part in zip(turn.kernels, (x[:, :1], x[:, 1:2], x[:, 2:4], x[:, 4:], vectors[rows]), strict=False):
        np.testing.assert_allclose(kernel, part @ part.T, atol=1e-12)
    np.testing.assert_array_equal(turn.kernels[-1], np.eye(12))


@pytest.mark.parametrize(
    ("rows", "models", "gaps"), [(50, 1, 0.0), (LEAST_PROBES - 1, 4, 0.0), (0, 3, 0.0), (9, 3, 1.0)]
)
def test_too_little_to_learn_from_gives_the_default(rows: int, models: int, gaps: float) -> None:
    """One model, fewer than eight rows, or no score at all: the scales are those that were there before."""
    assert learn_scales(*some_outcomes(rows, models, 0, gaps), np.random.default_rng(0)) == DEFAULT


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 4), st.sampled_from([0.0, 0.3, 0.9]))
def test_scales_are_positive_and_the_same_for_the_same_seed(seed: int, models: int, gaps: float) -> None:
    """Any outcomes give finite variances above zero (what is hidden may be nothing), and twice the same ones."""
    made = some_outcomes(30, models, seed, gaps)
    found = learn_scales(*made, np.random.default_rng(seed))
    for name in ("level", "common", "observed", "expected", "own", "noise"):
        assert 0.0 < getattr(found, name) < np.inf
    assert 0.0 <= found.hidden < np.inf
    assert found == learn_scales(*made, np.random.default_rng(seed))


def test_scores_all_alike_are_no_obstacle() -> None:
    """Where every model always scores 1 and that is expected, the noise learned is small and everything finite."""
    vectors = np.random.default_rng(0).normal(size=(60, 3))
    found = learn_scales(np.ones((60, 3)), np.ones((60, 3)), vectors, np.random.default_rng(0))
    assert 0.0 < found.noise < 0.05
    assert np.isfinite([found.level, found.common, found.observed, found.expected, found.own, found.hidden]).all()


def test_a_noisier_world_has_more_noise_and_a_uniform_one_no_likeness() -> None:
    """Models that fail at random differ in nothing but chance; twins teach that likeness goes far."""
    rng = np.random.default_rng(6)
    expected = rng.uniform(0.1, 0.9, (400, 6))
    vectors = rng.normal(size=(400, 4)) / 2
    # Three pairs of twins share their luck; in the other world everyone has their own.
    twins = np.repeat(rng.random((400, 3)), 2, axis=1) < np.repeat(expected[:, :3], 2, axis=1)
    strangers = rng.random((400, 6)) < 0.5
    alike = learn_scales(twins.astype(np.float64), np.repeat(expected[:, :3], 2, axis=1), vectors, rng)
    apart = learn_scales(strangers.astype(np.float64), np.full((400, 6), 0.5), vectors, rng)
    assert alike.observed > 5 * apart.observed
    assert apart.noise > 2 * alike.noise
    assert apart.noise == pytest.approx(0.25, abs=0.06)
