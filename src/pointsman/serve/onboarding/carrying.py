"""One onboarding from its wish to its end: probes chosen, asked through a gateway, graded, and the model taken in.

Takes a `Wish` and whom to tell; gives the profile and what else there is to say. The gateway is the one that runs, or
one that is started for it; money is a virtual key's, which ends with the asking. What it asks, grades and stops by is
the room `onboard`; what becomes of the model afterwards is `ending`.
"""

from __future__ import annotations

import json as json_module
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from pointsman.errors import InputError
from pointsman.estimate.embedder import Embedder
from pointsman.estimate.embedders import load_embedder
from pointsman.onboard.folder import PROGRESS, ROUNDS, Folder, Plan, slug_of
from pointsman.onboard.ground import Ground
from pointsman.onboard.opening import Chosen, Wanted, key_id, money_left, open_plan
from pointsman.onboard.profile import Profile, as_json
from pointsman.onboard.run import Findings, Rim, onboard
from pointsman.outcomes import OutcomeLog
from pointsman.pool.cards import Model
from pointsman.pool.duties import read_duties, with_duties
from pointsman.pool.probes import Probe, read_probes
from pointsman.pool.registry import read_settings
from pointsman.pool.settings import Settings
from pointsman.serve.fitting import history_name
from pointsman.serve.onboarding.asking import Administration, ProbeAsking
from pointsman.serve.onboarding.candidates import candidates_of, choose, choose_again, from_log
from pointsman.serve.onboarding.ending import ended, profiled, say_failed
from pointsman.serve.onboarding.grading import CONSENSUS, Graders, gradable, recorded_answers
from pointsman.serve.onboarding.past import Past, find_model, lay_ground, read_past
from pointsman.serve.onboarding.reaching import reached
from pointsman.serve.onboarding.wish import Teller, Wish


def carry_out(wish: Wish, teller: Teller) -> tuple[Profile, list[str]]:
    """The whole of it; gives the profile and what else there is to say.

    Raises:
        InputError: what can't be done, before anything is asked where that can be known.
        KeyboardInterrupt: after everything asked so far has been put away.
    """
    settings = _settings(wish.config)
    model = find_model(settings, wish.model)
    if wish.judge is not None and find_model(settings, wish.judge).id == model.id:
        raise InputError("a model can't judge itself", place="--judge", remedy="name another one")
    _check_door(settings, wish)
    folder = Folder(settings.state / "onboarding" / slug_of(model.id))
    with folder.locked():
        return _carried_out(wish, teller, settings, model, folder)


def _carried_out(
    wish: Wish, teller: Teller, settings: Settings, model: Model, folder: Folder
) -> tuple[Profile, list[str]]:
    embedder = load_embedder(settings.learning.embedder)
    past = read_past(settings, model, embedder, wish.seed)
    wanted = Wanted(model.id, wish.budget_nano, wish.seed, wish.again, wish.probes)
    plan, probes, resumed = open_plan(
        folder,
        wanted,
        lambda: _chosen(wish, settings, model, past, embedder),
        time.time(),
        restart=wish.restart,
        finished=_finished(folder),
    )
    agreed = any(probe.grader.get("kind") == CONSENSUS for probe in probes)
    graders = Graders(probes, past, recorded_answers(settings, past) if agreed else {}, embedder)
    ground = lay_ground(settings, model, past, probes, embedder, _today(), wish.seed)
    if resumed:
        teller.say(f"going on with {len(probes)} probes ({plan.chosen_by})")
    try:
        with reached(settings, wish.config, wish.url, folder.path) as (admin, own):
            if own:
                teller.say("no gateway runs: one was started for the asking")
            findings = _asked(wish, teller, settings, model, folder, plan, probes, ground, graders, admin)
            profile = profiled(plan, probes, findings, ground)
            folder.write_profile(as_json(profile))
            notes = ended(wish, settings, model, folder, profile, findings, len(probes), admin, own)
    except InputError as error:
        say_failed(folder, probes, str(error))
        raise
    if findings.stopped:
        teller.say(f"{profile.asked} answers are kept; the same command goes on with the rest")
        raise KeyboardInterrupt
    return profile, notes


def _settings(config: Path) -> Settings:
    settings = read_settings(config, os.environ, _today())
    return with_duties(settings, read_duties(settings.state))


def _today() -> date:
    return datetime.now(UTC).date()


def _check_door(settings: Settings, wish: Wish) -> None:
    if settings.master_key is None:
        raise InputError(
            "the gateway has no `master_key`, so it can't give the asking a key with a budget of its own",
            place=str(wish.config),
            remedy="set `master_key: os.environ/POINTSMAN_MASTER_KEY`",
        )


def _finished(folder: Folder) -> bool:
    try:
        return bool(json_module.loads((folder.path / PROGRESS).read_bytes())["done"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _chosen(wish: Wish, settings: Settings, model: Model, past: Past, embedder: Embedder) -> Chosen:
    if wish.log:
        if wish.probes is not None and not wish.probes.isdecimal():
            remedy = "give a number with --from-log, or a file without it"
            raise InputError("probes come from the log or from a file", place="--probes", remedy=remedy)
        found = from_log(past, recorded_answers(settings, past), wish.judge is not None)
        n = min(len(found), int(wish.probes or 64))
        return choose(found, n, "your log", past, embedder, wish.seed)
    found, n, where = candidates_of(wish.probes, wish.seed)
    if wish.again:
        earlier = _earlier_probes(settings, model) if wish.probes is None or wish.probes.isdecimal() else ()
        pool = {probe.prompt: probe for probe in (*found, *earlier)}
        return choose_again(list(pool.values()), n, where, past, history_name(model), wish.seed)
    usable = gradable(found, where, judge=wish.judge is not None)
    return choose(usable, min(n, len(usable)), where, past, embedder, wish.seed)


def _earlier_probes(settings: Settings, model: Model) -> tuple[Probe, ...]:
    """Probes that earlier onboardings of the model asked, from whatever file they were."""
    from_folders: list[Probe] = []
    for path in sorted((settings.state / "onboarding" / slug_of(model.id)).rglob("probes.jsonl")):
        from_folders += _read_quietly(path)
    return tuple(from_folders)


def _read_quietly(path: Path) -> Sequence[Probe]:
    try:
        return read_probes(path)
    except InputError:
        return ()


def _asked(
    wish: Wish,
    teller: Teller,
    settings: Settings,
    model: Model,
    folder: Folder,
    plan: Plan,
    probes: Sequence[Probe],
    ground: Ground,
    graders: Graders,
    admin: Administration,
) -> Findings:
    """Asks what is missing with a key of its own, which ends with the asking."""
    kept, _ = folder.kept()
    told = sum(one.answer.cost_nano or 0 for one in kept if one.answer is not None)
    missing = len(probes) - sum(one.answer is not None for one in kept)
    if not missing and all(one.grade is not None for one in kept if one.answer is not None):
        left = 0
    else:
        ended = [id for id, spent in plan.keys.items() if spent is None]
        plan, left = _money_left(folder, plan, admin, told)
        for id in ended:  # of a run that was killed
            admin.revoke_key(id)
    id, secret = "", ""
    if left:
        rounds = folder.path / ROUNDS
        id = key_id(folder.path.name, list(plan.keys), len(list(rounds.iterdir())) if rounds.is_dir() else 0)
        secret = admin.make_key(id, [one for one in (model.id, wish.judge) if one], left)
        folder.write_plan(replace(plan, keys={**plan.keys, id: None}))
    asking = ProbeAsking(admin.url, secret, model.id, connections=wish.concurrency + 2)
    ending = threading.Event()
    judging = None if wish.judge is None else ProbeAsking(admin.url, secret, wish.judge)
    graders.judge_with(judging)
    try:
        with teller.watched(model.id) as report:
            rim = Rim(
                asking,
                graders.grade,
                folder,
                OutcomeLog(settings.state / "outcomes"),
                history_name(model),
                time.time,
                lambda seconds: _wait(ending, seconds),
                report,
                graders.together if graders.consensus else None,
            )
            return onboard(
                plan, probes, rim, ground, concurrency=wish.concurrency, stop_early=not (wish.force_all or wish.again)
            )
    finally:
        ending.set()
        for one in (asking, judging):
            if one is not None:
                one.close()
        if id:
            spent = admin.spent_nano(id)
            admin.revoke_key(id)
            folder.write_plan(replace(plan, keys={**plan.keys, id: spent}))


def _money_left(folder: Folder, plan: Plan, admin: Administration, told_nano: int) -> tuple[Plan, int]:
    """What earlier keys left of the budget; kept at once, since the ledger tells it only while they live."""
    keys = {id: admin.spent_nano(id) if spent is None else spent for id, spent in plan.keys.items()}
    if keys != plan.keys:
        plan = replace(plan, keys=keys)
        folder.write_plan(plan)
    return plan, money_left(plan, told_nano)


def _wait(ending: threading.Event, seconds: float) -> None:
    ending.wait(seconds)
