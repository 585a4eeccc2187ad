"""What becomes of a model that was asked its probes: its profile, its duty, and the gateway that takes it in.

Takes what the asking found; writes the last lines of the onboarding's folder and gives sentences for people.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from pointsman.onboard.folder import Folder, Plan, Progress
from pointsman.onboard.ground import Ground
from pointsman.onboard.intervals import Change, paired_change
from pointsman.onboard.profile import Profile, make_profile, scores_on
from pointsman.onboard.run import Findings
from pointsman.onboard.stopping import LEAST_PROBES
from pointsman.outcomes import read_several
from pointsman.pool.cards import Duty, Model
from pointsman.pool.duties import set_duty
from pointsman.pool.probes import Probe
from pointsman.pool.settings import Settings
from pointsman.serve.drift.forgetting import forgotten
from pointsman.serve.fitting import history_name, load_learned, outcome_folders
from pointsman.serve.knowing import LEAST_AMPLE, LEAST_SCORED, apportioned, usable
from pointsman.serve.onboarding.asking import Administration
from pointsman.serve.onboarding.wish import Wish
from pointsman.serve.scheme import NANO

KNOWN_S = 120.0  # how long a gateway may take to fit


def profiled(plan: Plan, probes: Sequence[Probe], findings: Findings, ground: Ground) -> Profile:
    """What is known of the model now; of one that was asked again, whether it has changed."""
    change: Change | None = None
    if plan.again:
        after = scores_on(probes, findings.kept)
        before = np.array([plan.before.get(probe.id, np.nan) for probe in probes])
        both = np.isfinite(after) & np.isfinite(before)
        change = paired_change(before[both], after[both])
    return make_profile(
        plan.model,
        probes,
        findings.kept,
        ground,
        findings.outlook,
        ended=findings.ended,
        chosen_by=plan.chosen_by,
        change=change,
    )


def ended(
    wish: Wish,
    settings: Settings,
    model: Model,
    folder: Folder,
    profile: Profile,
    findings: Findings,
    of: int,
    admin: Administration,
    own: bool,
) -> list[str]:
    """Gives the model its duty and waits until the gateway knows it; says what was done."""
    enough = profile.graded >= min(LEAST_PROBES, of)
    notes: list[str] = []
    if findings.stopped:
        _write_end(folder, "stopped", profile, of, done=False, error="interrupted")
        return notes
    if not wish.again and enough:
        duty: Duty = "shadow" if wish.shadow else "serving"
        why = f"onboarded with {profile.graded} probes, score {profile.overall.mean:.3f}"
        set_duty(settings.state, model.id, duty, why)
        notes.append(f"{model.id} is {'in the shadow' if wish.shadow else 'serving'} now.")
    elif not wish.again:
        least = min(LEAST_PROBES, of)
        notes.append(f"{profile.graded} answers with a score are too few to serve by ({least} needed): its duty stays.")
    if enough:
        _write_end(folder, "fitting", profile, of, done=False)
        notes.append("The next start of the gateway learns of it." if own else _taken_up(wish, settings, admin, model))
    _write_end(folder, "done", profile, of, done=True)
    return notes


def _taken_up(wish: Wish, settings: Settings, admin: Administration, model: Model) -> str:
    """Waits until the running gateway knows the model by its outcomes; says how long that took."""
    began, name = time.monotonic(), history_name(model)
    scored = _learnable(settings, name)
    if not admin.refit():
        return "The gateway can't be asked to fit now; it will when `learning.refit` has passed."
    if not wish.wait:
        return "The gateway was asked to fit."
    if not scored:
        return (
            f"The gateway goes by its declaration yet: it learns from {LEAST_SCORED} outcomes of a model, or from any "
            f"number beside {LEAST_AMPLE} models that have those."
        )
    seen = ""
    while time.monotonic() - began < KNOWN_S:
        fit = str(admin.config().get("fit") or "")
        if fit != seen:
            seen, learned = fit, load_learned(settings, fit)
            how, outcomes = ("", 0) if learned is None else learned.known_by.get(name, ("", 0))
            if outcomes >= scored:
                took_s = time.monotonic() - began
                return f"The gateway knows it by {outcomes} outcomes ({how}), {took_s:.1f} s after the last answer."
        time.sleep(0.3)
    return f"The gateway doesn't know it by its outcomes after {KNOWN_S:.0f} s; its log says why."


def _learnable(settings: Settings, name: str) -> int:
    """Scored outcomes of a model that a fit will learn from; 0 where it won't, because there are too few."""
    outcomes = read_several(outcome_folders(settings), since=forgotten(settings.state))
    names = {history_name(one) for one in settings.models}
    outcomes = outcomes.only(np.array([i for i, one in enumerate(outcomes.models) if one in names], np.int64))
    learned_of = {outcomes.models[i] for part in apportioned(usable(outcomes)) for i in part}
    if name not in learned_of:
        return 0
    return int(np.isfinite(outcomes.score[:, outcomes.models.index(name)]).sum())


def _write_end(folder: Folder, stage: str, profile: Profile, of: int, *, done: bool, error: str = "") -> None:
    overall = profile.overall
    folder.write_progress(
        Progress(
            stage,
            profile.asked,
            profile.graded,
            of,
            round(profile.spent_usd * NANO),
            overall.mean if overall.n else None,
            overall.low if overall.n else None,
            overall.high if overall.n else None,
            None if profile.effect is None else profile.effect.high,
            done=done,
            error=error,
        )
    )


def say_failed(folder: Folder, probes: Sequence[Probe], why: str) -> None:
    """Writes down that it failed, and why."""
    kept, _ = folder.kept()
    answers = [one.answer for one in kept if one.answer is not None]
    graded = sum(one.grade is not None and one.grade.score is not None for one in kept)
    spent = sum(answer.cost_nano or 0 for answer in answers)
    folder.write_progress(Progress("failed", len(answers), graded, len(probes), spent, error=why))
