"""The last step of every decision: who serves a query, within the funds."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.decide.choose import Choices, choose
from pointsman.decide.program import Amounts, FundTable, compile_funds
from pointsman.records import REASONS, Floats, Fund

MODELS = ("a", "b")


def chosen(choices: Choices) -> list[tuple[int, str]]:
    return [(int(m), REASONS[r]) for m, r in zip(choices.model, choices.reason, strict=True)]


def funds(*amounts: float) -> FundTable:
    return compile_funds([Fund(m, x, models=(m,)) for m, x in zip(MODELS, amounts, strict=True)], MODELS)


def test_by_hand() -> None:
    """Three queries cost 1 each on `a`, which has 2: the third takes its second best."""
    scores = np.array([[0.9, 0.5], [0.9, 0.5], [0.9, 0.5]])
    table = funds(2.0, 2.0)
    found = choose(scores, Amounts(usd=np.ones((3, 2))), table, table.budget)
    assert chosen(found) == [(0, "best"), (0, "best"), (1, "best_payable")]
    assert found.remaining.tolist() == [0.0, 1.0]


def test_published_rule_loses_what_it_cannot_pay() -> None:
    """Without asking first a query goes to its best score, and is lost where that model has no money."""
    scores = np.array([[0.9, 0.5], [0.9, 0.5]])
    table = funds(1.0, 9.0)
    found = choose(scores, Amounts(usd=np.ones((2, 2))), table, table.budget, ask_first=False)
    assert chosen(found) == [(0, "best"), (-1, "lost")]
    assert found.remaining.tolist() == [0.0, 9.0]


def test_scarcity_policies() -> None:
    """A query that no model is worth is declined, or served by the cheapest model that can be paid."""
    scores, held = np.array([[-0.1, -0.2]]), Amounts(usd=np.array([[2.0, 1.0]]))
    table = funds(5.0, 5.0)
    assert chosen(choose(scores, held, table, table.budget)) == [(-1, "not_worth_it")]
    cheap = choose(scores, held, table, table.budget, scarcity="serve-cheapest")
    assert chosen(cheap) == [(1, "cheapest_payable")]
    broke = choose(scores, held, table, np.array([1.0, 0.5]), scarcity="serve-cheapest")
    assert chosen(broke) == [(-1, "not_worth_it")]


def test_nothing_payable_is_said() -> None:
    """A query that is worth serving but finds no money says so."""
    table = funds(0.0, 0.0)
    found = choose(np.array([[0.9, 0.5]]), Amounts(usd=np.ones((1, 2))), table, table.budget)
    assert chosen(found) == [(-1, "nothing_payable")]


def test_a_closed_or_forbidden_model_is_passed_over() -> None:
    """A model that is out, or whose score is -inf, never serves; blindly chosen, the query is lost."""
    table, held = funds(5.0, 5.0), Amounts(usd=np.ones((1, 2)))
    out = np.array([False, True])
    scores = np.array([[0.9, 0.5]])
    assert chosen(choose(scores, held, table, table.budget, open_models=out)) == [(1, "best_payable")]
    assert chosen(choose(scores, held, table, table.budget, open_models=out, ask_first=False)) == [(-1, "lost")]
    forbidden = np.array([[-np.inf, 0.5]])
    assert chosen(choose(forbidden, held, table, table.budget)) == [(1, "best")]
    cheap = choose(np.array([[-np.inf, -0.5]]), held, table, table.budget, scarcity="serve-cheapest")
    assert chosen(cheap) == [(1, "cheapest_payable")]


def brute_force(scores: Floats, usd: Floats, tokens: Floats, table: FundTable) -> tuple[list[int], Floats]:
    """The same rule in plain Python."""
    left, chosen_models = table.budget.copy(), []
    for j in range(len(scores)):
        took = np.stack([usd[j], tokens[j], np.ones_like(usd[j])])[table.unit] * table.draws
        payable = [i for i in range(scores.shape[1]) if (took[:, i] <= left)[table.draws[:, i]].all()]
        best = max(payable, key=lambda i: (scores[j, i], -i), default=-1)
        if best >= 0 and scores[j, best] > 0:
            left = left - took[:, best]
            chosen_models.append(best)
        else:
            chosen_models.append(-1)
    return chosen_models, left


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_never_overspends_and_agrees_with_brute_force(seed: int) -> None:
    """On random funds of all units no balance falls below zero, and every choice is the plain rule's."""
    rng = np.random.default_rng(seed)
    models = tuple(f"m{i}" for i in range(rng.integers(1, 5)))
    given_funds = [
        Fund(
            f"f{f}",
            float(rng.choice([0.0, 1.0, 5.0, 20.0])),
            unit=str(rng.choice(["usd", "tokens", "requests"])),  # type: ignore[arg-type]
            models=tuple(rng.choice(models, size=rng.integers(1, len(models) + 1), replace=False)),
        )
        for f in range(rng.integers(1, 5))
    ]
    table = compile_funds(given_funds, models)
    queries = int(rng.integers(1, 30))
    scores = rng.normal(size=(queries, len(models)))
    usd, tokens = rng.exponential(size=(2, queries, len(models)))
    found = choose(scores, Amounts(usd, tokens), table, table.budget)
    expected, left = brute_force(scores, usd, tokens, table)
    assert found.model.tolist() == expected
    assert (found.remaining >= 0).all()
    np.testing.assert_allclose(found.remaining, left, atol=1e-9)
