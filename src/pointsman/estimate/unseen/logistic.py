"""Nets whose outputs are logits, one a model: their loss, their fit and when to stop; what both baselines share.

A net starts at the models' means and leaves them epoch by epoch. Tenths of the rows are held out in turn, as many as
make 200 rows (all ten, if there are fewer), and the number of epochs with the least held-out log loss is then spent
on all rows. If that gains less over the means than its own standard error, the means stay: a handful of probes
teaches no more than that. Scores are any numbers in [0, 1]; missing cells weigh nothing. Which net it is, is the
caller's; what it looks at is the prompt's vector alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from pointsman.estimate.fitted import check_history, check_width
from pointsman.estimate.part import shrunk_means
from pointsman.estimate.unseen.adam import Adam, Arrays
from pointsman.estimate.unseen.means import Means, place_means
from pointsman.estimate.unseen.place import Probes
from pointsman.records import Estimates, Floats, Ints, Outcomes, Prompts, Vectors

Cells = NDArray[np.floating]

LEAST_ROWS = 8
HELD_OUT_ROWS = 200
MOST_EPOCHS = 60
PATIENCE = 8
RATE = 1e-3
_LEAST_MEAN = 1e-3


class Net(Protocol):
    """Logits from a design, and how they lean on the parameters."""

    @property
    def weight_decay(self) -> tuple[float, ...]:
        """One number a parameter array, see `Adam`."""

    def start(self, width: int, base: Floats, rng: np.random.Generator) -> Arrays:
        """Parameters with which every row's logits are `base` [N]."""

    def logits(self, parameters: Arrays, design: Cells) -> Cells:
        """[Q, N] from a design [Q, D]."""

    def slopes(self, parameters: Arrays, design: Cells, towards: Cells) -> Arrays:
        """The loss's slopes in the parameters, from those in the logits [Q, N]."""


@dataclass(frozen=True)
class Frame:
    """What surrounds a net: how it sees vectors, and what is said of a model besides its quality.

    Attributes:
        means: of each model over all its outcomes; costs are taken from here, one constant a model.
        scores: float [N], how many scores each model has.
        centre: float32 [D], the mean vector.
        scale: one over the root mean square of the centred entries.
    """

    means: Means
    scores: Floats
    centre: Vectors
    scale: float

    def design(self, vectors: Vectors) -> Vectors:
        """Vectors centred and scaled, float32 [Q, D].

        Raises:
            InputError: the vectors are of another width than the fit's.
        """
        check_width(vectors.shape[1], len(self.centre))
        return np.asarray((np.asarray(vectors, np.float32) - self.centre) * np.float32(self.scale), np.float32)

    def estimates(self, logits: Cells) -> Estimates:
        """Estimates [Q, N] from logits [Q, N].

        `spread` is √((q (1 − q) + ¼ / (n + 1)) / (n + 1)), the standard error of a mean of n scores around the
        estimated quality q, n being the model's scores. It leaves out what the net's own parameters may be off, so it
        is the least that the error can be; these baselines don't measure theirs.
        """
        quality = np.asarray(expit(np.asarray(logits, np.float64)), np.float64)
        more = self.scores + 1.0
        return self.means.with_quality(quality, np.sqrt((quality * (1.0 - quality) + 0.25 / more) / more))


def frame(outcomes: Outcomes, prompts: Prompts) -> Frame:
    """The frame of a fit on n outcomes.

    Raises:
        InputError: a history that nothing can be learned from, or a model without a score or a cost.
    """
    check_history(outcomes, prompts)
    vectors = np.asarray(prompts.vectors, np.float32)
    centre = vectors.mean(axis=0)
    size = float(np.sqrt(np.mean(np.square(vectors - centre), dtype=np.float64)))
    means = place_means(Probes(prompts, outcomes, outcomes))
    scores = np.isfinite(outcomes.score).sum(axis=0).astype(np.float64)
    # Vectors that are all the same say nothing: then the scale is zero rather than huge.
    return Frame(means, scores, centre, 1.0 / size if size > 1e-6 else 0.0)


def log_losses(logits: Cells, score: Cells) -> Floats:
    """Log loss of each row, float [Q], summed over its known cells: ln(1 + exp z) − s z."""
    cells = np.logaddexp(0.0, logits) - np.where(np.isfinite(score), score, 0.0) * logits
    return np.asarray(np.where(np.isfinite(score), cells, 0.0).sum(axis=1, dtype=np.float64))


def towards_scores(logits: Cells, score: Cells) -> Cells:
    """Slope [Q, N] of the mean log loss of the known cells in each logit; zero where the score is missing."""
    known = np.isfinite(score)
    off = np.where(known, expit(logits) - score, 0.0)
    return np.asarray(off / max(int(known.sum()), 1), logits.dtype)


@dataclass(frozen=True)
class FittedNet:
    """A fitted net; see `fitted_net`.

    Attributes:
        net: which.
        frame: what surrounds it.
        parameters: the net's, float32.
    """

    net: Net
    frame: Frame
    parameters: Arrays

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of the N models."""
        return self.frame.means.models

    def estimate(self, prompts: Prompts) -> Estimates:
        """Quality from the net, each model's mean cost, each [Q, N]; for `spread` see `Frame.estimates`.

        Raises:
            InputError: the vectors are of another width than the fit's.
        """
        design = self.frame.design(prompts.vectors)
        return self.frame.estimates(self.net.logits(self.parameters, design))


def fitted_net(net: Net, outcomes: Outcomes, prompts: Prompts, seed: int) -> FittedNet:
    """The net fitted on n outcomes of N models, see `fit_net`.

    Raises:
        InputError: outcomes that nothing can be learned from, or a model without a score or a cost.
    """
    around = frame(outcomes, prompts)
    return FittedNet(net, around, fit_net(net, around.design(prompts.vectors), outcomes.score, seed))


def fit_net(net: Net, design: Vectors, score: Floats, seed: int) -> Arrays:
    """Parameters fitted on all rows, for as many epochs as the held-out tenths speak for.

    Args:
        net: which.
        design: float32 [n, D], columns of comparable scale.
        score: float [n, N] in [0, 1], NaN where missing.
        seed: of the starting weights, the batches and the tenths.
    """
    rows = np.arange(len(score))
    held_out = _held_out(len(rows), np.random.default_rng((seed, 1)))
    last = _Descent(net, design, score, rows, np.random.default_rng((seed, 2)))
    if not held_out:
        return last.parameters
    descents = [
        _Descent(net, design, score, np.setdiff1d(rows, held), np.random.default_rng((seed, stream)))
        for stream, held in enumerate(held_out, 3)
    ]
    for _ in range(_best_epoch(_watched(descents, held_out))):
        last.go_on()
    return last.parameters


def _held_out(rows: int, rng: np.random.Generator) -> list[Ints]:
    """Disjoint random tenths that make `HELD_OUT_ROWS` rows between them, or all ten; none of too few rows."""
    if rows < LEAST_ROWS:
        return []
    tenths = [np.sort(tenth) for tenth in np.array_split(rng.permutation(rows), min(10, rows))]
    return tenths[: int(np.ceil(HELD_OUT_ROWS / len(tenths[-1])))]


class _Descent:
    """One fit under way on some of the rows."""

    def __init__(self, net: Net, design: Vectors, score: Floats, rows: Ints, rng: np.random.Generator) -> None:
        base = logit(np.clip(shrunk_means(score[rows]), _LEAST_MEAN, 1.0 - _LEAST_MEAN))
        self.net, self.design, self.score, self.rows, self.rng = net, design, score.astype(np.float32), rows, rng
        self.parameters = net.start(design.shape[1], base, rng)
        # Some eight steps an epoch, so that the right moment to stop isn't passed in one stride.
        self.batch = int(np.clip(len(rows) // 8, 8, 128))
        self.adam = Adam(RATE, net.weight_decay)

    def go_on(self) -> None:
        """One epoch further."""
        self.parameters = self.adam.epoch(self.parameters, self._slopes, self.rows, self.batch, self.rng)

    def losses(self, rows: Ints) -> Floats:
        """Log loss of each of `rows`."""
        return log_losses(self.net.logits(self.parameters, self.design[rows]), self.score[rows])

    def _slopes(self, parameters: Arrays, rows: Ints) -> Arrays:
        design = self.design[rows]
        towards = towards_scores(self.net.logits(parameters, design), self.score[rows])
        return self.net.slopes(parameters, design, towards)


def _watched(descents: list[_Descent], held_out: list[Ints]) -> Iterator[Floats]:
    """Held-out losses of all tenths at the start and after each epoch, float [R]."""
    for epoch in range(MOST_EPOCHS + 1):
        for descent in descents if epoch > 0 else []:
            descent.go_on()
        yield np.concatenate([descent.losses(held) for descent, held in zip(descents, held_out, strict=True)])


def _best_epoch(watched: Iterator[Floats]) -> int:
    """The epoch with the least held-out loss, or 0 if it gains less than one standard error over the start."""
    start = best = next(watched)
    chosen = 0
    for epoch, losses in enumerate(watched, 1):
        if losses.sum() < best.sum():
            chosen, best = epoch, losses
        if epoch - chosen >= PATIENCE:
            break
    gain = start - best
    error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.inf
    return chosen if gain.mean() > error else 0
