"""What the scripted upstream says, in the words of three providers: whole answers, streams and errors. No I/O.

`reply_to` settles once what an answer holds; one writer per API puts it into bytes. Counts are made up: a piece of
text is a token.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import orjson

CREATED = 1_760_000_000
PIECE = re.compile(r"\S+\s*")


@dataclass(frozen=True, slots=True)
class Script:
    """How one call is answered; every field may be left out.

    Attributes:
        status: other than 200 is an error with `retry_after` as its header and `error` in place of the usual body.
        connect_s, first_token_s, between_s: delays before the headers, the first content and each further one.
        hang, cut: stop answering, or cut the connection, at "headers", "first" (content) or "middle".
        garbage: "json" (a body, or the data of the middle event, that can't be parsed), "sse" (bytes that are no
            events), "html" (a page).
        error_after: an error event after so many pieces of a stream.
        text: the answer, "" takes a default; `output_tokens` of "w " in its place where given.
        thinking: reasoning before it.
        tool_calls: `[name, arguments]` pairs; arguments any JSON value. None: a call where the request demands one.
        input_tokens, cached_tokens, cache_write_tokens, reasoning_tokens: in the usage; input is counted if None.
        usage: "full", "none", "nulls", "every" (each chunk), "timings" (llama.cpp's alone), "deepseek", "same" (in
            the chunk with the finish reason), "always" (asked for or not), "early" (an empty choices list only).
        echo: the answer is the request's body as JSON text, and the body stands in the field `echo`.
        extra: merged into the answer, and into every chunk.
        size: the answer is this many characters.
        split: a stream is written in pieces of so many bytes.
        ending: False leaves out the stream's end marker.
    """

    status: int = 200
    retry_after: str | float | None = None
    error: Any = None
    connect_s: float = 0.0
    first_token_s: float = 0.0
    between_s: float = 0.0
    hang: str = ""
    cut: str = ""
    garbage: str = ""
    error_after: int | None = None
    text: str = ""
    output_tokens: int | None = None
    thinking: str = ""
    tool_calls: Any = None
    input_tokens: int | None = None
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    usage: str = "full"
    echo: bool = False
    extra: Any = None
    size: int = 0
    split: int = 0
    ending: bool = True


def script_of(values: Mapping[str, Any]) -> Script:
    """A script of a JSON object, or of the text values of `name;key=value;…`."""
    kinds = {field.name: type(field.default) for field in fields(Script)}
    unknown = set(values) - set(kinds)
    if unknown:
        raise ValueError(f"no such script fields: {sorted(unknown)}")
    return Script(**{name: _typed(kinds[name], value) for name, value in values.items()})


def _typed(kind: type, value: Any) -> Any:
    if not isinstance(value, str) or kind is str:
        return value
    if kind is bool:
        return value not in {"", "0", "false"}
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


@dataclass(frozen=True, slots=True)
class Reply:
    """What an answer holds, in no provider's words."""

    model: str
    pieces: list[str]
    thinking: str
    tools: list[tuple[str, str]]
    finish: str
    input_tokens: int
    output_tokens: int
    script: Script
    body: dict[str, Any]

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def reply_to(api: str, model: str, body: dict[str, Any], script: Script) -> Reply:
    """What the script, or the request, wants answered."""
    tools = _tools(body, script)
    pieces = [] if tools and not script.text else _pieces(body, script)
    limit = _limit(api, body)
    cut = limit is not None and len(pieces) > limit
    pieces = pieces[:limit] if cut else pieces
    output = len(pieces) + sum(len(arguments) // 4 + 5 for _, arguments in tools) + script.reasoning_tokens
    counted = len(orjson.dumps(body)) // 4 + 1 if script.input_tokens is None else script.input_tokens
    finish = "length" if cut else "tool_calls" if tools else "stop"
    return Reply(model, pieces, script.thinking, tools, finish, counted, output, script, body)


def _limit(api: str, body: dict[str, Any]) -> int | None:
    holder = body.get("generationConfig") or {} if api == "gemini" else body
    for name in ("max_completion_tokens", "max_tokens", "max_output_tokens", "maxOutputTokens"):
        if isinstance(holder.get(name), int):
            return int(holder[name])
    return None


def _pieces(body: dict[str, Any], script: Script) -> list[str]:
    if script.output_tokens is not None:
        return ["w "] * script.output_tokens
    if script.size:
        return ["x" * 64] * (script.size // 64) + ["x" * (script.size % 64)]
    if script.echo:
        return _cut(orjson.dumps(body).decode())
    schema = schema_of(body)
    if schema is not None and not script.text:
        return _cut(orjson.dumps(example(schema)).decode())
    return PIECE.findall(script.text or "The answer to this is forty-two.")


def _cut(text: str) -> list[str]:
    return [text[at : at + 4] for at in range(0, len(text), 4)]


def schema_of(body: dict[str, Any]) -> dict[str, Any] | None:
    """The JSON schema that the request wants its answer in, wherever its API puts it."""
    chat = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
    responses = ((body.get("text") or {}).get("format") or {}).get("schema")
    config = body.get("generationConfig") or {}
    gemini = config.get("responseSchema") or config.get("responseJsonSchema")
    claude = ((body.get("output_config") or {}).get("format") or body.get("output_format") or {}).get("schema")
    return chat or responses or gemini or claude


def example(schema: Mapping[str, Any]) -> Any:
    """A small value that fits a schema of the common kinds."""
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example(schema["anyOf"][0])
    kind = str(schema.get("type", "object")).lower()
    if kind == "object":
        return {name: example(below) for name, below in schema.get("properties", {}).items()}
    if kind == "array":
        return [example(schema.get("items", {"type": "string"}))]
    return {"integer": 42, "number": 4.5, "boolean": True, "null": None}.get(kind, "forty-two")


def _tools(body: dict[str, Any], script: Script) -> list[tuple[str, str]]:
    if script.tool_calls is not None:
        return [(name, orjson.dumps(arguments).decode()) for name, arguments in script.tool_calls]
    choice = body.get("tool_choice")
    demanded = choice == "required" or (isinstance(choice, dict) and choice.get("type") in {"function", "any", "tool"})
    mode = ((body.get("toolConfig") or {}).get("functionCallingConfig") or {}).get("mode")
    if not (demanded or mode == "ANY") or not body.get("tools"):
        return []
    name, schema = _declared(body["tools"][0])
    return [(name, orjson.dumps(example(schema)).decode())]


def _declared(tool: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and parameters of a tool in any of the APIs."""
    if "functionDeclarations" in tool:
        tool = tool["functionDeclarations"][0]
    inner = tool.get("function", tool)
    schema = inner.get("parameters") or inner.get("parametersJsonSchema") or inner.get("input_schema") or {}
    return inner["name"], schema


# ---- bytes


def event(value: Any, name: str = "") -> bytes:
    """One server-sent event."""
    data = value if isinstance(value, bytes) else orjson.dumps(value)
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + data + b"\n\n"


def openai_usage(reply: Reply) -> dict[str, Any] | None:
    """The usage object, with the deviations that the script asks for."""
    script = reply.script
    if script.usage in {"none", "timings"}:
        return None
    plain = {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
    }
    if script.usage == "nulls":
        return {**plain, "prompt_tokens_details": None, "completion_tokens_details": {"reasoning_tokens": None}}
    if script.usage == "deepseek":
        missed = reply.input_tokens - script.cached_tokens
        return {**plain, "prompt_cache_hit_tokens": script.cached_tokens, "prompt_cache_miss_tokens": missed}
    return {
        **plain,
        "prompt_tokens_details": {"cached_tokens": script.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": script.reasoning_tokens, "audio_tokens": 0},
    }


def timings(reply: Reply) -> dict[str, Any]:
    """llama.cpp's own counts: `prompt_n` without what came from its cache."""
    cached = reply.script.cached_tokens
    return {"cache_n": cached, "prompt_n": reply.input_tokens - cached, "predicted_n": reply.output_tokens}


def _with_counts(reply: Reply, value: dict[str, Any]) -> dict[str, Any]:
    usage = openai_usage(reply)
    if usage is not None:
        value["usage"] = usage
    if reply.script.usage == "timings":
        value["timings"] = timings(reply)
    return {**value, **(reply.script.extra or {}), **({"echo": reply.body} if reply.script.echo else {})}


def _chat_calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {"id": f"call_{place}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for place, (name, arguments) in enumerate(reply.tools)
    ]


def chat(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if reply.thinking:
        message["reasoning_content"] = reply.thinking
    if reply.tools:
        message["tool_calls"] = _chat_calls(reply)
    choices = [
        {"index": place, "message": message, "logprobs": None, "finish_reason": reply.finish}
        for place in range(int(reply.body.get("n") or 1))
    ]
    head = {"id": "chatcmpl-stub", "object": "chat.completion", "created": CREATED, "model": reply.model}
    return _with_counts(reply, {**head, "choices": choices})


def _wants_usage(reply: Reply) -> bool:
    options = reply.body.get("stream_options")
    asked = isinstance(options, dict) and options.get("include_usage") is True
    return (asked or reply.script.usage in {"always", "same", "every"}) and openai_usage(reply) is not None


# A stream: its bytes, and whether they hold content (delays and failures are set by it).
Frames = Iterator[tuple[bytes, bool]]


def _openai_frames(reply: Reply, head: dict[str, Any], contents: list[tuple[Any, bool]], last: Any) -> Frames:
    """The frames of a chat or completions stream; `contents` and `last` are choices."""
    usage, mode = openai_usage(reply), reply.script.usage
    wants = _wants_usage(reply)
    every = {"usage": usage} if mode == "every" else {"usage": None} if wants and mode == "full" else {}
    for choice, counts in contents:
        yield event({**head, "choices": [choice], **every}), counts
    final: dict[str, Any] = {"usage": usage} if wants and mode == "same" else every
    if mode == "timings":
        final = {"timings": timings(reply)}
    yield event({**head, "choices": [last], **final}), False
    if wants and mode != "same":
        yield event({**head, "choices": [], "usage": usage}), False
    if reply.script.ending:
        yield event(b"[DONE]"), False


def chat_frames(reply: Reply) -> Frames:
    head = {"id": "chatcmpl-stub", "object": "chat.completion.chunk", "created": CREATED, "model": reply.model}
    head |= reply.script.extra or {}
    deltas: list[tuple[dict[str, Any], bool]] = [({"role": "assistant", "content": ""}, False)]
    deltas += [({"reasoning_content": piece}, True) for piece in PIECE.findall(reply.thinking)]
    deltas += [({"content": piece}, True) for piece in reply.pieces]
    for place, call in enumerate(_chat_calls(reply)):
        arguments = call["function"]["arguments"]
        call["function"]["arguments"] = ""
        deltas.append(({"tool_calls": [{"index": place, **call}]}, True))
        for piece in _cut(arguments):
            deltas.append(({"tool_calls": [{"index": place, "function": {"arguments": piece}}]}, True))
    contents = [({"index": 0, "delta": delta, "finish_reason": None}, counts) for delta, counts in deltas]
    yield from _openai_frames(reply, head, contents, {"index": 0, "delta": {}, "finish_reason": reply.finish})


def completions(reply: Reply) -> dict[str, Any]:
    head = {"id": "cmpl-stub", "object": "text_completion", "created": CREATED, "model": reply.model}
    choices = [
        {"index": place, "text": reply.text, "logprobs": None, "finish_reason": reply.finish}
        for place in range(int(reply.body.get("n") or 1))
    ]
    return _with_counts(reply, {**head, "choices": choices})


def completions_frames(reply: Reply) -> Frames:
    head = {"id": "cmpl-stub", "object": "text_completion", "created": CREATED, "model": reply.model}
    empty = {"index": 0, "logprobs": None, "finish_reason": None}
    contents: list[tuple[Any, bool]] = [({**empty, "text": piece}, True) for piece in reply.pieces]
    yield from _openai_frames(reply, head, contents, {**empty, "text": "", "finish_reason": reply.finish})


def embeddings(reply: Reply) -> dict[str, Any]:
    """Vectors of four numbers, which a hash of the input sets; usage has no completion tokens."""
    given = reply.body.get("input", "")
    texts = given if isinstance(given, list) and given and not isinstance(given[0], int) else [given]
    width = int(reply.body.get("dimensions") or 4)
    data = [
        {"object": "embedding", "index": place, "embedding": _vector(text, width, reply.body.get("encoding_format"))}
        for place, text in enumerate(texts)
    ]
    answer: dict[str, Any] = {"object": "list", "model": reply.model, "data": data}
    if reply.script.usage != "none":
        answer["usage"] = {"prompt_tokens": reply.input_tokens, "total_tokens": reply.input_tokens}
    return {**answer, **(reply.script.extra or {}), **({"echo": reply.body} if reply.script.echo else {})}


def _vector(text: Any, width: int, encoding: Any) -> Any:

    size = len(orjson.dumps(text))
    numbers = [((size * (place + 3)) % 17) / 17 for place in range(width)]
    return base64.b64encode(struct.pack(f"<{width}f", *numbers)).decode() if encoding == "base64" else numbers


def responses(reply: Reply) -> dict[str, Any]:
    output: list[dict[str, Any]] = []
    if reply.thinking:
        summary = [{"type": "summary_text", "text": reply.thinking}]
        output.append({"type": "reasoning", "id": "rs_stub", "summary": summary})
    if reply.pieces:
        content = [{"type": "output_text", "text": reply.text, "annotations": []}]
        output.append(
            {"type": "message", "id": "msg_stub", "role": "assistant", "status": "completed", "content": content}
        )
    output += [
        {
            "type": "function_call",
            "id": f"fc_{place}",
            "call_id": f"call_{place}",
            "name": name,
            "arguments": arguments,
            "status": "completed",
        }
        for place, (name, arguments) in enumerate(reply.tools)
    ]
    usage = {
        "input_tokens": reply.input_tokens,
        "input_tokens_details": {"cached_tokens": reply.script.cached_tokens},
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"reasoning_tokens": reply.script.reasoning_tokens},
        "total_tokens": reply.input_tokens + reply.output_tokens,
    }
    cut = reply.finish == "length"
    return {
        "id": "resp_stub",
        "object": "response",
        "created_at": CREATED,
        "model": reply.model,
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "error": None,
        "instructions": reply.body.get("instructions"),
        "metadata": {},
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": reply.body.get("tool_choice", "auto"),
        "tools": reply.body.get("tools", []),
        "top_p": 1.0,
        "usage": None if reply.script.usage == "none" else usage,
        **(reply.script.extra or {}),
        **({"echo": reply.body} if reply.script.echo else {}),
    }


def responses_frames(reply: Reply) -> Frames:
    whole = responses(reply)
    number = 0

    def numbered(name: str, **values: Any) -> bytes:
        nonlocal number
        number += 1
        return event({"type": name, "sequence_number": number - 1, **values}, name)

    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield numbered("response.created", response=begun), False
    yield numbered("response.in_progress", response=begun), False
    for place, item in enumerate(whole["output"]):
        yield from _item_frames(reply, place, item, numbered)
    yield numbered(f"response.{whole['status']}", response=whole), False


def _item_frames(reply: Reply, place: int, item: dict[str, Any], numbered: Callable[..., bytes]) -> Frames:
    empties: dict[str, dict[str, Any]] = {"message": {"content": []}, "function_call": {"arguments": ""}}
    empty = empties.get(item["type"], {})
    opened = {**item, **empty, **({"status": "in_progress"} if empty else {})}
    yield numbered("response.output_item.added", output_index=place, item=opened), False
    at = {"item_id": item["id"], "output_index": place}
    if item["type"] == "message":
        part = {"type": "output_text", "text": "", "annotations": []}
        text = {**at, "content_index": 0}
        yield numbered("response.content_part.added", **text, part=part), False
        for piece in reply.pieces:
            yield numbered("response.output_text.delta", **text, delta=piece, logprobs=[]), True
        yield numbered("response.output_text.done", **text, text=reply.text, logprobs=[]), False
        yield numbered("response.content_part.done", **text, part=item["content"][0]), False
    elif item["type"] == "function_call":
        for piece in _cut(item["arguments"]):
            yield numbered("response.function_call_arguments.delta", **at, delta=piece), True
        done = {"name": item["name"], "arguments": item["arguments"]}
        yield numbered("response.function_call_arguments.done", **at, **done), False
    yield numbered("response.output_item.done", output_index=place, item=item), False


# ---- Anthropic

CLAUDE_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def _claude_input(reply: Reply) -> dict[str, Any]:
    """Anthropic counts what its cache held or took outside of `input_tokens`."""
    script = reply.script
    return {
        "input_tokens": reply.input_tokens - script.cached_tokens - script.cache_write_tokens,
        "cache_read_input_tokens": script.cached_tokens,
        "cache_creation_input_tokens": script.cache_write_tokens,
    }


def messages(reply: Reply) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if reply.thinking:
        content.append({"type": "thinking", "thinking": reply.thinking, "signature": "c2lnbmVk"})
    if reply.pieces:
        content.append({"type": "text", "text": reply.text})
    for place, (name, arguments) in enumerate(reply.tools):
        content.append({"type": "tool_use", "id": f"toolu_{place}", "name": name, "input": orjson.loads(arguments)})
    answer: dict[str, Any] = {
        "id": "msg_stub",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": CLAUDE_STOPS[reply.finish],
        "stop_sequence": None,
    }
    if reply.script.usage != "none":
        answer["usage"] = {**_claude_input(reply), "output_tokens": reply.output_tokens}
    return {**answer, **(reply.script.extra or {}), **({"echo": reply.body} if reply.script.echo else {})}


def messages_frames(reply: Reply) -> Frames:
    whole = messages(reply)
    counted = reply.script.usage != "none"
    begun = {**whole, "content": [], "stop_reason": None}
    if counted:
        begun["usage"] = {**_claude_input(reply), "output_tokens": 1}
    yield event({"type": "message_start", "message": begun}, "message_start"), False
    yield event({"type": "ping"}, "ping"), False
    for place, block in enumerate(whole["content"]):
        yield from _block_frames(reply, place, block)
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    last = {"type": "message_delta", "delta": delta}
    if counted:
        last["usage"] = {"output_tokens": reply.output_tokens}
    yield event(last, "message_delta"), False
    if reply.script.ending:
        yield event({"type": "message_stop"}, "message_stop"), False


def _block_frames(reply: Reply, place: int, block: dict[str, Any]) -> Frames:
    kind = block["type"]
    empties: dict[str, dict[str, Any]] = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"input": {}},
    }
    opened = empties[kind]
    start = {"type": "content_block_start", "index": place, "content_block": {**block, **opened}}
    yield event(start, "content_block_start"), False
    deltas: list[dict[str, Any]]
    if kind == "text":
        deltas = [{"type": "text_delta", "text": piece} for piece in reply.pieces]
    elif kind == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in PIECE.findall(reply.thinking)]
        deltas.append({"type": "signature_delta", "signature": "c2lnbmVk"})
    else:
        arguments = orjson.dumps(block["input"]).decode()
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *_cut(arguments)]]
    for delta in deltas:
        yield event({"type": "content_block_delta", "index": place, "delta": delta}, "content_block_delta"), True
    yield event({"type": "content_block_stop", "index": place}, "content_block_stop"), False


# ---- Gemini


def _gemini_part_chunks(reply: Reply) -> list[dict[str, Any]]:
    chunks: list[dict[str, Any]] = []
    if reply.thinking:
        chunks.append({"text": reply.thinking, "thought": True})
    chunks += [{"text": piece} for piece in reply.pieces]
    for name, arguments in reply.tools:
        chunks.append({"functionCall": {"name": name, "args": orjson.loads(arguments)}})
    return chunks


def gemini_usage(reply: Reply) -> dict[str, Any]:
    """Gemini counts thoughts outside of `candidatesTokenCount`, and what its cache held inside of the prompt."""
    script = reply.script
    return {
        "promptTokenCount": reply.input_tokens,
        "cachedContentTokenCount": script.cached_tokens,
        "candidatesTokenCount": reply.output_tokens - script.reasoning_tokens,
        "thoughtsTokenCount": script.reasoning_tokens,
        "totalTokenCount": reply.input_tokens + reply.output_tokens,
    }


def _gemini(reply: Reply, parts: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    answer: dict[str, Any] = {"candidates": [candidate], "modelVersion": reply.model, "responseId": "gem_stub"}
    if reply.script.usage != "none":
        answer["usageMetadata"] = gemini_usage(reply)
    return {**answer, **(reply.script.extra or {}), **({"echo": reply.body} if reply.script.echo else {})}


def _gemini_finish(reply: Reply) -> str:
    return "MAX_TOKENS" if reply.finish == "length" else "STOP"


def gemini(reply: Reply) -> dict[str, Any]:
    parts = _gemini_part_chunks(reply)
    joined = [part for part in parts if "text" not in part or part.get("thought")]
    if reply.pieces:
        joined.insert(1 if reply.thinking else 0, {"text": reply.text})
    return _gemini(reply, joined, _gemini_finish(reply))


def gemini_frames(reply: Reply) -> Frames:
    parts = _gemini_part_chunks(reply) or [{"text": ""}]
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        yield event(_gemini(reply, [part], _gemini_finish(reply) if last and reply.script.ending else None)), True


# ---- errors


def failure(api: str, status: int, message: str = "the stub was told to fail") -> dict[str, Any]:
    """An error as each provider words it."""
    if api == "messages":
        names = {
            429: "rate_limit_error",
            529: "overloaded_error",
            400: "invalid_request_error",
            401: "authentication_error",
        }
        return {"type": "error", "error": {"type": names.get(status, "api_error"), "message": message}}
    if api == "gemini":
        names = {429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE", 400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED"}
        return {"error": {"code": status, "message": message, "status": names.get(status, "INTERNAL")}}
    names = {429: "rate_limit_exceeded", 400: "invalid_request_error", 401: "authentication_error"}
    return {"error": {"message": message, "type": names.get(status, "server_error"), "param": None, "code": None}}


def failure_frame(api: str) -> bytes:
    """An error in the middle of a stream."""
    body = failure(api, 529 if api == "messages" else 503)
    if api == "messages":
        return event(body, "error")
    if api == "responses":
        told = {"code": body["error"]["type"], "message": body["error"]["message"], "param": None}
        return event({"type": "error", "sequence_number": 9, **told}, "error")
    return event(body)


WHOLE: dict[str, Callable[[Reply], dict[str, Any]]] = {
    "chat": chat,
    "completions": completions,
    "embeddings": embeddings,
    "responses": responses,
    "messages": messages,
    "gemini": gemini,
}
FRAMES: dict[str, Callable[[Reply], Frames]] = {
    "chat": chat_frames,
    "completions": completions_frames,
    "responses": responses_frames,
    "messages": messages_frames,
    "gemini": gemini_frames,
}
