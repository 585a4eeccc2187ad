"""Small worlds for what is learned from prompts' vectors: topics, models that are good at some of them, gaps."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from pointsman.records import Floats, Outcomes, Prompts


def prompts_of(vectors: NDArray[np.floating]) -> Prompts:
    n = len(vectors)
    return Prompts([f"prompt {i}" for i in range(n)], vectors.astype(np.float32), np.full(n, 10.0))


def outcomes_of(score: Floats, models: tuple[str, ...] | None = None) -> Outcomes:
    """Outcomes with these scores; model i costs i + 1 an answer of 5 tokens."""
    n, m = score.shape
    names = [f"prompt {i}" for i in range(n)]
    return Outcomes(
        names,
        names,
        ["task"] * n,
        models or tuple(f"p/m{i}" for i in range(m)),
        score,
        np.tile(np.arange(1.0, m + 1.0), (n, 1)),
        np.full((n, m), 5.0),
        np.full(n, 10.0),
        "made",
    )


def topical(
    n: int, models: int, seed: int, *, signal: float = 2.0, width: int = 12, of: int = 0
) -> tuple[Outcomes, Prompts]:
    """n prompts around four directions of the sphere, and 0/1 scores that depend on the topic.

    Draws with different `of` are different prompts of one world.
    """
    world, rng = np.random.default_rng((seed, 0)), np.random.default_rng((seed, 1, of))
    centres, skill = world.normal(size=(4, width)), signal * world.normal(size=(4, models))
    topic = rng.integers(0, 4, n)
    vectors = centres[topic] + 0.7 * rng.normal(size=(n, width))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chance = 1.0 / (1.0 + np.exp(-skill[topic]))
    return outcomes_of((rng.random((n, models)) < chance).astype(np.float64)), prompts_of(vectors)


def with_gaps(made: Outcomes, share: float, seed: int) -> Outcomes:
    """The same, with about `share` of the scores missing, but never a model's first."""
    gone = np.random.default_rng(seed).random(made.score.shape) < share
    gone[0] = False
    return outcomes_of(np.where(gone, np.nan, made.score), made.models)


@st.composite
def scored(draw: st.DrawFn, most_rows: int = 40) -> tuple[Outcomes, Prompts]:
    """Any few prompts (some alike), any scores in [0, 1], gaps; each model has a score."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n, m = draw(st.integers(1, most_rows)), draw(st.integers(1, 4))
    vectors = rng.normal(size=(n, 5)).round(draw(st.sampled_from([0, 8])))
    score = rng.choice([0.0, 0.25, 1.0], size=(n, m), p=draw(st.sampled_from([(1, 0, 0), (0, 0, 1), (0.4, 0.2, 0.4)])))
    return with_gaps(outcomes_of(score), draw(st.sampled_from([0.0, 0.5, 0.95])), 1), prompts_of(vectors)
