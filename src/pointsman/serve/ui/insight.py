"""What one worker keeps for the pages that look closer: the recorded outcomes, and answers that are a few seconds old.

What takes long is done in threads of its own, one piece after the other, so that prices, fits and the ledger never
wait for somebody who looks; the threads end with the process. Made when it is first asked for. Everything it keeps can
be made again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from pointsman.errors import InputError
from pointsman.serve.gateway import Gateway
from pointsman.serve.ui.past import Past, read_past, still_there

FRESH_S = 10.0
PATIENCE_S = 2.0  # a page waits that long for the recorded outcomes; then it is shown without them
BEING_READ = "The recorded prompts are being read; look again in a moment."
NOT_LEARNED = "No recorded outcomes have been learned from yet."

Made = TypeVar("Made")

log = logging.getLogger(__name__)


class Insight:
    """One worker's; see the module."""

    def __init__(self) -> None:
        self._turn, self._reading = asyncio.Lock(), asyncio.Lock()
        self._kept: dict[str, tuple[float, object, asyncio.Future[Any]]] = {}
        self._past: tuple[str, asyncio.Future[Past]] | None = None

    async def beside(self, work: Callable[[], Made]) -> Made:
        """The result of work that is done in a thread, after the work before it."""
        async with self._turn:
            return await _in_thread(work)

    async def _read_alone(self, work: Callable[[], Made]) -> Made:
        """The same for the one piece that takes seconds, which the others don't wait for."""
        async with self._reading:
            return await _in_thread(work)

    async def fresh(self, name: str, of: object, make: Callable[[], Made], fresh_s: float = FRESH_S) -> Made:
        """What was made under a name a moment ago, else made now; several who ask at once wait for one.

        Args:
            of: what it is made of; made anew where that is another object.
        """
        now = time.monotonic()
        kept = self._kept.get(name)
        if kept is None or kept[1] is not of or now - kept[0] > fresh_s or _failed(kept[2]):
            kept = self._kept[name] = (now, of, asyncio.ensure_future(self.beside(make)))
        found: Made = await asyncio.shield(kept[2])
        return found

    async def past(self, gateway: Gateway, patience_s: float = PATIENCE_S) -> tuple[Past | None, str]:
        """The recorded outcomes of the fit in force, or why they aren't there."""
        scheme, settings = gateway.scheme, gateway.settings
        if not still_there(settings, scheme.fit):
            self._past = None
            return None, NOT_LEARNED
        if self._past is None or self._past[0] != scheme.fit:
            embedder, mix = scheme.snapshot.embedder, scheme.mix
            reading = self._read_alone(lambda: _readable(lambda: read_past(settings, embedder, mix)))
            self._past = (scheme.fit, asyncio.ensure_future(reading))
        try:
            return await asyncio.wait_for(asyncio.shield(self._past[1]), patience_s), ""
        except TimeoutError:
            return None, BEING_READ
        except InputError as error:
            return None, f"{error}."


def _readable(read: Callable[[], Past]) -> Past:
    """What is read; whatever goes wrong is said in the log once, and on the pages until the next fit.

    Raises:
        InputError: it can't be read.
    """
    try:
        return read()
    except InputError:
        raise
    except Exception:
        log.exception("the recorded prompts can't be shown")
        raise InputError("the recorded prompts can't be read; the gateway's log says why") from None


async def _in_thread(work: Callable[[], Made]) -> Made:
    """In a thread that nobody waits for when the process ends."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Made] = loop.create_future()

    def tell(set_: Callable[[Any], None], value: object) -> None:
        if not done.cancelled():
            set_(value)

    def run() -> None:
        try:
            told: tuple[Callable[[Any], None], object] = (done.set_result, work())
        except BaseException as error:
            told = (done.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, *told)

    threading.Thread(target=run, name="insight", daemon=True).start()
    return await done


def _failed(future: asyncio.Future[Any]) -> bool:
    return future.done() and (future.cancelled() or future.exception() is not None)


_BY_GATEWAY: WeakKeyDictionary[Gateway, Insight] = WeakKeyDictionary()


def insight_of(gateway: Gateway) -> Insight:
    """The worker's."""
    found = _BY_GATEWAY.get(gateway)
    if found is None:
        found = _BY_GATEWAY[gateway] = Insight()
    return found
