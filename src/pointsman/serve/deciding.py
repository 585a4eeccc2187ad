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
from dataclasses import replace

import numpy as np

from pointsman.decide.ranking import by_worth, within_cost
from pointsman.decide.terms import Terms
from pointsman.records import REASONS, Estimates, Floats, Mask, Prompts
from pointsman.router import Moment, embed, route
from pointsman.serve.admission import Asked
from pointsman.serve.exploring import Explorer
from pointsman.serve.plan import Candidates, Leans, Plan
from pointsman.serve.scheme import NANO, UNKNOWN_LENGTH, Scheme
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.query import Query

# Ids need to differ, between workers too, and nothing more: what belongs to a key is shown to that key alone.
_LOTS = random.Random(secrets.token_bytes(32))  # noqa: S311

LEAST_CEILING = 64

Recall = Callable[[str, Query], tuple[str, int] | None]
Witness = Callable[[Estimates, list[tuple[int, ...]], Mask], None]


def decided(
    scheme: Scheme,
    batch: Sequence[Asked],
    recall: Recall,
    witness: Witness | None,
    explorer: Explorer | None = None,
) -> list[Plan]:
    """Plans for a batch under one scheme; nothing is held yet.

    Args:
        recall: the model and input tokens of the conversation that a query continues.
        witness: told of the batch's estimates, funds and allowed models, where these queries are traffic.
        explorer: lets chance choose now and then; None where the first choice is nobody's propensity.

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
        _tell(witness, scheme, batch, estimates)
    took = (time.perf_counter() - begun) / len(batch)
    ceilings = _ceilings(scheme, batch, estimates, prompts)
    worth = scores if terms.money_price is None else scores + terms.money_price[:, None] * estimates.cost_usd
    worth = worth if terms.bonus is None else worth - terms.bonus
    plans = [
        _plan(asked, scheme, estimates, scores, worth[j], j, int(choices.reason[j]), ceilings[j], took, terms)
        for j, asked in enumerate(batch)
    ]
    if scheme.mix is not None:
        for plan, part in zip(plans, scheme.mix.parts(prompts.vectors).tolist(), strict=True):
            plan.part = part
    if explorer is not None:
        for j, (asked, plan) in enumerate(zip(batch, plans, strict=True)):
            _explore(explorer, asked, plan, estimates, j)
    return plans


def _explore(explorer: Explorer, asked: Asked, plan: Plan, estimates: Estimates, j: int) -> None:
    """Lets chance have its share of the first choice, and notes with which probability it was made."""
    if asked.alias is None or not plan.ranked:
        return
    eligible: list[int] = []
    if explorer.rate and plan.leans.stays is None and "embeddings" not in asked.query.needs:
        within = _within_cost(plan.leans.limit_usd, estimates.cost_usd[j], plan.candidates.order.tolist())
        eligible = explorer.payable(plan.scheme, plan.drawn, estimates, j, within)
    first = explorer.draw(plan.ranked[0], eligible)
    plan.propensity = first.propensity
    if first.explored:
        plan.ranked = [first.column, *(i for i in plan.ranked if i != first.column)]
        plan.leans = replace(plan.leans, explored=(explorer.rate, len(eligible)))
        plan.reason = "explored"


def _tell(witness: Witness, scheme: Scheme, batch: Sequence[Asked], estimates: Estimates) -> None:
    """The batch as traffic that prices are solved for; who asks a model that doesn't serve is no such traffic."""
    allowed = np.stack([asked.allowed for asked in batch])
    if scheme.all_serve:
        witness(estimates, [asked.drawn for asked in batch], allowed)
        return
    rows = np.flatnonzero((allowed & scheme.serving).any(axis=1))
    if len(rows):
        witness(estimates.take(rows), [batch[j].drawn for j in rows.tolist()], allowed[rows])


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
    terms: Terms,
) -> Plan:
    order = np.argsort(-scores[j], kind="stable")
    order = order[np.isfinite(scores[j, order])]
    # Costs rank too where a knob leans on money, so an order by score is the order to ask in.
    leans = _leans(asked, terms, j)
    ranked, why = _ranked(asked, leans.limit_usd, estimates.cost_usd[j], worth, order.tolist())
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
        leans=leans,
    )


def _leans(asked: Asked, terms: Terms, j: int) -> Leans:
    stays = None
    if terms.bonus is not None and terms.saved_usd is not None:
        there = np.flatnonzero(terms.bonus[j] + terms.saved_usd[j])  # at most the one model it was with
        if len(there):
            i = int(there[0])
            stays = (i, float(terms.saved_usd[j, i]), float(terms.bonus[j, i]))
    return Leans(
        0.0 if terms.money_price is None else float(terms.money_price[j]),
        stays,
        _limit_usd(asked),
        None if asked.alias is None else asked.alias.scarcity,
    )


def _ranked(
    asked: Asked, limit_usd: float | None, cost_usd: Floats, worth: Floats, order: list[int]
) -> tuple[list[int], str]:
    """The columns that may be asked, in order, and the reason where it isn't the score's."""
    if asked.alias is None:
        return order, "named"
    order = _within_cost(limit_usd, cost_usd, order)
    cheapest = asked.alias.scarcity == "serve-cheapest"
    ranked, good = by_worth(worth, cost_usd, order, serve_cheapest=cheapest)
    if cheapest:
        return ranked, "" if good else "cheapest_payable"
    if not good and asked.alias.scarcity == "decline":
        raise Refusal(
            "not_worth_it",
            "At today's prices no model is worth what it would take from other queries.",
            code="not_worth_it",
            retry_after_s=30,
        )
    return ranked, ""


def _new_id() -> str:
    """Unique, and growing with time so that the ledger's index stays compact."""
    return f"dec_{time.time_ns() // 1_000_000:012x}{_LOTS.getrandbits(48):012x}"


def _limit_usd(asked: Asked) -> float | None:
    """The request's and the alias's limit of the expected cost, the smaller one; a model by name has none."""
    if asked.alias is None:
        return None
    limits = [limit for limit in (asked.query.wishes.max_cost_nano, asked.alias.max_cost_nano) if limit is not None]
    return min(limits) / NANO if limits else None


def _within_cost(most: float | None, cost_usd: Floats, order: list[int]) -> list[int]:
    """The columns whose expected cost is within the limit."""
    within = within_cost(most, cost_usd, order)
    if not within and most is not None:
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
