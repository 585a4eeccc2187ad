"""The pulse of one worker, kept: every two seconds its steps are written beside the other workers', in a thread.

Takes where the funds stand, which the first worker writes too. What can't be written is said and tried again, and with
a file that can't be used there are no charts; nothing here may hurt a query, or keep a gateway from starting.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from pointsman.errors import InputError
from pointsman.ledger.entries import Balance
from pointsman.pool.settings import DashboardSettings
from pointsman.serve.pulse import STEP_S, FundRow, Pulse, Step, step_of
from pointsman.serve.pulse_file import FILE, PulseFile

MOST_FUNDS = 64  # whose course is kept: the file's, then those of keys, which are without number

log = logging.getLogger(__name__)


class Beating:
    """One worker's; see the module.

    Args:
        state: the state folder.
        worker: this worker's name, unique for ever.
        number: this worker's, from 0.

    Attributes:
        pulse: told of what happens.
    """

    def __init__(self, state: Path, worker: str, number: int) -> None:
        self.pulse = Pulse()
        self._file = _opened(state / FILE, worker)
        self._first = number == 0
        self._kept = 0
        self._said = False

    def due(self, now_s: float) -> bool:
        """Whether a step has ended since the last time."""
        return step_of(now_s) != self._kept

    async def keep(
        self, now_s: float, funds: Mapping[str, Balance], prices: Mapping[str, float], settings: DashboardSettings
    ) -> None:
        """Writes the steps that are over; none where there is no dashboard."""
        self._kept = step_of(now_s)
        steps = self.pulse.take(now_s)
        if settings.enabled:
            await asyncio.to_thread(self._write, steps, stood(funds, prices) if self._first else {}, now_s)

    def _write(self, steps: Mapping[int, Step], funds: Mapping[str, FundRow], now_s: float) -> None:
        if self._file is None:
            return
        t = step_of(now_s) - STEP_S
        try:
            if self._first:  # where nothing happened, charts go on at zero
                steps = {t: Step()} | dict(steps)
            self._file.write(steps, {t: funds} if funds else {})
            if self._first:
                self._file.roll_up(now_s)
            self._said = False
        except sqlite3.Error as error:
            self.pulse.give_back(steps)
            if not self._said:
                log.warning("the charts' figures can't be written, it is tried again: %s", error)
            self._said = True

    def close(self, now_s: float) -> None:
        """Writes what is left."""
        self._write(self.pulse.take(now_s + STEP_S), {}, now_s)
        if self._file is not None:
            self._file.close()


def _opened(path: Path, worker: str) -> PulseFile | None:
    try:
        return PulseFile(path, worker)
    except InputError as error:
        log.error("the dashboard has no charts: %s", error)
        return None


def stood(funds: Mapping[str, Balance], prices: Mapping[str, float]) -> dict[str, FundRow]:
    """Where the funds stand, the first so many."""
    return {
        name: (one.remaining, one.held, one.spent, prices.get(name)) for name, one in islice(funds.items(), MOST_FUNDS)
    }
