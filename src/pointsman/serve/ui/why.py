"""Why each model of a decision was taken or not, in one sentence, and what its charge is made of.

Takes a decision as the journal keeps it, or as it was made a moment ago (`again.basis` says the same of both), and
gives what the dashboard shows of every candidate. Pure: it looks nothing up and decides nothing. Where the journal is
of an older version and says too little, it says less and guesses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NINETY = 1.645  # standard errors on each side of a 90 % interval
TRADE_OFF, STAYING = "trade-off", "staying with the conversation"
LEAST_TOLD = 5e-4  # a smaller difference is none to three decimals


@dataclass(frozen=True, slots=True)
class Case:
    """One decision.

    Attributes:
        candidates: best score first: model, quality, spread, cost_usd, tokens, charge, score.
        basis: what it rested on, see `again.basis`; empty where that isn't known.
        chosen: who answered, else who would have been asked first; None for nobody.
        faults: by model, why an upstream that was asked didn't answer.
    """

    candidates: Sequence[Mapping[str, Any]]
    basis: Mapping[str, Any] = field(default_factory=dict)
    chosen: str | None = None
    faults: Mapping[str, str] = field(default_factory=dict)

    @property
    def winner(self) -> Mapping[str, Any] | None:
        """The chosen one's figures."""
        return next((one for one in self.candidates if one["model"] == self.chosen), None)


def candidates_json(case: Case) -> list[dict[str, Any]]:
    """Every candidate as the page shows it, in the order given."""
    return [_candidate(case, place) for place in range(len(case.candidates))]


def outsiders_json(models: Sequence[str], case: Case, reasons: Mapping[str, str]) -> list[dict[str, Any]]:
    """The models that were no candidates at all: no figures, and why.

    Args:
        models: of the configuration.
        case: the decision.
        reasons: by model, where more is known than that.
    """
    inside = {one["model"] for one in case.candidates}
    blank = dict.fromkeys(("quality", "spread", "cost_usd", "tokens", "charge", "score", "low", "high"))
    plain = "Not allowed: the query, its key or its alias left it out, or it wasn't serving then."
    return [
        {"model": model, **blank, "why": reasons.get(model, plain), "parts": []}
        for model in models
        if model not in inside
    ]


def funds_json(basis: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The funds that a query drew on, and their prices then."""
    return [{"fund": name, "unit": unit, "price": price} for name, (unit, price, _) in _funds(basis).items()]


def parts_of(candidate: Mapping[str, Any], place: int, basis: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a candidate's charge is the sum of: price times amount by fund, and how the query leaned.

    Args:
        candidate: its figures.
        place: among the candidates, best score first.
    """
    amount = {"usd": candidate["cost_usd"], "tokens": candidate["tokens"], "requests": 1.0}
    parts = [
        {"fund": name, "unit": unit, "price": price, "charge": price * (amount[unit] or 0.0)}
        for name, (unit, price, who) in _funds(basis).items()
        if who is None or place in who
    ]
    money = basis.get("money", 0.0)
    if money:
        parts.append({"fund": TRADE_OFF, "unit": "usd", "price": money, "charge": money * (amount["usd"] or 0.0)})
    bonus = _bonus(place, basis)
    if bonus:
        parts.append({"fund": STAYING, "unit": "requests", "price": -bonus, "charge": -bonus})
    return parts


def _candidate(case: Case, place: int) -> dict[str, Any]:
    one = case.candidates[place]
    quality, spread = one.get("quality"), one.get("spread")
    low = high = None
    if quality is not None and spread is not None:
        low, high = max(0.0, quality - NINETY * spread), min(1.0, quality + NINETY * spread)
    figures = {name: one.get(name) for name in ("quality", "spread", "cost_usd", "tokens", "charge", "score")}
    return {
        "model": one["model"],
        **figures,
        "low": low,
        "high": high,
        "why": _why(case, place),
        "parts": parts_of(one, place, case.basis),
    }


def _funds(basis: Mapping[str, Any]) -> Mapping[str, Sequence[Any]]:
    found: Mapping[str, Sequence[Any]] = basis.get("funds") or {}
    return found


def _bonus(place: int, basis: Mapping[str, Any]) -> float:
    stays = basis.get("stays")
    return float(stays[2]) if stays is not None and stays[0] == place else 0.0


def _why(case: Case, place: int) -> str:
    """The first of the reasons that applies, in the order in which a query meets them."""
    one = case.candidates[place]
    model = one["model"]
    if model == case.chosen:
        return "chosen"
    if model in case.faults:
        return f"It was asked and failed: {case.faults[model].replace('_', ' ')}."
    refused = next((lines for key, lines in case.basis.get("passed", ()) if key == model), None)
    if refused is not None:
        return _refused([fund for fund, _ in refused])
    limit = case.basis.get("limit_usd")
    if limit is not None and (one.get("cost_usd") or 0.0) > limit:
        return f"It is expected to cost ${one['cost_usd']:.6f}, above the query's limit of ${limit:.6f}."
    if _worth(one, place, case.basis) <= 0.0 and case.basis.get("scarcity") is not None:
        return _not_worth(case)
    return _compared(case, one)


def _refused(funds: Sequence[str]) -> str:
    if not funds:
        return "The ledger could not hold for it."
    if len(funds) == 1:
        return f"Refused by fund {funds[0]}: it could not pay for it."
    return f"Refused: one of the funds {', '.join(funds)} could not pay for it."


def _worth(one: Mapping[str, Any], place: int, basis: Mapping[str, Any]) -> float:
    """Quality less the funds' charges alone: what says whether a model is to serve at all."""
    lean = basis.get("money", 0.0) * (one.get("cost_usd") or 0.0)
    return float((one.get("score") or 0.0) + lean - _bonus(place, basis))


def _not_worth(case: Case) -> str:
    winner = case.winner
    if winner is not None and _worth(winner, list(case.candidates).index(winner), case.basis) <= 0.0:
        return "No model was worth its price; the cheapest was asked first, and this one costs more."
    return "Not worth its price: its charge is above its quality."


def _compared(case: Case, one: Mapping[str, Any]) -> str:
    winner = case.winner
    if winner is None or one.get("score") is None or winner.get("score") is None:
        return "Nobody answered." if case.chosen is None else "Another model answered."
    gap = winner["score"] - one["score"]
    if "explored" in case.basis and case.basis.get("ranked", [0])[0] != 0 and gap < 0.0:
        return f"Chance chose another model, to learn; this one scored {-gap:.3f} more."
    if gap < -LEAST_TOLD:
        return f"It scored {-gap:.3f} more, but could not be asked when it was its turn."
    if gap < LEAST_TOLD:
        return "It scored the same; the first of equal ones is taken."
    return _gap_text(gap, winner["quality"] - one["quality"], (one["charge"] or 0.0) - (winner["charge"] or 0.0))


def _gap_text(gap: float, worse: float, dearer: float) -> str:
    """Where a lower score comes from: quality that is lower by so much, a charge that is higher by so much."""
    lead = f"It scored {gap:.3f} less"
    if worse > LEAST_TOLD and dearer > LEAST_TOLD:
        return f"{lead}: {worse:.3f} lower quality, and a charge {dearer:.3f} higher."
    if dearer > LEAST_TOLD:
        tail = f", more than its {-worse:.3f} better quality is worth" if worse < -LEAST_TOLD else ""
        return f"{lead}: dearer, its charge is {dearer:.3f} higher{tail}."
    tail = f", more than its {-dearer:.3f} lower charge makes up for" if dearer < -LEAST_TOLD else ""
    return f"{lead}: its quality is {worse:.3f} lower{tail}."
