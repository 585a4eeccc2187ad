"""Labels from agreement: votes by hand, an enumeration as oracle, and properties of any ballot."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.errors import InputError
from pointsman.estimate.unseen.consensus import error_correlation, plain, soft_scores
from pointsman.evaluate.deferral.answers import RIGHT, written_answers
from pointsman.records import Floats

NAN = float("nan")
Answers = list[list[str | None]]


@st.composite
def ballots(draw: st.DrawFn, least: int = 1) -> tuple[Answers, Floats, float]:
    """Few rows of answers out of three, some not given, with any expectations and any correlation."""
    rows, models = draw(st.integers(1, 4)), draw(st.integers(least, 6))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    choices: list[str | None] = ["A", "B", "C", None]
    answers = [[choices[i] for i in rng.integers(0, 4, models)] for _ in range(rows)]
    return answers, rng.random((rows, models)), draw(st.sampled_from([0.0, 0.3, 1.0]))


def bayes(answers: Sequence[str], ability: Sequence[float], at: int) -> float:
    """Belief that answer `at` is right, by going through every hypothesis; the others' votes multiply.

    A vote makes its answer K·p / (1 − p) times as likely against each other, K answers being in play.
    """
    others = [v for v in range(len(answers)) if v != at]
    played = sorted({answers[v] for v in others} | {answers[at]})
    share = (1 - ability[at]) / len(played)
    belief = {"none of these": share} | {one: ability[at] if one == answers[at] else share for one in played}
    for v in others:
        belief[answers[v]] *= max(len(played), 2) * ability[v] / (1 - ability[v])
    return belief[answers[at]] / sum(belief.values())


def test_a_vote_of_three_by_hand() -> None:
    """A (0.8), A (0.6) and B (0.5): the first A stands against B and none as 0.8·3 : 0.1·2 : 0.1, which is 8/9."""
    found = soft_scores([["A", "A", "B"]], np.array([[0.8, 0.6, 0.5]]), 0.0)
    np.testing.assert_allclose(found, [[2.4 / 2.7, 4.8 / 5.4, 0.5 / 6.75]])


def test_models_that_fail_together_count_for_less() -> None:
    """With three voters and correlation ½ a vote weighs ½: the odds come in under a root."""
    found = soft_scores([["A", "A", "B"]], np.array([[0.8, 0.6, 0.5]]), 0.5)
    strength = np.array([0.8 * np.sqrt(3), 0.1 * np.sqrt(2), 0.1])
    assert found[0, 0] == pytest.approx(strength[0] / strength.sum())


def test_alone_it_is_believed_as_much_as_expected() -> None:
    """Where nobody else answered, the label is the expectation, kept away from 0 and 1."""
    found = soft_scores([["A", None], ["A", None], [None, "x"]], np.array([[0.7, 0.9], [1.0, 0.9], [0.1, 0.0]]), 0.3)
    np.testing.assert_allclose(found, [[0.7, NAN], [0.98, NAN], [NAN, 0.02]])


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_going_through_every_hypothesis(seed: int) -> None:
    """Labels of uncorrelated voters are those of Bayes' rule written out, hypothesis by hypothesis."""
    rng = np.random.default_rng(seed)
    models = int(rng.integers(2, 7))
    answers = [str(one) for one in rng.choice(list("ABC"), models)]
    ability = rng.uniform(0.05, 0.95, models)
    found = soft_scores([list(answers)], ability[None], 0.0)[0]
    np.testing.assert_allclose(found, [bayes(answers, ability.tolist(), at) for at in range(models)])


@settings(max_examples=50, deadline=None)
@given(ballots())
def test_labels_are_beliefs_where_there_is_an_answer(made: tuple[Answers, Floats, float]) -> None:
    """Every answer gets a label in [0, 1]; no answer gets NaN, never zero."""
    answers, expected, correlation = made
    found = soft_scores(answers, expected, correlation)
    given_one = np.array([[one is not None for one in row] for row in answers])
    np.testing.assert_array_equal(np.isfinite(found), given_one)
    assert ((found[given_one] >= 0.0) & (found[given_one] <= 1.0)).all()


@settings(max_examples=50, deadline=None)
@given(ballots(), st.integers(0, 1000))
def test_the_order_of_voters_doesnt_matter(made: tuple[Answers, Floats, float], seed: int) -> None:
    """Labels move with their models."""
    answers, expected, correlation = made
    order = np.random.default_rng(seed).permutation(expected.shape[1])
    moved = soft_scores([[row[i] for i in order] for row in answers], expected[:, order], correlation)
    np.testing.assert_allclose(moved, soft_scores(answers, expected, correlation)[:, order], atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(ballots(least=2))
def test_a_newcomers_answer_changes_no_voters_label(made: tuple[Answers, Floats, float]) -> None:
    """One that doesn't vote has no say about the voters' answers, nor about those of another newcomer."""
    answers, expected, correlation = made
    voters = expected.shape[1] - 1
    whole = soft_scores(answers, expected, correlation, voters)
    alone = soft_scores([row[:voters] for row in answers], expected[:, :voters], correlation)
    np.testing.assert_allclose(whole[:, :voters], alone, atol=1e-12)
    twice = soft_scores([[*row, "A"] for row in answers], np.hstack([expected, expected[:, :1]]), correlation, voters)
    np.testing.assert_allclose(twice[:, :-1], whole, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.05, 0.95), st.integers(1, 6), st.floats(0.4, 0.99), st.sampled_from([0.0, 0.4]))
def test_the_more_agree_the_surer(own: float, others: int, able: float, correlation: float) -> None:
    """With voters who are better than chance, each that agrees with all raises the belief, above what was expected."""
    expected = np.array([[*[able] * others, own]])
    rows: Answers = [[*["A"] * k, *[None] * (others - k), "A"] for k in range(others + 1)]
    found = [soft_scores([row], expected, correlation, others)[0, -1] for row in rows]
    assert found[0] == pytest.approx(own)
    assert (np.diff(found) > 0).all()


@settings(max_examples=50, deadline=None)
@given(st.floats(0.05, 0.95), st.integers(1, 6), st.floats(0.4, 0.99))
def test_its_own_vote_doesnt_count(own: float, others: int, able: float) -> None:
    """A voter's answer is believed just as the same answer of a model that doesn't vote, weights being equal."""
    answers: list[str | None] = [*["A"] * (others - 1), "B", "A"]
    expected = np.array([[*[able] * others, own]])
    voting, watching = soft_scores([answers], expected, 0.0), soft_scores([answers], expected, 0.0, others)
    assert voting[0, -1] == pytest.approx(watching[0, -1])


def test_agreement_against_an_answer_lowers_it() -> None:
    """An answer that able voters contradict with one voice is believed less than before."""
    found = soft_scores([["B", "B", "B", "A"]], np.array([[0.8, 0.8, 0.8, 0.6]]), 0.2, 3)
    assert found[0, 3] < 0.2


@pytest.mark.parametrize(
    ("one", "other"),
    [("(B).", "b"), (" B ", "B"), ("４２", "42"), ("two  words", "Two words."), ("{x}", "[x]"), ("'yes'", "YES")],
)
def test_trivial_differences_are_taken_off(one: str, other: str) -> None:
    """Case, spaces, brackets, quotes, a closing full stop and the width of letters make no difference."""
    assert plain(one) == plain(other)


@pytest.mark.parametrize(("one", "other"), [("-5", "5"), ("1.5", "15"), ("A", "B"), ("10", "1"), ("a b", "ab")])
def test_real_differences_stay(one: str, other: str) -> None:
    """Signs, points and spaces inside an answer count."""
    assert plain(one) != plain(other)


@pytest.mark.xfail(strict=True, reason="plain() strips a leading full stop as well as a closing one: .5 becomes 5")
def test_a_leading_point_is_part_of_a_number() -> None:
    """Half isn't five."""
    assert plain(".5") != plain("5")


def test_spelling_doesnt_split_a_vote() -> None:
    """(A) and "a." are one answer."""
    expected = np.array([[0.8, 0.6, 0.5]])
    found = soft_scores([["(A)", "a.", "B"]], expected, 0.2)
    np.testing.assert_allclose(found, soft_scores([["A", "A", "B"]], expected, 0.2))


def test_shapes_that_dont_match_are_refused() -> None:
    """One expectation an answer, or it says so."""
    with pytest.raises(InputError, match="consensus: 1 rows of answers"):
        soft_scores([["A", "B"]], np.ones((2, 2)), 0.0)
    with pytest.raises(InputError, match="give one expectation an answer"):
        soft_scores([["A", "B"], ["A"]], np.ones((2, 2)), 0.0)


def test_labels_are_nearer_the_truth_than_expectations() -> None:
    """On written answers of seven models of known chances, labels have a smaller squared error than the chances."""
    rng = np.random.default_rng(5)
    chance = np.clip(rng.uniform(0.3, 0.9, (400, 1)) + rng.uniform(-0.2, 0.2, (400, 7)), 0.05, 0.95)
    answers = written_answers(chance, rng)
    truth = np.array([[one == RIGHT for one in row] for row in answers], np.float64)
    labels = soft_scores(answers, chance, 0.0)
    assert ((labels - truth) ** 2).mean() < 0.7 * ((chance - truth) ** 2).mean()


def test_correlation_by_hand() -> None:
    """Errors (1, −1, 0) and (1, 0, 1) meet once: 1 / √(2·2); a contrary pair counts as none."""
    score = np.array([[1.0, 1.0], [0.0, 0.5], [0.5, 1.0]])
    expected = np.array([[0.0, 0.0], [1.0, 0.5], [0.5, 0.0]])
    assert error_correlation(score, expected) == pytest.approx(0.5)
    assert error_correlation(np.array([[1.0, 0.0], [0.0, 1.0]]), np.full((2, 2), 0.5)) == 0.0
    assert error_correlation(score[:, :1], expected[:, :1]) == 0.0
    assert error_correlation(np.zeros((0, 3)), np.zeros((0, 3))) == 0.0


def test_correlation_is_numpys() -> None:
    """Where errors have mean zero, it is the mean over pairs of numpy's correlation."""
    rng = np.random.default_rng(6)
    left = rng.normal(size=(300, 4)) + rng.normal(size=(300, 1))
    left -= left.mean(axis=0)
    pairs = np.corrcoef(left.T)
    assert error_correlation(left + 0.5, np.full(left.shape, 0.5)) == pytest.approx(
        np.mean([pairs[i, j] for i, j in combinations(range(4), 2)])
    )


@pytest.mark.xfail(strict=True, reason="error_correlation counts a missing cell as an error of zero")
def test_gaps_leave_the_correlation_as_it_is() -> None:
    """Half of the cells missing at random change a correlation of ½ by chance only: a gap isn't an error of zero."""
    rng = np.random.default_rng(7)
    left = rng.normal(size=(4000, 4)) + rng.normal(size=(4000, 1))
    gaps = np.where(rng.random(left.shape) < 0.5, NAN, left)
    expected = np.zeros(left.shape)
    assert error_correlation(gaps, expected) == pytest.approx(error_correlation(left, expected), abs=0.05)
