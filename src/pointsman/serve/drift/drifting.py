"""The drift watch beside the queries of the worker that runs it: when it looks, and who hears of what it found.

Takes the scheme and the settings in force, every second; the looking itself is done in a thread. An alarm is a line of
the alarms' file, a line of the log, a count of the metrics, and whatever `aftermath` makes of it. A failure is the
caller's to say; the next look begins where this one did.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from pathlib import Path

from pointsman.errors import InputError
from pointsman.pool.reload import Stamp, stamp
from pointsman.pool.settings import DriftSettings
from pointsman.serve.drift.aftermath import Aftermath
from pointsman.serve.drift.alarms import Alarm, Alarms, active_by_model
from pointsman.serve.drift.watch import ROWS, Watch
from pointsman.serve.fitting import history_name
from pointsman.serve.metrics import Metrics
from pointsman.serve.onboarding.onboardings import Onboardings
from pointsman.serve.scheme import Scheme

LOOK_S = 2.0

log = logging.getLogger(__name__)


class Drifting:
    """Of one worker, the first; see the module.

    Args:
        state: the gateway's state folder.
        onboardings: who asks suspected models again.
        metrics: told of alarms.
    """

    def __init__(self, state: Path, onboardings: Onboardings, metrics: Metrics) -> None:
        self._state, self._metrics = state, metrics
        self.alarms = Alarms(state)
        self._aftermath = Aftermath(state, self.alarms, onboardings)
        self._watch: Watch | None = None
        self._looked_at = -LOOK_S
        self._shown: Stamp | None = None
        self._probing = False

    async def look(self, scheme: Scheme, settings: DriftSettings) -> None:
        """One look, if it is time for one."""
        now = time.monotonic()
        if not settings.watch or now - self._looked_at < LOOK_S:
            return
        rows = await asyncio.to_thread(self._look, scheme, settings)
        self._looked_at = now - (LOOK_S if rows >= ROWS else 0.0)  # there is more to read

    def close(self) -> None:
        """Keeps where the watch stands."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _look(self, scheme: Scheme, settings: DriftSettings) -> int:
        if self._watch is None:
            self._watch = Watch(self._state, tuple(model.id for model in scheme.models))
        names = {model.id: history_name(model) for model in scheme.models}
        found = self._watch.look(scheme)
        for alarm in found.alarms:
            if self.alarms.raise_(alarm):
                log.error("drift: %s", alarm.says)
                self._metrics.alarmed(alarm.kind, alarm.model)
                self._follow(alarm, names.get(alarm.model, alarm.model), settings)
        if found.alarms:
            self._watch.save()
        if self._probing or stamp(self.alarms.path) != self._shown:
            self._aftermath.look(names, settings)
            self._shown = stamp(self.alarms.path)
            alarms = self.alarms.all()
            self._probing = any(alarm.verdict == "probing" for alarm in alarms)
            self._metrics.show_alarms(active_by_model(alarms))
        return found.rows

    def _follow(self, alarm: Alarm, name: str, settings: DriftSettings) -> None:
        """What an alarm asks for; where that fails the alarm is there all the same, and says so."""
        try:
            self._aftermath.follow(alarm, name, settings, time.time())
        except (InputError, OSError, sqlite3.Error) as error:
            log.warning("what alarm %s asks for could not be done: %s", alarm.id, error)
            self.alarms.judge(alarm.id, "", f"what it asks for could not be done: {error}")
