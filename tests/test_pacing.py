"""How many queries are still to come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.decide.pacing import Volume


def watch(forecast: int, actual: int, until: float, step: int = 50) -> Volume:
    """The belief after evenly spaced arrivals of `actual` queries over the horizon."""
    volume = Volume(forecast)
    for seen in range(step, int(actual * until) + 1, step):
        volume = volume.look(seen, seen / actual)
    return volume


def test_a_right_forecast_stays_right() -> None:
    """Steady arrivals as forecast leave the belief where it was."""
    volume = watch(10_000, 10_000, 0.5)
    assert volume.total == pytest.approx(10_000)
    assert volume.to_come == pytest.approx(5_000)


@pytest.mark.parametrize("actual", [5_000, 20_000])
def test_a_forecast_off_by_two_is_found_out(actual: int) -> None:
    """After a tenth of the time the belief is within a tenth of the truth, whichever way the forecast erred."""
    assert watch(10_000, actual, 0.1).total == pytest.approx(actual, rel=0.12)


def test_bursts_count_as_less_evidence() -> None:
    """An early burst moves the belief less once arrivals have shown to be bursty."""
    rng = np.random.default_rng(0)
    steady, bursty = Volume(10_000), Volume(10_000)
    seen = 0
    for step in range(1, 21):
        steady = steady.look(step * 250, step / 40)
        seen += int(rng.choice([20, 1000]))
        bursty = bursty.look(seen, step / 40)
    assert steady.dispersion == pytest.approx(1.0)
    assert bursty.dispersion > 10


@given(st.lists(st.tuples(st.integers(0, 500), st.floats(0, 0.1)), max_size=30), st.integers(1, 10**6))
def test_always_expects_something(looks: list[tuple[int, float]], forecast: int) -> None:
    """Whatever arrives, the number to come is finite and at least one."""
    volume, seen, elapsed = Volume(forecast), 0, 0.0
    for arrived, passed in looks:
        seen, elapsed = seen + arrived, min(1.0, elapsed + passed)
        volume = volume.look(seen, elapsed)
        assert 1.0 <= volume.to_come < float("inf")
