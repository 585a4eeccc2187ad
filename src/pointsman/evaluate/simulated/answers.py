"""How the simulated models answer: a latent-skill model of scores, answer lengths and costs.

Takes topics, written prompts and generators; gives arrays. With s the model's skills, w the topic's needs, d the
prompt's visible difficulty, h its hidden one and e a model's own luck with it, the chance of a right answer is

    p = floor + (1 - floor) * logistic(discrimination * (s.w + quirk - BASE - SHOWN d - h + e))

a three-parameter logistic item response model (Birnbaum 1968) with several skills. A 0/1 topic draws its score
from p, a graded one scatters around it. Refuses to learn anything from real outcomes: every constant is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pointsman.evaluate.simulated.models import SKILLS, SimulatedModel
from pointsman.evaluate.simulated.topics import Topic
from pointsman.records import Floats, Ints, Mask

# In units of skill. What the text shows of the difficulty counts this much, on top of what every query asks...
BASE = 0.3
SHOWN = 1.35
# ...and these standard deviations hide nearly as much again.
HIDDEN_SD = 1.0
LUCK_SD = 0.5
QUIRK_SD = 0.25
# The quirks belong to the models, so they're the same whatever the seed of the queries.
QUIRK_SEED = 20_250_101

LENGTH_SD = 0.3
THINKING_SD = 0.5
LONGEST_ANSWER = 16_000
# Scale of the logistic noise around a grade: a standard deviation of 0.45 on the logit.
GRADED_SCALE = 0.25


@dataclass(frozen=True, slots=True)
class Queries:
    """What the simulation knows of Q queries: `topic` int [Q], `difficulty`, `answer_tokens`, `input_tokens` [Q]."""

    topic: Ints
    difficulty: Floats
    answer_tokens: Floats
    input_tokens: Floats


def chances(
    queries: Queries, topics: Sequence[Topic], models: Sequence[SimulatedModel], rng: np.random.Generator
) -> Floats:
    """Chance of a right answer (the expected grade, for graded topics), [Q, M]."""
    floor = np.array([t.floor for t in topics])[queries.topic, None]
    slope = np.array([t.discrimination for t in topics])[queries.topic, None]
    noise = rng.normal(size=(len(queries.topic), len(models) + 1))
    hidden, luck = noise[:, :1] * HIDDEN_SD, noise[:, 1:] * LUCK_SD
    ability = abilities(topics, models)[queries.topic]
    difficulty = BASE + SHOWN * queries.difficulty[:, None] + hidden
    chance: Floats = floor + (1 - floor) * _logistic(slope * (ability - difficulty + luck))
    return chance


def abilities(topics: Sequence[Topic], models: Sequence[SimulatedModel]) -> Floats:
    """What each topic finds in each model, [T, M]: its skills weighted by the needs, plus its quirk."""
    needs = np.array([t.weights() for t in topics])
    skills = np.array([m.skills for m in models])
    quirks = np.random.default_rng(QUIRK_SEED).normal(scale=QUIRK_SD, size=(len(topics), len(models)))
    # Summed skill by skill, in one order: a matrix product may round otherwise on another machine.
    met = [needs[:, [k]] * skills[:, k] for k in range(len(SKILLS))]
    found: Floats = np.sum(met, axis=0) + quirks
    return found


def _logistic(x: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-x))


def _logit(p: Floats) -> Floats:
    return np.log(p) - np.log1p(-p)


def scores(chance: Floats, graded: Mask, rng: np.random.Generator) -> Floats:
    """Scores in [0, 1], [Q, M]: 0 or 1 drawn from `chance`, or where `graded` [Q] a grade around it, to a hundredth."""
    luck = rng.random((len(chance), 2, chance.shape[1]))
    safe = np.clip(chance, 1e-6, 1 - 1e-6)
    grade = _logistic(_logit(safe) + GRADED_SCALE * _logit(np.clip(luck[:, 1], 1e-6, 1 - 1e-6)))
    return np.where(graded[:, None], np.round(grade, 2), (luck[:, 0] < chance).astype(np.float64))


def answer_tokens(queries: Queries, models: Sequence[SimulatedModel], rng: np.random.Generator) -> Floats:
    """Whole numbers of output tokens, thinking included, [Q, M]; never more than `LONGEST_ANSWER`."""
    shape = (len(queries.topic), len(models))
    noise = rng.normal(size=(shape[0], 2 * shape[1] + 1))
    shared, own, thought = noise[:, :1], noise[:, 1 : shape[1] + 1], noise[:, shape[1] + 1 :]
    verbosity = np.array([m.verbosity for m in models])
    thinking = np.array([m.thinking_tokens for m in models])
    answer = queries.answer_tokens[:, None] * verbosity * np.exp(LENGTH_SD * (shared + own))
    harder = np.exp(0.5 * np.clip(queries.difficulty, -3, 3))[:, None]
    total = answer + thinking * harder * np.exp(THINKING_SD * thought)
    tokens: Floats = np.clip(np.round(total), 1, LONGEST_ANSWER)
    return tokens


def costs_usd(input_tokens: Floats, output_tokens: Floats, models: Sequence[SimulatedModel]) -> Floats:
    """Input tokens [Q] and output tokens [Q, M] at each model's rates, [Q, M]."""
    rates_in = np.array([m.input_rate for m in models])
    rates_out = np.array([m.output_rate for m in models])
    cost: Floats = (input_tokens[:, None] * rates_in + output_tokens * rates_out) / 1e6
    return cost
