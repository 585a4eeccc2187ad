"""How fast funds have been spent lately, from what the state folder knows of their past.

Of a rolling window the ledger's own sums tell it, since they are kept by sixtieths of its length; of any other fund
what it had spent a while ago, from the pulse. Read on connections of their own, in a thread; times are handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from pointsman.ledger.entries import Balance
from pointsman.pool.settings import FundRule
from pointsman.serve.pulse_file import FILE as PULSE
from pointsman.serve.pulse_file import funds_since
from pointsman.serve.scheme import NANO
from pointsman.serve.ui.books import FILE as LEDGER
from pointsman.serve.ui.books import reader
from pointsman.serve.ui.funds import LATELY_S, bounds, lately_s, window_of

LEAST_S = 30  # what a fund did in its first seconds says little
SPENT = "select coalesce(sum(spent), 0) from sums where fund = ? and bucket >= ?"


def spend_rates(
    state: Path,
    rules: Sequence[FundRule],
    balances: Mapping[str, Balance],
    granted_s: Mapping[str, float],
    now_s: float,
) -> dict[str, float]:
    """Whole units a second by fund; funds whose past nobody knows are left out.

    Args:
        state: the state folder.
        rules: of the funds; each has a balance.
        balances: as they stand now.
        granted_s: when those without a window were first there.

    Raises:
        sqlite3.Error: a file can't be read.
    """
    rolling, new, others = [], {}, {}
    for rule in rules:
        back_s = lately_s(rule, now_s, granted_s.get(rule.name))
        starts_s, _ = bounds(rule, now_s, granted_s.get(rule.name))
        if starts_s is None:
            rolling.append(rule)
        elif now_s - back_s <= starts_s + 1.0:  # all that was spent was spent lately
            new[rule.name] = balances[rule.name].spent / max(back_s, LEAST_S)
        else:
            others[rule] = back_s
    return new | _rolling(state / LEDGER, rolling, now_s) | _others(state / PULSE, others, balances, now_s)


def _rolling(ledger: Path, rules: Sequence[FundRule], now_s: float) -> dict[str, float]:
    if not rules:
        return {}
    found = {}
    with closing(reader(ledger)) as db:
        for rule in rules:
            since_ns = window_of(rule.window).span(int((now_s - lately_s(rule, now_s, None)) * NANO)).bucket
            (spent,) = db.execute(SPENT, (rule.name, since_ns)).fetchone()
            found[rule.name] = max(0.0, spent / (now_s - since_ns / NANO))
    return found


def _others(
    pulse: Path, back_s: Mapping[FundRule, float], balances: Mapping[str, Balance], now_s: float
) -> dict[str, float]:
    """Of a gateway that knows less than ten minutes, what it knows is all there was in them."""
    stood = funds_since(pulse, {now_s - back for back in back_s.values()}, now_s)
    found = {}
    for rule, back in back_s.items():
        at_s, funds = stood.get(now_s - back, (now_s, {}))
        if rule.name in funds:
            spent = balances[rule.name].spent - funds[rule.name][2]
            found[rule.name] = max(0, spent) / max(now_s - at_s, LATELY_S)
    return found
