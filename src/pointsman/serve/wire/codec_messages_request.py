"""A request to Anthropic's `/v1/messages`, said in OpenAI's chat shape. Pure.

Left out, since they shape an answer without being part of it: `top_k`, `service_tier`, `cache_control`, thinking
budgets, and another model's thoughts in earlier turns. Refused by name: built-in tools and their results, files kept
at Anthropic, `container` and `mcp_servers`.
"""

from __future__ import annotations

from typing import Any

from pointsman.serve.wire.codec_fields import (
    as_object,
    as_text,
    copied,
    json_text,
    malformed,
    objects,
    parts_of,
    plain_text,
    unsayable,
    word,
)

_KEPT = {
    "model": "model",
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "stop_sequences": "stop",
    "stream": "stream",
}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})
_UNSAYABLE = ("container", "mcp_servers")


def chat_of_messages(body: dict[str, Any]) -> dict[str, Any]:
    """The chat request.

    Raises:
        Refusal: malformed, or not sayable in chat; names the field.
    """
    for name in _UNSAYABLE:
        if body.get(name):
            raise unsayable(name, "only Anthropic's own API has it; ask for one of its models")
    chat = {**copied(body, _KEPT), "messages": _messages(body)}
    _put_tools(chat, body)
    _put_output(chat, body)
    user = as_object(body.get("metadata") or {}, "metadata").get("user_id")
    if user is not None:
        chat["user"] = as_text(user, "metadata.user_id")
    return chat


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if body.get("system"):
        found.append({"role": "system", "content": plain_text(body["system"], "system")})
    for place, message in objects(body.get("messages"), "messages"):
        role = message.get("role")
        if role == "user":
            found += _user_turns(message.get("content"), f"{place}.content")
        elif role == "assistant":
            found.append(_assistant_turn(message.get("content"), f"{place}.content"))
        elif role == "system":
            found.append({"role": "system", "content": plain_text(message.get("content"), f"{place}.content")})
        else:
            raise malformed(f"{place}.role", "must be `user`, `assistant` or `system`")
    return found


def _user_turns(content: Any, place: str) -> list[dict[str, Any]]:
    """Tool results as turns of their own, which chat wants first; then what the user says, pictures of tools in it."""
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    results: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []
    for where, block in parts_of(content, place):
        if block.get("type") == "tool_result":
            results.append(_tool_turn(block, where, said))
        else:
            said.append(_said(block, where))
    return [*results, {"role": "user", "content": _shortest(said)}] if said or not results else results


def _shortest(parts: list[dict[str, Any]]) -> Any:
    """A plain string where there is one part of text: every compatible server reads that."""
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def _tool_turn(block: dict[str, Any], place: str, said: list[dict[str, Any]]) -> dict[str, Any]:
    texts: list[str] = []
    for where, part in parts_of(block.get("content"), f"{place}.content"):
        shown = _said(part, where)
        if shown["type"] == "text":
            texts.append(shown["text"])
        else:
            said.append(shown)
    text = "\n".join(texts)
    return {
        "role": "tool",
        "tool_call_id": as_text(block.get("tool_use_id"), f"{place}.tool_use_id"),
        "content": f"Error: {text}" if block.get("is_error") else text,
    }


def _said(block: dict[str, Any], place: str) -> dict[str, Any]:
    """One block of a user's turn as a part of chat."""
    kind = block.get("type")
    if kind == "text":
        return {"type": "text", "text": as_text(block.get("text"), f"{place}.text")}
    if kind == "image":
        return {"type": "image_url", "image_url": {"url": _address(block, place)}}
    if kind == "document":
        return _document(block, place)
    if kind == "search_result":
        return {"type": "text", "text": plain_text(block.get("content"), f"{place}.content")}
    raise unsayable(f"{place}.type", f"`{kind}` can't be said to this model; ask for one of Anthropic's")


def _address(block: dict[str, Any], place: str) -> str:
    """A picture's or a document's address: its own, or its bytes as a `data:` URL."""
    source = as_object(block.get("source"), f"{place}.source")
    if source.get("type") == "url":
        return as_text(source.get("url"), f"{place}.source.url")
    if source.get("type") != "base64":
        raise unsayable(f"{place}.source", "files kept at Anthropic can't be read by this model; send base64 or a URL")
    media = as_text(source.get("media_type"), f"{place}.source.media_type")
    return f"data:{media};base64,{as_text(source.get('data'), f'{place}.source.data')}"


def _document(block: dict[str, Any], place: str) -> dict[str, Any]:
    source = as_object(block.get("source"), f"{place}.source")
    if source.get("type") == "text":
        return {"type": "text", "text": as_text(source.get("data"), f"{place}.source.data")}
    if source.get("type") == "content":
        return {"type": "text", "text": plain_text(source.get("content"), f"{place}.source.content")}
    if source.get("type") == "url":
        raise unsayable(f"{place}.source", "documents by URL can't be read by this model; send base64")
    name = block.get("title") if isinstance(block.get("title"), str) else None
    return {"type": "file", "file": {"filename": name or "document.pdf", "file_data": _address(block, place)}}


def _assistant_turn(content: Any, place: str) -> dict[str, Any]:
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    for where, block in parts_of(content, place):
        kind = block.get("type")
        if kind == "text":
            texts.append(as_text(block.get("text"), f"{where}.text"))
        elif kind == "tool_use":
            calls.append(_call(block, where))
        elif word(kind) not in _THOUGHTS:
            raise unsayable(f"{where}.type", f"`{kind}` can't be said to this model; ask for one of Anthropic's")
    turn: dict[str, Any] = {"role": "assistant", "content": "".join(texts) if texts or not calls else None}
    return {**turn, "tool_calls": calls} if calls else turn


def _call(block: dict[str, Any], place: str) -> dict[str, Any]:
    arguments = json_text(as_object(block.get("input") or {}, f"{place}.input"))
    return {
        "id": as_text(block.get("id"), f"{place}.id"),
        "type": "function",
        "function": {"name": as_text(block.get("name"), f"{place}.name"), "arguments": arguments},
    }


def _put_tools(chat: dict[str, Any], body: dict[str, Any]) -> None:
    tools = [_tool(tool, place) for place, tool in objects(body.get("tools"), "tools")]
    if tools:
        chat["tools"] = tools
    choice = body.get("tool_choice")
    if choice is None:
        return
    wish = as_object(choice, "tool_choice")
    if wish.get("type") == "tool":
        name = as_text(wish.get("name"), "tool_choice.name")
        chat["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif word(wish.get("type")) in _CHOICES:
        chat["tool_choice"] = _CHOICES[wish["type"]]
    else:
        raise malformed("tool_choice.type", "must be `auto`, `any`, `tool` or `none`")
    if wish.get("disable_parallel_tool_use"):
        chat["parallel_tool_calls"] = False


def _tool(tool: dict[str, Any], place: str) -> dict[str, Any]:
    if tool.get("type") is not None and tool["type"] != "custom":
        raise unsayable(f"{place}.type", "built-in tools run at Anthropic alone; ask for one of its models")
    function: dict[str, Any] = {
        "name": as_text(tool.get("name"), f"{place}.name"),
        "parameters": as_object(tool.get("input_schema"), f"{place}.input_schema"),
    }
    return {
        "type": "function",
        "function": {**function, **copied(tool, {"description": "description", "strict": "strict"})},
    }


def _put_output(chat: dict[str, Any], body: dict[str, Any]) -> None:
    """The schema of the answer and an effort that is asked for by name."""
    wish = as_object(body.get("output_config") or {}, "output_config")
    written = wish.get("format") or body.get("output_format")
    if written:
        schema = as_object(as_object(written, "output_config.format").get("schema"), "output_config.format.schema")
        named = {"name": "answer", "schema": schema, "strict": True}
        chat["response_format"] = {"type": "json_schema", "json_schema": named}
    if wish.get("effort") is not None:
        effort = as_text(wish["effort"], "output_config.effort")
        chat["reasoning_effort"] = "xhigh" if effort == "max" else effort
