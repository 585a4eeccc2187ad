"""What may stand in a log line: no prompt, no secret by its field's name, nothing long, and no object's insides.

Takes fields with any values and gives plain ones. Where a text has to be cut, known secrets are taken out of the whole
of it first, since half a secret would be found by nobody.
"""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Mapping
from typing import Any, cast

from pointsman.errors import InputError
from pointsman.serve.redaction import Redactor
from pointsman.serve.wire.errors import Refusal

TEXT_LIMIT = 300
LIST_LIMIT = 50
DEPTH_LIMIT = 4
FRAMES = 20

# Fields whose values are nobody's business: a key, or what was asked and answered.
SECRET_FIELDS = frozenset({
    "authorization", "proxy-authorization", "api_key", "apikey", "api-key", "x-api-key", "x-goog-api-key", "key",
    "master_key", "password", "secret", "token", "cookie", "set-cookie", "headers",
})  # fmt: skip
PROMPT_FIELDS = frozenset({
    "prompt", "prompts", "messages", "message", "input", "inputs", "text", "texts", "content", "contents", "body",
    "answer", "completion", "output", "system", "instructions", "query", "document", "documents", "tool_calls",
    "arguments",
})  # fmt: skip
HIDDEN = dict.fromkeys(SECRET_FIELDS, "[redacted]") | dict.fromkeys(PROMPT_FIELDS, "[not logged]")
PLAIN = frozenset({bool, float, type(None)})
# Exceptions whose words are ours or the system's, and hold neither prompt nor secret.
HARMLESS = (InputError, OSError, sqlite3.Error)


class Shown:
    """How values are shown.

    Args:
        redact: takes secrets out of a text that is to be cut.
        escape: whether characters that a terminal would obey are written out.
    """

    def __init__(self, redact: Redactor, *, escape: bool) -> None:
        self._redact, self._escape = redact, escape

    def fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """All fields of a line."""
        return {self.text(name): self._field(name, value, 0) for name, value in fields.items()}

    def text(self, text: str) -> str:
        """A text, whole if it is short."""
        if len(text) > TEXT_LIMIT:
            hidden = self._redact(text.encode(errors="replace")).decode(errors="replace")
            text = hidden[: TEXT_LIMIT - 1] + "…"
        if self._escape and not text.isprintable():
            text = text.encode("unicode_escape").decode()
        return text

    def error(self, error: BaseException) -> dict[str, Any]:
        """An exception: its type, its words where they are harmless, and where it came by."""
        frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
        shown: dict[str, Any] = {"type": type(error).__name__}
        if isinstance(error, HARMLESS):
            shown["says"] = self.text(str(error))
        if isinstance(error, Refusal):
            shown["refusal"] = error.type
        shown["frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return shown

    def _field(self, name: str, value: object, depth: int) -> object:
        hidden = HIDDEN.get(name.lower())
        return self._value(value, depth) if hidden is None else hidden

    def _value(self, value: object, depth: int) -> object:
        kind = type(value)
        if kind in PLAIN:
            return value
        if kind is str:
            return self.text(cast("str", value))
        if kind is int:
            return value if abs(cast("int", value)) < 2**63 else str(value)
        return self._object(value, depth)

    def _object(self, value: object, depth: int) -> object:
        if isinstance(value, BaseException):
            return self.error(value)
        if isinstance(value, str):
            return self.text(str(value))
        if depth < DEPTH_LIMIT and isinstance(value, Mapping):
            return {self.text(str(key)): self._field(str(key), held, depth + 1) for key, held in value.items()}
        if depth < DEPTH_LIMIT and isinstance(value, list | tuple | set | frozenset):
            return [self._value(each, depth + 1) for each in list(value)[:LIST_LIMIT]]
        return f"<{type(value).__name__}>"
