"""Surface features: by hand, against plain Python, and as properties of any text."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.estimate.features import MAX_CHARS, NAMES, joined, surface

TEXT = "What is 12 + 3.5?\nA. 15.5\nB. about -9"


def feature(text: str, name: str) -> float:
    return float(surface([text])[0, NAMES.index(name)])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("characters", np.log1p(len(TEXT))),
        ("digits_log", np.log1p(8)),  # 1 2 3 5 1 5 5 9
        ("questions_share", 1 / len(TEXT)),
        ("words", np.log1p(5)),  # What is A B about
        ("mean_word_length", (4 + 2 + 1 + 1 + 5) / 5),
        ("capitalised_share", 3 / 5),
        ("numbers", np.log1p(6)),  # 12 3 5 15 5 9
        ("decimals", np.log1p(2)),
        ("distinct_share", 1.0),
        ("lines", np.log1p(3)),
        ("longest_line", np.log1p(17)),
        ("options", 2),
        ("options_mean_length", np.log1p((4 + 8) / 2)),
        ("options_numeric_share", 0.5),
        ("before_options", np.log1p(18)),
        ("ends_with_digit", 1.0),
        ("ends_with_question", 0.0),
    ],
)
def test_a_question_with_two_options_counted_by_hand(name: str, expected: float) -> None:
    """Each named feature of a small question is what a person counts."""
    assert feature(TEXT, name) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("line", ["A. x", "b) x", "(C) x", "(1) x", "  D: x", "Options: A. x"])
def test_layouts_of_an_option_are_recognised(line: str) -> None:
    """An option may be marked by a stop, a bracket, two brackets or a colon, and be indented."""
    assert feature(f"Which?\n{line}", "options") == 1


@pytest.mark.parametrize("line", ["Apple. x", "- x", "", "A x", "(A x", "é. x"])
def test_other_lines_are_no_options(line: str) -> None:
    """A word, a dash or a missing mark makes no option."""
    assert feature(f"Which?\n{line}", "options") == 0


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_counts_agree_with_plain_python(text: str) -> None:
    """Digits, lines, words and length agree with Python's own string functions on any text."""
    if not text:
        assert not surface([text]).any()
        return
    assert feature(text, "characters") == pytest.approx(np.log1p(len(text)), rel=1e-5)
    assert feature(text, "digits_log") == pytest.approx(np.log1p(len(re.findall("[0-9]", text))), rel=1e-5)
    assert feature(text, "lines") == pytest.approx(np.log1p(text.count("\n") + 1), rel=1e-5)
    words = re.findall(rb"[A-Za-z\x80-\xff]+", text.encode("utf-8", "replace"))
    assert feature(text, "words") == pytest.approx(np.log1p(len(words)), rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=6))
def test_a_text_has_the_same_features_alone_and_in_any_company(texts: list[str]) -> None:
    """Features are finite, and those of a batch are those of its texts one by one."""
    together = surface(texts)
    assert np.isfinite(together).all()
    np.testing.assert_array_equal(together, np.vstack([surface([text]) for text in texts]))


def test_only_the_beginning_of_a_huge_text_is_read_but_its_length_is_known() -> None:
    """Beyond the cap nothing counts but the length."""
    start = "a " * (MAX_CHARS // 2)
    assert feature(start + "7" * 1000, "digits_log") == 0
    assert feature(start + "7" * 1000, "characters") == pytest.approx(np.log1p(len(start) + 1000), rel=1e-6)


def test_lone_surrogates_and_no_texts_are_taken() -> None:
    """Broken Unicode doesn't raise, and a batch of nothing gives no rows."""
    assert np.isfinite(surface(["\ud800 x"])).all()
    assert surface([]).shape == (0, len(NAMES))
    buffer, starts = joined(["ab", "", "é"])
    assert bytes(buffer) == "abé".encode()
    assert starts.tolist() == [0, 2, 2, 4]
