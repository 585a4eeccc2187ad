"""What a demo comes to: the table at the end, and the same as JSON.

Takes an `Account`; gives a rich table, sentences and plain values. The live line is the ledger's money and the true
scores of what the gateway really served; the others are replays of the plan, and say so. Loaded before anything that
takes long to load.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

from pointsman import __version__
from pointsman.demo.watching import Glance, clock, of_model

if TYPE_CHECKING:
    from pointsman.demo.scene import Scene
    from pointsman.demo.standings import Standing
    from pointsman.demo.told import Event
    from pointsman.demo.traffic import Answer

SAID: Mapping[str, str] = {
    "paced": "prices from history, kept true",
    "port": "prices from the first queries",
    "best-first": "the best that can pay",
    "cheapest-first": "the cheapest that can pay",
    "random": "any that can pay",
}


@dataclass(frozen=True, slots=True)
class Live:
    """What the running gateway did.

    Attributes:
        queries: that were sent.
        quality: mean score over all of them, 0 where nobody served, without answers that no grader can judge.
        cost_usd: that the ledger booked on the models' funds, without the newcomer's probes.
        probes_usd: what these cost.
        served, refused, failed: how many.
        why: of those that weren't served, how many by error.
        by_model: how many each model served.
        overrun_usd: how much more was spent than was held for.
        ledger_ok: whether the audit of the ledger found everything in balance.
    """

    queries: int
    quality: float
    cost_usd: float
    probes_usd: float
    served: int
    refused: int
    failed: int
    why: Mapping[str, int]
    by_model: Mapping[str, int]
    overrun_usd: float
    ledger_ok: bool


@dataclass(frozen=True)
class Account:
    """Everything that a demo has to tell.

    Attributes:
        scene: what was played.
        seed: of it.
        ready_s, first_answer_s: from the command to a gateway that is ready, and to its first answer.
        ran_s: how long the traffic ran.
        events: in order.
        standings: the best first; empty where nothing could be replayed.
        live: of the gateway.
    """

    scene: Scene
    seed: int
    ready_s: float
    first_answer_s: float | None
    ran_s: float
    events: Sequence[Event]
    standings: Sequence[Standing]
    live: Live


@dataclass(frozen=True, slots=True)
class Teller:
    """Where a demo speaks: sentences, events, a look at what runs every half a second, and the end."""

    say: Callable[[str], None]
    event: Callable[[Event], None]
    glance: Callable[[Glance], None]
    account: Callable[[Account], None]


def live_of(
    scene: Scene,
    answers: Sequence[Answer],
    sent: int,
    balances: Sequence[Mapping[str, Any]],
    probes_usd: float,
    *,
    ledger_ok: bool,
) -> Live:
    """The live line, from the answers and the funds' balances at the end.

    Args:
        sent: queries; one that never ended counts as failed.
        probes_usd: what the newcomer's probes drew on its fund.
    """
    served = [one for one in answers if one.ending == "served"]
    refused = sum(one.ending == "refused" for one in answers)
    graded = [one.score for one in served if one.score is not None]
    judged = sent - (len(served) - len(graded))  # an answer that no grader can judge says nothing, good or bad
    spent = sum(float(one["spent_usd"]) for one in balances if of_model(one))
    return Live(
        sent,
        sum(graded) / max(1, judged),
        spent - probes_usd,
        probes_usd,
        len(served),
        refused,
        sent - len(served) - refused,
        dict(Counter(one.why for one in answers if one.why)),
        {id: sum(one.model == id for one in served) for id in scene.ids},
        sum(float(one["overrun_usd"]) for one in balances if of_model(one)),
        ledger_ok,
    )


def table_of(account: Account) -> Table:
    """The table at the end."""
    whole = account.ran_s >= account.scene.plan.seconds
    replayed = f"replay of all {len(account.scene.plan.queries):,} planned queries"
    table = Table(
        "policy", "quality", "money $", "served", "how it chooses", title=f"{account.scene.notice}: {replayed}"
    )
    best = max((one.quality for one in account.standings), default=0.0)
    for one in account.standings:
        shown = f"{one.quality:.4f} ± {one.error:.3f}"
        quality = f"[bold]{shown}[/]" if one.quality == best else shown
        table.add_row(one.policy, quality, f"{one.cost_usd:.4f}", f"{one.served:.1%}", SAID.get(one.policy, ""))
    live = account.live
    share = f"{live.served / live.queries:.1%}" if live.queries else ""
    until = "" if whole else f", first {clock(account.ran_s)}"
    said = f"the gateway as it ran{until}"
    table.add_section()
    table.add_row("live", f"{live.quality:.4f}", f"{live.cost_usd:.4f}", share, said)
    return table


def sentences_of(account: Account) -> list[str]:
    """What else there is to say, a line each."""
    live, scene = account.live, account.scene
    said = [
        "quality: mean score over all queries, 0 where nobody served, ± its standard error in this one run.",
        "All policies have the same estimates, funds, newcomer and failure, and pass over what is down or can't pay.",
        "live: the ledger's money, and the true scores of what was really served. port: arXiv 2509.02718.",
    ]
    if account.ran_s < scene.plan.seconds:
        said.append(
            f"stopped after {clock(account.ran_s)}: the replays are of the whole plan, the live line is of what ran."
        )
    if any(one.kind == "plugged_in" for one in account.events) and not _joined(account):
        said.append("the newcomer wasn't known by its answers in time: the replays are without it.")
    if live.why:
        said.append("not served: " + ", ".join(f"{n} {why}" for why, n in sorted(live.why.items())))
    balance = "in balance" if live.ledger_ok else "NOT in balance"
    said.append(f"ledger: {balance}; the newcomer's probes cost ${live.probes_usd:.4f} beside.")
    return said


def _joined(account: Account) -> bool:
    return any(one.kind == "taken_in" for one in account.events)


def json_of(account: Account) -> dict[str, Any]:
    """The same for programs."""
    plan = account.scene.plan
    return {
        "version": __version__,
        "notice": account.scene.notice,
        "seed": account.seed,
        "seconds": plan.seconds,
        "rate": plan.rate,
        "planned": len(plan.queries),
        "ready_s": round(account.ready_s, 2),
        "first_answer_s": None if account.first_answer_s is None else round(account.first_answer_s, 2),
        "ran_s": round(account.ran_s, 2),
        "models": list(account.scene.ids),
        "funds_usd": dict(account.scene.funds_usd),
        "events": [asdict(one) for one in account.events],
        "policies": [asdict(one) for one in account.standings],
        "live": asdict(account.live),
    }
