"""One decision of a gateway as its journal kept it, and the same decision made again by the same code.

Takes the plain values of a journal's row; gives a `Kept`, and from its recorded estimates, prices and knobs the order
to ask in, through `router.decide`: not a copy of the rule but the rule. Reads no file and needs
no configuration. A row of another version, without what is needed, is no decision that could be made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pointsman.decide.policies import View
from pointsman.decide.policies.standing import Standing, StandingState
from pointsman.decide.program import FundTable
from pointsman.decide.ranking import by_score, by_worth, within_cost
from pointsman.decide.terms import Terms
from pointsman.ledger.entries import Line, Option
from pointsman.records import UNITS, Estimates, Floats
from pointsman.router import decide


@dataclass(frozen=True, slots=True)
class Kept:
    """A decision as it was kept; M candidates, best score first, and F funds that it drew on.

    Attributes:
        id: of the decision.
        at_s: when the query came, Unix seconds.
        models: M ids.
        estimates: one row, [1, M]; costs less what a cached prompt saved.
        funds, price: F funds and what a unit of each was worth.
        money_price: how the query leaned.
        bonus, saved_usd: [M], what staying with a conversation was worth, in quality and in dollars.
        limit_usd: the most it was allowed to be expected to cost; None for no limit.
        scarcity: of the alias; None where the client named the model.
        ranked: the order to ask in, as places among the candidates.
        explored: whether chance chose the first of them.
        place: which of `ranked` was held for first.
        passed: what the ledger refused before that.
        asked: who was asked first.
        served: who answered; None where nobody did.
        propensity, score, cost_usd: as recorded; None where not known.
        beliefs: the name of the estimators that were in force; "" where they aren't kept.
        input_chars: of the prompt; 0 where they don't say its length.
    """

    id: str
    at_s: float
    models: tuple[str, ...]
    estimates: Estimates
    funds: FundTable
    price: Floats
    money_price: float
    bonus: Floats
    saved_usd: Floats
    limit_usd: float | None
    scarcity: str | None
    ranked: tuple[int, ...]
    explored: bool
    place: int
    passed: tuple[Option, ...]
    asked: str | None
    served: str | None
    propensity: float | None = None
    score: float | None = None
    cost_usd: float | None = None
    beliefs: str = ""
    input_chars: int = 0


def kept_of(row: Mapping[str, Any]) -> Kept | None:
    """A journal's row as a decision; None for one that doesn't hold what is needed to make it again."""
    basis, candidates = row.get("basis"), row.get("candidates")
    if not isinstance(basis, Mapping) or not candidates or not basis.get("ranked"):
        return None
    models = tuple(str(one["model"]) for one in candidates)
    figures = [np.array([[one[name] for one in candidates]]) for name in ("quality", "cost_usd", "tokens", "spread")]
    funds = _fund_table(basis["funds"], len(models))
    bonus, saved = np.zeros(len(models)), np.zeros(len(models))
    if (stays := basis.get("stays")) is not None and stays[0] >= 0:
        saved[stays[0]], bonus[stays[0]] = stays[1:]
    hops = row.get("hops") or ()
    return Kept(
        str(row["decision_id"]),
        row["at_ns"] / 1e9,
        models,
        Estimates(*figures),
        funds,
        np.array([price for _, price, _ in basis["funds"].values()], np.float64),
        float(basis.get("money", 0.0)),
        bonus,
        saved,
        basis.get("limit_usd"),
        basis["scarcity"],
        tuple(basis["ranked"]),
        "explored" in basis,
        int(basis["place"]),
        tuple(_option(one) for one in basis.get("passed", ())),
        str(hops[0]["model"]) if hops else None,
        row.get("model") if row.get("outcome") == "served" else None,
        row.get("propensity"),
        row.get("score"),
        row["cost_nano"] / 1e9,
        str(basis.get("beliefs", "")),
        int(row.get("input_chars", 0)),
    )


def _fund_table(funds: Mapping[str, Sequence[Any]], models: int) -> FundTable:
    draws = np.ones((len(funds), models), np.bool_)
    for f, (_, _, who) in enumerate(funds.values()):
        if who is not None:
            draws[f] = np.isin(np.arange(models), who)
    units = np.array([UNITS.index(unit) for unit, _, _ in funds.values()], np.int64)
    return FundTable(tuple(funds), np.full(len(funds), np.inf), units, draws)


def _option(passed: Sequence[Any]) -> Option:
    return Option(passed[0], tuple(Line(fund, amount) for fund, amount in passed[1]))


def ranked_again(kept: Kept) -> list[int]:
    """The order to ask in, as places among the candidates, from what was recorded and nothing else."""
    models, funds = len(kept.models), len(kept.funds)
    unlimited = np.full(funds, np.inf)
    view = View(kept.estimates, unlimited, 0, 0.0, np.ones(models, np.bool_), np.ones(models))
    money = np.array([kept.money_price]) if kept.money_price else None
    bonus = kept.bonus[None, :] if kept.bonus.any() else None
    terms = Terms(np.ones((1, models), np.bool_), None, money, None, bonus)
    _, scores, _ = decide(Standing(), StandingState(kept.price, kept.funds), view, kept.funds, terms=terms)
    return order_of(kept, scores[0], kept.estimates.cost_usd[0], kept.bonus)


def order_of(kept: Kept, scores: Floats, cost_usd: Floats, bonus: Floats) -> list[int]:
    """The order to ask in, as places among the models that scores, costs and bonus [M] are of."""
    order = by_score(scores)
    if kept.scarcity is None:
        return order
    worth = scores + kept.money_price * cost_usd - bonus
    cheapest = kept.scarcity == "serve-cheapest"
    ranked, _ = by_worth(worth, cost_usd, within_cost(kept.limit_usd, cost_usd, order), serve_cheapest=cheapest)
    return ranked


def same_order(kept: Kept) -> bool:
    """Whether the rule, asked again, gives the order that was recorded; what chance put first is taken as drawn."""
    found = ranked_again(kept)
    if kept.explored:
        first = kept.ranked[0]
        found = [first, *(i for i in found if i != first)]
    return tuple(found) == kept.ranked
