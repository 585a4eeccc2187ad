"""The policies as tables and pictures show them: their names, their groups, what they are, who is ranked.

Takes the name of a policy in the rows; gives its `Policy`, and the one order that all tables and pictures keep:
published, honest, ours, others, references. What pools the budgets plays with another hand, and a reference knows
what no online policy can: neither is ranked with the rest. Refuses no name: one that nobody knows is an "other".
Runs no policy (`decide.policies`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Group = Literal["published", "honest", "ours", "other", "reference"]

GROUP_TITLES: dict[Group, str] = {
    "published": "Published",
    "honest": "Honest baselines",
    "ours": "Pointsman",
    "other": "Other policies",
    "reference": "References ‡",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as tables and pictures show it.

    Attributes:
        name: as in the rows.
        group: what it is compared as.
        about: one line, without a final stop.
        pooled: the total of all funds is one fund to it.
    """

    name: str
    group: Group
    about: str = ""
    pooled: bool = False

    @property
    def ranked(self) -> bool:
        """Whether it decides online, under one budget a model: only such policies are ranked."""
        return self.group != "reference" and not self.pooled


ROSTER: tuple[Policy, ...] = (
    Policy("port", "published", "PORT: a random first phase, then prices solved once (Wu & Silwal)"),
    Policy("random", "published", "a model drawn at random"),
    Policy("greedy-perf", "published", "the model expected to answer best, approximate neighbours"),
    Policy("greedy-cost", "published", "the model with most budget left, approximate neighbours"),
    Policy("knn-perf", "published", "the model expected to answer best, exact neighbours"),
    Policy("knn-cost", "published", "the model with most budget left, exact neighbours"),
    Policy("batchsplit", "published", "a 0/1 program a batch of 256, with all the money that is left"),
    Policy("text-perf", "published", "the model expected to answer best by a trained text model (for RoBERTa)"),
    Policy("text-cost", "published", "the model with most budget left by a trained text model (for RoBERTa)"),
    Policy("greedy-feasible", "honest", "the best expected model among those that can still pay"),
    Policy("batchsplit-prorated", "honest", "BatchSplit with the batch's share of the money that is left"),
    Policy("cheapest-pooled", "honest", "the cheapest model alone, with the total of all budgets", pooled=True),
    Policy("mirror-descent", "honest", "prices stepped after every query by online mirror descent on the dual"),
    Policy("pid-pacing", "honest", "prices steered by a controller that holds spend to an even pace"),
    Policy("paced", "ours", "prices from history, every fund feasible, re-solved as money and time run down"),
    Policy("paced-pooled", "ours", "the same with the total of all budgets in one fund", pooled=True),
    Policy("approx-optimum", "reference", "the linear program on PORT's own estimates of all test queries"),
    Policy("optimum", "reference", "the linear program on what really happened"),
)

_BY_NAME = {policy.name: policy for policy in ROSTER}
_GROUPS = tuple(GROUP_TITLES)


def policy_named(name: str) -> Policy:
    """The policy of that name; `NAME@SOURCE` is NAME on other estimates, a name nobody knows is shown under "other"."""
    plain, _, source = name.partition("@")
    known = _BY_NAME.get(plain)
    if known is None:
        return Policy(name, "other")
    return replace(known, name=name, about=f"{known.about}, on the estimates `{source}`") if source else known


def in_order(names: Iterable[str]) -> list[str]:
    """Policy names in the one order that all tables and pictures keep."""
    listed = list(_BY_NAME)

    def place(name: str) -> tuple[int, int, str]:
        plain = name.partition("@")[0]
        rank = listed.index(plain) if plain in _BY_NAME else len(listed)
        return _GROUPS.index(policy_named(name).group), rank, name

    return sorted(names, key=place)
