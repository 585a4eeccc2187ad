"""The recorded prompts that are nearest to a query, and what the models scored on them.

Takes a `Past` and a vector; gives rows for the page, the most alike first, by cosine: every vector is compared, which
takes some milliseconds for 20,000. Texts are handed out only where whoever looks may see prompts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pointsman.records import Ints, Vectors
from pointsman.serve.ui.past import Past

SHOWN = 8


def nearest(past: Past, vector: Vectors, k: int = SHOWN) -> tuple[Ints, Vectors]:
    """The k rows most alike to a vector [D] of unit length, and their cosines; equal ones in the order of the rows."""
    similarity = past.vectors @ vector
    k = min(k, len(past))
    if k == 0:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    near = np.argpartition(-similarity, k - 1)[:k]
    near = np.flatnonzero(similarity >= similarity[near].min())  # of equal ones at the border the first are taken
    rows = near[np.argsort(-similarity[near], kind="stable")][:k]
    return rows.astype(np.int64), similarity[rows]


def neighbours_json(past: Past, vector: Vectors, *, prompts: bool, k: int = SHOWN) -> list[dict[str, Any]]:
    """The same for the page.

    Args:
        prompts: whether texts may be shown.
    """
    rows, similarity = nearest(past, vector, k)
    return [_row(past, i, one, prompts) for i, one in zip(rows.tolist(), similarity.tolist(), strict=True)]


def _row(past: Past, i: int, similarity: float, prompts: bool) -> dict[str, Any]:
    score = past.score[i]
    return {
        "prompt_id": past.prompt_ids[i],
        "dataset": past.datasets[i],
        "similarity": round(similarity, 6),
        "text": past.texts[i] if prompts else None,
        "scores": {past.models[m]: float(score[m]) for m in np.flatnonzero(np.isfinite(score)).tolist()},
    }
