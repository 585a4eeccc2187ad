"""The drift watch beside the queries of the worker that runs it: when it looks, and who hears of what it found.

Takes the scheme and the settings in force, every second; the looking itself is done in a thread. An alarm is a line of
the alarms' file, a line of the log, a count of the metrics, and whatever `aftermath` makes of it. A failure is the
caller's to say; the next look begins where this one did.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from pointsman.pool.reload import Stamp, stamp
from pointsman.pool.settings import DriftSettings
from pointsman.serve.aftermath import Aftermath
from pointsman.serve.alarms import Alarms, active_by_model
from pointsman.serve.fitting import history_name
from pointsman.serve.metrics import Metrics
from pointsman.serve.onboardings import Onboardings
from pointsman.serve.scheme import Scheme
from pointsman.serve.watch import ROWS, Watch

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
                self._aftermath.follow(alarm, names.get(alarm.model, alarm.model), settings, time.time())
        if found.alarms:
            self._watch.save()
        changed = stamp(self.alarms.path)
        if changed != self._shown or any(alarm.verdict == "probing" for alarm in self.alarms.all()):
            self._aftermath.look(names, settings)
            self._shown = stamp(self.alarms.path)
            self._metrics.show_alarms(active_by_model(self.alarms.all()))
        return found.rows
