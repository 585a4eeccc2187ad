"""A text model trained on the history: TF-IDF of words and word pairs into a ridge, for score, cost and length.

It stands where the PORT paper (arXiv 2509.02718) has a fine-tuned RoBERTa, in the baselines `text-perf` and
`text-cost`: it sees the text itself and no neighbours, and is fitted in seconds without a GPU. For the encoder
proper see `transformer_model.py`. Takes outcomes and prompts, gives `Estimates`; doesn't read `Prompts.vectors`.
A cell that is missing (NaN) is left out of the fit of its own column and of nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from pointsman.errors import InputError
from pointsman.estimate.fitted import check_history
from pointsman.records import Estimates, Floats, Mask, Outcomes, Prompts

NAME = "tf-idf ridge"
MAX_TERMS = 3072
# A text is read at both ends and not beyond: time and memory are bounded whatever is pasted.
HEAD_CHARACTERS, TAIL_CHARACTERS = 4000, 2000
# Words, numbers, and every other sign by itself: brackets and operators say what kind of query it is.
_TERM = r"\w+|[^\w\s]"
PENALTIES = (0.3, 1.0, 3.0, 10.0)
HELD_OUT = 0.2
_LEAST_ROWS = 10
_ROUNDS, _PRECISE = 60, 1e-7

Sparse = Any  # scipy.sparse.csr_array has no types
Singles = NDArray[np.float32]


@dataclass(frozen=True)
class _Features:
    """Text and known length -> sparse rows [Q, P]: TF-IDF (unit length), two columns of length, a constant."""

    terms: TfidfVectorizer
    mean_log: float
    scale_log: float
    mean_tokens: float

    def rows(self, prompts: Prompts) -> Sparse:
        """float64 [Q, P] in csr form."""
        return self.join(self.terms.transform([_ends(text) for text in prompts.texts]), prompts)

    def join(self, words: Sparse, prompts: Prompts) -> Sparse:
        """The rows of `prompts` whose TF-IDF is `words`."""
        tokens = np.asarray(prompts.input_tokens, np.float64)
        log = (np.log1p(tokens) - self.mean_log) / self.scale_log
        dense = np.column_stack([log, tokens / self.mean_tokens, np.ones(len(tokens))])
        return scipy.sparse.csr_array(scipy.sparse.hstack([words, scipy.sparse.csr_array(dense)]))


def _ends(text: str) -> str:
    if len(text) <= HEAD_CHARACTERS + TAIL_CHARACTERS:
        return text
    return f"{text[:HEAD_CHARACTERS]} {text[-TAIL_CHARACTERS:]}"


def check_trainable(history: Outcomes, prompts: Prompts) -> None:
    """Refuse a history that no text model can be trained on: InputError as listed at `fit_text_model`."""
    check_history(history, prompts)
    if len(history) < _LEAST_ROWS:
        raise InputError(
            f"{len(history)} rows are too few to train a text model",
            place=history.title,
            remedy=f"give at least {_LEAST_ROWS} or leave the text policies out",
        )
    bad = ~np.isfinite(prompts.input_tokens) | (prompts.input_tokens < 0)
    if bad.any():
        row = int(bad.argmax())
        raise InputError(
            f"`input_tokens` is {prompts.input_tokens[row]!r}, not a number of at least zero",
            place=f"prompts, row {row}",
            remedy="count the tokens of every prompt",
        )


def _fit_features(prompts: Prompts) -> tuple[_Features, Sparse]:
    """The features, and the rows of the prompts they were fitted on."""
    terms = TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, max_features=MAX_TERMS, sublinear_tf=True, token_pattern=_TERM
    )
    try:
        words = terms.fit_transform([_ends(text) for text in prompts.texts])
    except ValueError as error:
        raise InputError(
            "no word occurs in two prompts, so the text model has nothing to learn from",
            place="history",
            remedy="give a longer history or leave the text policies out",
        ) from error
    tokens = np.asarray(prompts.input_tokens, np.float64)
    log = np.log1p(tokens)
    features = _Features(terms, float(log.mean()), float(log.std()) or 1.0, float(tokens.mean()) or 1.0)
    return features, features.join(words, prompts)


@dataclass(frozen=True)
class TextModel:
    """A fitted text model.

    Attributes:
        models: ids of the M models.
        features: what a prompt is turned into.
        weights: float64 [P, 3M]: score, cost in `cost_unit`, answer tokens in `answer_unit`.
        cost_unit, answer_unit: float64 [M].
        inverse: float32 [P, P], (X'X + penalty)^-1 of the score fit over all rows.
        residual: float64 [M], root mean square of score - estimate on held-out rows, over the square root of the
            share of rows that the model has.
        name: as a report should call it.
    """

    models: tuple[str, ...]
    features: _Features
    weights: Floats
    cost_unit: Floats
    answer_unit: Floats
    inverse: Singles
    residual: Floats
    name: str = NAME

    def estimate(self, prompts: Prompts) -> Estimates:
        """Quality, cost, tokens and spread for Q prompts, each [Q, M].

        `spread` is the standard error of the expectation as ridge regression has it: the model's root mean square
        residual on held-out rows, times the square root of the prompt's leverage x'(X'X + penalty)^-1 x. It grows
        for texts unlike the history's and falls as the history grows. It isn't how far one answer may be off, and it
        leaves out what no linear map of words can express, so it's on the small side.
        """
        rows = self.features.rows(prompts)
        quality, cost, answer = np.split(np.asarray(rows @ self.weights), 3, axis=1)
        tokens = np.asarray(prompts.input_tokens, np.float64)[:, None]
        return Estimates(
            quality=np.clip(quality, 0.0, 1.0),
            cost_usd=np.maximum(cost, 0.0) * self.cost_unit,
            tokens=tokens + np.maximum(answer, 0.0) * self.answer_unit,
            spread=np.sqrt(_leverage(rows, self.inverse))[:, None] * self.residual,
        )


def _leverage(rows: Sparse, inverse: Singles) -> Floats:
    """The form x' inverse x of every row, [Q], over the row's few non-zero entries."""
    found = np.empty(rows.shape[0])
    for i in range(rows.shape[0]):
        there = slice(rows.indptr[i], rows.indptr[i + 1])
        at, x = rows.indices[there], rows.data[there]
        found[i] = x @ inverse[np.ix_(at, at)] @ x
    return np.maximum(found, 0.0)


def fit_text_model(history: Outcomes, prompts: Prompts, *, seed: int = 0) -> TextModel:
    """Fits the text model on a history in seconds.

    A fifth of the rows, drawn by `seed`, is held out once to choose the penalties (one for scores, one for costs,
    one for lengths) and to measure the residual; then everything is fitted on all rows. A model whose answer
    lengths weren't recorded is given the mean length of the models whose were; with none at all, `tokens` counts
    the input alone.

    Args:
        history: Q past queries on M models, NaN where nothing was recorded.
        prompts: the same Q queries; `vectors` aren't read.
        seed: of the held-out rows.

    Raises:
        InputError: fewer than ten rows, rows that don't match, a model without a score or a cost, token counts
            that aren't numbers, or texts that share no word.
    """
    check_trainable(history, prompts)
    features, rows = _fit_features(prompts)
    outputs, cost_unit, answer_unit = outputs_of(history)
    penalties, residual = _choose(rows, outputs, np.random.default_rng(seed))
    gram = _gram(rows)
    blocks = zip(np.split(outputs, 3, axis=1), penalties, strict=True)
    weights = np.hstack([_ridge(rows, gram, block, penalty) for block, penalty in blocks])
    known = np.isfinite(history.score).mean(axis=0)
    inverse = _inverse(gram, penalties[0])
    return TextModel(history.models, features, weights, cost_unit, answer_unit, inverse, residual / np.sqrt(known))


def outputs_of(history: Outcomes) -> tuple[Floats, Floats, Floats]:
    """Score, cost and answer tokens side by side [Q, 3M], the last two as multiples of their units [M]."""
    answers = _answers(history.output_tokens)
    cost_unit, answer_unit = _unit(history.cost_usd), _unit(answers)
    return np.hstack([history.score, history.cost_usd / cost_unit, answers / answer_unit]), cost_unit, answer_unit


def _answers(output_tokens: Floats) -> Floats:
    """`output_tokens` [Q, M]; a model that has none takes the mean of the others, row by row."""
    recorded = np.isfinite(output_tokens)
    if not recorded.any():
        return np.zeros_like(output_tokens)
    count = recorded.sum(axis=1)
    total = np.where(recorded, output_tokens, 0.0).sum(axis=1)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return np.where(recorded.any(axis=0), output_tokens, mean[:, None])


def _unit(cells: Floats) -> Floats:
    """The mean of every column's known cells, [M]; 1 where that is zero."""
    mean = np.nanmean(cells, axis=0)
    unit: Floats = np.where(mean > 0, mean, 1.0)
    return unit


def _choose(rows: Sparse, outputs: Floats, rng: np.random.Generator) -> tuple[tuple[float, ...], Floats]:
    """The best penalty of each block [3] and the score residual of each model [M], both on held-out rows."""
    order = rng.permutation(rows.shape[0])
    size = max(1, int(HELD_OUT * len(order)))
    out, kept = np.sort(order[:size]), np.sort(order[size:])
    gram = _gram(rows[kept])
    fits = [_ridge(rows[kept], gram, outputs[kept], penalty) for penalty in PENALTIES]
    squares = [(outputs[out] - _clipped(rows[out] @ weights)) ** 2 for weights in fits]
    loss = np.array([[_mean_known(block) for block in np.split(square, 3, axis=1)] for square in squares])
    best = loss.argmin(axis=0)
    residual = _root_means(np.split(squares[int(best[0])], 3, axis=1)[0])
    return tuple(PENALTIES[int(i)] for i in best), residual


def _clipped(predicted: Floats) -> Floats:
    """As `TextModel.estimate` clips: scores to [0, 1], the rest to at least zero."""
    found: Floats = np.maximum(predicted, 0.0)
    scores = found.shape[1] // 3
    found[:, :scores] = np.minimum(found[:, :scores], 1.0)
    return found


def _mean_known(squares: Floats) -> float:
    known = squares[np.isfinite(squares)]
    return float(known.mean()) if known.size else 0.0


def _root_means(squares: Floats) -> Floats:
    """Root mean square of each column's known cells; a column with none gets that of all of them."""
    known = np.isfinite(squares)
    counts = known.sum(axis=0)
    total = np.where(known, squares, 0.0).sum(axis=0)
    pooled = total.sum() / max(int(counts.sum()), 1)
    found: Floats = np.sqrt(np.where(counts > 0, total / np.maximum(counts, 1), pooled))
    return found


def _gram(rows: Sparse) -> Floats:
    """X'X, float64 [P, P]."""
    return np.asarray((rows.T @ rows).toarray(), np.float64)


def _ridge(rows: Sparse, gram: Floats, outputs: Floats, penalty: float) -> Floats:
    """Weights [P, K] that minimise, column by column over its known cells, |y - Xw|^2 + penalty |w|^2.

    The last column of X is the constant and isn't penalised. One Cholesky factor of the whole Gram matrix serves
    every column as the preconditioner of conjugate gradients, all columns at once: a column with every cell is
    done at once, one with gaps in a few rounds more.
    """
    known = np.isfinite(outputs)
    weight = _penalty(rows.shape[1], penalty)
    factor = scipy.linalg.cho_factor(_penalised(gram, weight), overwrite_a=True, check_finite=False)
    return _gradients(rows, np.where(known, outputs, 0.0), known, weight, factor)


def _penalty(width: int, penalty: float) -> Floats:
    weight = np.full(width, penalty)
    weight[-1] = 1e-6  # the constant: only so much that the matrix stays regular
    return weight


def _penalised(gram: Floats, weight: Floats) -> Floats:
    found = gram.copy()
    found[np.diag_indices_from(found)] += weight
    return found


def _gradients(rows: Sparse, targets: Floats, known: Mask, weight: Floats, factor: tuple[Floats, bool]) -> Floats:
    """Preconditioned conjugate gradients on (X'DX + diag(weight)) w = X'y for K columns, D the known cells."""

    def precondition(residual: Floats) -> Floats:
        return np.asarray(scipy.linalg.cho_solve(factor, residual, check_finite=False))

    residual = np.asarray(rows.T @ targets)
    goal = _PRECISE * np.maximum(np.linalg.norm(residual, axis=0), 1e-300)
    weights = np.zeros_like(residual)
    direction = step = precondition(residual)
    product = (residual * step).sum(axis=0)
    for _ in range(_ROUNDS):
        image = rows.T @ np.where(known, rows @ direction, 0.0) + weight[:, None] * direction
        length = product / np.maximum((direction * image).sum(axis=0), 1e-300)
        weights += length * direction
        residual = residual - length * image
        if (np.linalg.norm(residual, axis=0) <= goal).all():
            break
        step = precondition(residual)
        before, product = product, (residual * step).sum(axis=0)
        direction = step + product / np.maximum(before, 1e-300) * direction
    return weights


def _inverse(gram: Floats, penalty: float) -> Singles:
    """(X'X + diag(penalty))^-1, float32 [P, P]."""
    matrix = _penalised(gram, _penalty(len(gram), penalty))
    factor, _ = scipy.linalg.cho_factor(matrix, overwrite_a=True, check_finite=False)
    inverse, failed = scipy.linalg.lapack.dpotri(factor, overwrite_c=True)
    assert failed == 0  # noqa: S101 (a Cholesky factor has no zero on its diagonal)
    upper = np.triu(inverse).astype(np.float32)
    return np.asarray(upper + np.triu(upper, 1).T)
