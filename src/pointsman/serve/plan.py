"""What was decided for one query, and the next best after it. Made by `switchboard`, carried out by `exchange`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np

from pointsman.ledger.entries import Held, Option, Refused
from pointsman.records import Candidate, Estimates, Floats, Ints
from pointsman.serve.scheme import Scheme
from pointsman.serve.wire.query import Query

DECISIVE = frozenset({"quality", "cost_usd", "tokens"})


@dataclass(frozen=True, slots=True)
class Leans:
    """What one query's ranking depended on beside its estimates and the funds' prices.

    Attributes:
        money_price: quality per dollar, by the trade-off knob.
        stays: column, dollars saved and bonus of the model that the conversation was with.
        limit_usd: the most that the answer may be expected to cost.
        scarcity: of the alias; None where the client named the model.
        explored: the rate and how many models could be drawn, where chance chose the first.
    """

    money_price: float = 0.0
    stays: tuple[int, float, float] | None = None
    limit_usd: float | None = None
    scarcity: str | None = None
    explored: tuple[float, int] | None = None


class Candidates(Sequence[Candidate]):
    """The models of one decision, best first; made into records when somebody reads them, not for every query."""

    __slots__ = ("_estimates", "_models", "_order", "_row", "_scores")

    def __init__(self, models: Sequence[str], estimates: Estimates, scores: Floats, row: int, order: Ints) -> None:
        self._models, self._estimates, self._scores, self._row, self._order = models, estimates, scores, row, order

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, place: int) -> Candidate: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Candidate]: ...
    def __getitem__(self, place: int | slice) -> Candidate | Sequence[Candidate]:
        if isinstance(place, slice):
            return tuple(self._at(int(i)) for i in self._order[place])
        return self._at(int(self._order[place]))

    def __iter__(self) -> Iterator[Candidate]:
        return (self._at(int(i)) for i in self._order)

    @property
    def order(self) -> Ints:
        """The models' columns, best first."""
        return self._order

    def columns(self) -> dict[str, Any]:
        """The same by field, each a list or an array in order: what the journal keeps, since it costs so much less."""
        of, j, order = self._estimates, self._row, self._order
        quality, score = of.quality[j], self._scores[j]
        figures = np.array([quality, of.spread[j], of.cost_usd[j], of.tokens[j], quality - score, score]).take(
            order, axis=1
        )
        names = ("quality", "spread", "cost_usd", "tokens", "charge", "score")
        # Seven digits are enough to read, in half of the room; what a decision follows from again is kept whole.
        columns: dict[str, Any] = {
            name: row if name in DECISIVE else row.astype(np.float32) for name, row in zip(names, figures, strict=True)
        }
        return {"model": [self._models[i] for i in order.tolist()]} | columns

    def _at(self, i: int) -> Candidate:
        estimates, j = self._estimates, self._row
        quality, score = float(estimates.quality[j, i]), float(self._scores[j, i])
        return Candidate(
            self._models[i],
            quality=quality,
            spread=float(estimates.spread[j, i]),
            cost_usd=float(estimates.cost_usd[j, i]),
            tokens=float(estimates.tokens[j, i]),
            charge=quality - score,
            score=score,
        )


@dataclass(slots=True)
class Plan:
    """One decision on its way.

    Attributes:
        decision_id: what the client gets, and the beginning of the ids of its holds.
        query: as it came in.
        scheme: what was in force.
        key_id: who asked.
        reason: why this model: a `records.Reason`, "named" where the client chose, "explored" where chance did.
        ranked: the columns that may be asked, in order.
        drawn: rows of the funds that the query draws on.
        input_tokens: counted, before the models' own ratios.
        ceilings: how long an answer may get, by column; what holds are made with.
        candidates: every allowed model, best score first.
        held: what was held for the first hop.
        refused: what the ledger said where nothing could be held.
        options: what was asked for, in the order of `ranked`.
        stages_s: seconds of reading, deciding and holding.
        leans: what the ranking depended on beside estimates and prices.
        propensity: the probability with which the first of `ranked` is the first; None where nobody knows it, or
            another one was held for since the first couldn't be paid.
        place: which of `ranked` is held for first; -1 while none is.
        part: of the traffic's partition that the prompt falls into; None where there is no partition.
    """

    decision_id: str
    query: Query
    scheme: Scheme
    key_id: str
    reason: str
    ranked: list[int]
    drawn: frozenset[int]
    input_tokens: float
    ceilings: list[int]
    candidates: Candidates
    held: Held | None = None
    refused: Refused | None = None
    options: Sequence[Option] = ()
    stages_s: dict[str, float] = field(default_factory=dict)
    leans: Leans = Leans()
    propensity: float | None = None
    place: int = -1
    part: int | None = None

    @property
    def column(self) -> int:
        """Who is held for."""
        return self.scheme.column[self.options[self.first_held.option].key]

    @property
    def first_held(self) -> Held:
        """What is held for the first hop."""
        if self.held is None:
            raise RuntimeError("nothing is held for this plan")
        return self.held

    def option(self, column: int) -> Option:
        """What asking a model is held with."""
        most = int(self.input_tokens * self.scheme.counting.most[column]) + 1
        # Of the shapes only Anthropic's lets a client ask for cache writes, at a rate above the plain one.
        caches = self.query.shape == "messages"
        lines = self.scheme.lines(column, self.drawn, most, self.ceilings[column], cache_writes=caches)
        return Option(self.scheme.models[column].id, lines)


class Options(Sequence[Option]):
    """What a query may be held with, in the order of its columns; made when the ledger looks, which is mostly once."""

    __slots__ = ("_columns", "_made", "_plan")

    def __init__(self, plan: Plan, columns: Sequence[int]) -> None:
        self._plan, self._columns = plan, columns
        self._made: dict[int, Option] = {}

    def __len__(self) -> int:
        return len(self._columns)

    @overload
    def __getitem__(self, place: int) -> Option: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Option]: ...
    def __getitem__(self, place: int | slice) -> Option | Sequence[Option]:
        if isinstance(place, slice):
            return tuple(self[i] for i in range(*place.indices(len(self))))
        column = self._columns[place]
        found = self._made.get(column)
        if found is None:
            found = self._made[column] = self._plan.option(column)
        return found

    def __iter__(self) -> Iterator[Option]:
        return (self[i] for i in range(len(self)))
