"""What a demo says while it runs, and to whom. Plain values; loaded before anything that takes long to load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pointsman.demo.watching import Glance

if TYPE_CHECKING:
    from pointsman.demo.report import Account


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


@dataclass(frozen=True, slots=True)
class Teller:
    """Where a demo speaks: sentences, events, a look at what runs every half a second, and the end."""

    say: Callable[[str], None]
    event: Callable[[Event], None]
    glance: Callable[[Glance], None]
    account: Callable[[Account], None]
