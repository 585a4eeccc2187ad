"""The `rates` of a model: `free`, one mapping, or a dated list; left out, those of genai-prices.

All in US dollars per million tokens, exact, `request` in US dollars per call. A rate that depends on the prompt's
length is a list of `{from: tokens, usd: rate}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from pointsman.pool.cards import Rates, Step
from pointsman.pool.config_nodes import Entry
from pointsman.pool.config_values import day, exact, whole
from pointsman.pool.rates import ALWAYS, FREE, known_rates

PARTS = ("cached", "cache_write", "cache_write_1h", "reasoning")
KEYS = ("since", "input", "output", *PARTS, "request")
MOST = 1_000_000  # US dollars per million tokens: a typing error, not a rate


def given_rates(entry: Entry, today: date, *, writes: bool) -> tuple[Rates, ...]:
    """The rates that a file gives, by day.

    Args:
        entry: what stands at `rates`.
        today: one of them must have begun.
        writes: whether the model writes text, so that `output` must be there.

    Raises:
        InputError: not a rate, out of order, two of one day, or none that has begun.
    """
    if not entry.is_mapping and not entry.is_list:
        if entry.text != "free":
            raise entry.refusal(f"`rates: {entry.written}` is unknown", "write `free`, or `{input: …, output: …}`")
        return (FREE,)
    places = list(entry.items()) if entry.is_list else [entry]
    found = tuple(_rates(one, writes=writes) for one in places)
    _check_order(places, found)
    if not found or found[0].since > today:
        begin = f"begin on {found[0].since}, and today is {today}" if found else "are an empty list"
        raise entry.refusal(f"the rates {begin}", "give the rates of today, or `rates: free`")
    return found


def _check_order(places: Sequence[Entry], found: Sequence[Rates]) -> None:
    for index in range(1, len(found)):
        if found[index].since <= found[index - 1].since:
            raise places[index].refusal(
                f"these rates begin on {found[index].since}, not after the ones before them",
                "give every one but the first a later `since`",
            )


def _rates(entry: Entry, *, writes: bool) -> Rates:
    given = entry.fields(KEYS)
    for key in ("input", "output") if writes else ("input",):
        if key not in given:
            raise entry.refusal(f"the rates have no `{key}`", f"add `{key}: …` in US dollars per million tokens")
    parts = {key: _steps(given[key]) for key in PARTS if key in given}
    return Rates(
        since=day(given["since"]) if "since" in given else ALWAYS,
        source="config",
        input=_steps(given["input"]),
        output=_steps(given["output"]) if "output" in given else (Step(0, Decimal(0)),),
        cached=parts.get("cached"),
        cache_write=parts.get("cache_write"),
        cache_write_1h=parts.get("cache_write_1h"),
        reasoning=parts.get("reasoning"),
        request_usd=exact(given["request"], most=1_000) if "request" in given else Decimal(0),
    )


def _steps(entry: Entry) -> tuple[Step, ...]:
    if not entry.is_list:
        return (Step(0, exact(entry, most=MOST)),)
    steps: list[Step] = []
    for one in entry.items():
        given = one.fields(("from", "usd"))
        if set(given) != {"from", "usd"}:
            raise one.refusal(f"`{entry.name}` needs `from` and `usd`", "write `{from: 0, usd: 1.25}`")
        step = Step(whole()(given["from"]), exact(given["usd"], most=MOST))
        if (step.from_tokens == 0) if steps else (step.from_tokens != 0):
            raise one.refusal(f"the steps of `{entry.name}` don't begin at 0 once", "begin the first one `from: 0`")
        if steps and step.from_tokens <= steps[-1].from_tokens:
            raise one.refusal(f"the steps of `{entry.name}` are out of order", "sort them by `from`")
        steps.append(step)
    if not steps:
        raise entry.refusal(f"`{entry.name}` is an empty list", "write a rate, or steps")
    return tuple(steps)


def looked_up_rates(entry: Entry, provider: str, names: Sequence[str], base_url: str, today: date) -> tuple[Rates, ...]:
    """The rates of genai-prices, by the first of a model's names that it knows.

    Raises:
        InputError: it knows none of them; at the model's line.
    """
    for name in names:
        if found := known_rates(provider, name, today, base_url=base_url):
            return found
    raise entry.refusal(
        f"the rates of {provider}/{names[-1]} are not known",
        "give `rates: {input: …, output: …}` in US dollars per million tokens, or `rates: free`",
    )
