"""Checked access to the fields of a client's body, so that whatever a client sends ends in a `Refusal`. Pure.

Places are written as a client would: `messages[2].content[0].type`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from pointsman.serve.wire.errors import Refusal

TEXT_PARTS = frozenset({"text", "input_text", "output_text"})


def malformed(place: str, what: str) -> Refusal:
    """The client's own mistake: the field isn't what the API says it is."""
    return Refusal("invalid_request_error", f"`{place}` {what}.", param=place)


def unsayable(place: str, what: str) -> Refusal:
    """A sound request that this model's API has no words for; another model may have them."""
    return Refusal("no_capable_model", f"`{place}`: {what}.", param=place)


def as_object(value: Any, place: str) -> dict[str, Any]:
    """The value as a JSON object."""
    if not isinstance(value, dict):
        raise malformed(place, "must be an object")
    return value


def as_list(value: Any, place: str) -> list[Any]:
    """The value as a JSON array; null counts as empty."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise malformed(place, "must be a list")
    return value


def as_text(value: Any, place: str) -> str:
    """The value as a string."""
    if not isinstance(value, str):
        raise malformed(place, "must be a string")
    return value


def objects(value: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object of a list with its place."""
    for index, item in enumerate(as_list(value, place)):
        where = f"{place}[{index}]"
        yield where, as_object(item, where)


def parts_of(content: Any, place: str) -> list[tuple[str, dict[str, Any]]]:
    """The parts of a turn's content with their places; a plain string is one part of type `text`, null is none."""
    if content is None:
        return []
    if isinstance(content, str):
        return [(place, {"type": "text", "text": content})]
    if not isinstance(content, list):
        raise malformed(place, "must be a string or a list of parts")
    return list(objects(content, place))


def plain_text(content: Any, place: str) -> str:
    """All text of a turn's content, parts joined by line ends; a part that isn't text is refused."""
    if isinstance(content, str):
        return content
    found = []
    for where, part in parts_of(content, place):
        if word(part.get("type")) not in TEXT_PARTS:
            raise unsayable(f"{where}.type", "only text can stand here for this model")
        found.append(as_text(part.get("text"), f"{where}.text"))
    return "\n".join(found)


def data_url(url: str) -> tuple[str, str] | None:
    """Media type and base64 of a `data:` URL; None for any other address."""
    if not url.startswith("data:"):
        return None
    head, comma, data = url.partition(",")
    if not comma or not head.endswith(";base64"):
        return None
    return head[len("data:") : -len(";base64")].partition(";")[0], data


def arguments_of(text: Any, place: str) -> dict[str, Any]:
    """A tool call's arguments, which chat writes as JSON text. An empty text is no arguments."""
    written = as_text(text, place)
    if not written.strip():
        return {}
    try:
        return as_object(orjson.loads(written), place)
    except orjson.JSONDecodeError:
        raise malformed(place, "must be a JSON object written as text") from None


def word(value: Any) -> str:
    """The value if it is a string, else an empty one: safe to look up in a table, whatever a client sent."""
    return value if isinstance(value, str) else ""


def json_bytes(value: Any) -> bytes:
    """A JSON value as bytes."""
    try:
        return orjson.dumps(value)
    except TypeError:
        raise Refusal("invalid_request_error", "The body is nested too deeply.") from None


def json_text(value: Any) -> str:
    """A JSON value as text."""
    return json_bytes(value).decode()


def copied(body: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The fields of `body` that are there and not null, under their new names."""
    return {new: body[old] for old, new in names.items() if body.get(old) is not None}


def limit_of(chat: Mapping[str, Any]) -> Any:
    """The most tokens of the answer that a chat request asks for, None where it sets no limit."""
    limit = chat.get("max_completion_tokens")
    return chat.get("max_tokens") if limit is None else limit


def stops_of(chat: Mapping[str, Any]) -> list[str]:
    """The texts at which a chat request wants the answer to stop; none where it names none."""
    stops = chat.get("stop")
    if isinstance(stops, str):
        return [stops]
    return [as_text(stop, f"stop[{place}]") for place, stop in enumerate(as_list(stops, "stop"))]


def refuse_beyond_text(body: Mapping[str, Any]) -> None:
    """Refuses what only OpenAI's own API can put into a chat answer."""
    if body.get("logprobs"):
        raise unsayable("logprobs", "this model's API gives no log probabilities")
    if body.get("logit_bias"):
        raise unsayable("logit_bias", "this model's API can't bias tokens")
    if body.get("audio") is not None or any(kind != "text" for kind in as_list(body.get("modalities"), "modalities")):
        raise unsayable("modalities", "this model's API answers in text alone")
    if body.get("web_search_options") is not None:
        raise unsayable("web_search_options", "this model's API doesn't search the web through chat")
    if body.get("functions"):
        raise unsayable("functions", "is out of date; write them as `tools`")
