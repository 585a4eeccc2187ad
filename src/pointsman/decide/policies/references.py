"""The two references: what a solver with all queries in front of it would do. Not online, and not policies to run.

Approx Optimum and Optimum of PORT (arXiv 2509.02718): the linear relaxation on estimates, or on the true outcomes,
each query given to its largest share, then judged like everybody else.
"""

from __future__ import annotations

from dataclasses import dataclass

from pointsman.decide.policies.policy import Briefing, Source, Traits, View, one_hot
from pointsman.decide.polish import assignment, solve_exact
from pointsman.decide.program import FundTable, program_of
from pointsman.records import Floats


@dataclass(frozen=True, slots=True)
class Offline:
    """The linear program over all queries at once, on its source's estimates ("truth" for the Optimum)."""

    source: Source

    @property
    def traits(self) -> Traits:
        """All queries in one batch, blind."""
        return Traits(self.source, batch=0, ask_first=False, online=False)

    def begin(self, briefing: Briefing) -> FundTable:
        """The funds."""
        return briefing.funds

    def scores(self, state: FundTable, view: View) -> tuple[Floats, FundTable]:
        """One-hot rows: every query's largest share."""
        program = program_of(view.estimates, state.with_budget(view.remaining))
        return one_hot(assignment(solve_exact(program)), view.estimates.quality.shape[1]), state

    def price(self, state: FundTable) -> None:
        """None is kept: the whole program is solved once."""
