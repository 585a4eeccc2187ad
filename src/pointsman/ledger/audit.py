"""Folds all entries again and compares the result with everything that is cached.

One pass over the entries in order, knowing only the table of transitions. It is checked that places have no gaps,
that every entry's legs sum to zero, that a hold is made once and ended at most once with just what was held, that no
hold was larger than what its fund had left at that moment, and that cached sums, open holds and counts equal their
folds. Memory grows with open holds and buckets, not with entries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby

from pointsman.ledger.entries import Audit, Entry, HoldRecord, Line
from pointsman.ledger.holds import fund_of, overrun_of
from pointsman.ledger.totals import FundTotals
from pointsman.ledger.transitions import LAST, TABLE, State

Sums = tuple[str, int, int, int, int]
Legs = dict[tuple[str, int], int]

MOST_PROBLEMS = 100


class _Fold:
    """What the entries so far come to."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()
        self.open: dict[str, Legs] = {}
        self.unmade: dict[str, State] = {}
        self.sums: dict[str, dict[int, tuple[int, int, int]]] = {}
        self.funds: dict[str, FundTotals] = {}
        self.seq = 0

    def say(self, problem: str) -> None:
        self.counts["problems"] += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)

    def load(self, fund: str, first: int) -> Iterator[tuple[int, int, int, int]]:
        for bucket, sums in self.sums.get(fund, {}).items():
            if bucket >= first or sums[0]:
                yield bucket, *sums

    def add(self, entry: Entry) -> None:
        """Sums, and what holds for every entry by itself."""
        self.counts["entries"] += 1
        if entry.seq != self.seq + 1:
            self.say(f"entry {entry.seq} follows entry {self.seq}")
        self.seq = entry.seq
        if entry.available + entry.held + entry.spent != 0:
            self.say(f"entry {entry.seq} doesn't sum to zero")
        if entry.kind != "grant" and entry.fund not in self.funds:
            self.say(f"entry {entry.seq} moves fund {entry.fund!r}, which was never granted")
            return
        overrun = overrun_of(entry.kind, entry.available)
        if entry.kind == "grant":
            self.funds[entry.fund] = FundTotals(fund_of(entry.fund, entry.note), self.load)
        else:
            if entry.kind == "hold":
                self._check_room(entry)
            self.funds[entry.fund].apply(entry.bucket, entry.held, entry.spent, overrun)
        sums = self.sums.setdefault(entry.fund, {})
        held, spent, over = sums.get(entry.bucket, (0, 0, 0))
        sums[entry.bucket] = held + entry.held, spent + entry.spent, over + overrun
        self.counts["overruns"] += overrun > 0

    def _check_room(self, entry: Entry) -> None:
        totals = self.funds[entry.fund]
        totals.turn(entry.at_ns)
        if 0 < entry.held > totals.fund.amount - totals.held - totals.spent:
            self.say(f"entry {entry.seq} holds more than fund {entry.fund!r} had left")

    def hold(self, id: str, entries: list[Entry]) -> None:
        """One hold as a whole."""
        self.counts["holds"] += 1
        if id in self.open:
            self.say(f"hold {id!r} was made twice")
        if any(e.spent or e.held < 0 for e in entries):
            self.say(f"hold {id!r} doesn't set money aside")
        self.open[id] = {(e.fund, e.bucket): e.held for e in entries}

    def ending(self, id: str, state: State, entries: list[Entry]) -> None:
        """One ending as a whole."""
        self.counts[state] += 1
        legs = self.open.pop(id, None)
        if legs is None:
            self._unmade(id, state, entries)
        elif legs != {(e.fund, e.bucket): -e.held for e in entries if (e.fund, e.bucket) in legs}:
            self.say(f"hold {id!r} was {state} with other amounts than were held")
        elif any((e.fund, e.bucket) not in legs and e.held for e in entries):
            self.say(f"hold {id!r} was {state} in funds that nothing was held of")
        if state == "voided" and any(e.spent for e in entries):
            self.say(f"hold {id!r} was voided and spent")

    def _unmade(self, id: str, state: State, entries: list[Entry]) -> None:
        """An ending without a making: right for a hold of nothing, which the list of holds tells of."""
        if id in self.unmade or any(e.held for e in entries):
            self.say(f"hold {id!r} was {state} without being open")
        self.unmade[id] = state


def audited(
    entries: Iterable[Entry],
    records: Iterable[HoldRecord],
    sums: Iterable[Sums],
    cached: Iterable[Sums],
    flaws: Iterable[str],
) -> Audit:
    """What is wrong, if anything.

    Args:
        entries: all, in order.
        records: what the store keeps of each hold.
        sums: the store's cached sums, by fund and bucket: all of them.
        cached: sums in memory, some of them.
        flaws: what is wrong with the store itself.
    """
    fold = _Fold()
    for flaw in flaws:
        fold.say(flaw)
    _fold(fold, entries)
    _compare_sums(fold, sums, cached)
    _compare_holds(fold, records)
    counts = {name: fold.counts[name] for name in _COUNTED}
    return Audit(not fold.problems, tuple(fold.problems), counts, _overruns(fold))


_COUNTED = ("entries", "grants", "corrections", "holds", "open", "posted", "voided", "expired", "overruns")


def _fold(fold: _Fold, entries: Iterable[Entry]) -> None:
    for (kind, id, _), group in groupby(entries, key=lambda e: (e.kind, e.id, e.at_ns)):
        together = list(group)
        for entry in together:
            fold.add(entry)
        if kind == "hold":
            fold.hold(id, together)
        elif kind in {"grant", "correct"}:
            fold.counts["grants" if kind == "grant" else "corrections"] += len(together)
            if any(e.held for e in together):
                fold.say(f"a {kind} at entry {together[0].seq} moves held money")
        else:
            fold.ending(id, TABLE["held", kind], together)


def _compare_sums(fold: _Fold, sums: Iterable[Sums], cached: Iterable[Sums]) -> None:
    for fund, bucket, *kept in sums:
        if tuple(kept) != fold.sums.get(fund, {}).get(bucket, (0, 0, 0)):
            fold.say(f"the sums of fund {fund!r}, bucket {bucket}, aren't what its entries come to")
        fold.counts["sums"] += 1
    if fold.counts["sums"] != sum(map(len, fold.sums.values())):
        fold.say("the store's sums aren't of the buckets that its entries are in")
    for fund, bucket, *kept in cached:
        if tuple(kept) != fold.sums.get(fund, {}).get(bucket, (0, 0, 0)):
            fold.say(f"the sums in memory of fund {fund!r}, bucket {bucket}, aren't what its entries come to")


def _compare_holds(fold: _Fold, records: Iterable[HoldRecord]) -> None:
    """Ids are unique among records, so that equal counts leave no room for a hold that was made or ended twice."""
    recorded: Counter[str] = Counter()
    for record in records:
        recorded[record.state] += 1
        _compare_hold(fold, record)
    for id, state in fold.unmade.items():
        fold.say(f"hold {id!r} was {state} without being open")
    if any(recorded[state] != fold.counts[state] for state in LAST):
        fold.say("the list of holds doesn't tell as many endings of each kind as the entries do")
    if sum(recorded.values()) != fold.counts["holds"]:
        fold.say("the list of holds isn't as long as the holds in the entries are many")
    fold.counts["open"] = recorded["held"]


def _compare_hold(fold: _Fold, record: HoldRecord) -> None:
    if record.made:
        if (record.state == "held") != (record.id in fold.open):
            fold.say(f"hold {record.id!r} is {record.state} in the list of holds, but not by its entries")
        return
    # A hold of nothing has no entry of its making, and none of its ending unless something was used all the same.
    fold.counts["holds"] += 1
    if record.ended:
        if fold.unmade.pop(record.id, None) != record.state:
            fold.say(f"hold {record.id!r} is {record.state} in the list of holds, but not by its entries")
    else:
        fold.counts[record.state] += 1


def _overruns(fold: _Fold) -> tuple[Line, ...]:
    over = {fund: sum(o for _, _, o in sums.values()) for fund, sums in fold.sums.items()}
    return tuple(Line(fund, amount) for fund, amount in sorted(over.items()) if amount)
