"""Retention, beside the queries: outcomes older than `learning.keep` go, and many small parts become one.

Looked at by the first worker alone, once an hour, in a thread. What fails is said and tried again at the next look.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from pointsman.errors import InputError
from pointsman.outcomes.upkeep import compact
from pointsman.serve.deleting import OUTCOMES, prune

EVERY_S = 3_600.0

log = logging.getLogger(__name__)


class Keeping:
    """One worker's; see the module.

    Args:
        state: the gateway's state folder.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._looked: float | None = None

    async def look(self, keep_s: float, now_s: float | None = None) -> None:
        """Keeps up if it is time; `keep_s` of 0 keeps for ever."""
        if self._looked is not None and time.monotonic() - self._looked < EVERY_S:
            return
        self._looked = time.monotonic()
        try:
            await asyncio.to_thread(keep, self._state, keep_s, time.time() if now_s is None else now_s)
        except InputError as error:
            log.warning("outcomes could not be kept up: %s", error)


def keep(state: Path, keep_s: float, now_s: float) -> tuple[int, int]:
    """Takes out what is too old and puts small parts together; gives rows that went and parts that were joined.

    Raises:
        InputError: a part that can't be read, or a folder that can't be written.
    """
    gone = prune(state, now_s - keep_s, journal=False)[0].outcomes if keep_s else 0
    joined = compact(state / OUTCOMES) if (state / OUTCOMES).is_dir() else 0
    if gone or joined:
        log.info("%d outcomes were too old and are gone, %d parts were made one", gone, joined)
    return gone, joined
