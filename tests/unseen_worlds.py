"""Small worlds for models that nobody trained on: probes, spaces that need no fit, and a world of low rank."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st
from scipy.special import expit

from pointsman.estimate.unseen.likeness import DEFAULT
from pointsman.estimate.unseen.place import Probes
from pointsman.estimate.unseen.transfer import Transfer, middle_of
from pointsman.records import Estimates, Floats, Outcomes, Prompts

NAN = float("nan")


def made_outcomes(score: Floats, cost: Floats | None = None, title: str = "made") -> Outcomes:
    """Outcomes with these scores; costs and lengths that differ from cell to cell."""
    n, m = score.shape
    names = [f"text {i}" for i in range(n)]
    length = np.arange(10, 10 + n * m, dtype=np.float64).reshape(n, m)
    cost = length * 1e-4 if cost is None else cost
    return Outcomes(
        names,
        names,
        names,
        tuple(f"m{i}" for i in range(m)),
        score,
        cost,
        length,
        np.arange(3, n + 3, dtype=np.float64),
        title,
    )


def made_prompts(vectors: Floats) -> Prompts:
    """Prompts with these vectors, made unit length."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    n = len(vectors)
    return Prompts([f"text {i}" for i in range(n)], unit.astype(np.float32), np.arange(3, n + 3, dtype=np.float64))


def made_probes(n: int, models: int, seed: int, *, missing: float = 0.0, width: int = 5) -> Probes:
    """Random probes with continuous scores, some cells missing; every model has its first score and cost."""
    rng = np.random.default_rng(seed)
    score = rng.random((n, models))
    score[1:][rng.random((n - 1, models)) < missing] = NAN
    cost = rng.random((n, models)) * 1e-3
    cost[1:][rng.random((n - 1, models)) < missing] = NAN
    prompts = made_prompts(rng.normal(size=(n, width)))
    return Probes(prompts, made_outcomes(score, cost), made_outcomes(rng.random((n, 2))))


def some_prompts(rows: int, seed: int, width: int = 5) -> Prompts:
    return made_prompts(np.random.default_rng(seed).normal(size=(rows, width)))


def with_blank_rows(probes: Probes, rows: list[int]) -> Probes:
    """The probes and then those at `rows` once more, as prompts that nobody was asked."""
    taken = np.array([*range(len(probes)), *rows], np.int64)
    asked = probes.asked.take(taken)
    score, cost, length = asked.score.copy(), asked.cost_usd.copy(), asked.output_tokens.copy()
    for table in (score, cost, length):
        table[len(probes) :] = NAN
    asked = replace(asked, score=score, cost_usd=cost, output_tokens=length)
    return Probes(probes.prompts.take(taken), asked, probes.known.take(taken))


def only_models(probes: Probes, columns: list[int]) -> Probes:
    return replace(probes, asked=probes.asked.only(np.array(columns, np.int64)))


def check_sound(found: Estimates, rows: int, models: int) -> None:
    """Every array has the shape, qualities are in [0, 1], spreads in (0, ½], and costs are there."""
    for name in ("quality", "cost_usd", "tokens", "spread"):
        assert getattr(found, name).shape == (rows, models)
        assert np.isfinite(getattr(found, name)).all()
    assert ((found.quality >= 0.0) & (found.quality <= 1.0)).all()
    assert ((found.spread > 0.0) & (found.spread <= 0.5)).all()
    assert (found.cost_usd >= 0.0).all()


def check_same(one: Estimates, other: Estimates) -> None:
    for name in ("quality", "cost_usd", "tokens", "spread"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-12)


@st.composite
def probe_sets(draw: st.DrawFn) -> Probes:
    """Few probes of a few models, with anything from no cell missing to nearly all."""
    rows, models = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    return made_probes(rows, models, draw(st.integers(0, 10_000)), missing=draw(st.sampled_from([0.0, 0.4, 0.95])))


# ---- spaces that need no fit


@dataclass(frozen=True)
class Straight:
    """Known models whose expected scores are straight lines of the vector, and the lengths of answers too."""

    slopes: Floats

    def expect(self, prompts: Prompts) -> tuple[Floats, Floats]:
        vectors = prompts.vectors.astype(np.float64)
        return np.clip(0.5 + vectors @ self.slopes, 0.0, 1.0), np.exp(vectors[:, 0])


def straight_space(models: int, seed: int, width: int = 5) -> Transfer:
    """A space of M models k0, k1, … that nothing was fitted for."""
    rng, past = np.random.default_rng((seed, 7)), some_prompts(200, seed + 1, width)
    known = Straight(rng.normal(size=(width, models)) * 0.4)
    names, means = tuple(f"k{i}" for i in range(models)), known.expect(past)[0].mean(axis=0)
    return Transfer(names, known, means, DEFAULT, 0.2, middle_of(past), 500)


def named(outcomes: Outcomes, names: Iterable[str]) -> Outcomes:
    return replace(outcomes, models=tuple(names))


def probes_of(
    space: Transfer, n: int, new: int, seed: int, *, missing: float = 0.0, known_missing: float = 0.0
) -> Probes:
    """n probes of new models n0, n1, … with scores from 0 to 1; gaps, but never in a new model's first row."""
    made = made_probes(n, new, seed, missing=missing)
    rng = np.random.default_rng((seed, 8))
    score = rng.choice([0.0, 0.5, 1.0], size=(n, len(space.models)))
    score[rng.random(score.shape) < known_missing] = NAN
    return Probes(
        made.prompts,
        named(made.asked, (f"n{i}" for i in range(new))),
        named(made_outcomes(score), space.models),
    )


@st.composite
def placings(draw: st.DrawFn) -> tuple[Transfer, Probes]:
    """Any small space, and any few probes in it, from no cell missing to nearly all."""
    space = straight_space(draw(st.integers(1, 4)), draw(st.integers(0, 10_000)))
    gaps = st.sampled_from([0.0, 0.4, 0.95])
    rows, new, seed = draw(st.integers(1, 12)), draw(st.integers(1, 4)), draw(st.integers(0, 10_000))
    return space, probes_of(space, rows, new, seed, missing=draw(gaps), known_missing=draw(gaps))


# ---- a world in which models differ along few directions


@dataclass(frozen=True)
class LowRank:
    """What a new model is tried on.

    Attributes:
        history, prompts: of the known models, to fit on.
        probes: of the known and the new models.
        test: prompts that nobody was asked.
        chance: float [T, N], the new models' chances of being right there.
    """

    history: Outcomes
    prompts: Prompts
    probes: Probes
    test: Prompts
    chance: Floats


def low_rank(known: int, new: int, rows: tuple[int, int, int], seed: int) -> LowRank:
    """Draw `rows` of history, probes and test prompts.

    A model is an ability and three skills, a prompt a difficulty and three demands; about half of what a prompt asks
    for can be seen in its vector.
    """
    rng = np.random.default_rng(seed)
    total, models = sum(rows), known + new
    vectors = rng.normal(size=(total, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    demands = 2.0 * vectors @ rng.normal(size=(8, 4)) + rng.normal(size=(total, 4))
    skills = np.vstack([np.ones(models), 0.7 * rng.normal(size=(3, models))])
    chance = expit(0.5 * rng.normal(size=models) + 0.8 * demands @ skills)
    score = (rng.random(chance.shape) < chance).astype(np.float64)
    first, second, third = np.split(np.arange(total), np.cumsum(rows)[:2])
    every, prompts = named(made_outcomes(score), (f"w{i}" for i in range(models))), made_prompts(vectors)
    ours, theirs = np.arange(known), np.arange(known, models)
    probed = every.take(second)
    return LowRank(
        every.take(first).only(ours),
        prompts.take(first),
        Probes(prompts.take(second), probed.only(theirs), probed.only(ours)),
        prompts.take(third),
        chance[np.ix_(third, theirs)],
    )
