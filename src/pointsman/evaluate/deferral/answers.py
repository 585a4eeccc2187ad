"""Answers for data sets that only recorded scores: written by chance, so that unlabelled ones can be tried.

A right answer is the same for all models; wrong ones are spread over four others, some more tempting than others (one
draw of popularities a prompt, shared by the models). A score between 0 and 1 is the chance of being right. Simulated,
and said so wherever a figure rests on it: real wrong answers agree more or less than these.
"""

from __future__ import annotations

import numpy as np

from pointsman.records import Floats

WRONG = 4
RIGHT = "right"


def written_answers(score: Floats, rng: np.random.Generator) -> list[list[str | None]]:
    """Answers [n][V] for scores [n, V]; None where a score is missing. Fewer rows are a prefix of more."""
    models = score.shape[1]
    return [_row(row, rng.random(2 * models + WRONG)) for row in score]


def _row(score: Floats, draws: Floats) -> list[str | None]:
    tempting = -np.log(np.maximum(draws[-WRONG:], 1e-12))
    edges = np.cumsum(tempting / tempting.sum())
    models = len(score)
    wrong = np.minimum(np.searchsorted(edges, draws[models : 2 * models]), WRONG - 1)
    return [_answer(float(score[v]), float(draws[v]), int(wrong[v])) for v in range(models)]


def _answer(score: float, luck: float, wrong: int) -> str | None:
    if np.isnan(score):
        return None
    return RIGHT if luck < score else f"wrong {wrong}"
