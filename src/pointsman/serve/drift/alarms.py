"""The alarms of the drift watch, as lines of a file: what changed, since when, by how much, and what came of it.

`state/alarms.jsonl` is only ever appended to, one line an event, so that any worker and the command line may write it;
an alarm is what its lines add up to. Its id comes from the exchange that set it off: the same alarm is never raised
twice, whoever reads the journal again. It holds models, figures and names of data sets, nothing of a prompt or a key.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pointsman.errors import InputError

FILE = "alarms.jsonl"
MOST_SHOWN = 1_000  # the latest
MOST_NOTE = 500  # characters

AlarmKind = Literal["score", "cost", "length", "mix"]
Verdict = Literal["", "probing", "confirmed", "all-clear", "unclear"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """What changed.

    Attributes:
        id: unique.
        kind: "score" (feedback against estimates), "cost" (receipts against rates), "length" (answers against
            estimates) or "mix" (what queries are about).
        model: whose; "" for the mix.
        at_s: when it was raised, Unix seconds.
        since_s: when the first exchange after the change came.
        before, after: scores: mean of feedback minus estimate. Costs and lengths: real over expected, as a factor.
            Mix: the share of the part that grew most.
        low, high: 95 % interval of the change: `after` − `before` of scores and shares, `after` / `before` of factors.
        count_before, count_after: exchanges that this is seen on.
        evidence: of the test; where nothing changes, at most one exchange in so many has an alarm in this stream.
        parts: of the mix, those that grew most: [number, share before, share after, data set's name or ""].
        acknowledged_s: when somebody said so; None before.
        verdict: what asking the model its probes again said; "" where it wasn't asked.
        note: what was done about it.
    """

    id: str
    kind: AlarmKind
    model: str
    at_s: float
    since_s: float
    before: float
    after: float
    low: float
    high: float
    count_before: int
    count_after: int
    evidence: float
    parts: tuple[tuple[int, float, float, str], ...] = ()
    acknowledged_s: float | None = None
    verdict: Verdict = ""
    note: str = ""

    @property
    def active(self) -> bool:
        """Whether it still asks for somebody's attention."""
        return self.acknowledged_s is None and self.verdict != "all-clear"

    @property
    def says(self) -> str:
        """In one sentence."""
        since = datetime.fromtimestamp(self.since_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        seen = f"since {since}, seen on {self.count_after:,} exchanges against {self.count_before:,} before"
        if self.kind == "score":
            way = "fell" if self.after < self.before else "rose"
            low, high = sorted((abs(self.low), abs(self.high)))
            size = abs(self.after - self.before)
            return f"scores of {self.model} {way} by {size:.2f} ({low:.2f} to {high:.2f}) against estimates, {seen}"
        if self.kind == "mix":
            grown = ", ".join(_part_text(part) for part in self.parts)
            return f"traffic is about other things: {grown}; {seen}"
        factor = f"{self.after / self.before:.2f} times ({self.low:.2f} to {self.high:.2f})"
        if self.kind == "cost":
            return f"answers of {self.model} cost {factor} what they did at the rates in force, {seen}"
        return f"answers of {self.model} are {factor} as long as they were against estimates, {seen}"

    def public(self) -> dict[str, Any]:
        """For JSON."""
        shown = {name: _plain(value) for name, value in asdict(self).items()}
        return shown | {"object": "alarm", "active": self.active, "says": self.says}


def _part_text(part: tuple[int, float, float, str]) -> str:
    number, before, after, name = part
    return f"part {number}{f' ({name})' if name else ''} from {before:.1%} to {after:.1%}"


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(slots=True)
class Alarms:
    """The file.

    Args:
        state: the gateway's state folder.
    """

    state: Path
    _ids: set[str] = field(default_factory=set)

    @property
    def path(self) -> Path:
        """Where it is; it may not be there yet."""
        return self.state / FILE

    def raise_(self, alarm: Alarm) -> bool:
        """Adds an alarm; False where it is there already."""
        self._ids |= {one.id for one in self.all()} if not self._ids else set()
        if alarm.id in self._ids:
            return False
        self._ids.add(alarm.id)
        self._append({"event": "raised", **asdict(alarm)})
        return True

    def acknowledge(self, id: str, at_s: float) -> Alarm | None:
        """Somebody knows of it; the first one counts. None for an unknown id."""
        alarm = self.one(id)
        if alarm is None or alarm.acknowledged_s is not None:
            return alarm
        self._append({"event": "acknowledged", "id": id, "acknowledged_s": at_s})
        return replace(alarm, acknowledged_s=at_s)

    def judge(self, id: str, verdict: Verdict, note: str) -> None:
        """What asking the model again has come to, or what was done without."""
        self._append({"event": "judged", "id": id, "verdict": verdict, "note": note[:MOST_NOTE]})

    def one(self, id: str) -> Alarm | None:
        """By its id."""
        return next((alarm for alarm in self.all() if alarm.id == id), None)

    def all(self) -> list[Alarm]:
        """The latest ones, oldest first. A line that a crash has torn is left out.

        Raises:
            InputError: the file is there and can't be read.
        """
        found: dict[str, Alarm] = {}
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"can't be read ({error.strerror})", place=str(self.path)) from None
        for line in filter(None, lines):
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                _take_in(found, json.loads(line))
        return list(found.values())[-MOST_SHOWN:]

    def _append(self, event: Mapping[str, Any]) -> None:
        """One write, so that lines of several processes don't mix."""
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, b"\n" + json.dumps(event).encode() + b"\n")  # a torn line before it ends here
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _take_in(found: dict[str, Alarm], event: dict[str, Any]) -> None:
    """One event, in the order in which they happened."""
    kind = event.pop("event")
    if kind == "raised":
        alarm = Alarm(**event | {"parts": tuple(tuple(part) for part in event["parts"])})
        found.setdefault(alarm.id, alarm)
    elif event["id"] in found:
        found[event["id"]] = replace(found[event["id"]], **event)


def active_by_model(alarms: Sequence[Alarm]) -> dict[tuple[str, str], int]:
    """How many of each kind and model are active."""
    counts: dict[tuple[str, str], int] = {}
    for alarm in alarms:
        if alarm.active:
            counts[alarm.kind, alarm.model] = counts.get((alarm.kind, alarm.model), 0) + 1
    return counts
