"""BatchSplit: a 0/1 program for every batch. As published with the whole remaining budget, and pro-rated.

As published (PORT, arXiv 2509.02718) each batch of 256 may spend all that is left, so the first batches take the
dearest models and the last ones find nothing. Pro-rated, a batch may spend its share of what is left: the fair form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack

from pointsman.decide.policies.policy import Briefing, Source, Traits, View, one_hot
from pointsman.decide.program import Amounts, FundTable, amounts_of
from pointsman.records import Floats, Ints

# HiGHS may stop this close to the best assignment: proving the last bits takes minutes a batch, and on the batches
# where it was tried the assignments it found this way were within 0.4 % of those at a gap of 0.001.
RELATIVE_GAP = 1e-2


@dataclass(frozen=True, slots=True)
class BatchSplit:
    """Per batch: max Σ d x within the budget, each query to at most one model.

    Args:
        prorated: spend the batch's share of what is left, and pass over a model that can't pay.
        size: queries in a batch, published 256.
        source: its estimates.
    """

    prorated: bool = False
    size: int = 256
    source: Source = "neighbours-hnsw"

    @property
    def traits(self) -> Traits:
        """Blind as published; asks first when pro-rated."""
        return Traits(self.source, batch=self.size, ask_first=self.prorated)

    def begin(self, briefing: Briefing) -> Briefing:
        """The funds and the number of queries to come."""
        return briefing

    def scores(self, state: Briefing, view: View) -> tuple[Floats, Briefing]:
        """One-hot rows: the program's assignment."""
        budget = view.remaining
        if self.prorated:
            to_come = max(len(view.estimates), state.forecast - view.seen)
            budget = budget * (len(view.estimates) / to_come)
        chosen = assign(view.estimates.quality, amounts_of(view.estimates, state.funds), state.funds, budget)
        return one_hot(chosen, view.estimates.quality.shape[1]), state

    def price(self, state: Any) -> None:
        """None."""


def assign(quality: Floats, amounts: Amounts, funds: FundTable, budget: Floats) -> Ints:
    """The best 0/1 assignment [Q] of queries to models within the budget [F]; -1 for nobody. Solved by HiGHS."""
    worth = np.argwhere(quality > 0)
    chosen = np.full(quality.shape[0], -1, dtype=np.int64)
    if worth.size == 0:
        return chosen
    query, model = worth.T
    columns = np.arange(len(worth))
    once = csr_array((np.ones(len(worth)), (query, columns)), shape=(quality.shape[0], len(worth)))
    scale = np.where(budget > 0, budget, 1.0)
    rows = vstack([once, csr_array(_drawn(amounts, funds, query, model) / scale[:, None])])
    limit = np.concatenate([np.ones(quality.shape[0]), np.where(budget > 0, 1.0, 0.0)])
    found = milp(
        -quality[query, model],
        constraints=LinearConstraint(rows, ub=limit),
        bounds=Bounds(0, 1),
        integrality=np.ones(len(worth)),
        options={"mip_rel_gap": RELATIVE_GAP},
    )
    taken = np.asarray(found.x) > 0.5
    chosen[query[taken]] = model[taken]
    return chosen


def _drawn(amounts: Amounts, funds: FundTable, query: Ints, model: Ints) -> Floats:
    """[F, pairs] what each (query, model) pair draws on each fund."""
    tables = [amounts.of(int(unit)) for unit in funds.unit]
    drawn = [np.ones(len(query)) if table is None else table[query, model] for table in tables]
    return np.where(funds.draws[:, model], np.stack(drawn), 0.0)
