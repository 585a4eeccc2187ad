"""Properties of all translations: meaning survives the way there and back, and nothing breaks on what nobody meant."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from made_upstreams import adapter, answer, endpoint, query, relayed, stream
from pointsman.pool.cards import Shape, UpstreamKind
from pointsman.serve.upstreams.adapter import UpstreamFault
from pointsman.serve.wire.codec import codec_for
from pointsman.serve.wire.codec_anthropic import message_request
from pointsman.serve.wire.codec_gemini import gemini_request
from pointsman.serve.wire.codec_messages_request import chat_of_messages
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.messages import read_messages
from pointsman.serve.wire.query import Query
from pointsman.serve.wire.responses import read_responses

KINDS: tuple[UpstreamKind, ...] = ("openai", "anthropic", "gemini")
SHAPES: tuple[Shape, ...] = ("chat", "completions", "messages", "responses")
words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Z", "Cc")), min_size=1, max_size=8)
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Chats as OpenAI's clients write them: perhaps a system turn, then users and assistants in turn, with calls."""
    found: list[dict[str, Any]] = [{"role": "system", "content": draw(words)}] if draw(st.booleans()) else []
    for number in range(draw(st.integers(1, 3))):
        found.append({"role": "user", "content": draw(words)})
        if not draw(st.booleans()):
            found.append({"role": "assistant", "content": draw(words)})
            continue
        calls = [
            {
                "id": f"t{number}_{place}",
                "type": "function",
                "function": {"name": "look", "arguments": json.dumps({"a": draw(words)}, separators=(",", ":"))},
            }
            for place in range(draw(st.integers(1, 3)))
        ]
        for call in calls:
            given_text = call["function"]["arguments"]  # type: ignore[index]
            call["function"]["arguments"] = orjson.dumps(orjson.loads(given_text)).decode()  # type: ignore[index]
        found.append({"role": "assistant", "content": draw(st.none() | words), "tool_calls": calls})
        found += [{"role": "tool", "tool_call_id": call["id"], "content": draw(words)} for call in calls]
    return found


@given(conversations(), st.sampled_from([None, "auto", "required", "none"]), st.booleans())
def test_chat_to_messages_and_back(messages: list[dict[str, Any]], choice: str | None, structured: bool) -> None:
    """What is said to Anthropic, read as a client's own request, is the same chat again."""
    chat: dict[str, Any] = {"model": "claude-opus-4-6", "max_tokens": 9, "messages": messages, "stop": ["END"]}
    chat["tools"] = [{"type": "function", "function": {"name": "look", "parameters": SCHEMA, "description": "d"}}]
    if choice is not None:
        chat["tool_choice"] = choice
    if structured:
        named = {"name": "answer", "schema": SCHEMA, "strict": True}
        chat["response_format"] = {"type": "json_schema", "json_schema": named}
    before = copy.deepcopy(chat)
    assert chat_of_messages(message_request(chat, "claude-opus-4-6", 99)) == before
    assert chat == before


@given(conversations())
def test_chat_to_gemini_keeps_every_turn(messages: list[dict[str, Any]]) -> None:
    """Nothing that was said is lost or changes its place."""
    before = copy.deepcopy(messages)
    made = gemini_request({"messages": messages}, "gemini-2.5-flash")
    system = [part["text"] for part in made.get("systemInstruction", {"parts": []})["parts"]]
    told = [*system, *(_gist(part) for turn in made["contents"] for part in turn["parts"])]
    assert messages == before
    expected: list[Any] = []
    for message in messages:
        if message["content"] is not None:
            expected.append(message["content"])
        expected += [orjson.loads(call["function"]["arguments"]) for call in message.get("tool_calls", ())]
    assert told == expected


def _gist(part: dict[str, Any]) -> Any:
    if "functionCall" in part:
        return part["functionCall"]["args"]
    return part["functionResponse"]["response"]["output"] if "functionResponse" in part else part["text"]


BODIES: dict[Shape, dict[str, Any]] = {
    "chat": {
        "messages": [
            {"role": "system", "content": "S"},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]},
            {
                "role": "assistant",
                "content": "x",
                "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "t", "content": "y"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
        "stop": ["END"],
        "max_tokens": 5,
        "temperature": 0.3,
        "reasoning_effort": "low",
    },
    "completions": {"prompt": ["Hi"], "max_tokens": 5, "stop": "x"},
    "messages": {
        "max_tokens": 5,
        "system": [{"type": "text", "text": "S"}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "a"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "b"}]},
        ],
        "tools": [{"name": "f", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "f"},
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"},
        "metadata": {"user_id": "u"},
    },
    "responses": {
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
            {"type": "function_call", "call_id": "t", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "t", "output": "b"},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": SCHEMA}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
        "reasoning": {"effort": "low"},
        "max_output_tokens": 5,
    },
}
ODD: list[Any] = [None, True, 0, -1, 1.5, 1e30, "", "x", [], [[]], {}, [{}], [None], {"type": []}, [{"type": {}}]]


def spoiled(value: Any, chance: random.Random) -> Any:
    """The value with one node somewhere replaced by something odd."""
    if not value or not isinstance(value, dict | list) or chance.random() < 0.15:
        return chance.choice(ODD)
    changed = copy.copy(value)
    place = chance.choice(list(changed)) if isinstance(changed, dict) else chance.randrange(len(changed))
    changed[place] = spoiled(changed[place], chance)
    return changed


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_any_body_ends_in_a_call_or_a_refusal(shape: Shape, kind: UpstreamKind) -> None:
    """However a body is spoiled, in every shape and for every upstream: never another error, never a changed body."""
    chance = random.Random(f"{shape} {kind}")
    calls, statuses = 0, set()
    for _ in range(400):
        body = {"model": "auto", **spoiled_body(BODIES[shape], chance)}
        asked = Query(shape=shape, body=body, model="auto", text="", input_chars=0)
        before = copy.deepcopy(body)
        try:
            orjson.loads(adapter(kind).call(asked, endpoint(kind)).body)
            calls += 1
        except Refusal as refusal:
            statuses.add(refusal.status)
        assert body == before
    assert calls > 20
    assert statuses <= {400, 422}


def spoiled_body(body: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A body that is still an object, spoiled below its top."""
    name = chance.choice(list(body))
    return {**body, name: spoiled(body[name], chance)}


@pytest.mark.parametrize(("read", "shape"), [(read_messages, "messages"), (read_responses, "responses")])
def test_any_body_ends_in_a_reading_or_a_refusal(read: Any, shape: Shape) -> None:
    """Whatever stands in a body."""
    chance, statuses = random.Random(shape), set()
    for _ in range(1_000):
        body = json.loads(json.dumps(spoiled_body(BODIES[shape], chance)))
        try:
            read(body)
        except Refusal as refusal:
            statuses.add(refusal.status)
    assert statuses == {400}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_any_answer_ends_in_bytes_or_a_fault(shape: Shape, kind: UpstreamKind) -> None:
    """However an upstream spoils its answer, whole or streamed, it is read, or is garbage, or is broken."""
    chance = random.Random(f"{shape} {kind} answers")
    asked, kinds = query(shape, {**BODIES[shape], "stream": True}), set()
    for _ in range(150):
        whole = json.loads(answer(kind, chance.choice(["plain", "tools"])))
        try:
            orjson.loads(adapter(kind).read(asked, endpoint(kind), json.dumps(spoiled(whole, chance)).encode()).body)
        except UpstreamFault as fault:
            kinds.add(fault.kind)
        events = stream(kind, chance.choice(["plain", "tools"])).split(b"\n")
        relayed(asked, kind, b"\n".join(_spoiled_line(line, chance) for line in events))
    assert "garbage" in kinds
    assert kinds <= {"garbage", "server"}


def _spoiled_line(line: bytes, chance: random.Random) -> bytes:
    if not line.startswith(b"data: {") or chance.random() > 0.2:
        return line
    return b"data: " + json.dumps(spoiled(json.loads(line[6:]), chance)).encode()


@given(st.sampled_from(KINDS), st.sampled_from(SHAPES), st.sampled_from(["plain", "tools"]), st.integers(1, 300))
def test_borders_do_not_matter(kind: UpstreamKind, shape: Shape, scene: Any, size: int) -> None:
    """A stream cut anywhere is translated to the same bytes as one that comes at once."""
    asked = query(shape, {**BODIES[shape], "stream": True})
    told = stream(kind, scene)
    assert relayed(asked, kind, told, size) == relayed(asked, kind, told, len(told))


def test_every_shape_but_embeddings_has_a_codec() -> None:
    """Chat can't stand for embeddings."""
    assert all(codec_for(shape) is not None for shape in SHAPES)
    assert codec_for("embeddings") is None
