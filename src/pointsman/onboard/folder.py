"""One onboarding on disk: `state/onboarding/<slug>/`, written so that a kill at any moment loses no answer.

    plan.json       what is asked of whom, under which budget, with which keys; written aside and renamed
    probes.jsonl    the probes in full, so that the same are asked when it goes on
    answers.jsonl   one line an answer (or a failure), on the disk before the next is asked for
    grades.jsonl    one line a grade; a line {"stored": n} says that the first n are in the outcomes
    progress.json   where it stands, for whoever looks from outside
    profile.json    at the end

Takes and gives plain values. A torn last line, which a kill may leave, is cut off; anything else unreadable is refused.
It asks nobody and reads no clock.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from pointsman.errors import InputError
from pointsman.onboard.asking import Answered
from pointsman.pool.graders.grade import Grade, Reply, ToolCall
from pointsman.pool.probes.probe import Probe

PLAN, PROBES, ANSWERS, GRADES = "plan.json", "probes.jsonl", "answers.jsonl", "grades.jsonl"
PROGRESS, PROFILE, ROUNDS, LOCK = "progress.json", "profile.json", "rounds", "asking.lock"
OURS = (PROBES, ANSWERS, GRADES, PROGRESS, PROFILE, PLAN)  # the plan last, see `put_away`
SLUG_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Plan:
    """What one onboarding does.

    Attributes:
        model: its id in the registry.
        probe_ids: in the order in which they are asked.
        fingerprint: of the probes, so that another list isn't taken for the same.
        chosen_by: how they were chosen, for people.
        seed: of every draw.
        budget_nano: what may be spent on it, resumed or not; nano-dollars.
        started_s: Unix seconds.
        again: whether it asks known probes again, to see whether the model has changed.
        before: scores of the same probes before, by probe id; where `again`.
        wanted: what the command line said of the probes; "" where it said nothing.
        keys: ids of the virtual keys that it asked with, and what each spent; None while that isn't known.
    """

    model: str
    probe_ids: tuple[str, ...]
    fingerprint: str
    chosen_by: str
    seed: int
    budget_nano: int
    started_s: float
    again: bool = False
    before: Mapping[str, float] = field(default_factory=dict)
    wanted: str = ""
    keys: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kept:
    """One probe's answer as it is kept, and its grade if it has one.

    Attributes:
        probe_id: which.
        answer: None where no answer came.
        failure: why not.
        grade: None before it is graded.
        grader: the kind of grader that graded it.
    """

    probe_id: str
    answer: Answered | None
    failure: str = ""
    grade: Grade | None = None
    grader: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an onboarding stands.

    Attributes:
        stage: what is being done, one word.
        asked: answers that came; graded: those with a score; of: probes in all.
        spent_nano: nano-dollars, as far as answers told.
        mean, low, high: score so far with its 90 % interval; None before the first.
        share: of typical traffic that it would get, at best; None where that isn't known.
        eta_s: how much longer asking will take at this pace; None where nobody knows.
        done: whether it has ended.
        error: why it ended early, "" where it didn't.
    """

    stage: str
    asked: int
    graded: int
    of: int
    spent_nano: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    share: float | None = None
    eta_s: float | None = None
    done: bool = False
    error: str = ""


def slug_of(model: str) -> str:
    """A model's id as a file's and a key's name: harmless characters, and a few of its hash where some were not."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", model).strip("-.").lower()[:SLUG_CHARACTERS]
    return f"{plain or 'model'}-{sha256(model.encode()).hexdigest()[:6]}"


def fingerprint_of(probes: Sequence[Probe]) -> str:
    """Of a list of probes: texts, graders and all."""
    return sha256(json.dumps([asdict(probe) for probe in probes], sort_keys=True, default=str).encode()).hexdigest()[
        :24
    ]


class Folder:
    """The folder; made when the first plan is written. Appending is for several threads at once.

    Args:
        path: `state/onboarding/<slug>`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else asks for this model meanwhile, in whatever process.

        Raises:
            InputError: somebody does.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.path / LOCK).open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    "this model is being onboarded by another process",
                    place=str(self.path),
                    remedy="wait for it, or interrupt it and run this again",
                ) from None
            yield

    # The plan

    def plan(self) -> Plan | None:
        """The plan in force; None where there is none.

        Raises:
            InputError: the file can't be used.
        """
        path = self.path / PLAN
        try:
            given = json.loads(path.read_bytes())
            return Plan(**{**given, "probe_ids": tuple(given["probe_ids"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"the plan of this onboarding can't be read ({error})", place=str(path), remedy="begin with --restart"
            ) from None

    def write_plan(self, plan: Plan) -> None:
        """Puts a plan in force."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._write(PLAN, asdict(plan))

    def put_away(self) -> None:
        """Moves everything that an earlier onboarding left here to `rounds/<n>`."""
        held = [path for name in OURS if (path := self.path / name).exists()]
        if not held:
            return
        rounds = self.path / ROUNDS
        rounds.mkdir(exist_ok=True, mode=0o700)
        number = 1 + max((int(path.name) for path in rounds.iterdir() if path.name.isdecimal()), default=0)
        to = rounds / str(number)
        to.mkdir(mode=0o700)
        for path in held:  # the plan goes last: a kill on the way leaves one that is put away again
            path.rename(to / path.name)

    # Answers and grades

    def add_answer(self, kept: Kept) -> None:
        """Keeps an answer, or that none came; on the disk when this returns."""
        self._append(ANSWERS, _answer_line(kept))

    def add_grade(self, kept: Kept) -> None:
        """Keeps its grade."""
        assert kept.grade is not None  # noqa: S101
        line = {"probe": kept.probe_id, "score": kept.grade.score, "why": kept.grade.why, "grader": kept.grader}
        self._append(GRADES, line)

    def add_stored(self, count: int) -> None:
        """Keeps that the first `count` grades are in the outcomes."""
        self._append(GRADES, {"stored": count})

    def kept(self) -> tuple[list[Kept], int]:
        """Everything that is here, each probe's latest, graded ones first in the order of their grades; and how many
        of these are in the outcomes.

        Raises:
            InputError: a line that can't be used.
        """
        answers = {one.probe_id: one for one in map(_kept_of, self._lines(ANSWERS))}
        graded: dict[str, Kept] = {}
        stored = 0
        for line in self._lines(GRADES):
            if "stored" in line:
                stored = int(line["stored"])
            elif line["probe"] in answers:
                one = answers[line["probe"]]
                graded[one.probe_id] = replace(one, grade=Grade(line["score"], line["why"]), grader=line["grader"])
        rest = [one for one in answers.values() if one.probe_id not in graded]
        return [*graded.values(), *rest], stored

    # What others read

    def write_progress(self, progress: Progress) -> None:
        """Where it stands."""
        self._write(PROGRESS, asdict(progress))

    def write_profile(self, profile: Mapping[str, Any]) -> None:
        """What was found."""
        self._write(PROFILE, profile)

    # Files

    def _write(self, name: str, value: Any) -> None:
        aside = self.path / f".{name}.{os.getpid()}"
        with aside.open("w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(self.path / name)

    def _append(self, name: str, line: Mapping[str, Any]) -> None:
        data = json.dumps(line).encode() + b"\n"
        with self._lock, (self.path / name).open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def _lines(self, name: str) -> list[dict[str, Any]]:
        path = self.path / name
        if not path.exists():
            return []
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):  # torn by a kill: what was half written never counted
            with path.open("r+b") as file:
                file.truncate(len(whole))
        try:
            return [json.loads(line) for line in whole.splitlines()]
        except ValueError:
            raise InputError(
                "a line of it isn't JSON", place=str(path), remedy="begin with --restart; outcomes stay"
            ) from None


def _answer_line(kept: Kept) -> dict[str, Any]:
    if kept.answer is None:
        return {"probe": kept.probe_id, "failed": kept.failure}
    answer = kept.answer
    reply = answer.reply
    return {
        "probe": kept.probe_id,
        "at_s": answer.at_s,
        "text": reply.text,
        "tool_calls": [[call.name, call.arguments] for call in reply.tool_calls],
        "whole": reply.whole,
        "cost_nano": answer.cost_nano,
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "latency_ms": answer.latency_ms,
    }


def _kept_of(line: Mapping[str, Any]) -> Kept:
    if "failed" in line:
        return Kept(line["probe"], None, line["failed"])
    calls = tuple(ToolCall(name, arguments) for name, arguments in line["tool_calls"])
    figures = {name: line[name] for name in ("at_s", "cost_nano", "input_tokens", "output_tokens", "latency_ms")}
    return Kept(line["probe"], Answered(Reply(line["text"], calls, line["whole"]), **figures))
