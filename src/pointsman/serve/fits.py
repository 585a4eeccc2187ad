"""Which fit is in force in one worker, and when the next one is made.

Takes settings; gives the estimators to build a scheme with. The first worker fits for all, in a child process: each
`learning.refit`, and at once where somebody asked for it or an onboarding ended. Every worker takes over the newest
file that it finds. A fit that fails leaves the old one in force.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess

from pointsman.estimate.drift.mix import Mix
from pointsman.pool.settings import Settings
from pointsman.serve.drift.topics import load_topics
from pointsman.serve.fitting import Learned, fingerprint_of, fit_learned, load_learned, newest_fingerprint, start_fit
from pointsman.serve.refitting import Requests

log = logging.getLogger(__name__)


class Fits:
    """One worker's; see the module. The first fit, where there is none yet, is made before it is there.

    Args:
        settings: as the worker began with.

    Raises:
        InputError: outcomes that can't be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._fingerprint = fingerprint_of(settings)
        self.learned: Learned | None = None
        if self._fingerprint is not None:
            self.learned = load_learned(settings, self._fingerprint) or fit_learned(settings, self._fingerprint)
        self.mix: Mix | None = load_topics(settings.state, settings.learning.embedder)
        self._child: BaseProcess | None = None
        self._requests = Requests(settings.state)
        self._fitted_at = time.monotonic()

    @property
    def busy(self) -> bool:
        """Whether this worker's child is fitting."""
        return self._child is not None

    def taken_over(self, settings: Settings) -> bool:
        """Whether a fit that has ended, here or in the worker that fits for all, is in force from now on."""
        if self._child is not None and not self._child.is_alive():
            if self._child.exitcode:
                log.error("fitting estimators failed with code %s; the old ones stay in force", self._child.exitcode)
            self._child = None
        newest = newest_fingerprint(settings)
        if newest is None or newest == self._fingerprint:
            return False
        learned = load_learned(settings, newest)
        if learned is None:
            return False
        self._fingerprint, self.learned = newest, learned
        self.mix = load_topics(settings.state, settings.learning.embedder)
        log.info("new estimators are in force, from %d outcomes", learned.rows)
        return True

    async def begin(self, settings: Settings, store: Callable[[], None]) -> None:
        """Begins a fit if one is due and there is something new to learn from; for the worker that fits for all.

        Args:
            store: writes outcomes that wait; run in a thread.
        """
        now, refit_s, asked = time.monotonic(), settings.learning.refit_s, self._requests.due()
        if self.busy or not (asked or (refit_s and now - self._fitted_at > refit_s)):
            return
        self._fitted_at = now
        if asked:
            self._requests.taken()
            await asyncio.to_thread(store)
        fresh = fingerprint_of(settings)
        if fresh is not None and fresh != self._fingerprint:
            self._child = start_fit(settings, fresh)

    def close(self) -> None:
        """Ends a fit that is being made."""
        if self._child is not None and self._child.is_alive():
            self._child.terminate()
