"""The ledger as the gateway uses it: holds at once, endings gathered and booked together, none ever lost.

Takes asks and endings from one event loop; gives held or refused. An ending is handed over without waiting, so it can
be said in a `finally` of a cancelled task; it is booked in the same turn of the loop, with the others of that turn.
When the store fails, nothing new is held (the gateway says so and refuses) and endings wait until it works again.
It knows nothing of models or HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from pointsman.ledger.book import Book
from pointsman.ledger.entries import Ask, Balance, Ended, Ending, Held, LedgerFund, NotEnded, Refused
from pointsman.serve.wire.errors import Refusal

RETRY_S = 0.25
CLOSING_TRIES = 20
RECENT_S = 1.0

Booked = Callable[[Ended], None]


class Till:
    """One worker's hand on the ledger.

    Args:
        book: the store.
        on_trouble: told of everything that should never happen: a store that fails, an ending that is refused.

    Attributes:
        on_freed: called when holds of this worker have ended, if somebody waits for that.
    """

    def __init__(self, book: Book, on_trouble: Callable[[str, str], None]) -> None:
        self.book = book
        self._on_trouble = on_trouble
        self._endings: list[tuple[Ending, Booked | None]] = []
        self._due: asyncio.Handle | None = None
        self._looked, self._recent = -RECENT_S, dict[str, Balance]()
        self.on_freed: Callable[[], None] | None = None

    def declare(self, funds: Sequence[LedgerFund]) -> None:
        """Puts funds in force."""
        self.book.declare(funds, time.time_ns())

    def hold(self, asks: Sequence[Ask]) -> list[Held | Refused]:
        """Checks and holds in one act, after everything that has ended.

        Raises:
            Refusal: the store fails; nothing is held then.
        """
        self.flush()
        try:
            return self.book.hold(asks, time.time_ns())
        except Exception as error:
            raise self._unavailable("hold", error) from error

    def end(self, ending: Ending, booked: Booked | None = None) -> None:
        """Hands over an ending; never waits, never fails. `booked` is told what was booked."""
        self._endings.append((ending, booked))
        if self._due is None:
            self._due = asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Books every ending handed over so far; those that can't be booked now are tried again by themselves."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if not self._endings:
            return
        waiting, self._endings = self._endings, []
        try:
            results = self.book.end([ending for ending, _ in waiting], time.time_ns())
        except Exception as error:
            self._on_trouble("end", type(error).__name__)
            self._endings = waiting + self._endings
            self._due = self._later()
            return
        for (ending, booked), result in zip(waiting, results, strict=True):
            if isinstance(result, NotEnded):
                self._on_trouble("end", f"{result.why}: {ending.id}")
            elif booked is not None:
                booked(result)
        if self.on_freed is not None:
            self.on_freed()

    def balances(self) -> list[Balance]:
        """What every fund has, with everything that has ended booked.

        Raises:
            Refusal: the store fails.
        """
        self.flush()
        try:
            return self.book.balances(time.time_ns())
        except Exception as error:
            raise self._unavailable("tell balances", error) from error

    def by_fund(self) -> dict[str, Balance]:
        """The same by the funds' names."""
        return {balance.fund: balance for balance in self.balances()}

    def recent(self) -> Mapping[str, Balance]:
        """Balances by fund, at most a second old: good enough to tell a client, never to decide what can be paid."""
        now = time.monotonic()
        if now - self._looked > RECENT_S:
            self._looked = now
            with suppress(Refusal):
                self._recent = self.by_fund()
        return self._recent

    def close(self) -> None:
        """Books what is left and closes the store; waits for a store that is busy."""
        for _ in range(CLOSING_TRIES):
            self.flush()
            if not self._endings:
                break
            time.sleep(RETRY_S)
        self.book.close()

    def _unavailable(self, what: str, error: Exception) -> Refusal:
        self._on_trouble(what, type(error).__name__)
        return Refusal(
            "ledger_unavailable",
            "The ledger can't be reached, so nothing is spent. Try again shortly.",
            retry_after_s=1,
        )

    def _later(self) -> asyncio.TimerHandle | None:
        try:
            return asyncio.get_running_loop().call_later(RETRY_S, self.flush)
        except RuntimeError:
            return None  # the loop has ended; `close` tries once more
