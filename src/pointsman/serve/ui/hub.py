"""Live views: one look every step for all who watch, and a short queue for each of them.

Takes a function that looks and gives the events of one step; hands them to every seat. It runs from the first seat
to the last. Whoever doesn't keep up loses the seat, and finds all of it again by asking anew. It knows nothing of
HTTP or of what is looked at.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

SEATS = 64
WAITING = 16  # looks that a slow watcher may be behind

Look = Callable[[], Awaitable[bytes]]

log = logging.getLogger(__name__)


class Seat:
    """One who watches.

    Attributes:
        over: set when there is nothing more to come.
    """

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(WAITING)

    def give(self, events: bytes) -> None:
        """Hands over a look's events; ends the seat of whoever is too far behind."""
        try:
            self._queue.put_nowait(events)
        except asyncio.QueueFull:
            self.over.set()

    async def next(self) -> bytes:
        """The next events."""
        return await self._queue.get()


class Hub:
    """The seats of one worker."""

    def __init__(self) -> None:
        self._seats: set[Seat] = set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def join(self, begin: Callable[[], Look], pause_s: float) -> Seat | None:
        """A seat; None where all are taken, or the gateway stops.

        Args:
            begin: makes the function that looks, for the first seat.
            pause_s: between looks.
        """
        if self._closed or len(self._seats) >= SEATS:
            return None
        seat = Seat()
        self._seats.add(seat)
        if self._task is None:
            self._task = asyncio.create_task(self._run(begin(), pause_s))
        return seat

    def leave(self, seat: Seat) -> None:
        """Gives a seat back; after the last one nobody looks."""
        self._seats.discard(seat)
        if not self._seats and self._task is not None:
            self._task.cancel()
            self._task = None

    def close(self) -> None:
        """Ends every seat, now and later."""
        self._closed = True
        for seat in self._seats:
            seat.over.set()

    async def _run(self, look: Look, pause_s: float) -> None:
        while True:
            await asyncio.sleep(pause_s)
            try:
                events = await look()
            except Exception:
                log.exception("a look for the dashboard failed; the next one is tried")
                continue
            if events:
                for seat in self._seats:
                    seat.give(events)
