"""Numbers in free text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.pool.graders import Reply, grader_of
from pointsman.pool.graders.numbers import answers, readings


def score(text: str, answer: float, **more: float) -> float | None:
    return grader_of({"kind": "numeric", "answer": answer, **more}).grade(Reply(text)).score


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("42", 42),
        ("#### 42", 42),
        ("so it is \\boxed{42}.", 42),
        ("The answer is 1,234.50 dollars", 1234.5),
        ("3,5 kg", 3.5),
        ("1.234.567", 1234567),
        ("1 234", 1234),
        ("1'234", 1234),
        ("3/4", 0.75),
        ("2 1/2 cups", 2.5),
        ("½", 0.5),
        ("\\frac{1}{8}", 0.125),
        ("12.5 %", 0.125),
        ("12.5%", 12.5),
        ("6.02 × 10^23", 6.02e23),
        ("1e-3", 0.001),
        ("2.5 million", 2.5e6),
        ("−3", -3),
        ("$-3", -3),
        ("minus forty-two", -42),
        ("two hundred and five", 205),
        ("6 * 7 = 42", 42),
        ("1. Add: 40\n2. Add 2 more.\n42", 42),
        ("**42** apples", 42),
        ("It's 42 (6 times 7).", 42),
        ("x=-7", -7),
        ("$$x = 42$$", 42),
        ("Das Ergebnis ist 42.", 42),
        ("答案是42", 42),
    ],
)
def test_a_number_is_found_as_people_write_it(text: str, answer: float) -> None:
    """Separators, fractions, percent, powers, words, marks of an answer: each form gives its number."""
    assert score(text, answer) == 1.0


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("43", 42),
        ("", 42),
        ("no idea", 42),
        ("41 or 42", 42),
        ("either 42 or 43", 42),
        ("-42", 42),
        ("4.2", 42),
        ("421", 42),
    ],
)
def test_other_numbers_are_wrong(text: str, answer: float) -> None:
    """So are no number at all, and two of which one is right."""
    assert score(text, answer) == 0.0


def test_the_tolerance_is_absolute_or_relative() -> None:
    """By hand: 3.14 is within 0.01 of pi, and within 0.1 % of it, and not within 0.001."""
    pi = 3.14159265
    assert score("3.14", pi, tolerance=0.01) == 1.0
    assert score("3.14", pi, relative=0.001) == 1.0
    assert score("3.14", pi, tolerance=0.001) == 0.0
    assert score("3.14", pi) == 0.0


def test_two_numbers_in_doubt_are_both_given() -> None:
    """The reader says what stands there; the grader asks that all of it be right."""
    assert answers("It is 41 or 42.") == [[41.0], [42.0]]
    assert answers("It is 42.") == [[42.0]]


@given(st.integers(-(10**15), 10**15))
def test_every_whole_number_is_read_back(number: int) -> None:
    """Plain, with separators, and in a sentence."""
    assert readings(str(number))[0] == number
    assert number in readings(f"{number:,}")
    assert score(f"The answer is {number:,}.", number) == 1.0


@given(st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 6)))
def test_every_decimal_is_read_back(number: float) -> None:
    """With a point, and with a comma."""
    assert score(f"{number:f}", number, tolerance=1e-5) == 1.0
    assert score(f"{number:f}".replace(".", ","), number, tolerance=1e-5) == 1.0


@given(st.text(alphabet="0123456789.,/ -=%^e×()½²\n orx", max_size=200))
def test_nothing_that_looks_like_numbers_is_an_error(text: str) -> None:
    """Whatever digits and signs come in whatever order, there is a grade."""
    assert score(text, 42) in (0.0, 1.0)
