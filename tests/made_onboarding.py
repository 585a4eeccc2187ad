"""Probes, answers and a pool for onboardings, all in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pointsman.decide.program import FundTable
from pointsman.onboard.asking import Answered, Ask, Replaying
from pointsman.onboard.folder import Folder, Plan, fingerprint_of
from pointsman.onboard.ground import Ground, Money
from pointsman.onboard.run import Rim
from pointsman.outcomes import OutcomeRow
from pointsman.pool.graders.grade import Grade, Reply
from pointsman.pool.probes.probe import Probe
from pointsman.records import Estimates, Floats, Prompts

SKILLS = ("arithmetic", "logic", "sql", "facts", "code")


def made_probes(count: int) -> tuple[Probe, ...]:
    """Probes of five skills in turn."""
    return tuple(
        Probe(f"p{n}", SKILLS[n % 5], "easy", "en", f"What is {n} and {n}?", {"kind": "exact", "answer": str(2 * n)})
        for n in range(count)
    )


def answered(text: str, cost_nano: int = 1_000) -> Answered:
    return Answered(Reply(text), 1_000.0, cost_nano, 10, 5, 20.0)


def right(probes: Iterable[Probe]) -> Replaying:
    """A model that knows everything."""
    return Replaying({probe.id: answered(str(probe.grader["answer"])) for probe in probes})


def exact(probe: Probe, reply: Reply) -> Grade:
    return Grade(float(reply.text == probe.grader["answer"]), "compared")


@dataclass
class Kept:
    """Outcomes in a list."""

    rows: list[OutcomeRow] = field(default_factory=list)

    def append(self, rows: Iterable[OutcomeRow]) -> None:
        self.rows += rows


def made_rim(ask: Ask, path: Path, store: Kept | None = None, **more: object) -> Rim:
    """A rim whose clock stands still and who never waits."""
    given: dict[str, object] = {
        "ask": ask,
        "grade": exact,
        "folder": Folder(path),
        "store": store or Kept(),
        "history_name": "new",
        "now_s": lambda: 5.0,
        "sleep": lambda _seconds: None,
    }
    return Rim(**{**given, **more})  # type: ignore[arg-type]


def planned(path: Path, probes: tuple[Probe, ...], budget_nano: int = 10**9) -> Plan:
    """A plan, in force in its folder."""
    plan = Plan("p/new", tuple(one.id for one in probes), fingerprint_of(probes), "by hand", 0, budget_nano, 1.0)
    Folder(path).write_plan(plan)
    return plan


def money_of(models: int, funds: Mapping[str, tuple[float, float]] | None = None) -> Money:
    """Pools in dollars over all models: name -> (dollars, queries to come)."""
    given = funds or {}
    amounts = np.array([usd for usd, _ in given.values()], np.float64)
    table = FundTable(tuple(given), amounts, np.zeros(len(given), np.int64), np.ones((len(given), models), np.bool_))
    return Money(table, amounts, np.array([many for _, many in given.values()], np.float64))


def constant(rows: int, quality: Iterable[float], cost_usd: Iterable[float]) -> Estimates:
    """The same estimates for every row."""
    ones = np.ones((rows, 1))
    q, c = np.array([*quality]), np.array([*cost_usd])
    return Estimates(ones * q, ones * c, ones * np.full(len(q), 100.0), ones * np.zeros(len(q)))


def prompts_of(texts: Iterable[str]) -> Prompts:
    listed = list(texts)
    return Prompts(listed, np.ones((len(listed), 2), np.float32), np.full(len(listed), 10.0))


def made_ground(
    probes: tuple[Probe, ...], quality: Iterable[float], cost_usd: Iterable[float], money: Money | None = None
) -> Ground:
    """A pool of models without outcomes, the same on every probe."""
    listed = list(quality)
    asked = prompts_of(probe.prompt for probe in probes)
    names = tuple(f"p/{n}" for n in range(len(listed)))
    return Ground(
        "p/new",
        names,
        constant(len(probes), listed, cost_usd),
        asked,
        (np.arange(len(probes)),),
        None,
        np.zeros(0, np.int64),
        money or money_of(len(listed) + 1),
        asked,
        None,
    )


def row_scores(store: Kept) -> Floats:
    return np.array([row.score for row in store.rows], np.float64)
