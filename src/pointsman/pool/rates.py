"""What providers charge, out of the price list that comes with genai-prices: dated, exact, read without a network.

Takes a provider and a model's name, gives rates. A model that isn't in the list, or whose entry doesn't say what
text costs, has no rates here: the caller refuses it, nothing is guessed and nothing counts as free. Where a provider
charges less at some hours, a day's rates are its dearest, so that no fund is overdrawn. Searches, pages, hours of
sound and the like aren't counted in tokens and are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

from genai_prices import types
from genai_prices.data_snapshot import get_snapshot

from pointsman.pool.cards import Rates, Step
from pointsman.pool.providers import PROVIDERS, embeds

SOURCE = "genai-prices"
ALWAYS = date.min
FREE = Rates(ALWAYS, "free", (Step(0, Decimal(0)),), (Step(0, Decimal(0)),))
PER_THOUSAND = Decimal("0.001")

Price = Decimal | types.TieredPrices | None


@lru_cache(maxsize=4_096)
def known_rates(provider: str, model: str, at: date, *, base_url: str = "") -> tuple[Rates, ...] | None:
    """A model's rates in force on a day, those of the day before and all that come later; None where unknown.

    Args:
        provider: the first part of a model's id, or a provider's id in genai-prices.
        model: as the upstream calls it.
        at: the day (UTC).
        base_url: an address to find the price list by, where the provider's name isn't known.
    """
    found = _entry(provider, model, base_url)
    if found is None:
        return None
    rates = [_rates_of(found, start) for start in _starts(found)]
    if any(one is None for one in rates):
        return None
    return _not_over([one for one in rates if one is not None], at - timedelta(days=1))


@lru_cache(maxsize=4_096)
def known_context(provider: str, model: str, *, base_url: str = "") -> int | None:
    """The most tokens that a model reads and writes, where the price list says it."""
    found = _entry(provider, model, base_url)
    return found.context_window if found is not None and found.context_window else None


def _entry(provider: str, model: str, base_url: str) -> types.ModelInfo | None:
    known = PROVIDERS.get(provider)
    name = known.price_list if known is not None and known.price_list else provider
    listed = get_snapshot()
    found = next((one for one in listed.providers if one.id == name), None)
    if found is None and base_url:
        try:
            found = listed.find_provider(None, None, base_url)
        except LookupError:
            return None
    return found.find_model(model, all_providers=listed.providers) if found is not None else None


def _starts(entry: types.ModelInfo) -> list[date]:
    limits = [one.constraint for one in entry.prices] if isinstance(entry.prices, list) else []
    return sorted({ALWAYS, *(one.start_date for one in limits if isinstance(one, types.StartDateConstraint))})


def _not_over(rates: Sequence[Rates], at: date) -> tuple[Rates, ...]:
    """All but the rates that had already been followed by others on that day."""
    return tuple(one for one, after in pairwise([*rates, None]) if one and (after is None or after.since > at))


def _rates_of(entry: types.ModelInfo, start: date) -> Rates | None:
    """The dearest rates of a day, None where the entry doesn't say what text costs."""
    moments = [datetime.combine(start, hour, tzinfo=UTC) for hour in _hours(entry)]
    prices = [entry.get_prices(moment) for moment in moments]
    if any(not _priced(price, entry.id) for price in prices):
        return None
    return Rates(
        since=start,
        source=SOURCE,
        input=_dearest([_steps(price.input_mtok) for price in prices]),
        output=_dearest([_steps(price.output_mtok) for price in prices]),
        cached=_part([price.cache_read_mtok for price in prices], [price.input_mtok for price in prices]),
        cache_write=_part([price.cache_write_mtok for price in prices], [price.input_mtok for price in prices]),
        cache_write_1h=_part(
            [price.cache_write_1h_mtok for price in prices], [price.cache_write_mtok for price in prices]
        ),
        reasoning=_part([price.output_reasoning_mtok for price in prices], [price.output_mtok for price in prices]),
        request_usd=max(_usd(price.requests_kcount) for price in prices) * PER_THOUSAND,
    )


def _hours(entry: types.ModelInfo) -> list[time]:
    """Times of day (UTC) at which the rates of an entry may change, midnight among them."""
    limits = [one.constraint for one in entry.prices] if isinstance(entry.prices, list) else []
    daily = [one for one in limits if isinstance(one, types.TimeOfDateConstraint)]
    return [time(0), *(_utc(hour) for one in daily for hour in (one.start_time, one.end_time))]


def _utc(hour: time) -> time:
    return datetime.combine(date(2000, 1, 1), hour, tzinfo=hour.tzinfo or UTC).astimezone(UTC).time()


def _priced(price: types.ModelPrice, model: str) -> bool:
    """Whether it says what text costs; an embedding writes none."""
    if isinstance(price.requests_kcount, types.TieredPrices) or price.input_mtok is None:
        return False
    return price.output_mtok is not None or embeds(model)


def _usd(price: Price) -> Decimal:
    return price if isinstance(price, Decimal) else Decimal(0)


def _steps(price: Price) -> tuple[Step, ...]:
    """The list's tiers begin above their number of tokens, ours at theirs."""
    if isinstance(price, types.TieredPrices):
        return Step(0, price.base), *(Step(tier.start + 1, tier.price) for tier in price.tiers)
    return (Step(0, _usd(price)),)


def _part(prices: Sequence[Price], whole: Sequence[Price]) -> tuple[Step, ...] | None:
    """Steps of a part of the tokens; where it has no rate of its own at some hour, those of the whole."""
    if all(price is None for price in prices):
        return None
    return _dearest([_steps(whole[i] if price is None else price) for i, price in enumerate(prices)])


def _dearest(several: Sequence[tuple[Step, ...]]) -> tuple[Step, ...]:
    if len(set(several)) == 1:
        return several[0]
    starts = sorted({step.from_tokens for steps in several for step in steps})
    return tuple(Step(start, max(_rate(steps, start) for steps in several)) for start in starts)


def _rate(steps: Sequence[Step], tokens: int) -> Decimal:
    return [step.usd_per_million for step in steps if step.from_tokens <= tokens][-1]
