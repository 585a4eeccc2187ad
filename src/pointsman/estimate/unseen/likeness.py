"""How a new model resembles the known ones: a Bayesian regression whose priors are learned from the known models.

A model's score on a probe is regressed on what the known models scored there; its expected score on another prompt
follows by putting their expected scores in the same place. With s the known models' scores less their means (observed,
on a probe), z the same of their expected scores, and bars for means over the M models:

    score = level + (1 + a)·s̄ + Σ_m b_m·(s_m − s̄)/√M + Σ_m c_m·(z_m − z̄)/√M + noise
    level ~ N(mean level of the known, level²) · a ~ N(0, common) · b ~ N(0, observed) · c ~ N(0, expected)

What the new model shares with the others cancels out of the noise, so a few probes go far; b says which models it is
like, c corrects that for what can be foreseen from the prompt. What is left of a model's talents is its own: a smooth
function of the prompt (linear in its vector) that isn't estimated, because that cost more than it brought, but is
allowed for in what is said of certainty. All variances are fitted by marginal likelihood with each known model in turn
taken for a new one, drawn towards `DEFAULT`. Everything is in closed form, given them. A known model's missing score on
a probe is replaced by its expectation, and the row's noise grows.

Arrays in, arrays out; knows nothing of texts. Not modelled: that a score is 0 or 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from pointsman.records import Floats, Ints, Mask

MOST_TURNS, MOST_PROBES = 8, 192
LEAST_PROBES = 8
_PULL = 0.05  # of DEFAULT, in nats per squared unit of a log variance
_RANGE = (-12.0, 4.0)
_CLOSE_ENOUGH = 1e-6  # of the loss: estimates don't move visibly beyond that
_FITTED = ("level", "common", "observed", "expected", "own", "noise")  # in the order of a turn's kernels


@dataclass(frozen=True, slots=True)
class Scales:
    """Prior variances, and the noise of one score.

    Attributes:
        level, common, observed, expected: see the module.
        own: of a model's own talent on a prompt.
        noise: variance of a score about the regression, all known models' scores being known.
        hidden: what is added to it where none is.
    """

    level: float
    common: float
    observed: float
    expected: float
    own: float
    noise: float
    hidden: float

    def of_coefficients(self, models: int) -> Floats:
        """Prior variance of each coefficient, float [2 + 2M]: level, a, b, c."""
        each = (np.full(models, self.observed), np.full(models, self.expected))
        return np.concatenate([[self.level, self.common], *each])


DEFAULT = Scales(level=0.02, common=0.03, observed=0.08, expected=0.5, own=0.004, noise=0.14, hidden=0.06)


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is known of N models' coefficients for *expected* scores: level, a, and b + c.

    Attributes:
        mean: float [2 + M, N].
        covariance: float [N, 2 + M, 2 + M].
    """

    mean: Floats
    covariance: Floats


def design(observed: Floats, expected: Floats) -> Floats:
    """Regressors [n, 2 + 2M] of centred scores, observed and expected, each [n, M]."""
    root = np.sqrt(observed.shape[1])
    common, foreseen = observed.mean(axis=1, keepdims=True), expected.mean(axis=1, keepdims=True)
    return np.hstack([np.ones((len(observed), 1)), common, (observed - common) / root, (expected - foreseen) / root])


def foreseen_design(expected: Floats) -> Floats:
    """The regressors [Q, 2 + M] of a prompt that nobody answered, from centred expected scores [Q, M]."""
    return design(expected, expected)[:, : 2 + expected.shape[1]]


def regress(score: Floats, known: Floats, expected: Floats, means: Floats, scales: Scales) -> Posterior:
    """Coefficients of N new models from n probes.

    Args:
        score: float [n, N] of the new models, NaN where not asked.
        known: float [n, M] of the known models, NaN where missing.
        expected: float [n, M], expected scores of the known models.
        means: float [M], mean scores of the known models over the history.
        scales: learned by `learn_scales`.
    """
    m = known.shape[1]
    regressors, target, noise = _rows(score, known, expected, means, scales)
    prior = 1.0 / scales.of_coefficients(m)
    joined = np.vstack([np.eye(2 + m), np.hstack([np.zeros((m, 2)), np.eye(m)])]).T
    mean, covariance = np.zeros((2 + m, score.shape[1])), np.zeros((score.shape[1], 2 + m, 2 + m))
    asked = np.isfinite(score)
    for columns in _alike(asked):
        rows = np.flatnonzero(asked[:, columns[0]])
        weighted = regressors[rows] / noise[rows, None]
        factor = cho_factor(weighted.T @ regressors[rows] + np.diag(prior))
        mean[:, columns] = joined @ cho_solve(factor, weighted.T @ target[np.ix_(rows, columns)])
        covariance[columns] = joined @ cho_solve(factor, joined.T)
    return Posterior(mean, covariance)


def _rows(
    score: Floats, known: Floats, expected: Floats, means: Floats, scales: Scales
) -> tuple[Floats, Floats, Floats]:
    """Regressors [n, 2 + 2M], what is left of the scores after the prior mean [n, N], and noise variances [n]."""
    missing = ~np.isfinite(known)
    foreseen = expected - means
    observed = np.where(missing, foreseen, known - means)
    noise = scales.noise + scales.hidden * missing.mean(axis=1)
    return design(observed, foreseen), score - (means.mean() + observed.mean(axis=1))[:, None], noise


def _alike(asked: Mask) -> list[Ints]:
    """Columns asked the same probes, together: one factorisation serves them all."""
    groups: dict[bytes, list[int]] = {}
    for column in range(asked.shape[1]):
        groups.setdefault(asked[:, column].tobytes(), []).append(column)
    return [np.array(columns, dtype=np.int64) for columns in groups.values()]


# ---- what the known models teach about new ones


@dataclass(frozen=True, slots=True)
class Turn:
    """One known model taken for a new one: its kernels [6, n, n] (the last is the noise's) and targets [n]."""

    kernels: Floats
    target: Floats


def learn_scales(score: Floats, expected: Floats, vectors: Floats, rng: np.random.Generator) -> Scales:
    """Fit the prior variances by marginal likelihood.

    Args:
        score: float [R, M] of the known models, NaN where missing.
        expected: float [R, M], expectations that didn't see these scores.
        vectors: float [R, D] of the prompts, centred, of mean square length one.
        rng: draws which models take a turn and on which rows.

    Returns:
        `DEFAULT` where there are fewer than two models or eight rows to learn from.
    """
    turns: list[Turn] = []
    for column in rng.permutation(score.shape[1])[:MOST_TURNS]:
        turns += _turn(score, expected, vectors, int(column), rng)
    if not turns:
        return DEFAULT
    start = np.log([getattr(DEFAULT, name) for name in _FITTED])
    within = {"ftol": _CLOSE_ENOUGH}
    box = [_RANGE] * len(start)
    found = minimize(_loss, start, (turns, start), jac=True, method="L-BFGS-B", bounds=box, options=within)
    fitted = dict(zip(_FITTED, np.exp(found.x).tolist(), strict=True))
    left = (score - expected)[np.isfinite(score)]
    return Scales(**fitted, hidden=max(float((left**2).mean()) - fitted["noise"], 0.0))


def _turn(score: Floats, expected: Floats, vectors: Floats, column: int, rng: np.random.Generator) -> list[Turn]:
    others = np.arange(score.shape[1]) != column
    rows = np.flatnonzero(np.isfinite(score[:, column]))
    if not others.any() or len(rows) < LEAST_PROBES:
        return []
    rows = rng.permutation(rows)[:MOST_PROBES]
    means = expected[:, others].mean(axis=0)
    regressors, target, _ = _rows(
        score[rows, column, None], score[rows][:, others], expected[rows][:, others], means, DEFAULT
    )
    parts = [*np.split(regressors, [1, 2, 2 + int(others.sum())], axis=1), vectors[rows]]
    return [Turn(np.stack([*(part @ part.T for part in parts), np.eye(len(rows))]), target[:, 0])]


def _loss(logs: Floats, turns: Sequence[Turn], start: Floats) -> tuple[float, Floats]:
    """Mean negative log marginal likelihood of the turns plus the pull, and its slope."""
    scales = np.exp(logs)
    value, slope = 0.0, np.zeros(len(logs))
    for turn in turns:
        factor = cho_factor(np.tensordot(scales, turn.kernels, 1), lower=True)
        inverse = cho_solve(factor, np.eye(len(turn.target)))
        weights = inverse @ turn.target
        value += 0.5 * float(turn.target @ weights) + float(np.log(np.diag(factor[0])).sum())
        slope += scales * np.tensordot(turn.kernels, 0.5 * (inverse - np.outer(weights, weights)), 2)
    away = logs - start
    return value / len(turns) + 0.5 * _PULL * float(away @ away), slope / len(turns) + _PULL * away
