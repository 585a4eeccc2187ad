"""Small random worlds that several tests replay: estimates, truth and funds with no data set behind them."""

from __future__ import annotations

import numpy as np

from pointsman.decide.program import FundTable, compile_funds
from pointsman.evaluate.replay import Case
from pointsman.evaluate.scenarios import make_world
from pointsman.records import Estimates, Fund, Ints, Outcomes


def outcomes(queries: int, models: int, seed: int, *, topics: int = 3) -> Outcomes:
    """Random outcomes: dearer models are better, and some topics are harder."""
    rng = np.random.default_rng(seed)
    rate = np.geomspace(1.0, 30.0, models) * 1e-6
    skill = np.linspace(-0.5, 1.5, models)
    topic = rng.integers(0, topics, size=queries)
    tokens = rng.lognormal(5.0, 0.6, size=queries).round() + 1
    length = rng.lognormal(4.0, 0.5, size=(queries, models)).round() + 1
    chance = 1 / (1 + np.exp(topic[:, None] - skill))
    return Outcomes(
        [f"q{j}" for j in range(queries)],
        [f"topic {topic[j]} question {j}" for j in range(queries)],
        [f"topic-{t}" for t in topic],
        tuple(f"p/m{i}" for i in range(models)),
        (rng.random((queries, models)) < chance).astype(np.float64),
        rate * (tokens[:, None] + 3 * length),
        length,
        tokens,
        "random world",
        simulated=True,
    )


def estimates_of(truth: Outcomes, seed: int, noise: float = 0.2) -> Estimates:
    """Noisy views of the truth, in the shape that an estimator gives."""
    rng = np.random.default_rng((seed, 1))
    quality = np.clip(0.5 + 0.5 * (truth.score - 0.5) + noise * rng.normal(size=truth.score.shape), 0.0, 1.0)
    cost = truth.cost_usd * rng.lognormal(0.0, noise, size=truth.cost_usd.shape)
    tokens = truth.input_tokens[:, None] + truth.output_tokens
    return Estimates(quality, cost, tokens, np.full_like(quality, noise))


def funds_of(truth: Outcomes, share: float, *, kind: str = "models") -> FundTable:
    """Funds that can pay about `share` of what the cheapest model would cost: one a model, one pool, or mixed units."""
    total = share * float(truth.cost_usd.sum(axis=0).min())
    if kind == "models":
        funds = [Fund(m, total / len(truth.models), models=(m,)) for m in truth.models]
    elif kind == "pool":
        funds = [Fund("pool", total)]
    else:
        funds = [
            Fund("pool", total),
            Fund("tokens", share * float(truth.input_tokens.sum()), "tokens", truth.models[:2]),
            Fund("calls", float(np.ceil(share * len(truth) / 2)), "requests", truth.models[-1:]),
        ]
    return compile_funds(funds, truth.models)


def case_of(
    queries: int = 400,
    models: int = 4,
    *,
    seed: int = 0,
    share: float = 0.6,
    kind: str = "models",
    scenario: str = "iid",
    noise: float = 0.2,
) -> Case:
    """One replay, ready to run."""
    test, history = outcomes(queries, models, seed), outcomes(queries, models, seed + 10_000)
    world = make_world(scenario, test, np.random.default_rng(seed))
    truth = Estimates(
        test.score, test.cost_usd, test.input_tokens[:, None] + test.output_tokens, np.zeros_like(test.score)
    )
    return Case(
        estimates_of(test, seed, noise).take(world.order),
        estimates_of(history, seed + 10_000, noise),
        truth.take(world.order),
        funds_of(test, share, kind=kind),
        world,
        seed,
    )


def served_score(case: Case, model: Ints) -> float:
    """Σ of the true scores of the served queries."""
    rows = np.flatnonzero(model >= 0)
    return float(case.truth.quality[rows, model[rows]].sum())
