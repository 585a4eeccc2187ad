"""The one rule, for a batch of queries: estimated, scored at the prices in force, ranked. No I/O, and nothing is held.

Takes admitted queries under one scheme; gives a `Plan` for each: who may be asked, in which order, and how long an
answer may get on each of them. The score is `router.route`'s; the scarcity policy says what follows the models that
are worth their price.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Sequence

import numpy as np

from pointsman.decide.terms import Terms
from pointsman.records import REASONS, Estimates, Floats, Mask, Prompts
from pointsman.router import Moment, embed, route
from pointsman.serve.admission import Asked
from pointsman.serve.plan import Candidates, Plan
from pointsman.serve.scheme import NANO, UNKNOWN_LENGTH, Scheme
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.query import Query

# Ids need to differ, between workers too, and nothing more: what belongs to a key is shown to that key alone.
_LOTS = random.Random(secrets.token_bytes(32))  # noqa: S311

LEAST_CEILING = 64

Recall = Callable[[str, Query], tuple[str, int] | None]
Witness = Callable[[Estimates, list[tuple[int, ...]], Mask], None]


def decided(scheme: Scheme, batch: Sequence[Asked], recall: Recall, witness: Witness | None) -> list[Plan]:
    """Plans for a batch under one scheme; nothing is held yet.

    Args:
        recall: the model and input tokens of the conversation that a query continues.
        witness: told of the batch's estimates, funds and allowed models, where these queries are traffic.

    Raises:
        Refusal: one of the queries is worth no model's price, or costs more than it may.
    """
    begun = time.perf_counter()
    prompts = embed(
        [asked.query.text for asked in batch],
        scheme.snapshot.embedder,
        np.array([asked.input_tokens for asked in batch]),
    )
    terms = _terms(scheme, batch, recall)
    unlimited = np.full(len(scheme.funds), np.inf)  # the ledger says what can be paid, exactly, when it is held
    choices, estimates, scores, _ = route(prompts, scheme.snapshot, unlimited, Moment(0, 0.0), terms=terms)
    if witness is not None:
        witness(estimates, [asked.drawn for asked in batch], np.stack([asked.allowed for asked in batch]))
    took = (time.perf_counter() - begun) / len(batch)
    ceilings = _ceilings(scheme, batch, estimates, prompts)
    worth = scores if terms.money_price is None else scores + terms.money_price[:, None] * estimates.cost_usd
    worth = worth if terms.bonus is None else worth - terms.bonus
    return [
        _plan(asked, scheme, estimates, scores, worth[j], j, int(choices.reason[j]), ceilings[j], took)
        for j, asked in enumerate(batch)
    ]


def _terms(scheme: Scheme, batch: Sequence[Asked], recall: Recall) -> Terms:
    """What differs by query: who may serve it, which funds it draws on, its own price on money, where it stays."""
    shape = (len(batch), len(scheme.models))
    money, saved, bonus = np.zeros(len(batch)), None, None
    for j, asked in enumerate(batch):
        money[j] = _money_price(scheme, asked)
        if asked.alias is None or (asked.query.turns < 2 and asked.query.wishes.session is None):
            continue
        stays = recall(asked.principal.key_id, asked.query)
        if stays is not None and stays[0] in scheme.column:
            saved = np.zeros(shape) if saved is None else saved
            bonus = np.zeros(shape) if bonus is None else bonus
            i = scheme.column[stays[0]]
            saved[j, i] = scheme.saved_usd(i, min(stays[1], asked.input_tokens))
            bonus[j, i] = scheme.settings.routing.stay_margin
    allowed = np.stack([asked.allowed for asked in batch])
    return Terms(allowed, tuple(asked.drawn for asked in batch), money if money.any() else None, saved, bonus)


def _money_price(scheme: Scheme, asked: Asked) -> float:
    wish = asked.query.wishes.trade_off
    own = wish if wish is not None else asked.alias.trade_off if asked.alias is not None else None
    return 0.0 if own is None else scheme.trade_off_price(own)


def _plan(
    asked: Asked,
    scheme: Scheme,
    estimates: Estimates,
    scores: Floats,
    worth: Floats,
    j: int,
    reason: int,
    ceilings: list[int],
    took: float,
) -> Plan:
    order = np.argsort(-scores[j], kind="stable")
    order = order[np.isfinite(scores[j, order])]
    # Costs rank too where a knob leans on money, so an order by score is the order to ask in.
    ranked, why = _ranked(asked, estimates.cost_usd[j], worth, order.tolist())
    return Plan(
        _new_id(),
        asked.query,
        scheme,
        asked.principal.key_id,
        why or REASONS[reason],
        ranked,
        frozenset(asked.drawn),
        asked.input_tokens,
        ceilings,
        Candidates(scheme.snapshot.models, estimates, scores, j, order),
        stages_s={"decide": took},
    )


def _ranked(asked: Asked, cost_usd: Floats, worth: Floats, order: list[int]) -> tuple[list[int], str]:
    """The columns that may be asked, in order, and the reason where it isn't the score's."""
    if asked.alias is None:
        return order, "named"
    order = _within_cost(asked, cost_usd, order)
    good = [i for i in order if worth[i] > 0.0]
    if asked.alias.scarcity == "serve-cheapest":
        rest = sorted((i for i in order if worth[i] <= 0.0), key=lambda i: float(cost_usd[i]))
        return good + rest, "" if good else "cheapest_payable"
    if not good and asked.alias.scarcity == "decline":
        raise Refusal(
            "not_worth_it",
            "At today's prices no model is worth what it would take from other queries.",
            code="not_worth_it",
            retry_after_s=30,
        )
    return good, ""


def _new_id() -> str:
    """Unique, and growing with time so that the ledger's index stays compact."""
    return f"dec_{time.time_ns() // 1_000_000:012x}{_LOTS.getrandbits(48):012x}"


def _within_cost(asked: Asked, cost_usd: Floats, order: list[int]) -> list[int]:
    """The columns whose expected cost is within the request's and the alias's limits."""
    own = asked.query.wishes.max_cost_nano, asked.alias.max_cost_nano if asked.alias else None
    limits = [limit for limit in own if limit is not None]
    if not limits:
        return order
    most = min(limits) / NANO
    within = [i for i in order if cost_usd[i] <= most]
    if not within:
        raise Refusal(
            "budget_exceeded",
            f"No model is expected to answer this for at most {most:.6f} USD.",
            param="max_cost_usd",
            code="max_cost",
        )
    return within


def _ceilings(scheme: Scheme, batch: Sequence[Asked], estimates: Estimates, prompts: Prompts) -> list[list[int]]:
    """How long answers may get, in tokens over all choices, by query and column."""
    expected = np.maximum(0.0, estimates.tokens - prompts.input_tokens[:, None] * scheme.counting.ratio)
    quantile = np.maximum(expected * scheme.counting.ceiling, LEAST_CEILING)
    most = scheme.longest
    table = np.ceil(np.minimum(quantile, most)).astype(np.int64).tolist()
    return [_within_limit(scheme, asked.query, row, most) for asked, row in zip(batch, table, strict=True)]


def _within_limit(scheme: Scheme, query: Query, row: list[int], most: list[int]) -> list[int]:
    if "embeddings" in query.needs:
        return [0] * len(row)
    rule, limit = scheme.settings.routing.ceiling, query.max_output_tokens
    if limit is not None:
        row = [min(each, limit) for each in row] if rule == "quantile" else [min(limit, each) for each in most]
    elif rule == "model":
        row = [one if one < UNKNOWN_LENGTH else each for one, each in zip(most, row, strict=True)]
    return [each * query.choices for each in row]
