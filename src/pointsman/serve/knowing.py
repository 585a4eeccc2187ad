"""How each model comes to be known: fitted on its own outcomes, or placed by its likeness to the models that are.

Takes recorded outcomes; gives one estimator over all of their models. A model whose record is a small part of the
best-recorded one's (64 probes beside 17,000 outcomes) would only be blurred by a common fit; its outcomes go much
further when it is placed beside the others (`estimate.unseen`). Where fewer than two models have ample records there
is nobody to be alike: all are fitted on what there is. It reads no file and knows no rates of today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pointsman.estimate.blend import fit_blend
from pointsman.estimate.embedder import Embedder
from pointsman.estimate.fitted import Estimator, Fitted
from pointsman.estimate.unseen.extended import Past, past_of
from pointsman.estimate.unseen.place import Probes
from pointsman.records import Estimates, Floats, Ints, Outcomes, Prompts
from pointsman.router import embed

LEAST_SCORED = 30  # outcomes with a score and a cost, before a model is fitted on them
AMPLE_SHARE = 0.5  # of the best-recorded model's, up to which placing beats fitting (measured: docs/duties.md)
AMPLE = 1_000  # outcomes that are ample whatever the others have
LEAST_AMPLE = 2  # models with ample records, before others are placed beside them

How = Literal["fitted", "placed"]


@dataclass(frozen=True)
class Knowledge:
    """One estimator over all recorded models, and what shows how good it is.

    Attributes:
        estimator: the fitted models' columns first, the placed ones' after them.
        held_out: estimates [H, M] of the history's rows by fits that didn't see them.
        answers: output tokens [H, M] recorded in the same rows, NaN where not.
        input_tokens: float [H].
        known_by: how each model is known and on how many scored outcomes.
    """

    estimator: Estimator
    held_out: Estimates
    answers: Floats
    input_tokens: Floats
    known_by: Mapping[str, tuple[How, int]]


def apportioned(recorded: Ints) -> tuple[Ints, Ints]:
    """Which models are fitted, and which are placed beside them, as columns; the rest are left to their prior.

    Args:
        recorded: int [M], usable outcomes of each model.
    """
    ample = recorded >= max(LEAST_SCORED, min(AMPLE, AMPLE_SHARE * recorded.max(initial=0)))
    if ample.sum() >= LEAST_AMPLE:
        return np.flatnonzero(ample), np.flatnonzero(~ample & (recorded > 0))
    return np.flatnonzero(recorded >= LEAST_SCORED), np.empty(0, np.int64)


def usable(whole: Outcomes) -> Ints:
    """How many outcomes of each model [M] can be learned from: those with a score and a cost."""
    return np.asarray((np.isfinite(whole.score) & np.isfinite(whole.cost_usd)).sum(axis=0), np.int64)


def know(whole: Outcomes, embedder: Embedder, seed: int = 0) -> Knowledge | None:
    """Everything that these outcomes tell of their models; None where no model has enough.

    Args:
        whole: outcomes [Q, M], NaN where missing.
        embedder: text to vector.
        seed: of every draw.
    """
    fitted, placed = apportioned(usable(whole))
    if not len(fitted):
        return None
    rows = np.flatnonzero(np.isfinite(whole.score[:, fitted]).any(axis=1))
    history = whole.only(fitted).take(rows)
    prompts = embed(history.texts, embedder, history.input_tokens)
    fit = fit_blend(history, prompts, seed=seed)
    known_by = _numbers(whole, fitted, "fitted") | _numbers(whole, placed, "placed")
    if not len(placed):
        return Knowledge(fit.estimator, fit.held_out, history.output_tokens, prompts.input_tokens, known_by)
    past = _placed(whole, fitted, placed, history, prompts, fit, embedder, seed)
    held_out = past.extended.beside(fit.held_out, prompts.input_tokens)
    answers = np.hstack([history.output_tokens, whole.output_tokens[rows][:, placed]])
    return Knowledge(past.extended, held_out, answers, prompts.input_tokens, known_by)


def _placed(
    whole: Outcomes,
    fitted: Ints,
    placed: Ints,
    history: Outcomes,
    prompts: Prompts,
    fit: Fitted,
    embedder: Embedder,
    seed: int,
) -> Past:
    """The fit with the other models beside it, by their outcomes and the fitted models' on the same prompts."""
    asked = np.flatnonzero(np.isfinite(whole.score[:, placed]).any(axis=1))
    probes = whole.take(asked)
    seen = embed(probes.texts, embedder, probes.input_tokens)
    return past_of(history, prompts, fit, seed).place(Probes(seen, probes.only(placed), probes.only(fitted)))


def _numbers(whole: Outcomes, columns: Ints, how: How) -> dict[str, tuple[How, int]]:
    scored = np.isfinite(whole.score).sum(axis=0)
    return {whole.models[i]: (how, int(scored[i])) for i in columns}
