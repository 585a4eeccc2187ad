"""Every policy by its name on the command line, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast, get_args

from pointsman.decide.policies.batchsplit import BatchSplit
from pointsman.decide.policies.honest import CheapestPooled, MirrorDescent, PidPacing
from pointsman.decide.policies.paced import Paced
from pointsman.decide.policies.policy import Briefing, Options, Policy, Source, Traits, View
from pointsman.decide.policies.published import GreedyCost, GreedyPerf, Port, Random
from pointsman.decide.policies.references import Offline
from pointsman.errors import InputError

__all__ = ["POLICIES", "Briefing", "Options", "Paced", "Policy", "Source", "Traits", "View", "make_policy"]

POLICIES: dict[str, Callable[[Options], Policy]] = {
    "port": lambda options: Port(options.alpha, options.epsilon),
    "random": lambda _: Random(),
    "greedy-perf": lambda _: GreedyPerf(),
    "greedy-cost": lambda _: GreedyCost(),
    "knn-perf": lambda _: GreedyPerf("neighbours"),
    "knn-cost": lambda _: GreedyCost("neighbours"),
    "batchsplit": lambda _: BatchSplit(),
    "text-perf": lambda _: GreedyPerf("text"),
    "text-cost": lambda _: GreedyCost("text"),
    "greedy-feasible": lambda _: GreedyPerf(ask_first=True),
    "batchsplit-prorated": lambda _: BatchSplit(prorated=True),
    "cheapest-pooled": lambda _: CheapestPooled(),
    "mirror-descent": lambda _: MirrorDescent(),
    "pid-pacing": lambda _: PidPacing(),
    "paced": lambda _: Paced(),
    "paced-pooled": lambda _: Paced(pooled=True),
    "approx-optimum": lambda _: Offline("neighbours-hnsw"),
    "optimum": lambda _: Offline("truth"),
}


def make_policy(name: str, options: Options | None = None) -> Policy:
    """The policy called `name`; `name@source` gives it other estimates, for example `paced@neighbours`.

    Raises:
        InputError: an unknown policy or source, or a source for a policy that looks at no estimate.
    """
    base, _, source = name.partition("@")
    if base not in POLICIES:
        raise InputError(f"policy {base!r} is unknown", place="--policies", remedy=f"use {', '.join(POLICIES)}")
    policy = POLICIES[base](options or Options())
    if not source:
        return policy
    allowed = [known for known in get_args(Source) if known != "truth"]
    if source not in allowed or not hasattr(policy, "source"):
        raise InputError(
            f"policy {base!r} can't be given the estimates {source!r}",
            place="--policies",
            remedy=f"use one of {', '.join(allowed)}, with a policy that looks at estimates",
        )
    return cast(Policy, replace(cast(Any, policy), source=source))
