"""Answers written for recorded scores: by hand, by counting, and as properties of any scores."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.estimate.unseen.consensus import plain
from pointsman.evaluate.deferral.answers import RIGHT, WRONG, written_answers
from pointsman.records import Floats

NAN = float("nan")


@st.composite
def score_tables(draw: st.DrawFn) -> Floats:
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    score = rng.choice([0.0, 0.3, 1.0], size=(draw(st.integers(0, 8)), draw(st.integers(1, 5))))
    return np.where(rng.random(score.shape) < 0.3, NAN, score)


class Dealt(np.random.Generator):
    """A generator that deals given numbers."""

    def __init__(self, numbers: list[float]) -> None:
        super().__init__(np.random.PCG64(0))
        self.numbers = numbers

    def random(self, size: int) -> Floats:  # type: ignore[override]
        assert size == len(self.numbers)
        return np.array(self.numbers)


def test_one_prompt_by_hand() -> None:
    """Equally tempting wrong answers are a quarter each; 0.6 falls in the third, 0.1 in the first."""
    luck, which, tempting = [0.4, 0.6, 0.2, 0.9], [0.0, 0.6, 0.0, 0.1], [0.5] * 4
    found = written_answers(np.array([[0.5, 0.5, NAN, 0.5]]), Dealt([*luck, *which, *tempting]))
    assert found == [[RIGHT, "wrong 2", None, "wrong 0"]]


def test_the_smallest_luck_doesnt_make_a_zero_right() -> None:
    """A draw of exactly 0 is below any chance but none."""
    found = written_answers(np.array([[0.0, 0.1]]), Dealt([0.0, 0.0, 0.0, 0.0, *[0.5] * 4]))
    assert found == [["wrong 0", RIGHT]]


@settings(max_examples=50, deadline=None)
@given(score_tables(), st.integers(0, 1000))
def test_scores_of_nothing_and_all_decide(score: Floats, seed: int) -> None:
    """1 is always right, 0 never, and no score is no answer; all texts are ones that a vote keeps apart."""
    found = written_answers(score, np.random.default_rng(seed))
    assert len(found) == len(score)
    for row, scores in zip(found, score, strict=True):
        for answer, value in zip(row, scores, strict=True):
            assert (answer is None) == np.isnan(value)
            assert (answer == RIGHT) if value == 1.0 else True
            assert (answer != RIGHT) if value == 0.0 else True
    assert len({plain(text) for text in (RIGHT, *(f"wrong {i}" for i in range(WRONG)))}) == WRONG + 1


@settings(max_examples=50, deadline=None)
@given(score_tables(), st.integers(0, 1000), st.data())
def test_fewer_prompts_are_a_prefix(score: Floats, seed: int, data: st.DataObject) -> None:
    """The first answers are the same however many prompts follow."""
    n = data.draw(st.integers(0, len(score)))
    whole = written_answers(score, np.random.default_rng(seed))
    assert written_answers(score[:n], np.random.default_rng(seed)) == whole[:n]


def test_the_same_seed_gives_the_same_answers() -> None:
    """Answers are a matter of the seed, and of nothing else."""
    score = np.random.default_rng(0).random((30, 4))
    first, again, other = (written_answers(score, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_a_score_in_between_is_the_chance_of_being_right() -> None:
    """Of 4,000 answers scored 0.3, 30 % are right, give or take four standard errors."""
    found = written_answers(np.full((1000, 4), 0.3), np.random.default_rng(1))
    share = np.mean([answer == RIGHT for row in found for answer in row])
    assert share == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 4000))


def test_wrong_answers_are_shared_but_not_always_the_same_one() -> None:
    """Two wrong models agree more often than one time in four, as some mistakes are tempting, and less than always;
    over many prompts no wrong answer is favoured.
    """
    found = written_answers(np.zeros((2000, 2)), np.random.default_rng(2))
    agree = np.mean([row[0] == row[1] for row in found])
    # The expected sum of squares of a uniform draw from the simplex of four: 2 / (4 + 1).
    assert agree == pytest.approx(0.4, abs=4 * np.sqrt(0.24 / 2000))
    counts = Counter(str(row[0]) for row in found)
    assert sorted(counts) == [f"wrong {i}" for i in range(WRONG)]
    assert min(counts.values()) > 400
