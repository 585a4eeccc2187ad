"""Every policy: its rule by hand, and what none of them may ever do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from pointsman.decide.policies import POLICIES, Briefing, Options, View, make_policy
from pointsman.decide.policies.batchsplit import assign
from pointsman.decide.policies.honest import MirrorDescent
from pointsman.decide.policies.published import GreedyCost, Port
from pointsman.decide.program import Amounts, FundTable, compile_funds
from pointsman.errors import InputError
from pointsman.evaluate.replay import drawn_by, replay
from pointsman.evaluate.scenarios import SCENARIOS
from pointsman.records import Estimates, Floats, Fund
from worlds import case_of

GENERAL = [name for name in POLICIES if name not in ("port",)]


def estimates(quality: Floats, cost: Floats) -> Estimates:
    return Estimates(quality, cost, cost * 1e6, np.zeros_like(quality))


def view(batch: Estimates, remaining: Floats, seen: int = 0, elapsed: float = 0.0) -> View:
    models = batch.quality.shape[1]
    return View(batch, remaining, seen, elapsed, np.ones(models, dtype=np.bool_), np.ones(models))


def two_funds(a: float, b: float) -> FundTable:
    return compile_funds([Fund("a", a, models=("a",)), Fund("b", b, models=("b",))], ("a", "b"))


# --- by hand


def test_port_follows_the_paper_on_a_small_case() -> None:
    """After the random part, prices minimise the paper's F (checked on a grid) and queries follow alpha d − gamma g."""
    rng = np.random.default_rng(3)
    batch = estimates(rng.random((40, 2)), rng.random((40, 2)) * 1e-4)
    table, policy = two_funds(4e-4, 2e-4), Port(alpha=1e-4, epsilon=0.5)
    state = policy.begin(Briefing(table, batch, 40, seed=7))
    scores, state = policy.scores(state, view(batch, table.budget))
    assert state.gamma is not None
    first = batch.take(slice(0, 20))

    def objective(gamma: Floats) -> float:
        gain = (1e-4 * first.quality - gamma * first.cost_usd).max(axis=1)
        return float(0.5 * gamma @ table.budget + gain.sum())

    grid = np.linspace(0, 1, 201)
    best = min(objective(np.array([x, y])) for x in grid for y in grid)
    # The published optimiser walks on finite differences of a function of size 1e-4: near the least value, not at it.
    assert objective(state.gamma) <= best + 0.1 * abs(objective(np.array([0.5, 0.5])) - best) + 1e-9
    np.testing.assert_allclose(scores[20:], (1e-4 * batch.quality - state.gamma * batch.cost_usd)[20:])


def test_port_explores_or_drops_at_random() -> None:
    """In the first part each of the M models and 'nobody' is drawn about equally often, whatever the estimates."""
    batch = estimates(np.tile([0.9, 0.1], (3000, 1)), np.ones((3000, 2)))
    table, policy = two_funds(1.0, 1.0), Port(epsilon=0.999)
    scores, _ = policy.scores(
        policy.begin(Briefing(table, batch, 3000)), view(batch.take(slice(0, 2900)), table.budget)
    )
    shares = [(scores[:, 0] == 1).mean(), (scores[:, 1] == 1).mean(), np.isinf(scores).all(axis=1).mean()]
    np.testing.assert_allclose(shares, 1 / 3, atol=0.04)


def test_port_refuses_other_funds() -> None:
    """The published algorithm is defined for one usd fund a model, and says so."""
    table = compile_funds([Fund("pool", 1.0)], ("a", "b"))
    with pytest.raises(InputError, match="exactly one usd fund"):
        Port().begin(Briefing(table, estimates(np.ones((1, 2)), np.ones((1, 2))), 10))


@pytest.mark.parametrize(("alpha", "epsilon"), [(0.0, 0.1), (1.0, 0.0), (1.0, 1.0)])
def test_port_refuses_impossible_options(alpha: float, epsilon: float) -> None:
    """Alpha must be positive and epsilon a share."""
    with pytest.raises(InputError, match=r"paper uses"):
        make_policy("port", Options(alpha, epsilon))


def test_greedy_cost_by_hand() -> None:
    """Each query goes where most estimated budget is left after it, and lowers it for the next."""
    cost = np.array([[3.0, 1.0], [3.0, 1.0], [3.0, 1.0]])
    policy, table = GreedyCost(), two_funds(10.0, 9.0)
    scores, left = policy.scores(table.budget, view(estimates(cost, cost), table.budget))
    # left after: (7, 8) -> b; (7, 7) -> a (first of equals); (4, 7) -> b
    assert [int(row.argmax()) for row in scores] == [1, 0, 1]
    assert left.tolist() == [7.0, 7.0]


def test_batchsplit_is_the_best_assignment_by_brute_force() -> None:
    """On a small batch the program's assignment has the value of the best of all (M + 1)^Q assignments."""
    rng = np.random.default_rng(5)
    quality, cost = rng.random((6, 2)), rng.random((6, 2)) + 0.2
    table = two_funds(1.5, 1.0)
    chosen = assign(quality, Amounts(usd=cost), table, table.budget)

    def value(models: Floats) -> float:
        rows = np.flatnonzero(models >= 0)
        spent = [cost[rows[models[rows] == i], i].sum() for i in range(2)]
        return quality[rows, models[rows].astype(int)].sum() if (spent <= table.budget).all() else -1.0

    every = np.stack(np.meshgrid(*[[-1, 0, 1]] * 6), axis=-1).reshape(-1, 6)
    assert value(chosen.astype(float)) == pytest.approx(max(value(one) for one in every), rel=1e-2)


def test_mirror_descent_moves_prices_by_spending() -> None:
    """A fund that spent above its target gets dearer, one that spent nothing cheaper, by the stated factor."""
    batch = estimates(np.full((1, 2), 0.5), np.full((1, 2), 1.0))
    table, policy = two_funds(100.0, 100.0), MirrorDescent(step=0.1)
    state = policy.begin(Briefing(table, batch, 100))
    _, after = policy.scores(state, view(batch, np.array([98.0, 100.0]), seen=1))
    np.testing.assert_allclose(after.price / state.price, [np.exp(0.1), np.exp(-0.1)])


def test_paced_prices_are_the_dual_of_what_is_expected() -> None:
    """Before the first query `paced` holds the dual prices of the history under the budget, as HiGHS finds them."""
    case = case_of(300, 3, noise=0.3)
    policy = make_policy("paced")
    state = policy.begin(Briefing(case.funds, case.history, 300))
    price = policy.price(state)
    assert price is not None
    history, funds = case.history, case.funds
    queries, models = history.quality.shape
    # min Σ p B + Σ u_j  s.t.  u_j >= q_ji − p_i c_ji,  u, p >= 0
    rows = np.zeros((queries * models, models + queries))
    rows[np.arange(queries * models), np.tile(np.arange(models), queries)] = -history.cost_usd.ravel()
    rows[np.arange(queries * models), models + np.repeat(np.arange(queries), models)] = -1.0
    oracle = linprog(np.concatenate([funds.budget, np.ones(queries)]), A_ub=rows, b_ub=-history.quality.ravel())

    def dual(p: Floats) -> float:
        return float(p @ funds.budget + np.maximum(0, (history.quality - p * history.cost_usd).max(axis=1)).sum())

    assert dual(price) == pytest.approx(oracle.fun, rel=1e-3)


# --- whatever the policy


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_policy_overspends_in_any_scenario(name: str, scenario: str) -> None:
    """Every policy keeps every fund in every scenario, and serves only what it says."""
    kind = "pool" if make_policy(name).traits.pooled else "models"
    case = case_of(300, 4, scenario=scenario, kind=kind)
    result = replay(make_policy(name), case)
    assert (result.spent <= case.funds.budget * (1 + 1e-9)).all()
    assert 0 <= result.performance <= result.served <= 300


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(GENERAL),
    st.sampled_from(["models", "pool", "mixed"]),
    st.floats(0.0, 3.0),
    st.integers(1, 60),
    st.integers(1, 5),
    st.integers(0, 1000),
)
def test_never_overspends(name: str, kind: str, share: float, queries: int, models: int, seed: int) -> None:
    """On random instances with funds of any unit, scarce or plentiful, no policy spends more than a fund has."""
    case = case_of(queries, max(models, 3), seed=seed, share=share, kind=kind)
    result = replay(make_policy(name), case)
    again = drawn_by(case.funds, Amounts(case.truth.cost_usd, case.truth.tokens), result.model).sum(axis=0)
    assert (again <= case.funds.budget * (1 + 1e-9) + 1e-12).all()


@pytest.mark.parametrize("name", [name for name in POLICIES if make_policy(name).traits.online])
def test_a_decision_does_not_depend_on_what_comes_later(name: str) -> None:
    """Changing the truth and the estimates of later queries changes no earlier decision."""
    kind = "pool" if make_policy(name).traits.pooled else "models"
    case = case_of(256 * 3, 4, kind=kind)
    cut = 256  # a batch boundary of every policy
    rng = np.random.default_rng(1)

    def later_changed(e: Estimates) -> Estimates:
        quality = e.quality.copy()
        quality[cut:] = rng.random(quality[cut:].shape)
        return replace(e, quality=quality)

    other = replace(case, truth=later_changed(case.truth), estimates=later_changed(case.estimates))
    one, two = replay(make_policy(name), case), replay(make_policy(name), other)
    assert one.model[:cut].tolist() == two.model[:cut].tolist()


@pytest.mark.parametrize("name", [name for name in POLICIES if make_policy(name).traits.online])
def test_the_truth_teaches_nothing_but_the_balance(name: str) -> None:
    """With the same costs, other scores lead to the same decisions: no policy peeks at a score."""
    kind = "pool" if make_policy(name).traits.pooled else "models"
    case = case_of(400, 4, kind=kind)
    other = replace(case, truth=replace(case.truth, quality=1.0 - case.truth.quality))
    assert replay(make_policy(name), case).model.tolist() == replay(make_policy(name), other).model.tolist()


@pytest.mark.parametrize("name", POLICIES)
def test_same_seed_same_run(name: str) -> None:
    """A replay is a function of its case."""
    kind = "pool" if make_policy(name).traits.pooled else "models"
    case = case_of(200, 3, kind=kind)
    assert replay(make_policy(name), case).model.tolist() == replay(make_policy(name), case).model.tolist()


def test_paced_wins_where_estimates_are_equal() -> None:
    """Given the same estimates, `paced` beats every other online policy on a scarce random world."""
    case = case_of(2000, 6, share=0.5, noise=0.25)
    online = [n for n in POLICIES if make_policy(n).traits.online and not make_policy(n).traits.pooled]
    found = {name: replay(make_policy(name), case).performance for name in online}
    assert max(found, key=lambda name: found[name]) == "paced"


def test_optimum_is_the_upper_bound() -> None:
    """On the true outcomes the offline optimum is at least what any other policy reaches, up to rounding."""
    case = case_of(400, 4)
    best = replay(make_policy("optimum"), replace(case, estimates=case.truth)).performance
    for name in POLICIES:
        if not make_policy(name).traits.pooled:
            assert replay(make_policy(name), case).performance <= best + 4  # one fractional query a fund


@pytest.mark.parametrize("name", ["nobody", "paced@truth", "paced@nothing", "random@blend", ""])
def test_unknown_names_are_refused(name: str) -> None:
    """An unknown policy, or estimates that a policy can't take, is an error that lists what there is."""
    with pytest.raises(InputError, match="use"):
        make_policy(name)
