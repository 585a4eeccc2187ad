"""Two outcome sets put one behind the other, over the models of either. A query that both know is the later one's."""

from __future__ import annotations

import numpy as np

from pointsman.records import Floats, Outcomes


def joined(first: Outcomes, second: Outcomes) -> Outcomes:
    """Rows of the first that the second doesn't know, then all of the second's; NaN where a set has no such model."""
    known = set(second.prompt_ids)
    first = first.take(np.array([row for row, name in enumerate(first.prompt_ids) if name not in known], np.int64))
    models = tuple(sorted({*first.models, *second.models}))

    def both(name: str) -> Floats:
        return np.concatenate([_wide(getattr(one, name), one.models, models) for one in (first, second)])

    return Outcomes(
        [*first.prompt_ids, *second.prompt_ids],
        [*first.texts, *second.texts],
        [*first.datasets, *second.datasets],
        models,
        both("score"),
        both("cost_usd"),
        both("output_tokens"),
        np.concatenate([first.input_tokens, second.input_tokens]),
        second.title,
        second.simulated,
    )


def _wide(table: Floats, have: tuple[str, ...], want: tuple[str, ...]) -> Floats:
    found = np.full((len(table), len(want)), np.nan)
    found[:, [want.index(name) for name in have]] = table
    return found
