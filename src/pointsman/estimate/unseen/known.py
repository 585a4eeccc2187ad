"""What is expected of the known models on any prompt: the ground on which a new model is described.

Takes a history of outcomes on the known models, gives `Known`: expected scores [Q, M], and how long answers to a
prompt are against answers to others. Fitted with the blend's own members (`part`), but on one split of the history
instead of five: a tenth of it is held out to weigh the members, and the expectations for that tenth are what the
likeness of models is learned from. A router that has an estimator already uses that one instead (`Served`), and fits
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pointsman.estimate.fitted import Estimator, check_history
from pointsman.estimate.part import LEAST_ROWS, Part, Task, fit_members, means_part, merge, varies
from pointsman.estimate.ridge import Ridge, fit_ridge
from pointsman.estimate.stack import fit_stack
from pointsman.estimate.trees import Growth, bin_columns
from pointsman.estimate.unseen.nearness import Trust, fit_trust
from pointsman.estimate.views import Viewer, fit_viewer
from pointsman.records import Floats, Ints, Outcomes, Prompts

GROWTH = Growth(trees=120, depth=5, rate=0.07)
HELD_SHARE = 0.1
MOST_ROWS = 40_000
LONGEST = 10.0  # times the mean length: one endless answer doesn't decide what a long prompt is
_SHORTEST = 0.05


class Expecting(Protocol):
    """Anything that says what to expect of the known models."""

    def expect(self, prompts: Prompts) -> tuple[Floats, Floats]:
        """Expected scores [Q, M], and expected answer lengths relative to the mean answer's [Q]."""


@dataclass(frozen=True)
class Known:
    """Fitted on a history; see `fit_known`.

    Attributes:
        viewer: how it looks at prompts.
        quality: of scores, M outputs.
        lengths: of relative answer lengths, one output; None where no answer had a length.
        trust: what becomes of expectations far from the history; None where that couldn't be measured.
    """

    viewer: Viewer
    quality: Part
    lengths: Ridge | None
    trust: Trust | None

    def expect(self, prompts: Prompts) -> tuple[Floats, Floats]:
        """Expected scores [Q, M], and expected answer lengths relative to the mean answer's [Q]."""
        views = self.viewer.look(prompts)
        length = self.lengths.predict(views.linear)[:, 0] if self.lengths else np.ones(len(prompts))
        quality = self.quality.predict(views)
        if self.trust is not None:
            quality = self.trust.apply(quality, prompts.vectors)
        return np.clip(quality, 0.0, 1.0), np.clip(length, _SHORTEST, LONGEST)


@dataclass(frozen=True)
class Served:
    """The estimator of a running router, asked for the same.

    Attributes:
        estimator: of the known models.
        mean_tokens: float [M], their mean answer lengths, 0 where answers have none.
    """

    estimator: Estimator
    mean_tokens: Floats

    def expect(self, prompts: Prompts) -> tuple[Floats, Floats]:
        """Expected scores [Q, M], and expected answer lengths relative to the mean answer's [Q]."""
        found = self.estimator.estimate(prompts)
        return found.quality, relative_length(found.tokens, prompts.input_tokens, self.mean_tokens)


def relative_length(tokens: Floats, input_tokens: Floats, mean_tokens: Floats) -> Floats:
    """Expected answer lengths relative to the mean answer's, float [Q].

    Args:
        tokens: float [Q, M], expected input plus output tokens.
        input_tokens: float [Q].
        mean_tokens: float [M], mean answer lengths, 0 where answers have none.
    """
    counted = mean_tokens > 0
    if not counted.any():
        return np.ones(len(tokens))
    output = tokens[:, counted] - input_tokens[:, None]
    return np.asarray(np.clip((output / mean_tokens[counted]).mean(axis=1), _SHORTEST, LONGEST), np.float64)


@dataclass(frozen=True)
class Held:
    """Expectations that didn't see their own outcomes.

    Attributes:
        rows: int [R], of the history.
        expected: float [R, M].
    """

    rows: Ints
    expected: Floats


def fit_known(history: Outcomes, prompts: Prompts, seed: int) -> tuple[Known, Held]:
    """Fit on nine tenths of a history (40,000 rows at most), weigh the members on the rest.

    Raises:
        InputError: an empty history, prompts that don't match it, or a model without outcomes.
    """
    check_history(history, prompts)
    order = np.random.default_rng((seed, 40)).permutation(len(history))[:MOST_ROWS]
    held, trained = np.sort(order[: _held_rows(len(order))]), np.sort(order[_held_rows(len(order)) :])
    viewer = fit_viewer(prompts)
    fitted = prompts.take(trained)
    task_views = viewer.look(fitted)
    score = history.score[trained]
    lengths = _fit_lengths(history.take(trained), task_views.linear)
    trust = fit_trust(history.take(trained), fitted, task_views.linear, seed)
    if len(trained) < LEAST_ROWS or not varies(score) or not np.isfinite(score).any(axis=0).all():
        known = Known(viewer, means_part(task_views.linear.shape[1], _whole(history.score, score)), lengths, None)
        return known, Held(held, known.expect(prompts.take(held))[0])
    whole = np.ones(len(trained), np.bool_)
    task = Task(task_views, bin_columns(task_views.dense, task_views.counts), np.zeros(len(trained), int), whole, seed)
    members = fit_members(task, score, whole, GROWTH, 0)
    views = viewer.look(prompts.take(held))
    stack = fit_stack(history.score[held] - members.base, members.deviations(views))
    known = Known(viewer, merge(members, stack), lengths, trust)
    return known, Held(held, known.expect(prompts.take(held))[0])


def _held_rows(rows: int) -> int:
    """A tenth, but enough to weigh the members by where the history is short."""
    return min(max(round(HELD_SHARE * rows), 100), rows // 2)


def _whole(every: Floats, trained: Floats) -> Floats:
    """The scores to take means of: the trained rows' if every model has some, else all."""
    return trained if len(trained) and np.isfinite(trained).any(axis=0).all() else every


def _fit_lengths(history: Outcomes, linear: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Ridge | None:
    relative = relative_lengths(history)
    seen = np.isfinite(relative)
    if seen.sum() < LEAST_ROWS or np.ptp(relative[seen]) == 0:
        return None
    return fit_ridge(linear[seen], relative[seen, None])[0]


def mean_output_tokens(history: Outcomes) -> Floats:
    """Mean answer length of every model [M], 0 where none was recorded."""
    known = np.isfinite(history.output_tokens)
    total = np.where(known, history.output_tokens, 0.0).sum(axis=0)
    return np.asarray(total / np.maximum(known.sum(axis=0), 1), np.float64)


def relative_lengths(history: Outcomes) -> Floats:
    """How long the models' answers to each prompt were against their own mean answer, float [H], NaN if unknown."""
    mean = mean_output_tokens(history)
    counted = mean > 0
    relative = np.minimum(history.output_tokens[:, counted] / mean[counted], LONGEST)
    known = np.isfinite(relative)
    total = np.where(known, relative, 0.0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)
