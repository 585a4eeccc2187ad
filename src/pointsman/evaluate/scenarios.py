"""What the world does during a replay: in which order and when queries come, which models are up, what they cost.

Takes the tested outcomes and a generator of random numbers, gives a `World`. The policies see of it only what a
router would see at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointsman.errors import InputError
from pointsman.records import Floats, Ints, Mask, Outcomes

SCENARIOS = ("iid", "shift", "burst", "volume-low", "volume-high", "outage", "rate-cut")


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the replay in which the same models are up at the same rates.

    Attributes:
        stop: the first arrival that is no longer in it.
        open_models: bool [M].
        rate_factor: float [M], rates over those of the history.
    """

    stop: int
    open_models: Mask
    rate_factor: Floats


@dataclass(frozen=True, slots=True)
class World:
    """One replay's circumstances.

    Attributes:
        order: int [N], rows of the tested outcomes in order of arrival.
        elapsed: float [N], share of the horizon's time that has passed at each arrival.
        forecast: queries that the policies are told to expect.
        phases: in order, the last one stopping at N.
    """

    order: Ints
    elapsed: Floats
    forecast: int
    phases: tuple[Phase, ...]


def make_world(scenario: str, test: Outcomes, rng: np.random.Generator) -> World:
    """The world of `scenario` over the tested outcomes.

    iid: random order, evenly spaced. shift: half of the topics first, the others after. burst: the arrival rate jumps
    about by a factor of ten, the mean as forecast. volume-low, volume-high: the volume is half, or double, of what
    was forecast. outage: the model of best score per dollar is out for the third fifth. rate-cut: the dearest model's
    rates are halved half-way.
    """
    if scenario not in SCENARIOS:
        raise InputError(f"scenario {scenario!r} is unknown", place="--scenario", remedy=f"use {', '.join(SCENARIOS)}")
    count, models = len(test), len(test.models)
    order = rng.permutation(count)
    if scenario == "shift":
        order = _topics_apart(test, order, rng)
    elapsed = np.arange(count) / count if scenario != "burst" else _bursts(count, rng)
    forecasts = {"volume-low": 2 * count, "volume-high": max(1, count // 2)}
    forecast = forecasts.get(scenario, int(count))
    return World(order, elapsed, forecast, _phases(scenario, test, count, models))


def _phases(scenario: str, test: Outcomes, count: int, models: int) -> tuple[Phase, ...]:
    up, as_ever = np.ones(models, dtype=np.bool_), np.ones(models)
    perf, cost = np.nanmean(test.score, axis=0), np.nanmean(test.cost_usd, axis=0)
    if scenario == "outage":
        out = up.copy()
        out[(perf / np.maximum(cost, 1e-12)).argmax()] = False
        stops = (2 * count // 5, 3 * count // 5, count)
        return tuple(Phase(stop, mask, as_ever) for stop, mask in zip(stops, (up, out, up), strict=True))
    if scenario == "rate-cut":
        cut = as_ever.copy()
        cut[cost.argmax()] = 0.5
        return Phase(count // 2, up, as_ever), Phase(count, up, cut)
    return (Phase(count, up, as_ever),)


def _topics_apart(test: Outcomes, order: Ints, rng: np.random.Generator) -> Ints:
    """Whole topics before or after the middle, as near to half of the queries as a greedy split comes.

    A set with a single topic is parted by the length of the prompt instead.
    """
    names, topic, sizes = np.unique(np.asarray(test.datasets), return_inverse=True, return_counts=True)
    if len(names) == 1:
        late = test.input_tokens > np.median(test.input_tokens)
        return np.concatenate([order[~late[order]], order[late[order]]])
    goes_late = np.zeros(len(names), dtype=np.bool_)
    early = 0
    for name in rng.permutation(len(names)):
        goes_late[name] = early + sizes[name] / 2 > len(order) / 2
        early += 0 if goes_late[name] else sizes[name]
    late = goes_late[topic]
    return np.concatenate([order[~late[order]], order[late[order]]])


def _bursts(count: int, rng: np.random.Generator, stretches: int = 40) -> Floats:
    """Arrival times in [0, 1) whose rate is redrawn for each of 40 equal stretches of time, 1 to 10 times the least."""
    rate = rng.choice([1.0, 1.0, 3.0, 10.0], size=stretches)
    stretch = np.sort(rng.choice(stretches, size=count, p=rate / rate.sum()))
    return np.sort((stretch + rng.random(count)) / stretches)
