"""Exchanges that ended, for tests of what is told about them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pointsman.pool.cards import Usage
from pointsman.serve.finished import Finished, Hop

SERVED = Finished(
    decision_id="d-1",
    at_ns=1_700_000_000_000_000_000,
    key_id="team-a",
    shape="chat",
    asked="auto",
    outcome="served",
    status=200,
    reason="best",
    model="openai/gpt-4o-mini",
    provider="openai",
    endpoint="openai/gpt-4o-mini@1",
    stream=True,
    usage=Usage(input_tokens=30, output_tokens=50, cached_tokens=10),
    cost_nano=34_500,
    held_nano=60_000,
    hops=(
        Hop("anthropic/claude", "anthropic/claude@1", "overloaded", 0, 0.2),
        Hop("openai/gpt-4o-mini", "openai/gpt-4o-mini@1", None, 34_500, 0.5),
    ),
    stages_s={
        "read": 0.0001,
        "decide": 0.0002,
        "hold": 0.0001,
        "connect": 0.21,
        "first_token": 0.1,
        "relay": 0.39,
        "settle": 0.0001,
    },
    total_s=0.7005,
    overhead_s=0.0006,
    funds=(("all", 34_500),),
    input_chars=120,
)


def finished(**changes: Any) -> Finished:
    """A served exchange, with some fields otherwise."""
    return replace(SERVED, **changes)


def refused(**changes: Any) -> Finished:
    """One that no upstream was asked for."""
    return Finished("d-2", SERVED.at_ns, "team-a", "messages", "auto", "refused", 429, "budget_exceeded", **changes)
