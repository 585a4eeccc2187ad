"""The real `openai` client, against a running gateway in front of upstreams of three kinds."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from gateway_kit import (
    MASTER,
    PLAIN,
    GatewayProcess,
    anthropic_model,
    embedding_model,
    gemini_model,
    openai_model,
    running_gateway,
)
from stub_upstream import Stub, start_stub

TEXT = "The answer to this is forty-two."
KINDS = ("oa/all", "oa/native", "claude/opus", "gem/pro")
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
CALLS = [["get_weather", {"city": "Oslo"}], ["get_weather", {"city": "Rome"}]]
MESSAGES: list[Any] = PLAIN
PIXEL = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n").decode()


class Place(BaseModel):
    """What a structured answer is parsed into."""

    city: str
    size: int


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    """The upstream of all kinds."""
    with start_stub() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(stub: Stub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway for all tests."""
    rates = {"input": 1, "output": 2, "cached": 0.1}
    models = [
        openai_model(stub, id="oa/all", model="all", rates=rates, quality=0.9),
        openai_model(stub, id="oa/native", model="native", rates=rates, shapes=["chat", "responses"], quality=0.5),
        openai_model(stub, id="oa/dear", model="dear", rates={"input": 1000, "output": 1000}, quality=0.95),
        anthropic_model(stub, id="claude/opus", model="opus", quality=0.5),
        gemini_model(stub, id="gem/pro", model="pro", quality=0.5),
        embedding_model(stub, id="emb/small", model="small"),
    ]
    funds = [
        {"name": "all", "amount": 1_000_000},
        {"name": "none", "amount": 0, "keys": ["poor"], "window": {"calendar": "day"}},
        {"name": "tagged", "amount": 1_000_000, "tags": ["demo"]},
        {"name": "minute", "amount": 10**9, "unit": "tokens", "window": "1m"},
    ]
    aliases = {"cheap": {"models": ["oa/all", "claude/*"], "trade_off": 10}}
    folder = tmp_path_factory.mktemp("openai")
    with running_gateway(folder, stub, models, funds, aliases=aliases) as running:
        yield running
        running.settled()


@pytest.fixture(autouse=True)
def _fresh(stub: Stub) -> None:
    stub.reset()


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[OpenAI]:
    """The client, which validates every answer strictly."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0, _strict_response_validation=True) as made:
        yield made


@pytest.fixture
def lenient(gateway: GatewayProcess) -> Iterator[OpenAI]:
    """The client where its own types are narrower than what OpenAI sends, or where the stub's words are passed on."""
    with other_client(gateway) as made:
        yield made


def other_client(gateway: GatewayProcess, key: str = MASTER) -> OpenAI:
    """A client with another key, or for errors."""
    return OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0)


def sent(stub: Stub) -> dict[str, Any]:
    """The body of the latest call that reached the upstream."""
    body: dict[str, Any] = stub.calls()["calls"][-1]["body"]
    return body


# Chat


@pytest.mark.parametrize("model", [*KINDS, "auto", "pointsman/auto", "cheap"])
def test_chat(client: OpenAI, model: str) -> None:
    """An answer with text, finish reason and usage, whoever serves it."""
    answer = client.chat.completions.create(model=model, messages=MESSAGES)
    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 6
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 6


@pytest.mark.parametrize("usage", [None, True, False])
@pytest.mark.parametrize("model", KINDS)
def test_chat_streams(client: OpenAI, stub: Stub, model: str, usage: bool | None) -> None:
    """The text in pieces; the usage chunk only for who asked for it, though the gateway asks for it always."""
    options: Any = openai.omit if usage is None else {"include_usage": usage}
    chunks = list(client.chat.completions.create(model=model, messages=MESSAGES, stream=True, stream_options=options))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == TEXT
    assert len(chunks) > 3
    counted = [c.usage for c in chunks if c.usage is not None]
    assert len(counted) == (1 if usage else 0)
    assert [c for c in chunks if not c.choices] == ([chunks[-1]] if usage else [])
    if model.startswith("oa"):
        assert sent(stub)["stream_options"]["include_usage"] is True


@pytest.mark.parametrize("model", KINDS)
def test_async_chat_and_stream(gateway: GatewayProcess, model: str) -> None:
    """The asynchronous client, several at once."""

    async def ask() -> tuple[list[str | None], str]:
        async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0) as client:
            create = client.chat.completions.create
            answers = await asyncio.gather(*(create(model=model, messages=MESSAGES) for _ in range(5)))
            stream = await create(model=model, messages=MESSAGES, stream=True)
            pieces = [c.choices[0].delta.content or "" async for c in stream if c.choices]
            return [answer.choices[0].message.content for answer in answers], "".join(pieces)

    assert asyncio.run(ask()) == ([TEXT] * 5, TEXT)


@pytest.mark.parametrize("model", KINDS)
def test_parallel_tool_calls(client: OpenAI, stub: Stub, model: str) -> None:
    """Two calls at once, whole; then their results go back and an answer comes."""
    name = model.partition("/")[2]
    stub.script(name, {"tool_calls": CALLS}, {})
    first = client.chat.completions.create(model=model, messages=MESSAGES, tools=[TOOL])  # type: ignore[list-item]
    assert first.choices[0].finish_reason == "tool_calls"
    calls: Any = first.choices[0].message.tool_calls
    assert [[c.function.name, json.loads(c.function.arguments)] for c in calls] == CALLS
    assert len({call.id for call in calls}) == 2
    results = [{"role": "tool", "tool_call_id": call.id, "content": "4 °C"} for call in calls]
    messages: list[Any] = [*MESSAGES, first.choices[0].message.model_dump(exclude_none=True), *results]
    second = client.chat.completions.create(model=model, messages=messages, tools=[TOOL])  # type: ignore[list-item]
    assert second.choices[0].message.content == TEXT
    assert json.dumps(sent(stub), ensure_ascii=False).count("4 °C") == 2


@pytest.mark.parametrize("model", KINDS)
def test_parallel_tool_calls_stream(client: OpenAI, stub: Stub, model: str) -> None:
    """The same in pieces, put together by the client's own accumulator."""
    stub.script(model.partition("/")[2], tool_calls=CALLS)
    with client.chat.completions.stream(model=model, messages=MESSAGES, tools=[TOOL]) as stream:  # type: ignore[list-item]
        message = stream.get_final_completion().choices[0].message
    calls: Any = message.tool_calls
    assert [[c.function.name, json.loads(c.function.arguments)] for c in calls] == CALLS


@pytest.mark.parametrize("model", KINDS)
def test_structured_output(client: OpenAI, model: str) -> None:
    """`.parse` gives the object that was asked for, whole and streamed."""
    answer = client.chat.completions.parse(model=model, messages=MESSAGES, response_format=Place)
    assert answer.choices[0].message.parsed == Place(city="forty-two", size=42)
    with client.chat.completions.stream(model=model, messages=MESSAGES, response_format=Place) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == Place(city="forty-two", size=42)


@pytest.mark.parametrize("model", [*KINDS, "auto"])
def test_images(client: OpenAI, stub: Stub, model: str) -> None:
    """A picture reaches the upstream."""
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    messages: list[Any] = [{"role": "user", "content": content}]
    assert client.chat.completions.create(model=model, messages=messages).choices[0].message.content == TEXT
    assert PIXEL.partition(",")[2] in json.dumps(sent(stub))


def test_unknown_fields_pass_both_ways(client: OpenAI, stub: Stub) -> None:
    """What the gateway doesn't know it hands on untouched: upstream in the body, and back in the answer."""
    stub.script("all", echo=True, extra={"their_field": {"deep": [1]}})
    odd = {"my_field": {"deep": [1, None, "x"]}, "seed": 7}
    answer = client.chat.completions.create(model="oa/all", messages=MESSAGES, extra_body=odd)
    extra: Any = answer.model_extra
    assert extra["their_field"] == {"deep": [1]}
    assert extra["echo"]["my_field"] == odd["my_field"]
    assert extra["echo"]["messages"] == MESSAGES
    assert "pointsman" not in extra["echo"]


# Other shapes


@pytest.mark.parametrize("model", ["oa/all", "claude/opus", "gem/pro"])
def test_completions(lenient: OpenAI, model: str) -> None:
    """The old completions, whole and streamed."""
    answer = lenient.completions.create(model=model, prompt="Six times seven is", max_tokens=20)
    assert answer.choices[0].text == TEXT
    chunks = list(lenient.completions.create(model=model, prompt="Six times seven is", max_tokens=20, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == TEXT


@pytest.mark.parametrize("model", ["emb/small", "auto"])
def test_embeddings(lenient: OpenAI, stub: Stub, model: str) -> None:
    """Vectors, in both encodings, by name and by choice; a chat model is never chosen for them."""
    both = lenient.embeddings.create(model=model, input=["one", "three"])
    assert [len(item.embedding) for item in both.data] == [4, 4]
    plain = lenient.embeddings.create(model=model, input=["one", "three"], encoding_format="float")
    assert [item.embedding for item in both.data] == [pytest.approx(item.embedding) for item in plain.data]
    assert set(stub.calls()["by_model"]) == {"small"}


def test_async_embeddings(gateway: GatewayProcess) -> None:
    """And asynchronously."""

    async def ask() -> int:
        async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0) as client:
            return len((await client.embeddings.create(model="emb/small", input="one")).data[0].embedding)

    assert asyncio.run(ask()) == 4


@pytest.mark.parametrize("model", KINDS)
def test_responses(client: OpenAI, lenient: OpenAI, model: str) -> None:
    """The Responses API, whole, streamed, and parsed."""
    client = lenient if model == "oa/native" else client
    answer = client.responses.create(model=model, input="What is six times seven?")
    assert answer.output_text == TEXT
    assert answer.usage is not None
    assert answer.usage.output_tokens == 6
    kinds, text = [], ""
    for event in client.responses.create(model=model, input="What is six times seven?", stream=True):
        kinds.append(event.type)
        text += event.delta if event.type == "response.output_text.delta" else ""
    assert (text, kinds[0], kinds[-1]) == (TEXT, "response.created", "response.completed")
    parsed = client.responses.parse(model=model, input="Where?", text_format=Place)
    assert parsed.output_parsed == Place(city="forty-two", size=42)


@pytest.mark.parametrize("model", KINDS)
def test_responses_with_tools(client: OpenAI, lenient: OpenAI, stub: Stub, model: str) -> None:
    """Function calls of the Responses API, and a whole round with their result."""
    client = lenient if model == "oa/native" else client
    tool: Any = {"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": False}
    stub.script(model.partition("/")[2], {"tool_calls": CALLS}, {})
    first = client.responses.create(model=model, input="Weather?", tools=[tool])
    calls: list[Any] = [item for item in first.output if item.type == "function_call"]
    assert [[call.name, json.loads(call.arguments)] for call in calls] == CALLS
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": "4 °C"} for call in calls]
    given: list[Any] = [{"role": "user", "content": "Weather?"}, *[call.model_dump() for call in calls], *results]
    assert client.responses.create(model=model, input=given, tools=[tool]).output_text == TEXT


def test_async_responses_stream(gateway: GatewayProcess) -> None:
    """And asynchronously, with the client's accumulator."""

    async def ask() -> str:
        async with (
            AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=MASTER, max_retries=0) as client,
            client.responses.stream(model="claude/opus", input="What is six times seven?") as stream,
        ):
            return (await stream.get_final_response()).output_text

    assert asyncio.run(ask()) == TEXT


# Models, wishes, headers


def test_models(client: OpenAI) -> None:
    """The list names models and aliases; one of them can be looked up, slash and all."""
    assert {one.id for one in client.models.list()} >= {"auto", "cheap", "oa/all", "claude/opus", "emb/small"}
    assert client.models.retrieve("claude/opus").owned_by == "claude"


def test_wishes_in_the_body_and_in_headers(client: OpenAI, gateway: GatewayProcess) -> None:
    """Allowed models, the trade-off, the most that it may cost: in `extra_body` or in headers."""
    create = client.chat.completions.with_raw_response.create
    served = "x-pointsman-model"
    wish = {"pointsman": {"models": ["claude/*"]}}
    assert create(model="auto", messages=MESSAGES, extra_body=wish).headers[served] == "claude/opus"
    asked = {"x-pointsman-models": "gem/*, oa/native", "x-pointsman-trade-off": "10"}
    assert create(model="auto", messages=MESSAGES, extra_headers=asked).headers[served] == "oa/native"
    assert create(model="auto", messages=MESSAGES).headers[served] == "oa/dear"
    limit = {"pointsman": {"max_cost_usd": 0.01}}
    assert create(model="auto", messages=MESSAGES, extra_body=limit).headers[served] == "oa/all"
    tagged = {"pointsman": {"tags": ["demo"]}}
    assert create(model="oa/all", messages=MESSAGES, extra_body=tagged).status_code == 200
    gateway.settled()
    assert gateway.balance("tagged").spent > 0


def test_headers_of_an_answer(client: OpenAI) -> None:
    """Model, decision, cost and overhead; rate limits; the explanation for who asks for it."""
    raw = client.chat.completions.with_raw_response.create(
        model="oa/all", messages=MESSAGES, extra_headers={"x-pointsman-debug": "true"}
    )
    usage = raw.parse().usage
    assert usage is not None
    cost = usage.prompt_tokens * 1e-6 + usage.completion_tokens * 2e-6
    assert float(raw.headers["x-pointsman-cost-usd"]) == pytest.approx(cost)
    assert raw.headers["x-pointsman-decision-id"].startswith("dec_")
    assert float(raw.headers["x-pointsman-overhead-ms"]) >= 0
    assert int(raw.headers["x-ratelimit-remaining-tokens"]) <= int(raw.headers["x-ratelimit-limit-tokens"]) == 10**9
    assert json.loads(raw.headers["x-pointsman-explanation"])["model"] == "oa/all"


def test_cost_in_the_last_chunk(client: OpenAI) -> None:
    """A stream tells its cost, for who asks for it."""
    wish = {"pointsman": {"stream_cost": True}}
    for model in ("oa/all", "claude/opus"):
        chunks = list(client.chat.completions.create(model=model, messages=MESSAGES, stream=True, extra_body=wish))
        last: Any = chunks[-1].model_extra
        assert float(last["pointsman"]["cost_usd"]) > 0
        assert last["pointsman"]["model"] == model


# Errors, as the client's own exceptions


def test_budget_errors(gateway: GatewayProcess) -> None:
    """An empty fund is a RateLimitError that says which fund, and when to come again."""
    with other_client(gateway, gateway.key(id="poor")) as client, pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="auto", messages=MESSAGES)
    body: Any = caught.value.body
    assert (body["type"], body["code"]) == ("budget_exceeded", "none")


def test_a_spent_window_says_when_it_is_over(gateway: GatewayProcess) -> None:
    """A key's requests of a minute: the third of two is refused with `retry-after` within the minute."""
    with other_client(gateway, gateway.key(id="two", requests_per_minute=2)) as client:
        for _ in range(2):
            client.chat.completions.create(model="oa/all", messages=MESSAGES)
        with pytest.raises(openai.RateLimitError) as caught:
            client.chat.completions.create(model="oa/all", messages=MESSAGES)
    assert 1 <= int(caught.value.response.headers["retry-after"]) <= 62
    assert caught.value.code == "key:two:rpm"


def test_authentication_errors(gateway: GatewayProcess) -> None:
    """No key and a wrong key are the same error; a revoked one doesn't open any more."""
    secret = gateway.key(id="gone")
    with other_client(gateway, secret) as client:
        client.chat.completions.create(model="oa/all", messages=MESSAGES)
        assert gateway.delete("/admin/keys/gone").status_code == 200
        with pytest.raises(openai.AuthenticationError):
            client.chat.completions.create(model="oa/all", messages=MESSAGES)
    with other_client(gateway, "sk-wrong") as client, pytest.raises(openai.AuthenticationError):
        client.models.list()


def test_permission_errors(gateway: GatewayProcess) -> None:
    """A key that is for some models opens no others, sees no others, and administers nothing."""
    with other_client(gateway, gateway.key(id="narrow", models=["claude/*"])) as client:
        assert client.chat.completions.create(model="claude/opus", messages=MESSAGES)
        chosen = client.chat.completions.with_raw_response.create(model="auto", messages=MESSAGES)
        assert chosen.headers["x-pointsman-model"] == "claude/opus"
        with pytest.raises(openai.PermissionDeniedError):
            client.chat.completions.create(model="oa/all", messages=MESSAGES)
        assert "oa/all" not in {one.id for one in client.models.list()}
        with pytest.raises(openai.PermissionDeniedError):
            client.get("/../admin/keys", cast_to=object)


def test_not_found_and_bad_requests(gateway: GatewayProcess) -> None:
    """An unknown model, and requests that make no sense, name the field that is wrong."""
    with other_client(gateway) as client:
        with pytest.raises(openai.NotFoundError) as unknown:
            client.chat.completions.create(model="oa/nobody", messages=MESSAGES)
        assert (unknown.value.param, unknown.value.code) == ("model", "model_not_found")
        with pytest.raises(openai.BadRequestError) as bad:
            client.chat.completions.create(model="auto", messages="hello")  # type: ignore[arg-type]
        assert bad.value.param == "messages"
        with pytest.raises(openai.BadRequestError) as odd:
            client.chat.completions.create(model="auto", messages=MESSAGES, extra_body={"pointsman": {"modles": []}})
        assert odd.value.param == "pointsman.modles"
        with pytest.raises(openai.UnprocessableEntityError):
            client.embeddings.create(model="oa/all", input="one")


def test_upstream_errors(gateway: GatewayProcess, stub: Stub) -> None:
    """What the upstream refuses comes through; what it breaks is the gateway's 5xx, with no address in it."""
    stub.script("all", status=400, error={"error": {"message": "context too long", "type": "x", "code": "too_long"}})
    with other_client(gateway) as client:
        with pytest.raises(openai.BadRequestError) as passed:
            client.chat.completions.create(model="oa/all", messages=MESSAGES)
        assert passed.value.code == "too_long"
        stub.script("all", garbage="html")
        with pytest.raises(openai.InternalServerError) as broken:
            client.chat.completions.create(model="oa/all", messages=MESSAGES)
    assert stub.url.removeprefix("http://") not in str(broken.value)


def test_a_stream_that_breaks_raises_in_the_client(gateway: GatewayProcess, stub: Stub) -> None:
    """The error event of a broken stream is an exception of the client's own."""
    stub.script("all", cut="middle")
    with other_client(gateway) as client, pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="oa/all", messages=MESSAGES, stream=True))
