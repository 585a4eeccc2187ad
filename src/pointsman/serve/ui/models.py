"""The models' page: who may answer, how it is known, what it does lately, what it is good at, whom it is like.

Takes what a worker has in memory, gathered on its loop (`Facts`), and in a thread reads duties, the journal's latest
exchanges, profiles of onboardings and alarms beside it; gives what the page shows. It changes nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np

from pointsman.estimate.drift.mix import Mix
from pointsman.pool.duties import read_given
from pointsman.pool.settings import Settings
from pointsman.serve.drift.alarms import Alarm
from pointsman.serve.fitting import Learned
from pointsman.serve.gateway import Gateway, today
from pointsman.serve.journal_file import ModelTally
from pointsman.serve.listing import Listed, told_of
from pointsman.serve.ui.calibration import bins_of, calibration_error
from pointsman.serve.ui.latest import latest
from pointsman.serve.ui.likeness import LEAST_MODELS, LEAST_SHARED, likeness
from pointsman.serve.ui.past import Past
from pointsman.serve.ui.profile import skills_json, topics_json
from pointsman.serve.ui.recent import Lately, Recent, recent_of

MOST_ROWS = 5_000


@dataclass(frozen=True)
class Facts:
    """What one worker knows, frozen, so that a thread may look at it.

    Attributes:
        settings: as read.
        learned: the fit in force.
        mix: the partition of the traffic.
        tallies: what answers added up to, by model.
        day: of the rates.
        health: by model, its endpoints: name, whether it may be asked, for how much longer it rests.
        profile: of a model's onboarding; None where there is none.
        alarms: all of them.
    """

    settings: Settings
    learned: Learned | None
    mix: Mix | None
    tallies: Mapping[str, ModelTally]
    day: date
    health: Mapping[str, Sequence[tuple[str, bool, float | None]]]
    profile: Callable[[str], Mapping[str, Any] | None]
    alarms: Callable[[], Sequence[Alarm]]


def facts_of(gateway: Gateway) -> Facts:
    """On the loop."""
    now, health = time.monotonic(), gateway.health
    states = {
        model.id: [
            (one.name, health.state(one.name, now) != "closed", health.rests_s(one.name, now))
            for one in model.endpoints
        ]
        for model in gateway.settings.models
    }

    def profile(model: str) -> Mapping[str, Any] | None:
        found = gateway.onboardings.one(model)
        return None if found is None else found["profile"]

    return Facts(
        gateway.settings,
        gateway.fits.learned,
        gateway.fits.mix,
        gateway.journal.tallies(),
        today(),
        states,
        profile,
        gateway.drifting.alarms.all,
    )


def models_json(facts: Facts, past: Past | None, past_why: str) -> dict[str, Any]:
    """The page; in a thread.

    Args:
        past: the recorded outcomes; None where they aren't there.
        past_why: why not.

    Raises:
        InputError: duties, decisions or alarms that can't be read.
    """
    settings = facts.settings
    recent = recent_of(latest(settings.state, MOST_ROWS))
    given = read_given(settings.state)
    listed = told_of(settings, facts.day, given, facts.learned, facts.tallies, recent.served)
    alarms = Counter(alarm.model for alarm in facts.alarms() if alarm.active)
    ids = [one.id for one in listed]
    profiles = {model: found for model in ids if (found := facts.profile(model)) is not None}
    points, why = likeness_json(past, past_why)
    return {
        "models": [_row(one, facts, recent, alarms[one.id]) for one in listed],
        "skills": skills_json(profiles),
        "topics": topics_json(past, facts.mix, recent.scored, recent.parts, ids),
        "likeness": points,
        "likeness_why": why,
        "calibration": calibration_json(recent, ids),
    }


def _row(one: Listed, facts: Facts, recent: Recent, alarms: int) -> dict[str, Any]:
    feedback = recent.pairs.get(one.id, ([], []))[1]
    lately = recent.models.get(one.id, Lately())
    endpoints = facts.health.get(one.id, ())
    return (
        asdict(one)
        | lately.figures()
        | {
            "provider": one.id.partition("/")[0],
            "feedback": sum(feedback) / len(feedback) if feedback else None,
            "health": health_of(endpoints, asked=lately.asked > 0),
            "endpoints": [{"name": name, "resting_s": rests_s} for name, _, rests_s in endpoints],
            "alarms": alarms,
        }
    )


def health_of(endpoints: Sequence[tuple[str, bool, float | None]], *, asked: bool) -> str:
    """Of a model: "up" where an endpoint may be asked, "resting" where none, "unknown" where nobody asked lately."""
    if endpoints and not any(up for _, up, _ in endpoints):
        return "resting"
    return "up" if asked else "unknown"


def likeness_json(past: Past | None, past_why: str) -> tuple[list[dict[str, Any]], str]:
    """Places on the map, and why there are none."""
    if past is None:
        return [], past_why
    kept, points = likeness(past.score)
    if not len(kept):
        return [], (
            f"A map needs {LEAST_MODELS} models that were scored on {LEAST_SHARED} common prompts; "
            "onboard models, or give a history."
        )
    return [
        {"id": past.models[i], "x": round(float(x), 6), "y": round(float(y), 6)}
        for i, (x, y) in zip(kept.tolist(), points, strict=True)
    ], ""


def calibration_json(recent: Recent, models: Sequence[str]) -> list[dict[str, Any]]:
    """Bins of every model that has feedback enough for one."""
    found = []
    for model in models:
        expected, got = recent.pairs.get(model, ([], []))
        bins = bins_of(np.array(expected), np.array(got))
        if bins:
            found.append({"id": model, "bins": [asdict(one) for one in bins], "error": calibration_error(bins)})
    return found
