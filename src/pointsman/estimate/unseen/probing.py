"""Which prompts to ask a new model first: those that will tell most about it.

The placing of a new model is a Bayesian regression (`likeness`), so how unsure it will be after a set of probes is
known before anything is asked: it depends on the prompts alone. `pick_probes` takes them one by one, each time the
prompt that most reduces what will remain unsure of the model's mean score and of its expected scores on single prompts
(Bayesian A-optimal design, greedily). Where it is open whom a model resembles, prompts on which the known models
disagree win; where its level is, ordinary ones do.

Takes candidates and what the known models made of them; gives rows in order of importance. Asks nobody.
"""

from __future__ import annotations

import numpy as np

from pointsman.errors import InputError
from pointsman.estimate.unseen.likeness import design, foreseen_design
from pointsman.estimate.unseen.transfer import Transfer
from pointsman.records import Floats, Ints, Outcomes, Prompts

SINGLE_WEIGHT = 0.3  # of the expected scores on single prompts, against the mean score's 1


def pick_probes(space: Transfer, candidates: Prompts, known: Outcomes, n: int) -> Ints:
    """The n most telling of C candidates.

    Args:
        space: fitted on the known models.
        candidates: prompts that could be asked, a fair sample of the traffic.
        known: outcomes [C, M] of the space's models on them, NaN where missing.
        n: how many to pick, at most C.

    Returns:
        int [n], rows of the candidates, the most telling first: fewer probes are a prefix.

    Raises:
        InputError: n below 1 or above C, or outcomes that don't match.
    """
    if not 1 <= n <= len(candidates) or len(known) != len(candidates) or known.models != space.models:
        raise InputError(
            f"{n} of {len(candidates)} candidates, outcomes of {len(known)} prompts on {len(known.models)} models",
            place="pick_probes",
            remedy="ask for one to all of the candidates, with the outcomes of the space's models, in its order",
        )
    foreseen = space.known.expect(candidates)[0] - space.means
    observed = known.score - space.means
    missing = ~np.isfinite(observed)
    regressors = design(np.where(missing, foreseen, observed), foreseen)
    noise = space.scales.noise + space.scales.hidden * missing.mean(axis=1)
    return greedy(regressors, _wanted(foreseen), space.scales.of_coefficients(len(space.models)), noise, n)


def _wanted(foreseen: Floats) -> Floats:
    """What uncertainty matters, as a quadratic form over the coefficients of `design` [2 + 2M, 2 + 2M].

    On a prompt that nobody answered, b and c stand before the same regressors.
    """
    regressors = foreseen_design(foreseen)
    whole = np.hstack([regressors, regressors[:, 2:]])
    middle = whole.mean(axis=0)
    return np.asarray(np.outer(middle, middle) + SINGLE_WEIGHT * whole.T @ whole / len(whole), np.float64)


def greedy(regressors: Floats, wanted: Floats, prior: Floats, noise: Floats, n: int) -> Ints:
    """Rows [n] that one after the other reduce tr(wanted · posterior covariance) most.

    Args:
        regressors: float [C, P].
        wanted: float [P, P], non-negative definite.
        prior: float [P], prior variances.
        noise: float [C], variance of each observation.
    """
    covariance, free = np.diag(prior), np.ones(len(regressors), np.bool_)
    picked: list[int] = []
    for _ in range(n):
        through = regressors @ covariance
        gain = ((through @ wanted) * through).sum(axis=1) / (noise + (through * regressors).sum(axis=1))
        best = int(np.where(free, gain, -np.inf).argmax())
        row = through[best]
        covariance = covariance - np.outer(row, row) / (noise[best] + float(row @ regressors[best]))
        free[best] = False
        picked.append(best)
    return np.array(picked, dtype=np.int64)
