"""What a demo is played with: the models, the past that they are known by, the traffic, the truth, and the funds.

`simulated_scene` makes it from the simulated workload; `local` makes one of small real models. Takes a plan's measures
and a seed, does no I/O. Budgets follow from the past alone, never from the traffic to come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pointsman.demo.cast import CAST, FAILING, NEWCOMER
from pointsman.demo.plan import Plan, make_plan
from pointsman.evaluate.budgets import split_weights
from pointsman.evaluate.simulated import simulate
from pointsman.pool.graders import Reply
from pointsman.pool.probes import Probe
from pointsman.records import Outcomes

HISTORY = 1_200  # simulated queries of the past: fitted in a few seconds, and enough to tell the models apart
FACTOR = 6.0  # money for six times the cheapest model: enough for the dearer ones to matter, too little for all
SPARE = 1.3  # more rows than queries are expected, since how many come is chance


Judge = Callable[[int, str, Reply], float | None]
"""The score of a row's answer by a model; None where nobody can tell."""


@dataclass(frozen=True)
class Scene:
    """Everything but the processes.

    Attributes:
        notice: what the dashboard and the terminal say of it.
        models: entries of the configuration, without addresses, by id.
        history: outcomes that the gateway learns from, without the newcomer.
        traffic: the texts that come, with what every model makes of them.
        plan: when they come, and what happens meanwhile.
        newcomer, failing: ids.
        funds_usd: one for each model, by id.
        probes: of each text of the traffic, where real answers are graded; empty where the traffic has the truth.
        patience: the `failure` section of the configuration.
        onboarding_probes: how many the newcomer is asked at most; None leaves it to the gateway.
    """

    notice: str
    models: Mapping[str, Mapping[str, Any]]
    history: Outcomes
    traffic: Outcomes
    plan: Plan
    newcomer: str
    failing: str
    funds_usd: Mapping[str, float]
    probes: tuple[Probe, ...]
    patience: Mapping[str, Any]
    onboarding_probes: int | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the models, in the order of all tables."""
        return tuple(self.models)


def simulated_scene(seconds: float, rate: float, seed: int) -> Scene:
    """The scene of the simulated models."""
    ids = [part.id for part in CAST]
    whole = simulate(HISTORY + max(50, round(rate * seconds * SPARE)), seed=seed)
    whole = columns(whole, ids)
    past, traffic = whole.take(np.arange(HISTORY)), whole.take(np.arange(HISTORY, len(whole)))
    plan = make_plan(seconds, rate, range(len(traffic)), np.random.default_rng((seed, 3)))
    return Scene(
        "Simulated models",
        {
            part.id: {
                "rates": {"input": part.model.input_rate, "output": part.model.output_rate},
                "model": part.name,
                "context": 131_072,
                "max_output": 16_384,
                "capabilities": ["streaming", "tools", "json"],
            }
            for part in CAST
        },
        without(past, NEWCOMER),
        traffic,
        plan,
        NEWCOMER,
        FAILING,
        funds_of(past, plan.expected),
        (),
        {"retries": 0, "backoff": "50ms", "cooldown_after": 3, "cooldown": "4s"},
    )


def funds_of(past: Outcomes, expected: int, factor: float = FACTOR) -> dict[str, float]:
    """One fund for each model: the total is `factor` times what the cheapest model would cost for everything.

    Args:
        past: outcomes [H, M] of all models, the newcomer's as its maker would state them.
        expected: queries.
    """
    total = factor * expected * float(np.nanmean(past.cost_usd, axis=0).min())
    weights = split_weights("perf", past, np.random.default_rng(0))
    return {model: float(share) * total for model, share in zip(past.models, weights, strict=True)}


def columns(outcomes: Outcomes, ids: list[str]) -> Outcomes:
    """The outcomes of these models, in this order."""
    return outcomes.only(np.array([outcomes.models.index(id) for id in ids], np.int64))


def without(outcomes: Outcomes, id: str) -> Outcomes:
    """The outcomes of all models but one."""
    return outcomes.only(np.array([i for i, one in enumerate(outcomes.models) if one != id], np.int64))
