"""A time limit that moves on with every piece of a stream, at the price of one comparison.

`asyncio.timeout` makes a timer each time that it is moved, which for streams was a tenth of all work. Here the timer
that runs is left alone: when it goes off early it looks at how far the limit has moved, and waits for the rest.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType


class Patience:
    """As `asyncio.timeout`: cancels what is inside, which then sees a `TimeoutError`, unless `until` moves it on.

    >>> async with Patience() as patience:
    ...     while data := await source():
    ...         patience.until(loop.time() + 60)
    """

    __slots__ = ("_limit", "_loop", "_timer", "_timer_at", "_until")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._until = math.inf

    def until(self, when: float) -> None:
        """The limit from now on, in the loop's time; sooner or later than before."""
        self._until = when
        if when < self._timer_at:
            self._arm()

    async def __aenter__(self) -> Patience:
        await self._limit.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._limit.__aexit__(kind, error, trace)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._until
        self._timer = self._loop.call_at(self._until, self._look)

    def _look(self) -> None:
        if self._loop.time() < self._until:
            self._arm()
        else:
            self._limit.reschedule(self._until)
