"""What the world does during a replay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.evaluate.scenarios import SCENARIOS, make_world
from worlds import outcomes


@given(st.sampled_from(SCENARIOS), st.integers(1, 200), st.integers(0, 100))
def test_every_world_is_a_whole_one(scenario: str, queries: int, seed: int) -> None:
    """Each query arrives once, time never runs back, and the phases cover all arrivals."""
    world = make_world(scenario, outcomes(queries, 3, seed), np.random.default_rng(seed))
    assert sorted(world.order) == list(range(queries))
    assert (np.diff(world.elapsed) >= 0).all()
    assert ((world.elapsed >= 0) & (world.elapsed < 1)).all()
    assert world.phases[-1].stop == queries
    assert world.forecast >= 1


def test_volume_is_off_by_two() -> None:
    """Low: half of the forecast arrives. High: double of it."""
    test = outcomes(100, 3, 0)
    forecasts = [make_world(s, test, np.random.default_rng(0)).forecast for s in ("iid", "volume-low", "volume-high")]
    assert forecasts == [100, 200, 50]


def test_shift_parts_the_topics() -> None:
    """No topic is on both sides of the shift, and it comes near the middle."""
    test = outcomes(600, 3, 0, topics=8)
    world = make_world("shift", test, np.random.default_rng(0))
    topics = np.asarray(test.datasets)[world.order]
    first = {str(t) for t in topics[:200]}
    last = {str(t) for t in topics[400:]}
    assert not first & last


def test_shift_of_a_single_topic_goes_by_length() -> None:
    """Where all prompts are of one topic the short ones come first."""
    test = outcomes(100, 3, 0, topics=1)
    world = make_world("shift", test, np.random.default_rng(0))
    tokens = test.input_tokens[world.order]
    assert tokens[:50].max() <= tokens[50:].min() + 1e-9 or tokens[:45].max() <= tokens[55:].min()


def test_outage_and_rate_cut_hit_one_model() -> None:
    """The best value is out for the third fifth; the dearest model's rates are halved half-way."""
    test = outcomes(100, 4, 0)
    value = test.score.mean(axis=0) / test.cost_usd.mean(axis=0)
    before, out, after = make_world("outage", test, np.random.default_rng(0)).phases
    assert (before.stop, out.stop, after.stop) == (40, 60, 100)
    assert np.flatnonzero(~out.open_models).tolist() == [int(value.argmax())]
    assert before.open_models.all()
    assert after.open_models.all()
    cut = make_world("rate-cut", test, np.random.default_rng(0)).phases[1]
    assert cut.rate_factor[test.cost_usd.mean(axis=0).argmax()] == 0.5
    assert (cut.rate_factor != 1).sum() == 1


def test_unknown_scenario() -> None:
    """An unknown name is refused with the list."""
    with pytest.raises(InputError, match="rate-cut"):
        make_world("flood", outcomes(5, 2, 0), np.random.default_rng(0))
