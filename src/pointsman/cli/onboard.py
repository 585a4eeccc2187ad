"""`pointsman onboard MODEL`: probes asked through the gateway, graded, and the model taken into the routing."""

from __future__ import annotations

import json as json_module
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from pointsman.cli.onboard_gateway import reached
from pointsman.cli.onboard_grading import CONSENSUS, Graders, gradable, recorded_answers
from pointsman.cli.onboard_pool import Past, find_model, lay_ground, read_past
from pointsman.cli.onboard_probes import candidates_of, choose, choose_again, from_log
from pointsman.cli.onboard_tables import show
from pointsman.errors import InputError
from pointsman.estimate.embedder import Embedder
from pointsman.estimate.embedders import load_embedder
from pointsman.onboard.folder import PROGRESS, ROUNDS, Folder, Plan, Progress, slug_of
from pointsman.onboard.ground import Ground
from pointsman.onboard.intervals import Change, paired_change
from pointsman.onboard.opening import Chosen, Wanted, key_id, money_left, open_plan
from pointsman.onboard.profile import Profile, as_json, make_profile, scores_on
from pointsman.onboard.run import Findings, Rim, onboard
from pointsman.onboard.stopping import LEAST_PROBES
from pointsman.outcomes import OutcomeLog, read_several
from pointsman.pool.cards import Duty, Model
from pointsman.pool.duties import read_duties, set_duty, with_duties
from pointsman.pool.probes import Probe, read_probes
from pointsman.pool.registry import read_settings
from pointsman.pool.settings import Settings
from pointsman.serve.drift.forgetting import forgotten
from pointsman.serve.fitting import history_name, load_learned, outcome_folders
from pointsman.serve.knowing import LEAST_AMPLE, LEAST_SCORED, apportioned, usable
from pointsman.serve.onboarding.asking import Administration, ProbeAsking

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

NANO = 1_000_000_000
KNOWN_S = 120.0  # how long a gateway may take to fit


@dataclass(frozen=True)
class Wish:
    """The command line."""

    model: str
    config: Path
    url: str | None
    probes: str | None
    log: bool
    budget_nano: int
    concurrency: int
    judge: str | None
    seed: int
    restart: bool
    shadow: bool
    force_all: bool
    again: bool
    wait: bool


@app.command()
def main(
    model: Annotated[str, typer.Argument(help="Its id in the configuration, where it may stand as `duty: waiting`.")],
    *,
    config: Annotated[Path, typer.Option(help="The configuration.")] = Path("pointsman.yaml"),
    url: Annotated[str | None, typer.Option(help="A running gateway. [default: the configuration's, or one]")] = None,
    probes: Annotated[
        str | None, typer.Option(help="How many of the suite, `suite` for all, or a file. [default: 64]")
    ] = None,
    from_log: Annotated[bool, typer.Option("--from-log", help="Pick prompts of stored outcomes instead.")] = False,
    budget: Annotated[str, typer.Option(help="US dollars that it may cost in all.")] = "$1",
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Probes in flight.")] = 8,
    judge: Annotated[str | None, typer.Option(help="A model that judges free text, paid from the budget.")] = None,
    seed: Annotated[int, typer.Option(help="What all randomness comes from.")] = 0,
    restart: Annotated[bool, typer.Option("--restart", help="Put away what was begun, and begin anew.")] = False,
    shadow: Annotated[bool, typer.Option("--shadow", help="At the end it is mirrored to, and serves nobody.")] = False,
    force_all: Annotated[bool, typer.Option("--force-all", help="Ask every probe, don't stop early.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Ask known probes again: has the model changed?")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until the gateway knows the model by its outcomes.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the profile as JSON.")] = False,
) -> None:
    """Ask a new model some probes within a budget, show what it is good for, and let it serve.

    Interrupted or short of money, the same command goes on where it was: no answer is lost or asked for twice.
    """
    wish = Wish(
        model,
        config,
        url,
        probes,
        from_log,
        budget_nano(budget),
        concurrency,
        judge,
        seed,
        restart,
        shadow,
        force_all,
        again,
        wait,
    )
    signal.signal(signal.SIGTERM, _interrupted)  # whoever ends it politely loses nothing either
    console = Console(stderr=True) if json else Console()
    profile, notes = carry_out(wish, console)
    if json:
        typer.echo(json_module.dumps(as_json(profile) | {"notes": notes}))
        return
    show(profile, console)
    for note in notes:
        console.print(note, highlight=False, markup=False)


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def budget_nano(text: str) -> int:
    """US dollars with or without a dollar sign, as nano-dollars.

    Raises:
        InputError: not a sum above zero, or finer than a nano-dollar.
    """
    try:
        nano = Decimal(text.strip().removeprefix("$").strip()) * NANO
    except InvalidOperation:
        nano = Decimal("nan")
    if not nano.is_finite() or nano <= 0 or nano != nano.to_integral_value() or nano > 10**18:
        raise InputError(f"{text!r} is no sum of money to ask with", place="--budget", remedy="write for example '$1'")
    return int(nano)


def carry_out(wish: Wish, console: Console) -> tuple[Profile, list[str]]:
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
        return _carried_out(wish, console, settings, model, folder)


def _carried_out(
    wish: Wish, console: Console, settings: Settings, model: Model, folder: Folder
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
        console.print(f"going on with {len(probes)} probes ({plan.chosen_by})", highlight=False, markup=False)
    try:
        with reached(settings, wish.config, wish.url, folder.path) as (admin, own):
            if own:
                console.print("no gateway runs: one was started for the asking", highlight=False)
            findings = _asked(wish, settings, model, folder, plan, probes, ground, graders, admin)
            profile = _profiled(plan, probes, findings, ground)
            folder.write_profile(as_json(profile))
            notes = _ended(wish, settings, model, folder, profile, findings, len(probes), admin, own)
    except InputError as error:
        _say_failed(folder, probes, str(error))
        raise
    if findings.stopped:
        console.print(f"{profile.asked} answers are kept; the same command goes on with the rest", highlight=False)
        raise KeyboardInterrupt
    return profile, notes


def _settings(config: Path) -> Settings:
    settings = read_settings(config, os.environ, _today())
    return with_duties(settings, read_duties(settings.state))


def _today() -> Any:
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


# --- asking -----------------------------------------------------------------------------------------------------------


def _asked(
    wish: Wish,
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
        with _shown(model.id) as report:
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


@contextmanager
def _shown(model: str) -> Iterator[Any]:
    """A bar with the score so far."""
    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"asking {model}", total=None)

        def report(progress: Progress) -> None:
            score = "" if progress.mean is None else f", score {progress.mean:.2f}"
            eta = "" if progress.eta_s is None else f", {progress.eta_s:.0f} s left"
            said = f"{progress.stage} {model}: ${progress.spent_nano / NANO:.4f}{score}{eta}"
            bar.update(task, description=said, completed=progress.asked, total=progress.of)

        yield report


# --- what became of it ------------------------------------------------------------------------------------------------


def _profiled(plan: Plan, probes: Sequence[Probe], findings: Findings, ground: Ground) -> Profile:
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


def _ended(
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


def _say_failed(folder: Folder, probes: Sequence[Probe], why: str) -> None:
    kept, _ = folder.kept()
    answers = [one.answer for one in kept if one.answer is not None]
    graded = sum(one.grade is not None and one.grade.score is not None for one in kept)
    spent = sum(answer.cost_nano or 0 for answer in answers)
    folder.write_progress(Progress("failed", len(answers), graded, len(probes), spent, error=why))
