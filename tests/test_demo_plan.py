"""The demo's traffic, story and configuration, before anything runs."""

from __future__ import annotations

import socket
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import trapezoid

from pointsman.demo.cast import CAST, FAILING, NEWCOMER
from pointsman.demo.configuration import amount_of, configure, free_port, key_wishes, unused_ports
from pointsman.demo.plan import SWELL, TEAMS, make_plan, swelling
from pointsman.demo.scene import FACTOR, funds_of, simulated_scene
from pointsman.errors import InputError
from pointsman.evaluate.simulated import simulate
from pointsman.pool.registry import read_settings


def test_swell_by_hand() -> None:
    """Half of the queries come in the first half, and less than a tenth in the first sixth."""
    times = swelling(np.array([0.0, 0.5, 1.0]))
    assert times == pytest.approx([0.0, 0.5, 1.0])
    assert swelling(np.array([0.1]))[0] > 1 / 6


@given(st.floats(0.0, 1.0))
def test_swell_inverts_its_integral(share: float) -> None:
    """The share of the queries that have come at a moment is the integral of their density up to it."""
    moment = float(swelling(np.array([share]))[0])
    grid = np.linspace(0.0, moment, 5_001)
    came = float(trapezoid(1 - SWELL * np.cos(2 * np.pi * grid), grid))
    assert came == pytest.approx(share, abs=1e-5)


@given(st.integers(0, 50), st.floats(5.0, 600.0), st.floats(0.1, 20.0))
def test_plan_is_in_order_and_in_time(seed: int, seconds: float, rate: float) -> None:
    """Queries are in order, each within the time, by a team that is there; the story is in order too."""
    plan = make_plan(seconds, rate, range(100_000), np.random.default_rng(seed))
    times = plan.at_s
    assert (np.diff(times) >= 0).all()
    assert not len(times) or (times[0] >= 0 and times[-1] <= seconds)
    assert {one.team for one in plan.queries} <= set(TEAMS)
    assert 0 < plan.plug_in_s < plan.fails_s < plan.recovers_s < seconds
    assert plan.arrived(0.0) == 0
    assert plan.arrived(seconds + 1) == len(plan.queries)


def test_plan_repeats_itself() -> None:
    """The same seed gives the same plan, another one another."""
    one, again, other = (make_plan(60, 5, range(1_000), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_plan_has_no_more_queries_than_rows() -> None:
    """Where texts run out, the traffic is shorter."""
    assert len(make_plan(60, 5, range(10), np.random.default_rng(0)).queries) == 10


def test_funds_by_hand() -> None:
    """All funds together hold the factor times what the cheapest model would cost for every query."""
    past = simulate(200, seed=3)
    funds = funds_of(past, 1_000, 2.0)
    assert sum(funds.values()) == pytest.approx(2.0 * 1_000 * past.cost_usd.mean(axis=0).min())
    assert all(usd > 0 for usd in funds.values())


def test_scene_keeps_past_and_traffic_apart() -> None:
    """No query of the traffic is in the past; the newcomer has no past, and every model a truth."""
    scene = simulated_scene(20, 4, seed=5)
    assert set(scene.history.prompt_ids).isdisjoint(scene.traffic.prompt_ids)
    assert NEWCOMER not in scene.history.models
    assert set(scene.history.models) == set(scene.ids) - {NEWCOMER}
    assert scene.traffic.models == scene.ids == tuple(part.id for part in CAST)
    assert FAILING in scene.ids
    assert np.isfinite(scene.traffic.score).all()
    assert sum(scene.funds_usd.values()) < 2 * FACTOR * scene.plan.expected * 1e-4


def test_configuration_is_read_as_meant(tmp_path: Path) -> None:
    """The file that is written reads as a configuration: models, funds to the nano-dollar, the newcomer waiting."""
    scene = simulated_scene(20, 4, seed=0)
    addresses = {id: f"http://127.0.0.1:{9_000 + i}" for i, id in enumerate(scene.ids)}
    path = configure(scene, addresses, 8_400, "sk-demo-x", tmp_path)
    (tmp_path / "history").mkdir()
    settings = read_settings(path, {}, date(2030, 1, 1))
    assert tuple(model.id for model in settings.models) == scene.ids
    assert {model.id for model in settings.models if model.duty == "waiting"} == {NEWCOMER}
    assert [rule.amount for rule in settings.funds] == [int(amount_of(scene.funds_usd[id]) * 10**9) for id in scene.ids]
    assert all(rule.pace_over_s == 20 for rule in settings.funds)
    assert settings.dashboard.notice == "Simulated models"
    assert path.stat().st_mode & 0o077 == 0
    assert [wish["id"] for wish in key_wishes(scene)] == list(TEAMS)


def test_a_taken_port_is_refused_and_the_next_one_found() -> None:
    """A port that was asked for and is taken is an error that says so; where none was asked for, another is found."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = int(held.getsockname()[1])
        with pytest.raises(InputError, match=f"port {port} is taken"):
            free_port(port)
        assert free_port(None) != port
    assert len(set(unused_ports(5))) == 5
