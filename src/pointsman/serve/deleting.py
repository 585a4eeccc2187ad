"""Taking things out of a gateway's state for good: one query by its id, or all that is older than it may be.

Takes a state folder; changes outcomes, prompts that wait for feedback, decisions and onboardings' files, each at once
and whole, and says how much went where. The text isn't in any of these files afterwards: parts are written anew, and
databases overwrite what they delete. Fits that were made of a deleted text go as well; the next one is made without it.
What stays are sums over all answers (lengths, scores), which hold no text, and the ledger, whose entries are money.
A running gateway keeps a query in memory until it is written, at most a minute; it is told by nobody.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pointsman.errors import InputError
from pointsman.outcomes import prompt_id_of
from pointsman.outcomes.checks import optional_numbers
from pointsman.outcomes.exporting import of_probes
from pointsman.outcomes.upkeep import take_out
from pointsman.records import Mask

OUTCOMES, PROMPTS, JOURNAL = "outcomes", "prompts.sqlite", "decisions.sqlite"
LEARNED, ONBOARDING = "learned", "onboarding"  # of the state folder
WAIT_S = 10.0
NANO = 1_000_000_000
NAMES = ("id", "probe_id", "prompt_id", "decision_id")  # under which a line of an onboarding may bear an id


@dataclass(frozen=True, slots=True)
class Removed:
    """What went: rows of outcomes, of prompts, of decisions, lines of onboardings, and files of fits."""

    outcomes: int = 0
    prompts: int = 0
    decisions: int = 0
    lines: int = 0
    fits: int = 0

    @property
    def any(self) -> bool:
        """Whether anything did."""
        return bool(self.outcomes or self.prompts or self.decisions or self.lines or self.fits)


def delete(state: Path, wanted: str) -> Removed:
    """Everything of one query.

    Args:
        state: a gateway's state folder.
        wanted: the id of a decision, or of a prompt: then every query of that text goes.

    Raises:
        InputError: something can't be read or written; what was done until then stays done, and again does the rest.
    """
    ids = {wanted}

    def goes(table: pa.Table) -> Mask:
        names = table.column("prompt_id").to_pylist()
        of_text = {text: prompt_id_of(text) == wanted for text in table.column("prompt").unique().to_pylist()}
        found = [
            name == wanted or of_text[text]
            for name, text in zip(names, table.column("prompt").to_pylist(), strict=True)
        ]
        ids.update(name for name, one in zip(names, found, strict=True) if one)
        return np.array(found, np.bool_)

    taken = take_out(state / OUTCOMES, goes)
    ids |= _ids_of_text(state / PROMPTS, wanted)
    prompts = _erase(state / PROMPTS, "prompts", ("decision_id", "json_extract(row, '$.prompt_id')"), ids)
    decisions = _erase(state / JOURNAL, "exchanges", ("decision_id",), ids)
    _erase(state / JOURNAL, "feedback", ("decision_id",), ids)
    lines = sum(_without(path, ids) for path in sorted((state / ONBOARDING).rglob("*.jsonl")))
    fits = _drop_fits(state) if taken.rows or prompts or lines else 0
    return Removed(taken.rows, prompts, decisions, lines, fits)


def prune(state: Path, before_s: float, *, probes: bool = False, journal: bool = True) -> tuple[Removed, int]:
    """Everything from before a moment; and how many outcomes of no known time were left where they are.

    Args:
        state: a gateway's state folder.
        before_s: Unix seconds.
        probes: whether outcomes of probes go as well; they hold no one's query.
        journal: whether decisions and prompts that wait go as well.

    Raises:
        InputError: something can't be read or written.
    """
    timeless = 0

    def goes(table: pa.Table) -> Mask:
        nonlocal timeless
        at_s = optional_numbers(table, "outcomes", "at_s")
        mine = np.ones(len(at_s), np.bool_) if probes else ~of_probes(table)
        timeless += int((np.isnan(at_s) & mine).sum())
        return mine & (at_s < before_s)

    taken = take_out(state / OUTCOMES, goes)
    prompts = decisions = 0
    if journal:
        limit = int(before_s * NANO)
        prompts = _erase_before(state / PROMPTS, "prompts", limit)
        decisions = _erase_before(state / JOURNAL, "exchanges", limit)
    return Removed(taken.rows, prompts, decisions), timeless


def _ids_of_text(path: Path, wanted: str) -> set[str]:
    """Decisions that wait for feedback on a text of this id."""
    if not path.is_file():
        return set()
    with closing(_open(path)) as db:
        if not _has(db, "prompts"):
            return set()
        rows = db.execute("select decision_id, json_extract(row, '$.prompt') from prompts")
        return {name for name, text in rows if text is not None and prompt_id_of(text) == wanted}


def _erase(path: Path, table: str, columns: Sequence[str], ids: Collection[str]) -> int:
    places = ", ".join("?" * len(ids))
    where = " or ".join(f"{column} in ({places})" for column in columns)
    return _run(path, table, where, [*ids] * len(columns))


def _erase_before(path: Path, table: str, limit_ns: int) -> int:
    return _run(path, table, "at_ns < ?", [limit_ns])


def _run(path: Path, table: str, where: str, values: Sequence[object]) -> int:
    """Deletes rows so that their bytes are gone, from the file and from its write-ahead log."""
    if not path.is_file():
        return 0
    try:
        with closing(_open(path)) as db:
            if not _has(db, table):
                return 0
            db.execute("pragma secure_delete = on")
            count = db.execute(f"delete from {table} where {where}", list(values)).rowcount  # noqa: S608 (our own words)
            if count and table == "prompts":
                db.execute("vacuum")  # rows that were replaced earlier left their words on free pages
            db.execute("pragma wal_checkpoint(truncate)")
    except sqlite3.Error as error:
        raise InputError(f"can't be changed: {error}", place=str(path), remedy="try again") from None
    return count


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)


def _has(db: sqlite3.Connection, table: str) -> bool:
    return db.execute("select 1 from sqlite_schema where type = 'table' and name = ?", (table,)).fetchone() is not None


def _without(path: Path, ids: Collection[str]) -> int:
    """A file of JSON lines without those of these ids; gives how many went."""
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not _concerns(line, ids)]
    if len(kept) < len(lines):
        aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
        aside.write_bytes(b"".join(kept))
        aside.replace(path)
    return len(lines) - len(kept)


def _concerns(line: bytes, ids: Collection[str]) -> bool:
    try:
        said = json.loads(line)
    except ValueError:  # a line that is being written
        return False
    if not isinstance(said, dict):
        return False
    if any(said.get(name) in ids for name in NAMES if isinstance(said.get(name), str)):
        return True
    text = said.get("prompt")
    return isinstance(text, str) and prompt_id_of(text) in ids


def _drop_fits(state: Path) -> int:
    found = list((state / LEARNED).glob("*.fit"))
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)
