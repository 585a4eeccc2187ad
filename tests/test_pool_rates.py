"""The price list: dated, by length, and never a guess."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time
from decimal import Decimal

import pytest
from genai_prices import data_snapshot, types

from pointsman.pool.cards import Step
from pointsman.pool.rates import known_context, known_rates

DAY = date(2026, 6, 1)


def price(**usd: str | types.TieredPrices) -> types.ModelPrice:
    return types.ModelPrice(**{key: Decimal(one) if isinstance(one, str) else one for key, one in usd.items()})


def entry(name: str, prices: types.ModelPrice | list[types.ConditionalPrice]) -> types.ModelInfo:
    return types.ModelInfo(id=name, match=types.ClauseEquals(equals=name), prices=prices, context_window=4_096)


def since(month: int) -> types.StartDateConstraint:
    return types.StartDateConstraint(date(2026, month, 1))


TIERS = types.TieredPrices(base=Decimal(1), tiers=[types.Tier(start=200_000, price=Decimal(2))])
MODELS = [
    entry("plain", price(input_mtok="1", output_mtok="2", cache_read_mtok="0.1", requests_kcount="5")),
    entry("long", price(input_mtok=TIERS, output_mtok="2")),
    entry(
        "dated",
        [
            types.ConditionalPrice(prices=price(input_mtok="1", output_mtok="1")),
            types.ConditionalPrice(since(3), prices=price(input_mtok="2", output_mtok="2")),
            types.ConditionalPrice(since(9), prices=price(input_mtok="3", output_mtok="3")),
        ],
    ),
    entry(
        "hours",
        [
            types.ConditionalPrice(prices=price(input_mtok="1", output_mtok="9", cache_read_mtok="0.5")),
            types.ConditionalPrice(
                types.TimeOfDateConstraint(time(22), time(4)), prices=price(input_mtok="4", output_mtok="3")
            ),
        ],
    ),
    entry("no-output", price(input_mtok="1")),
    entry("embed-1", price(input_mtok="1")),
    entry("by-the-hour-of-sound", price(audio_hours="1")),
    entry("empty", price()),
]


@pytest.fixture(autouse=True)
def _small_list() -> Iterator[None]:
    provider = types.Provider(id="acme", name="Acme", api_pattern=r"https://api\.acme\.example", models=MODELS)
    data_snapshot.set_custom_snapshot(data_snapshot.DataSnapshot([provider], from_auto_update=False))
    known_rates.cache_clear()
    known_context.cache_clear()
    yield
    data_snapshot.set_custom_snapshot(None)
    known_rates.cache_clear()
    known_context.cache_clear()


def test_a_plain_entry() -> None:
    """Rates, the rate of cached tokens, the fee of a call and the context, as they stand in the list."""
    (found,) = known_rates("acme", "plain", DAY) or ()
    assert found.source == "genai-prices"
    assert found.since == date.min
    assert found.input == (Step(0, Decimal(1)),)
    assert found.cached == (Step(0, Decimal("0.1")),)
    assert found.cache_write is None
    assert found.request_usd == Decimal("0.005")
    assert known_context("acme", "plain") == 4_096


def test_steps_begin_above_the_lists_number() -> None:
    """The list's tiers hold for more tokens than they say; ours from a number on."""
    (found,) = known_rates("acme", "long", DAY) or ()
    assert found.input == (Step(0, Decimal(1)), Step(200_001, Decimal(2)))


def test_a_new_rate_is_appended() -> None:
    """The rates in force and those to come, in order; what was over the day before is gone."""
    found = known_rates("acme", "dated", DAY) or ()
    assert [(one.since, one.input[0].usd_per_million) for one in found] == [
        (date(2026, 3, 1), Decimal(2)),
        (date(2026, 9, 1), Decimal(3)),
    ]
    first_day = known_rates("acme", "dated", date(2026, 3, 1)) or ()
    assert [one.since for one in first_day] == [date.min, date(2026, 3, 1), date(2026, 9, 1)]


def test_rates_that_change_by_the_hour_count_at_their_dearest() -> None:
    """Each kind at the dearest hour of the day, so that no bill falls short."""
    (found,) = known_rates("acme", "hours", DAY) or ()
    assert found.input == (Step(0, Decimal(4)),)
    assert found.output == (Step(0, Decimal(9)),)
    assert found.cached == (Step(0, Decimal(4)),)


@pytest.mark.parametrize("model", ["no-output", "by-the-hour-of-sound", "empty", "never-heard-of"])
def test_unknown_is_not_free(model: str) -> None:
    """A model that isn't listed, or whose text has no price there, has no rates."""
    assert known_rates("acme", model, DAY) is None


def test_complaint_13_one_bad_row_spoils_no_other() -> None:
    """Entries without a price leave those beside them as they are; an embedding needs no price for output."""
    assert known_rates("acme", "empty", DAY) is None
    (found,) = known_rates("acme", "embed-1", DAY) or ()
    assert found.output == (Step(0, Decimal(0)),)


def test_found_by_address_where_the_name_is_unknown() -> None:
    """A provider under another name is known by the address that it answers at, and by nothing else."""
    assert known_rates("mine", "plain", DAY, base_url="https://api.acme.example/v1") is not None
    assert known_rates("mine", "plain", DAY, base_url="https://elsewhere.example/v1") is None
    assert known_rates("mine", "plain", DAY) is None
    assert known_context("mine", "plain") is None
