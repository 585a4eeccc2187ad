"""The latest queries decided again for other money: by hand, against brute force, and never beyond a fund."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from made_serving import USD, model, scheme_of, settings_of
from pointsman.pool.duties import with_duties
from pointsman.pool.settings import Alias, FundRule, WindowRule
from pointsman.records import Estimates, Floats
from pointsman.serve.scheme import Scheme
from pointsman.serve.ui.decided_log import DecidedLog, read_log
from pointsman.serve.ui.insight_pages import amounts_of, knob_of
from pointsman.serve.ui.trade_off import (
    alone_json,
    budgets,
    ground_of,
    outcome_json,
    page_json,
    play,
    replayed_json,
    unlimited,
    why,
)
from pointsman.serve.wire.errors import Refusal

HOUR = WindowRule("rolling", 3_600)
GOOD, CHEAP = "p/good", "p/cheap"


def scheme(*funds: FundRule, aliases: tuple[Alias, ...] = (Alias("auto"),)) -> Scheme:
    """Two models: one of quality 0.9 at a cent, one of 0.5 at a tenth of that."""
    made = settings_of(model(GOOD), model(CHEAP), funds=funds, aliases=aliases)
    return scheme_of(made, quality=[0.9, 0.5], cost_usd=[0.01, 0.001])


def log_of(
    scheme: Scheme, quality: Any, cost_usd: Any, *, every_s: float = 1.0, cheapest: bool = False, **more: Any
) -> DecidedLog:
    """Queries that come one after the other and may go anywhere."""
    quality, cost = np.asarray(quality, np.float64), np.asarray(cost_usd, np.float64)
    queries, funds = len(quality), len(scheme.funds)
    made = DecidedLog(
        np.arange(queries, dtype=np.float64) * every_s + 1_000.0,
        Estimates(quality, cost, np.full(quality.shape, 100.0), np.zeros(quality.shape)),
        np.ones(quality.shape, np.bool_),
        np.ones((queries, funds), np.bool_),
        np.zeros(queries),
        np.zeros(quality.shape),
        np.ones(queries, np.bool_),
        np.full(queries, cheapest),
        "auto",
        np.zeros(funds),
        1.0 / every_s,
    )
    return replace(made, **more)


def alike(queries: int) -> tuple[Floats, Floats]:
    return np.tile([0.9, 0.5], (queries, 1)), np.tile([0.01, 0.001], (queries, 1))


def test_a_fund_has_the_part_of_its_amount_that_the_queries_span() -> None:
    """By hand: 360 queries, ten seconds apart, are an hour: all of an hourly fund, a 24th of a daily one."""
    day = FundRule("day", 24 * USD, window=WindowRule("rolling", 86_400))
    calls = FundRule("calls", 50, "requests", window=HOUR)
    once = FundRule("once", 10 * USD, pace_over_s=36_000)
    made = scheme(FundRule("hour", 2 * USD, window=HOUR), day, calls, once)
    log = log_of(made, *alike(360), every_s=10.0, others=np.array([0.5, 0.0, 60.0, 0.0]))
    assert budgets(log, made, {}, 0) == pytest.approx([1.5, 1.0, 0.0, 1.0])
    assert budgets(log, made, {"day": 48 * USD}, 0) == pytest.approx([1.5, 2.0, 0.0, 1.0])


def test_a_calendar_window_is_as_long_as_it_is() -> None:
    """A fund of February 2026 has 28 days, one of a day with a change of clocks 23 hours."""
    month = FundRule("month", 28 * 24 * USD, window=WindowRule("calendar", every="month"))
    short = FundRule("short", 23 * USD, window=WindowRule("calendar", every="day", zone="Europe/Berlin"))
    made = scheme(month, short)
    log = log_of(made, *alike(360), every_s=10.0)
    february, march = 1_770_500_000, 1_774_750_000  # 7 February, 29 March 2026
    assert budgets(log, made, {}, february * USD)[0] == pytest.approx(1.0)
    assert budgets(log, made, {}, march * USD)[1] == pytest.approx(1.0)


def test_a_burst_is_no_pace() -> None:
    """Queries that came at once span what the gateway expects so many to take."""
    made = scheme(FundRule("hour", 36 * USD, window=HOUR))
    log = replace(log_of(made, *alike(100)), at_s=np.full(100, 5.0), rate=1.0)
    assert log.span_s == 100.0
    assert budgets(log, made, {}, 0) == pytest.approx([1.0])


def test_money_for_everybody() -> None:
    """By hand: 128 queries cost 1.28 dollars on the good model; with two dollars each of them gets it."""
    made = scheme(FundRule("all", USD))
    rich = play(log_of(made, *alike(128)), made.snapshot.funds, np.array([2.0]), np.zeros(128))
    assert rich.model.tolist() == [0] * 128
    assert rich.left == pytest.approx([0.72])
    assert np.isnan(rich.runs_out).all()


def test_money_for_half_of_them_is_spent_well() -> None:
    """Against HiGHS: with half of the money at least 95 % of what anybody could get who knew all queries before."""
    rng = np.random.default_rng(3)
    made, queries = scheme(FundRule("all", USD)), 256
    quality, cost = alike(queries)
    quality = np.clip(quality + rng.normal(0, 0.2, quality.shape), 0, 1)
    cost = cost * rng.lognormal(0, 0.4, cost.shape)
    log, budget = log_of(made, quality, cost), cost[:, 0].sum() / 2
    one_each = np.kron(np.eye(queries), np.ones((1, 2)))
    limits = np.vstack([cost.reshape(1, -1), one_each])
    best = linprog(-quality.ravel(), limits, np.concatenate([[budget], np.ones(queries)]), bounds=(0, 1))
    found = outcome_json(log, play(log, made.snapshot.funds, np.array([budget]), np.zeros(queries)), made)
    assert 0.95 * -best.fun <= found["quality"] * queries <= -best.fun + 1e-6
    assert found["cost_nano"] <= round(budget * USD)


def test_an_empty_fund_closes_its_model() -> None:
    """Nothing for the good one: everybody goes to the other, and the fund is said to be empty from the start."""
    made = scheme(FundRule("good", 0, models=(GOOD,)))
    log = log_of(made, *alike(200))
    played = play(log, made.snapshot.funds, np.array([0.0]), np.zeros(200))
    assert played.model.tolist() == [1] * 200
    (fund,) = outcome_json(log, played, made)["funds"]
    assert fund == {"fund": "good", "unit": "usd", "amount": 0, "spent": 0, "runs_out": 64 / 200}


def test_the_knob_at_its_ends() -> None:
    """0 is the best whatever it costs, 10 the cheapest whatever it is worth; each model alone is one of these here."""
    made = scheme()
    ground = ground_of(log_of(made, *alike(40)), made)
    page = page_json(ground)
    ends = {point["knob"]: (point["quality"], point["cost_nano"]) for point in page["frontier"]}
    assert ends[0.0] == pytest.approx((0.9, 400_000_000))
    assert ends[10.0] == pytest.approx((0.5, 40_000_000))
    assert page["here"]["quality"] == pytest.approx(0.9)
    assert page["here"]["funds"] == []
    assert [(one["id"], one["quality"]) for one in page["models"]] == [
        (GOOD, pytest.approx(0.9)),
        (CHEAP, pytest.approx(0.5)),
    ]
    after = replayed_json(ground, {}, 10.0)
    assert after is not None
    assert (after["moved"], after["before"]["shares"], after["after"]["shares"]) == (1.0, {GOOD: 1.0}, {CHEAP: 1.0})


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 30), st.floats(0, 10), st.integers(0, 2**31))
def test_without_limits_it_is_the_rule_itself(queries: int, knob: float, seed: int) -> None:
    """Brute force: each query to the model with the best quality less price times cost, where a fund is never short."""
    rng = np.random.default_rng(seed)
    made = scheme(FundRule("all", USD))
    log = log_of(made, rng.random((queries, 2)), rng.random((queries, 2)) / 100)
    price = made.trade_off_price(knob)
    found = unlimited(log, made.snapshot.funds, np.full(queries, price))
    best = [int(np.argmax(log.estimates.quality[j] - price * log.estimates.cost_usd[j])) for j in range(queries)]
    assert found.tolist() == best


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 200), st.floats(0, 1), st.booleans(), st.integers(0, 2**31))
def test_no_fund_spends_more_than_it_has(queries: int, dollars: float, cheapest: bool, seed: int) -> None:
    """Whatever the money and the scarcity policy; who serves is allowed; what is told adds up."""
    rng = np.random.default_rng(seed)
    made = scheme(FundRule("all", USD), FundRule("good", 50, "requests", models=(GOOD,)))
    log = log_of(made, rng.random((queries, 2)), rng.random((queries, 2)) / 100, cheapest=cheapest)
    log = replace(log, allowed=rng.random((queries, 2)) < 0.7, drawn=rng.random((queries, 2)) < 0.8)
    played = play(log, made.snapshot.funds, np.array([dollars, 50.0]), np.zeros(queries))
    rows = np.flatnonzero(played.model >= 0)
    columns = played.model[rows]
    assert log.allowed[rows, columns].all()
    paid = log.estimates.cost_usd[rows, columns]
    spent = np.array([paid[log.drawn[rows, 0]].sum(), (log.drawn[rows, 1] & (columns == 0)).sum()])
    assert (spent <= np.array([dollars, 50.0]) + 1e-9).all()
    assert played.budget - played.left == pytest.approx(spent, abs=1e-9)
    told = outcome_json(log, played, made)
    assert sum(told["shares"].values()) == pytest.approx(told["served"])


def test_few_queries_show_nothing_yet() -> None:
    """And say so; the sliders are there."""
    made = scheme(FundRule("all", 3 * USD), FundRule("shut", 0))
    ground = ground_of(log_of(made, *alike(5)), made)
    page = page_json(ground)
    assert (page["queries"], page["here"], page["frontier"], page["models"]) == (5, None, [], [])
    assert why(ground) == "5 queries asked for an alias so far; 20 are needed."
    assert replayed_json(ground, {}, 1.0) is None
    first, shut = page["funds"]
    assert (first["least"], first["amount"], first["most"]) == (3 * USD // 10, 3 * USD, 12 * USD)
    assert (shut["least"], shut["most"]) == (0, USD)


# What the journal gives


def row(number: int, **changes: Any) -> tuple[bytes, float | None]:
    """A row of the journal as the gateway writes it."""
    candidates = {
        "model": [GOOD, CHEAP, "p/gone"],
        "quality": [0.9, 0.5, 0.4],
        "spread": [0.1, 0.1, 0.1],
        "cost_usd": [0.01, 0.001, 0.001],
        "tokens": [100.0, 100.0, 100.0],
        "charge": [0.0, 0.0, 0.0],
        "score": [0.9, 0.5, 0.4],
    }
    basis = {"funds": {"all": ["usd", 2.0, None], "old": ["usd", 1.0, None]}, "scarcity": "decline"}
    kept: dict[str, Any] = {
        "decision_id": f"d{number}",
        "at_ns": number * USD,
        "key_id": "master",
        "asked": "auto",
        "outcome": "served",
        "model": GOOD,
        "cost_nano": 5_000_000,
        "funds": [["all", 5_000_000], ["old", 1]],
        "hops": [],
        "candidates": candidates,
        "basis": basis | {"ranked": [0, 1, 2], "place": 0},
    }
    return orjson.dumps(kept | changes), None


def test_rows_of_the_journal_become_arrays() -> None:
    """Oldest first, over the models and funds in force; what named its model is kept as money that is gone."""
    made = scheme(FundRule("all", USD), FundRule("other", USD))
    named = orjson.loads(row(3)[0])["basis"] | {"scarcity": None}
    rows = [row(4), row(3, basis=named), row(2, key_id="shadow"), row(1, asked="pointsman/auto")]
    log = read_log(rows, made, 1.0)
    assert log.at_s.tolist() == [1.0, 4.0]
    assert log.estimates.quality.tolist() == [[0.9, 0.5], [0.9, 0.5]]
    assert log.drawn.tolist() == [[True, False]] * 2
    assert log.others.tolist() == [0.01, 0.0]
    assert (log.alias, log.by_knob.tolist(), log.cheapest.tolist()) == ("auto", [True, True], [False, False])


def test_a_query_that_leans_by_itself_keeps_leaning() -> None:
    """Its own trade-off isn't the alias's; and a limit of its cost closes what is dearer."""
    made = scheme(FundRule("all", USD))
    basis = orjson.loads(row(1)[0])["basis"]
    log = read_log([row(2, basis=basis | {"money": 70.0}), row(1, basis=basis | {"limit_usd": 0.005})], made, 1.0)
    assert (log.by_knob.tolist(), log.money.tolist()) == ([True, False], [0.0, 70.0])
    assert log.allowed.tolist() == [[False, True], [True, True]]
    leaning = scheme(FundRule("all", USD), aliases=(Alias("auto", trade_off=5.0),))
    found = read_log([row(2, basis=basis | {"money": 70.0})], leaning, 1.0)
    assert found.by_knob.tolist() == [True]
    assert ground_of(found, leaning).knob == 5.0


def test_a_model_that_was_retired_serves_nobody_again() -> None:
    """Its column is closed, whatever it did then."""
    made = settings_of(model(GOOD), model(CHEAP), funds=(FundRule("all", USD),))
    retired = scheme_of(with_duties(made, {GOOD: "retired"}), quality=[0.9, 0.5], cost_usd=[0.01, 0.001])
    log = read_log([row(1)], retired, 1.0)
    assert log.allowed.tolist() == [[False, True]]
    assert [one["id"] for one in alone_json(log, retired)] == [CHEAP]


def test_a_model_alone_stands_for_the_queries_that_know_it() -> None:
    """By hand: plugged in for the last 120 of 240, at 0.9 each and a cent; known to none it isn't there."""
    made = scheme()
    quality, cost = alike(240)
    log = log_of(made, quality, cost)
    late = np.ones_like(log.allowed)
    late[:120, 0] = False
    good, cheap = alone_json(replace(log, allowed=late), made)
    assert (good["id"], good["quality"], good["cost_nano"]) == (GOOD, pytest.approx(0.9), 2_400_000_000)
    assert cheap["quality"] == pytest.approx(0.5)
    late[:200, 0] = False
    assert [one["id"] for one in alone_json(replace(log, allowed=late), made)] == [CHEAP]


def test_no_rows_no_log() -> None:
    """An empty journal, or one of an older version."""
    made = scheme(FundRule("all", USD))
    assert len(read_log([], made, 1.0)) == 0
    assert len(read_log([row(1, basis=None)], made, 1.0)) == 0
    assert page_json(ground_of(read_log([], made, 1.0), made))["queries"] == 0


@pytest.mark.parametrize(
    "given", [{"funds": {"x": 1}}, {"funds": {"all": 1.5}}, {"funds": {"all": -1}}, {"funds": [1]}]
)
def test_amounts_that_mean_nothing_are_refused(given: dict[str, Any]) -> None:
    """No such fund, no whole number, below zero, no object."""
    with pytest.raises(Refusal):
        amounts_of(given, {"all"})


@pytest.mark.parametrize("knob", [-1, 10.5, "5", True, float("nan")])
def test_knobs_that_mean_nothing_are_refused(knob: Any) -> None:
    """Outside of 0 to 10, or no number."""
    with pytest.raises(Refusal):
        knob_of({"knob": knob})
