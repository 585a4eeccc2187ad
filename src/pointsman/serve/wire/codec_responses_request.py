"""A request to OpenAI's `/v1/responses`, said in the chat shape. Pure.

The gateway stores no conversations, so whatever refers to one is refused with the remedy; so are built-in tools, which
run at OpenAI alone, and files that are kept there. Left out: `truncation`, `store`, `include` of reasoning, verbosity,
service tier, and another model's thoughts in earlier turns.
"""

from __future__ import annotations

from typing import Any

from pointsman.serve.wire.codec_fields import (
    TEXT_PARTS,
    as_list,
    as_object,
    as_text,
    copied,
    malformed,
    objects,
    parts_of,
    plain_text,
    unsayable,
    word,
)
from pointsman.serve.wire.errors import Refusal

_KEPT = {
    "model": "model",
    "max_output_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "user": "user",
    "stream": "stream",
}
_STORED = {
    "previous_response_id": "The gateway stores no conversations; send the earlier turns in `input`.",
    "conversation": "The gateway stores no conversations; send the earlier turns in `input`.",
    "background": "The gateway stores no answers; leave `background` out and read the stream.",
    "prompt": "The gateway stores no prompt templates; send the text in `instructions` and `input`.",
}
_CHOICES = frozenset({"auto", "none", "required"})
_ROLES = frozenset({"user", "assistant", "system", "developer"})


def chat_of_responses(body: dict[str, Any]) -> dict[str, Any]:
    """The chat request.

    Raises:
        Refusal: malformed, or not sayable in chat; names the field and, where there is one, the remedy.
    """
    _refuse(body)
    chat = {**copied(body, _KEPT), "messages": _messages(body)}
    _put_tools(chat, body)
    _put_text(chat, body)
    effort = as_object(body.get("reasoning") or {}, "reasoning").get("effort")
    if effort is not None:
        chat["reasoning_effort"] = as_text(effort, "reasoning.effort")
    return chat


def refuse_stored(body: dict[str, Any]) -> None:
    """Refuses what needs a store of conversations."""
    for name, remedy in _STORED.items():
        if body.get(name):
            raise Refusal("invalid_request_error", remedy, param=name)


def _refuse(body: dict[str, Any]) -> None:
    refuse_stored(body)
    if body.get("top_logprobs") or "message.output_text.logprobs" in as_list(body.get("include"), "include"):
        raise unsayable("top_logprobs", "log probabilities can't be told through chat; leave them out")


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if body.get("instructions"):
        found.append({"role": "system", "content": as_text(body["instructions"], "instructions")})
    if isinstance(body.get("input"), str):
        return [*found, {"role": "user", "content": body["input"]}]
    for place, item in objects(body.get("input"), "input"):
        _add_item(found, item, place)
    return found


def _add_item(found: list[dict[str, Any]], item: dict[str, Any], place: str) -> None:
    kind = item.get("type") or "message"
    if kind == "message":
        found.append(_turn(item, place))
    elif kind == "function_call":
        _add_call(found, item, place)
    elif kind == "function_call_output":
        _add_output(found, item, place)
    elif kind == "item_reference":
        raise malformed(f"{place}.type", "refers to a stored item, and the gateway stores none; send the item itself")
    elif kind != "reasoning":
        raise unsayable(f"{place}.type", f"`{word(kind)}` can't be said in chat")


def _turn(item: dict[str, Any], place: str) -> dict[str, Any]:
    role = word(item.get("role"))
    if role not in _ROLES:
        raise malformed(f"{place}.role", "must be `user`, `assistant`, `system` or `developer`")
    if role == "assistant":
        return {"role": role, "content": _assistant_text(item.get("content"), f"{place}.content")}
    if role != "user":
        return {"role": "system", "content": plain_text(item.get("content"), f"{place}.content")}
    parts = [_part(part, where) for where, part in parts_of(item.get("content"), f"{place}.content")]
    single = len(parts) == 1 and parts[0]["type"] == "text"
    return {"role": role, "content": parts[0]["text"] if single else parts}


def _assistant_text(content: Any, place: str) -> str:
    """What the model said before, a refusal of its among it."""
    found = []
    for where, part in parts_of(content, place):
        name = "refusal" if part.get("type") == "refusal" else "text"
        found.append(as_text(part.get(name), f"{where}.{name}"))
    return "".join(found)


def _part(part: dict[str, Any], place: str) -> dict[str, Any]:
    kind = word(part.get("type"))
    if kind in TEXT_PARTS:
        return {"type": "text", "text": as_text(part.get("text"), f"{place}.text")}
    if kind == "input_image":
        if part.get("image_url") is None:
            raise unsayable(f"{place}.file_id", "files kept at OpenAI can't be read here; send `image_url`")
        picture = {"url": as_text(part["image_url"], f"{place}.image_url")}
        return {"type": "image_url", "image_url": {**picture, **copied(part, {"detail": "detail"})}}
    if kind == "input_file":
        if part.get("file_data") is None:
            raise unsayable(place, "files kept elsewhere can't be read here; send `file_data`")
        return {"type": "file", "file": copied(part, {"filename": "filename", "file_data": "file_data"})}
    if kind == "input_audio":
        return {"type": "input_audio", "input_audio": as_object(part.get("input_audio"), f"{place}.input_audio")}
    raise unsayable(f"{place}.type", f"`{kind}` can't be said in chat")


def _add_call(found: list[dict[str, Any]], item: dict[str, Any], place: str) -> None:
    """A call belongs to the assistant's turn before it, if there is one."""
    call = {
        "id": as_text(item.get("call_id"), f"{place}.call_id"),
        "type": "function",
        "function": {
            "name": as_text(item.get("name"), f"{place}.name"),
            "arguments": as_text(item.get("arguments"), f"{place}.arguments"),
        },
    }
    if not found or found[-1]["role"] != "assistant":
        found.append({"role": "assistant", "content": None})
    found[-1].setdefault("tool_calls", []).append(call)


def _add_output(found: list[dict[str, Any]], item: dict[str, Any], place: str) -> None:
    """A tool's text in its own turn; chat lets only a user show pictures, so those follow in one of the user's."""
    parts = [_part(part, where) for where, part in parts_of(item.get("output"), f"{place}.output")]
    text = "\n".join(part["text"] for part in parts if part["type"] == "text")
    found.append({"role": "tool", "tool_call_id": as_text(item.get("call_id"), f"{place}.call_id"), "content": text})
    shown = [part for part in parts if part["type"] != "text"]
    if shown:
        found.append({"role": "user", "content": shown})


def _put_tools(chat: dict[str, Any], body: dict[str, Any]) -> None:
    tools = [_tool(tool, place) for place, tool in objects(body.get("tools"), "tools")]
    if tools:
        # Chat refuses it where there are no tools, `/v1/responses` doesn't.
        chat.update(copied(body, {"parallel_tool_calls": "parallel_tool_calls"}), tools=tools)
    choice = body.get("tool_choice")
    if choice is not None and (tools or choice not in ("auto", "none")):
        chat["tool_choice"] = _choice(choice)


def _tool(tool: dict[str, Any], place: str) -> dict[str, Any]:
    if tool.get("type") != "function":
        raise unsayable(f"{place}.type", "built-in tools run at OpenAI alone; only `function` can be used here")
    fields = {name: name for name in ("description", "parameters", "strict")}
    return {
        "type": "function",
        "function": {"name": as_text(tool.get("name"), f"{place}.name"), **copied(tool, fields)},
    }


def _choice(choice: Any) -> Any:
    if isinstance(choice, str) and choice in _CHOICES:
        return choice
    wish = as_object(choice, "tool_choice")
    if wish.get("type") == "function":
        return {"type": "function", "function": {"name": as_text(wish.get("name"), "tool_choice.name")}}
    if wish.get("type") == "allowed_tools":
        tools = [
            {"type": "function", "function": {"name": as_text(tool.get("name"), f"{place}.name")}}
            for place, tool in objects(wish.get("tools"), "tool_choice.tools")
        ]
        return {"type": "allowed_tools", "allowed_tools": {"mode": wish.get("mode") or "auto", "tools": tools}}
    raise unsayable("tool_choice", "built-in tools run at OpenAI alone")


def _put_text(chat: dict[str, Any], body: dict[str, Any]) -> None:
    wish = as_object(as_object(body.get("text") or {}, "text").get("format") or {}, "text.format")
    if wish.get("type") == "json_object":
        chat["response_format"] = {"type": "json_object"}
    elif wish.get("type") == "json_schema":
        fields = {name: name for name in ("name", "description", "schema", "strict")}
        chat["response_format"] = {"type": "json_schema", "json_schema": copied(wish, fields)}
    elif wish.get("type") not in (None, "text"):
        raise malformed("text.format.type", "must be `text`, `json_object` or `json_schema`")
