"""A chat request, said in the language of Anthropic's `/v1/messages`. Pure.

System turns before the first other one become the system prompt; later ones, which Anthropic's older models don't
know, are said by the user. A `json_schema` that is strict goes into `output_config.format` where the model has it;
otherwise the model is made to call a tool that takes the schema, and its call is the answer. Left out, since they
shape an answer without being part of it: `seed`, the strictness of tools, penalties, verbosity, prediction, service
tier. What would change the answer is refused by name: `n` above 1, log probabilities, token biases, sound, built-in
tools.
"""

from __future__ import annotations

import re
from typing import Any

from pointsman.serve.wire.codec_fields import (
    arguments_of,
    as_object,
    as_text,
    copied,
    data_url,
    limit_of,
    malformed,
    objects,
    parts_of,
    plain_text,
    refuse_beyond_text,
    stops_of,
    unsayable,
    word,
)

# The tool whose call is the answer, where a schema is asked for; unlike any name that a client would choose.
ANSWER_TOOL = "answer_as_json__"

_KEPT = {name: name for name in ("top_p", "top_k", "thinking", "metadata", "output_config", "cache_control", "stream")}
_SYSTEM = frozenset({"system", "developer"})
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")
_NO_REASONING = re.compile(r"claude-(?:2|instant|3-(?:haiku|opus|sonnet|5))")
_OLD = re.compile(r"claude-(?:2|instant|3)|claude-(?:opus|sonnet)-4(?:$|-[01](?:$|-)|-20\d{6})")
_BUDGETED = re.compile(_OLD.pattern + r"|claude-(?:opus|sonnet|haiku)-4-5")
_LEAST_BUDGET = 1_024
_BUDGETS = {"minimal": 1_024, "low": 1_024, "medium": 4_096, "high": 16_384, "xhigh": 32_768}
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh"}
_LENGTHS = ((re.compile(r"claude-(?:2|instant|3-(?:haiku|opus|sonnet))"), 4_096), (re.compile(r"claude-3-5"), 8_192))


def most_tokens(model: str) -> int:
    """How long an answer may get where the client sets no limit: Anthropic wants one, OpenAI's shape doesn't."""
    return next((tokens for old, tokens in _LENGTHS if old.match(model)), 32_000)


def message_request(chat: dict[str, Any], model: str, length: int) -> dict[str, Any]:
    """The request to Anthropic.

    Args:
        chat: the chat request.
        model: Anthropic's own name of the model.
        length: the limit of the answer where `chat` sets none.

    Raises:
        Refusal: malformed, or not sayable to Anthropic; names the field.
    """
    refuse_beyond_text(chat)
    if chat.get("n") not in (None, 1):
        raise unsayable("n", "this model's API gives one answer at a time")
    system, turns = _turns(chat)
    limit = limit_of(chat)
    limit = length if limit is None else limit
    request = {**_metadata(chat), "model": model, "max_tokens": limit, "messages": turns}
    if system:
        request["system"] = system
    _put_sampling(request, chat)
    _put_tools(request, chat)
    _put_format(request, chat)
    _put_effort(request, chat)
    return request


def _metadata(chat: dict[str, Any]) -> dict[str, Any]:
    """Fields that Anthropic knows by the same name; of OpenAI's metadata only a user's id means anything to it."""
    found = copied(chat, _KEPT)
    user = chat.get("safety_identifier") or chat.get("user")
    metadata = found.pop("metadata", None)
    if isinstance(metadata, dict) and isinstance(metadata.get("user_id"), str):
        user = metadata["user_id"]
    return {**found, "metadata": {"user_id": as_text(user, "user")}} if user is not None else found


def _turns(chat: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The system prompt's blocks, and the turns, neighbours of the same role in one."""
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    for place, message in objects(chat.get("messages"), "messages"):
        role = word(message.get("role"))
        if role in _SYSTEM and not turns:
            plain_text(message.get("content"), f"{place}.content")
            system += _blocks(message.get("content"), f"{place}.content")
            continue
        speaker = "assistant" if role == "assistant" else "user"
        blocks = _blocks_of(message, role, place)
        if turns and turns[-1]["role"] == speaker:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": speaker, "content": blocks})
    _trim_last(turns)
    # A prompt of system turns alone, which OpenAI takes, is what the user says.
    return (system, turns) if turns else ([], [{"role": "user", "content": system}])


def _trim_last(turns: list[dict[str, Any]]) -> None:
    """Anthropic refuses a last turn of the assistant's that ends in white space."""
    if turns and turns[-1]["role"] == "assistant" and turns[-1]["content"][-1]["type"] == "text":
        last = turns[-1]["content"][-1]
        turns[-1]["content"][-1] = {**last, "text": last["text"].rstrip()}


def _blocks_of(message: dict[str, Any], role: str, place: str) -> list[dict[str, Any]]:
    if role in _SYSTEM or role == "user":
        return _blocks(message.get("content"), f"{place}.content")
    if role == "assistant":
        return _assistant_blocks(message, place)
    if role == "tool":
        blocks = _blocks(message.get("content"), f"{place}.content")
        called = _call_id(message.get("tool_call_id"), f"{place}.tool_call_id")
        return [{"type": "tool_result", "tool_use_id": called, "content": blocks}]
    raise malformed(f"{place}.role", "must be `system`, `developer`, `user`, `assistant` or `tool`")


def _assistant_blocks(message: dict[str, Any], place: str) -> list[dict[str, Any]]:
    """Thoughts with their signatures first, as Anthropic wants them back, then text, then calls."""
    found = [block for _, block in objects(message.get("thinking_blocks"), f"{place}.thinking_blocks")]
    found += _blocks(message.get("content"), f"{place}.content")
    if message.get("refusal"):
        found += _blocks(message["refusal"], f"{place}.refusal")
    for where, call in objects(message.get("tool_calls"), f"{place}.tool_calls"):
        function = as_object(call.get("function"), f"{where}.function")
        found.append(
            {
                "type": "tool_use",
                "id": _call_id(call.get("id"), f"{where}.id"),
                "name": as_text(function.get("name"), f"{where}.function.name"),
                "input": arguments_of(function.get("arguments"), f"{where}.function.arguments"),
            }
        )
    return found


def _call_id(made: Any, place: str) -> str:
    """A call's id in the letters that Anthropic takes: an earlier turn may have come from another upstream."""
    return _NOT_IN_IDS.sub("_", as_text(made, place))


def _blocks(content: Any, place: str) -> list[dict[str, Any]]:
    """The blocks of a turn's content, without texts of white space alone, which Anthropic refuses."""
    found = []
    for where, part in parts_of(content, place):
        block = _block(part, where)
        if block["type"] != "text" or block["text"].strip():
            cached = part.get("cache_control")
            found.append(block if cached is None else {**block, "cache_control": cached})
    return found


def _block(part: dict[str, Any], place: str) -> dict[str, Any]:
    kind = word(part.get("type"))
    if kind == "text":
        return {"type": "text", "text": as_text(part.get("text"), f"{place}.text")}
    if kind == "refusal":
        return {"type": "text", "text": as_text(part.get("refusal"), f"{place}.refusal")}
    if kind == "image_url":
        picture = as_object(part.get("image_url"), f"{place}.image_url")
        url = as_text(picture.get("url"), f"{place}.image_url.url")
        return {"type": "image", "source": _source(url, f"{place}.image_url.url")}
    if kind == "file":
        return _document(as_object(part.get("file"), f"{place}.file"), f"{place}.file")
    raise unsayable(f"{place}.type", f"`{kind}` can't be said to this model")


def _source(url: str, place: str) -> dict[str, Any]:
    inline = data_url(url)
    if inline is not None:
        return {"type": "base64", "media_type": inline[0], "data": inline[1]}
    if not url.startswith(("https://", "http://")):
        raise malformed(place, "must be a web address or a `data:` URL with base64")
    return {"type": "url", "url": url}


def _document(file: dict[str, Any], place: str) -> dict[str, Any]:
    if file.get("file_data") is None:
        raise unsayable(f"{place}.file_id", "files kept at OpenAI can't be read by this model; send `file_data`")
    inline = data_url(as_text(file["file_data"], f"{place}.file_data"))
    if inline is None:
        raise malformed(f"{place}.file_data", "must be a `data:` URL with base64")
    block = {"type": "document", "source": {"type": "base64", "media_type": inline[0], "data": inline[1]}}
    return {**block, **copied(file, {"filename": "title"})}


def _put_sampling(request: dict[str, Any], chat: dict[str, Any]) -> None:
    """Anthropic's hottest is 1, OpenAI's 2. Its newer models take one knob at most, so neutral ones are left out."""
    heat = chat.get("temperature")
    if isinstance(heat, int | float) and heat != 1:
        request["temperature"] = min(1.0, heat)
    if request.get("top_p") == 1:
        del request["top_p"]
    stops = stops_of(chat)
    if not all(stop.strip() for stop in stops):
        raise unsayable("stop", "this model's API can't stop at white space")
    if stops:
        request["stop_sequences"] = stops


def _put_tools(request: dict[str, Any], chat: dict[str, Any]) -> None:
    tools = [_tool(tool, place) for place, tool in objects(chat.get("tools"), "tools")]
    choice, allowed = _choice(chat.get("tool_choice"))
    if allowed is not None:
        tools = [tool for tool in tools if tool["name"] in allowed]
    if not tools:
        return
    request["tools"] = tools
    if chat.get("parallel_tool_calls") is False and choice.get("type") != "none":
        choice = {"type": "auto", **choice, "disable_parallel_tool_use": True}
    if choice:
        request["tool_choice"] = choice


def _tool(tool: dict[str, Any], place: str) -> dict[str, Any]:
    if tool.get("type") != "function":
        raise unsayable(f"{place}.type", "only tools of type `function` can be used with this model")
    function = as_object(tool.get("function"), f"{place}.function")
    schema = as_object(function.get("parameters") or {}, f"{place}.function.parameters")
    made = {
        "name": as_text(function.get("name"), f"{place}.function.name"),
        "input_schema": {"type": "object", "properties": {}, **schema} if "$ref" not in schema else schema,
    }
    made.update(copied(function, {"description": "description"}))
    made.update(copied(tool, {"cache_control": "cache_control"}))
    return made


def _choice(choice: Any) -> tuple[dict[str, Any], frozenset[str] | None]:
    """Anthropic's choice, and the names that it is limited to where not all tools may be called."""
    if choice is None:
        return {}, None
    if isinstance(choice, str):
        if choice not in _CHOICES:
            raise malformed("tool_choice", "must be `auto`, `required`, `none` or an object")
        return {"type": _CHOICES[choice]}, None
    wish = as_object(choice, "tool_choice")
    if wish.get("type") == "function":
        function = as_object(wish.get("function"), "tool_choice.function")
        return {"type": "tool", "name": as_text(function.get("name"), "tool_choice.function.name")}, None
    if wish.get("type") == "allowed_tools":
        mode, names = allowed_tools(wish)
        return {"type": _CHOICES.get(mode, "auto")}, names
    raise unsayable("tool_choice", "only tools of type `function` can be used with this model")


def allowed_tools(wish: dict[str, Any]) -> tuple[str, frozenset[str]]:
    """The mode and the names of OpenAI's `allowed_tools`."""
    place = "tool_choice.allowed_tools"
    limits = as_object(wish.get("allowed_tools"), place)
    names = []
    for where, tool in objects(limits.get("tools"), f"{place}.tools"):
        function = as_object(tool.get("function"), f"{where}.function")
        names.append(as_text(function.get("name"), f"{where}.function.name"))
    return word(limits.get("mode")), frozenset(names)


def _put_format(request: dict[str, Any], chat: dict[str, Any]) -> None:
    wish = as_object(chat.get("response_format") or {}, "response_format")
    if wish.get("type") == "json_object":
        asked = {"type": "text", "text": "Answer with one JSON object and nothing else."}
        request["system"] = [*request.get("system", []), asked]
    elif wish.get("type") == "json_schema":
        named = as_object(wish.get("json_schema"), "response_format.json_schema")
        schema = as_object(named.get("schema") or {}, "response_format.json_schema.schema")
        if named.get("strict") and not _OLD.match(request["model"]):
            given = {"type": "json_schema", "schema": schema}
            request["output_config"] = {**request.get("output_config", {}), "format": given}
        else:
            _force_answer(request, schema, named.get("description"))


def _force_answer(request: dict[str, Any], schema: dict[str, Any], told: Any) -> None:
    """Makes a tool of the schema; where the client has tools of its own, the model may call those first."""
    about = "Call this to give the final answer." + (f" {told}" if isinstance(told, str) else "")
    tool = {"name": ANSWER_TOOL, "description": about, "input_schema": {"type": "object", **schema}}
    others = request.get("tools", [])
    called = others and word(request.get("tool_choice", {}).get("type")) != "none"
    request["tools"] = [*others, tool]
    request["tool_choice"] = {"type": "any"} if called else {"type": "tool", "name": ANSWER_TOOL}
    request.pop("thinking", None)


def _put_effort(request: dict[str, Any], chat: dict[str, Any]) -> None:
    """How hard to think: an effort where the model knows it, else a budget of at most half the answer's limit.

    A forced call and thinking exclude each other, and so do thinking and a last turn with calls that has lost its
    signed thoughts.
    """
    effort, model = chat.get("reasoning_effort"), request["model"]
    if effort is None or effort == "none" or "thinking" in request or _NO_REASONING.match(model):
        return
    if as_text(effort, "reasoning_effort") not in _EFFORTS:
        raise malformed("reasoning_effort", "must be `none`, `minimal`, `low`, `medium`, `high` or `xhigh`")
    if not _BUDGETED.match(model):
        request["output_config"] = {"effort": _EFFORTS[effort], **request.get("output_config", {})}
    if request.get("tool_choice", {}).get("type") in ("any", "tool") or _lost_thoughts(request["messages"]):
        return
    budget = min(_BUDGETS[effort], _half(request["max_tokens"]))
    if not _BUDGETED.match(model):
        request["thinking"] = {"type": "adaptive"}
    elif budget >= _LEAST_BUDGET:
        request["thinking"] = {"type": "enabled", "budget_tokens": budget}
    for name in ("temperature", "top_k", "top_p") if "thinking" in request else ():
        request.pop(name, None)


def _half(tokens: Any) -> int:
    return tokens // 2 if isinstance(tokens, int) else 0


def _lost_thoughts(turns: list[dict[str, Any]]) -> bool:
    spoken = [turn["content"] for turn in turns if turn["role"] == "assistant"]
    if not spoken:
        return False
    kinds = {block["type"] for block in spoken[-1]}
    return "tool_use" in kinds and not kinds & {"thinking", "redacted_thinking"}
