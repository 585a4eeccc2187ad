"""What happened while a demo ran. A plain value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        at_s: since the traffic began.
        kind: plugged_in, taken_in, not_taken_in, fails or is_back.
        what: for people.
    """

    at_s: float
    kind: str
    what: str
