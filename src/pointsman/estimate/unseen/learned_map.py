"""UniRoute's learned map: a prompt belongs to K clusters by shares, learned from the known models (arXiv 2502.08773).

The share of prompt x in cluster k is Φ_k(x) ∝ exp(θ_k·x + b_k). A model is its mean score on each cluster, weighted by
the shares; γ(x, h) = Φ(x)ᵀΨ(h) is then how likely it is wrong, and θ, b minimise the log loss of γ over the training
prompts and known models by Adam. Everything here is written in 1 − Ψ, scores rather than errors; it's the same loss.
A new model gets its scores per cluster from its probes with the same shares; θ is not touched again.

What the paper leaves open, and is settled here:
- The start is the K-means assignment, softened until the largest share is halfway between 1 / K and 1 on average:
  where it is nearest to, a prompt still belongs most, and there are slopes to follow.
- Ψ of the known models is worked out anew from their training outcomes and the current shares at each epoch, as it
  will be for new models, and stands still within the epoch.
- A tenth of the training prompts is held out; the epoch at which their loss is least is kept.

Nothing is shrunk when a model is placed, and known models' outcomes on the probes aren't looked at: see `transfer`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from pointsman.estimate.fitted import check_width
from pointsman.estimate.unseen.adam import Adam, Arrays, Slopes
from pointsman.estimate.unseen.clusters import fit_clusters
from pointsman.estimate.unseen.means import Means, place_means
from pointsman.estimate.unseen.place import Probes
from pointsman.records import Estimates, Floats, Ints, Outcomes, Prompts, Vectors

Cells = NDArray[np.floating]

STEP = 0.4  # how far one step may move a logit of the average prompt
BATCH = 256
MOST_EPOCHS = 20
PATIENCE = 4
LEAST_ROWS = 10
SOFTENED_ON = 1_000  # rows
_NO_WEIGHT = 1e-6
_LEAST_QUALITY = 1e-3


@dataclass(frozen=True)
class LearnedMap:
    """A space of K clusters that prompts belong to by shares.

    Attributes:
        theta: float32 [D, K].
        offset: float32 [K].
    """

    theta: Vectors
    offset: Vectors

    def shares(self, vectors: Vectors) -> Floats:
        """Φ, float [Q, K], each row adding up to 1.

        Raises:
            InputError: the vectors are of another width than the map.
        """
        check_width(vectors.shape[1], len(self.theta))
        logits = np.asarray(vectors, np.float64) @ self.theta.astype(np.float64) + self.offset
        return np.asarray(softmax(logits, axis=1), np.float64)

    def place(self, probes: Probes) -> Mapped:
        """The asked models' mean scores per cluster, see `weighted_means`.

        Raises:
            InputError: vectors of another width, or a model without a single recorded cost.
        """
        means = place_means(probes)
        quality, spread = weighted_means(self.shares(probes.prompts.vectors), probes.asked.score, means)
        return Mapped(self, means, quality, spread)


@dataclass(frozen=True)
class Mapped:
    """Models placed by their scores per cluster.

    Attributes:
        space: the map.
        means: of each model over all its probes; the costs are taken from here.
        quality: float [K, N], mean score per cluster.
        spread: float [K, N], its standard error.
    """

    space: LearnedMap
    means: Means
    quality: Floats
    spread: Floats

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of the N models."""
        return self.means.models

    def estimate(self, prompts: Prompts) -> Estimates:
        """The clusters' scores by the shares of each prompt, each [Q, N].

        `spread` is the clusters' standard errors by the same shares. One probe counts in many clusters, so their
        errors go together; this is the error if they do so fully, and the most that it can be.

        Raises:
            InputError: the vectors are of another width than the map.
        """
        shares = self.space.shares(prompts.vectors)
        # Rounding may carry a mean of ones a hair above one.
        return self.means.with_quality(np.clip(shares @ self.quality, 0.0, 1.0), shares @ self.spread)


def weighted_means(shares: Floats, score: Floats, means: Means) -> tuple[Floats, Floats]:
    """Mean score of each model in each cluster, rows weighted by their shares, and the standard error of that mean.

    The error is that of `means.group_means` with n = (Σ w)² / Σ w², the rows that the weights amount to. A cluster in
    which a model's rows have no weight (below a millionth together) falls back on the model's mean and its error.

    Args:
        shares: float [n, K].
        score: float [n, N], NaN where missing.
        means: of the same models over the same rows.

    Returns:
        mean and error, float [K, N].
    """
    known = np.isfinite(score).astype(np.float64)
    filled = np.where(known > 0.0, score, 0.0)
    weight = shares.T @ known
    some = weight > _NO_WEIGHT
    weight = np.where(some, weight, 1.0)
    mean = np.clip((shares.T @ filled) / weight, 0.0, 1.0)
    variance = np.maximum((shares.T @ filled**2) / weight - mean**2, 0.0)
    rows = weight**2 / np.maximum((shares**2).T @ known, _NO_WEIGHT**2)
    error = np.sqrt((variance + 0.25 / (rows + 1.0)) / (rows + 1.0))
    return np.where(some, mean, means.quality), np.where(some, error, means.spread)


def fit_learned_map(history: Outcomes, prompts: Prompts, k: int, seed: int) -> LearnedMap:
    """Learn the map from known models.

    With fewer than ten prompts the softened K-means assignment is all there is.

    Args:
        history: H outcomes of the known models, scores in [0, 1], NaN where missing.
        prompts: the same H training prompts.
        k: how many clusters, from 1 to H (fewer come of it where fewer vectors differ).
        seed: of the K-means, the held-out tenth and the batches.

    Raises:
        InputError: a history that nothing can be learned from, or a k that can't be.
    """
    centroids = fit_clusters(history, prompts, k, seed).centroids
    vectors = np.asarray(prompts.vectors, np.float32)
    rng = np.random.default_rng((seed, k))
    order = rng.permutation(len(vectors))
    start = softened(centroids, vectors[order[:SOFTENED_ON]])
    if len(order) >= LEAST_ROWS and len(centroids) > 1:
        held_out = len(order) // 10
        start = _descend(start, vectors, history.score, order[held_out:], order[:held_out], rng)
    theta, offset = start
    return LearnedMap(np.asarray(theta, np.float32), np.asarray(offset, np.float32))


def softened(centroids: Cells, vectors: Cells) -> Arrays:
    """θ and b whose largest share is that of the nearest centroid, and (1 + 1 / K) / 2 on average over `vectors`.

    −|x − c|² differs from 2 x·c − |c|² by the same number for every c; what's left to find is the factor, by halving.
    Where no factor gives that average (prompts at equal distances from everything), it is as large as is tried.
    """
    theta, offset = centroids.T, -(centroids**2).sum(axis=1) / 2.0
    logits = vectors @ theta + offset
    size = float(logits.std(axis=1).mean())
    if size < 1e-12:
        return theta, offset
    low, high = 1e-2 / size, 1e3 / size
    for _ in range(30):
        factor = float(np.sqrt(low * high))
        sharp = softmax(factor * logits, axis=1).max(axis=1).mean() > (1.0 + 1.0 / len(centroids)) / 2.0
        low, high = (low, factor) if sharp else (factor, high)
    return theta * high, offset * high


def _descend(
    start: Arrays, vectors: Vectors, score: Floats, rows: Ints, held_out: Ints, rng: np.random.Generator
) -> Arrays:
    """The parameters of the epoch with the least held-out loss, the start among them."""
    cells = score.astype(np.float32)
    adam = Adam(STEP / max(float(np.abs(vectors).sum(axis=1).mean()), 1e-12), (0.0, 0.0))
    best, least, since, parameters = start, np.inf, 0, start
    for _ in range(MOST_EPOCHS + 1):
        quality = known_quality(share_of(parameters, vectors[rows]), cells[rows])
        loss = log_loss(parameters, vectors[held_out], cells[held_out], quality)
        best, least, since = (parameters, loss, 0) if loss < least else (best, least, since + 1)
        if since > PATIENCE:
            break
        parameters = adam.epoch(parameters, _slopes(vectors, cells, quality), rows, BATCH, rng)
    return best


def _slopes(vectors: Vectors, cells: Cells, quality: Cells) -> Slopes:
    """`log_loss_slopes` on some of the rows, while the clusters' scores stand still."""
    return lambda parameters, rows: log_loss_slopes(parameters, vectors[rows], cells[rows], quality)


def share_of(parameters: Arrays, vectors: Cells) -> Cells:
    """Φ [Q, K] in the parameters' own precision."""
    theta, offset = parameters
    logits = vectors @ theta + offset
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def known_quality(shares: Cells, score: Cells) -> Cells:
    """The known models' mean scores per cluster [K, M], with one more row at the model's mean in each cluster.

    Without that row a cluster of few rows would be certain of itself, and one surprise would cost everything.
    """
    known = np.isfinite(score)
    filled = np.where(known, score, 0.0).astype(shares.dtype)
    count = known.sum(axis=0)
    mean = np.where(count > 0, filled.sum(axis=0) / np.maximum(count, 1), 0.5)
    quality = (shares.T @ filled + mean) / (shares.T @ known.astype(shares.dtype) + 1.0)
    return np.asarray(np.clip(quality, _LEAST_QUALITY, 1.0 - _LEAST_QUALITY), shares.dtype)


def log_loss(parameters: Arrays, vectors: Cells, score: Cells, quality: Cells) -> float:
    """Mean log loss of the known cells, the clusters' scores `quality` [K, M] being given."""
    expected = share_of(parameters, vectors) @ quality
    known = np.isfinite(score)
    right = np.where(known, score, 0.0)
    cells = right * np.log(expected) + (1.0 - right) * np.log1p(-expected)
    return -float(np.where(known, cells, 0.0).sum(dtype=np.float64)) / max(int(known.sum()), 1)


def log_loss_slopes(parameters: Arrays, vectors: Cells, score: Cells, quality: Cells) -> Arrays:
    """Slopes of `log_loss` in θ and b."""
    shares = share_of(parameters, vectors)
    expected = shares @ quality
    known = np.isfinite(score)
    off = np.where(known, expected - score, 0.0) / (expected * (1.0 - expected) * max(int(known.sum()), 1))
    back = np.asarray(off, shares.dtype) @ quality.T
    back -= (shares * back).sum(axis=1, keepdims=True)
    back *= shares
    return vectors.T @ back, back.sum(axis=0)
