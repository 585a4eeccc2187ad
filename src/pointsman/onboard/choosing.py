"""Which probes to ask where models are known: the most telling ones, in that order, so that fewer are a prefix.

Takes candidates, the space learned from the known models (`estimate.unseen.transfer`) and what they made of the
candidates. Where no model is known, `pool.probes.spread_probes` chooses. Asks nobody.
"""

from __future__ import annotations

from collections.abc import Sequence

from pointsman.estimate.unseen.probing import pick_probes
from pointsman.estimate.unseen.transfer import Transfer
from pointsman.pool.probes.probe import Probe
from pointsman.records import Outcomes, Prompts


def without_twins(probes: Sequence[Probe]) -> tuple[Probe, ...]:
    """The first of every prompt: outcomes are by the prompt's text, so a second one would take its place."""
    first: dict[str, Probe] = {}
    for probe in probes:
        first.setdefault(probe.prompt, probe)
    return tuple(first.values())


def most_telling(
    probes: Sequence[Probe], n: int, space: Transfer, prompts: Prompts, known: Outcomes
) -> tuple[Probe, ...]:
    """The n probes that tell most of a new model, the most telling first.

    Args:
        probes: C candidates.
        space: fitted on the M known models.
        prompts: the same candidates, embedded.
        known: outcomes [C, M] of the known models on them, NaN where one wasn't asked.
    """
    return tuple(probes[row] for row in pick_probes(space, prompts, known, min(n, len(probes))))
