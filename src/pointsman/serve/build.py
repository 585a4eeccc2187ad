"""Settings, what was learned and what the keys say, put together into a `Scheme`. No I/O, no clock.

The same settings, learned estimates and tallies give the same scheme. Models without recorded outcomes are believed
by declaration and by what their answers added up to so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from pointsman.decide.policies.standing import Standing, StandingState
from pointsman.errors import InputError
from pointsman.estimate.drift.mix import Mix
from pointsman.estimate.embedder import Embedder
from pointsman.estimate.lengths import default_lengths
from pointsman.estimate.prior import TIER_SPREAD, Prior, Tally, declared_prior
from pointsman.estimate.registered import Rating, Registered, columns_of
from pointsman.pool.billing import unit_costs
from pointsman.pool.cards import Model
from pointsman.pool.settings import FundRule, Settings
from pointsman.records import Estimates, Floats, Ints
from pointsman.router import Snapshot
from pointsman.serve.duties import shadow_funds
from pointsman.serve.fitting import Learned, history_name
from pointsman.serve.journal_file import ModelTally
from pointsman.serve.scheme import CHARS_PER_TOKEN, Counting, Scheme, fund_table

RATIO_ANSWERS = 20.0  # one's own count of tokens stands for so many answers of a model's
UNSEEN_RATIO = 1.3  # how much more a model may count before its own counts are known
SEEN_RATIO = 1.1  # and after that: prompts differ (code, other scripts) from those seen
TYPICAL_TOKENS = 300.0  # a prompt, where no history says what comes


def build_scheme(
    settings: Settings,
    embedder: Embedder,
    learned: Learned | None,
    key_funds: Sequence[FundRule],
    tallies: Mapping[str, ModelTally],
    day: date,
    prices: Mapping[str, float] | None = None,
    forgotten: Mapping[str, float] | None = None,
    mix: Mix | None = None,
) -> Scheme:
    """What is in force.

    Args:
        learned: estimates from outcomes, None where there are none.
        key_funds: of the virtual keys.
        tallies: what answers added up to, by model.
        day: of the rates, UTC.
        prices: of funds, by name, as they stood; 0 for others.
        forgotten: from when on outcomes count, by the model's name in them; a fit made before that doesn't count.
        mix: the partition of the traffic.

    Raises:
        InputError: a fund of a key with the name of another fund.
    """
    funds = (*settings.funds, *key_funds, *shadow_funds(settings))
    names = [rule.name for rule in funds]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError("two funds have this name", place=f"fund {twice!r}", remedy="rename the one in the file")
    forgotten = forgotten or {}
    counting = _counting(settings, learned, tallies, forgotten)
    estimator = _estimator(settings, learned, tallies, counting.ratio, day, forgotten)
    table = fund_table(funds, settings.models)
    price = np.array([(prices or {}).get(name, 0.0) for name in names], np.float64)
    snapshot = Snapshot(embedder, estimator, table, Standing(), StandingState(price, table))
    fit = "" if learned is None else learned.fingerprint
    return Scheme(
        settings, snapshot, funds, counting, day, _typical(estimator, learned), _origin(settings, estimator), fit, mix
    )


def believed(
    settings: Settings,
    learned: Learned | None,
    tallies: Mapping[str, ModelTally],
    day: date,
    forgotten: Mapping[str, float],
) -> Estimates:
    """What is expected of queries that stand for what comes [R, M], without a scheme around it."""
    ratio = _counting(settings, learned, tallies, forgotten).ratio
    return _typical(_estimator(settings, learned, tallies, ratio, day, forgotten), learned)


def _known(learned: Learned | None, forgotten: Mapping[str, float]) -> tuple[str, ...]:
    """The models of a fit by their places in it, none's name where what the fit rests on is forgotten by now."""
    if learned is None:
        return ()
    since = learned.since
    stale = {name for name, at_s in forgotten.items() if since.get(name, 0.0) < at_s}
    return tuple(f"{name} (forgotten)" if name in stale else name for name in learned.estimator.models)


def _estimator(
    settings: Settings,
    learned: Learned | None,
    tallies: Mapping[str, ModelTally],
    ratio: Floats,
    day: date,
    forgotten: Mapping[str, float],
) -> Registered:
    models = settings.models
    ids = tuple(model.id for model in models)
    base = None if learned is None else learned.estimator
    known = _known(learned, forgotten)
    column = columns_of(tuple(_named_in(model, known) for model in models), known)
    costs = unit_costs(models, day)
    rating = Rating(costs.input, costs.output, costs.request, ratio)
    return Registered(ids, base, column, _prior(models, tallies, forgotten, *_recorded(learned, column)), rating)


def _named_in(model: Model, known: tuple[str, ...]) -> str:
    name = history_name(model)
    return name if name in known else ""


def _recorded(learned: Learned | None, column: Ints) -> tuple[Floats | None, Floats | None]:
    """Mean quality and answer length [M] of recorded models, NaN for the others: undeclared models are like them."""
    if learned is None:
        return None, None
    held_out = learned.held_out
    answers = np.maximum(0.0, held_out.tokens - learned.input_tokens[:, None])
    quality, length = (table.mean(axis=0).take(np.maximum(column, 0)) for table in (held_out.quality, answers))
    return np.where(column >= 0, quality, np.nan), np.where(column >= 0, length, np.nan)


def _prior(
    models: Sequence[Model],
    tallies: Mapping[str, ModelTally],
    forgotten: Mapping[str, float],
    quality: Floats | None,
    output_tokens: Floats | None,
) -> Prior:
    declared = declared_prior(
        [model.id for model in models],
        quality=[model.quality for model in models],
        tier=[model.tier for model in models],
        output_tokens=[model.output_tokens for model in models],
        known_quality=quality,
        known_output_tokens=output_tokens,
    )
    # What was declared was of the model before it changed: it is believed less.
    doubted = np.array([history_name(model) in forgotten for model in models], np.bool_)
    spread = np.where(doubted, np.maximum(declared.spread, TIER_SPREAD), declared.spread)
    return replace(declared, spread=spread).updated(
        [Tally(name, one.scored, one.score_sum, one.answered, one.output_tokens) for name, one in tallies.items()]
    )


def _counting(
    settings: Settings, learned: Learned | None, tallies: Mapping[str, ModelTally], forgotten: Mapping[str, float]
) -> Counting:
    """Token ratios from what upstreams reported, and answer lengths from history."""
    models = settings.models
    ratio, most = np.ones(len(models)), np.full(len(models), UNSEEN_RATIO)
    for i, model in enumerate(models):
        tally = tallies.get(model.id)
        if tally is not None and tally.input_chars > 0:
            # Our own count stands for some answers of this model's usual size, so a few odd ones don't rule.
            counted = tally.input_chars / CHARS_PER_TOKEN
            extra = counted / max(tally.answered, 1) * RATIO_ANSWERS
            ratio[i] = (tally.input_tokens + extra) / (counted + extra)
            most[i] = ratio[i] * (SEEN_RATIO if tally.answered >= RATIO_ANSWERS else UNSEEN_RATIO)
    if learned is None:
        return Counting(ratio, most, default_lengths(len(models)).factor)
    known = _known(learned, forgotten)
    column = columns_of(tuple(_named_in(model, known) for model in models), known)
    return Counting(ratio, most, learned.lengths.over(column).factor)


def _typical(estimator: Registered, learned: Learned | None) -> Estimates:
    """Estimates of what is likely to come: the history's sample, or one plain prompt."""
    if learned is None:
        return estimator.rated(None, np.array([TYPICAL_TOKENS]))
    return estimator.rated(learned.held_out, learned.input_tokens)


def _origin(settings: Settings, estimator: Registered) -> str:
    known = int((estimator.column >= 0).sum())
    if known == 0:
        return "declared tiers and qualities, and answers so far: no recorded outcomes"
    if known == len(settings.models):
        return f"recorded outcomes of all {known} models"
    return f"recorded outcomes of {known} of {len(settings.models)} models, declarations for the others"
