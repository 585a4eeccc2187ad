"""Labels that aren't there: how likely an ungraded answer is right, from what the known models answered.

Every known model votes for its own answer with the log-odds that it is right on such a prompt, as expected before
anybody answered; models fail together, so the votes are weakened by their correlation (the design effect of a cluster
sample). What the votes of the others say for an answer, against all other ballots and "none of these", is a likelihood
ratio; with the giver's own ability as the prior odds it makes a belief. The ratios are scaled so that the known models'
beliefs average what is known of them, and a new model's ability is the one that agrees with its own mean belief (a
naive Bayes vote with abilities by expectation-maximisation, in the manner of Dawid and Skene, 1979). Gives soft scores
in [0, 1] to be used where graded ones are missing.

Works where two right answers are equal, after trivial differences of writing are taken off: choices, numbers, labels.
Grades nothing: free text that is never equal gets labels near the prior. A new model that is right where the known ones
agree on something wrong is marked down: a consensus can't see past itself.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit, logsumexp

from pointsman.errors import InputError
from pointsman.records import Floats

_SUREST = 0.02  # expectations are kept this far from 0 and 1
_ROUNDS = 50
_FARTHEST = 12.0  # of a shift in log-odds
_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}  # full-width forms of the ASCII characters

Answers = Sequence[Sequence[str | None]]


@dataclass(frozen=True, slots=True)
class Beliefs:
    """How likely each answer is right, NaN where there is none.

    Attributes:
        known: float [n, M], of the known models' answers.
        asked: float [n, N], of the new models'.
    """

    known: Floats
    asked: Floats


def soft_scores(known: Answers, asked: Answers, expected: Floats, correlation: float) -> Beliefs:
    """How likely each answer is right.

    Args:
        known: n rows of the M known models' answers, None where a model wasn't asked.
        asked: n rows of the N new models' answers.
        expected: float [n, M], how likely each known model is right on the prompt, before anything is seen.
        correlation: mean correlation of the known models' errors, in [0, 1]; see `error_correlation`.

    Raises:
        InputError: shapes that don't match.
    """
    uneven = any(len(row) != expected.shape[1] for row in known) or len({len(row) for row in asked}) > 1
    if not len(known) == len(asked) == len(expected) or uneven:
        raise InputError(
            f"{len(known)} and {len(asked)} rows of answers, expectations of shape {expected.shape}",
            place="consensus",
            remedy="give the known models' answers with one expectation each, and the new models' on the same prompts",
        )
    ability = logit(np.clip(expected, _SUREST, 1.0 - _SUREST))
    weight = 1.0 / (1.0 + max(expected.shape[1] - 1, 0) * float(np.clip(correlation, 0.0, 1.0)))
    ratios = [_row(voters, others, odds, weight) for voters, others, odds in zip(known, asked, ability, strict=True)]
    columns = expected.shape[1] + (len(asked[0]) if len(asked) else 0)
    ratio = np.array(ratios, dtype=np.float64).reshape(len(known), columns)
    votes, strangers = np.split(ratio, [expected.shape[1]], axis=1)
    scale = _calibration(votes, ability)
    usual = logit(np.clip(expected.mean(axis=1), _SUREST, 1.0 - _SUREST))
    found = [_stranger(strangers[:, v] + scale, usual) for v in range(strangers.shape[1])]
    return Beliefs(expit(ability + votes + scale), np.column_stack(found) if found else strangers)


def _row(voters: Sequence[str | None], others: Sequence[str | None], odds: Floats, weight: float) -> list[float]:
    """What the other voters say for each answer, as log likelihood ratios; NaN where there is no answer."""
    answers = [None if answer is None else plain(answer) for answer in (*voters, *others)]
    rivals = max(len(set(answers[: len(voters)]) - {None}), 2)
    vote = weight * (odds + np.log(rivals))
    totals: dict[str, float] = {}
    for answer, value in zip(answers[: len(voters)], vote.tolist(), strict=True):
        if answer is not None:
            totals[answer] = totals.get(answer, 0.0) + value
    own = [*vote.tolist(), *(0.0 for _ in others)]
    return [_ratio(answer, totals, mine) for answer, mine in zip(answers, own, strict=True)]


def _ratio(answer: str | None, totals: dict[str, float], own: float) -> float:
    """Log ratio of one answer's likelihood to the mean of the other ballots' and of none being right."""
    if answer is None:
        return np.nan
    others = [total for ballot, total in totals.items() if ballot != answer]
    against = float(logsumexp([*others, 0.0])) - float(np.log(len(others) + 1))
    return (totals[answer] - own if answer in totals else 0.0) - against


def _calibration(votes: Floats, ability: Floats) -> float:
    """The shift of all log ratios with which the known models' beliefs average their expectations."""
    there = np.isfinite(votes)
    if not there.any():
        return 0.0
    evidence, prior = votes[there], ability[there]
    return _shift_to(float(expit(prior).mean()), prior + evidence)


def _stranger(evidence: Floats, usual: Floats) -> Floats:
    """Beliefs in a new model's answers: its ability is the known models' on each prompt, shifted to fit."""
    there = np.isfinite(evidence)
    shift = 0.0
    for _ in range(_ROUNDS if there.any() else 0):
        belief = float(expit(usual[there] + shift + evidence[there]).mean())
        shift = _shift_to(belief, usual[there])
    return np.asarray(expit(usual + shift + evidence), np.float64)


def _shift_to(mean: float, odds: Floats) -> float:
    """What must be added to log-odds for their probabilities to average `mean`, within reason."""

    def away(shift: float) -> float:
        return float(expit(odds + shift).mean()) - mean

    if away(-_FARTHEST) >= 0.0:
        return -_FARTHEST
    return _FARTHEST if away(_FARTHEST) <= 0.0 else float(brentq(away, -_FARTHEST, _FARTHEST, xtol=1e-6))


def plain(answer: str) -> str:
    """An answer without what doesn't matter: case, outer spaces and brackets, closing stops, width of letters."""
    folded = unicodedata.normalize("NFC", answer).translate(_NARROW).casefold()
    return " ".join(folded.strip("()[]{}\"'` \n\t").rstrip(".,:;()[]{}\"'` \n\t").split())


def error_correlation(score: Floats, expected: Floats) -> float:
    """Mean correlation, over pairs of models, of scores [R, M] about their expectations; 0 for a single model."""
    models = score.shape[1]
    if models < 2:
        return 0.0
    known = np.isfinite(score)
    left, there = np.where(known, score - expected, 0.0), known.astype(np.float64)
    squares = (left**2).T @ there  # of the first of a pair, over the rows that both have
    together = (left.T @ left) / np.sqrt(np.maximum(squares * squares.T, 1e-24))
    return float(np.clip((together.sum() - np.trace(together)) / (models * (models - 1)), 0.0, 1.0))
