"""Chat chunks as the events of `/v1/responses`. Pure.

An item is added when its first piece comes and done when another kind of item begins or the stream ends; calls stay
open to the end, since a model may write several at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pointsman.pool.cards import Usage
from pointsman.serve.wire.codec_messages import named_event, reasoning_of
from pointsman.serve.wire.codec_responses_items import (
    INCOMPLETE,
    Answered,
    call_item,
    envelope,
    message_item,
    reasoning_item,
    refusal_part,
    text_part,
    thought_part,
)
from pointsman.serve.wire.query import Query

# Of each kind of part: the part itself, the field of its done event that holds the text, and the event's first words.
_PARTS = {
    "text": (text_part, "text", "response.output_text"),
    "refusal": (refusal_part, "refusal", "response.refusal"),
    "thought": (thought_part, "text", "response.reasoning_text"),
}


@dataclass(slots=True)
class _Part:
    kind: str
    pieces: list[str] = field(default_factory=list)

    def whole(self) -> dict[str, Any]:
        return _PARTS[self.kind][0]("".join(self.pieces))


@dataclass(slots=True)
class _Item:
    """An item under way: thoughts or a message with its parts, or a call with the pieces of its arguments."""

    place: int
    id: str
    kind: str
    parts: list[_Part] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    call_id: str = ""
    name: str = ""

    def whole(self, status: str) -> dict[str, Any]:
        if self.kind == "call":
            return call_item(self.id, self.call_id, self.name, "".join(self.pieces), status)
        if self.kind == "thought":
            return reasoning_item(self.id, "".join(self.parts[0].pieces) if self.parts else "")
        return message_item(self.id, [part.whole() for part in self.parts], status)


class ResponsesEncoder:
    """One stream.

    Args:
        query: the request, parts of which the response repeats.
    """

    def __init__(self, query: Query) -> None:
        self._asked = query.body
        self._answered: Answered | None = None
        self._out: list[bytes] = []
        self._number = 0
        self._items: list[_Item] = []
        self._speaking: _Item | None = None
        self._calls: dict[int, _Item] = {}
        self._done: dict[int, dict[str, Any]] = {}
        self._reason: str | None = None

    def chunk(self, chunk: Mapping[str, Any]) -> bytes:
        """The events of one chunk."""
        self._start(chunk)
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) == 0:
                self._take(choice.get("delta") or {})
                if isinstance(choice.get("finish_reason"), str):
                    self._reason = choice["finish_reason"]
        return self._drained()

    def _take(self, delta: Mapping[str, Any]) -> None:
        thought = reasoning_of(delta)
        if thought:
            self._say("thought", "thought", thought)
        if delta.get("content"):
            self._say("message", "text", delta["content"])
        if delta.get("refusal"):
            self._say("message", "refusal", delta["refusal"])
        for call in delta.get("tool_calls") or ():
            self._call(call)

    def _say(self, item_kind: str, part_kind: str, piece: Any) -> None:
        if not isinstance(piece, str):
            raise TypeError
        item = self._speaking
        if item is None or item.kind != item_kind:
            self._hush()
            item = self._speaking = self._added(_Item(len(self._items), self._new_id(item_kind), item_kind))
        if not item.parts or item.parts[-1].kind != part_kind:
            self._end_part(item)
            item.parts.append(_Part(part_kind))
            self._send("response.content_part.added", {**_place(item), "part": item.parts[-1].whole()})
        item.parts[-1].pieces.append(piece)
        fields: dict[str, Any] = {**_place(item), "delta": piece}
        if part_kind == "text":
            fields["logprobs"] = []
        self._send(_PARTS[part_kind][2] + ".delta", fields)

    def _new_id(self, kind: str) -> str:
        prefix = {"thought": "rs", "message": "msg", "call": "fc"}[kind]
        made = self._answered.id if self._answered else "0"
        return f"{prefix}_{made}_{len(self._items)}"

    def _added(self, item: _Item) -> _Item:
        self._items.append(item)
        self._send("response.output_item.added", {"output_index": item.place, "item": item.whole("in_progress")})
        return item

    def _end_part(self, item: _Item) -> None:
        if not item.parts:
            return
        part = item.parts[-1]
        _, name, event = _PARTS[part.kind]
        fields: dict[str, Any] = {**_place(item), name: "".join(part.pieces)}
        if part.kind == "text":
            fields["logprobs"] = []
        self._send(event + ".done", fields)
        self._send("response.content_part.done", {**_place(item), "part": part.whole()})

    def _hush(self) -> None:
        """Ends the item that is being said."""
        if self._speaking is not None:
            self._end_part(self._speaking)
            self._finish_item(self._speaking)
            self._speaking = None

    def _finish_item(self, item: _Item) -> None:
        status = "incomplete" if self._reason in INCOMPLETE else "completed"
        whole = self._done[item.place] = item.whole(status)
        self._send("response.output_item.done", {"output_index": item.place, "item": whole})

    def _call(self, call: Mapping[str, Any]) -> None:
        place = call.get("index", 0)
        function = call.get("function") or {}
        item = self._calls.get(place)
        if item is None:
            self._hush()
            item = _Item(len(self._items), self._new_id("call"), "call", name=function.get("name") or "")
            item.call_id = call.get("id") or f"call_{item.id}"
            self._calls[place] = self._added(item)
        piece = function.get("arguments") or ""
        if not isinstance(piece, str):
            raise TypeError
        if piece:
            item.pieces.append(piece)
            fields = {"item_id": item.id, "output_index": item.place, "delta": piece}
            self._send("response.function_call_arguments.delta", fields)

    def _end_call(self, item: _Item) -> None:
        fields = {"item_id": item.id, "output_index": item.place, "name": item.name}
        self._send("response.function_call_arguments.done", {**fields, "arguments": "".join(item.pieces)})
        self._finish_item(item)

    def _start(self, chunk: Mapping[str, Any]) -> None:
        if self._answered is None:
            self._answered = Answered.of(chunk)
            begun = envelope(self._asked, self._answered, (), status="in_progress")
            self._send("response.created", {"response": begun})
            self._send("response.in_progress", {"response": begun})

    def _send(self, name: str, fields: dict[str, Any]) -> None:
        self._out.append(named_event(name, {"type": name, "sequence_number": self._number, **fields}))
        self._number += 1

    def _drained(self) -> bytes:
        told = b"".join(self._out)
        self._out.clear()
        return told

    def end(self, usage: Usage | None, cost: Mapping[str, Any] | None = None) -> bytes:
        """The ends of all items and the whole response, with the cost in it; that is this shape's end marker."""
        self._start({})
        if not self._items:
            self._speaking = self._added(_Item(0, self._new_id("message"), "message"))
        self._hush()
        for item in self._calls.values():
            self._end_call(item)
        whole = self._whole(usage=usage)
        if cost is not None:
            whole["pointsman"] = cost
        self._send(f"response.{whole['status']}", {"response": whole})
        return self._drained()

    def _whole(self, *, status: str = "", usage: Usage | None = None) -> dict[str, Any]:
        answered = self._answered or Answered.of({})
        output = [self._done.get(item.place) or item.whole("incomplete") for item in self._items]
        return envelope(self._asked, answered, output, reason=self._reason, status=status, usage=usage)

    def fail(self, body: Mapping[str, Any]) -> bytes:
        """The response as failed, with what came before the failure."""
        self._start({})
        error = body.get("error") or {}
        code = "rate_limit_exceeded" if error.get("type") == "rate_limit_exceeded" else "server_error"
        whole = self._whole(status="failed")
        whole["error"] = {"code": code, "message": error.get("message") or ""}
        self._send("response.failed", {"response": whole})
        return self._drained()


def _place(item: _Item) -> dict[str, Any]:
    return {"item_id": item.id, "output_index": item.place, "content_index": max(0, len(item.parts) - 1)}
