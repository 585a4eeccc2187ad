"""`/v1/completions` through chat: the prompt becomes a user's turn. Pure.

Chat has no way to continue a text in its middle, to echo the prompt or to rank several attempts, so `suffix`, `echo`,
`best_of`, prompts as token ids and several prompts at once are refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointsman.pool.cards import Usage
from pointsman.serve.wire.codec_chat import ChatEncoder, event
from pointsman.serve.wire.codec_fields import copied, malformed, unsayable
from pointsman.serve.wire.query import Query

_KEPT = {
    name: name
    for name in (
        "model",
        "max_tokens",
        "temperature",
        "top_p",
        "n",
        "stop",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "user",
        "stream",
        "stream_options",
    )
}


class CompletionsCodec:
    """Legacy completions, to chat and back."""

    def to_chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """A chat request of one turn."""
        for name, what in (("suffix", "insert into a text"), ("echo", "repeat the prompt"), ("logprobs", "tell them")):
            if body.get(name):
                raise unsayable(name, f"a chat model can't {what}")
        best_of = body.get("best_of")
        if best_of is not None and best_of != (body.get("n") or 1):
            raise unsayable("best_of", "a chat model can't rank several attempts")
        return {**copied(body, _KEPT), "messages": [{"role": "user", "content": _prompt(body.get("prompt"))}]}

    def from_chat(self, completion: dict[str, Any], query: Query) -> dict[str, Any]:  # noqa: ARG002 (the protocol's)
        """A `text_completion`."""
        answer = _head(completion)
        answer["choices"] = [_choice(choice, choice["message"]) for choice in completion["choices"]]
        if completion.get("usage") is not None:
            answer["usage"] = completion["usage"]
        return answer

    def encoder(self, query: Query) -> CompletionsEncoder:
        """For one stream."""
        return CompletionsEncoder(query)


class CompletionsEncoder:
    """Chat chunks as chunks of a text completion."""

    def __init__(self, query: Query) -> None:
        self._inner = ChatEncoder("text_completion", wants_usage=query.wants_usage)

    def chunk(self, chunk: Mapping[str, Any]) -> bytes:
        """One event, none for a chunk without text or end."""
        shown = [_choice(choice, choice.get("delta") or {}) for choice in chunk.get("choices") or ()]
        shown = [choice for choice in shown if choice["text"] or choice["finish_reason"]]
        return self._inner.chunk({**_head(chunk), "choices": shown}) if shown else b""

    def end(self, usage: Usage | None, cost: Mapping[str, Any] | None = None) -> bytes:
        """The chunks of usage and cost, then the end marker."""
        return self._inner.end(usage, cost)

    def fail(self, body: Mapping[str, Any]) -> bytes:
        """The error as OpenAI's clients know it in a stream."""
        return event(body)


def _prompt(prompt: Any) -> str:
    if isinstance(prompt, str):
        return prompt
    if not isinstance(prompt, list) or not prompt:
        raise malformed("prompt", "must be a string")
    if not isinstance(prompt[0], str):
        raise unsayable("prompt", "token ids belong to one model's own vocabulary; send the text")
    if len(prompt) > 1:
        raise unsayable("prompt", "a chat model answers one prompt at a time; send one request for each")
    return prompt[0]


def _head(chat: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": "cmpl-" + str(chat.get("id") or "0").removeprefix("chatcmpl-"),
        "object": "text_completion",
        "created": chat.get("created") or 0,
        "model": chat.get("model") or "",
    }


def _choice(choice: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "index": choice.get("index", 0),
        "text": said.get("content") or "",
        "logprobs": None,
        "finish_reason": choice.get("finish_reason"),
    }
