"""How an onboarding's answers are graded: by each probe's own grader, by a judge asked through the gateway, or, for
prompts of the log without one, by how far they agree with the recorded answers of known models.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pointsman.errors import InputError
from pointsman.estimate.embedder import Embedder
from pointsman.estimate.unseen.consensus import soft_scores
from pointsman.onboard.asking import OutOfMoney, Unanswered, persistently
from pointsman.outcomes import part_files
from pointsman.outcomes.reading import read_table
from pointsman.pool.graders import Grade, Judge, Reply, grader_of
from pointsman.pool.probes import Probe
from pointsman.pool.settings import Settings
from pointsman.router import embed
from pointsman.serve.fitting import outcome_folders
from pointsman.serve.onboarding.asking import ProbeAsking
from pointsman.serve.onboarding.past import Past

CONSENSUS = "consensus"
JUDGED = frozenset({"judge", "pairwise"})
JUDGE_TOKENS = 1_024
LEAST_ANSWERED = 2  # known models that must have answered a prompt, for consensus

Recorded = Mapping[str, Sequence[str | None]]


class Graders:
    """Grades one onboarding's answers; `grade` is called from several threads.

    Args:
        probes: that are asked.
        past: what the known models are.
        recorded: answers of the known models by prompt, for those that consensus grades.
        embedder: text to vector.

    Raises:
        InputError: a probe's grader that can't be used; names the probe.
    """

    def __init__(self, probes: Sequence[Probe], past: Past, recorded: Recorded, embedder: Embedder) -> None:
        self._past, self._recorded, self._embedder = past, recorded, embedder
        self._judging: ProbeAsking | None = None
        self.consensus = any(probe.grader.get("kind") == CONSENSUS for probe in probes)
        for probe in probes:
            if not self.consensus:
                _check(probe)

    def judge_with(self, judging: ProbeAsking | None) -> None:
        """From now on this model judges."""
        self._judging = judging

    def grade(self, probe: Probe, reply: Reply) -> Grade:
        """One reply's grade.

        Raises:
            OutOfMoney, Unanswered: its judge couldn't be asked; it can be graded later.
        """
        failed: list[OutOfMoney | Unanswered] = []

        def judge(prompt: str) -> str:
            try:
                return self._judged(prompt)
            except (OutOfMoney, Unanswered) as error:
                failed.append(error)
                raise

        given: Judge | None = None if self._judging is None else judge
        grade = grader_of(probe.grader, given).grade(reply)
        if failed and grade.score is None:
            raise failed[0]
        return grade

    def _judged(self, prompt: str) -> str:
        judging = self._judging
        assert judging is not None  # noqa: S101
        body = {"messages": [{"role": "user", "content": prompt}], "max_tokens": JUDGE_TOKENS}
        probe = Probe("judge", "judge", "medium", "en", "judge", {})
        draw = random.Random()  # noqa: S311 (jitter)
        return persistently(lambda _: judging.ask(body), probe, time.sleep, draw).reply.text

    def together(self, pairs: Sequence[tuple[Probe, Reply]]) -> list[Grade]:
        """Soft grades of all replies, by the known models' recorded answers."""
        known = self._past.known
        assert known is not None  # noqa: S101 (probes for consensus are chosen from what known models answered)
        expected = known.past.space.known.expect(embed([probe.prompt for probe, _ in pairs], self._embedder))[0]
        theirs = [self._recorded[probe.prompt] for probe, _ in pairs]
        ours = [[reply.text] for _, reply in pairs]
        beliefs = soft_scores(theirs, ours, expected, known.past.space.correlation).asked[:, 0]
        return [_soft(belief) for belief in beliefs.tolist()]


def _soft(belief: float) -> Grade:
    if np.isnan(belief):
        return Grade(None, "no known model's answer can be compared")
    return Grade(belief, f"right with a probability of {belief:.2f}, by what known models answered")


def _check(probe: Probe) -> None:
    try:
        grader_of(probe.grader, str)
    except InputError as error:
        raise InputError(error.what, place=f"probe {probe.id!r}: {error.place}", remedy=error.remedy) from None


def needs_judge(spec: Mapping[str, Any]) -> bool:
    """Whether a grader asks a model."""
    if spec.get("kind") in JUDGED:
        return True
    return any(isinstance(one, Mapping) and needs_judge(one) for one in spec.get("of") or ())


def gradable(probes: Sequence[Probe], where: str, *, judge: bool) -> tuple[Probe, ...]:
    """The probes that can be graded.

    Raises:
        InputError: a judge is needed for some of the user's own and there is none, or none is left.
    """
    found = tuple(probe for probe in probes if judge or not needs_judge(probe.grader))
    own = sum(probe.origin != "pointsman" for probe in probes) - sum(probe.origin != "pointsman" for probe in found)
    if own or not found:
        raise InputError(
            f"{len(probes) - len(found)} of {len(probes)} probes need a model that judges",
            place=where,
            remedy="name one with --judge, or leave these probes out",
        )
    return found


def recorded_answers(settings: Settings, past: Past) -> dict[str, list[str | None]]:
    """The known models' recorded answers by prompt, where two of them at least have one.

    Raises:
        InputError: outcomes that can't be read.
    """
    known = past.known
    if known is None:
        return {}
    column = {name: at for at, name in enumerate(known.models)}
    found: dict[str, list[str | None]] = {}
    for folder in outcome_folders(settings):
        for path in part_files(folder):
            rows = read_table(path, ("prompt", "model", "answer")).to_pylist()
            for row in rows:
                at = column.get(row["model"])
                if at is not None and row.get("answer"):
                    found.setdefault(row["prompt"], [None] * len(column))[at] = row["answer"]
    return {text: answers for text, answers in found.items() if sum(map(bool, answers)) >= LEAST_ANSWERED}
