"""Prices set from outside: the policy of a gateway, whose prices are solved beside the decisions (`decide.live`).

Takes prices and funds as its state and gives quality minus charges, each query charged for the funds that it can draw
on. It solves nothing, learns nothing and keeps nothing from batch to batch: a new price is a new state, swapped in by
whoever solved it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pointsman.decide.policies.policy import Briefing, Source, Traits, View
from pointsman.decide.program import FundTable, amounts_of, charges_at, unit_prices
from pointsman.decide.terms import charges_drawn
from pointsman.errors import InputError
from pointsman.records import Floats


@dataclass(frozen=True, slots=True)
class StandingState:
    """Prices in force.

    Attributes:
        price: float [F], quality per unit of each fund, finite and at least zero.
        funds: what they are prices of.
        unit_price: float [units, M], the same by model and unit, for queries that draw on every fund.

    Raises:
        InputError: not one finite price of at least zero for each fund.
    """

    price: Floats
    funds: FundTable
    unit_price: Floats = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        price = np.array(self.price, dtype=np.float64)
        if price.shape != (len(self.funds),) or not (np.isfinite(price).all() and (price >= 0).all()):
            raise InputError(
                "the prices are not one finite number of at least zero for each fund",
                place=f"funds {', '.join(self.funds.names)}",
                remedy=f"pass {len(self.funds)} prices",
            )
        object.__setattr__(self, "price", price)
        object.__setattr__(self, "unit_price", unit_prices(price, self.funds))


@dataclass(frozen=True, slots=True)
class Standing:
    """Quality minus the charge at prices that somebody else keeps true.

    Args:
        source: its estimates.
    """

    source: Source = "blend"

    @property
    def traits(self) -> Traits:
        """Asks first, declines what no model is worth, charges by query."""
        return Traits(self.source, batch=64, by_query=True)

    def begin(self, briefing: Briefing) -> StandingState:
        """Prices of zero, until some are set."""
        return StandingState(np.zeros(len(briefing.funds)), briefing.funds)

    def scores(self, state: StandingState, view: View) -> tuple[Floats, StandingState]:
        """Quality minus the charge; the state as it was."""
        amounts = amounts_of(view.estimates, state.funds)
        if view.drawn is None:
            charge = charges_at(state.unit_price, amounts, len(view.estimates))
        else:
            charge = charges_drawn(state.price, state.funds, amounts, view.drawn)
        return view.estimates.quality - charge, state

    def price(self, state: StandingState) -> Floats:
        """The prices in force."""
        return state.price
