"""The job of a query: runs the reply's and the probe's own on the same tables, in memory, and compares the rows.

The reply may only read. Both are bounded by the processor time and memory of the process, and by a number of rows.
"""

from __future__ import annotations

import sqlite3
from typing import Any

MOST_ROWS = 10_000
READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
MOST_STEPS = 20_000_000
STEPS_A_LOOK = 100_000

Rows = list[tuple[Any, ...]]


def run(subject: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Whether the reply's query gives the rows that the probe's own gives."""
    try:
        wanted = rows_of(asked["schema"], asked["answer"])
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        return {"broken": f"the probe's own query fails: {error}"}
    try:
        found = rows_of(asked["schema"], subject)
    except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError) as error:
        return {"right": False, "why": f"the query fails: {error}"}
    right = same(found, wanted) if asked["ordered"] else same(sorted(found, key=order), sorted(wanted, key=order))
    return {"right": right, "why": f"{len(found)} rows, {len(wanted)} wanted" if not right else "the rows agree"}


def rows_of(schema: str, query: str) -> Rows:
    """A query's rows on fresh tables.

    Raises:
        sqlite3.Error: it doesn't run, or does more than read, or too much.
        ValueError: too many rows.
    """
    tables = sqlite3.connect(":memory:")
    try:
        tables.executescript("PRAGMA temp_store = 2;" + schema)
        tables.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in READING else sqlite3.SQLITE_DENY)
        looks = iter(range(MOST_STEPS // STEPS_A_LOOK))
        tables.set_progress_handler(lambda: next(looks, None) is None, STEPS_A_LOOK)
        rows: Rows = tables.execute(query.strip().rstrip(";")).fetchmany(MOST_ROWS + 1)
    finally:
        tables.close()
    if len(rows) > MOST_ROWS:
        raise ValueError(f"more than {MOST_ROWS} rows")
    return rows


def same(found: Rows, wanted: Rows) -> bool:
    """Row by row, column by column; numbers within a billionth."""
    shapes = len(found) == len(wanted) and all(len(a) == len(b) for a, b in zip(found, wanted, strict=True))
    return shapes and all(equal(x, y) for a, b in zip(found, wanted, strict=True) for x, y in zip(a, b, strict=True))


def equal(x: Any, y: Any) -> bool:
    """Equal, numbers nearly."""
    if isinstance(x, int | float) and isinstance(y, int | float):
        return bool(x == y or abs(x - y) <= 1e-9 * max(abs(x), abs(y)))
    return bool(x == y)


def order(row: tuple[Any, ...]) -> list[tuple[str, Any]]:
    """A key that orders rows of any types; near numbers come to lie together."""
    return [
        ("", float(f"{one:.9g}")) if isinstance(one, int | float) else (type(one).__name__, one or "") for one in row
    ]
