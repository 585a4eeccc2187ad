"""Beginning an onboarding, or going on with one: which plan is in force, with which probes and how much money left.

The same command again goes on with what it began; `restart` and a finished onboarding that is asked `again` put what is
there away first. Takes a folder and what is asked for; gives the `Plan` in force and its probes. Refuses to go on with
other probes than those it began with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pointsman.errors import InputError
from pointsman.onboard.folder import PROBES, Folder, Plan, fingerprint_of
from pointsman.pool.probes import Probe, read_probes, write_probes


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an onboarding is asked to be.

    Attributes:
        model: its id.
        budget_nano: what may be spent on it in all.
        seed: of every draw.
        again: ask known probes again.
        probes: as the command line gave them; None where it gave none, which goes on with what is there.
    """

    model: str
    budget_nano: int
    seed: int
    again: bool = False
    probes: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Probes in the order in which to ask them.

    Attributes:
        probes: at least one.
        by: how they were chosen, for people.
        before: earlier scores by probe id, where they are asked again.
    """

    probes: tuple[Probe, ...]
    by: str
    before: Mapping[str, float]


def open_plan(
    folder: Folder, wanted: Wanted, choose: Callable[[], Chosen], at_s: float, *, restart: bool, finished: bool
) -> tuple[Plan, tuple[Probe, ...], bool]:
    """The plan in force, its probes, and whether it goes on with an earlier one.

    Args:
        choose: chooses probes; called for a new plan alone.
        at_s: Unix seconds now.
        restart: put away what is there.
        finished: whether what is there has ended.

    Raises:
        InputError: no money, no probes, or other probes than those it began with.
    """
    if wanted.budget_nano <= 0:
        raise InputError("there is no money to ask with", place="--budget", remedy="give for example --budget '$1'")
    plan = folder.plan()
    if plan is not None and (restart or plan.again != wanted.again or (wanted.again and finished)):
        folder.put_away()
        plan = None
    if plan is None:
        return *_new(folder, wanted, choose(), at_s), False
    if wanted.probes is not None and wanted.probes not in {plan.wanted, str(len(plan.probe_ids))}:
        raise InputError(
            f"this onboarding has {len(plan.probe_ids)} probes ({plan.chosen_by}), chosen before",
            place="--probes",
            remedy="leave --probes out to go on with them, or begin anew with --restart",
        )
    probes = read_probes(folder.path / PROBES)
    if fingerprint_of(probes) != plan.fingerprint:
        raise InputError(
            "the probes are others than those it began with",
            place=str(folder.path / PROBES),
            remedy="begin anew with --restart",
        )
    plan = replace(plan, budget_nano=wanted.budget_nano)
    folder.write_plan(plan)
    return plan, tuple(probes), True


def _new(folder: Folder, wanted: Wanted, chosen: Chosen, at_s: float) -> tuple[Plan, tuple[Probe, ...]]:
    folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_probes(chosen.probes, folder.path / PROBES)
    probes = tuple(read_probes(folder.path / PROBES))  # as it will be read when it goes on
    plan = Plan(
        wanted.model,
        tuple(probe.id for probe in probes),
        fingerprint_of(probes),
        chosen.by,
        wanted.seed,
        wanted.budget_nano,
        at_s,
        wanted.again,
        dict(chosen.before),
        wanted.probes or "",
    )
    folder.write_plan(plan)
    return plan, probes


def money_left(plan: Plan, told_nano: int) -> int:
    """What is left of the budget, in nano-dollars.

    Args:
        told_nano: what the answers that are kept cost, for keys whose spending the ledger doesn't tell any more.

    Raises:
        InputError: nothing is left.
    """
    counted = sum(spent for spent in plan.keys.values() if spent is not None)
    used = max(counted, told_nano)
    if used >= plan.budget_nano:
        raise InputError(
            f"the budget is used up: {used / 1e9:.6f} USD were spent before",
            place="--budget",
            remedy="give more to go on; all answers stay as they are",
        )
    return plan.budget_nano - used


def key_id(slug: str, keys: Sequence[str], rounds: int) -> str:
    """An id that no key of this onboarding had."""
    return f"onboard-{slug}-{len(keys) + 1}" if not rounds else f"onboard-{slug}-{rounds}.{len(keys) + 1}"
