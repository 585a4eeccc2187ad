"""The immutable list of runs that a bench consists of.

Takes what the user asked for, gives one `Task` for every policy, setting, split, factor, scenario and order. The list
knows nothing of how runs are made; a task's key is what makes a bench resumable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pointsman.decide.policies import POLICIES, Options, make_policy
from pointsman.errors import InputError
from pointsman.evaluate.budgets import SWEPT_SPLITS, check_factor, check_split
from pointsman.evaluate.prepare import Setting
from pointsman.evaluate.rows import SWEEPS, Sweep
from pointsman.evaluate.scenarios import SCENARIOS

REFERENCE = "approx-optimum"


@dataclass(frozen=True, slots=True)
class Circumstance:
    """Everything about a run but its policy."""

    setting: Setting
    split: str
    factor: float
    scenario: str
    order: int
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True)
class Task:
    """One run."""

    policy: str
    at: Circumstance

    @property
    def key(self) -> str:
        """Stable id: what was run, spelled out."""
        s, at = self.at.setting, self.at
        parts = [self.policy, at.split, f"f{at.factor:g}", at.scenario, f"o{at.order}", f"n{s.test}"]
        parts += [f"h{s.history or 'all'}", f"m{s.models or 'all'}", f"k{s.k}", s.embedder, f"s{s.seed}"]
        parts += [f"a{at.options.alpha:g}", f"e{at.options.epsilon:g}"]
        return "|".join(parts)


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for; see `pointsman bench budget --help`."""

    policies: tuple[str, ...]
    base: Circumstance
    orders: int
    sweep: Sweep | None = None
    scenarios: tuple[str, ...] = ("iid",)


def parse_policies(text: str) -> tuple[str, ...]:
    """Policy names from a comma-separated list; `all` is every policy.

    Raises:
        InputError: an unknown name, or none.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise InputError("no policy is named", place="--policies", remedy=f"use all, or some of {', '.join(POLICIES)}")
    named = tuple(dict.fromkeys(each for name in names for each in (POLICIES if name == "all" else (name,))))
    for name in named:
        make_policy(name)
    return named


def parse_scenarios(text: str) -> tuple[str, ...]:
    """Scenario names from a comma-separated list; `all` is every scenario.

    Raises:
        InputError: an unknown name, or none.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    named = SCENARIOS if names == ("all",) else names
    for name in named or ("",):
        if name not in SCENARIOS:
            known = f"use all, or some of {', '.join(SCENARIOS)}"
            raise InputError(f"scenario {name!r} is unknown", place="--scenario", remedy=known)
    return named


def check(request: Request) -> Request:
    """The request, if it makes sense.

    Raises:
        InputError: an unknown split or sweep, a factor that is no money, or fewer than one order.
    """
    check_split(request.base.split)
    check_factor(request.base.factor)
    for name in request.policies:
        make_policy(name, request.base.options)
    if request.sweep is not None and request.sweep not in SWEEPS:
        raise InputError(f"sweep {request.sweep!r} is unknown", place="--sweep", remedy=f"use {', '.join(SWEEPS)}")
    if request.orders < 1:
        raise InputError(f"{request.orders} orders are asked", place="--orders", remedy="use at least 1")
    return request


def circumstances(request: Request, rows: int, models: int, embedders: Sequence[str]) -> list[Circumstance]:
    """All that a request's policies are run in: the base, or one for each value of the sweep, times the orders."""
    swept = _swept(request.base, request.sweep, rows, models, embedders) if request.sweep else [request.base]
    return [
        replace(at, scenario=scenario, order=order)
        for at in swept
        for scenario in request.scenarios
        for order in range(request.orders)
    ]


def _swept(base: Circumstance, sweep: Sweep, rows: int, models: int, embedders: Sequence[str]) -> list[Circumstance]:
    def settings(name: str, values: Sequence[Any]) -> list[Circumstance]:
        return [replace(base, setting=replace(base.setting, **{name: value})) for value in values]

    def volume(queries: int) -> Circumstance:
        # The history stays that of the base: only the volume is to differ.
        return replace(base, setting=replace(base.setting, test=queries, history=base.setting.history or left))

    def options(name: str, values: Sequence[float]) -> list[Circumstance]:
        return [replace(base, options=replace(base.options, **{name: value})) for value in values]

    left, test = rows - base.setting.test, base.setting.test
    ways: dict[Sweep, Callable[[], list[Circumstance]]] = {
        "volume": lambda: [volume(max(1, test * tenths // 10)) for tenths in range(4, 11)],
        "factor": lambda: [replace(base, factor=quarter / 4) for quarter in range(1, 9)],
        "split": lambda: [replace(base, split=split) for split in SWEPT_SPLITS if _fits(split, models)],
        "k": lambda: settings("k", [1, 3, 5, 10, 20, 50]),
        "alpha": lambda: options("alpha", [1e-6, 1e-5, 1e-4, 1e-3, 1e-2]),
        "eps": lambda: options("epsilon", [0.005, 0.01, 0.025, 0.05, 0.1, 0.2]),
        "history": lambda: settings("history", sorted({max(1, left * tenths // 10) for tenths in (1, 2, 4, 6, 8, 10)})),
        "models": lambda: settings("models", _pools(models)),
        "embedder": lambda: settings("embedder", embedders),
    }
    return ways[sweep]()


def _fits(split: str, models: int) -> bool:
    return not split.startswith("extreme") or int(split.partition("-")[2]) < models


def _pools(models: int) -> list[int]:
    return [size for size in (2, 4, 6, 8, 10, 12, 14, 16, 32, 64) if size < models] + [models]
