"""The library's face: a router fitted on history, routing within funds."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from pointsman import Fund, InputError, Router
from pointsman.decide.choose import Scarcity
from pointsman.decide.policies import make_policy
from pointsman.decide.program import compile_funds
from pointsman.evaluate.replay import Case, replay
from pointsman.evaluate.scenarios import Phase, World
from pointsman.evaluate.simulated import simulate
from pointsman.records import Estimates, Outcomes
from pointsman.router import embed

QUERIES = simulate(600, seed=4).only(np.array([0, 2, 5, 9]))
HISTORY, LATER = QUERIES.take(np.arange(300)), QUERIES.take(np.arange(300, 600))


def pool(share: float, history: Outcomes = HISTORY) -> Fund:
    """A pool that pays `share` of what 300 queries cost on average."""
    return Fund("pool", share * 300 * float(history.cost_usd.mean()))


@cache
def fitted_once(funds: tuple[Fund, ...]) -> Router:
    return Router.fit(HISTORY, funds, volume=300)


def fitted(*funds: Fund, scarcity: Scarcity = "decline") -> Router:
    """A fresh router; the fit behind it is made once for the same funds."""
    return Router(fitted_once(funds or (pool(0.3),)).snapshot, volume=300, scarcity=scarcity)


def test_ten_lines() -> None:
    """Fund in, decisions out: model ids, reasons, candidates with their scores in order, holds off the balance."""
    router = fitted(pool(0.2), Fund("calls", 200, "requests"))
    decisions = router.route(LATER.texts[:32])
    assert len(decisions) == 32
    for decision in decisions:
        scores = [candidate.score for candidate in decision.candidates]
        assert scores == sorted(scores, reverse=True)
        assert decision.model is None or decision.model in HISTORY.models
        top = decision.candidates[0]
        assert top.score == pytest.approx(top.quality - top.charge)
    held = sum(d.chosen.cost_usd for d in decisions if d.chosen)
    served = sum(d.model is not None for d in decisions)
    np.testing.assert_allclose(router.balances, router.snapshot.funds.budget - [held, served])


def test_never_holds_more_than_a_fund_has() -> None:
    """However many queries come, the expected cost of what was promised stays within the fund."""
    router = fitted(pool(0.0002))
    decisions = [d for start in range(0, 300, 50) for d in router.route(LATER.texts[start : start + 50])]
    held = sum(d.chosen.cost_usd for d in decisions if d.chosen)
    assert held <= router.snapshot.funds.budget[0]
    assert (router.balances >= 0).all()
    assert any(d.model is None for d in decisions)


def test_batches_or_one_by_one_is_the_same() -> None:
    """A query is a batch of one: the same prices give the same choices however queries are grouped."""
    one, many = fitted(), fitted()
    grouped = [d.model for d in many.route(LATER.texts[:12])]
    assert [one.route([text])[0].model for text in LATER.texts[:12]] == grouped


def test_settling_replaces_the_hold() -> None:
    """After the receipt the fund has paid what the answer took, whether above or below the estimate."""
    router = fitted()
    decision = router.route(LATER.texts[:1])[0]
    assert decision.chosen is not None
    before = router.snapshot.funds.budget[0]
    router.settle(decision, cost_usd=3 * decision.chosen.cost_usd)
    assert router.balances[0] == pytest.approx(before - 3 * decision.chosen.cost_usd)
    with pytest.raises(InputError, match="finite"):
        router.settle(decision, cost_usd=float("nan"))
    with pytest.raises(InputError, match="no model"):
        router.settle(replace(decision, model=None), cost_usd=1.0)


def test_scarcity_serve_cheapest_serves_more() -> None:
    """With `serve-cheapest` a query that no model is worth still gets the cheapest payable one."""
    declining, serving = fitted(pool(0.01)), fitted(pool(0.01), scarcity="serve-cheapest")
    texts = LATER.texts[:40]
    assert sum(d.model is None for d in serving.route(texts)) < sum(d.model is None for d in declining.route(texts))


def test_a_replay_decides_what_the_router_decides() -> None:
    """The same estimates, funds and prices through `evaluate.replay` and through `Router` give the same models."""
    router, funds = fitted(pool(0.3)), compile_funds([pool(0.3)], HISTORY.models)
    prompts = embed(LATER.texts, router.snapshot.embedder, LATER.input_tokens)
    estimates = router.snapshot.estimator.estimate(prompts)
    # The policy's own beginning is the router's: the held-out estimates are those of the same deterministic fit.
    state = router.snapshot.state
    history = Estimates(state.sample.quality, state.sample.cost_usd, state.sample.tokens, state.sample.spread)
    models = len(HISTORY.models)
    world = World(np.arange(300), np.arange(300) / 300, 300, (Phase(300, np.ones(models, np.bool_), np.ones(models)),))
    result = replay(make_policy("paced"), Case(estimates, history, estimates, funds, world, 0))
    routed = [
        d.model
        for start in range(0, 300, 64)
        for d in router.route_prompts(prompts.take(np.arange(start, min(300, start + 64))))
    ]
    assert [HISTORY.models[m] if m >= 0 else None for m in result.model] == routed


def test_refusals() -> None:
    """Funds for unknown models, no funds, no history and no volume are refused by name."""
    with pytest.raises(InputError, match="unknown"):
        fitted(Fund("x", 1.0, models=("nobody/nothing",)))
    with pytest.raises(InputError, match="no funds"):
        Router.fit(HISTORY, [], volume=10)
    with pytest.raises(InputError, match="volume"):
        Router.fit(HISTORY, [pool(1)], volume=0)
    with pytest.raises(InputError, match="empty"):
        Router.fit(HISTORY.take(np.arange(0)), [pool(1)], volume=10)
    assert fitted().route([]) == []
