"""Judges: how their words are read, and what comes of the two orders."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.pool.graders import Judge, Reply, grader_of

RUBRIC = "Short and friendly."


def saying(*answers: str) -> Judge:
    """A judge that says these, one after the other."""
    left = iter(answers)
    return lambda prompt: next(left)


def alone(answer: str) -> float | None:
    return grader_of({"kind": "judge", "rubric": RUBRIC}, saying(answer)).grade(Reply("Hi!")).score


def beside(*answers: str) -> float | None:
    return (
        grader_of({"kind": "judge", "rubric": RUBRIC, "reference": "Hello!"}, saying(*answers))
        .grade(Reply("Hi!"))
        .score
    )


def against(*answers: str) -> float | None:
    spec = {"kind": "pairwise", "rubric": RUBRIC, "reference": "Hello!"}
    return grader_of(spec, saying(*answers)).grade(Reply("Hi!")).score


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ('{"score": 7}', 0.7),
        ('```json\n{"score": 10, "why": "good"}\n```', 1.0),
        ("Score: 4", 0.4),
        ("It is nice.\n**Score: 4/10**", 0.4),
        ('<think>maybe {"score": 2}</think>{"score": 9}', 0.9),
        ('{"score": 11}', None),
        ('{"score": -1}', None),
        ('{"score": 7.5}', None),
        ('{"score": true}', None),
        ('{"score": "7"}', None),
        ("Score: 4\nScore: 6", None),
        ("seven or so", None),
        ("", None),
    ],
)
def test_a_score_is_read_strictly(answer: str, score: float | None) -> None:
    """Whole numbers from 0 to 10 in the asked form; anything else is no verdict, and not a bad one."""
    assert alone(answer) == score


def test_both_orders_are_asked_and_averaged() -> None:
    """By hand: 8 as A and 6 as B is 0.7; a difference of more than three points is no verdict."""
    assert beside('{"A": 8, "B": 5}', '{"A": 5, "B": 6}') == 0.7
    assert beside('{"A": 9, "B": 5}', '{"A": 5, "B": 5}') is None
    assert beside('{"A": 9, "B": 5}', "no idea") is None


@pytest.mark.parametrize(
    ("answers", "score"),
    [("AB", 1.0), ("BA", 0.0), ("tt", 0.5), ("At", 0.75), ("tA", 0.25), ("AA", None), ("BB", None), ("Ax", None)],
)
def test_pairwise_by_hand(answers: str, score: float | None) -> None:
    """The reply is A first and B second; who prefers a place, not an answer, gives no verdict."""
    words = {"A": '{"better": "A"}', "B": '{"better": "B"}', "t": '{"better": "tie"}', "x": '{"better": "both"}'}
    assert against(*(words[one] for one in answers)) == score


def test_the_two_prompts_differ_in_order_alone() -> None:
    """The reply stands first in one and second in the other, under the same rubric."""
    seen: list[str] = []

    def judge(prompt: str) -> str:
        seen.append(prompt)
        return '{"better": "tie"}'

    grader_of({"kind": "pairwise", "rubric": RUBRIC, "reference": "Hello!"}, judge).grade(Reply("Hi!"))
    first, second = seen
    assert first.index("Hi!") < first.index("Hello!")
    assert second.index("Hi!") > second.index("Hello!")
    assert RUBRIC in first
    assert RUBRIC in second


def broken(error: Exception) -> Callable[[str], str]:
    def judge(prompt: str) -> str:
        raise error

    return judge


@pytest.mark.parametrize("judge", [broken(TimeoutError()), broken(ValueError("x")), lambda prompt: None])
def test_a_judge_that_fails_gives_no_grade(judge: Judge) -> None:
    """Its fault isn't the reply's."""
    assert grader_of({"kind": "judge", "rubric": RUBRIC}, judge).grade(Reply("Hi!")).score is None


@given(st.text(min_size=1, max_size=200))
def test_no_reply_can_close_its_marks(text: str) -> None:
    """The line that ends the reply isn't part of it, even when it's made to look like the prompt's."""
    seen: list[str] = []

    def judge(prompt: str) -> str:
        seen.append(prompt)
        return '{"score": 5}'

    grader = grader_of({"kind": "judge", "rubric": RUBRIC}, judge)
    grader.grade(Reply(text))
    for prompt in seen[:1]:
        (mark,) = re.findall(r"between the two lines `(\w+)`", prompt)
        assert prompt.count(mark) == 3
        assert mark not in text


@given(st.text(max_size=200))
def test_whatever_a_judge_says_there_is_an_end(said: str) -> None:
    """A grade in [0, 1], or none."""
    for found in (alone(said), beside(said, said), against(said, said)):
        assert found is None or 0.0 <= found <= 1.0
