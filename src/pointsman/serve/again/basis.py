"""What a decision rested on, kept so that it can be made again: prices, knobs, limits, and the order that came of them.

Takes a plan whose exchange has ended; gives a value that the journal turns into JSON in its own thread. With the
candidates' estimates, which stand beside it, the ranking follows again from `router.decide`, and with the ledger's
holds the model that was served. It holds no word of a prompt.

    fit, day          the fit in force and the day of the rates
    beliefs           what the estimators added to the fit, by name (`serve.again.beliefs`)
    funds             those that the query drew on: {name: [unit, price, positions of the models that draw on it]}
    money             quality per dollar, by the trade-off knob
    stays             [position, dollars saved, bonus] of the model that the conversation was with
    limit_usd         the most that the answer was allowed to be expected to cost
    scarcity          of the alias; null where the client named the model
    ceiling           how long answers may get (`routing.ceiling`)
    ranked            positions in the order to ask in
    explored          [rate, models that could be drawn] where chance chose the first
    place             which of `ranked` the ledger held for first
    passed            what it refused before that: [model, [[fund, amount], …]]

A position is a place among the candidates, best score first; no list means all of them.
"""

from __future__ import annotations

from typing import Any

from pointsman.serve.plan import Leans, Plan
from pointsman.serve.scheme import Scheme


class Basis:
    """One decision's; made quickly, put into words when it is written."""

    __slots__ = ("_columns", "_drawn", "_leans", "_passed", "_place", "_ranked", "_scheme")

    def __init__(self, plan: Plan) -> None:
        self._scheme: Scheme = plan.scheme
        self._columns = plan.candidates.order
        self._drawn, self._ranked, self._place = plan.drawn, plan.ranked, plan.place
        self._leans: Leans = plan.leans
        self._passed = [plan.option(column) for column in plan.ranked[: max(0, plan.place)]]

    def columns(self) -> dict[str, Any]:
        """As JSON values; see the module."""
        place = {column: at for at, column in enumerate(self._columns.tolist())}
        leans, scheme = self._leans, self._scheme
        kept: dict[str, Any] = {
            "fit": scheme.fit,
            "day": scheme.day.isoformat(),
            "funds": self._funds(),
            "scarcity": leans.scarcity,
            "ceiling": scheme.settings.routing.ceiling,
            "ranked": [place[column] for column in self._ranked],
            "place": self._place,
        }
        if scheme.beliefs:
            kept["beliefs"] = scheme.beliefs
        if leans.money_price:
            kept["money"] = leans.money_price
        if leans.stays is not None:
            column, saved, bonus = leans.stays
            kept["stays"] = [place.get(column, -1), saved, bonus]
        if leans.limit_usd is not None:
            kept["limit_usd"] = leans.limit_usd
        if leans.explored is not None:
            kept["explored"] = list(leans.explored)
        if self._passed:
            kept["passed"] = [[one.key, [[line.fund, line.amount] for line in one.lines]] for one in self._passed]
        return kept

    def _funds(self) -> dict[str, list[Any]]:
        scheme, order = self._scheme, self._columns
        price = scheme.snapshot.price
        found = {}
        for f in sorted(self._drawn):
            draws = scheme.snapshot.funds.draws[f, order]
            who = None if draws.all() else [at for at, one in enumerate(draws.tolist()) if one]
            rule = scheme.funds[f]
            found[rule.name] = [rule.unit, 0.0 if price is None else float(price[f]), who]
        return found
