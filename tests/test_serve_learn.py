"""What keeps prices true: traffic as it is remembered, the program that funds pose, and its solution."""

from __future__ import annotations

import numpy as np
import pytest

from made_serving import USD, model, priced, rates, scheme_of, settings_of
from pointsman.ledger.entries import Balance
from pointsman.pool.settings import FundRule, WindowRule
from pointsman.records import Estimates, Mask
from pointsman.serve.learn import (
    LEAST_SHARE,
    RECENT_ROWS,
    Traffic,
    posed,
    prices_of,
    solved,
    warm_up,
    with_prices,
)
from pointsman.serve.scheme import Scheme

DAY_S = 86_400.0
NOW = 1_700_000_000 * USD
MODELS = (model("a/good", price=rates(10, 40)), model("a/cheap", price=rates(0.1, 0.4)))


def scheme_with(*funds: FundRule) -> Scheme:
    return scheme_of(settings_of(*MODELS, funds=funds), quality=[0.9, 0.5], cost_usd=[0.01, 0.0001])


def batch(queries: int, cost: float = 0.01) -> Estimates:
    rows = np.ones((queries, 2))
    return Estimates(rows * [0.9, 0.5], rows * [cost, cost / 100], rows * 200, rows * 0.1)


def everywhere(queries: int) -> Mask:
    return np.ones((queries, 2), np.bool_)


def balance(rule: FundRule, *, held: int = 0, spent: int = 0, resets_ns: int | None = None) -> dict[str, Balance]:
    left = max(0, rule.amount - held - spent)
    return {rule.name: Balance(rule.name, rule.unit, rule.amount, held, spent, left, 0, resets_ns)}


def test_the_latest_queries_are_rows() -> None:
    """Two batches are rows one after the other, each with the funds it draws on and the models allowed to it."""
    traffic = Traffic(1_000.0, 1)
    assert traffic.rows(2) is None
    traffic.witness(batch(1), [(0,)], everywhere(1))
    traffic.witness(batch(2, cost=0.02), [(0, 1), ()], np.array([[True, False], [False, True]]))
    found = traffic.rows(2)
    assert found is not None
    estimates, drawn, allowed = found
    assert estimates.cost_usd[:, 0].tolist() == [0.01, 0.02, 0.02]
    assert drawn.tolist() == [[True, False], [True, True], [False, False]]
    assert allowed.tolist() == [[True, True], [True, False], [False, True]]
    traffic.forget()
    assert traffic.rows(2) is None


def test_only_so_many_are_remembered() -> None:
    """Old batches go, but never so many that fewer than the wanted rows are left."""
    traffic = Traffic(1_000.0, 1)
    for number in range(200):
        traffic.witness(batch(7, cost=float(number)), [(0,)] * 7, everywhere(7))
    found = traffic.rows(1)
    assert found is not None
    assert RECENT_ROWS <= len(found[0]) < RECENT_ROWS + 7
    assert found[0].cost_usd[-1, 0] == 199.0


def test_every_worker_sees_its_share() -> None:
    """With four workers, one's arrivals stand for four times as many."""
    rate = []
    for workers in (1, 4):
        traffic = Traffic(1.0, workers)
        traffic.witness(batch(3_600), [(0,)] * 3_600, everywhere(3_600))
        traffic.passed(3_600.0)
        rate.append(traffic.arrivals.rate)
        traffic.passed(0.0)
        assert traffic.arrivals.rate == pytest.approx(rate[-1])  # they were counted once
    assert rate[1] == pytest.approx(4 * rate[0], rel=0.05)


def test_what_is_left_and_for_how_long_by_hand() -> None:
    """Each kind of window: what remains of it, over the rest of it; a rolling one gives back within its length."""
    rules = (
        FundRule("day", 10 * USD, window=WindowRule("calendar", every="day")),
        FundRule("minute", 1_000, "tokens", WindowRule("rolling", 60)),
        FundRule("once", 10 * USD, pace_over_s=int(10 * DAY_S)),
    )
    scheme = scheme_with(*rules)
    balances = {
        **balance(rules[0], spent=4 * USD, held=USD, resets_ns=NOW + 3_600 * USD),
        **balance(rules[1], spent=600, held=100),
        **balance(rules[2], spent=2 * USD),
    }
    traffic = Traffic(DAY_S, 1)  # one a second
    age = int(4 * DAY_S) * USD
    _, _, remaining, to_come, _ = posed(scheme, traffic, balances, {"once": NOW - age}, NOW)
    assert remaining.tolist() == [5.0, 900.0, 8.0]
    assert to_come == pytest.approx([3_600.0, 60.0, 6 * DAY_S], rel=1e-6)


def test_money_that_outlives_its_time_is_not_spent_at_once() -> None:
    """A fund without a window lasts for at least a twentieth of its horizon more, however old it is."""
    rule = FundRule("once", 10 * USD, pace_over_s=int(10 * DAY_S))
    scheme = scheme_with(rule)
    _, _, _, to_come, _ = posed(scheme, Traffic(DAY_S, 1), balance(rule), {"once": NOW - 10**6 * USD * 86_400}, NOW)
    assert to_come == pytest.approx([LEAST_SHARE * 10 * DAY_S], rel=1e-6)


def test_before_any_query_the_typical_ones_stand_for_them() -> None:
    """They draw on the funds that everyone draws on, and may go anywhere."""
    scheme = scheme_with(FundRule("all", USD), FundRule("a", USD, keys=("a",)), FundRule("t", USD, tags=("t",)))
    rows, drawn, remaining, _, allowed = posed(scheme, Traffic(1.0, 1), {}, {}, NOW)
    assert len(rows) == len(scheme.typical)
    assert drawn.tolist() == [[True, False, False]]
    assert remaining.tolist() == [1.0, 1.0, 1.0]
    assert allowed.all()


def test_typical_queries_draw_as_the_latest_do() -> None:
    """With traffic, both share the rows, and a typical row has the funds and the models of some latest query."""
    scheme = scheme_with(FundRule("all", USD), FundRule("a", USD, keys=("a",)))
    traffic = Traffic(1.0, 1)
    traffic.witness(batch(2), [(0, 1), (0,)], np.array([[True, False], [True, True]]))
    rows, drawn, _, _, allowed = posed(scheme, traffic, {}, {}, NOW)
    assert len(rows) == 2 + len(scheme.typical)
    assert drawn.tolist() == [[True, True], [True, False], [True, True]]
    assert allowed.tolist() == [[True, False], [True, True], [True, False]]


def test_scarce_money_has_a_price_and_plenty_has_none() -> None:
    """A dollar for a thousand queries at a cent each is worth what it buys; a thousand dollars are worth nothing."""
    prices = {}
    for amount in (1, 1_000):
        scheme = scheme_with(FundRule("all", amount * USD, window=WindowRule("calendar", every="day")))
        traffic = Traffic(1_000.0, 1)
        traffic.witness(batch(50), [(0,)] * 50, everywhere(50))
        program = posed(scheme, traffic, balance(scheme.funds[0], resets_ns=NOW + 86_400 * USD), {}, NOW)
        prices[amount] = float(solved(scheme, program)[0])
    # Going from the cheap model to the good one buys .4 for 99 % of a cent.
    assert prices[1] == pytest.approx(0.4 / 0.0099, rel=0.05)
    assert prices[1_000] == 0.0


def test_prices_are_swapped_in_and_told() -> None:
    """A new price is a new scheme; the old one stays as it was."""
    old = scheme_with(FundRule("all", USD))
    new = with_prices(old, np.array([2.5]))
    assert prices_of(new) == {"all": 2.5}
    assert prices_of(old) == {"all": 0.0}
    assert prices_of(scheme_with()) == {}
    assert new.settings is old.settings


def test_the_first_query_finds_everything_compiled() -> None:
    """Warming up decides and solves for nobody, with funds and without, and changes nothing."""
    for scheme in (scheme_with(), priced(scheme_with(FundRule("all", USD), FundRule("a", 5, keys=("a",))), all=1.0)):
        before = prices_of(scheme)
        warm_up(scheme)
        assert prices_of(scheme) == before
