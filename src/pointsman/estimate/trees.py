"""Boosted trees of many outputs at once: one tree serves every model.

Every tree is oblivious (one question a level, so `depth` questions lead to 2^depth leaves) and its leaves hold one
number an output. Questions are picked by how well they split a few random mixtures of the outputs' residuals
(sketched gradients: Iosipoi & Vakhrushev, SketchBoost, NeurIPS 2022), so a split costs the same for 2 or 112
outputs. Two kinds of column are asked about: dense ones (is it above a threshold?) and counts of tokens (at least t
times?), which are kept as lists of rows because most are zero. Squared error: leaves are shrunken means, so the
predictions are conditional means. Missing cells have no weight. Takes and gives arrays; randomness comes in as a
generator; when to stop is the caller's business (`Forest.part`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from pointsman.records import Floats

Float32s = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Rows = NDArray[np.int32]

MOST_BINS = 48
ROWS_A_BIN = 20
TOKEN_STEPS: tuple[int, ...] = (1, 2, 3, 4, 6, 9)
LEAST_ROWS = 5
MOST_SHARE = 0.9
NEVER = np.float32(np.inf)


@dataclass(frozen=True)
class Growth:
    """How trees are grown.

    Attributes:
        trees, depth: how many, and questions a tree.
        rate: share of a leaf's mean that is added.
        penalty: rows of zero residual added to every leaf.
        columns: share of the columns of either kind that a tree may ask about.
    """

    trees: int = 400
    depth: int = 6
    rate: float = 0.05
    penalty: float = 2.0
    columns: float = 0.3


@dataclass(frozen=True)
class Forest:
    """Fitted trees; the prediction is the sum of one leaf of every tree.

    Attributes:
        columns: int32 [T, depth], the column each question asks about; tokens come after the dense ones.
        thresholds: float32 [T, depth]; the answer is yes where the column's value is above it.
        leaves: float32 [T, 2^depth, K], first question as the highest bit.
    """

    columns: Rows
    thresholds: Float32s
    leaves: Float32s

    def predict(self, dense: Float32s, counts: Bytes) -> Floats:
        """Expected outputs, float [Q, K], for dense columns [Q, F] and token counts [Q, V]."""
        out = np.zeros((len(dense), self.leaves.shape[2]), np.float32)
        _add_trees(dense, counts, self.columns, self.thresholds, self.leaves, out)
        return out.astype(np.float64)

    def part(self, first: int, last: int) -> Forest:
        """The trees from `first` up to but without `last`."""
        return Forest(self.columns[first:last], self.thresholds[first:last], self.leaves[first:last])


@dataclass(frozen=True)
class Binned:
    """A training design: what `fit_forest` needs of the columns, made once and used by every fit.

    Attributes:
        bins: uint8 [F, N], the dense columns by quantile.
        edges: float32 [F, B - 1], upper edge of each bin, padded with infinity.
        starts: int64 [C + 1] and rows int32: for each token question the rows whose answer is yes.
        tokens, steps: int32 [C], the token column and the count that the question asks for.
    """

    bins: Bytes
    edges: Float32s
    starts: NDArray[np.int64]
    rows: Rows
    tokens: Rows
    steps: Rows

    def take(self, kept: NDArray[np.bool_]) -> Binned:
        """The same design for the rows where `kept`, renumbered."""
        number = np.cumsum(kept, dtype=np.int64) - 1
        inside = kept[self.rows]
        starts = np.concatenate([[0], np.cumsum(inside)])[self.starts]
        rows = number[self.rows[inside]].astype(np.int32)
        bins = np.ascontiguousarray(self.bins[:, kept])
        return Binned(bins, self.edges, starts.astype(np.int64), rows, self.tokens, self.steps)


def bin_columns(dense: Float32s, counts: Bytes) -> Binned:
    """Cut dense columns [N, F] at their quantiles and list the rows of each token question of counts [N, V]."""
    most = min(MOST_BINS, max(8, len(dense) // ROWS_A_BIN))
    edges = np.full((dense.shape[1], most - 1), NEVER, np.float32)
    bins = np.zeros((dense.shape[1], len(dense)), np.uint8)
    for f in range(dense.shape[1]):
        cuts = _cuts(dense[:, f], most)
        edges[f, : len(cuts)] = cuts
        bins[f] = np.searchsorted(cuts, dense[:, f], side="left")
    return Binned(bins, edges, *_token_questions(counts))


def _cuts(column: Float32s, most: int) -> Float32s:
    """Distinct thresholds between values: midpoints where there are few values, quantiles where there are many."""
    values = np.unique(column)
    if len(values) > most:
        values = np.unique(np.quantile(column, np.linspace(0, 1, most), method="lower"))
    return np.asarray((values[:-1] + values[1:]) / 2, np.float32)


def _token_questions(counts: Bytes) -> tuple[NDArray[np.int64], Rows, Rows, Rows]:
    n = len(counts)
    rows: list[Rows] = []
    tokens: list[int] = []
    steps: list[int] = []
    for v, column in enumerate(np.ascontiguousarray(counts.T)):
        for step in TOKEN_STEPS:
            yes = np.flatnonzero(column >= step)
            if len(yes) < LEAST_ROWS:
                break
            if len(yes) <= MOST_SHARE * n:
                rows.append(yes.astype(np.int32))
                tokens.append(v)
                steps.append(step)
    starts = np.cumsum([0] + [len(r) for r in rows], dtype=np.int64)
    joined = np.concatenate(rows) if rows else np.zeros(0, np.int32)
    return starts, joined, np.array(tokens, np.int32), np.array(steps, np.int32)


def fit_forest(design: Binned, outputs: Floats, growth: Growth, rng: np.random.Generator) -> Forest:
    """Boost trees on `outputs` [N, K], which are deviations from what is expected without looking (NaN: missing).

    Returns:
        The forest, the same for the same state of the generator. An output without a value gets leaves of zero.
    """
    known = np.isfinite(outputs)
    residual = np.where(known, outputs, 0.0).astype(np.float32)
    weight = known.astype(np.float32)
    n, k = outputs.shape
    columns = np.zeros((growth.trees, growth.depth), np.int32)
    thresholds = np.full((growth.trees, growth.depth), NEVER, np.float32)
    leaves = np.zeros((growth.trees, 1 << growth.depth, k), np.float32)
    leaf, bins = np.zeros(n, np.int32), design.edges.shape[1] + 1
    presence = weight.mean(axis=1, dtype=np.float32)
    for t in range(growth.trees):
        sketch = _sketch(residual, presence, rng)
        dense, tokens = _drawn(design.bins.shape[0], growth, rng), _drawn(len(design.tokens), growth, rng)
        questions = np.full((growth.depth, 2), -1, np.int32)
        _grow(design.bins, bins, design.starts, design.rows, sketch, dense, tokens, growth.penalty, leaf, questions)
        columns[t], thresholds[t] = _translate(design, questions)
        _settle(residual, weight, leaf, np.float32(growth.penalty), np.float32(growth.rate), leaves[t])
    return Forest(columns, thresholds, leaves)


def _sketch(residual: Float32s, presence: Float32s, rng: np.random.Generator) -> Float32s:
    """Two random mixtures of the residuals, then the weight, [N, 3]."""
    mixed = residual @ rng.standard_normal((residual.shape[1], 2), dtype=np.float32)
    mixed /= np.maximum(mixed.std(axis=0), 1e-9)
    return np.asarray(np.column_stack([mixed, presence]), np.float32)


def _drawn(count: int, growth: Growth, rng: np.random.Generator) -> Rows:
    size = min(count, max(1, round(growth.columns * count)))
    return np.sort(rng.choice(count, size, replace=False)).astype(np.int32)


def _translate(design: Binned, questions: Rows) -> tuple[Rows, Float32s]:
    """(column, bin) or (F + token question, 0) as columns and thresholds over raw values."""
    f = design.bins.shape[0]
    columns = np.zeros(len(questions), np.int32)
    thresholds = np.full(len(questions), NEVER, np.float32)
    for d, (column, cut) in enumerate(questions):
        if column >= f:
            columns[d] = f + design.tokens[column - f]
            thresholds[d] = design.steps[column - f] - 0.5
        elif column >= 0:
            columns[d], thresholds[d] = column, design.edges[column, cut]
    return columns, thresholds


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _grow(bins, n_bins, starts, rows, sketch, dense, tokens, penalty, leaf, questions):  # type: ignore[no-untyped-def]
    """Ask the best question level by level; leaves the rows' leaves in `leaf`."""
    leaf[:] = 0
    for d in range(len(questions)):
        totals = np.zeros((1 << d, 3), np.float32)
        for i in range(len(leaf)):
            _add(totals[leaf[i]], sketch, i)
        bar = np.float32(1e-6)
        for j in range(len(totals)):
            bar += _fit(totals[j, 0], totals[j, 1], totals[j, 2], penalty)
        bar, column, cut = _best_dense(bins, n_bins, sketch, leaf, dense, totals, penalty, bar)
        bar, token = _best_token(starts, rows, sketch, leaf, tokens, totals, penalty, bar)
        for i in range(len(leaf)):
            leaf[i] *= 2
        if token >= 0:
            questions[d, 0] = len(bins) + token
            for p in range(starts[token], starts[token + 1]):
                leaf[rows[p]] += 1
        elif column >= 0:
            questions[d, 0], questions[d, 1] = column, cut
            for i in range(len(leaf)):
                leaf[i] += bins[column, i] > cut


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _add(cell, sketch, i):  # type: ignore[no-untyped-def]
    cell[0] += sketch[i, 0]
    cell[1] += sketch[i, 1]
    cell[2] += sketch[i, 2]


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _fit(first, second, weight, penalty):  # type: ignore[no-untyped-def]
    """What one leaf explains of both mixtures: squared sums over weight and penalty."""
    return (first * first + second * second) / (weight + penalty + np.float32(1e-9))


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _best_dense(bins, n_bins, sketch, leaf, dense, totals, penalty, bar):  # type: ignore[no-untyped-def]
    """The dense question that gains most above `bar`: (gain, column, cut), column -1 if none does."""
    n_leaves = len(totals)
    column, cut = -1, 0
    table = np.zeros((n_leaves * n_bins, 3), np.float32)
    gains = np.zeros(n_bins - 1, np.float32)
    for f in dense:
        table[:] = 0
        values = bins[f]
        for i in range(len(leaf)):
            _add(table[leaf[i] * n_bins + values[i]], sketch, i)
        gains[:] = 0
        for j in range(n_leaves):
            first = second = weight = np.float32(0)
            for b in range(n_bins - 1):
                cell = table[j * n_bins + b]
                first, second, weight = first + cell[0], second + cell[1], weight + cell[2]
                gains[b] += _fit(first, second, weight, penalty) + _fit(
                    totals[j, 0] - first, totals[j, 1] - second, totals[j, 2] - weight, penalty
                )
        for b in range(n_bins - 1):
            if gains[b] > bar:
                bar, column, cut = gains[b], f, b
    return bar, column, cut


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _best_token(starts, rows, sketch, leaf, tokens, totals, penalty, bar):  # type: ignore[no-untyped-def]
    """The token question that gains most above `bar`: (gain, question), question -1 if none does."""
    best = -1
    yes = np.zeros(totals.shape, np.float32)
    for c in tokens:
        yes[:] = 0
        for p in range(starts[c], starts[c + 1]):
            _add(yes[leaf[rows[p]]], sketch, rows[p])
        gain = np.float32(0)
        for j in range(len(totals)):
            gain += _fit(yes[j, 0], yes[j, 1], yes[j, 2], penalty) + _fit(
                totals[j, 0] - yes[j, 0], totals[j, 1] - yes[j, 1], totals[j, 2] - yes[j, 2], penalty
            )
        if gain > bar:
            bar, best = gain, c
    return bar, best


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _settle(residual, weight, leaf, penalty, rate, leaves):  # type: ignore[no-untyped-def]
    """Set the leaves to the shrunken means of the residuals, and take them off the residuals."""
    n, k = residual.shape
    counts = np.full(leaves.shape, penalty + np.float32(1e-9), np.float32)
    for i in range(n):
        for m in range(k):
            leaves[leaf[i], m] += residual[i, m]
            counts[leaf[i], m] += weight[i, m]
    for j in range(len(leaves)):
        for m in range(k):
            leaves[j, m] *= rate / counts[j, m]
    for i in range(n):
        for m in range(k):
            residual[i, m] -= leaves[leaf[i], m] * weight[i, m]


@numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _add_trees(dense, counts, columns, thresholds, leaves, out):  # type: ignore[no-untyped-def]
    """Add one leaf of every tree to `out`, query by query."""
    f = dense.shape[1]
    trees, depth = columns.shape
    for q in range(len(out)):
        total = out[q]
        for t in range(trees):
            leaf = 0
            for d in range(depth):
                c = columns[t, d]
                value = dense[q, c] if c < f else np.float32(counts[q, c - f])
                leaf = 2 * leaf + (value > thresholds[t, d])
            chosen = leaves[t, leaf]
            for m in range(len(total)):
                total[m] += chosen[m]
