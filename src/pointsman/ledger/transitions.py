"""The life of a hold, as one table. Whatever isn't in it can't happen, and its diagram is drawn from it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

State = Literal["none", "held", "posted", "voided", "expired"]
EndKind = Literal["post", "void", "expire"]
Event = Literal["hold", "post", "void", "expire"]

TABLE: Mapping[tuple[State, Event], State] = MappingProxyType(
    {
        ("none", "hold"): "held",
        ("held", "post"): "posted",
        ("held", "void"): "voided",
        ("held", "expire"): "expired",
    }
)
FIRST: State = "none"
LAST: frozenset[State] = frozenset(TABLE.values()) - {state for state, _ in TABLE}


def diagram() -> str:
    """The table as a Mermaid state diagram, one line a transition."""
    lines = ["stateDiagram-v2"]
    for (state, event), after in TABLE.items():
        lines.append(f"    {'[*]' if state == FIRST else state} --> {after}: {event}")
    lines += [f"    {after} --> [*]" for after in TABLE.values() if after in LAST]
    return "\n".join(lines)
