"""Scores and balances -> who serves each query. The last step of every decision, live or replayed.

Takes scores [Q, M], what each (query, model) would draw, and what the funds have left; gives the chosen model of
each query and why. Queries are taken in order: each one's draw is off the balance before the next one is looked at,
so a batch can't spend the same money twice. It never lets a balance fall below zero. It knows nothing of prices,
estimates or text, and it doesn't wait: a query that nobody takes is declined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numba
import numpy as np

from pointsman.decide.program import TOKENS, USD, Amounts, FundTable
from pointsman.decide.terms import Drawn, drawn_by_all, unit_tables
from pointsman.errors import InputError
from pointsman.records import REASONS, Floats, Ints, Mask

BEST, BEST_PAYABLE, CHEAPEST_PAYABLE, NOTHING_PAYABLE, NOT_WORTH_IT, LOST = range(len(REASONS))

Scarcity = Literal["decline", "serve-cheapest"]


@dataclass(frozen=True, slots=True)
class Choices:
    """Who serves each of Q queries.

    Attributes:
        model: int [Q], the column of the chosen model, -1 for nobody.
        reason: int [Q], a position in `records.REASONS`. LOST means that a model was chosen without asking whether it
            could be paid, and it couldn't: the query earns nothing and costs nothing (PORT's rule).
        remaining: float [F], what the funds have left after these queries.
    """

    model: Ints
    reason: Ints
    remaining: Floats


def choose(
    scores: Floats,
    held: Amounts,
    funds: FundTable,
    remaining: Floats,
    *,
    posted: Amounts | None = None,
    open_models: Mask | None = None,
    ask_first: bool = True,
    floor: float = 0.0,
    scarcity: Scarcity = "decline",
    worth: Floats | None = None,
    drawn: Drawn | None = None,
) -> Choices:
    """Gives each query, in order, to the best-scored model that its funds can pay.

    Args:
        scores: [Q, M]; -inf forbids a model.
        held: what a query is expected to draw, in every unit of the funds; asked of the funds first.
        funds: the funds in force.
        remaining: [F] what each has left.
        posted: what a query really draws, known at once in a replay; `held` where it is None.
        open_models: [M] False for a model that is out; asking first passes it over, else the query is lost.
        ask_first: False is PORT's rule: take the best score blindly and lose the query if it can't be paid.
        floor: what a model is worth must be above it.
        scarcity: what to do for a query that no model is worth: decline it, or take the cheapest that can be paid
            (in dollars, so `held` must tell them).
        worth: [Q, M] what a model is worth to a query, where that is not what models are ranked by; else `scores`.
        drawn: the funds that each query can draw on; all of them where it is None.
    """
    if scarcity == "serve-cheapest" and held.usd is None:
        raise InputError("no dollar amounts are given", place="scarcity serve-cheapest", remedy="pass `usd` in `held`")
    left = np.array(remaining, dtype=np.float64)
    chosen = np.empty(scores.shape[0], dtype=np.int64)
    reason = np.empty(scores.shape[0], dtype=np.int64)
    is_open = np.ones(scores.shape[1], dtype=np.bool_) if open_models is None else open_models
    ranks = np.ascontiguousarray(scores, dtype=np.float64)
    paying = drawn_by_all(len(funds), len(ranks)) if drawn is None else drawn
    asked = unit_tables(held)
    _choose(
        ranks,
        ranks if worth is None else np.ascontiguousarray(worth, dtype=np.float64),
        *asked,
        *(asked if posted is None else unit_tables(posted)),
        funds.unit,
        funds.draws,
        paying.group,
        paying.starts,
        paying.rows,
        is_open,
        left,
        chosen,
        reason,
        ask_first,
        floor,
        scarcity == "serve-cheapest",
    )
    return Choices(chosen, reason, left)


# The kernels below keep the interpreter's lock: they take microseconds in the thread that decides, and getting the
# lock back from a thread that solves prices could take longer than that.


@numba.njit(cache=True)
def _amount(usd, tokens, unit, j, i):  # type: ignore[no-untyped-def]
    if unit == USD:
        return usd[j, i]
    if unit == TOKENS:
        return tokens[j, i]
    return 1.0


@numba.njit(cache=True)
def _payable(usd, tokens, unit, draws, rows, first, last, left, j, i):  # type: ignore[no-untyped-def]
    for at in range(first, last):
        f = rows[at]
        if draws[f, i] and _amount(usd, tokens, unit[f], j, i) > left[f]:
            return False
    return True


@numba.njit(cache=True)
def _pick(  # type: ignore[no-untyped-def]
    scores, worth, usd, tokens, unit, draws, rows, first, last, is_open, left, j, ask_first, floor, cheapest
):
    """The chosen column (-1 for nobody) and the reason, for query j."""
    best, best_score, top_score, cheap, cheap_cost = -1, -np.inf, -np.inf, -1, np.inf
    for i in range(scores.shape[1]):
        score = scores[j, i]
        if score == -np.inf:
            continue
        worthy = worth[j, i] > floor
        if worthy:
            top_score = max(top_score, score)
        wanted = worthy and score > best_score
        bargain = cheapest and usd[j, i] < cheap_cost
        if not (wanted or bargain):
            continue
        if ask_first and not (is_open[i] and _payable(usd, tokens, unit, draws, rows, first, last, left, j, i)):
            continue
        if wanted:
            best, best_score = i, score
        if bargain:
            cheap, cheap_cost = i, usd[j, i]
    if best >= 0:
        return best, BEST if best_score == top_score else BEST_PAYABLE
    if cheap >= 0:
        return cheap, CHEAPEST_PAYABLE
    return -1, NOTHING_PAYABLE if top_score > -np.inf else NOT_WORTH_IT


@numba.njit(cache=True)
def _choose(  # type: ignore[no-untyped-def]
    scores,
    worth,
    usd,
    tokens,
    true_usd,
    true_tokens,
    unit,
    draws,
    group,
    starts,
    rows,
    is_open,
    left,
    chosen,
    reason,
    ask_first,
    floor,
    cheapest,
):
    for j in range(scores.shape[0]):
        first, last = starts[group[j]], starts[group[j] + 1]
        i, why = _pick(
            scores, worth, usd, tokens, unit, draws, rows, first, last, is_open, left, j, ask_first, floor, cheapest
        )
        if i >= 0 and not (is_open[i] and _payable(true_usd, true_tokens, unit, draws, rows, first, last, left, j, i)):
            i, why = -1, LOST
        chosen[j] = i
        reason[j] = why
        if i >= 0:
            for at in range(first, last):
                f = rows[at]
                if draws[f, i]:
                    left[f] -= _amount(true_usd, true_tokens, unit[f], j, i)
