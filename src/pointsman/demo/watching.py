"""What the terminal shows while the demo runs: queries a second, what is spent, who serves, and what happens next.

Takes plain values; gives things that rich can print. It asks nobody and keeps nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

BAR = 24


@dataclass(frozen=True, slots=True)
class Glance:
    """One look at a running demo.

    Attributes:
        passed_s, seconds: since the traffic began, and in all.
        per_second: queries that ended lately.
        sent, served, unserved: queries so far.
        balances: as GET /v1/funds gives them.
        shares: who served what ended lately.
        next: what happens next.
    """

    passed_s: float
    seconds: float
    per_second: float
    sent: int
    served: int
    unserved: int
    balances: Sequence[Mapping[str, Any]]
    shares: Counter[str]
    next: str


def shown(glance: Glance) -> RenderableType:
    """The panel, redrawn at every look."""
    spent = sum(float(one["spent_usd"]) for one in glance.balances if of_model(one))
    line = (
        f"{clock(glance.passed_s)} of {clock(glance.seconds)}   {glance.per_second:.1f} queries/s   "
        f"{glance.served:,} served, {glance.unserved:,} not   ${spent:.4f} spent"
    )
    return Group(Text(line), Text(f"next: {glance.next}", style="dim"), _funds(glance))


def _funds(glance: Glance) -> Table:
    lately = sum(glance.shares.values())
    table = Table("model", "fund, $ left", "", "price, quality/$", "serves lately", box=None, pad_edge=False)
    for one in glance.balances:
        if not of_model(one):
            continue
        amount, left = float(one["amount_usd"]), float(one["remaining_usd"])
        bar = ProgressBar(total=amount or 1.0, completed=max(0.0, left), width=BAR)
        share = sum(n for model, n in glance.shares.items() if model.partition("/")[2] == one["fund"])
        price = one.get("price")
        table.add_row(
            str(one["fund"]),
            f"{left:.4f}",
            bar,
            "" if price is None else f"{float(price):,.0f}",
            f"{share / lately:.0%}" if lately else "",
        )
    return table


def of_model(balance: Mapping[str, Any]) -> bool:
    """Whether a fund is a model's own, and no key's."""
    return ":" not in str(balance["fund"])


def clock(seconds: float) -> str:
    """As minutes and seconds."""
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02d}"
