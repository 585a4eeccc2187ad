"""What happened, kept: decisions by id, the sums that estimates learn from, and where conversations were served.

The event loop hands over frozen values and reads; a thread of its own writes them in batches to `decisions.sqlite`
(`serve.journal_file`), which all workers share. Nothing here may hurt a query: a locked file or a full disk is logged,
counted and tried again, and what doesn't fit the queue meanwhile is dropped and counted. It keeps no prompt and no
answer.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman.serve.finished import Finished
from pointsman.serve.journal_file import (
    BEGINNINGS,
    CONVERSATION_NS,
    GET,
    RECALL,
    THERE,
    Batch,
    ModelTally,
    body_of,
    open_journal,
    read_body,
    sweep,
    write,
)
from pointsman.serve.wire.errors import Refusal

CONVERSATIONS_IN_MEMORY = 10_000
SWEEP_S = 10.0
LONGEST_PAUSE_S = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Health:
    """How the journal fares: rows waiting, rows dropped since the start, failed writes, and the last failure's text."""

    waiting: int
    dropped: int
    failures: int
    problem: str


class Journal:
    """The file and its thread. Every method but `flush` and `close` is meant for the event loop and is quick.

    Args:
        path: of `decisions.sqlite` in the state folder; made where it isn't there.
        keep_s: how long decisions can be looked up and scored.
        every_s: how long rows are gathered before they are written.
        limit: most rows that wait; further ones are dropped and counted.
        now_ns: the clock, Unix nanoseconds.

    Raises:
        InputError: the file can't be opened or isn't a journal of this version.
    """

    def __init__(
        self,
        path: Path,
        keep_s: float,
        *,
        every_s: float = 0.05,
        limit: int = 4_096,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._keep_ns, self._every_s, self._limit, self._now_ns = int(keep_s * 1e9), every_s, limit, now_ns
        self._reader, self._writer = open_journal(path), open_journal(path)
        self._lock = threading.Lock()
        self._waiting = Batch()
        self._written = Batch()  # what the thread is writing just now
        self._wake, self._idle, self._hurry = threading.Event(), threading.Event(), threading.Event()
        self._idle.set()
        self._closing = False
        self._dropped = self._failures = 0
        self._problem = ""
        self._recent: OrderedDict[bytes, tuple[str, int, int]] = OrderedDict()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    # --- from the event loop ---------------------------------------------------------------------------------------

    def add(self, finished: Finished) -> bool:
        """Keeps an exchange; False where it had to be dropped. Costs no more than a few microseconds."""
        with self._lock:
            if self._full():
                return False
            self._waiting.exchanges[finished.decision_id] = finished
        self._rouse()
        return True

    def get(self, decision_id: str) -> dict[str, Any] | None:
        """A decision as plain JSON values, with its `score`; None for an unknown id, or one too long ago.

        Another worker's decision shows as soon as it is written, a moment after its end.
        """
        finished, score = self._in_memory(decision_id)
        row = (body_of(finished), None) if finished is not None else self._read(GET, decision_id)
        if row is None:
            return None
        return read_body(row[0]) | {"score": row[1] if score is None else score}

    def feedback(self, decision_id: str, score: float) -> bool:
        """Completes a decision with how good the answer was; the last word counts. False for an unknown id.

        Args:
            decision_id: as the client got it.
            score: in [0, 1].

        Raises:
            Refusal: invalid_request_error, the score isn't a number in [0, 1]; "overloaded", too much waits already.
        """
        if not (math.isfinite(score) and 0.0 <= score <= 1.0):
            raise Refusal("invalid_request_error", "A score is a number from 0 to 1.", param="score")
        if self._in_memory(decision_id)[0] is None and self._read(THERE, decision_id) is None:
            return False
        with self._lock:
            if self._full():
                raise Refusal("overloaded", "Feedback can't be kept just now; try again.", retry_after_s=1.0)
            self._waiting.scores[decision_id] = float(score)
        self._rouse()
        return True

    def remember(self, digest: bytes, model: str, input_tokens: int) -> None:
        """Notes where a conversation was served, for an hour, for all workers.

        Args:
            digest: of the conversation, or of its session id.
            model: who served it, and so has its prompt cached.
            input_tokens: of that prompt.
        """
        line = (model, input_tokens, self._now_ns())
        self._recent[digest] = line
        self._recent.move_to_end(digest)
        if len(self._recent) > CONVERSATIONS_IN_MEMORY:
            self._recent.popitem(last=False)
        with self._lock:
            if self._full():
                return
            self._waiting.conversations[digest] = line
        self._rouse()

    def recall(self, digests: Sequence[bytes]) -> tuple[str, int] | None:
        """Where the longest known beginning of a conversation was served: model and the input tokens of then.

        Args:
            digests: of its beginnings, the longest first (the 16 longest count); empty for one that just begins.
        """
        if not digests:
            return None
        digests = digests[:BEGINNINGS]
        oldest_ns = self._now_ns() - CONVERSATION_NS
        for place, digest in enumerate(digests):
            line = self._recent.get(digest)
            if line is not None and line[2] > oldest_ns:
                return self._recall_elsewhere(digests[:place], oldest_ns) or line[:2]
        return self._recall_elsewhere(digests, oldest_ns)

    def tallies(self) -> dict[str, ModelTally]:
        """What has been learned so far of every model that has answered, by its id."""
        try:
            return {row[0]: ModelTally(*row) for row in self._reader.execute("select * from tallies")}
        except sqlite3.Error as error:
            self._note(error)
            return {}

    def health(self) -> Health:
        """For metrics and the readiness page."""
        with self._lock:
            return Health(len(self._waiting) + len(self._written), self._dropped, self._failures, self._problem)

    # --- from any thread; they wait --------------------------------------------------------------------------------

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Waits until all that was handed over is written; False if that took too long."""
        self._hurry.set()
        try:
            return self._idle.wait(timeout_s)
        finally:
            self._hurry.clear()

    def close(self, timeout_s: float = 5.0) -> bool:
        """Writes what waits and ends the thread; False if rows were lost, which are counted as dropped then."""
        self.flush(timeout_s)
        self._closing = True
        self._hurry.set()
        self._wake.set()
        self._thread.join()
        lost = len(self._waiting) + len(self._written)
        self._dropped += lost
        self._reader.close()
        self._writer.close()
        return not lost

    # --- shared by both sides --------------------------------------------------------------------------------------

    def _full(self) -> bool:
        """Whether there is no room; called with the lock held, counts the row as dropped if so."""
        if len(self._waiting) + len(self._written) < self._limit:
            self._idle.clear()
            return False
        self._dropped += 1
        return True

    def _recall_elsewhere(self, digests: Sequence[bytes], oldest_ns: int) -> tuple[str, int] | None:
        """As `recall`, of what other workers or an earlier run have noted."""
        if not digests:
            return None
        try:
            rows = self._reader.execute(RECALL, (*digests, *[b""] * (BEGINNINGS - len(digests)), oldest_ns)).fetchall()
        except sqlite3.Error as error:
            self._note(error)
            return None
        found = {digest: (model, input_tokens) for digest, model, input_tokens in rows}
        return next((found[digest] for digest in digests if digest in found), None)

    def _rouse(self) -> None:
        if not self._wake.is_set():
            self._wake.set()

    def _in_memory(self, decision_id: str) -> tuple[Finished | None, float | None]:
        """An exchange and a score that aren't in the file yet."""
        with self._lock:
            parts = (self._waiting, self._written)
            finished = next((part.exchanges[decision_id] for part in parts if decision_id in part.exchanges), None)
            score = next((part.scores[decision_id] for part in parts if decision_id in part.scores), None)
        return finished, score

    def _read(self, sql: str, *values: object) -> tuple[Any, ...] | None:
        """One row of the file; None too where it can't be read."""
        try:
            row: tuple[Any, ...] | None = self._reader.execute(sql, values).fetchone()
        except sqlite3.Error as error:
            self._note(error)
            return None
        return row

    def _note(self, error: Exception) -> None:
        """Counts a failure; says so when it is news."""
        text = f"{type(error).__name__}: {error}"
        if text != self._problem:
            log.warning("the journal can't be read or written, it is tried again: %s", text)
        with self._lock:
            self._failures, self._problem = self._failures + 1, text

    # --- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause_s, swept_s = self._every_s, -math.inf
        while not self._closing:
            self._wake.wait()
            self._hurry.wait(pause_s)
            done = self._write_waiting()
            pause_s = self._every_s if done else min(2 * pause_s, LONGEST_PAUSE_S)
            if not done:
                time.sleep(self._every_s)  # someone who is in a hurry gets no busy loop
            if done and time.monotonic() - swept_s > SWEEP_S:
                self._sweep()
                swept_s = time.monotonic()

    def _write_waiting(self) -> bool:
        """Writes one batch; False where that failed and the rows wait again."""
        with self._lock:
            self._wake.clear()
            self._written, self._waiting = self._waiting, Batch()
        try:
            unfit = write(self._writer, self._written)
        except sqlite3.DatabaseError as error:
            self._note(error)
            self._take_back()
            return False
        except Exception:
            log.exception("a batch of the journal can't be written and is dropped")
            unfit = len(self._written)
        with self._lock:
            self._dropped += unfit
            self._written = Batch()
            self._problem = ""
            if not len(self._waiting):
                self._idle.set()
        return True

    def _take_back(self) -> None:
        with self._lock:
            self._waiting.absorb(self._written)
            self._written = Batch()
        self._wake.set()

    def _sweep(self) -> None:
        """Forgets what is older than it is to be kept, a piece at a time."""
        try:
            sweep(self._writer, self._now_ns(), self._keep_ns)
        except sqlite3.Error as error:
            self._note(error)
