"""A replay in chapters: between two of them the snapshot is swapped, the balances go on.

A chapter is a plain `replay` (so every decision is `router.decide`'s) over a stretch of the arrivals, with the models
that are there, estimates of them, and the policy begun anew on what the funds have left and the queries still to come:
what a gateway does when a new snapshot is put in by one assignment. A model that isn't there has no column, its fund
no price. Knows nothing of probes or of who joins.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pointsman.decide.policies import Policy
from pointsman.decide.program import FundTable, amounts_of
from pointsman.evaluate.replay import Case, drawn_by, replay
from pointsman.evaluate.scenarios import Phase, World
from pointsman.records import Estimates, Floats, Ints


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a snapshot holds: the models that are there, and what is expected of them.

    Attributes:
        columns: int [m], their columns among all M models, rising.
        arrivals: of all N queries in order of arrival, [N, m]; a chapter reads its own rows.
        history: held-out estimates of the history's queries, [H, m].
    """

    columns: Ints
    arrivals: Estimates
    history: Estimates

    def without(self, column: int) -> Knowledge:
        """The same without one of the models."""
        kept = np.flatnonzero(self.columns != column)
        return Knowledge(self.columns[kept], columns_of(self.arrivals, kept), columns_of(self.history, kept))


@dataclass
class Ride:
    """A case under way.

    Attributes:
        case: all M models, full budgets; its estimates are not read.
        seen: queries that have arrived.
        model: int [N], the column that served each, -1 for nobody and for those to come.
        remaining: float [F].
    """

    case: Case
    seen: int = 0
    model: Ints = field(init=False)
    remaining: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.model = np.full(len(self.case.world.order), -1, dtype=np.int64)
        self.remaining = self.case.funds.budget.copy()

    def play(self, policy: Policy, knowledge: Knowledge, stop: int) -> None:
        """One chapter, to the arrival before `stop`; none if that has been reached.

        Raises:
            OverspendError: a fund ended below zero.
        """
        if stop <= self.seen:
            return
        funds, kept = funds_among(self.case.funds, self.remaining, knowledge.columns)
        rows = slice(self.seen, stop)
        result = replay(
            policy,
            Case(
                knowledge.arrivals.take(rows),
                knowledge.history,
                columns_of(self.case.truth.take(rows), knowledge.columns),
                funds,
                stretch(self.case.world, self.seen, stop, len(knowledge.columns)),
                self.case.seed,
            ),
        )
        self.model[rows] = np.where(result.model >= 0, knowledge.columns[result.model], -1)
        # A subtraction taken back may miss zero by the last bit.
        self.remaining[kept] = np.maximum(0.0, funds.budget - result.spent)
        self.seen = stop

    def served_by(self, column: int) -> Ints:
        """Arrivals that a model has served so far."""
        return np.flatnonzero(self.model == column)

    def scores(self) -> Floats:
        """float [N], the true score of every arrival, 0 where nobody served it."""
        rows = np.flatnonzero(self.model >= 0)
        scores = np.zeros(len(self.model))
        scores[rows] = self.case.truth.quality[rows, self.model[rows]]
        return scores

    def drawn(self) -> Floats:
        """float [N, F], what each arrival drew on each fund."""
        return drawn_by(self.case.funds, amounts_of(self.case.truth, self.case.funds), self.model)


def stretch(world: World, start: int, stop: int, models: int) -> World:
    """Arrivals from start to stop as a world of their own: time and forecast count from its beginning to the old end.

    The forecast keeps its error: who expects twice the queries at first expects twice those that are left.
    """
    began = float(world.elapsed[start])
    elapsed = (world.elapsed[start:stop] - began) / max(1e-12, 1.0 - began)
    forecast = max(1, round(world.forecast * (1.0 - start / len(world.order))))
    phase = Phase(stop - start, np.ones(models, dtype=np.bool_), np.ones(models))
    return World(world.order[start:stop], elapsed, forecast, (phase,))


def funds_among(funds: FundTable, remaining: Floats, columns: Ints) -> tuple[FundTable, Ints]:
    """The funds that some of the models at `columns` draw on, holding what remains, and their positions."""
    kept = np.flatnonzero(funds.draws[:, columns].any(axis=1))
    table = FundTable(
        tuple(funds.names[f] for f in kept), remaining[kept], funds.unit[kept], funds.draws[np.ix_(kept, columns)]
    )
    return table, kept


def columns_of(estimates: Estimates, columns: Ints) -> Estimates:
    """The same estimates for the models at `columns`."""
    return Estimates(*(np.ascontiguousarray(table[:, columns]) for table in _tables(estimates)))


def insert_column(estimates: Estimates, one: Estimates, at: int) -> Estimates:
    """Estimates [Q, m] with the one column of `one` put in before column `at`."""
    pairs = zip(_tables(estimates), _tables(one), strict=True)
    return Estimates(*(np.insert(table, at, column[:, 0], axis=1) for table, column in pairs))


def _tables(estimates: Estimates) -> tuple[Floats, Floats, Floats, Floats]:
    return estimates.quality, estimates.cost_usd, estimates.tokens, estimates.spread
