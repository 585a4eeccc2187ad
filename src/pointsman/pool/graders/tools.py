"""The reply calls the right tool with the right arguments; or none, where none fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pointsman.pool.graders.fields import Fields
from pointsman.pool.graders.grade import Grade, Reply, ToolCall
from pointsman.pool.graders.structured import same, strict
from pointsman.pool.graders.texts import shortened


@dataclass(frozen=True, slots=True)
class Tool:
    """Compares a tool call."""

    name: str
    arguments: Mapping[str, Any]
    none: bool
    kind: ClassVar[str] = "tool"
    blind_to: ClassVar[str] = (
        "what the reply says beside the call, arguments that aren't listed, other wordings of a text argument, and "
        "calls that are written out in words"
    )

    def grade(self, reply: Reply) -> Grade:
        """1 for exactly the one right call with each listed argument right; with `none`, for no call at all; else 0."""
        calls = reply.tool_calls
        if self.none:
            return Grade(float(not calls), f"it calls {calls[0].name}" if calls else "it calls no tool")
        if len(calls) != 1:
            return Grade(0.0, f"it calls {len(calls)} tools" if calls else "it calls no tool")
        wrong = self._wrong(calls[0])
        return Grade(0.0, wrong) if wrong else Grade(1.0, f"it calls {self.name} as asked")

    def _wrong(self, call: ToolCall) -> str:
        if call.name != self.name:
            return f"it calls {shortened(call.name)!r}, not {self.name}"
        try:
            found = strict(call.arguments or "{}")
        except (ValueError, RecursionError):
            return "its arguments are no JSON"
        if not isinstance(found, dict):
            return "its arguments are no object"
        for name, value in self.arguments.items():
            if name not in found:
                return f"it leaves out {name}"
            if not same(found[name], value, loose=True):
                return f"{name} is {shortened(str(found[name]))!r}"
        return ""


def tool_of(fields: Fields) -> Tool:
    """From `name` and `arguments`, or `none: true`."""
    none = fields.truth("none")
    if none and (fields.given("name") or fields.given("arguments")):
        raise fields.refusal("none", "stands beside a name or arguments", "leave one of them out")
    return Tool("" if none else fields.text("name"), dict(fields.mapping("arguments")), none)
