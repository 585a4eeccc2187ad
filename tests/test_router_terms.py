"""What differs from query to query: who may answer, whose money is drawn on, how a query leans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.decide.choose import Choices, Scarcity
from pointsman.decide.policies import Briefing, Policy, make_policy
from pointsman.decide.policies.standing import Standing, StandingState
from pointsman.decide.program import FundTable
from pointsman.decide.terms import CHEAPEST_PRICE, Drawn, Terms, drawn_by_all, drawn_of, trade_off_price
from pointsman.errors import InputError
from pointsman.records import REASONS, Estimates, Floats, Prompts, Vectors
from pointsman.router import Moment, Snapshot, route


@dataclass(frozen=True)
class Told:
    """An estimator that says what it was told."""

    estimates: Estimates

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(f"m{i}" for i in range(self.estimates.quality.shape[1]))

    def estimate(self, prompts: Prompts) -> Estimates:
        return self.estimates.take(slice(0, len(prompts)))


class NoEmbedder:
    """Never asked: the prompts come embedded."""

    name, dimension = "none", 1

    def embed(self, texts: Any) -> Vectors:
        raise AssertionError


def told(quality: Floats, cost: Floats) -> Told:
    return Told(Estimates(quality, cost, cost * 1e5, np.zeros_like(quality)))


def table_of(budget: list[float], draws: Any, unit: list[int] | None = None) -> FundTable:
    names = tuple(f"f{f}" for f in range(len(budget)))
    units = np.zeros(len(budget), np.int64) if unit is None else np.array(unit)
    return FundTable(names, np.array(budget), units, np.array(draws, np.bool_))


def routed(
    estimator: Told,
    table: FundTable,
    terms: Terms | None,
    *,
    price: list[float] | None = None,
    policy: Policy | None = None,
    state: Any = None,
    scarcity: Scarcity = "decline",
) -> tuple[Choices, Estimates, Floats]:
    queries = len(estimator.estimates)
    prompts = Prompts(["q"] * queries, np.zeros((queries, 1), np.float32), np.ones(queries))
    prices = np.zeros(len(table)) if price is None else np.array(price)
    chosen = policy or Standing()
    begun = StandingState(prices, table) if policy is None else state
    snapshot = Snapshot(NoEmbedder(), estimator, table, chosen, begun)
    choices, estimates, scores, _ = route(
        prompts, snapshot, table.budget, Moment(0, 0.0), scarcity=scarcity, terms=terms
    )
    return choices, estimates, scores


def said(choices: Choices) -> list[tuple[int, str]]:
    return [(int(i), REASONS[int(why)]) for i, why in zip(choices.model, choices.reason, strict=True)]


SAME = told(np.array([[0.5, 0.9]] * 3), np.array([[0.1, 1.0]] * 3))
POOL = table_of([10.0], [[1, 1]])


def test_a_query_goes_only_where_it_is_allowed() -> None:
    """Not even as the cheapest when nothing is worth it, and nowhere where nothing is allowed."""
    allowed = np.array([[1, 1], [1, 0], [0, 0]], np.bool_)
    choices, _, scores = routed(SAME, POOL, Terms(allowed), scarcity="serve-cheapest")
    assert said(choices) == [(1, "best"), (0, "best"), (-1, "not_worth_it")]
    assert np.isneginf(scores).tolist() == (~allowed).tolist()
    dear = routed(SAME, POOL, Terms(~allowed), price=[1e6], scarcity="serve-cheapest")[0]
    assert said(dear) == [(-1, "not_worth_it"), (1, "cheapest_payable"), (0, "cheapest_payable")]


def test_a_query_pays_from_its_own_funds_alone() -> None:
    """Three keys of different means: the rich one gets the better model, the poor one the cheap one, the third none.

    And what the first takes from the pool is gone for the third.
    """
    table = table_of([1.0, 5.0, 0.5], [[1, 1], [1, 1], [1, 1]])
    choices, _, _ = routed(SAME, table, Terms(drawn=((0, 1), (2,), (0, 1))))
    assert said(choices) == [(1, "best"), (0, "best_payable"), (-1, "nothing_payable")]
    assert choices.remaining.tolist() == pytest.approx([0.0, 4.0, 0.4])


def test_a_query_is_charged_for_its_own_funds_alone() -> None:
    """A fund that is dear sends its own queries to the cheap model, and nobody else's."""
    table = table_of([10.0, 10.0], [[1, 1], [1, 1]])
    choices, _, scores = routed(SAME, table, Terms(drawn=((0,), (0, 1), ())), price=[0.1, 0.5])
    assert said(choices) == [(1, "best"), (0, "best"), (1, "best")]
    np.testing.assert_allclose(scores, [[0.49, 0.8], [0.44, 0.3], [0.5, 0.9]])


def test_the_knob_leans_and_never_declines() -> None:
    """At no price the better one, at a high price the cheaper; at any price somebody, whatever the score."""
    choices, _, scores = routed(SAME, POOL, Terms(money_price=np.array([0.0, 1.0, 1e9])))
    assert said(choices) == [(1, "best"), (0, "best"), (0, "best")]
    assert scores[2].max() < 0
    broke = routed(SAME, POOL, Terms(money_price=np.full(3, 1e9)), price=[20.0])[0]
    assert said(broke) == [(-1, "not_worth_it")] * 3


def test_the_cheapest_that_can_be_paid_where_the_cheapest_cannot() -> None:
    """Cheapest by the knob means cheapest of those with money left, even where declining is the rule."""
    table = table_of([0.0, 10.0], [[1, 0], [0, 1]])
    choices, _, _ = routed(SAME, table, Terms(money_price=np.full(3, 1e9)))
    assert said(choices) == [(1, "best_payable")] * 3


def test_a_cached_prompt_is_cheaper_and_a_conversation_stays() -> None:
    """What is saved is off the cost, never below zero, in the choice and in the estimates told; a bonus tips a tie."""
    saved = np.array([[0.0, 0.0], [0.0, 0.9], [0.0, 5.0]])
    choices, estimates, _ = routed(SAME, POOL, Terms(saved_usd=saved), price=[0.5])
    assert said(choices) == [(0, "best"), (1, "best"), (1, "best")]
    np.testing.assert_allclose(estimates.cost_usd[:, 1], [1.0, 0.1, 0.0])
    assert choices.remaining[0] == pytest.approx(10.0 - 0.1 - 0.1 - 0.0)
    bonus = np.array([[0.0, 0.0], [0.41, 0.0], [0.39, 0.0]])
    assert said(routed(SAME, POOL, Terms(bonus=bonus))[0]) == [(1, "best"), (0, "best"), (1, "best")]


def test_a_bonus_makes_nothing_worth_its_price() -> None:
    """Staying is a reason to prefer a model, not to spend money that isn't worth spending."""
    choices, _, _ = routed(SAME, POOL, Terms(bonus=np.full((3, 2), 10.0)), price=[50.0])
    assert said(choices) == [(-1, "not_worth_it")] * 3


def world(seed: int) -> tuple[Told, FundTable, Estimates]:
    rng = np.random.default_rng(seed)
    queries, models, funds = 12, 4, 5
    estimator = told(rng.random((queries, models)), rng.random((queries, models)))
    draws = rng.random((funds, models)) < 0.6
    draws[:, 0] = True
    unit = rng.integers(0, 3, funds).tolist()
    budget = rng.random(funds) * np.array([4.0, 4e5, 8.0])[unit]
    history = Estimates(*(rng.random((40, models)) for _ in range(4)))
    return estimator, table_of(budget.tolist(), draws, unit), history


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["standing", "paced", "pid-pacing", "mirror-descent", "greedy-perf"]))
def test_terms_that_say_nothing_change_nothing(seed: int, name: str) -> None:
    """All funds drawn on, all models allowed, no price, saving or bonus: as without terms, whatever the policy."""
    estimator, table, history = world(seed)
    queries, models = estimator.estimates.quality.shape
    policy = Standing() if name == "standing" else make_policy(name)
    state = policy.begin(Briefing(table, history, 50, seed))
    if name == "standing":
        state = StandingState(np.random.default_rng(seed).random(len(table)) * 1e-2, table)
    terms = Terms(
        np.ones((queries, models), np.bool_),
        (tuple(range(len(table))),) * queries,
        np.zeros(queries),
        np.zeros((queries, models)),
        np.zeros((queries, models)),
    )
    bare, _, scores = routed(estimator, table, None, policy=policy, state=state)
    same, _, again = routed(estimator, table, terms, policy=policy, state=state)
    assert said(bare) == said(same)
    assert np.array_equal(bare.remaining, same.remaining)
    np.testing.assert_allclose(scores, again, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["standing", "paced"]))
def test_one_query_of_some_funds_is_a_router_with_those_funds(seed: int, name: str) -> None:
    """Restricting a query's funds is the same as a table of them alone, for policies that charge by fund."""
    estimator, table, history = world(seed)
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(rng.random(len(table)) < 0.5)
    policy: Policy = Standing() if name == "standing" else make_policy(name)
    state = policy.begin(Briefing(table, history, 50, seed))
    if name == "standing":
        state = StandingState(rng.random(len(table)) * 1e-1, table)
    price = policy.price(state)
    assert price is not None
    queries = len(estimator.estimates)
    terms = Terms(drawn=(tuple(rows.tolist()),) * queries)
    some, _, scores = routed(estimator, table, terms, policy=policy, state=state)
    alone, _, expected = routed(estimator, table.take(rows), None, price=price[rows].tolist())
    np.testing.assert_allclose(scores, expected, atol=1e-9)
    assert said(some) == said(alone)
    untouched = np.setdiff1d(np.arange(len(table)), rows)
    assert np.array_equal(some.remaining[untouched], table.budget[untouched])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_a_batch_is_its_queries_one_after_another(seed: int) -> None:
    """Any terms: balances go down through the batch, no fund below zero, no fund touched by a query that hasn't it."""
    estimator, table, _ = world(seed)
    rng = np.random.default_rng(seed)
    queries, models = estimator.estimates.quality.shape
    allowed, money_price = rng.random((queries, models)) < 0.8, np.asarray(rng.random(queries))
    drawn = tuple(tuple(np.flatnonzero(rng.random(len(table)) < 0.5).tolist()) for _ in range(queries))
    saved_usd, bonus = rng.random((queries, models)) * 0.2, rng.random((queries, models)) * 0.1
    terms = Terms(allowed, drawn, money_price, saved_usd, bonus)
    price = (rng.random(len(table)) * 1e-2).tolist()
    whole, _, _ = routed(estimator, table, terms, price=price, scarcity="serve-cheapest")
    left = table.budget
    for j in range(queries):
        own = told(estimator.estimates.quality[[j]], estimator.estimates.cost_usd[[j]])
        part = Terms(allowed[[j]], (drawn[j],), money_price[[j]], saved_usd[[j]], bonus[[j]])
        step, _, _ = routed(own, table.with_budget(left), part, price=price, scarcity="serve-cheapest")
        assert said(step) == [said(whole)[j]]
        spared = np.setdiff1d(np.arange(len(table)), np.array(drawn[j], dtype=np.int64))
        assert np.array_equal(step.remaining[spared], left[spared])
        left = step.remaining
    assert (left >= 0).all()
    np.testing.assert_allclose(left, whole.remaining)


def test_sets_of_funds_are_laid_out_once() -> None:
    """Two sets among three queries, and what is left out of each."""
    drawn = drawn_of([(0, 2), (1,), (0, 2)], 3)
    assert (drawn.group.tolist(), drawn.starts.tolist(), drawn.rows.tolist()) == ([0, 1, 0], [0, 2, 3], [0, 2, 1])
    rest = drawn.rest(3)
    assert (rest.starts.tolist(), rest.rows.tolist()) == ([0, 1, 3], [1, 0, 2])


@pytest.mark.parametrize("queries", [3, 100])
def test_everybody_draws_on_everything(queries: int) -> None:
    """One set, whatever the number of queries."""
    drawn: Drawn = drawn_by_all(2, queries)
    assert drawn.group.tolist() == [0] * queries
    assert drawn.rows.tolist() == [0, 1]


@pytest.mark.parametrize("rows", [(0, 0), (3,), (-1,)])
def test_funds_that_are_not_there_are_refused(rows: tuple[int, ...]) -> None:
    """Nor may a fund pay twice."""
    with pytest.raises(InputError, match="not distinct rows"):
        drawn_of([rows], 3)


@pytest.mark.parametrize(
    "terms",
    [
        Terms(allowed=np.ones((1, 2), np.bool_)),
        Terms(drawn=((0,),)),
        Terms(money_price=np.ones(1)),
        Terms(saved_usd=np.ones((3, 1))),
        Terms(bonus=np.ones((2,))),
    ],
)
def test_terms_of_another_shape_are_refused(terms: Terms) -> None:
    """Nothing is stretched to fit."""
    with pytest.raises(InputError, match="expected"):
        routed(SAME, POOL, terms)


# --- the knob


def test_the_knob_by_hand() -> None:
    """Qualities .5 and .9, costs .1 and 1.1: the whole way is .4 for a dollar, and 5 asks just that."""
    history = told(np.array([[0.5, 0.9]] * 2), np.array([[0.1, 1.1]] * 2)).estimates
    assert trade_off_price(0, history) == 0.0
    assert trade_off_price(5, history) == pytest.approx(0.4)
    assert trade_off_price(8, history) == pytest.approx(1.6)
    assert trade_off_price(2, history) == pytest.approx(0.1)
    assert trade_off_price(10, history) == CHEAPEST_PRICE


@given(st.floats(0, 10), st.floats(0, 10), st.integers(0, 100))
def test_the_knob_rises_and_stays_finite(one: float, other: float, seed: int) -> None:
    """More of it is never a lower price, in any pool, even one whose models all cost and score the same."""
    history = world(seed)[0].estimates if seed else told(np.full((2, 2), 0.5), np.ones((2, 2))).estimates
    low, high = sorted((one, other))
    assert 0.0 <= trade_off_price(low, history) <= trade_off_price(high, history) <= CHEAPEST_PRICE


@pytest.mark.parametrize("trade_off", [-0.1, 10.1, float("nan")])
def test_a_knob_out_of_range_is_refused(trade_off: float) -> None:
    """It goes from 0 to 10, and needs to know the pool."""
    with pytest.raises(InputError, match="from 0 to 10"):
        trade_off_price(trade_off, SAME.estimates)
    with pytest.raises(InputError, match="no estimates"):
        trade_off_price(5, SAME.estimates.take(slice(0, 0)))
