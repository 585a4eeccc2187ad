"""Which cell of a table's column is the best: what is ranked against what, tables say themselves.

Takes the cells of every policy or method by its name; gives the same cells with the best ones marked. Computes no
figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from pointsman.evaluate.render import Cell


def with_best(
    found: Mapping[str, tuple[Cell, ...]],
    ranked: Callable[[str], bool],
    columns: Iterable[int],
    best: Callable[[Iterable[float]], float] = max,
) -> dict[str, tuple[Cell, ...]]:
    """The same cells, the best of the ranked names marked in each of `columns`; nobody where all are equal.

    Args:
        found: cells by name; a cell without a value (NaN) is compared with none.
        ranked: whether a name is compared at all.
        columns: places in the tuples.
        best: `max` or `min`.
    """
    marked = {name: list(cells) for name, cells in found.items()}
    for column in columns:
        values = {name: cells[column].value for name, cells in found.items() if ranked(name)}
        there = {value for value in values.values() if not math.isnan(value)}
        for name, value in values.items():
            if len(there) > 1 and value == best(there):
                marked[name][column] = replace(marked[name][column], best=True)
    return {name: tuple(cells) for name, cells in marked.items()}
