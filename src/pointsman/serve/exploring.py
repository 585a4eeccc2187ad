"""Now and then a query goes to a model that chance chose, so that a log says something of the models not preferred.

Takes the rule's first choice and the models that may be drawn; gives the first choice and the probability with which
it was made, its *propensity*: (1 − e)·[it is the rule's best] + e/K for a rate e and K models that may be drawn.
May be drawn: models that passed every filter and whose expected draw its funds could pay a moment ago, whatever they
are worth. A query that the rule serves by nobody isn't explored, nor one whose conversation stays where it was, nor
one for vectors, which would no longer fit each other. Holds no money and ranks nothing.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pointsman.ledger.entries import Balance
from pointsman.records import Estimates
from pointsman.serve.scheme import NANO, Scheme


@dataclass(frozen=True, slots=True)
class Drawn:
    """A first choice: the model's column, whether chance chose it, and its propensity."""

    column: int
    explored: bool
    propensity: float


@dataclass(frozen=True, slots=True)
class Explorer:
    """How exploration is done for one batch.

    Attributes:
        rate: e, in [0, 1].
        lots: where chance comes from.
        balances: by fund, at most a moment old.
    """

    rate: float
    lots: random.Random
    balances: Mapping[str, Balance]

    def draw(self, best: int, eligible: Sequence[int]) -> Drawn:
        """The first choice of one query.

        Args:
            best: the rule's own.
            eligible: the columns that may be drawn; where there are none, nothing is left to chance.
        """
        if not eligible:
            return Drawn(best, explored=False, propensity=1.0)
        share = self.rate / len(eligible)
        if self.lots.random() < self.rate:
            column = eligible[self.lots.randrange(len(eligible))]
            return Drawn(column, explored=True, propensity=share + (1.0 - self.rate if column == best else 0.0))
        return Drawn(best, explored=False, propensity=1.0 - self.rate + (share if best in eligible else 0.0))

    def payable(
        self, scheme: Scheme, drawn: frozenset[int], estimates: Estimates, row: int, columns: Sequence[int]
    ) -> list[int]:
        """Those of the columns whose expected draw every fund could pay."""
        return [i for i in columns if self._can_pay(scheme, drawn, estimates, row, i)]

    def _can_pay(self, scheme: Scheme, drawn: frozenset[int], estimates: Estimates, row: int, column: int) -> bool:
        for fund, unit in scheme.payers(column, drawn):
            balance = self.balances.get(fund)
            if balance is not None and balance.remaining < _amount(unit, estimates, row, column):
                return False
        return True


def _amount(unit: str, estimates: Estimates, row: int, column: int) -> float:
    if unit == "usd":
        return float(estimates.cost_usd[row, column]) * NANO
    return 1.0 if unit == "requests" else float(estimates.tokens[row, column])
