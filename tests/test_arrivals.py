"""How many queries are still to come on a clock without an end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.decide.arrivals import DAY_S, Arrivals, Belief, expect
from pointsman.errors import InputError


def told(arrivals: Arrivals, rate: float, hours: int) -> Arrivals:
    for _ in range(hours * 60):
        arrivals = arrivals.look(round(rate * 60), 60.0)
    return arrivals


def test_before_any_query_the_declared_rate_holds() -> None:
    """8,640 a day are a tenth a second, and 360 in an hour."""
    begun = expect(8_640.0)
    assert begun.rate == pytest.approx(0.1)
    assert begun.usual_rate == pytest.approx(0.1)
    assert begun.expected(3_600.0) == pytest.approx(360.0)


def test_a_belief_by_hand() -> None:
    """After one half-life half of the imagined 20 queries in 200 s are left, and an hour counts as 1 / (2 log 2)."""
    seconds = 3_600.0 / np.log(2.0) / 2.0
    after = Belief(20.0, 200.0, 3_600.0).look(720, 3_600.0)
    assert after.seconds == pytest.approx(100.0 + seconds)
    assert after.queries == pytest.approx(10.0 + 0.2 * seconds)
    assert after.rate(0.1) == pytest.approx((10.0 + 0.2 * seconds + 1.0) / (100.0 + seconds + 10.0))


@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_a_wrong_declaration_is_forgotten(factor: float) -> None:
    """A rate ten times off is within a tenth of the truth after six hours, whether too high or too low."""
    after = told(expect(DAY_S), factor, 6)
    assert after.rate == pytest.approx(factor, rel=0.1)


def test_silence_never_makes_the_rate_nothing() -> None:
    """After a week without a query the rate is far below the declared one, and above zero."""
    after = expect(DAY_S).look(0, 7 * DAY_S)
    assert 0.0 < after.rate < 0.01


def test_a_burst_fades_from_the_forecast() -> None:
    """A busy hour after busy days: the next minute is forecast at the hour's rate, the next month at the usual one."""
    after = told(told(expect(DAY_S), 1.0, 24 * 5), 10.0, 2)
    assert after.expected(60.0) / 60.0 == pytest.approx(after.rate, rel=0.01)
    assert after.rate > 7.0
    assert after.expected(30 * DAY_S) / (30 * DAY_S) == pytest.approx(after.usual_rate, rel=0.02)
    assert after.usual_rate < 2.0


@given(st.integers(0, 500), st.floats(0.1, 7_200.0), st.integers(1, 20))
def test_looking_often_or_seldom_is_the_same(arrived: int, elapsed_s: float, parts: int) -> None:
    """Steady arrivals told at once or in pieces give one belief."""
    begun = Belief(20.0, 200.0, 3_600.0)
    pieces = begun
    for _ in range(parts):
        pieces = pieces.look(arrived, elapsed_s)
    whole = begun.look(arrived * parts, elapsed_s * parts)
    assert pieces.queries == pytest.approx(whole.queries)
    assert pieces.seconds == pytest.approx(whole.seconds)


@given(st.lists(st.tuples(st.integers(0, 1_000), st.floats(0.0, 1e5)), max_size=10), st.floats(0.0, 1e7))
def test_forecasts_are_never_negative_and_grow_with_time(looks: list[tuple[int, float]], seconds: float) -> None:
    """Whatever came, more time brings no fewer queries."""
    arrivals = expect(1_000.0)
    for arrived, elapsed_s in looks:
        arrivals = arrivals.look(arrived, elapsed_s)
    assert 0.0 <= arrivals.expected(seconds) <= arrivals.expected(seconds + 60.0)


def test_counts_at_the_same_instant_are_kept() -> None:
    """Queries that come in no time at all are not lost."""
    assert expect(DAY_S).look(30, 0.0).short.queries == 50.0


@pytest.mark.parametrize(("arrived", "elapsed_s"), [(-1, 1.0), (1, -1.0), (1, float("nan"))])
def test_counts_and_times_below_zero_are_refused(arrived: int, elapsed_s: float) -> None:
    """They would run the clock backwards."""
    with pytest.raises(InputError, match="give what has passed"):
        expect(1.0).look(arrived, elapsed_s)


@pytest.mark.parametrize("per_day", [0.0, -1.0, float("inf"), float("nan")])
def test_expecting_nothing_is_refused(per_day: float) -> None:
    """A rate of zero has no belief around it."""
    with pytest.raises(InputError, match="expect_per_day"):
        expect(per_day)
