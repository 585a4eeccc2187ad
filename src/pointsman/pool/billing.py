"""From tokens to money: exact, in whole nano-dollars.

Takes usage and rates, gives integers. Rates are turned into integers once and remembered, so that a bill is a few
integer products; the only rounding is the last one, up to a whole nano-dollar. Tokens of pictures and sound have no
rate of their own here: upstreams report them among the input and output tokens, and they cost what those cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import chain

import numpy as np

from pointsman.errors import InputError
from pointsman.pool.cards import Model, Rates, Step, Usage
from pointsman.records import Floats

MILLION = 1e6
REMEMBERED = 4_096  # rates are few; this only bounds what a gateway that reloads for years keeps

Units = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Exact:
    """Rates as integers: steps of (first input tokens, units per token), `per_nano` units in a nano-dollar.

    Attributes:
        flat: the six rates where none has steps, else None.
        kinds: the six in the order input, cached, cache_write, cache_write_1h, output, reasoning.
        bounds: (first input tokens, dearest input with and without cache writes, dearest output), never falling.
        request: units per call.
    """

    per_nano: int
    flat: tuple[int, ...] | None
    kinds: tuple[Units, ...]
    bounds: tuple[tuple[int, int, int, int], ...]
    request: int


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """What a token and a call cost at small prompts, for estimates: US dollars, [M] each."""

    input: Floats
    output: Floats
    cached: Floats
    request: Floats


def rates_at(model: Model, at: date) -> Rates:
    """The rates in force on a day (UTC): the last that have begun.

    Raises:
        InputError: none has begun.
    """
    for rates in reversed(model.rates):
        if rates.since <= at:
            return rates
    raise InputError(
        f"no rate of {model.id} has begun on {at}",
        place=f"model {model.id!r}",
        remedy="give it `rates` with an earlier `since`, or `rates: free`",
    )


def bill(usage: Usage, rates: Rates) -> int:
    """What an answer costs, in nano-dollars: the exact sum, rounded up once.

    The parts of the input (cached, written to the cache) and of the output (reasoning) cost their own rates, the rest
    the plain ones; the step is that of all input tokens. An upstream that reports more parts than their total is
    charged for the parts, and a negative count counts as none.
    """
    exact = _exact(rates)
    tokens = usage.input_tokens
    if exact.flat is not None:
        plain, cached, write, hour, out, thought = exact.flat
    else:
        plain, cached, write, hour, out, thought = [_at(steps, tokens) for steps in exact.kinds]
    read, written, hours = usage.cached_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens
    reasoning = usage.reasoning_tokens
    if read > 0 or written > 0 or hours > 0:
        read, hours = max(read, 0), max(hours, 0)
        written = max(written, hours)
        units = read * cached + (written - hours) * write + hours * hour + max(tokens - read - written, 0) * plain
    else:
        units = max(tokens, 0) * plain
    reasoning = max(reasoning, 0)
    units += reasoning * thought + max(usage.output_tokens - reasoning, 0) * out + exact.request
    return -(-units // exact.per_nano)


def hold_nano(rates: Rates, input_tokens: int, output_tokens: int, *, cache_writes: bool = True) -> int:
    """The most that so many tokens can come to, in nano-dollars, rounded up.

    No bill for at most these tokens is above it: nothing is taken off for a cached prompt, and each kind is counted
    at the dearest rate that it may get. Some providers charge more for writing a prompt into their cache than for
    reading it plainly; that counts too, unless `cache_writes` is False because the request asks for no caching.
    """
    exact = _exact(rates)
    _, written, plain, out = exact.bounds[0]
    if len(exact.bounds) > 1:
        for row in exact.bounds:
            if row[0] > input_tokens:
                break
            _, written, plain, out = row
    units = input_tokens * (written if cache_writes else plain) + output_tokens * out + exact.request
    return -(-units // exact.per_nano)


def unit_costs(models: Sequence[Model], at: date) -> UnitCosts:
    """What tokens and calls of each model cost on a day, at small prompts.

    Raises:
        InputError: a model without a rate that has begun.
    """
    rates = [rates_at(model, at) for model in models]
    return UnitCosts(
        input=_floats([one.input for one in rates]),
        output=_floats([one.output for one in rates]),
        cached=_floats([one.cached or one.input for one in rates]),
        request=np.array([float(one.request_usd) for one in rates], np.float64),
    )


def _floats(steps: Sequence[tuple[Step, ...]]) -> Floats:
    return np.array([float(one[0].usd_per_million) for one in steps], np.float64) / MILLION


# Hashing rates would cost more than the bill, so they are known by identity; holding them keeps the identity theirs.
_KNOWN: dict[int, tuple[Rates, _Exact]] = {}


def _exact(rates: Rates) -> _Exact:
    found = _KNOWN.get(id(rates))
    if found is None:
        if len(_KNOWN) >= REMEMBERED:
            _KNOWN.clear()
        found = _KNOWN[id(rates)] = (rates, _converted(rates))
    return found[1]


def _converted(rates: Rates) -> _Exact:
    write = rates.cache_write or rates.input
    steps = (
        rates.input,
        rates.cached or rates.input,
        write,
        rates.cache_write_1h or write,
        rates.output,
        rates.reasoning or rates.output,
    )
    # A rate of 1 is 1,000 nano-dollars a token; with `places` decimals it is a whole number of 10^-places of that.
    places = max(3, *(_decimals(step.usd_per_million) for step in chain(*steps)), _decimals(rates.request_usd) - 6)
    kinds = tuple(tuple((step.from_tokens, _whole(step.usd_per_million, places)) for step in kind) for kind in steps)
    return _Exact(
        per_nano=10 ** (places - 3),
        flat=tuple(kind[0][1] for kind in kinds) if all(len(kind) == 1 for kind in kinds) else None,
        kinds=kinds,
        bounds=_bounds(kinds),
        request=_whole(rates.request_usd, places + 6),
    )


def _decimals(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _whole(number: Decimal, places: int) -> int:
    sign, digits, exponent = number.as_tuple()
    assert sign == 0 and isinstance(exponent, int)  # noqa: S101, PT018 - the registry lets no other rate in
    whole: int = 10 ** (places + exponent)
    return int("".join(map(str, digits))) * whole


def _bounds(kinds: tuple[Units, ...]) -> tuple[tuple[int, int, int, int], ...]:
    """The dearest rates up to each number of input tokens: a longer prompt never bounds lower than a shorter one."""
    plain, cached, write, hour, out, thought = kinds
    rows: list[tuple[int, int, int, int]] = []
    most = (0, 0, 0)
    for start in sorted({first for kind in kinds for first, _ in kind}):
        unwritten = max(_at(plain, start), _at(cached, start))
        written = max(unwritten, _at(write, start), _at(hour, start))
        most = (max(most[0], written), max(most[1], unwritten), max(most[2], _at(out, start), _at(thought, start)))
        rows.append((start, *most))
    return tuple(rows)


def _at(steps: Units, tokens: int) -> int:
    found = steps[0][1]
    for first, units in steps:
        if first > tokens:
            break
        found = units
    return found
