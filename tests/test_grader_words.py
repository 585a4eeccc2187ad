"""Exact answers, choices, facts, rules of form and overlaps."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.pool.graders import Reply, grader_of
from pointsman.pool.graders.overlap import chrf, common_subsequence, rouge_l, tokens_f1
from pointsman.pool.graders.rules import sentences
from pointsman.pool.graders.texts import fenced, marked, words

OPTIONS = {"A": "Mercury", "B": "Venus", "C": "Mars"}
WORDS = st.lists(st.sampled_from("abcd"), max_size=9)


def score(text: str, **spec: Any) -> float | None:
    return grader_of(spec).grade(Reply(text)).score


def test_exact_ignores_what_it_is_told_to() -> None:
    """By hand: case, accents, punctuation, each only where listed."""
    assert score("  PARIS. ", kind="exact", answer="Paris") == 1.0
    assert score("paris", kind="exact", answer="Paris", ignore=["space"]) == 0.0
    assert score("Orleans", kind="exact", answer="Orléans") == 0.0
    assert score("Orleans", kind="exact", answer="Orléans", ignore=["accents"]) == 1.0
    assert score("Paris or Rome", kind="exact", answer=["Paris", "Rome"]) == 0.0


@pytest.mark.parametrize(
    "text", ["B", "(b)", "B. Venus", "Venus", "The answer is **(B)**", "It must be option B, I think."]
)
def test_a_choice_is_a_letter_or_its_words(text: str) -> None:
    """Each of these picks B, and nothing else."""
    assert score(text, kind="choice", answer="B", options=OPTIONS) == 1.0
    assert score(text, kind="choice", answer="A", options=OPTIONS) == 0.0


@pytest.mark.parametrize(
    "text", ["A or B", "The answer is B. No, the answer is C.", "(A) and (B)", "Venus or Mars", "A planet"]
)
def test_two_choices_are_none(text: str) -> None:
    """A reply that names two, or none, is wrong whichever is right."""
    assert all(score(text, kind="choice", answer=key, options=OPTIONS) == 0.0 for key in OPTIONS)


def test_facts_are_a_share() -> None:
    """By hand: two of three facts are there; a wrong one, or a word too many, is zero."""
    facts = {"kind": "facts", "all": [["1969"], ["Armstrong"], ["Apollo 11"]], "none": ["1970"], "most_words": 9}
    assert score("In 1969, Armstrong.", **facts) == pytest.approx(2 / 3)
    assert score("In 1970, Armstrong.", **facts) == 0.0
    assert score("Armstrong " * 10, **facts) == 0.0
    assert score("12,500 people", kind="facts", all=[["12500"]]) == 1.0
    assert score("12,5001 people", kind="facts", all=[["12500"]]) == 0.0
    assert score("Parisian", kind="facts", all=[["Paris"]]) == 0.0


def test_rules_are_a_share() -> None:
    """By hand: of four rules the reply breaks one."""
    checks = [{"words_max": 4}, {"starts": "Dear"}, {"uppercase": False}, {"count": {"text": "you", "times": 2}}]
    assert score("Dear you, you!", kind="rules", checks=checks) == 1.0
    assert score("Dear you!", kind="rules", checks=checks) == 0.75


@pytest.mark.parametrize(
    ("name", "value", "kept", "broken"),
    [
        ("words_min", 2, "a b", "a"),
        ("words", 2, "a b.", "a b c"),
        ("lines", 2, "a\n\nb", "a"),
        ("lines_min", 2, "a\nb", "a"),
        ("lines_max", 1, "a", "a\nb"),
        ("sentences", 2, "Mr. X ran 3.5 km. He won!", "He won."),
        ("sentences_min", 2, "A b. C d.", "A b."),
        ("sentences_max", 1, "A b.", "A b. C d."),
        ("characters_max", 3, "abc", "abcd"),
        ("paragraphs", 2, "a\nb\n\nc", "a\nb"),
        ("bullets", 2, "- a\n2. b", "- a"),
        ("starts", "A", "Ab", "ba"),
        ("ends", "!", "a!", "a!b"),
        ("contains", "x y", "A X Y", "xy"),
        ("lacks", "x", "abc", "aXc"),
        ("each_line_starts", "*", "* a\n* b", "* a\nb"),
        ("uppercase", True, "ABC 1", "Abc"),
        ("lowercase", True, "abc 1", "Abc"),
        ("ascii", True, "abc", "äbc"),
    ],
)
def test_each_rule_can_be_kept_and_broken(name: str, value: object, kept: str, broken: str) -> None:
    """By hand, one reply for each side."""
    assert score(kept, kind="rules", checks=[{name: value}]) == 1.0
    assert score(broken, kind="rules", checks=[{name: value}]) == 0.0


def test_sentences_by_hand() -> None:
    """Stops inside of numbers and after titles end no sentence."""
    assert sentences("Dr. Smith paid 3.50. Then he left?") == 2
    assert sentences("今天很好。明天呢？") == 2


# Scores of sacreBLEU 2.6.0 (CHRF, its defaults) and rouge-score 0.1.2 (rougeL), which aren't needed to test this.
CHRF = [
    ("The cat sat on the mat.", "The cat is on the mat.", 0.6717273492330233),
    ("Das Wetter ist schön heute.", "Heute ist das Wetter sehr schön.", 0.44701634273113470),
    ("abc", "abd", 0.38888888888888886),
    ("今天天气很好", "今天的天气非常好", 0.16016500305561213),
    ("completely different", "nothing shared zzz", 0.08096506480896952),
]


@pytest.mark.parametrize(("found", "wanted", "outside"), CHRF)
def test_chrf_is_sacrebleus(found: str, wanted: str, outside: float) -> None:
    """Oracle: sacreBLEU gives the same to twelve digits."""
    assert chrf(found, wanted) == pytest.approx(outside, rel=1e-12)


def test_rouge_and_tokens_by_hand() -> None:
    """Five of six words in order on either side (rouge-score gives the same); in any order the bag is as full."""
    assert rouge_l("The cat sat on the mat.", "The cat is on the mat.") == pytest.approx(5 / 6)
    assert tokens_f1("mat the on sat cat the", "The cat is on the mat") == pytest.approx(5 / 6)
    assert rouge_l("", "a") == chrf("", "a") == tokens_f1("", "a") == 0.0


@given(WORDS, WORDS)
def test_the_longest_common_subsequence_is_the_longest(a: list[str], b: list[str]) -> None:
    """Oracle: plain recursion."""

    @cache
    def longest(i: int, j: int) -> int:
        if i == len(a) or j == len(b):
            return 0
        return 1 + longest(i + 1, j + 1) if a[i] == b[j] else max(longest(i + 1, j), longest(i, j + 1))

    assert common_subsequence(a, b) == longest(0, 0)


@given(st.text(max_size=40), st.text(max_size=40))
def test_overlaps_are_shares(a: str, b: str) -> None:
    """In [0, 1], and 1 of a text with itself where it has words."""
    for metric in (rouge_l, chrf, tokens_f1):
        assert 0.0 <= metric(a, b) <= 1.0 + 1e-12
    if words(a):
        assert rouge_l(a, a) == tokens_f1(a, a) == 1.0


def test_overlap_passes_at_its_least() -> None:
    """With `least` it's a pass or none; without, the overlap itself."""
    assert score("The cat", kind="overlap", references=["The dog"]) == 0.5
    assert score("The cat", kind="overlap", references=["The dog"], least=0.5) == 1.0
    assert score("The cat", kind="overlap", references=["The dog"], least=0.51) == 0.0


def test_fences_are_read_as_markdown_does() -> None:
    """An inner fence with a language is content; one left open runs to the end."""
    assert fenced("a\n```py\nx = 1\n```\nb\n~~~\ny\n```\n~~~") == [("py", "x = 1\n"), ("", "y\n```\n")]
    assert fenced("```\nopen") == [("", "open")]


def test_marks_of_an_answer() -> None:
    """What follows the mark, up to the next mark or the line's end; a box counts before all."""
    assert marked("The answer is 5. Hm, the answer is 6.\nBye") == ["5. Hm, the", "6."]
    assert marked("#### 7") == ["7"]
    assert marked("Answer: 5, so \\boxed{6}") == ["6"]
