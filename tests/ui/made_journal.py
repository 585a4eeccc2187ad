"""Decisions by the thousand, written into a state folder by the gateway's own code: simulated, the same each time.

    outcomes = simulate(600, seed=5).only(columns)
    fill(state, outcomes, count=10_000, until_s=time.time(), seed=5)

Their candidates have the truth with some noise as estimates and prices that rise slowly; some answers come from the
second choice after a fault, some are refused, a fifth have feedback. The journal and the pulse have it, the ledger
has not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from pointsman.pool.cards import Usage
from pointsman.records import Candidate, Outcomes
from pointsman.serve.finished import Finished, Hop
from pointsman.serve.journal import Journal
from pointsman.serve.pulse import STEP_S, Pulse
from pointsman.serve.pulse_file import PulseFile

SPAN_S = 2 * 3_600.0
KEEP_S = 7 * 86_400.0
AT_ONCE = 2_000
KEYS = ("team-search", "team-app", "batch", "master")
KEY_SHARES = (0.4, 0.35, 0.2, 0.05)
SCORED = 0.2
NANO = 10**9


class Rested:
    """What a decision rested on, as `again.basis` writes it; no dataclass, whose fields would be written instead."""

    def __init__(self, price: float, ranked: list[int]) -> None:
        self.price, self.ranked = price, ranked

    def columns(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "fit": "",
            "day": "2026-11-01",
            "funds": {"month": ["usd", self.price, None]},
            "scarcity": "serve-cheapest",
            "ceiling": "limit",
            "ranked": self.ranked,
            "place": 0,
        }


def fill(state: Path, outcomes: Outcomes, count: int, until_s: float, seed: int) -> None:
    """Writes so many decisions of the two hours before a moment, the latest last."""
    lots, pulse = np.random.default_rng(seed), Pulse()
    with closing(Journal(state / "decisions.sqlite", KEEP_S, limit=2 * AT_ONCE)) as journal:
        for number, (finished, score) in enumerate(_made(outcomes, count, until_s, lots)):
            assert journal.add(finished)
            pulse.note([finished], finished.at_ns / NANO)
            if score is not None:
                assert journal.feedback(finished.decision_id, score)
                pulse.score(score, finished.at_ns / NANO)
            if number % (AT_ONCE // 2) == 0:
                assert journal.flush(60)
        assert journal.flush(60)
    with closing(PulseFile(state / "pulse.sqlite", "made")) as file:
        file.write(pulse.take(until_s + 2 * STEP_S), {})


def _made(
    outcomes: Outcomes, count: int, until_s: float, lots: np.random.Generator
) -> Iterator[tuple[Finished, float | None]]:
    times = until_s - SPAN_S + np.sort(lots.random(count)) * SPAN_S
    rows = lots.integers(len(outcomes), size=count)
    for number in range(count):
        price = 60.0 + 50.0 * number / count
        finished, score = _one(outcomes, int(rows[number]), number, float(times[number]), price, lots)
        yield finished, score if lots.random() < SCORED else None


def _one(
    outcomes: Outcomes, row: int, number: int, at_s: float, price: float, lots: np.random.Generator
) -> tuple[Finished, float | None]:
    """One decision of a query, and what its answer was worth; no worth where there was no answer."""
    columns, candidates = _candidates(outcomes, row, price, lots)
    lot = lots.random()
    common: dict[str, Any] = {
        "decision_id": f"made-{number:06d}",
        "at_ns": int(at_s * NANO),
        "key_id": str(lots.choice(KEYS, p=KEY_SHARES)),
        "shape": "messages" if lots.random() < 0.15 else "chat",
        "asked": "auto",
        "candidates": candidates,
        "stream": bool(lots.random() < 0.6),
        "basis": Rested(price, list(range(len(candidates)))),
        "input_chars": len(outcomes.texts[row]),
    }
    if lot < 0.02:
        refused = Finished(outcome="refused", status=429, reason="budget_exceeded", total_s=0.0011, **common)
        return refused, None
    served = 1 if lot < 0.06 else 0
    hops = (Hop(candidates[0].model, f"{candidates[0].model}@1", "overloaded", 0, 0.21),) if served else ()
    if lot < 0.03:
        common |= {"status": 503, "reason": "best", "hops": hops, "model": candidates[0].model}
        return Finished(outcome="upstream_failed", total_s=0.31, overhead_s=0.0009, **common), None
    return _served(outcomes, row, columns[served], hops, common, lots)


def _candidates(
    outcomes: Outcomes, row: int, price: float, lots: np.random.Generator
) -> tuple[list[int], tuple[Candidate, ...]]:
    """The models by score, as columns and as records."""
    quality = np.clip(0.25 + 0.5 * outcomes.score[row] + lots.normal(0, 0.08, len(outcomes.models)), 0.02, 0.98)
    cost = outcomes.cost_usd[row] * lots.uniform(0.8, 1.25, len(outcomes.models))
    score = quality - price * cost
    order = np.argsort(-score).tolist()
    tokens = outcomes.input_tokens[row] + outcomes.output_tokens[row]
    return order, tuple(
        Candidate(
            outcomes.models[m],
            float(quality[m]),
            0.04 + 0.01 * m,
            float(cost[m]),
            float(tokens[m]),
            float(price * cost[m]),
            float(score[m]),
        )
        for m in order
    )


def _served(
    outcomes: Outcomes, row: int, column: int, hops: tuple[Hop, ...], common: dict[str, Any], lots: np.random.Generator
) -> tuple[Finished, float]:
    model, overhead = outcomes.models[column], 0.0006 + 0.0005 * lots.random()
    output = int(outcomes.output_tokens[row, column])
    cost_nano = int(outcomes.cost_usd[row, column] * NANO)
    connect, relay = 0.08 + 0.1 * lots.random() + 0.25 * len(hops), 0.002 * output
    stages = {"read": 0.0001, "decide": 0.0003, "hold": 0.0001, "connect": connect, "first_token": 0.05}
    finished = Finished(
        outcome="served" if lots.random() > 0.01 else "client_gone",
        status=200,
        reason="best",
        model=model,
        provider="simulated",
        endpoint=f"{model}@1",
        usage=Usage(input_tokens=int(outcomes.input_tokens[row]), output_tokens=output),
        cost_nano=cost_nano,
        held_nano=2 * cost_nano,
        hops=(*hops, Hop(model, f"{model}@1", None, cost_nano, connect + relay)),
        stages_s=stages | {"relay": relay, "settle": 0.0001},
        total_s=overhead + connect + 0.05 + relay,
        overhead_s=overhead,
        funds=(("month", cost_nano),),
        propensity=1.0 if not hops else None,
        **common,
    )
    return finished, float(np.clip(outcomes.score[row, column] + lots.normal(0, 0.05), 0, 1))
