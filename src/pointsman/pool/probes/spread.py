"""A few probes out of many, evenly over skills and difficulties: for where no history tells which ones say most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

import numpy as np
from numpy.random import Generator

from pointsman.errors import InputError
from pointsman.pool.probes.probe import DIFFICULTIES, Probe


def spread_probes(probes: Sequence[Probe], n: int, seed: int = 0) -> tuple[Probe, ...]:
    """The first n of an order in which every prefix is as even as can be.

    Skills take turns; within a skill, difficulties do, and neighbouring skills begin with different ones. The order
    follows from the probes' ids and the seed alone, so that fewer probes are always a prefix of more.

    Args:
        probes: to choose from, in any order.
        n: how many; all of them where there are fewer.
        seed: of the order.

    Raises:
        InputError: n or the seed is negative.
    """
    if n < 0 or seed < 0:
        raise InputError(f"{n} probes with seed {seed}", place="probes to spread", remedy="use 0 or more of both")
    rng = np.random.default_rng(seed)
    skills = sorted({probe.skill for probe in probes})
    order = [skills[int(place)] for place in rng.permutation(len(skills))]
    known = sorted(probes, key=lambda probe: probe.id)
    queues = [
        _in_turn([probe for probe in known if probe.skill == skill], turn % len(DIFFICULTIES), rng)
        for turn, skill in enumerate(order)
    ]
    return tuple(_interleaved(queues))[:n]


def _in_turn(probes: Sequence[Probe], first: int, rng: Generator) -> list[Probe]:
    """One skill's probes, difficulties taking turns from the `first` on, each in a random order."""
    shuffled = [probes[int(place)] for place in rng.permutation(len(probes))]
    levels = (*DIFFICULTIES[first:], *DIFFICULTIES[:first])
    return [*_interleaved([[probe for probe in shuffled if probe.difficulty == level] for level in levels])]


def _interleaved(queues: Iterable[Sequence[Probe]]) -> Iterator[Probe]:
    """The first of each, then the second of each, and so on; those that are over are passed by."""
    return (probe for turn in zip_longest(*queues) for probe in turn if probe is not None)
