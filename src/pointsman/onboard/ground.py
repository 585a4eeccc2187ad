"""What is known before the newcomer answers: the pool that it would join, typical traffic, and who scored what.

`learn` fits the models with recorded outcomes; `make_ground` lays out the pool's estimates for typical queries at
today's rates, and what the known models made of the probes; `believe` turns the newcomer's answers into what to expect
of it on those queries: by its likeness to the known models (`estimate.unseen.transfer`), or, where no model has
outcomes, by its mean alone, the same for every query. Reads no file; costs are never zero where they aren't known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from pointsman.decide.program import FundTable
from pointsman.estimate.blend import fit_blend
from pointsman.estimate.embedder import Embedder
from pointsman.estimate.prior import declared_prior
from pointsman.estimate.registered import Rating, Registered, columns_of
from pointsman.estimate.unseen.extended import Past, past_of
from pointsman.estimate.unseen.known import relative_length
from pointsman.estimate.unseen.means import place_means
from pointsman.estimate.unseen.place import Probes
from pointsman.onboard.intervals import LEVEL, mean_interval
from pointsman.pool.billing import unit_costs
from pointsman.pool.cards import Model
from pointsman.records import Estimates, Floats, Ints, Outcomes, Prompts
from pointsman.router import embed

MOST_HISTORY = 4_000  # rows that are fitted: what is asked of them is who resembles whom, and where
TYPICAL_ROWS = 600
LEAST_GROUP = 5
LEAST_SCORES = 8  # of a model in the rows that are fitted
AMPLE_SHARE, AMPLE = 0.5, 1_000  # of the best-recorded model's, or so many: a common fit would blur a thin record


@dataclass(frozen=True)
class Known:
    """The models with outcomes.

    Attributes:
        history: outcomes [H, M] that were fitted.
        prompts: the same, embedded.
        past: the fit, and where a new model is placed by its likeness.
    """

    history: Outcomes
    prompts: Prompts
    past: Past

    @property
    def models(self) -> tuple[str, ...]:
        """Their names in the outcomes."""
        return self.history.models


@dataclass(frozen=True)
class Money:
    """The pool's funds: who draws on what, and how many queries they have to last for.

    Attributes:
        funds: F of them, over the pool's models with the newcomer's column last.
        remaining: float [F], what each holds, in its unit.
        to_come: float [F], queries expected in its window.
    """

    funds: FundTable
    remaining: Floats
    to_come: Floats


@dataclass(frozen=True)
class Ground:
    """Everything that an onboarding is judged by.

    Attributes:
        newcomer: the model's id.
        models: S ids of the others in the pool.
        typical: estimates [R, S] of typical queries, at today's rates.
        prompts: the same R queries.
        groups: their rows by kind.
        known: None where no model of the pool has outcomes.
        sampled: int [R], rows of the known history that the queries are; empty where there is none.
        money: the pool's.
        probes: n prompts that the newcomer is asked.
        answered: outcomes [n, M] of the known models on them, NaN where one wasn't asked; None where none is known.
    """

    newcomer: str
    models: tuple[str, ...]
    typical: Estimates
    prompts: Prompts
    groups: tuple[Ints, ...]
    known: Known | None
    sampled: Ints
    money: Money
    probes: Prompts
    answered: Outcomes | None


@dataclass(frozen=True, slots=True)
class Belief:
    """What is expected of the newcomer on R typical queries; float [R] each.

    Attributes:
        low, quality, high: expected score with its 90 % interval.
        cost_usd, tokens: of one query.
    """

    low: Floats
    quality: Floats
    high: Floats
    cost_usd: Floats
    tokens: Floats


def learn(history: Outcomes, embedder: Embedder, seed: int) -> Known | None:
    """Fits at most 4,000 rows of a history; None where no model in it has scores and costs enough."""
    rows = np.flatnonzero(np.isfinite(history.score).any(axis=1))
    rows = np.sort(np.random.default_rng((seed, 51)).permutation(rows)[:MOST_HISTORY])
    some = history.take(rows)
    usable = np.minimum(np.isfinite(some.score).sum(axis=0), np.isfinite(some.cost_usd).sum(axis=0))
    enough = usable >= max(LEAST_SCORES, min(AMPLE, AMPLE_SHARE * usable.max(initial=0)))
    if not enough.any():
        return None
    some = some.only(np.flatnonzero(enough))
    some = some.take(np.flatnonzero(np.isfinite(some.score).any(axis=1)))
    prompts = embed(some.texts, embedder, some.input_tokens)
    return Known(some, prompts, past_of(some, prompts, fit_blend(some, prompts, seed=seed), seed))


def answers_of(known: Known, history: Outcomes, texts: Sequence[str]) -> Outcomes:
    """What the known models made of n texts, [n, M], NaN where nothing is recorded."""
    column = np.array([history.models.index(name) for name in known.models])
    row_of = {text: row for row, text in enumerate(history.texts)}
    rows = np.array([row_of.get(text, -1) for text in texts], dtype=np.int64)
    there = rows >= 0

    def cells(table: Floats) -> Floats:
        found = np.full((len(texts), len(column)), np.nan)
        found[there] = table[np.ix_(rows[there], column)]
        return found

    tables = (cells(history.score), cells(history.cost_usd), cells(history.output_tokens))
    ids = [str(number) for number in range(len(texts))]
    return Outcomes(ids, texts, [""] * len(texts), known.models, *tables, np.full(len(texts), np.nan))


def make_ground(
    newcomer: str,
    pool: Sequence[Model],
    names: Sequence[str],
    known: Known | None,
    answered: Outcomes | None,
    probes: Prompts,
    money: Money,
    day: date,
    seed: int,
) -> Ground:
    """Lays out the pool.

    Args:
        newcomer: the model's id.
        pool: the S other models.
        names: what each of them is called in outcomes.
        known, answered: see `Ground`.
        probes: n prompts, embedded.
        money: the pool's.
        day: of the rates.
        seed: draws the typical queries from the known history; where there is none, the probes stand for them.
    """
    base: Estimates | None
    if known is None:
        sampled, base = np.zeros(0, np.int64), None
        prompts = probes.take(np.resize(np.arange(len(probes)), TYPICAL_ROWS))
        groups: tuple[Ints, ...] = (np.arange(TYPICAL_ROWS),)
    else:
        lots = np.random.default_rng((seed, 52)).permutation(len(known.history))[:TYPICAL_ROWS]
        sampled = np.sort(np.resize(lots, TYPICAL_ROWS))  # few rows many times: shares are of many queries
        prompts, base = known.prompts.take(sampled), known.past.held_out.take(sampled)
        groups = by_kind([known.history.datasets[row] for row in sampled.tolist()])
    typical = _registered(pool, names, known, day).rated(base, prompts.input_tokens)
    ids = tuple(model.id for model in pool)
    return Ground(newcomer, ids, typical, prompts, groups, known, sampled, money, probes, answered)


def _registered(pool: Sequence[Model], names: Sequence[str], known: Known | None, day: date) -> Registered:
    """The pool at today's rates; models without outcomes as they are declared."""
    models, ids = known.models if known else (), tuple(model.id for model in pool)
    column = columns_of(tuple(name if name in models else "" for name in names), models)
    prior = declared_prior(
        list(ids),
        quality=[model.quality for model in pool],
        tier=[model.tier for model in pool],
        output_tokens=[model.output_tokens for model in pool],
    )
    costs = unit_costs(pool, day)
    rating = Rating(costs.input, costs.output, costs.request, np.ones(len(ids)))
    return Registered(ids, known.past.extended.base if known else None, column, prior, rating)


def by_kind(kinds: Sequence[str]) -> tuple[Ints, ...]:
    """Rows by kind; those of rare kinds together."""
    rows_of: dict[str, list[int]] = {}
    for row, kind in enumerate(kinds):
        rows_of.setdefault(kind, []).append(row)
    rare = [row for rows in rows_of.values() if len(rows) < LEAST_GROUP for row in rows]
    common = [np.array(rows) for rows in rows_of.values() if len(rows) >= LEAST_GROUP]
    return (*common, np.array(sorted(rare))) if rare else tuple(common)


def believe(ground: Ground, rows: Ints, asked: Outcomes) -> Belief:
    """What to expect of the newcomer.

    Args:
        rows: int [k], the probes that it answered, as rows of `ground.probes`.
        asked: outcomes [k, 1] of the newcomer on them; at least one score and one cost.

    Raises:
        InputError: no score, or no cost.
    """
    prompts = ground.probes.take(rows)
    known, queries = ground.known, ground.prompts
    if known is None or ground.answered is None:
        means = place_means(Probes(prompts, asked, asked)).estimate(queries)
        scores = asked.score[np.isfinite(asked.score)]
        found, ones = mean_interval(scores), np.ones(len(queries))
        return Belief(found.low * ones, found.mean * ones, found.high * ones, means.cost_usd[:, 0], means.tokens[:, 0])
    placed = known.past.space.place(Probes(prompts, asked, ground.answered.take(rows)))
    base = known.past.held_out.take(ground.sampled)
    length = relative_length(base.tokens, queries.input_tokens, known.past.extended.mean_tokens)
    of_query = placed.estimate_from(base.quality, length, queries.input_tokens)
    mean, low, high = placed.intervals(queries, ground.groups, LEVEL)
    below, above = np.zeros(len(queries)), np.zeros(len(queries))
    for group, members in enumerate(ground.groups):
        below[members], above[members] = (low - mean)[group, 0], (high - mean)[group, 0]
    quality = of_query.quality[:, 0]
    return Belief(
        np.clip(quality + below, 0.0, 1.0),
        quality,
        np.clip(quality + above, 0.0, 1.0),
        of_query.cost_usd[:, 0],
        of_query.tokens[:, 0],
    )
