"""Whether more answers can still change the routing, and what the newcomer changes in it.

The pool's typical queries are routed without the newcomer, and with it at the low end, the middle and the high end of
what is believed of it: prices by the program that the gateway solves (`decide.live`), choices by the rule that it
decides with (`decide.choose`), funds sized to the rows. Asking may stop when the newcomer gets nothing even at the high
end, or when the pool is worth the same at both ends. Pure: estimates and funds in, `Outlook` out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pointsman.decide.choose import choose
from pointsman.decide.live import solve_prices
from pointsman.decide.program import FundTable, amounts_of, charges
from pointsman.onboard.ground import Belief, Money
from pointsman.onboard.intervals import Interval
from pointsman.records import Estimates, Floats, Mask

LEAST_PROBES = 16  # graded, before asking may stop
LEAST_SKILLS = 4
LEAST_SHARE = 0.01  # of the traffic: a model that gets less serves nobody
STRETCHES = 20
_ORDER = 53
_LAST_BIT = 1e-9  # money for exactly so many queries pays for the last one too
TOLERANCE = 0.005  # of the expected score of a query: closer ends are the same


@dataclass(frozen=True, slots=True)
class Routing:
    """What routing the typical queries comes to.

    Attributes:
        share: float [S] or [S + 1], of the queries, by model.
        quality: expected score a query, 0 for those that nobody serves.
        cost_usd: expected dollars a query.
    """

    share: Floats
    quality: float
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """The routing without the newcomer, and with it; its column is the last.

    Attributes:
        without: the pool as it is.
        low, expected, high: at the ends and the middle of what is believed of the newcomer.
        newcomer: its expected score on the typical queries.
    """

    without: Routing
    low: Routing
    expected: Routing
    high: Routing
    newcomer: Interval

    @property
    def best_share(self) -> float:
        """Of the queries, that the newcomer gets at the high end."""
        return float(self.high.share[-1])


def routed(rows: Estimates, money: Money) -> Routing:
    """Routes rows within funds that hold, for so many rows, what they hold for those to come.

    In stretches, in an order that is drawn once for all; before each, prices are solved anew for the rows and the money
    that are left, as a gateway does while money runs down.
    """
    funds, count = money.funds, len(rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(money.to_come > 0, money.remaining * (count / money.to_come), money.remaining)
    left *= 1.0 + _LAST_BIT
    order = np.random.default_rng(_ORDER).permutation(count)
    chosen, price = np.full(count, -1, np.int64), np.zeros(len(funds))
    for start in range(0, count, -(-count // STRETCHES)):
        still, now = order[start:], order[start : start + -(-count // STRETCHES)]
        price = _priced(rows.take(still), funds, left, money.to_come > 0, price)
        stretch = rows.take(now)
        amounts = amounts_of(stretch, funds)
        taken = choose(stretch.quality - charges(price, funds, amounts, len(now)), amounts, funds, left)
        chosen[now], left = taken.model, taken.remaining
    served = np.flatnonzero(chosen >= 0)
    share = np.bincount(chosen[served], minlength=rows.quality.shape[1]) / count
    quality = float(rows.quality[served, chosen[served]].sum()) / count
    return Routing(share, quality, float(rows.cost_usd[served, chosen[served]].sum()) / count)


def _priced(rows: Estimates, funds: FundTable, left: Floats, needed: Mask, start: Floats) -> Floats:
    """Prices for exactly these rows; a fund that nobody is expected to draw on has none."""
    if not len(funds):
        return start
    drawn = np.ones((len(rows), len(funds)), np.bool_)
    return solve_prices(rows, funds, drawn, left, np.where(needed, float(len(rows)), 0.0), start)


def foresee(typical: Estimates, belief: Belief, money: Money) -> Outlook:
    """The pool without and with the newcomer.

    Args:
        typical: estimates [R, S] of the pool.
        belief: of the newcomer on the same rows.
        money: funds over S + 1 models, the newcomer's column last.
    """
    funds, others = money.funds, np.arange(typical.quality.shape[1])
    kept = np.flatnonzero(funds.draws[:, others].any(axis=1))
    before = FundTable(
        tuple(funds.names[f] for f in kept), funds.budget[kept], funds.unit[kept], funds.draws[np.ix_(kept, others)]
    )
    without = routed(typical, Money(before, money.remaining[kept], money.to_come[kept]))
    low, expected, high = (
        routed(_joined(typical, belief, quality), money) for quality in (belief.low, belief.quality, belief.high)
    )
    mean, least, most = (float(each.mean()) for each in (belief.quality, belief.low, belief.high))
    return Outlook(without, low, expected, high, Interval(mean, least, most, len(typical)))


def _joined(typical: Estimates, belief: Belief, quality: Floats) -> Estimates:
    """The pool's estimates with the newcomer's column after them."""
    added = Estimates(quality, belief.cost_usd, belief.tokens, np.zeros(len(quality)))
    names = ("quality", "cost_usd", "tokens", "spread")
    return Estimates(*(np.column_stack([getattr(typical, name), getattr(added, name)]) for name in names))


def reason_to_stop(outlook: Outlook, skills: Sequence[str], of_skills: int) -> str:
    """Why further answers can't change the routing; "" while they can.

    Args:
        outlook: from the answers so far.
        skills: of the probes graded so far, one each.
        of_skills: how many skills the probes have in all.
    """
    if len(skills) < LEAST_PROBES or len(set(skills)) < min(LEAST_SKILLS, of_skills):
        return ""
    if outlook.best_share < LEAST_SHARE:
        return f"even at its best it would get {100 * outlook.best_share:.1f} % of the traffic"
    apart = abs(outlook.high.quality - outlook.low.quality)
    if apart < TOLERANCE:
        return f"at its best and at its worst the pool is worth the same, to {apart:.4f} of a score a query"
    return ""
