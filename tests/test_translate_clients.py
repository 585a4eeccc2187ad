"""The real clients of OpenAI and Anthropic read what every upstream says, in every shape, whole and streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from openai.types.responses import ResponseFunctionToolCall
from pydantic import BaseModel

from made_upstreams import CALLS, JSON_TEXT, TEXT, Scene, answer, handler, stream
from pointsman.pool.cards import UpstreamKind

KINDS: tuple[UpstreamKind, ...] = ("openai", "anthropic", "gemini")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CHAT_TOOLS: list[Any] = [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
EXPECTED_CALLS = [(name, given) for _, name, given in CALLS]


class City(BaseModel):
    """What a structured answer is parsed into."""

    city: str


class Gateway:
    """Both clients in front of one upstream, which streams if it was asked to."""

    def __init__(self, kind: UpstreamKind) -> None:
        self.kind = kind
        self.scene: Scene = "plain"
        self.calls: list[dict[str, Any]] = []
        self._open: list[Any] = []

    def _transport(self) -> httpx2.MockTransport:
        def told(call: Any) -> bytes:
            streams = '"stream":true' in call.body.decode() or "streamGenerate" in call.url
            return stream(self.kind, self.scene) if streams else answer(self.kind, self.scene)

        return httpx2.MockTransport(handler(self.kind, told, self.calls))

    @property
    def chat(self) -> openai.OpenAI:
        """Validates every answer strictly."""
        return self.openai_client(strict=True)

    def openai_client(self, *, strict: bool) -> openai.OpenAI:
        """OpenAI's client in front of the upstream."""
        self._open.append(httpx2.Client(transport=self._transport()))
        return openai.OpenAI(
            api_key="k",
            base_url="http://gateway.test/v1",
            http_client=self._open[-1],
            max_retries=0,
            _strict_response_validation=strict,
        )

    @property
    def claude(self) -> anthropic.Anthropic:
        """Validates every answer strictly."""
        self._open.append(httpx2.Client(transport=self._transport()))
        return anthropic.Anthropic(
            api_key="k",
            base_url="http://gateway.test",
            http_client=self._open[-1],
            max_retries=0,
            _strict_response_validation=True,
        )

    def close(self) -> None:
        """Closes what was opened."""
        for client in self._open:
            client.close()


@pytest.fixture(params=KINDS)
def gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """A gateway in front of each kind of upstream."""
    made = Gateway(request.param)
    yield made
    made.close()


def test_chat_whole(gateway: Gateway) -> None:
    """A chat client reads text, finish reason and usage, the cached tokens inside the prompt's."""
    got = gateway.chat.chat.completions.create(model="auto", messages=HELLO)
    assert got.choices[0].message.content == TEXT
    assert got.choices[0].finish_reason == "stop"
    assert got.usage is not None
    assert (got.usage.prompt_tokens, got.usage.completion_tokens) == (20, 7)
    assert got.usage.prompt_tokens_details is not None
    assert got.usage.prompt_tokens_details.cached_tokens == 8


def test_chat_stream(gateway: Gateway) -> None:
    """The chat client's accumulator makes the same answer of the stream, usage included where asked for."""
    options: Any = {"include_usage": True}
    with gateway.chat.chat.completions.stream(model="auto", messages=HELLO, stream_options=options) as events:
        got = events.get_final_completion()
    assert got.choices[0].message.content == TEXT
    assert got.choices[0].finish_reason == "stop"
    assert got.usage is not None
    assert (got.usage.prompt_tokens, got.usage.completion_tokens) == (20, 7)


def test_chat_stream_without_usage_asked(gateway: Gateway) -> None:
    """A chat client that didn't ask for the usage sees no chunk without choices."""
    chunks = list(gateway.chat.chat.completions.create(model="auto", messages=HELLO, stream=True))
    assert all(chunk.choices for chunk in chunks)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT


@pytest.mark.parametrize("streamed", [False, True])
def test_chat_tools(gateway: Gateway, streamed: bool) -> None:
    """Two calls at once arrive whole, with their ids and the finish reason of calls."""
    gateway.scene = "tools"
    if streamed:
        with gateway.chat.chat.completions.stream(model="auto", messages=HELLO, tools=CHAT_TOOLS) as events:
            choice: Any = events.get_final_completion().choices[0]
    else:
        choice = gateway.chat.chat.completions.create(model="auto", messages=HELLO, tools=CHAT_TOOLS).choices[0]
    assert choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls
    assert [(call.function.name, json.loads(call.function.arguments)) for call in calls] == EXPECTED_CALLS
    assert [call.id for call in calls] == ["call_a", "call_b"]


def test_chat_parse(gateway: Gateway) -> None:
    """The client's own structured output is parsed into its model."""
    gateway.scene = "json"
    got = gateway.chat.chat.completions.parse(model="auto", messages=HELLO, response_format=City)
    assert got.choices[0].message.parsed == City(city="Paris")


@pytest.mark.parametrize("streamed", [False, True])
def test_chat_cut(gateway: Gateway, streamed: bool) -> None:
    """An answer that met its limit says so."""
    gateway.scene = "long"
    if streamed:
        chunks = list(gateway.chat.chat.completions.create(model="auto", messages=HELLO, stream=True))
        assert chunks[-1].choices[0].finish_reason == "length"
    else:
        got = gateway.chat.chat.completions.create(model="auto", messages=HELLO)
        assert got.choices[0].finish_reason == "length"


def test_completions(gateway: Gateway) -> None:
    """A legacy client reads the text, whole and streamed."""
    got = gateway.chat.completions.create(model="auto", prompt="Hello")
    assert (got.choices[0].text, got.choices[0].finish_reason) == (TEXT, "stop")
    # OpenAI's own chunks have no finish reason until the last, which its own types don't allow.
    lenient = gateway.openai_client(strict=False)
    chunks = list(lenient.completions.create(model="auto", prompt="Hello", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == TEXT
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_messages_whole(gateway: Gateway) -> None:
    """Anthropic's client reads text, stop reason and usage, the cached tokens beside the rest."""
    got = gateway.claude.messages.create(model="auto", max_tokens=99, messages=HELLO)
    assert got.content[0].type == "text"
    assert got.content[0].text == TEXT
    assert got.stop_reason == "end_turn"
    assert (got.usage.cache_read_input_tokens, got.usage.output_tokens) == (8, 7)
    assert got.usage.input_tokens + (got.usage.cache_creation_input_tokens or 0) == 12


def test_messages_stream(gateway: Gateway) -> None:
    """Anthropic's accumulator makes the same message of the stream."""
    with gateway.claude.messages.stream(model="auto", max_tokens=99, messages=HELLO) as events:
        assert "".join(events.text_stream) == TEXT
        got = events.get_final_message()
    assert got.stop_reason == "end_turn"
    assert (got.usage.cache_read_input_tokens, got.usage.output_tokens) == (8, 7)
    assert got.usage.input_tokens + (got.usage.cache_creation_input_tokens or 0) == 12


@pytest.mark.parametrize("streamed", [False, True])
def test_messages_tools(gateway: Gateway, streamed: bool) -> None:
    """Two calls at once arrive as two blocks with their inputs parsed."""
    gateway.scene = "tools"
    asked: Any = {"tools": [{"name": "get_weather", "input_schema": SCHEMA}], "messages": HELLO}
    if streamed:
        with gateway.claude.messages.stream(model="auto", max_tokens=99, **asked) as events:
            got: Any = events.get_final_message()
    else:
        got = gateway.claude.messages.create(model="auto", max_tokens=99, **asked)
    assert got.stop_reason == "tool_use"
    assert [(block.name, block.input) for block in got.content if block.type == "tool_use"] == EXPECTED_CALLS


def test_messages_parse(gateway: Gateway) -> None:
    """Anthropic's structured output is parsed into the client's model."""
    gateway.scene = "json"
    got = gateway.claude.messages.parse(model="auto", max_tokens=99, messages=HELLO, output_format=City)
    assert got.parsed_output == City(city="Paris")


def test_responses_whole(gateway: Gateway) -> None:
    """A responses client reads text, status and usage."""
    got = gateway.chat.responses.create(model="auto", input="Hello", instructions="Be brief.")
    assert got.output_text == TEXT
    assert got.status == "completed"
    assert got.usage is not None
    assert (got.usage.input_tokens, got.usage.output_tokens, got.usage.total_tokens) == (20, 7, 27)
    assert got.usage.input_tokens_details.cached_tokens == 8


def test_responses_stream(gateway: Gateway) -> None:
    """The responses client's accumulator makes the same response of the stream, events in order."""
    with gateway.chat.responses.stream(model="auto", input="Hello") as events:
        seen = list(events)
        got = events.get_final_response()
    assert got.output_text == TEXT
    assert got.usage is not None
    assert got.usage.total_tokens == 27
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    kinds = [event.type for event in seen if not event.type.endswith(".delta")]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


@pytest.mark.parametrize("streamed", [False, True])
def test_responses_tools(gateway: Gateway, streamed: bool) -> None:
    """Two calls at once arrive as two items with their call ids."""
    gateway.scene = "tools"
    tools: Any = [{"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}]
    if streamed:
        with gateway.chat.responses.stream(model="auto", input="Hello", tools=tools) as events:
            got: Any = events.get_final_response()
    else:
        got = gateway.chat.responses.create(model="auto", input="Hello", tools=tools)
    calls = [item for item in got.output if isinstance(item, ResponseFunctionToolCall)]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == EXPECTED_CALLS
    assert [call.call_id for call in calls] == ["call_a", "call_b"]


def test_responses_parse(gateway: Gateway) -> None:
    """The client's own structured output is parsed into its model."""
    gateway.scene = "json"
    got = gateway.chat.responses.parse(model="auto", input="Hello", text_format=City)
    assert got.output_parsed == City(city="Paris")
    assert got.output_text == JSON_TEXT


@pytest.mark.parametrize("streamed", [False, True])
def test_responses_cut(gateway: Gateway, streamed: bool) -> None:
    """A response that met its limit is incomplete, and says why."""
    gateway.scene = "long"
    if streamed:
        last: Any = list(gateway.chat.responses.create(model="auto", input="Hello", stream=True))[-1]
        assert last.type == "response.incomplete"
        got = last.response
    else:
        got = gateway.chat.responses.create(model="auto", input="Hello")
    assert got.status == "incomplete"
    assert got.incomplete_details is not None
    assert got.incomplete_details.reason == "max_output_tokens"


def test_missing_usage_is_shown_as_missing(gateway: Gateway) -> None:
    """No client is told of zeros where no usage was reported, but in Anthropic's shape, which demands a number."""
    gateway.scene = "no usage"
    assert gateway.chat.chat.completions.create(model="auto", messages=HELLO).usage is None
    assert gateway.chat.responses.create(model="auto", input="Hello").usage is None
    if gateway.kind != "anthropic":
        got = gateway.claude.messages.create(model="auto", max_tokens=9, messages=HELLO)
        assert got.usage.output_tokens == 0


PICTURE = "data:image/png;base64,iVBORw0KGgo="


def test_images_in_every_shape(gateway: Gateway) -> None:
    """A picture reaches each upstream in its own words, from whatever shape the client speaks."""
    chat: Any = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PICTURE}}]}]
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    blocks: Any = [{"role": "user", "content": [{"type": "image", "source": source}]}]
    items: Any = [{"role": "user", "content": [{"type": "input_image", "image_url": PICTURE, "detail": "auto"}]}]
    gateway.chat.chat.completions.create(model="auto", messages=chat)
    gateway.claude.messages.create(model="auto", max_tokens=9, messages=blocks)
    gateway.chat.responses.create(model="auto", input=items)
    told = {
        "openai": f'"url":"{PICTURE}"',
        "anthropic": '"source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}',
        "gemini": '"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}',
    }[gateway.kind]
    for call in gateway.calls:
        assert told in json.dumps(call, separators=(",", ":"))
    assert len(gateway.calls) == 3
