"""Structured logs: one line an exchange with its decision id, and everything else that has to be said, in one stream.

JSON lines or text for people, to the file that is handed in. What other libraries log goes the same way. Secrets are
taken out of the finished line (`serve.redaction`); prompts never come near it: fields that could carry one are left
out, an exception shows where it was raised but its words only where those are known to be harmless, and a foreign
message shows its first line. A line that can't be written is lost, and nothing else.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

import orjson
import structlog
from structlog.typing import FilteringBoundLogger

from pointsman.pool.settings import TelemetrySettings
from pointsman.serve.finished import Finished
from pointsman.serve.redaction import Redactor
from pointsman.serve.shown import Shown

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
NANO = 1e9
FOREIGN = ("uvicorn", "uvicorn.error", "uvicorn.asgi")


class Logs:
    """The log of one process.

    Args:
        telemetry: what to write ("json", "console" or "off") and from what level on.
        secrets: known ones, that must never be shown.
        out: where lines go, standard output for None; flushed after each line.
        now: the clock.

    Attributes:
        redact: what takes secrets out; the traces use it too.
        log: to write with: `log.info("event", field=value)`; `log.exception("event")` inside an `except`.
    """

    def __init__(
        self,
        telemetry: TelemetrySettings,
        secrets: Iterable[str] = (),
        out: BinaryIO | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self.redact = Redactor(secrets)
        self._silent = telemetry.log == "off"
        self._sink = sink = _Sink(sys.stdout.buffer if out is None else out, silent=self._silent)
        self._level = LEVELS[telemetry.level]
        self._console = _console(sink) if telemetry.log == "console" else None
        self._shown = Shown(self.redact, escape=telemetry.log == "console")
        self.log: FilteringBoundLogger = structlog.wrap_logger(
            sink,
            processors=[self._render],
            wrapper_class=structlog.make_filtering_bound_logger(self._level),
            cache_logger_on_first_use=True,
        )
        self._before: list[logging.Handler] | None = None

    def set_secrets(self, secrets: Iterable[str]) -> None:
        """Others from now on, after a reload."""
        self.redact.set_secrets(secrets)

    def exchange(self, *ended: Finished) -> None:
        """One line for each exchange that has ended: a warning if an upstream failed or a hold was overrun."""
        lines = [line for line in map(self._exchange_line, ended) if line]
        if lines:
            self._sink.line(b"\n".join(lines))

    def _exchange_line(self, finished: Finished) -> bytes:
        odd = finished.outcome == "upstream_failed" or finished.overrun_nano
        level = "warning" if odd else "info"
        if self._silent or LEVELS[level] < self._level:
            return b""
        asked = self._shown.text(finished.asked)
        fields = {"time": self._time(), "level": level, "event": "exchange"} | exchange_fields(finished, asked)
        # Its fields are known and plain, so that they need no cleaning, except for a terminal.
        return self.redact(_json(fields) if self._console is None else self._text(level, fields))

    def take_over(self) -> None:
        """Sends what all other libraries log through here; the server's own line a request is dropped for ours."""
        root = logging.getLogger()
        self._before = root.handlers[:]
        root.handlers = [_Foreign(self.log)]
        root.setLevel(max(self._level, logging.INFO))
        for name in FOREIGN:
            logging.getLogger(name).handlers = []
            logging.getLogger(name).propagate = True
        logging.getLogger("uvicorn.access").disabled = True

    def give_back(self) -> None:
        """Undoes `take_over`."""
        if self._before is not None:
            logging.getLogger().handlers = self._before
            logging.getLogger("uvicorn.access").disabled = False

    def _render(
        self, _logger: object, level: str, event: MutableMapping[str, Any]
    ) -> tuple[tuple[bytes], dict[str, Any]]:
        fields = {"time": self._time(), "level": level, "event": event.pop("event")}
        raised = _raised(event.pop("exc_info", None))
        fields |= event
        if raised is not None:
            fields["exception"] = self._shown.error(raised)
        line = _json(self._shown.fields(fields)) if self._console is None else self._text(level, fields)
        return (self.redact(line),), {}

    def _time(self) -> str:
        return self._now().isoformat(timespec="milliseconds")

    def _text(self, level: str, fields: dict[str, Any]) -> bytes:
        assert self._console is not None  # noqa: S101
        return self._console(None, level, self._shown.fields(fields)).encode(errors="replace")


def exchange_fields(finished: Finished, asked: str) -> dict[str, Any]:
    """What a line says of an exchange, `asked` being as it may be shown; what is empty by its nature is left out."""
    fields: dict[str, Any] = {
        "decision_id": finished.decision_id,
        "key_id": finished.key_id,
        "shape": finished.shape,
        "asked": asked,
        "model": finished.model,
        "endpoint": finished.endpoint,
        "outcome": finished.outcome,
        "status": finished.status,
        "reason": finished.reason,
        "stream": finished.stream,
        "cost_usd": finished.cost_nano / NANO,
        "total_ms": round(finished.total_s * 1e3, 3),
        "overhead_ms": round(finished.overhead_s * 1e3, 3),
    }
    usage = finished.usage
    if usage is not None:
        fields["input_tokens"], fields["output_tokens"] = usage.input_tokens, usage.output_tokens
        if usage.cached_tokens:
            fields["cached_tokens"] = usage.cached_tokens
        if usage.estimated:
            fields["usage_estimated"] = True
    first_token_s = finished.first_token_s
    if first_token_s is not None:
        fields["first_token_ms"] = round(first_token_s * 1e3, 3)
    if finished.overrun_nano:
        fields["overrun_usd"] = finished.overrun_nano / NANO
    faults = [f"{hop.endpoint}: {hop.fault}" for hop in finished.hops if hop.fault is not None]
    if faults:
        fields["faults"] = faults
    return fields


def _raised(given: object) -> BaseException | None:
    """The exception that `exc_info` means, in any of the ways in which it is given."""
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return cast("BaseException | None", given[1])
    return sys.exc_info()[1] if given else None


def _json(fields: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(fields)
    except TypeError:  # half of a surrogate pair, in a name that a client sent
        return orjson.dumps(_whole(fields))


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_whole(key): _whole(held) for key, held in value.items()}
    return [_whole(each) for each in value] if isinstance(value, list) else value


# --- where lines go and come from -------------------------------------------------------------------------------------


class _Sink:
    """Writes a line and lets the process live if that fails: a full disk or a closed pipe is no client's business."""

    def __init__(self, out: BinaryIO, *, silent: bool) -> None:
        self._out, self._silent = out, silent

    def is_terminal(self) -> bool:
        """Whether a person is looking."""
        return self._out.isatty()

    def line(self, text: bytes) -> None:
        """Writes one line."""
        if self._silent:
            return
        try:
            self._out.write(text + b"\n")
            self._out.flush()
        except (OSError, ValueError):
            return

    debug = info = warning = error = critical = line


class _Foreign(logging.Handler):
    """Hands on what other libraries log."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One record as one line; of its message, the part that its author wrote for a person."""
        try:
            said = record.getMessage()
        except Exception:
            said = str(record.msg)
        said = said.strip().partition("\n")[0]
        if record.name == "asyncio":
            said = said.partition("<")[0]  # what follows shows an object with its insides
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)  # levels of its own among them
        self._log.log(level, said, logger=record.name, exc_info=record.exc_info)


def _console(sink: _Sink) -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(colors=sink.is_terminal(), timestamp_key="time", sort_keys=False)
