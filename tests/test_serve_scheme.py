"""The scheme: who matches what, which funds a query draws on, and what is held and charged on each."""

from __future__ import annotations

from fnmatch import fnmatchcase

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from made_serving import USD, model, rates, scheme_of, settings_of
from pointsman.ledger.entries import Line
from pointsman.ledger.window import Window
from pointsman.pool.billing import bill
from pointsman.pool.cards import Usage
from pointsman.pool.settings import Alias, FundRule, WindowRule
from pointsman.serve.scheme import Scheme, counted_tokens, in_units

BIG = model("acme/big", price=rates(5, 20, cached=0.5, cache_write=6.25), context_tokens=8_000, tags=frozenset({"eu"}))
SMALL = model("acme/small", price=rates(0.1, 0.4), capabilities=frozenset({"streaming", "tools"}))
OTHER = model("other/one", price=rates(1, 4), tags=frozenset({"eu", "fast"}))
VECTORS = model("other/vectors", price=rates(0.02, 0), capabilities=frozenset({"embeddings"}))
FUNDS = (
    FundRule("all", 100 * USD),
    FundRule("acme-tpm", 50_000, "tokens", WindowRule("rolling", 60), providers=("acme",)),
    FundRule("big-calls", 10, "requests", models=("acme/b*",)),
    FundRule("team", 5 * USD, keys=("team-a",)),
    FundRule("trial", USD, tags=("trial", "test")),
)


@pytest.fixture(scope="module")
def scheme() -> Scheme:
    aliases = (Alias("auto"), Alias("cheap", models=("acme/small",)))
    return scheme_of(settings_of(BIG, SMALL, OTHER, VECTORS, funds=FUNDS, aliases=aliases))


def test_tokens_are_counted_from_characters() -> None:
    """400 characters are 100 tokens, a picture is 765, and the frame of a chat is 8."""
    assert counted_tokens(400, 0) == 108
    assert counted_tokens(0, 2) == 8 + 2 * 765


def test_models_have_their_columns_and_aliases_two_names(scheme: Scheme) -> None:
    """A model's id is its column; an alias is found as itself and behind `pointsman/`."""
    assert scheme.column == {"acme/big": 0, "acme/small": 1, "other/one": 2, "other/vectors": 3}
    assert scheme.aliases["cheap"] is scheme.aliases["pointsman/cheap"]
    assert set(scheme.aliases) == {"auto", "cheap", "pointsman/auto", "pointsman/cheap"}


def test_masks_by_hand(scheme: Scheme) -> None:
    """Patterns, tags, capabilities and contexts of four models."""
    assert scheme.matching(()).tolist() == [True] * 4
    assert scheme.matching(("acme/*",)).tolist() == [True, True, False, False]
    assert scheme.matching(("*/one", "acme/big")).tolist() == [True, False, True, False]
    assert scheme.with_tags(()).tolist() == [True] * 4
    assert scheme.with_tags(("eu",)).tolist() == [True, False, True, False]
    assert scheme.with_tags(("eu", "fast")).tolist() == [False, False, True, False]
    assert scheme.with_capability(frozenset()).tolist() == [True, True, True, False]
    assert scheme.with_capability(frozenset({"tools"})).tolist() == [False, True, False, False]
    assert scheme.with_capability(frozenset({"embeddings"})).tolist() == [False, False, False, True]
    assert scheme.context.tolist() == [8_000, np.inf, np.inf, np.inf]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(st.sampled_from("acmebigosl/*?[]"), max_size=8), max_size=3))
def test_patterns_are_a_shells(patterns: list[str]) -> None:
    """Whatever a client sends as patterns, a model is in if the standard library's matching says so of one of them."""
    found = scheme_of(settings_of(BIG, SMALL, OTHER)).matching(tuple(patterns))
    expected = [not patterns or any(fnmatchcase(m.id, p) for p in patterns) for m in (BIG, SMALL, OTHER)]
    assert found.tolist() == expected


def test_clients_patterns_fill_no_memory(scheme: Scheme) -> None:
    """Masks are kept for at most some ten thousand patterns, funds for as many keys and tags."""
    for number in range(10_050):
        scheme.matching((f"x{number}",))
        scheme.drawn(f"k{number}", ())
    assert len(scheme._masks) <= 10_001
    assert len(scheme._drawn) <= 10_001
    assert scheme.matching(("acme/*",)).tolist() == [True, True, False, False]


def test_who_draws_on_what(scheme: Scheme) -> None:
    """A fund with keys is for these keys, one with tags for queries with any of them, the others are for all."""
    assert scheme.drawn("team-b", ()) == (0, 1, 2)
    assert scheme.drawn("team-a", ()) == (0, 1, 2, 3)
    assert scheme.drawn("team-a", ("x", "test")) == (0, 1, 2, 3, 4)
    assert scheme.snapshot.funds.draws.astype(int).tolist() == [
        [1, 1, 1, 1],
        [1, 1, 0, 0],
        [1, 0, 0, 0],
        [1, 1, 1, 1],
        [1, 1, 1, 1],
    ]


def test_what_is_held_by_hand(scheme: Scheme) -> None:
    """1,000 tokens in and 100 out on a model for 5 and 20: 7 milli-dollars, 1,100 tokens and a call on its funds."""
    cost = 1_000 * 5_000 + 100 * 20_000
    held = scheme.lines(0, frozenset({0, 1, 2}), 1_000, 100, cache_writes=False)
    assert held == (Line("all", cost), Line("acme-tpm", 1_100), Line("big-calls", 1))
    dearer = scheme.lines(0, frozenset({0}), 1_000, 100, cache_writes=True)
    assert dearer == (Line("all", 1_000 * 6_250 + 100 * 20_000),)
    assert scheme.lines(2, frozenset({1, 2}), 1_000, 100, cache_writes=False) == ()
    assert scheme.dollars(held) == cost
    assert scheme.dollars(held[1:]) == 0


def test_what_is_charged_by_hand(scheme: Scheme) -> None:
    """A receipt names the same funds: the bill, the tokens and one call."""
    lines = scheme.receipt(0, frozenset({0, 1, 2}), 4_321, 777)
    assert lines == (Line("all", 4_321), Line("acme-tpm", 777), Line("big-calls", 1))
    assert scheme.receipt(2, frozenset({0, 3}), 5, 7) == (Line("all", 5), Line("team", 5))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_receipt_within_its_limits_is_within_its_hold(data: st.DataObject) -> None:
    """No answer that keeps to the tokens held for costs more than was held, on any fund."""
    scheme = scheme_of(settings_of(BIG, SMALL, OTHER, funds=FUNDS))
    sent, written = data.draw(st.integers(0, 10**6)), data.draw(st.integers(0, 10**6))
    read = data.draw(st.integers(0, sent))
    stored = data.draw(st.integers(0, sent - read))
    column, drawn = data.draw(st.integers(0, 2)), frozenset(data.draw(st.sets(st.integers(0, 4))))
    usage = Usage(sent, written, cached_tokens=read, cache_write_tokens=stored)
    held = scheme.lines(column, drawn, sent, written, cache_writes=stored > 0)
    receipt = scheme.receipt(column, drawn, bill(usage, scheme.rates[column]), sent + written)
    assert [line.fund for line in held] == [line.fund for line in receipt]
    assert all(paid.amount <= kept.amount for paid, kept in zip(receipt, held, strict=True))


def test_what_a_cache_saves(scheme: Scheme) -> None:
    """1,000 tokens read from a cache at a tenth save nine tenths; nothing where the cache has no rate of its own."""
    assert scheme.saved_usd(0, 1_000) == pytest.approx(1_000 * 4.5e-6)
    assert scheme.saved_usd(1, 1_000) == 0.0


def test_the_knob_has_a_price_once(scheme: Scheme) -> None:
    """0 has no price, 10 the highest; between them it grows, and the same setting is computed once."""
    found = [scheme.trade_off_price(setting) for setting in (0.0, 2.0, 5.0, 8.0, 10.0)]
    assert found[0] == 0.0
    assert found == sorted(found)
    assert scheme._prices[5.0] == found[2]


def test_funds_as_the_ledger_keeps_them(scheme: Scheme) -> None:
    """Names, amounts, units and windows are the rules'; estimates count dollars, the ledger nano-dollars."""
    assert [fund.name for fund in scheme.ledger_funds] == [rule.name for rule in FUNDS]
    assert scheme.ledger_funds[1].window == Window("rolling", 60)
    assert scheme.snapshot.funds.budget.tolist() == [100.0, 50_000.0, 10.0, 5.0, 1.0]
    assert in_units(1_500_000_000, "usd") == 1.5
