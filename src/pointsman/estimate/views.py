"""What the learned estimators look at: three views of a prompt, fitted without looking at any outcome.

- `dense`: surface features, leading principal components of the vector, input tokens; for trees.
- `counts`: how often each word of the vocabulary occurs; for trees.
- `linear`: the whole vector and the surface features, on comparable scales; for linear maps.

Takes prompts, gives arrays. Says nothing about scores or costs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointsman.estimate.features import joined, surface_of
from pointsman.estimate.fitted import check_width
from pointsman.estimate.tokens import Vocabulary, fit_vocabulary
from pointsman.records import Floats, Prompts

Float32s = NDArray[np.float32]

COMPONENTS = 15
_FAR = 4.0


@dataclass(frozen=True)
class Views:
    """Q prompts, seen three ways: dense float32 [Q, F], counts uint8 [Q, V], linear float32 [Q, L]."""

    dense: Float32s
    counts: NDArray[np.uint8]
    linear: Float32s

    def __len__(self) -> int:
        return len(self.dense)

    def take(self, rows: NDArray[np.bool_]) -> Views:
        """The same views of the rows where `rows`."""
        return Views(self.dense[rows], self.counts[rows], self.linear[rows])


@dataclass(frozen=True)
class Viewer:
    """How to look at prompts; see `fit_viewer`.

    Attributes:
        width: D, of the vectors.
        vocabulary: of counted words.
        components: float32 [D, P], principal directions of the history's vectors.
        centre, scale: float32 [P + S + 1], mean and inverse deviation of the dense columns.
        vector_centre: float32 [D].
    """

    width: int
    vocabulary: Vocabulary
    components: Float32s
    centre: Float32s
    scale: Float32s
    vector_centre: Float32s

    def look(self, prompts: Prompts) -> Views:
        """The three views of Q prompts.

        Raises:
            InputError: the vectors are of another width than the history's.
        """
        check_width(prompts.vectors.shape[1], self.width)
        buffer, starts = joined(prompts.texts)
        counts = self.vocabulary.counts(buffer, starts)
        vectors = np.asarray(prompts.vectors, np.float32) - self.vector_centre
        dense = _dense(
            prompts, surface_of(prompts.texts, buffer, starts), np.asarray(vectors @ self.components, np.float32)
        )
        standard = (dense - self.centre) * self.scale
        surface = np.clip(standard[:, self.components.shape[1] :], -_FAR, _FAR)
        return Views(dense, counts, np.hstack([vectors * np.float32(np.sqrt(self.width)), surface]))

    def remoteness(self, views: Views) -> Floats:
        """How far each prompt is from the middle of the history, float [Q], near 1 on average.

        The mean squared standardised dense column, each clipped at 4 deviations.
        """
        standard = np.clip((views.dense - self.centre) * self.scale, -_FAR, _FAR)
        return np.asarray((standard**2).mean(axis=1), np.float64)


def _dense(prompts: Prompts, surface: Float32s, components: Float32s) -> Float32s:
    tokens = np.log1p(np.maximum(prompts.input_tokens, 0.0)).astype(np.float32)
    return np.hstack([components, surface, tokens[:, None]])


def fit_viewer(prompts: Prompts) -> Viewer:
    """Learn vocabulary, principal components and scales from H prompts."""
    vectors = np.asarray(prompts.vectors, np.float32)
    buffer, starts = joined(prompts.texts)
    middle = vectors.mean(axis=0)
    components = _principal(vectors - middle)
    dense = _dense(
        prompts, surface_of(prompts.texts, buffer, starts), np.asarray((vectors - middle) @ components, np.float32)
    )
    deviation = dense.std(axis=0, dtype=np.float64)
    # A column that never varies says nothing: its scale is zero rather than huge.
    scale = np.where(deviation > 1e-6, 1.0 / np.maximum(deviation, 1e-6), 0.0).astype(np.float32)
    return Viewer(vectors.shape[1], fit_vocabulary(buffer, starts), components, dense.mean(axis=0), scale, middle)


def _principal(centred: Float32s) -> Float32s:
    """The leading directions [D, P] of centred vectors, each with its largest entry positive (so that it's unique)."""
    moments = np.asarray(centred.T @ centred, np.float64)
    _, basis = np.linalg.eigh(moments)
    leading = basis[:, ::-1][:, : min(COMPONENTS, centred.shape[1])]
    signs = np.sign(leading[np.abs(leading).argmax(axis=0), np.arange(leading.shape[1])])
    return np.ascontiguousarray(leading * signs, np.float32)
