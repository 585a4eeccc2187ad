"""Extraction: facts of a short text as JSON with given keys; later corrections and normal forms in the harder ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from numpy.random import Generator

from pointsman.pool.graders.grade import Reply
from pointsman.pool.probes.drafts import Draft, Template, between, joined, one, some
from pointsman.pool.probes.phrases import names_of, phrases, say

SKILL = "extraction"


def _schema(value: Any) -> dict[str, Any]:
    """The JSON Schema that a value has: types, and every key of an object."""
    if isinstance(value, Mapping):
        shape = {key: _schema(inner) for key, inner in value.items()}
        return {"type": "object", "properties": shape, "required": list(shape), "additionalProperties": False}
    if isinstance(value, list):
        return {"type": "array", "items": _schema(value[0])}
    return {"type": {bool: "boolean", int: "integer", str: "string", type(None): "null"}[type(value)]}


def _asked(prompt: str, right: Mapping[str, Any], wrong: Mapping[str, Any], tokens: int, loose: bool = False) -> Draft:
    grader = {"kind": "json", "schema": _schema(right), "equals": right, "unordered": loose}
    replies = [Reply(json.dumps(value, ensure_ascii=False)) for value in (right, wrong)]
    return Draft(prompt, grader, replies[0], replies[1], tokens)


def person(rng: Generator, language: str) -> Draft:
    """Name, town and age of one person."""
    who, town, age = one(rng, names_of(language)), one(rng, _towns(language)), between(rng, 19, 68)
    told = say("extraction.person", language, name=who, town=town, age=age)
    right = {"name": who, "city": town, "age": age}
    return _asked(
        joined(told, say("extraction.ask", language, keys="name, city, age"), language), right, {"name": who}, 64
    )


def _towns(language: str) -> Sequence[str]:
    towns: Mapping[str, Sequence[str]] = phrases()["towns"]
    return towns.get(language, towns["en"])


def order(rng: Generator, language: str) -> Draft:
    """An order's number, its lines and the day as YYYY-MM-DD."""
    goods: Sequence[str] = phrases()["countable"][language]
    first, second = some(rng, goods, 2)
    day = date(between(rng, 2024, 2026), between(rng, 1, 12), between(rng, 2, 28))
    code, counts = f"{one(rng, 'ABCDEF')}-{between(rng, 1000, 9999)}", (between(rng, 2, 9), between(rng, 2, 9))
    names: Sequence[str] = phrases()["months"][language]
    told = say(
        *("extraction.order", language),
        **{"code": code, "n": counts[0], "first": first, "m": counts[1], "second": second},
        **{"day": day.day, "month": names[day.month - 1], "year": day.year},
    )
    lines = [{"item": first, "count": counts[0]}, {"item": second, "count": counts[1]}]
    right = {"order": code, "delivery": day.isoformat(), "items": lines}
    wrong = {"order": code, "delivery": str(day.year), "items": lines[:1]}
    return _asked(joined(told, say("extraction.order_ask", language), language), right, wrong, 128, loose=True)


def booking(rng: Generator, language: str) -> Draft:
    """A message that corrects itself and holds what isn't asked for; what isn't said is null."""
    start, end, via = some(rng, _towns(language), 3)
    seats, more, extra = between(rng, 2, 4), between(rng, 1, 3), between(rng, 12, 40)
    hour, minute = between(rng, 6, 10), one(rng, (5, 20, 35, 50))
    told = say(
        *("extraction.booking", language),
        **{"start": start, "end": end, "via": via, "seats": seats, "more": seats + more, "bags": extra},
        **{"hour": hour, "minute": f"{minute:02d}", "name": one(rng, names_of(language))},
    )
    right = {"from": start, "to": end, "seats": seats + more, "departure": f"{hour + 12}:{minute:02d}", "phone": None}
    wrong = {"from": start, "to": via, "seats": seats, "departure": f"{hour}:{minute:02d}", "phone": ""}
    return _asked(f"{told}\n\n{say('extraction.booking_ask', language)}", right, wrong, 128)


def ledger(rng: Generator, language: str) -> Draft:
    """Payments in a note, some of them cancelled: per person, in cents, with how many."""
    people = some(rng, names_of(language), 3)
    entries = [(one(rng, people), between(rng, 105, 2_995)) for _ in range(7)]
    entries += [(who, between(rng, 105, 995)) for who in people]
    dropped = between(rng, 1, 5)
    notes = [f"{index}. {who} paid {cents // 100}.{cents % 100:02d}" for index, (who, cents) in enumerate(entries, 1)]
    kept = [entry for index, entry in enumerate(entries, 1) if index != dropped]
    sums = [_summed(who, kept) for who in sorted(people)]
    prompt = (
        "Payments in euros:\n" + "\n".join(notes) + f"\nNumber {dropped} was a mistake and does not count.\n\n"
        'Return a JSON object {"people": [{"name": string, "payments": integer, "cents": integer}]} with one entry '
        "for each person, sorted by name, with the number of payments and their sum in cents. Return JSON alone."
    )
    return _asked(prompt, {"people": sums}, {"people": sums[:1]}, 192)


def _summed(who: str, entries: Sequence[tuple[str, int]]) -> dict[str, str | int]:
    own = [cents for name, cents in entries if name == who]
    return {"name": who, "payments": len(own), "cents": sum(own)}


TEMPLATES = (
    Template("person", SKILL, "easy", "en en de fr es it pt nl zh ja", person),
    Template("order", SKILL, "medium", "en en en de fr es", order),
    Template("booking", SKILL, "hard", "en en en de", booking),
    Template("ledger", SKILL, "hard", "en en en", ledger),
)
