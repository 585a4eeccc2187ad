"""The rows of a deferral bench as pictures need them: groups of trials, and areas against `zero`'s, trial by trial.

Takes `records.DeferralRows`; gives groups (one method, number and choice of probes) in the order of the roster, and the
differences on the trials that both have, which differ by much less than the trials do. Refuses rows without a trial.
Draws nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pointsman.errors import InputError
from pointsman.evaluate.deferral.records import DeferralRows, TrialRow
from pointsman.evaluate.deferral.roster import Entry, entry_of, in_order
from pointsman.evaluate.plots.labels import cut_name
from pointsman.records import Floats

REFERENCE = "zero"
_LONGEST = 28  # Letters of a method's name that are drawn.
BEYOND = "oracle"  # Far above all others: it would take most of a picture's height, and is left to the tables.


@dataclass(frozen=True, slots=True)
class Group:
    """All trials of one method with one number of probes, chosen in one way; at least one trial."""

    method: str
    probes: int
    probing: str
    trials: dict[int, TrialRow]

    @property
    def name(self) -> str:
        """The method, with a word on its probes where they were picked."""
        name = cut_name(self.method, _LONGEST)
        return f"{name}, picked" if self.probing == "picked" else name

    @property
    def entry(self) -> Entry:
        """What the method is."""
        return entry_of(self.method)

    @property
    def areas(self) -> Floats:
        """Area of each trial, by trial."""
        return np.array([self.trials[trial].area for trial in sorted(self.trials)])

    @property
    def curves(self) -> Floats:
        """Quality [T, 101] of each trial, by trial."""
        return np.array([self.trials[trial].quality for trial in sorted(self.trials)])

    @property
    def relative_cost(self) -> Floats:
        """The relative costs [101] that all curves are saved at."""
        return np.array(next(iter(self.trials.values())).relative_cost)


def groups_of(rows: DeferralRows) -> list[Group]:
    """Every group: methods in the roster's order, random probes before picked ones, few probes before many.

    Raises:
        InputError: there are no trials.
    """
    if not rows.rows:
        raise InputError("no trials yet", place=rows.meta.dataset, remedy="run the command again until one is finished")
    found: dict[tuple[str, str, int], dict[int, TrialRow]] = {}
    for row in rows.rows:
        found.setdefault((row.method, row.probing, row.probes), {})[row.trial] = row
    rank = {name: at for at, name in enumerate(in_order({row.method for row in rows.rows}))}
    keys = sorted(found, key=lambda key: (rank[key[0]], key[1] == "picked", key[2]))
    return [Group(method, probes, probing, found[method, probing, probes]) for method, probing, probes in keys]


def main_groups(groups: Sequence[Group]) -> list[Group]:
    """Those with the largest number of probes: what curves and tables are about."""
    most = max(group.probes for group in groups)
    return [group for group in groups if group.probes == most]


def one_probing(groups: Sequence[Group]) -> list[Group]:
    """One group a method and number of probes: with random probes, where there are any."""
    random = {(group.method, group.probes) for group in groups if group.probing == "random"}
    return [group for group in groups if group.probing == "random" or (group.method, group.probes) not in random]


def reference_of(group: Group, groups: Iterable[Group]) -> Group | None:
    """`zero` with as many probes, drawn at random if there is such a group, so that choices compare; None without."""
    same = [other for other in groups if other.method == REFERENCE and other.probes == group.probes]
    return min(same, key=lambda other: other.probing == "picked", default=None)


def gains(group: Group, groups: Iterable[Group]) -> Floats:
    """Area minus `zero`'s, on each trial that both have; empty without any."""
    zero = reference_of(group, groups)
    shared = sorted(set(group.trials) & set(zero.trials)) if zero else []
    return np.array([group.trials[trial].area - zero.trials[trial].area for trial in shared if zero])


def curve_gains(group: Group, groups: Iterable[Group]) -> Floats:
    """Quality minus `zero`'s at the same relative cost [T, 101], on each trial that both have; T is 0 without any."""
    zero = reference_of(group, groups)
    shared = sorted(set(group.trials) & set(zero.trials)) if zero else []
    differences = [np.subtract(group.trials[trial].quality, zero.trials[trial].quality) for trial in shared if zero]
    return np.array(differences).reshape(len(shared), len(group.relative_cost))


def usual_curves(groups: Sequence[Group]) -> dict[int, Floats]:
    """The mean over methods of the curves of each trial [101]: how good and how dear that trial's pool is."""
    trials = {trial for group in groups for trial in group.trials}
    return {
        trial: np.mean([group.trials[trial].quality for group in groups if trial in group.trials], axis=0)
        for trial in trials
    }


def standard_error(values: Floats) -> Floats:
    """Standard error of the mean over the first axis; NaN from a single trial."""
    if len(values) < 2:
        return np.full(values.shape[1:], math.nan)
    return np.asarray(values.std(axis=0, ddof=1) / math.sqrt(len(values)))
