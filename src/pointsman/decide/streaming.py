"""Prices when the queries don't fit in memory: the descent of `dual`, each pass reading them chunk by chunk.

Takes a way to begin the chunks again (each a small `Program` with the same funds), gives `Prices` with the same
certificate as `dual.solve`. A first pass counts the queries and keeps an even sample, prices are solved on that, and
every further pass is one Newton step over all of them: about a dozen passes in all. Held at a time: one chunk, the
sample (at most twice `sample_rows`, and twice again while it is joined, each row models × 8 bytes for quality and for
each unit in use), and a few matrices of (units in use × models)². A million queries or a thousand make no difference.
It keeps no assignment: send each query to its best model at the prices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from pointsman.decide.dual import (
    Layout,
    Prices,
    Reading,
    Rows,
    check_request,
    descend_from,
    layout_of,
    prices_of,
    read_rows,
    rows_of,
    solve_rows,
)
from pointsman.decide.program import FundTable, Program
from pointsman.errors import InputError
from pointsman.records import Floats

Chunks = Callable[[], Iterable[Program]]

_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class _Census:
    """What the first pass learns: how many rows, their weight, what they could reach for free, and a sample."""

    rows: int
    weight: float
    best: float
    sample: Rows


def solve_stream(
    chunks: Chunks,
    funds: FundTable,
    *,
    start: Floats | None = None,
    tolerance: float = 1e-4,
    sample_rows: int = 10_000,
    most_passes: int = 200,
) -> Prices:
    """The price of every fund over all chunks.

    Args:
        chunks: called once for each pass; yields the same programs every time, each with `funds`.
        funds: the budgets of the whole.
        start: float [F], earlier prices; they take the place of the sample's.
        tolerance: (bound − value) / bound to stop at.
        sample_rows: at least how many rows to keep for the first prices, if there are as many.
        most_passes: passes after which to give up and say so (`converged` is False).

    Raises:
        InputError: no queries, other funds in a chunk, chunks that differ between passes; as `dual.solve`.
    """
    check_request(funds, start, tolerance)
    layout = layout_of(funds)
    pour = partial(_rows, chunks, funds, layout)
    census = _take_census(pour(), sample_rows)
    warm = np.zeros(len(layout.open_))
    if start is not None:
        warm = start[layout.open_] * funds.budget[layout.open_]
    if not warm.any():
        warm = solve_rows(census.sample, layout, warm, tolerance, most_passes).point.scaled

    def read(unit_price: Floats, temperature: float) -> Reading:
        return _read_all(pour(), unit_price, temperature, census.rows)

    end = descend_from(
        read, layout, warm, best=census.best, weight=census.weight, tolerance=tolerance, most=most_passes
    )
    return prices_of(funds, layout, end)


def _rows(chunks: Chunks, funds: FundTable, layout: Layout) -> Iterator[Rows]:
    """One pass: every chunk laid out for reading."""
    for number, chunk in enumerate(chunks()):
        same = chunk.funds.names == funds.names and np.array_equal(chunk.funds.budget, funds.budget)
        if not same or not np.array_equal(chunk.funds.draws, funds.draws):
            raise InputError(
                "the chunk has other funds",
                place=f"chunk {number}",
                remedy="build every chunk with the funds given to `solve_stream`",
            )
        yield rows_of(chunk, layout)


def _read_all(parts: Iterator[Rows], unit_price: Floats, temperature: float, expected: int) -> Reading:
    total: Reading | None = None
    count = 0
    for rows in parts:
        reading = read_rows(rows, unit_price, temperature)
        total = reading if total is None else total + reading
        count += len(rows.quality)
    if total is None or count != expected:
        raise InputError(
            f"a pass over the chunks gave {count} queries, the first gave {expected}",
            place="chunks",
            remedy="pass a function that begins the same chunks again, not an iterator that is used up",
        )
    return total


def _take_census(parts: Iterator[Rows], sample_rows: int) -> _Census:
    """Count, weigh and sample: row n stays while the fraction of n·φ is below a share; it halves when they pile up."""
    kept: list[tuple[Floats, Rows]] = []
    count, weight, best, share = 0, 0.0, 0.0, 1.0
    for rows in parts:
        lot = np.arange(count, count + len(rows.quality), dtype=np.float64) * _GOLDEN % 1.0
        kept.append(_below(share, lot, rows))
        count += len(lot)
        while share * count > 2 * sample_rows:
            share /= 2
            kept = [_below(share, *part) for part in kept]
        weight += float(rows.weights.sum())
        best += float(rows.weights @ np.maximum(0.0, rows.quality.max(axis=1)))
    if not count:
        raise InputError("the chunks hold no queries", place="chunks", remedy="give at least one query")
    return _Census(count, weight, best, _joined([rows for _, rows in kept], weight))


def _below(share: float, lot: Floats, rows: Rows) -> tuple[Floats, Rows]:
    chosen = np.flatnonzero(lot < share)
    return lot[chosen], Rows(rows.quality[chosen], rows.tables[:, chosen], rows.weights[chosen])


def _joined(parts: list[Rows], weight: float) -> Rows:
    """One table of rows, standing for queries of that weight in all."""
    weights = np.concatenate([part.weights for part in parts])
    return Rows(
        np.concatenate([part.quality for part in parts]),
        np.concatenate([part.tables for part in parts], axis=1),
        weights * (weight / weights.sum()),
    )
