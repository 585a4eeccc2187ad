"""Spans and metrics for an OpenTelemetry collector. Every name is in `docs/telemetry.md`.

They are made after the fact from `Finished`, with its own times, in a thread that also sends them; the event loop only
queues. What doesn't fit the queue is dropped and counted, and a collector that is away costs nobody anything. Needs the
extra `otel`.
"""

from __future__ import annotations

import logging
import queue
import threading
import time

from pointsman.errors import InputError
from pointsman.serve.finished import Finished
from pointsman.serve.redaction import Redactor

QUEUE_LIMIT = 4_096
ASKED_LIMIT = 128

log = logging.getLogger(__name__)


class Traces:
    """Spans and metrics on their way to a collector.

    Args:
        otlp: the collector's base address, for example `http://127.0.0.1:4318`. Headers for it, such as its key, come
            from the environment as OpenTelemetry has it (`OTEL_EXPORTER_OTLP_HEADERS`).
        redact: takes secrets out of the model name that a client gave; None knows none but by their looks.

    Attributes:
        dropped: exchanges that no span was made of.

    Raises:
        InputError: the extra isn't installed.
    """

    def __init__(self, otlp: str, redact: Redactor | None = None) -> None:
        self._redact = redact or Redactor()
        try:
            from pointsman.serve.traces_kit import Kit  # noqa: PLC0415
        except ImportError:
            raise InputError(
                "OpenTelemetry isn't installed",
                place="telemetry: otlp",
                remedy="install the extra: `pip install 'pointsman[otel]'`, or leave `otlp` out",
            ) from None
        self._kit = Kit(otlp.rstrip("/"))
        self._queue: queue.SimpleQueue[Finished | None] = queue.SimpleQueue()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._thread.start()

    def add(self, finished: Finished) -> None:
        """Queues an exchange that has ended; microseconds."""
        if self._queue.qsize() >= QUEUE_LIMIT:
            self.dropped += 1
        else:
            self._queue.put(finished)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Sends what waits; waits for it. False if that took too long."""
        self._queue.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (finished := self._queue.get()) is not None:
            try:
                self._kit.send(finished, self._asked(finished))
            except Exception:
                self.dropped += 1
                log.exception("no span could be made of an exchange")
            time.sleep(0)  # lets go of the interpreter, so that the event loop never waits for a queue to drain
        self._kit.close()

    def _asked(self, finished: Finished) -> str:
        clean = self._redact(finished.asked.encode(errors="replace"))
        return clean.decode(errors="replace")[:ASKED_LIMIT]
