"""`onboard`: probes are asked and graded until all are, money runs out, or the routing can no longer change.

Everything from outside is handed in: who is asked, how answers are graded, the folder that keeps them, the outcomes
that they go to, clock, pauses and chance. Answers are on the disk before they are graded, grades before they are
stored, and what is stored is counted, so a run that is killed and begun again loses nothing and asks nothing that it
has an answer to. A keyboard interrupt ends the asking; what is in flight is paid for, so it is waited for and kept.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Protocol

import numpy as np

from pointsman.errors import InputError
from pointsman.onboard.asking import Answered, Ask, OutOfMoney, Unanswered, persistently
from pointsman.onboard.folder import Folder, Kept, Plan, Progress
from pointsman.onboard.ground import Ground, believe
from pointsman.onboard.intervals import mean_interval
from pointsman.onboard.stopping import Outlook, foresee, reason_to_stop
from pointsman.outcomes import OutcomeRow, prompt_id_of
from pointsman.pool.graders.grade import Grade, Reply
from pointsman.pool.probes.probe import Probe
from pointsman.records import Ints, Outcomes

BATCH = 8  # answers between two looks at what they change
MOST_FAILURES = 8  # probes in a row without an answer
NANO = 1_000_000_000

Grading = Callable[[Probe, Reply], Grade]
GradingTogether = Callable[[Sequence[tuple[Probe, Reply]]], Sequence[Grade]]
Report = Callable[[Progress], None]


class Store(Protocol):
    """Where outcomes go; see `outcomes.OutcomeLog`."""

    def append(self, rows: Iterable[OutcomeRow]) -> object:
        """Keeps the rows, all or none."""


@dataclass(frozen=True)
class Rim:
    """What an onboarding touches.

    Attributes:
        ask: puts a probe to the model.
        grade: grades a reply; `OutOfMoney` or `Unanswered` say that its judge couldn't be asked, so another run may.
        folder: keeps answers and grades.
        store: takes outcomes; None keeps none.
        history_name: the model's name in outcomes.
        now_s: Unix seconds.
        sleep: waits.
        report: is told how it stands, often.
        grade_together: grades all replies at once, when all are there, in place of `grade`; None where each is graded
            by itself.
    """

    ask: Ask
    grade: Grading
    folder: Folder
    store: Store | None
    history_name: str
    now_s: Callable[[], float]
    sleep: Callable[[float], None]
    report: Report = field(default=lambda _progress: None)
    grade_together: GradingTogether | None = None


@dataclass(frozen=True)
class Findings:
    """What an onboarding came to.

    Attributes:
        kept: everything asked, with grades; failures among it.
        outlook: of the answers; None where there is no score, cost, or other model.
        ended: why asking ended, for people; "" where every probe was asked.
        stopped: whether it was interrupted.
    """

    kept: tuple[Kept, ...]
    outlook: Outlook | None
    ended: str
    stopped: bool = False


def onboard(
    plan: Plan,
    probes: Sequence[Probe],
    rim: Rim,
    ground: Ground | None = None,
    *,
    concurrency: int = 8,
    stop_early: bool = True,
) -> Findings:
    """Asks what hasn't been answered yet.

    Args:
        plan: in force in the folder.
        probes: the plan's, in its order.
        rim: everything outside.
        ground: what the answers are judged by; None judges nothing, so never stops early.
        concurrency: most probes in flight.
        stop_early: whether to end when the routing can no longer change.

    Raises:
        InputError: money didn't suffice for a single answer, or a file of the folder can't be used.
    """
    if concurrency < 1:
        raise InputError(f"{concurrency} at a time", place="--concurrency", remedy="use at least 1")
    return _Onboarding(plan, probes, rim, ground, concurrency, stop_early).run()


class _Onboarding:
    """One run of `onboard`."""

    def __init__(
        self, plan: Plan, probes: Sequence[Probe], rim: Rim, ground: Ground | None, concurrency: int, stop_early: bool
    ) -> None:
        self.plan, self.rim, self.ground = plan, rim, ground
        self.probe_of = {probe.id: probe for probe in probes}
        self.row_of = {probe.id: row for row, probe in enumerate(probes)}
        self.width, self.stop_early = concurrency, stop_early
        found, self.stored = rim.folder.kept()
        self.kept = {one.probe_id: one for one in found if one.probe_id in self.probe_of}
        self.graded = [one.probe_id for one in found if one.grade is not None]  # in the order of the file
        self.todo = [probe for probe in probes if (one := self.kept.get(probe.id)) is None or one.answer is None]
        self.ended, self.stopped = "", False
        self.outlook: Outlook | None = None
        self.unjudged = ""  # why a judge couldn't be asked
        self.in_a_row = 0  # failures since the last answer
        self.quitting = Event()
        self.began_s, self.had = rim.now_s(), len(self._answers())

    def run(self) -> Findings:
        for one in self._ungraded() if self.rim.grade_together is None else ():
            self._take(self._graded(one))  # answered before a kill, or when there was no money for a judge
        self._look()
        if not self.ended:
            self._ask_all()
        if self.rim.grade_together is not None and not self.stopped:
            self._grade_together(self.rim.grade_together)
        self._store()
        self._show("asked")
        return Findings(tuple(self.kept.values()), self.outlook, self.ended, self.stopped)

    # Asking

    def _ask_all(self) -> None:
        pool = ThreadPoolExecutor(self.width, "asking")
        flying: dict[Future[Kept], Probe] = {}
        try:
            try:
                self._fly(pool, flying)
            except KeyboardInterrupt:
                self.ended, self.stopped = "interrupted", True
                self.quitting.set()
                self._show("finishing")
                self._land(flying)
        finally:
            pool.shutdown(wait=not self.stopped, cancel_futures=True)

    def _fly(self, pool: ThreadPoolExecutor, flying: dict[Future[Kept], Probe]) -> None:
        """Keeps the pool busy until there is nothing to ask, or a reason to stop."""
        since_look = 0
        while flying or (self.todo and not self.ended):
            while self.todo and not self.ended and len(flying) < self.width:
                probe = self.todo.pop(0)
                flying[pool.submit(self._one, probe)] = probe
            since_look += self._collect(flying, wait(flying, return_when=FIRST_COMPLETED).done)
            if since_look >= BATCH:
                since_look = 0
                self._look()
                self._store()
            self._show("asking")
        self._look()

    def _land(self, flying: dict[Future[Kept], Probe]) -> None:
        """Waits for what is in flight."""
        while flying:
            self._collect(flying, wait(flying, return_when=FIRST_COMPLETED).done)

    def _collect(self, flying: dict[Future[Kept], Probe], done: Iterable[Future[Kept]]) -> int:
        """Takes in what has ended; gives how many answers that was."""
        answered = 0
        for future in done:
            probe = flying.pop(future)
            try:
                kept = future.result()
                self._take(kept)
                answered += kept.answer is not None
                self._count_failures(kept)
            except OutOfMoney as short:
                self._no_money(probe, short.fund, alone=not flying)
        return answered

    def _count_failures(self, kept: Kept) -> None:
        """A model that doesn't answer at all isn't asked to the last probe, nor one that nobody can judge."""
        if self.unjudged:
            self.ended = self.ended or f"the judge can't be asked: {self.unjudged}"
        self.in_a_row = self.in_a_row + 1 if kept.answer is None else 0
        if self.in_a_row < MOST_FAILURES or self.ended:
            return
        if not self._answers():
            raise InputError(
                f"{self.in_a_row} probes in a row brought no answer, the last because: {kept.failure}",
                place=f"model {self.plan.model!r}",
                remedy="see the gateway's log, then run the same command again",
            )
        self.ended = f"{self.in_a_row} probes in a row brought no answer: {kept.failure}"

    def _no_money(self, probe: Probe, fund: str, *, alone: bool) -> None:
        """Others in flight may give back what they hold and don't need: then it is tried again, one at a time."""
        if self.width > 1 or not alone:
            self.width = 1
            self.todo.insert(0, probe)
            return
        answers = len(self._answers())
        own = fund.startswith("key:onboard-")
        if answers == 0:
            what = "the budget can't pay for a single answer" if own else f"the fund {fund!r} can't pay for an answer"
            raise InputError(what, place="--budget" if own else "the pool's funds", remedy="give more, then run again")
        whose = "budget" if own else f"fund {fund!r}"
        self.ended = self.ended or f"{whose} used up after {answers} probes"

    def _one(self, probe: Probe) -> Kept:
        """Asks, keeps, grades, keeps; in a thread of the pool."""
        draw = random.Random(f"{self.plan.seed} {probe.id}")  # noqa: S311 (jitter)
        try:
            answer = persistently(self.rim.ask, probe, self._pause, draw)
        except Unanswered as failure:
            failed = Kept(probe.id, None, failure.why)
            self.rim.folder.add_answer(failed)
            return failed
        kept = Kept(probe.id, answer)
        self.rim.folder.add_answer(kept)
        return kept if self.rim.grade_together is not None else self._graded(kept)

    def _ungraded(self) -> list[Kept]:
        return [one for one in self._answers() if one.grade is None]

    def _grade_together(self, grade: GradingTogether) -> None:
        """Those that have no grade yet, in the light of all."""
        self._show("grading")
        found = [(one, one.answer.reply) for one in self._answers() if one.answer is not None]
        grades = grade([(self.probe_of[one.probe_id], reply) for one, reply in found])
        for (one, _), given in zip(found, grades, strict=True):
            if one.grade is None:
                self._take(replace(one, grade=given, grader="consensus"))
        self._look()

    def _pause(self, seconds: float) -> None:
        self.rim.sleep(seconds)
        if self.quitting.is_set():
            raise Unanswered("interrupted", again=False)

    def _graded(self, kept: Kept) -> Kept:
        probe, answer = self.probe_of[kept.probe_id], kept.answer
        assert answer is not None  # noqa: S101
        try:
            grade = self.rim.grade(probe, answer.reply)
        except (OutOfMoney, Unanswered) as failure:
            self.unjudged = str(failure)
            return kept
        return replace(kept, grade=grade, grader=str(probe.grader.get("kind", "")))

    # Taking in

    def _take(self, kept: Kept) -> None:
        self.kept[kept.probe_id] = kept
        if kept.grade is not None:
            self.rim.folder.add_grade(kept)
            self.graded.append(kept.probe_id)

    def _store(self) -> None:
        """Outcomes of what was graded since the last time, then the count that says so."""
        fresh = self.graded[self.stored :]
        if not fresh or self.rim.store is None:
            return
        rows = [outcome_of(self.probe_of[id], self.kept[id], self.rim.history_name) for id in fresh]
        self.rim.store.append(rows)
        self.stored = len(self.graded)
        self.rim.folder.add_stored(self.stored)

    def _look(self) -> None:
        """What the answers so far mean for the routing."""
        found = self._answers()
        scored = [one for one in found if one.grade is not None and one.grade.score is not None]
        if self.ground is None or not self.ground.models or not scored:
            return
        rows = np.array([self.row_of[one.probe_id] for one in found], np.int64)
        asked = asked_outcomes(self.plan.model, self.ground, rows, found)
        if not np.isfinite(asked.cost_usd).any():
            return
        self.outlook = foresee(self.ground.typical, believe(self.ground, rows, asked), self.ground.money)
        skills = [self.probe_of[one.probe_id].skill for one in scored]
        of_skills = len({probe.skill for probe in self.probe_of.values()})
        if self.stop_early and not self.ended and self.todo:
            why = reason_to_stop(self.outlook, skills, of_skills)
            self.ended = f"stopped early: {why}" if why else ""

    def _answers(self) -> list[Kept]:
        return [one for one in self.kept.values() if one.answer is not None]

    def _show(self, stage: str) -> None:
        answers = self._answers()
        scores = np.array([one.grade.score for one in answers if one.grade and one.grade.score is not None])
        found = mean_interval(scores) if len(scores) else None
        new, left = len(answers) - self.had, 0 if self.ended else len(self.probe_of) - len(answers)
        took_s = self.rim.now_s() - self.began_s
        progress = Progress(
            stage,
            len(answers),
            len(scores),
            len(self.probe_of),
            sum(one.answer.cost_nano or 0 for one in answers if one.answer),
            mean=None if found is None else found.mean,
            low=None if found is None else found.low,
            high=None if found is None else found.high,
            share=None if self.outlook is None else self.outlook.best_share,
            eta_s=took_s / new * left if new else None,
            error="interrupted" if self.stopped else "",
        )
        self.rim.folder.write_progress(progress)
        self.rim.report(progress)


def asked_outcomes(model: str, ground: Ground, rows: Ints, kept: Sequence[Kept]) -> Outcomes:
    """The newcomer's outcomes [k, 1] on the probes at `rows`, NaN where there is no score, cost or length."""
    prompts = ground.probes.take(rows)
    answers = [one.answer for one in kept]
    cost = [_or_nan(answer, "cost_nano") / NANO for answer in answers]
    length = [_or_nan(answer, "output_tokens") for answer in answers]
    billed = np.array([_or_nan(answer, "input_tokens") for answer in answers])
    score = [np.nan if one.grade is None or one.grade.score is None else one.grade.score for one in kept]
    return Outcomes(
        [one.probe_id for one in kept],
        prompts.texts,
        [""] * len(kept),
        (model,),
        np.array(score, np.float64)[:, None],
        np.array(cost, np.float64)[:, None],
        np.array(length, np.float64)[:, None],
        np.where(np.isfinite(billed), billed, prompts.input_tokens),
    )


def _or_nan(answer: Answered | None, name: str) -> float:
    value = None if answer is None else getattr(answer, name)
    return float("nan") if value is None else float(value)


def outcome_of(probe: Probe, kept: Kept, history_name: str) -> OutcomeRow:
    """What goes to the outcomes: the grade with the raw answer, when it came, and what graded it."""
    answer, grade = kept.answer, kept.grade
    assert answer is not None  # noqa: S101
    assert grade is not None  # noqa: S101
    return OutcomeRow(
        prompt_id_of(probe.prompt),
        probe.prompt,
        f"probe:{probe.skill}",
        history_name,
        grade.score,
        None if answer.cost_nano is None else answer.cost_nano / NANO,
        answer.input_tokens,
        answer.output_tokens,
        at_s=answer.at_s,
        answer=answer.reply.text,
        grader=kept.grader,
    )
