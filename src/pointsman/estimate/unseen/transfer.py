"""`transfer`: a model that nobody trained on, described by its likeness to the models that are known.

`fit_transfer` learns from the known models' history what to expect of each on any prompt (`known`) and how models
resemble each other (`likeness`). A new model answers a few probes; `place` describes it by one number a known model and
two more, in closed form, so that nothing is fitted again; its costs follow from its rates and from how long others
answer (`costs`). It knows how sure it is: `spread` for one prompt, `interval` for the mean over many.

What it can't see: a talent that none of the known models has. Such a model is placed by its level and by what little
the others explain, and the interval says so only as far as its probes do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from pointsman.errors import InputError
from pointsman.estimate.fitted import Fitted, check_history, estimate_in_chunks
from pointsman.estimate.unseen.consensus import error_correlation
from pointsman.estimate.unseen.costs import Lengths, fit_lengths
from pointsman.estimate.unseen.known import Expecting, Held, Served, fit_known, mean_output_tokens
from pointsman.estimate.unseen.likeness import Posterior, Scales, foreseen_design, learn_scales, regress
from pointsman.estimate.unseen.means import place_means
from pointsman.estimate.unseen.place import Probes
from pointsman.records import Estimates, Floats, Ints, Outcomes, Prompts

CHUNK = 4_096
MOST_HELD = 4_000


@dataclass(frozen=True)
class Middle:
    """Where the vectors of prompts lie.

    Attributes:
        centre: float [D], their mean.
        length: root of their mean squared distance from it.
    """

    centre: Floats
    length: float

    def centred(self, prompts: Prompts) -> Floats:
        """Vectors [Q, D] from the centre, of mean square length one over the history."""
        return np.asarray((prompts.vectors - self.centre) / self.length, np.float64)


def middle_of(prompts: Prompts) -> Middle:
    """The middle of H prompts; vectors that are all the same have length one."""
    centre = prompts.vectors.mean(axis=0, dtype=np.float64)
    length = float(np.sqrt(((prompts.vectors - centre) ** 2).sum(axis=1).mean()))
    return Middle(centre, length if length > 0 else 1.0)


@dataclass(frozen=True)
class Placed:
    """N models placed by their probes; see `Transfer.place`.

    Attributes:
        models: their ids.
        known: what is expected of the known models.
        means: float [M], mean scores of the known models.
        posterior: of the new models' coefficients.
        own: float [N], variance of each model's own talent on a prompt, which no probe has shown.
        middle: where prompts' vectors lie.
        lengths: of their answers.
    """

    models: tuple[str, ...]
    known: Expecting
    means: Floats
    posterior: Posterior
    own: Floats
    middle: Middle
    lengths: Lengths

    def estimate(self, prompts: Prompts) -> Estimates:
        """Quality, cost, tokens and spread of Q prompts, each [Q, N]; any Q, in bounded memory."""
        return estimate_in_chunks(self._estimate, prompts, CHUNK)

    def _estimate(self, prompts: Prompts) -> Estimates:
        return self.estimate_from(*self.known.expect(prompts), prompts.input_tokens)

    def estimate_from(self, expected: Floats, relative_length: Floats, input_tokens: Floats) -> Estimates:
        """The same where the known models' expectations are there already: a matrix product.

        Args:
            expected: float [Q, M], expected scores of the known models.
            relative_length: float [Q], of their answers.
            input_tokens: float [Q].
        """
        regressors = foreseen_design(expected - self.means)
        quality = np.clip(self._mean(regressors), 0.0, 1.0)
        variance = np.stack([((regressors @ each) * regressors).sum(axis=1) for each in self.posterior.covariance])
        cost_usd, tokens = self.lengths.to_money(relative_length, input_tokens)
        return Estimates(quality, cost_usd, tokens, np.sqrt(np.maximum(variance.T, 0.0) + self.own))

    def interval(self, prompts: Prompts, level: float = 0.9) -> tuple[Floats, Floats, Floats]:
        """What each model's mean expected score over these prompts is likely to be.

        Args:
            prompts: Q of them.
            level: the probability with which it lies between the bounds.

        Returns:
            mean, low and high, float [N] each, within [0, 1]. Scores that are then observed scatter about that mean
            by chance as well, which is not counted here.

        Raises:
            InputError: no prompt, or a level outside (0, 1).
        """
        mean, low, high = self.intervals(prompts, [np.arange(len(prompts))], level)
        return mean[0], low[0], high[0]

    def intervals(self, prompts: Prompts, groups: Sequence[Ints], level: float = 0.9) -> tuple[Floats, Floats, Floats]:
        """The same for G groups of the prompts, each given by its rows: mean, low and high, float [G, N] each.

        Raises:
            InputError: a group without a prompt, or a level outside (0, 1).
        """
        if not 0.0 < level < 1.0 or not all(len(rows) for rows in groups):
            raise InputError(f"level {level} over {len(prompts)} prompts", place="interval", remedy="use 0 < level < 1")
        regressors = foreseen_design(self.known.expect(prompts)[0] - self.means)
        quality, centred = np.clip(self._mean(regressors), 0.0, 1.0), self.middle.centred(prompts)
        mean = np.stack([quality[rows].mean(axis=0) for rows in groups])
        half = np.stack([self._error(regressors[rows], centred[rows]) for rows in groups])
        half *= ndtri(0.5 + level / 2.0)
        return mean, np.clip(mean - half, 0.0, 1.0), np.clip(mean + half, 0.0, 1.0)

    def _error(self, regressors: Floats, centred: Floats) -> Floats:
        """Standard errors [N] of the mean over the given rows."""
        middle = regressors.mean(axis=0)
        variance = np.array([middle @ each @ middle for each in self.posterior.covariance])
        # An own talent averages out over prompts of all kinds, and doesn't over prompts of one.
        alike = float((centred.mean(axis=0) ** 2).sum())
        return np.asarray(np.sqrt(np.maximum(variance, 0.0) + alike * self.own), np.float64)

    def _mean(self, regressors: Floats) -> Floats:
        """Expected scores [Q, N], not yet clipped."""
        ordinary = self.means.mean() + regressors[:, 1:2]
        return np.asarray(ordinary + regressors @ self.posterior.mean, np.float64)


@dataclass(frozen=True)
class Transfer:
    """What is known before a new model comes; see `fit_transfer` and `transfer_from`.

    Attributes:
        models: ids of the M known models.
        known: what is expected of them.
        means: float [M], their mean scores.
        scales: how models resemble each other.
        correlation: of the known models' errors, see `consensus`.
        middle: where the history's vectors lie.
        rows: how long the history was.
    """

    models: tuple[str, ...]
    known: Expecting
    means: Floats
    scales: Scales
    correlation: float
    middle: Middle
    rows: int

    def place(self, probes: Probes) -> Placed:
        """Describe the asked models by their probes; a model that is known already stays what it is.

        Raises:
            InputError: the probes' known models are others than the space's, or a model has no recorded cost.
        """
        if probes.known.models != self.models:
            raise InputError(
                f"outcomes of {len(probes.known.models)} known models, {len(self.models)} others were learned from",
                place="probes",
                remedy="give the outcomes of the history's models, in their order",
            )
        place_means(probes)  # refuses a model without a cost
        expected, length = self.known.expect(probes.prompts)
        found = regress(probes.asked.score, probes.known.score, expected, self.means, self.scales)
        posterior = self._keep_known(found, probes.asked.models)
        own = np.array([0.0 if name in self.models else self.scales.own for name in probes.asked.models])
        lengths = fit_lengths(probes.asked, length)
        return Placed(probes.asked.models, self.known, self.means, posterior, own, self.middle, lengths)

    def _keep_known(self, found: Posterior, asked: tuple[str, ...]) -> Posterior:
        mean, covariance = found.mean.copy(), found.covariance.copy()
        for column, name in enumerate(asked):
            if name in self.models:
                mean[:, column] = as_itself(self.models.index(name), self.means)
                covariance[column] = 0.0
                covariance[column, 0, 0] = self.scales.noise / self.rows
        return Posterior(mean, covariance)


def as_itself(column: int, means: Floats) -> Floats:
    """The coefficients [2 + M] with which a known model's expected score comes out as it is."""
    m = len(means)
    coefficients = np.zeros(2 + m)
    coefficients[0] = means[column] - means.mean()
    coefficients[2 + column] = np.sqrt(m)
    return coefficients


def fit_transfer(history: Outcomes, prompts: Prompts, seed: int = 0) -> Transfer:
    """Learn from H outcomes of the M known models; seconds for thousands of prompts.

    Args:
        history: [H, M], NaN where missing.
        prompts: the same H prompts with their vectors.
        seed: of every draw.

    Raises:
        InputError: an empty history, prompts that don't match it, or a model without outcomes.
    """
    known, held = fit_known(history, prompts, seed)
    return _transfer(history, prompts, known, held, seed)


def transfer_from(history: Outcomes, prompts: Prompts, fitted: Fitted, seed: int = 0) -> Transfer:
    """The same on the estimator that a router has already: only the resemblance of models is learned.

    Args:
        fitted: on this history; its held-out estimates are what is learned from.
    """
    check_history(history, prompts)
    rows = np.sort(np.random.default_rng((seed, 42)).permutation(len(history))[:MOST_HELD])
    known = Served(fitted.estimator, mean_output_tokens(history))
    return _transfer(history, prompts, known, Held(rows, fitted.held_out.quality[rows]), seed)


def _transfer(history: Outcomes, prompts: Prompts, known: Expecting, held: Held, seed: int) -> Transfer:
    score, middle = history.score[held.rows], middle_of(prompts)
    vectors = middle.centred(prompts.take(held.rows))
    scales = learn_scales(score, held.expected, vectors, np.random.default_rng((seed, 41)))
    together = error_correlation(score, held.expected)
    return Transfer(history.models, known, np.nanmean(history.score, axis=0), scales, together, middle, len(history))
