"""What a newcomer changes in the routing, and when more answers can't change it any more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from made_onboarding import constant, money_of
from pointsman.onboard.ground import Belief, Money
from pointsman.onboard.intervals import Interval
from pointsman.onboard.stopping import LEAST_PROBES, TOLERANCE, Outlook, Routing, foresee, reason_to_stop, routed
from pointsman.records import Estimates

ROWS = 100
BELIEVED = Interval(0.5, 0.4, 0.6, ROWS)
SKILLS = ["a", "b", "c", "d"] * 4


def belief(low: float, quality: float, high: float, cost_usd: float = 0.002, rows: int = ROWS) -> Belief:
    ones = np.ones(rows)
    return Belief(low * ones, quality * ones, high * ones, cost_usd * ones, 100 * ones)


def pool_of(usd: float) -> Money:
    """Money over both models for a thousand queries."""
    return money_of(2, {"pool": (usd, 1_000.0)})


@pytest.mark.parametrize(
    ("usd", "shares", "qualities"),
    [
        # One model of 0.6 at $0.001 and a newcomer of 0.5, 0.7 or 0.9 at $0.002, for 1,000 queries.
        (1.0, (0.0, 0.0, 0.0), (0.6, 0.6, 0.6)),  # a dollar buys each of them the cheap one, and it is worth more
        (2.0, (0.0, 1.0, 1.0), (0.6, 0.7, 0.9)),  # money for the newcomer throughout
        (1.5, (0.0, 0.5, 0.5), (0.6, 0.65, 0.75)),  # money for half of them
    ],
)
def test_by_hand(usd: float, shares: tuple[float, ...], qualities: tuple[float, ...]) -> None:
    """Two models, one fund: the shares and scores of the linear program, found by hand."""
    found = foresee(constant(ROWS, [0.6], [0.001]), belief(0.5, 0.7, 0.9), pool_of(usd))
    ways = (found.low, found.expected, found.high)
    assert found.without.quality == pytest.approx(0.6)
    assert [way.share[-1] for way in ways] == pytest.approx(shares, abs=0.051)
    assert [way.quality for way in ways] == pytest.approx(qualities, abs=0.0051)
    assert found.best_share == found.high.share[-1]
    its = found.newcomer
    assert (its.mean, its.low, its.high) == pytest.approx((0.7, 0.5, 0.9))


def test_without_funds() -> None:
    """Where nothing limits the money the better one serves."""
    found = foresee(constant(ROWS, [0.6], [0.001]), belief(0.5, 0.7, 0.9), money_of(2))
    assert [way.share[-1] for way in (found.low, found.expected, found.high)] == [0.0, 1.0, 1.0]
    assert found.expected.quality == pytest.approx(0.7)


def test_fund_of_the_newcomer_alone() -> None:
    """A fund that nobody else draws on isn't there without it, and limits it when it is."""
    money = money_of(2, {"its": (0.2, 1_000.0)})
    money.funds.draws[0, 0] = False
    found = foresee(constant(ROWS, [0.6], [0.001]), belief(0.5, 0.7, 0.9), money)
    assert found.without.share.tolist() == [1.0]
    assert found.expected.share.tolist() == pytest.approx([0.9, 0.1])


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(0.2, 1.2))
def test_against_the_program_itself(seed: int, scarce: float) -> None:
    """Routing in stretches comes close to the optimum that HiGHS finds, and never above it."""
    rng = np.random.default_rng(seed)
    rows = Estimates(rng.random((60, 3)), rng.random((60, 3)) * 0.01 + 1e-4, np.ones((60, 3)), np.zeros((60, 3)))
    usd = scarce * float(rows.cost_usd.mean(axis=1).sum())
    found = routed(rows, money_of(3, {"pool": (usd, 60.0)}))
    best = optimum(rows, usd)
    assert found.quality <= best + 1e-9
    assert found.quality >= 0.93 * best - 0.02
    assert found.cost_usd * 60 <= usd * (1 + 1e-9)
    assert 0 <= found.share.sum() <= 1 + 1e-12


def optimum(rows: Estimates, usd: float) -> float:
    count, models = rows.quality.shape
    each = np.kron(np.eye(count), np.ones(models))
    limits = np.vstack([each, rows.cost_usd.ravel()])
    solved = linprog(-rows.quality.ravel(), limits, [*np.ones(count), usd], bounds=(0, 1), method="highs")
    best: float = -solved.fun / count
    return best


def outlook(low: float, high: float, share: float) -> Outlook:
    def way(quality: float, its: float) -> Routing:
        return Routing(np.array([1 - its, its]), quality, 0.0)

    return Outlook(
        Routing(np.array([1.0]), 0.6, 0.0), way(low, 0.0), way((low + high) / 2, share), way(high, share), BELIEVED
    )


@pytest.mark.parametrize(
    ("skills", "found", "stops"),
    [
        (SKILLS, outlook(0.6, 0.6, 0.0), "even at its best"),
        (SKILLS, outlook(0.6, 0.6, 0.0099), "even at its best"),
        (SKILLS, outlook(0.6, 0.6 + TOLERANCE * 0.9, 0.3), "at its best and at its worst"),
        (SKILLS, outlook(0.6, 0.6 + TOLERANCE * 1.1, 0.3), ""),
        (SKILLS[: LEAST_PROBES - 1], outlook(0.6, 0.6, 0.0), ""),  # too few
        (["a", "b", "c"] * 9, outlook(0.6, 0.6, 0.0), ""),  # of too few skills
    ],
)
def test_reasons(skills: list[str], found: Outlook, stops: str) -> None:
    """Nothing to gain at the high end, or both ends worth the same; never before sixteen probes of four skills."""
    why = reason_to_stop(found, skills, 5)
    assert why.startswith(stops) if stops else why == ""


def test_few_skills_are_enough_where_there_are_no_more() -> None:
    """Probes of two skills in all stop with two."""
    assert reason_to_stop(outlook(0.6, 0.6, 0.0), ["a", "b"] * 8, 2)


@settings(max_examples=8)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.1, 3))
def test_more_is_never_worse(one: float, other: float, usd: float) -> None:
    """The pool at the high end of what is believed is worth at least what it is at the low end."""
    low, high = sorted((one, other))
    found = foresee(constant(ROWS, [0.5], [0.001]), belief(low, (low + high) / 2, high), pool_of(usd))
    assert found.high.quality >= found.low.quality - 0.011
