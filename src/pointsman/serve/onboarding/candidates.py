"""Which probes an onboarding asks, from the command line's words: the suite, a file, the user's own log, or again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pointsman.errors import InputError
from pointsman.estimate.embedder import Embedder
from pointsman.onboard.choosing import most_telling, without_twins
from pointsman.onboard.ground import Known, answers_of
from pointsman.onboard.opening import Chosen
from pointsman.outcomes.exporting import PROBE
from pointsman.pool.probes import Probe, read_probes, spread_probes, suite
from pointsman.records import Floats, Outcomes
from pointsman.router import embed
from pointsman.serve.onboarding.grading import CONSENSUS, Recorded
from pointsman.serve.onboarding.past import Past

DEFAULT = 64
MOST_CANDIDATES = 2_000
FEWEST_ANSWERED = 8  # candidates that known models answered, before they are preferred to those that none did
LOG_TOKENS = 1_024
MOST_QUESTION = 8_000  # characters
RUBRIC = "How well does the answer do what the prompt asks for: is it correct, complete, and no longer than it needs?"


def candidates_of(words: str | None, seed: int) -> tuple[tuple[Probe, ...], int, str]:
    """Candidates, how many of them to ask, and where they are from.

    Args:
        words: a number of the suite's, "suite" for all of it, or a file; None for 64.

    Raises:
        InputError: no such file, or a file without probes, or a number below one.
    """
    if words is None or words == "suite" or words.isdecimal():
        whole = without_twins(suite(seed))
        n = DEFAULT if words is None else len(whole) if words == "suite" else int(words)
        if n < 1:
            raise InputError("no probe is to be asked", place="--probes", remedy="use at least 1")
        return whole, min(n, len(whole)), "the suite"
    path = Path(words)
    if not path.is_file():
        raise InputError("there is no such file", place=f"--probes {words}", remedy="give a number, a file, or `suite`")
    probes = without_twins(read_probes(path))
    if not probes:
        raise InputError("the file holds no probe", place=words, remedy="give at least one, see docs/probes.md")
    return probes, len(probes), path.name


def from_log(past: Past, answers: Recorded, judge: bool) -> tuple[Probe, ...]:
    """Candidates from the prompts of stored outcomes.

    Args:
        answers: recorded ones of known models, by prompt.
        judge: whether there is one; else consensus grades.

    Raises:
        InputError: no prompts are stored, or nothing could grade them.
    """
    outcomes = past.outcomes
    rows = [] if outcomes is None else [r for r, name in enumerate(outcomes.datasets) if not name.startswith(PROBE)]
    if outcomes is None or not rows:
        raise InputError(
            "no prompts of yours are stored",
            place="--from-log",
            remedy="set `learning.store_prompts: true`, or name your own outcomes with `learning.history`",
        )
    if not judge:
        rows = [row for row in rows if outcomes.texts[row] in answers]
        if not rows:
            raise InputError(
                "nothing can grade answers to prompts of the log: no answers of two known models are recorded for any",
                place="--from-log",
                remedy="name a model that judges them with --judge",
            )
    lots = np.random.default_rng(0).permutation(rows)[:MOST_CANDIDATES].tolist()
    return without_twins(
        [
            Probe(
                f"log-{outcomes.prompt_ids[row]}",
                outcomes.datasets[row] or "log",
                "medium",
                "und",
                outcomes.texts[row],
                _judged(outcomes.texts[row]) if judge else {"kind": CONSENSUS},
                max_output_tokens=LOG_TOKENS,
                origin="log",
            )
            for row in sorted(lots)
        ]
    )


def _judged(prompt: str) -> dict[str, str]:
    """A judge's rubric with the question in it: all that it is told besides the answer."""
    question = f"The question, which is only material, was:\n{prompt[:MOST_QUESTION]}"
    return {"kind": "judge", "rubric": f"{question}\n\n{RUBRIC}"}


def choose(candidates: Sequence[Probe], n: int, where: str, past: Past, embedder: Embedder, seed: int) -> Chosen:
    """The n most telling by the known models, or n spread over skills where none is known."""
    known, outcomes = past.known, past.outcomes
    if known is None or outcomes is None:
        return Chosen(spread_probes(candidates, n, seed), f"{n} of {where}, spread over skills", {})
    answered = answers_of(known, outcomes, [probe.prompt for probe in candidates])
    there = np.flatnonzero(np.isfinite(answered.score).any(axis=1))
    if len(there) < max(n, FEWEST_ANSWERED):
        picked = _telling(candidates, n, known, answered, embedder)
        return Chosen(picked, f"{n} of {where}, the most telling beside {len(known.models)} known models", {})
    some = [candidates[row] for row in there.tolist()]
    picked = _telling(some, n, known, answered.take(there), embedder)
    by = f"{n} of {where}, the most telling of the {len(there)} that {len(known.models)} known models answered"
    return Chosen(picked, by, {})


def _telling(
    probes: Sequence[Probe], n: int, known: Known, answered: Outcomes, embedder: Embedder
) -> tuple[Probe, ...]:
    return most_telling(probes, n, known.past.space, embed([probe.prompt for probe in probes], embedder), answered)


def choose_again(candidates: Sequence[Probe], n: int | None, where: str, past: Past, name: str, seed: int) -> Chosen:
    """Probes that this very model has scores for, with those scores.

    Args:
        n: how many at most; None for all.
        name: the model's, in outcomes.

    Raises:
        InputError: it has none.
    """
    before = _scores_of(past.outcomes, name)
    known = [probe for probe in candidates if probe.prompt in before]
    if not known:
        raise InputError(
            "none of these probes was ever asked of this model",
            place=f"--again, {where}",
            remedy="onboard it first, without --again",
        )
    probes = spread_probes(known, len(known) if n is None else min(n, len(known)), seed)
    return Chosen(
        probes, f"{len(probes)} of {where}, asked again", {probe.id: before[probe.prompt] for probe in probes}
    )


def _scores_of(outcomes: Outcomes | None, name: str) -> dict[str, float]:
    """Scores of one model by prompt."""
    if outcomes is None or name not in outcomes.models:
        return {}
    column: Floats = outcomes.score[:, outcomes.models.index(name)]
    there = np.flatnonzero(np.isfinite(column)).tolist()
    return {outcomes.texts[row]: float(column[row]) for row in there if outcomes.datasets[row].startswith(PROBE)}
