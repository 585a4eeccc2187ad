"""The project's own estimator: quality, cost and spread for every model from a prompt's vector and surface.

A blend of a ridge on the vector and surface features and of boosted trees that serve all models at once and also ask
for single words; mixed by cross-fitting on the history alone, so that the estimates are conditional means (see `part`
and `stack`). Costs use rates inferred from the log and expected answer lengths (see `cost`). Fitted in seconds without
a GPU, a few microseconds a query, the same for the same seed. Which parts pay is measured in
docs/decisions/0002-estimator.md. It learns nothing between fits: append outcomes and fit again.
"""

from __future__ import annotations

import os
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from pointsman.estimate.correction import Correction, fit_correction, no_correction
from pointsman.estimate.cost import CostTargets, cost_targets
from pointsman.estimate.familiar import Familiar, fit_familiar
from pointsman.estimate.fitted import Fitted, check_history, estimate_in_chunks
from pointsman.estimate.part import LEAST_ROWS, Part, Task, fit_members, fit_part, merge
from pointsman.estimate.spread import Spread, fit_spread, plain_spread, relative_variance
from pointsman.estimate.stack import Stack
from pointsman.estimate.trees import Growth, bin_columns
from pointsman.estimate.views import Viewer, Views, fit_viewer
from pointsman.records import Estimates, Floats, Outcomes, Prompts

FOLDS = 5
MOST_ROWS = 40_000
SHORT_ROWS = 3_000
CHUNK = 2_048
QUALITY_GROWTH = Growth()
COST_GROWTH = Growth(trees=200, depth=5, rate=0.07)
_PART = 0.4


@dataclass(frozen=True)
class Blend:
    """A fitted blend; see `fit_blend`.

    Attributes:
        models: ids of the M models.
        viewer: how it looks at prompts.
        quality: of scores, M outputs, before the correction.
        correction: of expected scores.
        cost: of `targets`.
        targets: what of the cost was learned, and the rates for the rest.
        spread: of quality, for prompts like the history's.
        familiar: which prompts those are, and what is added for others.
    """

    models: tuple[str, ...]
    viewer: Viewer
    quality: Part
    correction: Correction
    cost: Part
    targets: CostTargets
    spread: Spread
    familiar: Familiar

    def estimate(self, prompts: Prompts) -> Estimates:
        """Quality, cost, tokens and spread of Q prompts, each [Q, M]; any Q, in bounded memory.

        Raises:
            InputError: the vectors are of another width than the history's.
        """
        return estimate_in_chunks(self._estimate, prompts, CHUNK)

    def _estimate(self, prompts: Prompts) -> Estimates:
        views = self.viewer.look(prompts)
        remoteness = self.viewer.remoteness(views)
        found = self._assemble(self.quality.predict(views), self.cost.predict(views), remoteness, prompts.input_tokens)
        return replace(found, spread=self.familiar.widened(found.spread, prompts.vectors))

    def _assemble(self, quality: Floats, lengths: Floats, remoteness: Floats, input_tokens: Floats) -> Estimates:
        quality = self.correction.apply(quality)
        cost_usd, tokens = self.targets.to_money(lengths, input_tokens)
        spread = np.maximum(self.spread.of(quality, remoteness), self.familiar.least)
        return Estimates(quality, cost_usd, tokens, spread)


def fit_blend(history: Outcomes, prompts: Prompts, *, seed: int = 0, threads: int | None = None) -> Fitted:
    """Fit quality, cost and spread on a history.

    Args:
        history: H outcomes; missing cells allowed.
        prompts: the same H prompts with their vectors.
        seed: of folds and draws; the same seed gives the same fit.
        threads: fits side by side; None means one a processor.

    Returns:
        The estimator, fitted on all rows (a random 40,000 of a longer history), and cross-fitted estimates.

    Raises:
        InputError: an empty history, prompts that don't match it, or a model without outcomes.
    """
    check_history(history, prompts)
    viewer = fit_viewer(prompts)
    task = new_task(viewer.look(prompts), len(history), seed)
    targets = cost_targets(history)
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        cost, lengths, _ = fit_part(task, targets.values, COST_GROWTH, pool)
        quality, held_out, stack = fit_part(task, history.score, QUALITY_GROWTH, pool)
        correction = fit_correction(held_out, history.score) if stack else no_correction()
        spread = _fit_spread(task, viewer, history.score, correction.apply(held_out), stack, correction, pool)
    familiar = fit_familiar(prompts.vectors, history.score, seed)
    fitted = Blend(history.models, viewer, quality, correction, cost, targets, spread, familiar)
    remoteness = viewer.remoteness(task.views)
    return Fitted(fitted, fitted._assemble(held_out, lengths, remoteness, prompts.input_tokens))


def new_task(views: Views, rows: int, seed: int) -> Task:
    """The rows of a history with random folds, the same for the same seed."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(rows)
    trained = np.zeros(rows, bool)
    trained[order[:MOST_ROWS]] = True
    folds = np.empty(rows, np.int64)
    folds[order] = np.arange(rows) % min(FOLDS, rows)
    return Task(views, bin_columns(views.dense, views.counts), folds, trained, seed)


def _fit_spread(
    task: Task,
    viewer: Viewer,
    score: Floats,
    held_out: Floats,
    stack: Stack | None,
    correction: Correction,
    pool: Executor,
) -> Spread:
    """Pairs of fits on disjoint two fifths of the rows, compared on the last fifth.

    One pair on a few rows is itself a matter of luck (up to threefold in variance at 400 rows), so a short history,
    where fits are cheap, takes all five rotations of the folds.
    """
    models = relative_variance(score, held_out)
    if stack is None or len(score) < 2 * LEAST_ROWS:
        return plain_spread(models, len(score))
    turns = range(FOLDS if len(score) <= SHORT_ROWS else 1)
    parts = [(turn + first, turn + first + 1) for turn in turns for first in (0, 2)]
    masks = [task.trained & np.isin(task.folds, np.mod(part, FOLDS)) for part in parts]
    fits = list(
        pool.map(
            lambda job: merge(fit_members(task, score, job[1], QUALITY_GROWTH, job[0]), stack),
            enumerate(masks, start=FOLDS + 1),
        )
    )
    pairs = []
    for turn in turns:
        seen = task.views.take(task.folds == (turn + FOLDS - 1) % FOLDS)
        first, second = (correction.apply(fit.predict(seen)) for fit in fits[2 * turn : 2 * turn + 2])
        pairs.append((first, second, viewer.remoteness(seen)))
    ones, others, remoteness = (np.concatenate(cells) for cells in zip(*pairs, strict=True))
    return fit_spread(models, ones, others, remoteness, _PART)
