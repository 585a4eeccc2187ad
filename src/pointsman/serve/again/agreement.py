"""A gateway's own decisions made again, one by one: the same order by the rule, the same model by the ledger.

Takes decisions as they were kept and the ledger's entries; gives how many agree, and the ids of those that don't. The
ledger is played again in a book in memory, entry by entry: each option that was refused must be refused again, each
that was held must be held again. Money is checked by the ledger's own code, not by a copy of it. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from pointsman.ledger.entries import Ask, Ending, Entry, Held, Line, Option
from pointsman.ledger.holds import fund_of
from pointsman.ledger.memory import MemoryBook
from pointsman.serve.again.decided import Kept, same_order

MOST_TOLD = 20
FOR_EVER_NS = 1 << 62


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a log agrees with itself.

    Attributes:
        decisions: how many could be made again.
        without_basis: rows that don't hold what is needed: made by an older version.
        same_order: the rule gave the same order to ask in.
        held: of how many the ledger still has the hold (a query that no fund limits holds nothing).
        same_hold: the ledger refused and held the same again.
        same_model: the model that both come to is the one that was asked first.
        explored: chance chose first.
        elsewhere: answered by another model than the first, after a fault.
        differing: ids of decisions that don't agree, the first of them.
    """

    decisions: int
    without_basis: int
    same_order: int
    held: int
    same_hold: int
    same_model: int
    explored: int
    elsewhere: int
    differing: tuple[str, ...]

    @property
    def share(self) -> float:
        """Decisions that agree in everything, over all."""
        return self.same_model / self.decisions if self.decisions else 1.0


def agreement(rows: Iterable[Kept | None], entries: Iterable[Entry]) -> Agreement:
    """Makes every decision again.

    Args:
        rows: the journal's, None for those that can't be made again.
        entries: of the ledger, in their order, from its first on.
    """
    listed = list(rows)
    kept = [one for one in listed if one is not None]
    holds = holds_again({one.id: one for one in kept}, entries)
    order = {one.id: same_order(one) for one in kept}
    model = {
        one.id: order[one.id]
        and holds.get(one.id, one.place <= 0)
        and one.asked in {None, one.models[one.ranked[max(0, one.place)]]}
        for one in kept
    }
    return Agreement(
        len(kept),
        len(listed) - len(kept),
        sum(order.values()),
        sum(one.id in holds for one in kept),
        sum(holds.values()),
        sum(model.values()),
        sum(one.explored for one in kept),
        sum(one.served is not None and one.served != one.asked for one in kept),
        tuple(id for id, same in model.items() if not same)[:MOST_TOLD],
    )


def holds_again(kept: Mapping[str, Kept], entries: Iterable[Entry]) -> dict[str, bool]:
    """The ledger played again: by decision, whether its first hold came out as it did; for those that have one."""
    book, found = MemoryBook(), dict[str, bool]()
    for rows in _acts(entries):
        first = rows[0]
        if first.kind == "grant":
            book.declare([fund_of(first.fund, first.note)], first.at_ns)
        elif first.kind == "correct":
            book.correct(first.id, first.fund, first.spent, first.note, first.at_ns)
        elif first.kind == "hold":
            decision = kept.get(first.id.removesuffix(":0")) if first.id.endswith(":0") else None
            same = _held_again(book, rows, decision)
            if decision is not None:
                found[decision.id] = same
        else:
            spent = tuple(Line(row.fund, row.spent) for row in rows if row.spent)
            book.end([Ending(first.id, first.kind, spent)], first.at_ns)
    return found


def _acts(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Rows that were booked as one: of one kind and id, one after the other."""
    for _, rows in groupby(entries, key=lambda row: (row.kind, row.id, row.fund if row.kind == "grant" else "")):
        yield list(rows)


def _held_again(book: MemoryBook, rows: list[Entry], decision: Kept | None) -> bool:
    option = Option("held", tuple(Line(row.fund, row.held) for row in rows))
    passed = () if decision is None else decision.passed
    (result,) = book.hold([Ask(rows[0].id, (*passed, option), FOR_EVER_NS)], rows[0].at_ns)
    if isinstance(result, Held) and result.option == len(passed):
        return True
    if isinstance(result, Held):  # what comes after needs the ledger as it was
        book.end([Ending(rows[0].id, "void")], rows[0].at_ns)
    return False
