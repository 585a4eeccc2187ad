"""The scripted upstream does what its scripts say: other tests stand on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from stub_upstream import Stub, start_stub

CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}
PATHS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"prompt": "hello"},
    "/v1/responses": {"input": "hello"},
    "/v1/messages": {**CHAT, "max_tokens": 50},
    "/v1beta/models/m:generateContent": {"contents": []},
}


@pytest.fixture(scope="module")
def running() -> Iterator[Stub]:
    with start_stub() as stub:
        yield stub


@pytest.fixture
def stub(running: Stub) -> Stub:
    running.reset()
    return running


def post(stub: Stub, path: str = "/v1/chat/completions", timeout_s: float = 5.0, **body: Any) -> httpx.Response:
    return httpx.post(stub.url + path, json={"model": "m", **CHAT, **body}, timeout=timeout_s)


@pytest.mark.parametrize("path", PATHS)
def test_every_api_answers_whole_and_streamed(stub: Stub, path: str) -> None:
    """Each API's answer and stream hold the text, are counted, and are billed alike."""
    body = {"model": "m", **PATHS[path]}
    assert "forty-two" in httpx.post(stub.url + path, json=body).text
    billed = stub.calls()["output_tokens"]
    streamed = httpx.post(
        stub.url + path.replace(":generate", ":streamGenerate"),
        json=body if "beta" in path else {**body, "stream": True},
    )
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert "forty-two" in streamed.text
    calls = stub.calls()
    assert calls["by_model"] == {"m": 2}
    assert (billed, calls["output_tokens"]) == (6, 12)
    assert calls["calls"][0]["body"] == body


def test_steps_of_a_script(stub: Stub) -> None:
    """Each call takes the next step, and the last one stands; a name can hold a script too."""
    stub.script("m", {"status": 503, "retry_after": 3}, {"text": "now"})
    first = post(stub)
    assert (first.status_code, first.headers["retry-after"]) == (503, "3")
    assert [post(stub).json()["choices"][0]["message"]["content"] for _ in range(2)] == ["now", "now"]
    assert post(stub, model="any;status=429;retry_after=2").headers["retry-after"] == "2"


@pytest.mark.parametrize("cut", ["headers", "first", "middle"])
def test_a_cut_connection(stub: Stub, cut: str) -> None:
    """The client sees the connection break, and what was written until then is billed."""
    stub.script("m", cut=cut)
    with pytest.raises(httpx.RemoteProtocolError):
        post(stub, stream=True)
    assert stub.calls()["output_tokens"] == (3 if cut == "middle" else 0)


@pytest.mark.parametrize("hang", ["headers", "first", "middle"])
def test_a_hang_is_noticed_when_the_client_leaves(stub: Stub, hang: str) -> None:
    """Nothing more comes, and a client that leaves is counted as gone."""
    stub.script("m", hang=hang)
    with pytest.raises(httpx.ReadTimeout):
        post(stub, stream=True, timeout_s=0.3)
    until = time.monotonic() + 5
    while (calls := stub.calls())["open"] and time.monotonic() < until:
        time.sleep(0.01)
    assert (calls["open"], calls["gone"]) == (0, 1)


def test_garbage_and_errors(stub: Stub) -> None:
    """Broken JSON, pages, and error events in the middle of a stream."""
    stub.script(
        "m", {"garbage": "json"}, {"garbage": "html"}, {"error_after": 2}, {"garbage": "sse"}, {"ending": False}
    )
    with pytest.raises(ValueError, match="unexpected end"):
        orjson.loads(post(stub).text)
    assert post(stub).text.startswith("<html>")
    assert '"error"' in post(stub, stream=True).text.split("\n\n")[3]
    assert b"data:" not in post(stub, stream=True).content
    assert "[DONE]" not in post(stub, stream=True).text


def test_echo_tools_and_structure(stub: Stub) -> None:
    """A request can be read back, a demanded tool is called, and a schema is kept to."""
    stub.script("echo", echo=True)
    assert post(stub, model="echo", unknown=[1]).json()["echo"] == {"model": "echo", **CHAT, "unknown": [1]}
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "weather", "parameters": schema}}
    [call] = post(stub, tools=[tool], tool_choice="required").json()["choices"][0]["message"]["tool_calls"]
    assert (call["function"]["name"], call["function"]["arguments"]) == ("weather", '{"city":"forty-two"}')
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    said = post(stub, response_format=wanted).json()["choices"][0]["message"]["content"]
    assert orjson.loads(said) == {"city": "forty-two"}


def test_fixed_counts_sizes_and_pieces(stub: Stub) -> None:
    """Counts are as scripted, answers as long as asked, and a stream in small pieces is the same stream."""
    stub.script("m", {"output_tokens": 7, "input_tokens": 11}, {"size": 100_000}, {"split": 5}, {})
    usage = post(stub).json()["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (11, 7)
    assert len(post(stub).json()["choices"][0]["message"]["content"]) == 100_000
    assert post(stub, stream=True).content == post(stub, stream=True).content
    assert post(stub, max_tokens=2).json()["choices"][0]["finish_reason"] == "length"
