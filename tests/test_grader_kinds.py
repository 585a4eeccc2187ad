"""Every kind: what it refuses to be made from, that it says what it's blind to, and that it always gives a grade."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.pool.graders import KINDS, Grade, Reply, ToolCall, grader_of
from pointsman.pool.graders.code import program_in
from pointsman.pool.graders.sql import query_in

SOUND: Mapping[str, Mapping[str, Any]] = {
    "exact": {"answer": ["Paris"], "ignore": ["case", "accents"]},
    "numeric": {"answer": 42, "tolerance": 0.5, "relative": 0.1},
    "choice": {"answer": "B", "options": {"A": "yes", "B": "no"}},
    "regex": {"pattern": "a+", "full": True},
    "json": {"schema": {"type": "object"}, "equals": {"a": [1]}, "unordered": True},
    "code": {"language": "python", "tests": "assert f() == 1", "entry": "f", "timeout_s": 2, "memory_mb": 64},
    "sql": {"schema": "create table t (a)", "answer": "select a from t", "ordered": True},
    "overlap": {"references": ["a b"], "least": 0.5, "metric": "chrf"},
    "facts": {"all": [["a", "b"], "c"], "none": ["d"], "most_words": 9},
    "rules": {"checks": [{"words_max": 3, "lines": 1}, {"starts": "a"}]},
    "tool": {"name": "f", "arguments": {"x": 1}},
    "judge": {"rubric": "good", "reference": "x"},
    "pairwise": {"rubric": "good", "reference": "x"},
    "all": {
        "of": [{"kind": "exact", "answer": "a"}, {"kind": "all", "of": [{"kind": "rules", "checks": [{"lines": 1}]}]}]
    },
}
# Kinds that start a process for each grade are graded less often.
QUICK = tuple(kind for kind in KINDS if kind not in {"code", "sql", "regex"})
REPLIES = st.builds(
    Reply,
    st.text(max_size=120),
    st.lists(st.builds(ToolCall, st.text(max_size=9), st.text(max_size=30)), max_size=2).map(tuple),
    st.booleans(),
)

BAD = [
    ({}, "kind"),
    ({"kind": "exakt", "answer": "a"}, "did you mean `exact`"),
    ({"kind": "exact"}, "`answer` is missing|`answer` is no list"),
    ({"kind": "exact", "answer": 3}, "`answer`"),
    ({"kind": "exact", "answer": []}, "`answer`"),
    ({"kind": "exact", "answer": "a", "ignore": ["colour"]}, "`ignore`"),
    ({"kind": "exact", "anwser": "a", "answer": "a"}, "did you mean `answer`"),
    ({"kind": "numeric", "answer": "3"}, "`answer` is no number"),
    ({"kind": "numeric", "answer": True}, "`answer` is no number"),
    ({"kind": "numeric", "answer": float("nan")}, "`answer` is no number"),
    ({"kind": "numeric", "answer": 3, "tolerance": -1}, "`tolerance`"),
    ({"kind": "choice", "answer": "E", "options": {"A": "x", "B": "y"}}, "`answer` is 'E'"),
    ({"kind": "choice", "answer": "A", "options": {"A": "x"}}, "`options`"),
    ({"kind": "choice", "answer": "A", "options": {"A": "x", "a": "y"}}, "`options`"),
    ({"kind": "regex", "pattern": "("}, "`pattern`"),
    ({"kind": "json"}, "`schema`"),
    ({"kind": "code", "tests": "f() =", "entry": "f"}, "`tests` is no Python"),
    ({"kind": "code", "tests": "x = 1", "entry": "f"}, "`tests` asserts nothing"),
    ({"kind": "code", "tests": "assert f()", "entry": "f g"}, "`entry`"),
    ({"kind": "code", "tests": "assert f()", "language": "perl"}, "`language`"),
    ({"kind": "code", "tests": "assert f()", "timeout_s": 600}, "`timeout_s`"),
    ({"kind": "code", "tests": "assert f()", "memory_mb": 1}, "`memory_mb`"),
    ({"kind": "sql", "schema": "create table t (a)"}, "`answer`"),
    ({"kind": "overlap", "references": ["a"], "metric": "bleu"}, "`metric`"),
    ({"kind": "overlap", "references": ["a"], "least": 2}, "`least`"),
    ({"kind": "overlap", "references": ["…"]}, "`references`"),
    ({"kind": "facts"}, "`all`"),
    ({"kind": "facts", "all": [[]]}, "`all`"),
    ({"kind": "facts", "all": [["…"]]}, "`all`"),
    ({"kind": "facts", "all": [["a"]], "most_words": 0}, "`most_words`"),
    ({"kind": "rules", "checks": []}, "`checks`"),
    ({"kind": "rules", "checks": [{"word_max": 3}]}, "words_max"),
    ({"kind": "rules", "checks": [{"words_max": "3"}]}, "whole number"),
    ({"kind": "rules", "checks": [{"starts": ""}]}, "a text"),
    ({"kind": "rules", "checks": [{"uppercase": 1}]}, "true or false"),
    ({"kind": "rules", "checks": [{"count": {"text": "a"}}]}, "times"),
    ({"kind": "tool"}, "`name`"),
    ({"kind": "tool", "name": "f", "none": True}, "`none`"),
    ({"kind": "judge", "rubric": "x"}, "needs a model that judges"),
    ({"kind": "all", "of": []}, "`of`"),
    ({"kind": "all", "of": ["exact"]}, "no mapping"),
]


def judge(prompt: str) -> str:
    return '{"score": 5, "A": 5, "B": 5, "better": "tie"}'


@pytest.mark.parametrize(("spec", "says"), BAD, ids=str)
def test_a_bad_spec_is_refused(spec: Mapping[str, Any], says: str) -> None:
    """With the field's name, and a remedy."""
    with pytest.raises(InputError, match=says) as caught:
        grader_of(spec)
    assert caught.value.remedy


def test_no_nesting_without_end() -> None:
    """`all` of `all` of … is refused at some depth instead of overflowing."""
    spec: dict[str, Any] = {"kind": "exact", "answer": "a"}
    for _ in range(50):
        spec = {"kind": "all", "of": [spec]}
    with pytest.raises(InputError, match="nested"):
        grader_of(spec)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_made_from_its_fields(kind: str) -> None:
    """Each knows its name, and says in a sentence what it can't tell."""
    grader = grader_of({"kind": kind, **SOUND[kind]}, judge)
    assert grader.kind == kind
    assert len(grader.blind_to) > 20
    assert "\n" not in grader.blind_to


def test_all_is_the_least() -> None:
    """By hand: two thirds of the facts and half of the rules are a half; None is None, but for a zero beside it."""
    facts = {"kind": "facts", "all": [["a"], ["b"], ["c"]]}
    rules = {"kind": "rules", "checks": [{"words": 2}, {"starts": "x"}]}
    unclear = {"kind": "judge", "rubric": "x"}
    assert grader_of({"kind": "all", "of": [facts, rules]}).grade(Reply("a b")).score == 0.5
    assert grader_of({"kind": "all", "of": [rules, unclear]}, lambda _: "?").grade(Reply("a b")).score is None
    assert grader_of({"kind": "all", "of": [unclear, facts]}, lambda _: "?").grade(Reply("z")).score == 0.0


@given(REPLIES)
@settings(max_examples=60)
@example(Reply("\ud800 \x00 " + "9" * 5000))
@example(Reply("[" * 20_000))
@example(Reply("{" * 20_000 + "\\frac{1}{0} 1/0 1e999 10^999"))
def test_every_reply_has_a_grade(reply: Reply) -> None:
    """Whatever a model writes, no grader raises, and each gives a score in [0, 1] or None."""
    for kind in QUICK:
        assert isinstance(grader_of({"kind": kind, **SOUND[kind]}, judge).grade(reply), Grade)
    program_in(reply.text, "f")
    query_in(reply.text)


@pytest.mark.parametrize("kind", ["code", "sql", "regex"])
@pytest.mark.parametrize("text", ["", "\ud800\x00", "(" * 300_000, "```python\n\x00\n```", "select '\ud800'"])
def test_every_reply_has_a_grade_from_a_process_too(kind: str, text: str) -> None:
    """Nothing that can't be encoded, parsed or sent is an error."""
    assert isinstance(grader_of({"kind": kind, **SOUND[kind]}).grade(Reply(text)), Grade)


PROGRAM = "def f():\n    return 1"


@pytest.mark.parametrize(
    "text",
    [
        PROGRAM,
        f"```python\n{PROGRAM}\n```",
        f"Sure!\n```\n{PROGRAM}\n```\nThat's it.",
        f"Sure!\n\n{PROGRAM}\n\nThat's it.",
        f"```python\n{PROGRAM}",
        f"```python\ng = 1\n```\nand\n```python\n{PROGRAM}\n```\nuse:\n```python\nassert f() == 2\n```",
        f"```bash\npip install x\n```\n```py\n{PROGRAM}\n```",
        "```python\nimport re, warnings\ndef f():\n    return len(re.findall('\\d', 'a1')) if 1 is not 2 else 0\n```",
        f"<think>def f(): return 2</think>{PROGRAM}",
    ],
)
def test_the_program_of_a_reply_is_found(text: str) -> None:
    """Fenced or not, with words around it, with helpers before and examples after it."""
    assert grader_of({"kind": "code", "tests": "assert f() == 1", "entry": "f"}).grade(Reply(text)).score == 1.0


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("select 1", "select 1"),
        ("```sql\nSELECT 1;\n```", "SELECT 1;"),
        ("Use this: SELECT 1; it works.", "SELECT 1"),
        ("with x as (select 1) select * from x", "with x as (select 1) select * from x"),
        ("Try `select 1`.", "select 1"),
        ("I can't.", ""),
    ],
)
def test_the_query_of_a_reply_is_found(text: str, query: str) -> None:
    """Fenced or not, with words around it."""
    assert query_in(text) == query
