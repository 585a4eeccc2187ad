"""How long it takes until a newcomer's money is well spent.

Takes what each arrival drew on its fund; gives a number of arrivals. Well spent means: over a moving window of a
twentieth of the arrivals after joining, the spend per arrival is within 20 % of the even rate, what was left at the
window's beginning over the arrivals that were left then.
"""

from __future__ import annotations

import numpy as np

from pointsman.records import Floats

WINDOW_SHARE = 1 / 20
TOLERANCE = 0.2


def settled_after(drawn: Floats, fund: float, joins: int) -> int | None:
    """Arrivals from joining to the end of the first window that is within the tolerance; None if none is.

    Args:
        drawn: float [N], what every arrival drew on the fund.
        fund: what it held.
        joins: the first arrival at which it could be drawn on.
    """
    after = drawn[joins:]
    window = max(1, round(WINDOW_SHARE * len(after)))
    if len(after) < window or fund <= 0:
        return None
    spent = np.concatenate([[0.0], np.cumsum(after)])
    starts = np.arange(len(after) - window + 1)
    even = window * np.maximum(fund - spent[starts], 0.0) / (len(after) - starts)
    near = np.abs(spent[starts + window] - spent[starts] - even) <= TOLERANCE * even
    # An empty fund is spent at its even rate of nothing, which says nothing good.
    found = np.flatnonzero(near & (even > 0))
    return int(found[0]) + window if len(found) else None
