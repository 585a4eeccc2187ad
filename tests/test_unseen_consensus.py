"""Labels from agreement: votes by hand, Bayes' rule and a likelihood as oracles, and properties of any ballot."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from pointsman.errors import InputError
from pointsman.estimate.unseen.consensus import _row, _stranger, error_correlation, plain, soft_scores
from pointsman.evaluate.deferral.answers import RIGHT, written_answers
from pointsman.records import Floats, Ints

NAN = float("nan")
Answers = list[list[str | None]]


@st.composite
def ballots(draw: st.DrawFn) -> tuple[Answers, Answers, Floats, float]:
    """Few rows of answers out of three, some not given, by known and new models, with any expectations."""
    rows, models, new = draw(st.integers(1, 5)), draw(st.integers(1, 6)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    choices: list[str | None] = ["A", "B", "C", None]
    known, asked = ([[choices[i] for i in rng.integers(0, 4, width)] for _ in range(rows)] for width in (models, new))
    return known, asked, rng.random((rows, models)), draw(st.sampled_from([0.0, 0.3, 1.0]))


def there(answers: Answers) -> Floats:
    return np.array([[one is not None for one in row] for row in answers], np.bool_)


def moved(answers: Answers, order: Ints) -> Answers:
    return [[row[i] for i in order] for row in answers]


def odds_for(at: int, answers: Sequence[str], ability: Sequence[float]) -> float:
    """How much likelier the others' votes are if answer `at` is right than if another ballot or none is, evenly.

    A vote makes its answer K·p / (1 − p) times as likely, K being the voters' different answers; all multiplied out.
    """
    rivals = max(len(set(answers[: len(ability)])), 2)

    def likelihood(right: str | None) -> float:
        factors = [
            rivals * ability[v] / (1 - ability[v]) for v in range(len(ability)) if v != at and answers[v] == right
        ]
        return float(np.prod(factors))

    against = [likelihood(None), *(likelihood(one) for one in set(answers[: len(ability)]) - {answers[at]})]
    return likelihood(answers[at]) / float(np.mean(against))


def test_a_vote_of_three_by_hand() -> None:
    """A (0.8), A (0.6) and B (0.5) make votes of 8, 3 and 2. For the first A speak 3 : (2 + 1) / 2, for the second
    8 : (2 + 1) / 2, for B 1 : (24 + 1) / 2; for a newcomer's A 24 : (2 + 1) / 2.
    """
    found = _row(["A", "A", "B"], ["A", "B", None], logit(np.array([0.8, 0.6, 0.5])), 1.0)
    np.testing.assert_allclose(np.exp(found), [2.0, 8 / 1.5, 1 / 12.5, 16.0, 2 / 12.5, NAN])


def test_models_that_fail_together_count_for_less() -> None:
    """With a weight of a half the votes come in under a root."""
    found = _row(["A", "A", "B"], [], logit(np.array([0.8, 0.6, 0.5])), 0.5)
    np.testing.assert_allclose(
        np.exp(found), np.array([3.0, 8.0, 1.0]) ** 0.5 / [*[(2**0.5 + 1) / 2] * 2, (24**0.5 + 1) / 2]
    )


def test_correlation_becomes_a_weight() -> None:
    """Three voters of correlation ½ weigh 1 / (1 + 2·½): labels are those of votes under a root, up to the scale."""
    expected = np.array([[0.8, 0.6, 0.5]])
    belief = soft_scores([["A", "A", "B"]], [[None]], expected, 0.5).known[0]
    evidence = _row(["A", "A", "B"], [], logit(expected[0]), 0.5)
    scale = logit(belief) - logit(expected[0]) - evidence
    np.testing.assert_allclose(scale, scale[0])
    assert belief.mean() == pytest.approx(expected.mean(), abs=1e-5)


def test_alone_it_is_believed_as_much_as_expected() -> None:
    """Where nobody else answered, a known model's label is its expectation, kept away from 0 and 1; a newcomer's is
    the mean expectation.
    """
    expected = np.array([[0.7, 0.9], [1.0, 0.9], [0.1, 0.0], [0.3, 0.5]])
    known: Answers = [["A", None], ["A", None], [None, "x"], [None, None]]
    found = soft_scores(known, [[None], [None], [None], ["y"]], expected, 0.3)
    np.testing.assert_allclose(found.known, [[0.7, NAN], [0.98, NAN], [NAN, 0.02], [NAN, NAN]], atol=1e-5)
    np.testing.assert_allclose(found.asked[:, 0], [NAN, NAN, NAN, 0.4], atol=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_going_through_every_hypothesis(seed: int) -> None:
    """Evidence of uncorrelated voters is Bayes' rule written out, hypothesis by hypothesis."""
    rng = np.random.default_rng(seed)
    models = int(rng.integers(2, 7))
    answers = [str(one) for one in rng.choice(list("ABC"), models + 2)]
    ability = rng.uniform(0.05, 0.95, models)
    found = np.exp(_row(answers[:models], answers[models:], logit(ability), 1.0))
    np.testing.assert_allclose(found, [odds_for(at, answers, ability.tolist()) for at in range(models + 2)])


def likeliest(evidence: Floats, usual: Floats) -> float:
    """The shift of abilities under which the votes are likeliest: the greatest Σ log(π·r + 1 − π), by search."""

    def loss(shift: float) -> float:
        chance = expit(usual + shift)
        return -float(np.log(chance * np.exp(evidence) + 1 - chance).sum())

    return float(minimize_scalar(loss, bounds=(-8, 8), method="bounded", options={"xatol": 1e-8}).x)


@pytest.mark.parametrize("seed", range(10))
def test_a_newcomers_ability_is_the_likeliest(seed: int) -> None:
    """Its shift is the one of greatest likelihood, as scipy finds by search."""
    rng = np.random.default_rng(seed)
    usual = logit(rng.uniform(0.3, 0.8, 200))
    truth = rng.random(200) < expit(usual + rng.uniform(-1.0, 1.0))
    evidence = np.where(truth, 2.0, -2.0) + rng.normal(size=200)
    found = _stranger(evidence, usual)
    np.testing.assert_allclose(found, expit(usual + likeliest(evidence, usual) + evidence), atol=1e-3)


def test_labels_put_together() -> None:
    """A newcomer's label is the mean expectation, its likeliest shift, the others' votes, and the scale on which
    known models' beliefs average their expectations, added as log-odds.
    """
    rng = np.random.default_rng(9)
    chance = np.clip(rng.uniform(0.3, 0.8, (200, 1)) + rng.uniform(-0.2, 0.2, (200, 6)), 0.05, 0.95)
    answers = written_answers(chance, rng)
    known, asked, expected = [row[:5] for row in answers], [row[5:] for row in answers], chance[:, :5]
    found = soft_scores(known, asked, expected, 0.1)
    votes = np.array([_row(*rows, 1 / 1.4) for rows in zip(known, asked, logit(expected), strict=True)])
    scale = logit(found.known) - logit(expected) - votes[:, :5]
    np.testing.assert_allclose(scale, scale[0, 0], atol=1e-9)
    assert abs(scale[0, 0]) > 0.1
    usual, evidence = logit(expected.mean(axis=1)), votes[:, 5] + scale[0, 0]
    np.testing.assert_allclose(found.asked[:, 0], expit(usual + likeliest(evidence, usual) + evidence), atol=2e-3)


@settings(max_examples=50, deadline=None)
@given(ballots())
def test_labels_are_beliefs_where_there_is_an_answer(made: tuple[Answers, Answers, Floats, float]) -> None:
    """Every answer gets a label in [0, 1]; no answer gets NaN, never zero; known labels average expectations."""
    known, asked, expected, correlation = made
    found = soft_scores(known, asked, expected, correlation)
    for labels, given_one in ((found.known, there(known)), (found.asked, there(asked))):
        np.testing.assert_array_equal(np.isfinite(labels), given_one)
        assert ((labels[given_one] >= 0.0) & (labels[given_one] <= 1.0)).all()
    if there(known).any():
        kept = np.clip(expected, 0.02, 0.98)[there(known)]
        assert found.known[there(known)].mean() == pytest.approx(kept.mean(), abs=1e-4)


@settings(max_examples=50, deadline=None)
@given(ballots(), st.integers(0, 1000))
def test_the_order_of_models_doesnt_matter(made: tuple[Answers, Answers, Floats, float], seed: int) -> None:
    """Labels move with their models: permuting voters, or newcomers, changes nothing else."""
    known, asked, expected, correlation = made
    rng = np.random.default_rng(seed)
    order, other = rng.permutation(expected.shape[1]), rng.permutation(len(asked[0]))
    whole = soft_scores(known, asked, expected, correlation)
    found = soft_scores(moved(known, order), moved(asked, other), expected[:, order], correlation)
    np.testing.assert_allclose(found.known, whole.known[:, order], atol=1e-5)
    np.testing.assert_allclose(found.asked, whole.asked[:, other], atol=1e-4)


@settings(max_examples=50, deadline=None)
@given(ballots())
def test_its_own_vote_doesnt_count(made: tuple[Answers, Answers, Floats, float]) -> None:
    """However able a voter is held to be, the evidence about its own answer stays what the others make it."""
    known, _, expected, _ = made
    odds = logit(np.clip(expected[0], 0.02, 0.98))
    surer = odds.copy()
    surer[0] += 2.0
    assert _row(known[0], [], odds, 0.7)[0] == pytest.approx(_row(known[0], [], surer, 0.7)[0], nan_ok=True)
    if known[0][0] is not None and len(odds) > 1:
        # It does count for a newcomer that says the same.
        assert _row(known[0], known[0][:1], surer, 0.7)[-1] > _row(known[0], known[0][:1], odds, 0.7)[-1]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.floats(0.4, 0.95), st.sampled_from([0.0, 0.4]))
def test_the_more_agree_the_surer(others: int, able: float, correlation: float) -> None:
    """With voters who are better than chance, each that agrees raises the belief in a newcomer's answer."""
    expected = np.full((others + 1, others), able)
    known: Answers = [[*["A"] * k, *[None] * (others - k)] for k in range(others + 1)]
    found = soft_scores(known, [["A"]] * (others + 1), expected, correlation).asked[:, 0]
    assert (np.diff(found) > 0).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 6), st.floats(0.4, 0.95))
def test_each_that_contradicts_lowers_it(others: int, able: float) -> None:
    """With one voice against it, an answer is believed the less the more voters speak."""
    expected = np.full((others + 1, others), able)
    known: Answers = [[*["B"] * k, *[None] * (others - k)] for k in range(others + 1)]
    found = soft_scores(known, [["A"]] * (others + 1), expected, 0.2).asked[:, 0]
    assert (np.diff(found) < 0).all()


def test_newcomers_are_labelled_alike_in_any_company() -> None:
    """A second newcomer, whatever it says, changes neither the first one's labels nor the known models'."""
    known: Answers = [["A", "A", "B"], ["A", "B", "B"], ["A", "A", "A"]]
    expected = np.array([[0.8, 0.6, 0.5], [0.4, 0.5, 0.6], [0.3, 0.7, 0.5]])
    alone = soft_scores(known, [["A"], ["A"], ["B"]], expected, 0.2)
    beside = soft_scores(known, [["A", "C"], ["A", "A"], ["B", "D"]], expected, 0.2)
    np.testing.assert_allclose(beside.known, alone.known, atol=1e-4)
    np.testing.assert_allclose(beside.asked[:, :1], alone.asked, atol=1e-4)


def test_spelling_doesnt_split_a_vote() -> None:
    """(A) and "a." are one answer."""
    expected = np.array([[0.8, 0.6, 0.5]])
    found, same = (soft_scores([row], [["A"]], expected, 0.2) for row in (["(A)", "a.", "B"], ["A", "A", "B"]))
    np.testing.assert_allclose(found.known, same.known)
    np.testing.assert_allclose(found.asked, same.asked)


def test_shapes_that_dont_match_are_refused() -> None:
    """One expectation a known answer, and as many rows of the new models' answers, or it says so."""
    with pytest.raises(InputError, match="consensus: 1 and 1 rows of answers, expectations of shape"):
        soft_scores([["A", "B"]], [["A"]], np.ones((2, 2)), 0.0)
    with pytest.raises(InputError, match="give the known models' answers with one expectation each"):
        soft_scores([["A", "B"], ["A"]], [["A"], ["A"]], np.ones((2, 2)), 0.0)
    with pytest.raises(InputError, match="2 and 1 rows"):
        soft_scores([["A", "B"], ["A", "B"]], [["A"]], np.ones((2, 2)), 0.0)


def test_ragged_answers_of_new_models_are_refused() -> None:
    """Rows of different numbers of new models' answers are bad input, said in plain words."""
    with pytest.raises(InputError, match="consensus"):
        soft_scores([["A"], ["A"]], [["A"], ["A", "B"]], np.full((2, 1), 0.5), 0.0)
    nothing = soft_scores([], [], np.zeros((0, 2)), 0.0)
    assert nothing.known.shape == (0, 2)


def test_no_new_model_and_no_voter_are_no_obstacle() -> None:
    """Without newcomers there are no labels of theirs; without any known answer a newcomer's are the expectations."""
    assert soft_scores([["A", "B"]], [[]], np.full((1, 2), 0.5), 0.0).asked.shape == (1, 0)
    found = soft_scores([[None, None]], [["A"]], np.array([[0.4, 0.8]]), 0.0)
    np.testing.assert_allclose(found.asked, [[0.6]], atol=1e-5)


def test_labels_are_nearer_the_truth_than_expectations() -> None:
    """On written answers of seven models of known chances, labels have a smaller squared error than the chances."""
    rng = np.random.default_rng(5)
    chance = np.clip(rng.uniform(0.3, 0.9, (400, 1)) + rng.uniform(-0.2, 0.2, (400, 7)), 0.05, 0.95)
    answers = written_answers(chance, rng)
    truth = np.array([[one == RIGHT for one in row] for row in answers], np.float64)
    labels = soft_scores(answers, [[]] * 400, chance, 0.0).known
    assert ((labels - truth) ** 2).mean() < 0.7 * ((chance - truth) ** 2).mean()


def test_newcomers_abilities_are_found_without_a_grade() -> None:
    """Three newcomers of abilities 0.3, 0.55 and 0.8 get mean labels within 0.08 of the share they had right."""
    rng = np.random.default_rng(6)
    chance = np.hstack([rng.uniform(0.35, 0.8, (500, 8)), np.tile([0.3, 0.55, 0.8], (500, 1))])
    answers = written_answers(chance, rng)
    right = np.mean([[one == RIGHT for one in row[8:]] for row in answers], axis=0)
    labels = soft_scores([row[:8] for row in answers], [row[8:] for row in answers], chance[:, :8], 0.0).asked
    np.testing.assert_allclose(labels.mean(axis=0), right, atol=0.08)


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


def test_a_leading_point_is_part_of_a_number() -> None:
    """Half isn't five."""
    assert plain(".5") != plain("5")


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
        np.mean([float(np.asarray(pairs)[i, j]) for i, j in combinations(range(4), 2)])
    )


def test_gaps_leave_the_correlation_as_it_is() -> None:
    """Half of the cells missing at random change a correlation of ½ by chance only: a gap isn't an error of zero."""
    rng = np.random.default_rng(7)
    left = rng.normal(size=(4000, 4)) + rng.normal(size=(4000, 1))
    gaps = np.where(rng.random(left.shape) < 0.5, NAN, left)
    expected = np.zeros(left.shape)
    assert error_correlation(gaps, expected) == pytest.approx(error_correlation(left, expected), abs=0.05)
