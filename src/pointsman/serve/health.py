"""Which endpoints are up: failures in a row close one, after a pause one query probes it, a success opens it again.

Takes endpoint names and what became of their calls; gives who may be asked. Times are handed in (monotonic seconds).
Each worker keeps its own view, since each has its own connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pointsman.pool.cards import Endpoint

State = Literal["open", "probing", "closed"]


@dataclass(slots=True)
class Pulse:
    """One endpoint: failures in a row, until when it rests, whether a query is probing it now."""

    failures: int = 0
    rests_until: float = 0.0
    probing: bool = False


class Health:
    """The endpoints of one worker.

    Args:
        after: failures in a row that close an endpoint.
        rest_s: how long it stays closed before it is probed, doubled while probes fail, at most tenfold.
    """

    def __init__(self, after: int, rest_s: float) -> None:
        self.after, self.rest_s = after, rest_s
        self._pulses: dict[str, Pulse] = {}

    @property
    def troubled(self) -> bool:
        """Whether any endpoint has failed since it last succeeded."""
        return bool(self._pulses)

    def state(self, name: str, now: float) -> State:
        """Open: ask it. Closed: don't. Probing: one query is finding out."""
        pulse = self._pulses.get(name)
        if pulse is None or pulse.failures < self.after:
            return "open"
        return "probing" if pulse.probing else "open" if now >= pulse.rests_until else "closed"

    def rests_s(self, name: str, now: float) -> float | None:
        """For how much longer an endpoint isn't asked; None for one that may be."""
        pulse = self._pulses.get(name)
        return None if pulse is None or self.state(name, now) != "closed" else pulse.rests_until - now

    def up(self, endpoints: Sequence[Endpoint], now: float) -> bool:
        """Whether any of a model's endpoints may be asked; quick while nothing has ever failed."""
        return not self._pulses or any(self.state(each.name, now) == "open" for each in endpoints)

    def pick(self, endpoints: Sequence[Endpoint], now: float, *, but: frozenset[str] = frozenset()) -> Endpoint | None:
        """The first endpoint that may be asked, not one in `but`; a rested one is taken for a probe."""
        for endpoint in endpoints:
            if endpoint.name not in but and self.state(endpoint.name, now) == "open":
                pulse = self._pulses.get(endpoint.name)
                if pulse is not None and pulse.failures >= self.after:
                    pulse.probing = True
                return endpoint
        return None

    def succeeded(self, name: str) -> None:
        """It answered, be it with a refusal of its own: it is up."""
        self._pulses.pop(name, None)

    def abandoned(self, name: str) -> None:
        """A call ended without telling anything (the client left): a probe may be made again."""
        pulse = self._pulses.get(name)
        if pulse is not None:
            pulse.probing = False

    def failed(self, name: str, now: float, retry_after_s: float | None = None) -> None:
        """It didn't answer as it should; `retry_after_s` is what it asked for itself."""
        pulse = self._pulses.setdefault(name, Pulse())
        pulse.failures, pulse.probing = pulse.failures + 1, False
        over = pulse.failures - self.after
        if over >= 0:
            rest = self.rest_s * min(10.0, 2.0**over)
            pulse.rests_until = now + max(rest, min(retry_after_s or 0.0, 10 * self.rest_s))

    def states(self, names: Sequence[str], now: float) -> dict[str, State]:
        """Of every endpoint, for metrics and health pages."""
        return {name: self.state(name, now) for name in names}
