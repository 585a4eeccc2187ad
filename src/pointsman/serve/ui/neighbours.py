"""The recorded prompts that are nearest to a query, and what the models scored on them.

Takes a `Past` and a vector; gives rows for the page, the most alike first, by cosine: every vector is compared, which
takes some milliseconds for 20,000. A text that was asked several times is one row, with the means of its scores. Texts
are handed out only where whoever looks may see prompts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pointsman.records import Ints, Vectors
from pointsman.serve.ui.past import Past

SHOWN = 8


def nearest(past: Past, vector: Vectors, k: int = SHOWN, but: str = "") -> tuple[list[Ints], list[float]]:
    """The k texts most alike to a vector [D] of unit length: the rows of each, and its cosine; equal ones in order.

    Args:
        but: the id of a prompt that is left out: the query itself.
    """
    if k <= 0:
        return [], []
    similarity = past.vectors @ vector
    others = np.array([name != but for name in past.prompt_ids], np.bool_)
    found: dict[int, float] = {}
    for i in np.argsort(-similarity, kind="stable").tolist():
        if others[i]:
            found.setdefault(int(past.group[i]), float(similarity[i]))
        if len(found) == k:
            break
    return [np.flatnonzero((past.group == one) & others) for one in found], list(found.values())


def neighbours_json(
    past: Past, vector: Vectors, *, prompts: bool, k: int = SHOWN, but: str = ""
) -> list[dict[str, Any]]:
    """The same for the page.

    Args:
        prompts: whether texts may be shown.
    """
    groups, similarity = nearest(past, vector, k, but)
    return [_row(past, rows, one, prompts) for rows, one in zip(groups, similarity, strict=True)]


def _row(past: Past, rows: Ints, similarity: float, prompts: bool) -> dict[str, Any]:
    first, score = int(rows[0]), past.score[rows]
    there = np.flatnonzero(np.isfinite(score).any(axis=0))
    means = np.nanmean(score[:, there], axis=0)
    return {
        "prompt_id": past.prompt_ids[first],
        "dataset": past.datasets[first],
        "similarity": round(similarity, 6),
        "text": past.texts[first] if prompts else None,
        "scores": {past.models[m]: float(mean) for m, mean in zip(there.tolist(), means.tolist(), strict=True)},
    }
