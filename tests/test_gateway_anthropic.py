"""The real `anthropic` client, against a running gateway in front of upstreams of three kinds."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic

from gateway_kit import (
    MASTER,
    PLAIN,
    GatewayProcess,
    anthropic_model,
    gemini_model,
    openai_model,
    running_gateway,
    wait_until,
)
from stub_upstream import Stub, start_stub

TEXT = "The answer to this is forty-two."
KINDS = ("claude/opus", "oa/all", "gem/pro")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: list[Any] = [{"name": "get_weather", "description": "The weather.", "input_schema": SCHEMA}]
CALLS = [["get_weather", {"city": "Oslo"}], ["get_weather", {"city": "Rome"}]]
MESSAGES: list[Any] = PLAIN
MOST = 100


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    """The upstream of all kinds."""
    with start_stub() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(stub: Stub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway for all tests."""
    models = [
        anthropic_model(stub, id="claude/opus", model="opus", quality=0.9),
        openai_model(stub, id="oa/all", model="all", rates={"input": 1, "output": 2}, quality=0.5),
        gemini_model(stub, id="gem/pro", model="pro", quality=0.5),
    ]
    funds = [{"name": "all", "amount": 1_000_000}, {"name": "none", "amount": 0, "keys": ["poor"]}]
    with running_gateway(tmp_path_factory.mktemp("anthropic"), stub, models, funds) as running:
        yield running
        running.settled()


@pytest.fixture(autouse=True)
def _fresh(stub: Stub) -> None:
    stub.reset()


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[Anthropic]:
    """The client, which validates every answer strictly."""
    with Anthropic(base_url=gateway.url, api_key=MASTER, max_retries=0, _strict_response_validation=True) as made:
        yield made


def other_client(gateway: GatewayProcess, key: str = MASTER) -> Anthropic:
    """A client with another key, or for errors."""
    return Anthropic(base_url=gateway.url, api_key=key, max_retries=0)


def sent(stub: Stub) -> dict[str, Any]:
    """The latest call that reached the upstream."""
    call: dict[str, Any] = stub.calls()["calls"][-1]
    return call


@pytest.mark.parametrize("model", [*KINDS, "auto"])
def test_messages(client: Anthropic, model: str) -> None:
    """An answer with text, stop reason and usage, whoever serves it."""
    answer = client.messages.create(model=model, max_tokens=MOST, messages=MESSAGES, system="Be brief.")
    assert answer.content[0].type == "text"
    assert answer.content[0].text == TEXT
    assert (answer.stop_reason, answer.usage.output_tokens) == ("end_turn", 6)
    assert answer.usage.input_tokens > 0


@pytest.mark.parametrize("model", KINDS)
def test_stream_helper(client: Anthropic, model: str) -> None:
    """The stream helper's text and its final message with usage."""
    with client.messages.stream(model=model, max_tokens=MOST, messages=MESSAGES) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(pieces) == TEXT
    assert len(pieces) > 3
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 6)


@pytest.mark.parametrize("model", KINDS)
def test_raw_stream_events(client: Anthropic, model: str) -> None:
    """The events come in the order that Anthropic documents."""
    stream = client.messages.create(model=model, max_tokens=MOST, messages=MESSAGES, stream=True)
    kinds: list[str] = [event.type for event in stream]
    assert [kind for kind in dict.fromkeys(kinds) if kind != "ping"] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


@pytest.mark.parametrize("model", KINDS)
def test_async(gateway: GatewayProcess, model: str) -> None:
    """The asynchronous client, several at once, and its stream."""

    async def ask() -> tuple[set[str], str]:
        async with AsyncAnthropic(base_url=gateway.url, api_key=MASTER, max_retries=0) as client:
            create = client.messages.create
            answers = await asyncio.gather(*(create(model=model, max_tokens=MOST, messages=MESSAGES) for _ in range(5)))
            async with client.messages.stream(model=model, max_tokens=MOST, messages=MESSAGES) as stream:
                text = await stream.get_final_text()
            return {block.text for answer in answers for block in answer.content if block.type == "text"}, text

    assert asyncio.run(ask()) == ({TEXT}, TEXT)


@pytest.mark.parametrize("model", KINDS)
def test_parallel_tool_use(client: Anthropic, stub: Stub, model: str) -> None:
    """Two calls at once, then their results go back and an answer comes."""
    stub.script(model.partition("/")[2], {"tool_calls": CALLS}, {})
    first = client.messages.create(model=model, max_tokens=MOST, messages=MESSAGES, tools=TOOLS)
    assert first.stop_reason == "tool_use"
    calls: list[Any] = [block for block in first.content if block.type == "tool_use"]
    assert [[call.name, call.input] for call in calls] == CALLS
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "4 °C"} for call in calls]
    messages: list[Any] = [
        *MESSAGES,
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]},
        {"role": "user", "content": results},
    ]
    second = client.messages.create(model=model, max_tokens=MOST, messages=messages, tools=TOOLS)
    assert second.content[0].type == "text"
    assert str(sent(stub)["body"]).count("4 °C") == 2


@pytest.mark.parametrize("model", KINDS)
def test_parallel_tool_use_streams(client: Anthropic, stub: Stub, model: str) -> None:
    """The same in pieces, put together by the client's own accumulator."""
    stub.script(model.partition("/")[2], tool_calls=CALLS)
    with client.messages.stream(model=model, max_tokens=MOST, messages=MESSAGES, tools=TOOLS) as stream:
        final = stream.get_final_message()
    assert [[block.name, block.input] for block in final.content if block.type == "tool_use"] == CALLS


def test_images_and_cache_marks(client: Anthropic, stub: Stub) -> None:
    """A picture and a cache mark reach Anthropic untouched; cached tokens are reported, and billed at their rate."""
    stub.script("opus", input_tokens=1000, cached_tokens=900)
    data = base64.b64encode(b"\x89PNG\r\n").decode()
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    text = {"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral"}}
    messages: list[Any] = [{"role": "user", "content": [picture, text]}]
    raw = client.messages.with_raw_response.create(model="claude/opus", max_tokens=MOST, messages=messages)
    assert sent(stub)["body"]["messages"] == messages
    assert raw.parse().usage.cache_read_input_tokens == 900
    assert float(raw.headers["x-pointsman-cost-usd"]) == pytest.approx(100 * 3e-6 + 900 * 0.3e-6 + 6 * 15e-6)


def test_betas_and_unknown_fields_pass_through(client: Anthropic, stub: Stub) -> None:
    """Beta headers and unknown fields reach Anthropic; the gateway's own wishes and the client's key don't."""
    wish = {"pointsman": {"tags": ["x"]}, "their_field": {"deep": [1]}}
    head = {"anthropic-beta": "some-beta-2025"}
    client.messages.create(model="claude/opus", max_tokens=MOST, messages=MESSAGES, extra_body=wish, extra_headers=head)
    call = sent(stub)
    assert call["body"]["their_field"] == {"deep": [1]}
    assert "pointsman" not in call["body"]
    assert call["headers"].get("anthropic-beta") == "some-beta-2025"
    assert MASTER not in str(call)


def test_count_tokens(client: Anthropic) -> None:
    """An estimate that grows with the text, and nobody is asked."""
    short = client.messages.count_tokens(model="claude/opus", messages=MESSAGES).input_tokens
    longer: list[Any] = [{"role": "user", "content": "What is six times seven? " * 40}]
    assert 0 < short < client.messages.count_tokens(model="claude/opus", messages=longer).input_tokens


def test_errors(gateway: GatewayProcess, stub: Stub) -> None:
    """Each is the client's own exception, in Anthropic's shape."""
    ask: dict[str, Any] = {"max_tokens": MOST, "messages": MESSAGES}
    with other_client(gateway, "sk-wrong") as client, pytest.raises(anthropic.AuthenticationError):
        client.messages.create(model="auto", **ask)
    with other_client(gateway, gateway.key(id="poor")) as client, pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(model="auto", **ask)
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", "rate_limit_error")
    with other_client(gateway) as client:
        with pytest.raises(anthropic.NotFoundError):
            client.messages.create(model="claude/nobody", **ask)
        with pytest.raises(anthropic.BadRequestError):
            client.messages.create(model="auto", max_tokens=MOST, messages="hello")  # type: ignore[arg-type]
        stub.script("opus", status=529)
        with pytest.raises(anthropic.APIStatusError) as busy:
            client.messages.create(model="claude/opus", **ask)
    body = busy.value.body
    assert (busy.value.status_code, body["error"]["type"]) == (503, "overloaded_error")


@pytest.mark.parametrize("model", KINDS)
def test_a_stream_that_breaks_raises_in_the_client(gateway: GatewayProcess, stub: Stub, model: str) -> None:
    """The error event of a broken stream is an exception of the client's own, and what was used is posted."""
    stub.script(model.partition("/")[2], cut="middle")
    spent = gateway.balance("all").spent
    with (
        other_client(gateway) as client,
        pytest.raises(anthropic.APIError),
        client.messages.stream(model=model, max_tokens=MOST, messages=MESSAGES) as stream,
    ):
        stream.get_final_message()
    wait_until(lambda: gateway.balance("all").spent > spent)
