"""Between a client's API shape and OpenAI's chat shape, the one that every adapter can translate from and to.

A codec reads a client's request into a chat request, writes a whole chat completion in the client's shape, and encodes
chat chunks as the client's stream of server-sent events. Pure: no I/O, no clock, no randomness. It refuses, naming the
field, what would change the answer's meaning if it were left out; matters of taste (`seed`, `top_k`, penalties,
verbosity, service tier) are left out where the other side has no word for them.

What "chat" means here, besides OpenAI's own document: reasoning is `reasoning_content` of a message or a delta, with
Anthropic's signed blocks in `thinking_blocks`; Gemini's signatures are `extra_content.google.thought_signature` of a
tool call; the limit of the answer is `max_tokens`, the name that every compatible server knows: an adapter whose
upstream wants `max_completion_tokens` renames it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pointsman.pool.cards import Shape, Usage
from pointsman.serve.wire.codec_chat import ChatCodec
from pointsman.serve.wire.codec_completions import CompletionsCodec
from pointsman.serve.wire.codec_messages import MessagesCodec
from pointsman.serve.wire.codec_responses import ResponsesCodec
from pointsman.serve.wire.query import Query


class StreamEncoder(Protocol):
    """One stream on its way out, in the client's shape. Feed it every chat chunk in order, then end it once."""

    def chunk(self, chunk: Mapping[str, Any]) -> bytes:
        """The events for one `chat.completion.chunk`; may be empty. A usage in it is not shown: `end` has it."""
        ...

    def end(self, usage: Usage | None, cost: Mapping[str, Any] | None = None) -> bytes:
        """The last events, the client's own end marker among them.

        Args:
            usage: as the upstream reported it, None where it reported none.
            cost: shown as the object `pointsman` where given.
        """
        ...

    def fail(self, body: Mapping[str, Any]) -> bytes:
        """An error event that ends the stream; `body` as `Refusal.openai()` gives it."""
        ...


class Codec(Protocol):
    """One client shape, to chat and back."""

    def to_chat(self, body: dict[str, Any]) -> dict[str, Any]:
        """A new chat request; parts of `body` may be shared, nothing in it is changed.

        Raises:
            Refusal: the body is malformed or can't be said in the chat shape; names the field.
        """
        ...

    def from_chat(self, completion: dict[str, Any], query: Query) -> dict[str, Any]:
        """A whole answer in the client's shape.

        Raises:
            KeyError, TypeError, IndexError, ValueError, AttributeError: `completion` isn't a chat completion.
        """
        ...

    def encoder(self, query: Query) -> StreamEncoder:
        """For one stream that is about to begin."""
        ...


def codec_for(shape: Shape) -> Codec | None:
    """The codec of a shape; None for one that chat can't stand for (embeddings)."""
    return _CODECS.get(shape)


_CODECS: dict[Shape, Codec] = {
    "chat": ChatCodec(),
    "completions": CompletionsCodec(),
    "messages": MessagesCodec(),
    "responses": ResponsesCodec(),
}
