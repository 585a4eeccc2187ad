"""What all rides of a bench share: who is tested on what, the budgets, the estimates of models that are known.

Takes complete outcomes and a `Request`; gives a `Ground`, a plain value that worker processes load from a file, the
models that may join or leave, and for each newcomer what was known before it came (`Before`): estimates of the others
fitted without it, and the spaces it can be placed in. Tested rows never reach a fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pointsman.decide.policies import Paced
from pointsman.decide.program import compile_funds
from pointsman.errors import InputError
from pointsman.estimate.blend import fit_blend
from pointsman.estimate.embedders import load_embedder
from pointsman.evaluate.budgets import budget_funds, split_weights, total_budget
from pointsman.evaluate.plugin.plan import Request
from pointsman.evaluate.plugin.ride import Knowledge
from pointsman.evaluate.plugin.spaces import Spaces, fit_spaces
from pointsman.evaluate.prepare import split_rows, truth_of
from pointsman.evaluate.replay import Case, replay
from pointsman.evaluate.scenarios import make_world
from pointsman.records import Estimates, Ints, Outcomes, Prompts

LEAST_SPENT = 0.5  # of its fund: a model that leaves more unspent is of little use, and its coming would not show
LEAST_VALUE = 1 / 3  # the lowest third by score per dollar may neither join nor leave


@dataclass(frozen=True, slots=True)
class Asked:
    """Outcomes and the same rows as prompts."""

    outcomes: Outcomes
    prompts: Prompts

    def take(self, rows: Ints) -> Asked:
        """The same at `rows`."""
        return Asked(self.outcomes.take(rows), self.prompts.take(rows))


@dataclass(frozen=True, slots=True)
class Known:
    """Estimates, of the tested queries and held-out of the history's, each [., m]."""

    tested: Estimates
    history: Estimates


@dataclass(frozen=True, slots=True)
class Ground:
    """What every ride starts from.

    Attributes:
        request: as asked.
        test, history: outcomes of all M models.
        known: `fit_blend` on the whole history of all models.
    """

    request: Request
    test: Asked
    history: Asked
    known: Known

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of all M models."""
        return self.test.outcomes.models


@dataclass(frozen=True, slots=True)
class Before:
    """What was known before a newcomer came.

    Attributes:
        newcomer: its column.
        others: int [M - 1], the other columns.
        known: `fit_blend` on the history of the others alone.
        spaces: in which it can be placed.
    """

    newcomer: int
    others: Ints
    known: Known
    spaces: Spaces


def make_ground(outcomes: Outcomes, request: Request, cache: Path | None = None) -> Ground:
    """Splits, embeds and fits all models.

    Raises:
        InputError: a split that can't be made, an unknown embedder, fewer tested queries than thirds of them, more
            probes than the history has rows.
    """
    setting = request.setting
    tested, past = split_rows(len(outcomes), setting)
    _check_sizes(request, len(past))
    vectors = load_embedder(setting.embedder, cache=cache).embed(outcomes.texts)

    def asked(rows: Ints) -> Asked:
        some = outcomes.take(rows)
        return Asked(some, Prompts(some.texts, vectors[rows], some.input_tokens))

    test, history = asked(tested), asked(past)
    return Ground(request, test, history, fit_known(test, history, setting.seed))


def _check_sizes(request: Request, history: int) -> None:
    if request.setting.test < 3:
        raise InputError(
            f"{request.setting.test} tested queries have no thirds", place="--test", remedy="use 3 or more"
        )
    if max(request.probes) > history:
        raise InputError(
            f"{max(request.probes)} probes are asked, the history has {history} rows",
            place="--probes",
            remedy=f"use at most {history}, or fewer tested queries",
        )


def fit_known(test: Asked, history: Asked, seed: int, threads: int | None = None) -> Known:
    """`fit_blend` on a history, and what it says of the tested queries."""
    fitted = fit_blend(history.outcomes, history.prompts, seed=seed, threads=threads)
    return Known(fitted.estimator.estimate(test.prompts), fitted.held_out)


def look_before(ground: Ground, newcomer: str, threads: int | None = 1) -> Before:
    """What was known before `newcomer` came: fits on a history in which it doesn't occur."""
    column = ground.models.index(newcomer)
    others = np.delete(np.arange(len(ground.models)), column)
    seed, probes = ground.request.setting.seed, ground.request.probes
    history = Asked(ground.history.outcomes.only(others), ground.history.prompts)
    known = fit_known(ground.test, history, seed, threads)
    return Before(column, others, known, fit_spaces(history.outcomes, history.prompts, probes, seed))


def make_case(ground: Ground, order: int) -> Case:
    """The arrays of one order of arrivals, all models and full budgets, as `bench budget` makes them."""
    request, test = ground.request, ground.test.outcomes
    seed = request.setting.seed
    world = make_world("iid", test, np.random.default_rng((seed, 10, order)))
    weights = split_weights(request.split, ground.history.outcomes, np.random.default_rng((seed, 11, order)))
    funds = budget_funds(test.models, weights, total_budget(test, request.factor))
    return Case(
        ground.known.tested.take(world.order),
        ground.known.history,
        truth_of(test).take(world.order),
        compile_funds(funds, test.models),
        world,
        seed * 1000 + order,
    )


def arriving(known: Known, columns: Ints, case: Case) -> Knowledge:
    """What is known of the models at `columns`, tested queries in the case's order of arrival."""
    return Knowledge(columns, known.tested.take(case.world.order), known.history)


def eligible_models(ground: Ground) -> list[str]:
    """Models whose coming or leaving matters: of middle to high value, and of use when all are there throughout.

    Value is mean score over mean cost in the history; of use is who spends at least half of its fund in the first
    order of arrivals. Where fewer than two are of use, value alone decides.
    """
    past = ground.history.outcomes
    value = past.score.mean(axis=0) / np.maximum(past.cost_usd.mean(axis=0), 1e-12)
    rank = np.argsort(np.argsort(value, kind="stable"), kind="stable")
    worth = rank >= int(LEAST_VALUE * len(value))
    case = make_case(ground, 0)
    spent = replay(Paced(), case).spent
    used = worth & (spent >= LEAST_SPENT * case.funds.budget)
    chosen = used if used.sum() >= 2 else worth
    return [model for model, one in zip(ground.models, chosen, strict=True) if one]
