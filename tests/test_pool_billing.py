"""Tokens to money: exact, rounded once, every kind at its own rate."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, Decimal
from random import Random

import genai_prices
import pytest
from genai_prices import types
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.pool import billing
from pointsman.pool.billing import bill, hold_nano, rates_at, unit_costs
from pointsman.pool.cards import Endpoint, Model, Rates, Step, Usage
from pointsman.pool.rates import FREE, known_rates

TODAY = date(2026, 6, 1)
NANO = Decimal(10) ** 9


def flat(usd: str) -> tuple[Step, ...]:
    return (Step(0, Decimal(usd)),)


def rates(plain: str = "3", out: str = "15", **parts: tuple[Step, ...]) -> Rates:
    return replace(Rates(date.min, "config", flat(plain), flat(out)), **parts)  # type: ignore[arg-type]


def model(*dated: Rates) -> Model:
    return Model("p/m", (Endpoint("p/m", "openai", "https://p.example", "m", frozenset({"chat"})),), dated)


def test_by_hand() -> None:
    """1,000 tokens in at $3 and 500 out at $15 a million are 3,000,000 + 7,500,000 nano-dollars."""
    assert bill(Usage(1_000, 500), rates()) == 10_500_000
    assert hold_nano(rates(), 1_000, 500) == 10_500_000


def test_complaint_12_cached_written_and_reasoning_tokens_cost_their_own_rates() -> None:
    """Parts of the totals are taken out of them and charged at their own rates, each."""
    own = rates(cached=flat("0.3"), cache_write=flat("3.75"), cache_write_1h=flat("6"), reasoning=flat("10"))
    usage = Usage(
        1_000, 500, cached_tokens=400, cache_write_tokens=300, reasoning_tokens=200, cache_write_1h_tokens=100
    )
    by_hand = 300 * 3_000 + 400 * 300 + 200 * 3_750 + 100 * 6_000 + 300 * 15_000 + 200 * 10_000
    assert bill(usage, own) == by_hand
    assert bill(usage, rates()) == 1_000 * 3_000 + 500 * 15_000


def test_a_step_holds_for_all_tokens_of_a_longer_prompt() -> None:
    """From 200,001 input tokens on, input and output cost the second rate, not only those beyond."""
    tiers = Rates(
        date.min,
        "config",
        (Step(0, Decimal(1)), Step(200_001, Decimal(2))),
        (Step(0, Decimal(10)), Step(200_001, Decimal(20))),
    )
    assert bill(Usage(200_000, 10), tiers) == 200_000 * 1_000 + 10 * 10_000
    assert bill(Usage(200_001, 10), tiers) == 200_001 * 2_000 + 10 * 20_000


def test_rounded_up_once() -> None:
    """A third of a nano-dollar per token, three times, is one nano-dollar and not three; one token is one."""
    fine = rates("0.000333333333333333", "0")
    assert bill(Usage(3, 0), fine) == 1
    assert bill(Usage(1, 0), fine) == 1
    assert bill(Usage(0, 0), fine) == 0


def test_a_call_has_a_fee() -> None:
    """`request_usd` is added to every bill and hold, tokens or none."""
    fee = replace(rates(), request_usd=Decimal("0.005"))
    assert bill(Usage(0, 0), fee) == 5_000_000
    assert hold_nano(fee, 0, 0) == 5_000_000


def test_free_is_nothing() -> None:
    """A model declared free costs nothing, whatever it reports."""
    assert bill(Usage(10**9, 10**9, 5, 5, 5), FREE) == 0
    assert hold_nano(FREE, 10**9, 10**9) == 0


def test_nonsense_from_an_upstream_never_earns_money() -> None:
    """More parts than their total are charged as parts; negative counts are none."""
    own = rates(cached=flat("0.3"), reasoning=flat("15"))
    assert bill(Usage(10, 0, cached_tokens=100), own) == 100 * 300
    assert bill(Usage(-5, -5, -5, -5, -5, cache_write_1h_tokens=-5), own) == 0
    assert bill(Usage(0, 10, reasoning_tokens=30), own) == 30 * 15_000


money = st.decimals(0, 200, places=None, allow_nan=False, allow_infinity=False).map(lambda d: round(abs(d), 12))
steps = st.lists(st.tuples(st.integers(1, 5_000), money), max_size=2, unique_by=lambda pair: pair[0]).flatmap(
    lambda later: money.map(lambda first: (Step(0, first), *(Step(n, usd) for n, usd in sorted(later))))
)
any_rates = st.builds(
    Rates,
    since=st.just(date.min),
    source=st.just("config"),
    input=steps,
    output=steps,
    cached=st.none() | steps,
    cache_write=st.none() | steps,
    reasoning=st.none() | steps,
    request_usd=money.map(lambda usd: usd / 100),
    cache_write_1h=st.none() | steps,
)
count = st.integers(0, 6_000)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    cached, written, plain = draw(count), draw(count), draw(count)
    shown, thought = draw(count), draw(count)
    return Usage(
        cached + written + plain,
        shown + thought,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=thought,
        cache_write_1h_tokens=draw(st.integers(0, written)),
    )


def rate(steps: tuple[Step, ...], tokens: int) -> Decimal:
    return [step.usd_per_million for step in steps if step.from_tokens <= tokens][-1]


def oracle(usage: Usage, of: Rates) -> int:
    """The bill in exact decimals, written down a second time."""
    write = of.cache_write or of.input
    parts = [
        (usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens, of.input),
        (usage.cached_tokens, of.cached or of.input),
        (usage.cache_write_tokens - usage.cache_write_1h_tokens, write),
        (usage.cache_write_1h_tokens, of.cache_write_1h or write),
        (usage.output_tokens - usage.reasoning_tokens, of.output),
        (usage.reasoning_tokens, of.reasoning or of.output),
    ]
    usd = sum((tokens * rate(steps, usage.input_tokens) / 1_000_000 for tokens, steps in parts), of.request_usd)
    return int((usd * NANO).to_integral_value(ROUND_CEILING))


@given(usages(), any_rates)
def test_integers_agree_with_decimals(usage: Usage, of: Rates) -> None:
    """The bill in integers is the bill in exact decimals, rounded up once."""
    assert bill(usage, of) == oracle(usage, of)


@given(usages(), any_rates, count, count)
def test_no_bill_is_above_its_hold(usage: Usage, of: Rates, more_in: int, more_out: int) -> None:
    """However the tokens are split into parts, and if fewer come than were held for, the hold is enough."""
    held = hold_nano(of, usage.input_tokens + more_in, usage.output_tokens + more_out)
    assert bill(usage, of) <= held
    unwritten = replace(usage, cache_write_tokens=0, cache_write_1h_tokens=0)
    assert bill(unwritten, of) <= hold_nano(of, usage.input_tokens, usage.output_tokens, cache_writes=False) <= held + 1


def test_agrees_with_the_price_list_of_genai_prices() -> None:
    """For a sample of its models, the bill is what genai-prices itself calculates, rounded up to a nano-dollar."""
    listed = [(provider, one) for provider in get_snapshot().providers for one in provider.models]
    checked = 0
    for provider, one in Random(4).sample(listed, 300):
        found = known_rates(provider.id, one.id, TODAY)
        if found is None or provider.find_model(one.id) is not one or _by_the_hour(one):
            continue
        for usage in (Usage(900, 70, 200, 100, 30), Usage(300_000, 5_000, 1_000, 0, 0)):
            theirs = _their_price(provider, one, usage)
            assert bill(usage, found[-1] if len(found) == 1 else rates_at(model(*found), TODAY)) == theirs, one.id
            checked += 1
    assert checked > 200


def _by_the_hour(one: types.ModelInfo) -> bool:
    priced = one.prices if isinstance(one.prices, list) else []
    return any(isinstance(price.constraint, types.TimeOfDateConstraint) for price in priced)


def _their_price(provider: types.Provider, one: types.ModelInfo, usage: Usage) -> int:
    given_usage = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
    )
    moment = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC)
    usd = one.calc_price(given_usage, provider, genai_request_timestamp=moment).total_price
    return int((usd * NANO).to_integral_value(ROUND_CEILING))


def test_rates_by_day() -> None:
    """The last rates that have begun are in force; before the first there are none."""
    first, second = replace(rates("1"), since=date(2026, 1, 1)), replace(rates("2"), since=date(2026, 7, 1))
    both = model(first, second)
    assert rates_at(both, date(2026, 6, 30)) is first
    assert rates_at(both, date(2026, 7, 1)) is second
    with pytest.raises(InputError, match="no rate of p/m has begun on 2025-12-31"):
        rates_at(both, date(2025, 12, 31))


def test_unit_costs_are_those_of_small_prompts() -> None:
    """US dollars per token of each kind at the first step, by model; cached falls back to input."""
    tiers = replace(rates(), input=(Step(0, Decimal(1)), Step(5, Decimal(9))), request_usd=Decimal("0.01"))
    found = unit_costs([model(rates(cached=flat("0.3"))), model(tiers)], TODAY)
    assert found.input.tolist() == [3e-6, 1e-6]
    assert found.output.tolist() == [15e-6, 15e-6]
    assert found.cached.tolist() == [3e-7, 1e-6]
    assert found.request.tolist() == [0.0, 0.01]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates that come and go don't fill the memory, and forgetting changes no bill."""
    monkeypatch.setattr(billing, "REMEMBERED", 3)
    monkeypatch.setattr(billing, "_KNOWN", {})
    several = [rates(str(n)) for n in range(10)]
    assert [bill(Usage(1, 0), one) for one in several + several] == [n * 1_000 for n in range(10)] * 2
    assert len(billing._KNOWN) <= 3
