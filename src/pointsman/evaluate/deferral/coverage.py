"""Do a method's 90 % intervals hold: the pool's mean scores on the test prompts, over all of them and over groups.

Takes an estimator with `intervals(prompts, groups, level)` and a trial; counts intervals looked at and those that
held. Groups are up to 16 K-means clusters of the test vectors with at least 30 prompts; no label is looked at in
making them.

An interval is the model's own, for the mean score that it expects over the given prompts, widened by how far the mean
of so many single answers falls from its expectation: sqrt(m (1 - m) / n) for scores in [0, 1], as if every score were
0 or 1. Both are taken as normal and independent, so that their widths combine in squares, on either side.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Protocol, TypeGuard, runtime_checkable

import numpy as np

from pointsman.estimate.fitted import Estimator
from pointsman.estimate.unseen.clusters import fit_clusters
from pointsman.evaluate.deferral.protocol import Trial
from pointsman.records import Floats, Ints, Outcomes, Prompts

LEVEL = 0.9
GROUPS, LEAST = 16, 30


@runtime_checkable
class Sure(Protocol):
    """An estimator that says how sure it is."""

    def intervals(self, prompts: Prompts, groups: Sequence[Ints], level: float) -> tuple[Floats, Floats, Floats]:
        """Mean, low and high [G, N] of the expected mean score over each group of the prompts."""


def has_intervals(estimator: Estimator) -> TypeGuard[Sure]:
    """Whether the estimator says how sure it is."""
    return isinstance(estimator, Sure)


def groups_of(test: Outcomes, prompts: Prompts, seed: int) -> list[Ints]:
    """Rows of every group that coverage is looked at in: all of them first, then those of the clusters."""
    everything = np.arange(len(prompts))
    if len(prompts) < 2 * LEAST:
        return [everything]
    cluster = fit_clusters(test, prompts, GROUPS, seed).assign(prompts.vectors)
    groups = [np.flatnonzero(cluster == label) for label in range(GROUPS)]
    return [everything, *(rows for rows in groups if len(rows) >= LEAST)]


@lru_cache(maxsize=1)
def _groups(trial: Trial) -> list[Ints]:
    """A trial's groups, made once for all its methods and numbers of probes."""
    return groups_of(trial.test, trial.test_prompts, trial.seed)


def widened(mean: Floats, low: Floats, high: Floats, size: int, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Low and high [N] for the observed mean of `size` scores, from those for the expected one."""
    at = np.clip(mean, 0.0, 1.0)
    noise = NormalDist().inv_cdf(0.5 + level / 2) ** 2 * at * (1.0 - at) / size
    return mean - np.sqrt((mean - low) ** 2 + noise), mean + np.sqrt((high - mean) ** 2 + noise)


def count_covered(estimator: Sure, trial: Trial) -> tuple[int, int]:
    """Intervals looked at, and those that held the observed mean: one a group and unseen model."""
    looked = held = 0
    groups = _groups(trial)
    bounds = estimator.intervals(trial.test_prompts, groups, LEVEL)
    for rows, mean, low, high in zip(groups, *bounds, strict=True):
        lowest, highest = widened(mean, low, high, len(rows))
        observed = trial.test.score[rows].mean(axis=0)
        looked += len(observed)
        held += int(((lowest <= observed) & (observed <= highest)).sum())
    return looked, held
