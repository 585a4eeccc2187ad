"""Requests of every shape: what is read from them, and what is refused."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.pool.cards import Shape
from pointsman.serve.wire.errors import Refusal
from pointsman.serve.wire.query import Query, Wishes
from pointsman.serve.wire.reading import read_query
from pointsman.serve.wire.turns import MOST_PREFIXES, TEXT_CHARS, digests, spoken

SHAPES: tuple[Shape, ...] = ("chat", "completions", "embeddings", "messages", "responses")
HELLO = {"role": "user", "content": "hello"}


def read(shape: Shape, headers: dict[str, str] | None = None, /, **body: Any) -> Query:
    return read_query(shape, orjson.dumps({"model": "auto", **body}), headers or {})


def refusal(shape: Shape, body: bytes, headers: dict[str, str] | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read_query(shape, body, headers or {})
    assert 400 <= caught.value.status < 500
    return caught.value


def test_a_chat_request_by_hand() -> None:
    """Text, counts, limits and needs of a request with everything in it."""
    tools = [{"type": "function", "function": {"name": "f"}}]
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 5_000}}
    query = read(
        "chat",
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture]},
        ],
        tools=tools,
        max_tokens=50,
        max_completion_tokens=70,
        n=2,
        stream=True,
        stream_options={"include_usage": True},
        response_format={"type": "json_object"},
        unknown={"kept": [1, None]},
    )
    assert query.text == "What is this?\n"
    assert query.input_chars == len("Be brief." + "What is this?\n") + len(orjson.dumps(tools)) + 22
    assert (query.images, query.max_output_tokens, query.choices, query.turns) == (1, 70, 2, 2)
    assert query.stream
    assert query.wants_usage
    assert query.needs == {"tools", "vision", "json", "streaming"}
    assert query.body["unknown"] == {"kept": [1, None]}


def test_short_last_turns_bring_earlier_ones() -> None:
    """A last turn that says little is read together with the ones before it, up to a length."""
    assert spoken(["Tell me of Rome.", "And in French?"]) == "Tell me of Rome.\nAnd in French?"
    assert spoken(["short", "x" * 300]) == "x" * 300
    assert spoken(["a" * 300, "b" * 150, "c"]) == "a" * 300 + "\n" + "b" * 150 + "\nc"
    assert len(spoken(["x" * 100_000])) == TEXT_CHARS
    assert spoken([]) == ""


def test_completions_count_every_answer() -> None:
    """Several prompts are answered each, and all of `best_of` are billed."""
    query = read("completions", prompt=["a", "bc"], n=2, best_of=3, max_tokens=9, suffix="de")
    assert (query.choices, query.input_chars, query.max_output_tokens) == (6, 5, 9)
    assert read("completions", prompt=[1, 2, 3]).input_chars == 12
    assert read("completions", prompt=[[1], [2, 3]]).choices == 2


def test_embeddings_need_a_model_of_their_own() -> None:
    """Nothing is generated, nothing is a conversation."""
    query = read("embeddings", input=["one", "three"])
    assert query.needs == {"embeddings"}
    assert (query.max_output_tokens, query.digest, query.input_chars) == (0, b"", 8)


def test_an_empty_prompt_is_read() -> None:
    """A chat of a system turn alone is still a query."""
    assert read("chat", messages=[{"role": "system", "content": "Count to ten."}]).text == "Count to ten."
    assert read("chat", messages=[{"role": "assistant", "content": None}]).text == ""


def test_sound_and_files_weigh_less_than_their_base64() -> None:
    """A minute of sound is not a million characters of text."""
    sound = {"type": "input_audio", "input_audio": {"data": "A" * 100_000, "format": "mp3"}}
    file = {"type": "file", "file": {"file_data": "A" * 100_000}}
    heard = read("chat", messages=[{"role": "user", "content": [sound]}])
    assert heard.needs == {"audio"}
    assert heard.input_chars < 1_000
    filed = read("chat", messages=[{"role": "user", "content": [file]}])
    assert filed.needs == {"vision"}
    assert 10_000 < filed.input_chars < 20_000


# ---- conversations


def test_a_conversation_continues() -> None:
    """The digest of a request is among the prefixes of the one that continues it, and of no other."""
    first = read("chat", messages=[HELLO])
    answer = {"role": "assistant", "content": "Hi."}
    second = read("chat", messages=[HELLO, answer, {"role": "user", "content": "Why?"}])
    third = read("chat", messages=[*second.body["messages"], answer, {"role": "user", "content": "So?"}])
    assert first.prefixes == ()
    assert second.prefixes == (first.digest,)
    assert third.prefixes == (second.digest, first.digest)
    other = read("chat", messages=[{"role": "user", "content": "hello!"}, answer, HELLO])
    assert first.digest not in other.prefixes


@given(st.lists(st.sampled_from(["user", "assistant", "tool", "system"]), min_size=1, max_size=40))
def test_prefixes_are_the_digests_of_earlier_requests(roles: list[str]) -> None:
    """Each beginning that ends in a user's or a tool's turn has its digest there, the longest first, up to a number."""
    messages = [{"role": role, "content": str(place)} for place, role in enumerate(roles)]
    ends = [place for place, role in enumerate(roles[:-1], 1) if role in {"user", "tool"}]
    expected = [digests(messages[:end])[0] for end in reversed(ends)][:MOST_PREFIXES]
    assert digests(messages)[1] == tuple(expected)


def test_the_same_turn_in_other_words() -> None:
    """Key order, a moved `cache_control` and one text part in place of a string don't make another conversation."""
    part = {"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}
    image = {"type": "image_url", "image_url": {"url": "x"}}
    turns: list[Any] = [HELLO, {"content": "hello", "role": "user"}, {"role": "user", "content": [part]}]
    assert len({digests([turn])[0] for turn in turns}) == 1
    marked = digests([{"role": "user", "content": [part, image]}])
    assert marked == digests([{"role": "user", "content": [{"type": "text", "text": "hello"}, image]}])


# ---- refusals


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b'{"model":"auto"',
        b'{"model":"auto","messages":NaN}',
        b'{"model":"auto","temperature":1e999}',
        b'{"model":"\\ud800"}',
        b"[" * 2_000,
        b'{"model":"auto","x":' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"model":"auto","x":' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}",
    ],
)
def test_what_is_no_json_object_is_refused(shape: Shape, body: bytes) -> None:
    """Broken JSON, lone surrogates, infinities and bombs are the client's fault and never ours."""
    assert refusal(shape, body).type == "invalid_request_error"


BAD: list[tuple[Shape, dict[str, Any], str]] = [
    ("chat", {"model": None, "messages": [HELLO]}, "model"),
    ("chat", {"model": "", "messages": [HELLO]}, "model"),
    ("chat", {"model": 5, "messages": [HELLO]}, "model"),
    ("chat", {"model": "x" * 300, "messages": [HELLO]}, "model"),
    ("chat", {}, "messages"),
    ("chat", {"messages": []}, "messages"),
    ("chat", {"messages": "hello"}, "messages"),
    ("chat", {"messages": [5]}, "messages[0]"),
    ("chat", {"messages": [{"content": "x"}]}, "messages[0].role"),
    ("chat", {"messages": [HELLO, {"role": "user", "content": 5}]}, "messages[1].content"),
    ("chat", {"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content"),
    ("chat", {"messages": [HELLO], "max_tokens": -1}, "max_tokens"),
    ("chat", {"messages": [HELLO], "max_tokens": "5"}, "max_tokens"),
    ("chat", {"messages": [HELLO], "max_tokens": True}, "max_tokens"),
    ("chat", {"messages": [HELLO], "max_tokens": 2**63}, "max_tokens"),
    ("chat", {"messages": [HELLO], "max_completion_tokens": 10.5}, "max_completion_tokens"),
    ("chat", {"messages": [HELLO], "n": 0}, "n"),
    ("chat", {"messages": [HELLO], "n": 1_000}, "n"),
    ("chat", {"messages": [HELLO], "stream": "yes"}, "stream"),
    ("chat", {"messages": [HELLO], "stream_options": []}, "stream_options"),
    ("chat", {"messages": [HELLO], "stream_options": {"include_usage": 1}}, "include_usage"),
    ("chat", {"messages": [HELLO], "tools": {}}, "tools"),
    ("chat", {"messages": [HELLO], "response_format": "json"}, "response_format"),
    ("completions", {}, "prompt"),
    ("completions", {"prompt": []}, "prompt"),
    ("completions", {"prompt": ["a", 1]}, "prompt"),
    ("completions", {"prompt": [[1], []]}, "prompt"),
    ("completions", {"prompt": "a", "suffix": 5}, "suffix"),
    ("embeddings", {"input": None}, "input"),
    ("embeddings", {"input": [-1]}, "input"),
    ("messages", {"messages": [HELLO], "max_tokens": 2**40}, "max_tokens"),
]


@pytest.mark.parametrize(("shape", "body", "param"), BAD)
def test_a_wrong_field_is_named(shape: Shape, body: dict[str, Any], param: str) -> None:
    """The refusal of a field carries its name."""
    found = refusal(shape, orjson.dumps({"model": "auto", **body}))
    assert (found.type, found.param) == ("invalid_request_error", param)


def test_a_refusal_carries_no_prompt() -> None:
    """What a broken body says stays out of the answer."""
    found = refusal("chat", b'{"model":"auto","messages":[{"role":"user","content":"my secret diary"')
    assert "diary" not in found.message
    assert "line 1" in found.message


FIELD = st.sampled_from(
    ["role", "content", "type", "text", "user", "image_url", "input_text", "tool_calls", "source", "format", "output"]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELD, inner, max_size=4),
    max_leaves=12,
)
SETTINGS = ["stream", "stream_options", "max_tokens", "max_output_tokens", "n", "response_format", "modalities"]
CONTENTS = ["messages", "input", "prompt", "tools", "text", "system", "instructions", "functions", "pointsman"]
TOP = st.sampled_from([*SETTINGS, *CONTENTS])


@given(st.sampled_from(SHAPES), st.dictionaries(TOP, JSON, max_size=6))
def test_any_json_is_read_or_refused(shape: Shape, body: dict[str, Any]) -> None:
    """Whatever fields hold, reading ends in a query or a refusal below 500."""
    try:
        query = read_query(shape, orjson.dumps({"model": "auto", "max_tokens": 5, **body}), {})
    except Refusal as refused:
        status = refused.status
    else:
        status = 400
        assert query.input_chars >= 0
        assert query.choices >= 1
    assert 400 <= status < 500


@given(st.sampled_from(SHAPES), st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(shape: Shape, body: bytes) -> None:
    """Bytes that are no JSON are refused, not crashed on."""
    with pytest.raises(Refusal):
        read_query(shape, body, {})


# ---- wishes


def test_wishes_in_headers_and_body() -> None:
    """Both are read, the body's object wins field by field and never reaches the upstream."""
    headers = {
        "x-pointsman-models": "openai/*, mistral/small",
        "x-pointsman-trade-off": "3.5",
        "x-pointsman-max-cost-usd": "0.0000000019",
        "x-pointsman-session": "s1",
        "x-pointsman-tags": "a,b",
        "x-pointsman-residency": "eu",
        "x-pointsman-debug": "TRUE",
        "x-pointsman-stream-cost": "1",
        "authorization": "Bearer x",
    }
    query = read("chat", headers, messages=[HELLO], pointsman={"session": "s2", "max_cost_usd": 0.1, "tags": None})
    assert query.wishes == Wishes(
        models=("openai/*", "mistral/small"),
        trade_off=3.5,
        max_cost_nano=100_000_000,
        session="s2",
        tags=("a", "b"),
        residency=("eu",),
        debug=True,
        stream_cost=True,
    )
    assert "pointsman" not in query.body
    # Never more than was said: 1.9 nano-dollars are one.
    assert read("chat", headers, messages=[HELLO]).wishes.max_cost_nano == 1


@pytest.mark.parametrize(
    ("headers", "given", "param"),
    [
        ({"x-pointsman-max-cost": "1"}, {}, "x-pointsman-max-cost"),
        ({}, {"max_cost": 1}, "pointsman.max_cost"),
        ({"x-pointsman-trade-off": "nan"}, {}, "x-pointsman-trade-off"),
        ({"x-pointsman-trade-off": "11"}, {}, "x-pointsman-trade-off"),
        ({}, {"trade_off": True}, "pointsman.trade_off"),
        ({}, {"trade_off": -0.1}, "pointsman.trade_off"),
        ({}, {"max_cost_usd": "1e999999999"}, "pointsman.max_cost_usd"),
        ({}, {"max_cost_usd": -1}, "pointsman.max_cost_usd"),
        ({}, {"models": "a" * 300}, "pointsman.models"),
        ({}, {"models": [1]}, "pointsman.models"),
        ({}, {"models": ["a"] * 65}, "pointsman.models"),
        ({}, {"session": ""}, "pointsman.session"),
        ({"x-pointsman-debug": "maybe"}, {}, "x-pointsman-debug"),
        ({}, {"debug": 1}, "pointsman.debug"),
        ({}, {"x" * 3: 1}, "pointsman.xxx"),
        ({"idempotency-key": ""}, {}, "idempotency-key"),
        ({"idempotency-key": "a\nb"}, {}, "idempotency-key"),
    ],
)
def test_complaint_5_a_limit_with_a_slip_of_the_pen_is_refused(
    headers: dict[str, str], given: dict[str, Any], param: str
) -> None:
    """A wish that isn't known or can't be read is named and refused: it would be a limit that isn't kept."""
    body = orjson.dumps({"model": "auto", "messages": [HELLO], "pointsman": given})
    assert refusal("chat", body, headers).param == param


def test_wishes_must_be_an_object() -> None:
    """The body's `pointsman` is an object or nothing."""
    assert refusal("chat", b'{"model":"auto","pointsman":[]}').param == "pointsman"


@given(st.decimals(0, 1_000, places=9))
def test_a_max_cost_is_exact(cost: Any) -> None:
    """A limit in dollars is kept to the nano-dollar."""
    wishes = read("chat", {"x-pointsman-max-cost-usd": str(cost)}, messages=[HELLO]).wishes
    assert wishes.max_cost_nano == int(cost * 10**9)
