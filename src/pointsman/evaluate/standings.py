"""The facts that a bench is judged by: ratios between policies, who is first in which cell, what was overspent.

Takes `rows.Rows`; gives `Ratio`, `Standing` and `Overspend` values, and one sentence on the standings. Two policies
are compared only on the orders of arrival that both have run; pooled policies and references are told, not ranked.
Computes no figure that the rows don't hold, and lays out no table (`tables`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from pointsman.evaluate.roster import in_order, policy_named
from pointsman.evaluate.rows import Rows, Run
from pointsman.evaluate.summary import Setting, base_setting, by_setting

RATIOS = (
    ("paced", "port"),
    ("paced", "batchsplit"),
    ("paced", "batchsplit-prorated"),
    ("paced", "greedy-feasible"),
    ("paced", "cheapest-pooled"),
    ("paced-pooled", "cheapest-pooled"),
    ("paced-pooled", "paced"),
)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Performance of `over` divided by that of `under`, on the orders that both have run.

    Attributes:
        ratio: of the means; NaN if `under` got nothing.
        low, high: the least and the greatest of the single orders' ratios.
        orders: how many.
    """

    over: str
    under: str
    ratio: float
    low: float
    high: float
    orders: int


def ratios(rows: Rows, pairs: Iterable[tuple[str, str]] = RATIOS) -> tuple[Ratio, ...]:
    """The ratios of `pairs` in the base setting; a pair that doesn't share an order is left out."""
    policies = by_setting(rows)[base_setting(rows)]
    found = (_ratio(over, under, policies) for over, under in pairs if over in policies and under in policies)
    return tuple(one for one in found if one.orders)


def _ratio(over: str, under: str, policies: Mapping[str, Sequence[Run]]) -> Ratio:
    above, below = _shared(policies[over], policies[under])
    singles = [one / other for one, other in zip(above, below, strict=True) if other > 0]
    whole = sum(above) / sum(below) if sum(below) > 0 else math.nan
    return Ratio(over, under, whole, min(singles, default=math.nan), max(singles, default=math.nan), len(above))


def _shared(one: Sequence[Run], other: Sequence[Run]) -> tuple[list[float], list[float]]:
    """Performances on the orders that both have run, paired."""
    left, right = _by_order(one), _by_order(other)
    orders = sorted(left.keys() & right.keys())
    return [left[order] for order in orders], [right[order] for order in orders]


def _by_order(runs: Sequence[Run]) -> dict[int, float]:
    found: dict[int, list[float]] = {}
    for run in runs:
        found.setdefault(run.order, []).append(run.performance)
    return {order: fmean(values) for order, values in found.items()}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a policy stands in one cell, against the best other ranked policy on the orders that both have run.

    Attributes:
        setting: the cell.
        policy, performance: the policy and its mean over those orders.
        rival, rival_performance: the best of the others.
        ahead, orders: on how many of how many single orders it is ahead of that rival.
        pooled_above: pooled policies with a higher mean; told, not ranked.
    """

    setting: Setting
    policy: str
    performance: float
    rival: str
    rival_performance: float
    ahead: int
    orders: int
    pooled_above: tuple[str, ...]

    @property
    def first(self) -> bool:
        """No other ranked policy has a higher mean."""
        return self.performance >= self.rival_performance

    @property
    def margin(self) -> float:
        """By what share it is ahead; negative if behind, NaN against nothing."""
        return self.performance / self.rival_performance - 1 if self.rival_performance > 0 else math.nan


def standings(rows: Rows, policy: str = "paced") -> tuple[Standing, ...]:
    """`policy` in every (split, factor, test, scenario) cell where it and another ranked policy share an order."""
    found = (
        _standing(setting, policy, policies) for setting, policies in by_setting(rows).items() if policy in policies
    )
    return tuple(one for one in found if one is not None)


def _standing(setting: Setting, policy: str, policies: Mapping[str, Sequence[Run]]) -> Standing | None:
    pairs = {name: _shared(policies[policy], runs) for name, runs in policies.items() if name != policy}
    pairs = {name: pair for name, pair in pairs.items() if pair[0]}
    rivals = [name for name in pairs if policy_named(name).ranked]
    if not rivals:
        return None
    # By distance, not by mean: an unfinished rival may have run other orders than the rest.
    rival = max(rivals, key=lambda name: fmean(pairs[name][1]) - fmean(pairs[name][0]))
    mine, theirs = pairs[rival]
    return Standing(
        setting,
        policy,
        fmean(mine),
        rival,
        fmean(theirs),
        sum(one > other for one, other in zip(mine, theirs, strict=True)),
        len(mine),
        tuple(
            name for name in in_order(pairs) if _is_pooled_baseline(name) and sum(pairs[name][1]) > sum(pairs[name][0])
        ),
    )


def _is_pooled_baseline(name: str) -> bool:
    return policy_named(name).pooled and policy_named(name).group != "ours"


def standing_sentence(found: Sequence[Standing]) -> str:
    """One sentence: is the policy first everywhere, and if not, how often."""
    if not found:
        return "There is no cell yet in which paced and another online policy have both run."
    firsts, name = sum(one.first for one in found), found[0].policy
    where = "the one cell there is" if len(found) == 1 else f"all {len(found)} cells"
    if firsts == len(found):
        return f"{name} is first among the online policies in {where}."
    return f"{name} is first among the online policies in {firsts} of {len(found)} cells; see where it is not below."


@dataclass(frozen=True, slots=True)
class Overspend:
    """A fund that a run spent more of than there was: a defect, wherever it comes from."""

    key: str
    fund: str
    budget: float
    spent: float


def overspends(rows: Rows) -> tuple[Overspend, ...]:
    """Every fund of every run that was overspent, beyond the rounding of a sum of floats (one in a billion)."""
    return tuple(
        Overspend(run.key, fund, amount, run.spent[fund])
        for run in rows.runs
        for fund, amount in run.budget.items()
        if run.spent[fund] > amount * (1 + 1e-9)
    )
