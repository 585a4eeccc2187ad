"""A chat request, said in the language of Gemini's `generateContent`. Pure.

Schemas go over as they are, in the fields that take JSON Schema (`parametersJsonSchema`, `responseJsonSchema`).
Pictures, sound and files go inline; a web address goes as one for Gemini to fetch. What would change the answer and
has no word there is refused by name: log probabilities, token biases, one call at a time, sound in the answer.
"""

from __future__ import annotations

import re
from typing import Any

from pointsman.serve.wire.codec_anthropic import allowed_tools
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

# Stands where Gemini 3 wants the signature of its own thought and the call was another model's, or the client lost
# it; Google documents this value for that.
NO_SIGNATURE = "skip_thought_signature_validator"

_SYSTEM = frozenset({"system", "developer"})
_SAMPLING = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "n": "candidateCount",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_MODES = {"auto": "AUTO", "required": "ANY", "none": "NONE"}
_LEVELS = {"none": "minimal", "minimal": "minimal", "low": "low", "medium": "medium", "high": "high", "xhigh": "high"}
_BUDGETS = {"none": 0, "minimal": 512, "low": 1_024, "medium": 8_192, "high": 24_576, "xhigh": 24_576}
_GENERATION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
_SUFFIXES = {
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "heic": "image/heic",
    "pdf": "application/pdf",
}


def gemini_request(chat: dict[str, Any], model: str) -> dict[str, Any]:
    """The body of `generateContent`.

    Args:
        chat: the chat request.
        model: Gemini's own name of the model, on whose generation a few fields depend.

    Raises:
        Refusal: malformed, or not sayable to Gemini; names the field.
    """
    refuse_beyond_text(chat)
    system, contents = _contents(chat, generation(model))
    request: dict[str, Any] = {"contents": contents, **copied(chat, {"safety_settings": "safetySettings"})}
    if system:
        request["systemInstruction"] = {"parts": system}
    _put_tools(request, chat)
    config = _config(chat, model)
    return {**request, "generationConfig": config} if config else request


def generation(model: str) -> tuple[int, int]:
    """For example (2, 5); a name that tells none counts as the newest."""
    found = _GENERATION.match(model)
    return (int(found[1]), int(found[2] or 0)) if found else (99, 0)


def _contents(chat: dict[str, Any], version: tuple[int, int]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The system prompt's parts, and the turns, neighbours of the same role in one."""
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for place, message in objects(chat.get("messages"), "messages"):
        role = word(message.get("role"))
        if role in _SYSTEM and not turns:
            system.append({"text": plain_text(message.get("content"), f"{place}.content")})
            continue
        speaker = "model" if role == "assistant" else "user"
        parts = _parts_of(message, role, place, names, signed=version >= (3, 0))
        if turns and turns[-1]["role"] == speaker:
            turns[-1]["parts"] += parts
        elif parts:
            turns.append({"role": speaker, "parts": parts})
    # A prompt of system turns alone, which OpenAI takes, is what the user says.
    return (system, turns) if turns else ([], [{"role": "user", "parts": system}])


def _parts_of(
    message: dict[str, Any], role: str, place: str, names: dict[str, str], *, signed: bool
) -> list[dict[str, Any]]:
    """The parts of one turn; `names` remembers which function each call was, since a result has to say it."""
    content = [_part(part, where) for where, part in parts_of(message.get("content"), f"{place}.content")]
    content = [part for part in content if part.get("text") != ""]
    if role in _SYSTEM or role == "user":
        return content
    if role == "assistant":
        return content + _calls(message, place, names, signed=signed)
    if role == "tool":
        return [_result(message, place, names)]
    raise malformed(f"{place}.role", "must be `system`, `developer`, `user`, `assistant` or `tool`")


def _calls(message: dict[str, Any], place: str, names: dict[str, str], *, signed: bool) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for where, call in objects(message.get("tool_calls"), f"{place}.tool_calls"):
        function = as_object(call.get("function"), f"{where}.function")
        name = as_text(function.get("name"), f"{where}.function.name")
        names[as_text(call.get("id"), f"{where}.id")] = name
        given = arguments_of(function.get("arguments"), f"{where}.function.arguments")
        part: dict[str, Any] = {"functionCall": {"name": name, "args": given}}
        # Of calls at once only the first is signed.
        signature = _signature(call) or (NO_SIGNATURE if signed and not found else None)
        found.append({**part, "thoughtSignature": signature} if signature else part)
    return found


def _signature(call: dict[str, Any]) -> str | None:
    extra = call.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return signature if isinstance(signature, str) else None


def _result(message: dict[str, Any], place: str, names: dict[str, str]) -> dict[str, Any]:
    called = as_text(message.get("tool_call_id"), f"{place}.tool_call_id")
    if called not in names:
        raise malformed(f"{place}.tool_call_id", "answers no call of an earlier turn")
    text = plain_text(message.get("content"), f"{place}.content")
    return {"functionResponse": {"name": names[called], "response": {"output": text}}}


def _part(part: dict[str, Any], place: str) -> dict[str, Any]:
    kind = word(part.get("type"))
    if kind == "text":
        return {"text": as_text(part.get("text"), f"{place}.text")}
    if kind == "refusal":
        return {"text": as_text(part.get("refusal"), f"{place}.refusal")}
    if kind == "image_url":
        picture = as_object(part.get("image_url"), f"{place}.image_url")
        return _picture(as_text(picture.get("url"), f"{place}.image_url.url"), f"{place}.image_url.url")
    if kind == "input_audio":
        return _sound(as_object(part.get("input_audio"), f"{place}.input_audio"), f"{place}.input_audio")
    if kind == "file":
        return _file(as_object(part.get("file"), f"{place}.file"), f"{place}.file")
    raise unsayable(f"{place}.type", f"`{kind}` can't be said to this model")


def _picture(url: str, place: str) -> dict[str, Any]:
    inline = data_url(url)
    if inline is not None:
        return _inline(*inline)
    if not url.startswith(("https://", "http://")):
        raise malformed(place, "must be a web address or a `data:` URL with base64")
    suffix = url.partition("?")[0].rpartition(".")[2].lower()
    return {"fileData": {"mimeType": _SUFFIXES.get(suffix, "image/jpeg"), "fileUri": url}}


def _inline(media: str, data: str) -> dict[str, Any]:
    return {"inlineData": {"mimeType": media, "data": data}}


def _sound(sound: dict[str, Any], place: str) -> dict[str, Any]:
    media = f"audio/{as_text(sound.get('format'), f'{place}.format')}"
    return _inline(media, as_text(sound.get("data"), f"{place}.data"))


def _file(file: dict[str, Any], place: str) -> dict[str, Any]:
    if file.get("file_data") is None:
        raise unsayable(f"{place}.file_id", "files kept at OpenAI can't be read by this model; send `file_data`")
    inline = data_url(as_text(file["file_data"], f"{place}.file_data"))
    if inline is None:
        raise malformed(f"{place}.file_data", "must be a `data:` URL with base64")
    return _inline(*inline)


def _put_tools(request: dict[str, Any], chat: dict[str, Any]) -> None:
    tools = [_tool(tool, place) for place, tool in objects(chat.get("tools"), "tools")]
    if not tools:
        return
    if chat.get("parallel_tool_calls") is False:
        raise unsayable("parallel_tool_calls", "this model's API can't be held to one call at a time")
    request["tools"] = [{"functionDeclarations": tools}]
    choice = chat.get("tool_choice")
    if choice is not None:
        request["toolConfig"] = {"functionCallingConfig": _choice(choice)}


def _tool(tool: dict[str, Any], place: str) -> dict[str, Any]:
    if tool.get("type") != "function":
        raise unsayable(f"{place}.type", "only tools of type `function` can be used with this model")
    function = as_object(tool.get("function"), f"{place}.function")
    made = {"name": as_text(function.get("name"), f"{place}.function.name")}
    made.update(copied(function, {"description": "description", "parameters": "parametersJsonSchema"}))
    return made


def _choice(choice: Any) -> dict[str, Any]:
    if isinstance(choice, str):
        if choice not in _MODES:
            raise malformed("tool_choice", "must be `auto`, `required`, `none` or an object")
        return {"mode": _MODES[choice]}
    wish = as_object(choice, "tool_choice")
    if wish.get("type") == "function":
        function = as_object(wish.get("function"), "tool_choice.function")
        name = as_text(function.get("name"), "tool_choice.function.name")
        return {"mode": "ANY", "allowedFunctionNames": [name]}
    if wish.get("type") == "allowed_tools":
        mode, names = allowed_tools(wish)
        # `VALIDATED` lets the model speak or call, `ANY` makes it call; both keep to the names.
        return {"mode": "ANY" if mode == "required" else "VALIDATED", "allowedFunctionNames": sorted(names)}
    raise unsayable("tool_choice", "only tools of type `function` can be used with this model")


def _config(chat: dict[str, Any], model: str) -> dict[str, Any]:
    config = copied(chat, _SAMPLING)
    if limit_of(chat) is not None:
        config["maxOutputTokens"] = limit_of(chat)
    stops = stops_of(chat)
    if stops:
        config["stopSequences"] = stops
    wish = as_object(chat.get("response_format") or {}, "response_format")
    if wish.get("type") in ("json_object", "json_schema"):
        config["responseMimeType"] = "application/json"
    if wish.get("type") == "json_schema":
        named = as_object(wish.get("json_schema"), "response_format.json_schema")
        config.update(copied(named, {"schema": "responseJsonSchema"}))
    effort = chat.get("reasoning_effort")
    if effort is not None:
        config.update(_thinking(as_text(effort, "reasoning_effort"), generation(model)))
    return config


def _thinking(effort: str, version: tuple[int, int]) -> dict[str, Any]:
    """How hard to think: levels from Gemini 3 on, budgets in 2.5, nothing before."""
    if effort not in _LEVELS:
        raise malformed("reasoning_effort", "must be `none`, `minimal`, `low`, `medium`, `high` or `xhigh`")
    if version >= (3, 0):
        return {"thinkingConfig": {"thinkingLevel": _LEVELS[effort]}}
    return {"thinkingConfig": {"thinkingBudget": _BUDGETS[effort]}} if version >= (2, 5) else {}
