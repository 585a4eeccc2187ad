"""PORT's estimator: the plain mean over the k nearest past prompts (arXiv 2509.02718, as published).

Quality, cost and tokens are unweighted means over the k neighbours by cosine similarity; missing cells are left out
of the mean, and a model that none of the neighbours has seen falls back on its overall mean. Nothing is shrunk or
learned here: this is the reference that the project's own estimator is measured against.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import InputError
from pointsman.estimate.fitted import Fitted, check_history, check_width
from pointsman.estimate.index import Index, build_index
from pointsman.records import Estimates, Floats, Outcomes, Prompts


@dataclass(frozen=True)
class Neighbours:
    """The mean over k neighbours; see `fit_neighbours`.

    Attributes:
        models: ids of the M models.
        index: of the history's vectors.
        k: how many neighbours.
        table: float [H + 1, 3M], score, cost in USD and output tokens side by side, NaN where missing; the last
            row is all missing, for a neighbour that the index didn't find (id -1).
        means: float [3M], column means of `table`.
        width: dimensions of the vectors.
    """

    models: tuple[str, ...]
    index: Index
    k: int
    table: Floats
    means: Floats
    width: int

    def estimate(self, prompts: Prompts) -> Estimates:
        """Means over the k nearest past prompts, each [Q, M]; `spread` is their standard error.

        Raises:
            InputError: the vectors are of another width than the history's.
        """
        check_width(prompts.vectors.shape[1], self.width)
        ids, _ = self.index.search(prompts.vectors, self.k)
        return self._from_ids(ids, prompts.input_tokens)

    def _from_ids(self, ids: NDArray[np.int64], input_tokens: Floats) -> Estimates:
        """Estimates from the rows of the neighbours, int [Q, k]."""
        around = self.table[ids]
        known = np.isfinite(around)
        count = known.sum(axis=1)
        total = np.where(known, around, 0.0).sum(axis=1)
        mean = np.where(count > 0, total / np.maximum(count, 1), self.means)
        m = len(self.models)
        off = np.where(known[..., :m], around[..., :m] - mean[:, None, :m], 0.0)
        n = count[:, :m]
        # One neighbour says nothing about scatter: then the widest that a score in [0, 1] can have.
        spread = np.where(n > 1, np.sqrt((off**2).sum(axis=1) / np.maximum(n * (n - 1), 1)), 0.5)
        return Estimates(mean[:, :m], mean[:, m : 2 * m], input_tokens[:, None] + mean[:, 2 * m :], spread)


def fit_neighbours(
    history: Outcomes, prompts: Prompts, *, k: int = 5, index: Literal["exact", "hnsw"] = "exact"
) -> Fitted:
    """PORT's estimator on a history; `held_out` is leave-one-out.

    Args:
        history: H outcomes.
        prompts: the same H prompts with their vectors.
        k: neighbours (5 in the paper).
        index: "hnsw" is the paper's (M = 32, ef_construction = 200, ef = 50), "exact" looks at every row.

    Raises:
        InputError: an empty history, prompts that don't match it, a model without outcomes, or k below 1.
    """
    check_history(history, prompts)
    if k < 1:
        raise InputError(f"k is {k}", place="neighbours", remedy="use at least one neighbour")
    table = np.hstack([history.score, history.cost_usd, history.output_tokens])
    table = np.vstack([table, np.full(table.shape[1], np.nan)])
    known = np.isfinite(table)
    means = np.where(known, table, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    built = build_index(index, prompts.vectors)
    width = prompts.vectors.shape[1]
    fitted = Neighbours(history.models, built, min(k, len(history)), table, means, width)
    return Fitted(fitted, fitted._from_ids(_others(built, prompts, fitted.k), prompts.input_tokens))


def _others(index: Index, prompts: Prompts, k: int) -> NDArray[np.int64]:
    """For every row its k nearest other rows, int [H, k] (a history of one row is its own neighbour)."""
    h = len(prompts)
    if h == 1:
        return np.zeros((1, 1), np.int64)
    ids, _ = index.search(prompts.vectors, min(k + 1, h))
    self_last = np.argsort(ids == np.arange(h)[:, None], axis=1, kind="stable")
    return np.take_along_axis(ids, self_last, axis=1)[:, : min(k, h - 1)]
