"""A log with one outcome a query: what policies would have chosen and cost, and what their choices would have scored.

Takes a log in time order, funds and policies; gives a row a policy. A history (the log's first part, and what else is
given) fits the estimates; the rest is played on these estimates through `router.decide`, every policy on the same
ones, and settled by them too. So no choice depends on what the log happened to draw, and the off-policy estimates hold
with the choices taken as given. Which filters a live query had to pass is not in a log: here every model may serve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pointsman.decide.policies import Policy
from pointsman.decide.program import compile_funds
from pointsman.errors import InputError
from pointsman.estimate.blend import fit_blend
from pointsman.estimate.embedders import load_embedder
from pointsman.evaluate.budgets import POOL
from pointsman.evaluate.logged.choosing import AS_SERVED, policy_by_name
from pointsman.evaluate.logged.dense import elapsed_of
from pointsman.evaluate.logged.joined import joined
from pointsman.evaluate.offpolicy import Estimate, Judged, Knowledge, OffPolicy, known_of, resampled, value_of
from pointsman.evaluate.offpolicy.estimators import CLIP
from pointsman.evaluate.replay import Case, Result, replay
from pointsman.evaluate.scenarios import Phase, World
from pointsman.outcomes import Timed
from pointsman.records import Estimates, Floats, Fund, Ints, Outcomes
from pointsman.router import embed

LEAST_SCORED = 30  # outcomes with a score and a cost in the history, before a model can be estimated


@dataclass(frozen=True, slots=True)
class SparseLog:
    """N played queries on M models, and what is expected of them.

    Attributes:
        models: M ids: those with enough outcomes in the history.
        served: int [N], the column that answered.
        score, cost_usd, propensity: float [N] as recorded, NaN where not known.
        elapsed: float [N], share of the time that has passed.
        estimates: [N, M], by a fit that saw none of them.
        history: held-out estimates of the history's queries.
        fitted_on: rows of history.
        left_out: played queries whose model has too few outcomes to be estimated.
        title, simulated: of the log.
    """

    models: tuple[str, ...]
    served: Ints
    score: Floats
    cost_usd: Floats
    propensity: Floats
    elapsed: Floats
    estimates: Estimates
    history: Estimates
    fitted_on: int
    left_out: int
    title: str
    simulated: bool

    def __len__(self) -> int:
        return len(self.served)


@dataclass(frozen=True, slots=True)
class SparseRow:
    """One policy on the log.

    Attributes:
        policy: its name.
        served: queries that it serves.
        cost_usd: by estimates; of `as-served` as recorded.
        cost_known_usd: with the recorded cost where the model is the one that answered.
        value: mean score a query, by each way; of `as-served` the mean of the recorded ones in all of them.
        known: what that rests on.
        served_by: queries by model.
        spent: by fund, in its unit; empty for `as-served`.
    """

    policy: str
    served: int
    cost_usd: float
    cost_known_usd: float
    value: OffPolicy
    known: Knowledge
    served_by: Mapping[str, int]
    spent: Mapping[str, float]


def is_dense(timed: Timed) -> bool:
    """Whether most queries have outcomes of several models."""
    cells = (np.isfinite(timed.outcomes.score) & np.isfinite(timed.outcomes.cost_usd)).sum(axis=1)
    return bool(len(cells)) and float((cells >= 2).mean()) >= 0.5


def sparse_log(
    timed: Timed, *, past: Outcomes | None, share: float, embedder: str, cache: Path | None = None, seed: int = 0
) -> SparseLog:
    """Parts the log, fits on its history and estimates the rest.

    Args:
        past: further outcomes to fit on; None for none.
        share: of the queries with one outcome, the first ones that are history.

    Raises:
        InputError: too few scored outcomes for any model, or nothing left to play.
    """
    outcomes = timed.outcomes
    other, played, answered = parted(timed, share)
    history = outcomes.take(other)
    history = history if past is None else joined(past, history)
    models = _known_models(history)
    history = history.only(np.array([history.models.index(name) for name in models]))
    history = history.take(np.flatnonzero(np.isfinite(history.score).any(axis=1)))
    chosen = load_embedder(embedder, cache=cache)
    fitted = fit_blend(history, embed(history.texts, chosen, history.input_tokens), seed=seed)
    column = {outcomes.models.index(name): i for i, name in enumerate(models) if name in outcomes.models}
    known = np.array([int(model) in column for model in answered], np.bool_)
    rows, cells = played[known], answered[known]
    if not len(rows):
        raise InputError("no query is left to play", place=outcomes.title, remedy="give a longer log")
    test = outcomes.take(rows)
    return SparseLog(
        models,
        np.array([column[int(model)] for model in cells], np.int64),
        outcomes.score[rows, cells],
        outcomes.cost_usd[rows, cells],
        timed.propensity[rows, cells],
        elapsed_of(timed.asked_s[rows]),
        fitted.estimator.estimate(embed(test.texts, chosen, test.input_tokens)),
        fitted.held_out,
        len(history),
        int((~known).sum()),
        outcomes.title,
        outcomes.simulated,
    )


def parted(timed: Timed, share: float) -> tuple[Ints, Ints, Ints]:
    """The log's rows: those to learn from, and those to play in the order in which they came, with who answered each.

    Played are queries with one outcome, or with several of which one alone was chosen (the others were asked beside
    it, to learn), but for the first `share` of them.
    """
    there = np.isfinite(timed.outcomes.score) | np.isfinite(timed.outcomes.cost_usd)
    answers, chosen = there.sum(axis=1), there & np.isfinite(timed.propensity)
    logged = (answers == 1) | (chosen.sum(axis=1) == 1)
    single = timed.order[logged[timed.order]]
    first, played = np.split(single, [int(len(single) * share)])
    other = np.flatnonzero((answers > 0) & ~logged)
    answered = np.where(answers[played] == 1, there[played].argmax(axis=1), chosen[played].argmax(axis=1))
    return np.concatenate([other, first]), played, answered


def _known_models(history: Outcomes) -> tuple[str, ...]:
    whole = (np.isfinite(history.score) & np.isfinite(history.cost_usd)).sum(axis=0)
    models = tuple(name for name, count in zip(history.models, whole, strict=True) if count >= LEAST_SCORED)
    if not models:
        most = int(whole.max(initial=0))
        raise InputError(
            f"no model has {LEAST_SCORED} scored outcomes in the history, so nothing can be estimated (most: {most})",
            place=history.title,
            remedy="send feedback (POST /v1/feedback), give --history, or a larger --history-share",
        )
    return models


def play_sparse(
    log: SparseLog, names: Sequence[str], funds: Sequence[Fund], *, clip: float = CLIP, seed: int = 0
) -> list[SparseRow]:
    """A row for every policy, `as-served` first.

    Raises:
        InputError: a policy that nobody knows or that needs the truth, or a fund over unknown models.
    """
    rows = [_as_served(log, seed)]
    for name in dict.fromkeys(names):
        if name == AS_SERVED:
            continue
        policy = policy_by_name(name, log.models)
        if policy.traits.source == "truth":
            raise InputError(
                f"policy {name!r} needs every model's outcome, and this log has one a query",
                place="--policy",
                remedy="leave it out",
            )
        rows.append(_row(log, name, policy, funds, clip, seed))
    return rows


def _row(log: SparseLog, name: str, policy: Policy, funds: Sequence[Fund], clip: float, seed: int) -> SparseRow:
    given = funds
    if policy.traits.pooled:
        given = [Fund(POOL, sum(fund.amount for fund in funds if fund.unit == "usd"))]
    table = compile_funds(given, log.models)
    count, models = log.estimates.quality.shape
    phase = Phase(count, np.ones(models, np.bool_), np.ones(models))
    world = World(np.arange(count), log.elapsed, count, (phase,))
    result = replay(policy, Case(log.estimates, log.history, log.estimates, table, world, seed))
    judged = judged_of(log, result.model)
    return SparseRow(
        name,
        result.served,
        result.cost_usd,
        _known_cost(log, result),
        value_of(judged, clip=clip, seed=seed),
        known_of(judged, clip=clip),
        _by_model(log.models, result.model),
        {fund: float(value) for fund, value in zip(table.names, result.spent, strict=True)},
    )


def judged_of(log: SparseLog, chosen: Ints) -> Judged:
    """A policy's choices [N] (-1: nobody) beside what the log knows."""
    rows, quality = np.arange(len(log)), log.estimates.quality
    return Judged(
        log.score,
        log.propensity,
        chosen == log.served,
        chosen < 0,
        np.where(chosen < 0, 0.0, quality[rows, np.maximum(chosen, 0)]),
        quality[rows, log.served],
    )


def _known_cost(log: SparseLog, result: Result) -> float:
    chosen = result.model
    expected = log.estimates.cost_usd[np.arange(len(log)), np.maximum(chosen, 0)]
    recorded = (chosen == log.served) & np.isfinite(log.cost_usd)
    return float(np.where(chosen < 0, 0.0, np.where(recorded, log.cost_usd, expected)).sum())


def _as_served(log: SparseLog, seed: int) -> SparseRow:
    scored = np.isfinite(log.score)
    columns = np.stack([scored, np.where(scored, log.score, 0.0)], axis=1).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        (mean,) = resampled(columns, lambda means: (means[:, 1] / means[:, 0])[:, None], seed=seed)
    cost = float(np.nansum(log.cost_usd))
    knowledge = known_of(judged_of(log, log.served))
    nothing = Estimate(float("nan"), float("nan"), float("nan"))
    value = OffPolicy(nothing, mean, mean, mean)
    return SparseRow(AS_SERVED, len(log), cost, cost, value, knowledge, _by_model(log.models, log.served), {})


def _by_model(models: Sequence[str], chosen: Ints) -> dict[str, int]:
    counts = np.bincount(chosen[chosen >= 0], minlength=len(models))
    return {name: int(count) for name, count in zip(models, counts, strict=True)}
