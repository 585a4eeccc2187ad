"""What follows an alarm: the suspected model is asked its probes again, and what no longer holds is forgotten.

Takes alarms and settings. Asking again is an onboarding with `--again` through this gateway, at most one a model a day
and within a day's budget; it says whether the model has changed on the same probes. After a confirmed alarm, or an
alarm of scores that can't be looked into, outcomes from before the change no longer count: in fits (`forgetting`), in
the tally of scores, and the declared quality is believed less. It only ever adds to the alarm what was done.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pointsman.errors import InputError
from pointsman.onboard.folder import PLAN, PROFILE, slug_of
from pointsman.pool.settings import DriftSettings
from pointsman.serve.drift.alarms import Alarm, Alarms, Verdict
from pointsman.serve.drift.forgetting import forget
from pointsman.serve.explain import usd
from pointsman.serve.journal_file import open_journal, score_anew
from pointsman.serve.onboarding.onboardings import FOLDER, Onboardings, Wanted
from pointsman.serve.refitting import request_refit
from pointsman.serve.scheme import NANO
from pointsman.serve.wire.errors import Refusal

SPENDING = "reprobes.json"
SUSPICIOUS = ("score", "length")  # what another model in a model's place shows in
DAY_S = 86_400.0
LENGTHS_CLEAR = 0.15  # an answer's length changed, but scores by less than this: the same model

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Aftermath:
    """Of the worker that watches.

    Args:
        state: the gateway's state folder.
        alarms: where what was done is noted.
        onboardings: who asks.
    """

    state: Path
    alarms: Alarms
    onboardings: Onboardings

    def follow(self, alarm: Alarm, name: str, settings: DriftSettings, now_s: float) -> None:
        """Begins what an alarm asks for.

        Args:
            name: of the alarm's model in outcomes.
        """
        if alarm.kind not in SUSPICIOUS:
            return
        why = self._ask_again(alarm, settings, now_s)
        if why and alarm.kind == "score":
            self._conclude(alarm, name, settings, "", why)
        elif why and settings.reprobe_budget_nano:
            self.alarms.judge(alarm.id, "", why)

    def look(self, names: Mapping[str, str], settings: DriftSettings) -> None:
        """Ends what has begun: alarms whose model has been asked again.

        Args:
            names: of the models in outcomes, by id.
        """
        for alarm in self.alarms.all():
            if alarm.verdict == "probing" and slug_of(alarm.model) not in self.onboardings.running():
                verdict, note = self._found(alarm)
                self._conclude(alarm, names.get(alarm.model, alarm.model), settings, verdict, note)

    # Asking again

    def _ask_again(self, alarm: Alarm, settings: DriftSettings, now_s: float) -> str:
        """Starts asking; or says why not, "" where it was started."""
        if not settings.reprobe_budget_nano:
            return "it was not asked its probes again: learning.drift.reprobe_budget is 0"
        spending = _Spending.read(self.state / SPENDING, now_s)
        left = settings.reprobe_budget_nano - spending.spent_nano
        if now_s - spending.last_s.get(alarm.model, 0.0) < DAY_S:
            return "it was asked its probes again less than a day ago"
        if left <= 0:
            return "the day's budget for asking again is spent"
        try:
            self.onboardings.start(Wanted(alarm.model, budget_usd=usd(left), again=True))
        except (Refusal, OSError) as error:
            return f"it can't be asked its probes again: {error}"
        # All that it may spend counts until it is known what it has spent.
        spending.note(alarm.model, now_s, left)
        self.alarms.judge(alarm.id, "probing", "it is being asked its probes again")
        return ""

    def _found(self, alarm: Alarm) -> tuple[Verdict, str]:
        """What asking again has come to."""
        folder = self.state / FOLDER / slug_of(alarm.model)
        plan, profile = _read(folder / PLAN), _read(folder / PROFILE)
        if not plan.get("again") or plan.get("started_s", 0.0) < alarm.at_s or not profile:
            return "unclear", "asking its probes again came to nothing"
        spending = _Spending.read(self.state / SPENDING, alarm.at_s)
        spending.settle(round(float(profile.get("spent_usd") or 0.0) * NANO))
        change = profile.get("change")
        if not change:
            return "unclear", "too few of its probes were known to tell"
        gap = change["difference"]
        figures = f"its probes scored {change['before']:.2f} before and {change['after']:.2f} now ({gap['n']} probes)"
        return _verdict(alarm, change["before"], gap["low"], gap["high"], changed=change["changed"]), figures

    # Forgetting

    def _conclude(self, alarm: Alarm, name: str, settings: DriftSettings, verdict: Verdict, note: str) -> None:
        believed = verdict == "confirmed" or (verdict in ("", "unclear") and alarm.kind == "score")
        if believed and settings.forget:
            forget(self.state, name, alarm.since_s)
            with closing(open_journal(self.state / "decisions.sqlite")) as db:
                score_anew(db, alarm.model, int(alarm.since_s * NANO))
            request_refit(self.state)
            since = datetime.fromtimestamp(alarm.since_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            note += f"; its outcomes from before {since} no longer count"
        self.alarms.judge(alarm.id, verdict, note)
        log.warning("alarm %s on %s: %s", alarm.id, alarm.model, " ".join(filter(None, (verdict, note))))


def _verdict(alarm: Alarm, before: float, low: float, high: float, *, changed: bool) -> Verdict:
    """What the same probes, scored twice, say of an alarm.

    Args:
        before: their mean score before.
        low, high: interval of the change of their mean.
        changed: whether chance alone hardly does this.
    """
    if alarm.kind != "score":
        return "confirmed" if changed else "all-clear" if max(-low, high) < LENGTHS_CLEAR else "unclear"
    fell, half = alarm.after < alarm.before, abs(alarm.after - alarm.before) / 2
    if changed and (high < 0 if fell else low > 0):
        return "confirmed"
    # Few probes, or ones that nobody can do worse at, don't show that nothing has changed.
    room = before if fell else 1.0 - before
    return "all-clear" if room >= half and (low > -half if fell else high < half) else "unclear"


@dataclass(slots=True)
class _Spending:
    """What asking again has cost today, and when each model was last asked; a small file, written aside and renamed."""

    path: Path
    day: str
    spent_nano: int
    reserved_nano: int
    last_s: dict[str, float]

    @classmethod
    def read(cls, path: Path, now_s: float) -> _Spending:
        kept, day = _read(path), datetime.fromtimestamp(now_s, UTC).date().isoformat()
        same = kept.get("day") == day
        return cls(
            path,
            day,
            int(kept.get("spent_nano", 0)) if same else 0,
            int(kept.get("reserved_nano", 0)) if same else 0,
            {str(model): float(at_s) for model, at_s in kept.get("last_s", {}).items() if now_s - at_s < DAY_S},
        )

    def note(self, model: str, now_s: float, nano: int) -> None:
        self.last_s[model] = now_s
        self.spent_nano, self.reserved_nano = self.spent_nano + nano, nano
        self._write()

    def settle(self, nano: int) -> None:
        self.spent_nano += nano - self.reserved_nano
        self.reserved_nano = 0
        self._write()

    def _write(self) -> None:
        aside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        shown = {"day": self.day, "spent_nano": self.spent_nano, "reserved_nano": self.reserved_nano}
        aside.write_text(json.dumps(shown | {"last_s": self.last_s}))
        aside.rename(self.path)


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; an empty one where there is none."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"can't be read: {error}", place=str(path), remedy="remove it") from None
    return found if isinstance(found, dict) else {}
