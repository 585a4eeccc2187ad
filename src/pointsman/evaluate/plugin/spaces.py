"""Where a newcomer can be placed: one space a method, fitted on what is known without it.

Takes the known models' history; gives `Spaces`. For `kmeans` K follows the paper's rule for each number of probes, a
seventh of the history held back to judge it (the paper's 60 : 10). Sees no tested query and no newcomer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pointsman.estimate.fitted import Estimator
from pointsman.estimate.unseen.clusters import choose_k, fit_clusters
from pointsman.estimate.unseen.means import place_means
from pointsman.estimate.unseen.place import Probes, Space
from pointsman.estimate.unseen.transfer import fit_transfer
from pointsman.evaluate.deferral.methods import judge_area
from pointsman.records import Floats, Outcomes, Prompts

MOST_JUDGED = 2_000


@dataclass(frozen=True, slots=True)
class MeanSpace:
    """The space with one place: a newcomer is its mean."""

    def place(self, probes: Probes) -> Estimator:
        """The means over the probes."""
        return place_means(probes)


@dataclass(frozen=True, slots=True)
class Spaces:
    """What a newcomer can be placed in.

    Attributes:
        transfer: ours.
        kmeans: by number of probes, each with its own K.
        mean: for comparison.
    """

    transfer: Space
    kmeans: dict[int, Space]
    mean: Space

    def of(self, variant: str, probes: int) -> Space:
        """The space of a variant; `exploration` is placed as `transfer` is."""
        if variant == "kmeans":
            return self.kmeans[probes]
        return self.mean if variant == "mean" else self.transfer


def fit_spaces(history: Outcomes, prompts: Prompts, probes: Sequence[int], seed: int) -> Spaces:
    """All spaces on H outcomes of the known models; K of `kmeans` for each number of probes."""
    ks = {number: _choose_k(history, prompts, number, seed) for number in probes}
    clusters = {k: fit_clusters(history, prompts, k, seed) for k in set(ks.values())}
    kmeans: dict[int, Space] = {number: clusters[k] for number, k in ks.items()}
    return Spaces(fit_transfer(history, prompts, seed), kmeans, MeanSpace())


def _choose_k(history: Outcomes, prompts: Prompts, probes: int, seed: int) -> int:
    rows = np.random.default_rng((seed, 30)).permutation(len(history))
    held = min(MOST_JUDGED, len(rows) // 7)
    if held == 0:
        return 1
    judged, kept = np.sort(rows[:held]), np.sort(rows[held:])
    trained = (history.take(kept), prompts.take(kept))
    return choose_k(*trained, history.take(judged), prompts.take(judged), min(probes, len(kept)), seed, deferral_area)


def deferral_area(quality: Floats, outcomes: Outcomes) -> float:
    """Area under the deferral curve of qualities [Q, M], each model at its mean recorded cost; 0 if nothing costs."""
    if not outcomes.cost_usd.any():
        return 0.0
    return judge_area(quality, outcomes)
