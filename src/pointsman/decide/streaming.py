"""Prices when the queries don't fit in memory: the descent of `dual`, each pass reading them chunk by chunk.

Takes a way to begin the chunks again (each a small `Program` with the same funds), gives `Prices` with the same
certificate as `dual.solve`. A first pass counts the queries and keeps an even sample, prices are solved on that, and
every further pass is one Newton step over all of them: about a dozen passes. Held at a time: one chunk, the sample
(`sample_rows` × models × 8 bytes for quality and for each unit in use, twice that while it is drawn), and one matrix
of (units in use × models)². It keeps no assignment: send each query to its best model at the prices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

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
    census = _take_census(chunks, layout, sample_rows)
    warm = np.zeros(len(layout.open_))
    if start is not None:
        warm = start[layout.open_] * funds.budget[layout.open_]
    if not warm.any():
        warm = solve_rows(census.sample, layout, warm, tolerance, most_passes).point.scaled

    def read(rates: Floats, temperature: float) -> Reading:
        return _read_chunks(chunks, layout, census.rows, rates, temperature)

    end = descend_from(
        read, layout, warm, best=census.best, weight=census.weight, tolerance=tolerance, most=most_passes
    )
    return prices_of(funds, layout, end)


def _read_chunks(chunks: Chunks, layout: Layout, expected: int, rates: Floats, temperature: float) -> Reading:
    total: Reading | None = None
    count = 0
    for chunk in chunks():
        reading = read_rows(rows_of(chunk, layout), rates, temperature)
        total = reading if total is None else total + reading
        count += len(chunk)
    if total is None or count != expected:
        raise InputError(
            f"a pass over the chunks gave {count} queries, the first gave {expected}",
            place="chunks",
            remedy="pass a function that begins the same chunks again, not an iterator that is used up",
        )
    return total


def _take_census(chunks: Chunks, layout: Layout, sample_rows: int) -> _Census:
    """Count, weigh and sample: row n is kept while the fraction of n·φ is below a share that halves when they pile up."""
    kept: list[tuple[Floats, Rows]] = []
    count, weight, best, share = 0, 0.0, 0.0, 1.0
    for chunk in chunks():
        rows = rows_of(chunk, layout)
        lot = (np.arange(count, count + len(chunk)) * _GOLDEN) % 1.0
        kept.append(_below(share, lot, rows))
        while share * (count + len(chunk)) > 2 * sample_rows:
            share /= 2
            kept = [_below(share, *part) for part in kept]
        count += len(chunk)
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
