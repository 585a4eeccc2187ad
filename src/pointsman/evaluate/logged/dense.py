"""A log that knows every model's outcome, played in time order under given funds: the bench's machinery, not a copy.

Takes complete outcomes in time order, which of them are history, funds and policies; appends rows to a folder of rows
(`rows_folder`) and gives each policy's score by query. Estimates come from the history alone; every tested query is
settled by its recorded outcome. What a policy is told: the number of queries to come and how much of the time has
passed, never an outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pointsman.decide.policies import Policy
from pointsman.decide.program import FundTable, compile_funds
from pointsman.errors import InputError
from pointsman.evaluate.bench import run_case
from pointsman.evaluate.budgets import POOL
from pointsman.evaluate.logged.choosing import policy_by_name
from pointsman.evaluate.offpolicy import Estimate, resampled
from pointsman.evaluate.plan import REFERENCE, Circumstance, Task
from pointsman.evaluate.prepare import Bench, Preparer, Setting, truth_of
from pointsman.evaluate.replay import Case, replay
from pointsman.evaluate.rows_folder import RunWriter
from pointsman.evaluate.scenarios import Phase, World
from pointsman.records import Floats, Fund, Ints, Outcomes

SPLIT, SCENARIO = "funds", "time"


@dataclass(frozen=True, slots=True)
class DenseLog:
    """What is played.

    Attributes:
        outcomes: complete in score and cost.
        past: rows that estimators may see.
        tested: rows that are played, in the order in which they came.
        elapsed: float [N] of the tested ones, share of the time that has passed.
        funds: for the tested queries together.
        embedder, seed: of the estimates.
    """

    outcomes: Outcomes
    past: Ints
    tested: Ints
    elapsed: Floats
    funds: Sequence[Fund]
    embedder: str = "wordllama"
    seed: int = 0


def elapsed_of(asked_s: Floats) -> Floats:
    """Shares of the time passed [N] from Unix seconds in order; by number where a time is missing or all are one."""
    count = len(asked_s)
    span = asked_s[-1] - asked_s[0] if count else 0.0
    if not (np.isfinite(asked_s).all() and span > 0):
        return np.arange(count) / max(1, count)
    return np.minimum(np.maximum.accumulate((asked_s - asked_s[0]) / span), 1.0)


def play_dense(
    log: DenseLog,
    names: Sequence[str],
    writer: RunWriter,
    *,
    cache: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Floats]:
    """Plays every policy that the folder doesn't hold yet, the reference among them; gives scores by query.

    Returns:
        By policy, float [N]: the score of each tested query, 0 where nobody served it.

    Raises:
        InputError: a policy, or a model of a fund, that nobody knows.
    """
    listed = tuple(dict.fromkeys((REFERENCE, *names)))
    policies = {name: policy_by_name(name, log.outcomes.models) for name in listed}
    tables = {name: _table(log, policy) for name, policy in policies.items()}
    setting = Setting(len(log.tested), embedder=log.embedder, seed=log.seed)
    progress(f"estimates for {len(log.tested):,} queries")
    sources = [policy.traits.source for policy in policies.values()]
    bench = Preparer(log.outcomes, cache).prepare_rows(setting, sources, log.tested, log.past)
    reference: float | None = None
    scores = {}
    for name, policy in policies.items():
        progress(name)
        task = Task(name, Circumstance(setting, SPLIT, 1.0, SCENARIO, 0))
        case = _case(bench, log, policy, tables[name])
        scores[name] = _scores(case, policy)
        done = run_case(bench, task, policy, case, reference)
        reference = done.run.performance if name == REFERENCE else reference
        if task.key not in writer.done_keys():
            writer.append(done.run, done.trace)
    return scores


def _table(log: DenseLog, policy: Policy) -> FundTable:
    """The funds as a policy has them: one that pools has all the dollars in one."""
    if not policy.traits.pooled:
        return compile_funds(log.funds, log.outcomes.models)
    total = sum(fund.amount for fund in log.funds if fund.unit == "usd")
    if total <= 0:
        raise InputError("no fund is in dollars", place="--funds", remedy="leave out the policies that pool dollars")
    return compile_funds([Fund(POOL, total)], log.outcomes.models)


def _case(bench: Bench, log: DenseLog, policy: Policy, funds: FundTable) -> Case:
    count, models = bench.test.score.shape
    phase = Phase(count, np.ones(models, np.bool_), np.ones(models))
    world = World(np.arange(count), log.elapsed, count, (phase,))
    source = policy.traits.source
    return Case(bench.estimates[source], bench.held_out[source], truth_of(bench.test), funds, world, log.seed)


def _scores(case: Case, policy: Policy) -> Floats:
    chosen = replay(policy, case).model
    found = case.truth.quality[np.arange(len(chosen)), np.maximum(chosen, 0)]
    return np.where(chosen >= 0, found, 0.0)


def totals(scores: dict[str, Floats], seed: int = 0) -> dict[str, Estimate]:
    """Summed scores with intervals over queries like these."""
    return {name: _summed(found, seed) for name, found in scores.items()}


def margins(scores: dict[str, Floats], over: str, seed: int = 0) -> dict[str, Estimate]:
    """How much more each policy scores than `over` on the same queries."""
    return {name: _summed(found - scores[over], seed) for name, found in scores.items() if name != over}


def _summed(values: Floats, seed: int) -> Estimate:
    (found,) = resampled(values[:, None] * len(values), lambda means: means, seed=seed)
    return found
