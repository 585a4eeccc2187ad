"""JSON replies and tool calls."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.pool.graders import Reply, ToolCall, grader_of
from pointsman.pool.graders.structured import json_in, same

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(), part, max_size=3),
    max_leaves=8,
)


def score(text: str, **spec: Any) -> float | None:
    return grader_of({"kind": "json", **spec}).grade(Reply(text)).score


@pytest.mark.parametrize(
    "text", ['{"n": 1}', 'Here:\n```json\n{"n": 1}\n```\nDone.', 'It is {"n": 1}, I think.', '```\n{"n":1}\n```']
)
def test_json_is_found_in_a_reply(text: str) -> None:
    """Bare, fenced, and within words."""
    assert score(text, schema=SCHEMA, equals={"n": 1}) == 1.0


@pytest.mark.parametrize(
    "text", ["", "n is 1", "{'n': 1}", '{"n": "1"}', '{"n": 1', '{"n": 1, "n": 2}', '{"n": NaN}', "[1]", "[" * 5000]
)
def test_what_is_no_such_json_is_wrong(text: str) -> None:
    """Broken, doubled, nested without end, or of another shape."""
    assert score(text, schema=SCHEMA) == 0.0


def test_order_counts_unless_told_otherwise() -> None:
    """By hand."""
    assert score("[2, 1]", equals=[1, 2]) == 0.0
    assert score("[2, 1]", equals=[1, 2], unordered=True) == 1.0
    assert score("[1, 1, 2]", equals=[1, 2, 2], unordered=True) == 0.0
    assert score("null", equals=None) == 1.0
    assert score("true", equals=1) == 0.0


@pytest.mark.parametrize(
    "schema",
    [{"type": "thing"}, {"$ref": "https://example.com/x.json"}, {"pattern": "("}, 7, {"$ref": "file:///etc/passwd"}],
)
def test_a_schema_that_cannot_be_used_is_refused(schema: object) -> None:
    """And none is fetched from anywhere."""
    with pytest.raises(InputError, match="schema"):
        grader_of({"kind": "json", "schema": schema})


def test_a_slow_pattern_in_a_schema_is_not_slow() -> None:
    """Patterns of schemas take time linear in the text: this one would never end with backtracking."""
    assert score(json.dumps("a" * 5000 + "!"), schema={"type": "string", "pattern": "^(a+)+$"}) == 0.0


@given(JSON)
def test_every_value_is_read_back_and_is_itself(value: object) -> None:
    """Whatever is written as JSON is found again, alone and fenced."""
    for text in (json.dumps(value), f"```json\n{json.dumps(value, indent=1)}\n```"):
        assert same(json_in(text), value)
        assert same(json_in(text), value, unordered=True)


@given(st.lists(st.integers(0, 3), max_size=5), st.randoms())
def test_unordered_means_as_a_bag(values: list[int], random: Any) -> None:
    """Oracle: sorting."""
    other = list(values)
    random.shuffle(other)
    assert same(other, values, unordered=True)
    assert same(other, values) is (other == values)
    assert not same([*other, 0], values, unordered=True)


def call(name: str, **arguments: object) -> Reply:
    return Reply("", (ToolCall(name, json.dumps(arguments)),))


def test_a_tool_call_by_hand() -> None:
    """Name and listed arguments must be right; others may be there; a second call may not."""
    grader = grader_of({"kind": "tool", "name": "weather", "arguments": {"city": "Paris", "days": 3}})
    assert grader.grade(call("weather", city="paris ", days=3.0, unit="c")).score == 1.0
    assert grader.grade(call("weather", city="Paris")).score == 0.0
    assert grader.grade(call("forecast", city="Paris", days=3)).score == 0.0
    assert grader.grade(Reply("", 2 * call("weather", city="Paris", days=3).tool_calls)).score == 0.0
    assert grader.grade(Reply("", (ToolCall("weather", "{"),))).score == 0.0
    assert grader.grade(Reply("", (ToolCall("weather", "[]"),))).score == 0.0
    assert grader.grade(Reply("weather(city='Paris')")).score == 0.0


def test_no_tool_by_hand() -> None:
    """Where none fits, any call is wrong."""
    grader = grader_of({"kind": "tool", "none": True})
    assert grader.grade(Reply("No tool does that.")).score == 1.0
    assert grader.grade(call("weather")).score == 0.0


@given(st.text(max_size=30), st.text(max_size=60))
def test_any_tool_call_has_a_grade(name: str, arguments: str) -> None:
    """Whatever a model writes as a name and as arguments."""
    grader = grader_of({"kind": "tool", "name": "weather", "arguments": {"city": "Paris"}})
    assert grader.grade(Reply("", (ToolCall(name, arguments),))).score == 0.0
