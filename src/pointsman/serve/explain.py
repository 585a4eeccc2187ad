"""Why this model, and what it cost: headers of an answer, the last chunk of a stream, the body of a decision.

Takes plans, attempts and balances; gives values for JSON and header lines. It names funds and models, never a key,
an address or a word of a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson

from pointsman.ledger.entries import Balance
from pointsman.records import Candidate
from pointsman.serve.attempt import Attempt
from pointsman.serve.client import Headers
from pointsman.serve.plan import Plan

NANO_DIGITS = 9
RATE_LIMITS = {
    "requests": (b"x-ratelimit-limit-requests", b"x-ratelimit-remaining-requests"),
    "tokens": (b"x-ratelimit-limit-tokens", b"x-ratelimit-remaining-tokens"),
}
MOST_EXPLAINED = 24  # models in the debug header; the rest are behind /v1/decisions


def usd(nano: int) -> str:
    """Nano-dollars as dollars, exact, without needless zeros."""
    whole, part = divmod(abs(nano), 10**NANO_DIGITS)
    text = f"{whole}.{part:0{NANO_DIGITS}d}".rstrip("0").rstrip(".")
    return f"-{text}" if nano < 0 else text


def answer_headers(plan: Plan, attempt: Attempt, balances: Mapping[str, Balance]) -> Headers:
    """What every answer carries; the cost where it is known before the answer is sent."""
    overhead_ms = sum(plan.stages_s.values()) * 1e3
    headers = [
        (b"x-pointsman-model", plan.scheme.models[attempt.column].id.encode()),
        (b"x-pointsman-decision-id", plan.decision_id.encode()),
        (b"x-pointsman-overhead-ms", f"{overhead_ms:.3f}".encode()),
    ]
    if attempt.settled:
        headers.append((b"x-pointsman-cost-usd", usd(attempt.cost_nano).encode()))
    headers += rate_limits(attempt, balances)
    if plan.query.wishes.debug:
        headers.append((b"x-pointsman-explanation", orjson.dumps(explanation(plan, MOST_EXPLAINED))))
    return headers


def rate_limits(attempt: Attempt, balances: Mapping[str, Balance]) -> Headers:
    """`x-ratelimit-*` of the tightest fund in requests and in tokens that the query drew on."""
    tightest: dict[str, Balance] = {}
    for line in attempt.held.lines:
        balance = balances.get(line.fund)
        if balance is not None and balance.unit in RATE_LIMITS:
            before = tightest.get(balance.unit)
            if before is None or balance.remaining < before.remaining:
                tightest[balance.unit] = balance
    found: Headers = []
    for unit, (limit, remaining) in RATE_LIMITS.items():
        if unit in tightest:
            found.append((limit, b"%d" % tightest[unit].amount))
            found.append((remaining, b"%d" % tightest[unit].remaining))
    return found


def cost_of(attempt: Attempt) -> dict[str, Any]:
    """What a settled attempt cost, for the last chunk of a stream."""
    plan = attempt.plan
    return {
        "decision_id": plan.decision_id,
        "model": plan.scheme.models[attempt.column].id,
        "cost_usd": usd(attempt.cost_nano),
        "cost_nano_usd": attempt.cost_nano,
        "usage_estimated": bool(attempt.usage and attempt.usage.estimated),
    }


def explanation(plan: Plan, most: int | None = None) -> dict[str, Any]:
    """The decision: who was chosen, why, and every candidate's part in it."""
    candidates = plan.candidates[: len(plan.candidates) if most is None else most]
    chosen = plan.ranked[0] if plan.ranked else None
    if plan.held is not None:
        chosen = plan.column
    return {
        "decision_id": plan.decision_id,
        "model": None if chosen is None else plan.scheme.models[chosen].id,
        "reason": plan.reason,
        "estimates_from": plan.scheme.origin,
        "input_tokens_counted": round(plan.input_tokens),
        "funds": fund_prices(plan),
        "candidates": [candidate_json(one) for one in candidates],
    }


def fund_prices(plan: Plan) -> list[dict[str, Any]]:
    """The funds that the query draws on and what a unit of each is worth now."""
    price = plan.scheme.snapshot.price
    return [
        {
            "fund": plan.scheme.funds[f].name,
            "unit": plan.scheme.funds[f].unit,
            "price": 0.0 if price is None else float(price[f]),
        }
        for f in sorted(plan.drawn)
    ]


def candidate_json(one: Candidate) -> dict[str, Any]:
    """One candidate's figures."""
    return {name: value if isinstance(value, str) else round(value, 9) for name, value in asdict(one).items()}


def balance_json(balances: Sequence[Balance], prices: Mapping[str, float]) -> list[dict[str, Any]]:
    """Funds as `/v1/funds` tells them: exact whole units, and dollars as exact text where they are money."""
    found = []
    for balance in balances:
        entry: dict[str, Any] = asdict(balance) | {"price": prices.get(balance.fund)}
        if balance.unit == "usd":
            for name in ("amount", "held", "spent", "remaining", "overrun"):
                entry[f"{name}_usd"] = usd(entry[name])
        found.append(entry)
    return found
