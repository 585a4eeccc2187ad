"""Labels that aren't there: how likely an ungraded answer is right, from what the known models answered.

Every model votes for its own answer with the log-odds that it is right on such a prompt, as expected before anybody
answered; models fail together, so the votes are weakened by their correlation (the design effect of a cluster sample).
An answer's label is its share of the belief, "none of these" having one too (a naive Bayes vote in the manner of
Dawid and Skene, 1979, with abilities that vary by prompt and are learned elsewhere). A new model's own vote doesn't
count for itself. Gives soft scores in [0, 1] to be used where graded ones are missing.

Works where two right answers are equal, after trivial differences of writing are taken off: choices, numbers, labels.
Refuses nothing and grades nothing: free text that is never equal gets labels near the prior.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from pointsman.errors import InputError
from pointsman.records import Floats

_SUREST = 0.02  # expectations are kept this far from 0 and 1


def soft_scores(
    answers: Sequence[Sequence[str | None]], expected: Floats, correlation: float, voters: int | None = None
) -> Floats:
    """How likely each answer is right.

    Args:
        answers: n rows of V answers, the voters' first; None where a model wasn't asked.
        expected: float [n, V], how likely each is right before anything is seen; voters' expectations are their
            votes, the others' serve where nobody else gave the same answer.
        correlation: mean correlation of the known models' errors, in [0, 1]; see `error_correlation`.
        voters: how many of the columns vote; None means all.

    Returns:
        float [n, V], NaN where there is no answer.

    Raises:
        InputError: shapes that don't match.
    """
    count = expected.shape[1] if voters is None else voters
    if len(answers) != len(expected) or any(len(row) != expected.shape[1] for row in answers):
        raise InputError(
            f"{len(answers)} rows of answers, expectations of shape {expected.shape}",
            place="consensus",
            remedy="give one expectation an answer",
        )
    weight = 1.0 / (1.0 + max(count - 1, 0) * float(np.clip(correlation, 0.0, 1.0)))
    odds = np.clip(expected, _SUREST, 1.0 - _SUREST)
    return np.array([_row(list(row), odds[i], weight, count) for i, row in enumerate(answers)], dtype=np.float64)


def _row(answers: list[str | None], odds: Floats, weight: float, voters: int) -> Floats:
    spelled = [None if answer is None else plain(answer) for answer in answers]
    return np.array([_belief(at, spelled, odds, weight, voters) for at in range(len(spelled))])


def _belief(at: int, answers: list[str | None], odds: Floats, weight: float, voters: int) -> float:
    """Belief in one answer, its own giver not voting."""
    mine = answers[at]
    if mine is None:
        return np.nan
    others = [v for v in range(voters) if v != at and answers[v] is not None]
    ballots = {answers[v] for v in others} | {mine}
    rivals = max(len(ballots), 2)
    votes = dict.fromkeys(ballots, 0.0)
    for v in others:
        votes[answers[v]] += weight * float(np.log(odds[v] * rivals / (1.0 - odds[v])))
    # The giver's own ability is the prior that its answer is right; the rest is shared by the other ballots and "none".
    prior = {answer: (1.0 - odds[at]) / len(ballots) for answer in ballots} | {mine: float(odds[at])}
    strength = {answer: vote + np.log(prior[answer]) for answer, vote in votes.items()}
    top = max(strength.values())
    none = (1.0 - odds[at]) / len(ballots) * np.exp(-top)
    whole = sum(np.exp(value - top) for value in strength.values()) + none
    return float(np.exp(strength[mine] - top) / whole)


def plain(answer: str) -> str:
    """An answer without what doesn't matter: case, outer spaces and brackets, a closing full stop, width of letters."""
    folded = unicodedata.normalize("NFKC", answer).casefold().strip()
    return " ".join(folded.strip("()[]{}.,:;\"'` \n\t").split())


def error_correlation(score: Floats, expected: Floats) -> float:
    """Mean correlation, over pairs of models, of scores [R, M] about their expectations; 0 for a single model."""
    known = np.isfinite(score)
    left = np.where(known, score - expected, 0.0)
    scale = np.sqrt(np.maximum((left**2).sum(axis=0), 1e-12))
    together = (left.T @ left) / np.outer(scale, scale)
    models = score.shape[1]
    if models < 2:
        return 0.0
    return float(np.clip((together.sum() - np.trace(together)) / (models * (models - 1)), 0.0, 1.0))
