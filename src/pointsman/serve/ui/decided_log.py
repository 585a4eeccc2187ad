"""The latest decisions of the journal as arrays, so that they can be made again under other terms.

Takes bodies of the journal, newest first, and the scheme in force; gives a `DecidedLog`: what was expected of each
query on each model, who might serve it, whose money it drew on. Queries that named their model, mirrored ones and an
onboarding's probes are not decided again; what they drew is kept, since it is gone from the funds either way. Queries
that were refused have no row in the journal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pointsman.records import Estimates, Floats, Mask
from pointsman.serve.again.decided import Kept, kept_of
from pointsman.serve.journal_file import read_body
from pointsman.serve.keys import SHADOW
from pointsman.serve.recorder import ONBOARDING
from pointsman.serve.scheme import Scheme, in_units

MOST_QUERIES = 2_000
MOST_LOOKED_AT = 8_000


@dataclass(frozen=True)
class DecidedLog:
    """Q decided queries, oldest first, over M models and F funds in force.

    Attributes:
        at_s: float [Q], when they came.
        estimates: [Q, M] as recorded; zeros where a model was no candidate.
        allowed: bool [Q, M], candidates that still serve.
        drawn: bool [Q, F], the funds that each may draw on.
        money: float [Q], quality per dollar that each leaned with.
        bonus: float [Q, M], quality that a model was given for staying with it.
        by_knob: bool [Q], queries to the alias whose trade-off is looked at, but for those that asked for their own.
        cheapest: bool [Q], where the cheapest serves if nothing is worth its price.
        alias: the one that most of them asked for; "" where there are no queries.
        others: float [F], what other queries of the same time drew, in the funds' units.
        rate: queries per second that the gateway expects.
        paid_usd: what the queries really cost.
    """

    at_s: Floats
    estimates: Estimates
    allowed: Mask
    drawn: Mask
    money: Floats
    bonus: Floats
    by_knob: Mask
    cheapest: Mask
    alias: str
    others: Floats
    rate: float
    paid_usd: float = 0.0

    def __len__(self) -> int:
        return len(self.at_s)

    @property
    def span_s(self) -> float:
        """How long so many queries take to come: as they came, but no quicker than they are expected to.

        A burst of a moment isn't the pace that a fund's money is meant for.
        """
        came = float(np.ptp(self.at_s)) * len(self) / (len(self) - 1) if len(self) > 1 else 0.0
        return max(1.0, came, len(self) / self.rate)


def read_log(rows: Iterable[tuple[bytes, float | None]], scheme: Scheme, rate: float) -> DecidedLog:
    """At most 2,000 queries out of the latest 8,000 exchanges.

    Args:
        rows: bodies and scores, newest first.
        scheme: in force.
        rate: queries per second that are expected, above zero.
    """
    kept: list[tuple[Kept, str]] = []
    others = np.zeros(len(scheme.funds))
    row_of = {rule.name: f for f, rule in enumerate(scheme.funds)}
    for looked, (body, _) in enumerate(rows):
        if len(kept) == MOST_QUERIES or looked == MOST_LOOKED_AT:
            break
        row = read_body(body)
        one = kept_of(row) if _is_traffic(row) else None
        if one is not None and one.scarcity is not None:
            kept.append((one, _alias_of(scheme, row["asked"])))
        else:
            _take_drawn(others, row, row_of, scheme)
    return log_of(kept[::-1], scheme, others, rate)


def _is_traffic(row: Mapping[str, Any]) -> bool:
    key_id = row["key_id"]
    return key_id != SHADOW and not key_id.startswith(ONBOARDING)


def _alias_of(scheme: Scheme, asked: str) -> str:
    alias = scheme.aliases.get(asked)
    return asked if alias is None else alias.name


def _take_drawn(others: Floats, row: Mapping[str, Any], row_of: Mapping[str, int], scheme: Scheme) -> None:
    for name, amount in row.get("funds") or ():
        if name in row_of:
            others[row_of[name]] += in_units(amount, scheme.funds[row_of[name]].unit)


def log_of(kept: Sequence[tuple[Kept, str]], scheme: Scheme, others: Floats, rate: float) -> DecidedLog:
    """Decisions and the aliases that they asked for, oldest first, over the models and funds in force."""
    queries, models = len(kept), len(scheme.models)
    figures = np.zeros((4, queries, models))
    allowed, bonus = np.zeros((queries, models), np.bool_), np.zeros((queries, models))
    drawn = np.zeros((queries, len(scheme.funds)), np.bool_)
    for j, (one, _) in enumerate(kept):
        places, columns = _columns(one, scheme)
        for plane, table in zip(figures, _tables(one.estimates), strict=True):
            plane[j, columns] = table[0, places]
        bonus[j, columns] = one.bonus[places]
        within = one.limit_usd is None or one.estimates.cost_usd[0, places] <= one.limit_usd
        allowed[j, columns] = within
        drawn[j] = [rule.name in one.funds.names for rule in scheme.funds]
    asked = Counter(alias for _, alias in kept)
    alias = asked.most_common(1)[0][0] if asked else ""
    money = np.array([one.money_price for one, _ in kept], np.float64)
    by_knob = np.array([name == alias for _, name in kept], np.bool_)
    if (rule := scheme.aliases.get(alias)) is not None and rule.trade_off is None:
        by_knob &= money == 0.0  # those that lean asked for it themselves
    return DecidedLog(
        np.array([one.at_s for one, _ in kept], np.float64),
        Estimates(*figures),
        allowed & scheme.serving,
        drawn,
        money,
        bonus,
        by_knob,
        np.array([one.scarcity == "serve-cheapest" for one, _ in kept], np.bool_),
        alias,
        others,
        rate,
        sum(one.cost_usd or 0.0 for one, _ in kept),
    )


def _columns(one: Kept, scheme: Scheme) -> tuple[list[int], list[int]]:
    """Places among the candidates, and columns of the scheme, of the models that are still there."""
    there = [(place, scheme.column[name]) for place, name in enumerate(one.models) if name in scheme.column]
    return [place for place, _ in there], [column for _, column in there]


def _tables(estimates: Estimates) -> tuple[Floats, Floats, Floats, Floats]:
    return estimates.quality, estimates.cost_usd, estimates.tokens, estimates.spread
