"""What is expected of the known models: by hand, against pandas, and on worlds whose chances are known."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learned_worlds import outcomes_of, prompts_of, scored, topical, with_gaps
from pointsman.errors import InputError
from pointsman.estimate.neighbours import fit_neighbours
from pointsman.estimate.part import shrunk_means
from pointsman.estimate.unseen.known import (
    LONGEST,
    Served,
    fit_known,
    mean_output_tokens,
    relative_length,
    relative_lengths,
)
from pointsman.records import Estimates, Floats, Outcomes, Prompts
from unseen_worlds import NAN, named


def with_lengths(length: Floats) -> Outcomes:
    return replace(outcomes_of(np.ones(length.shape)), output_tokens=length)


@dataclass(frozen=True)
class Fixed:
    """An estimator that always says the same of two models."""

    models: tuple[str, ...] = ("a", "b")

    def estimate(self, prompts: Prompts) -> Estimates:
        quality = np.tile([0.25, 0.75], (len(prompts), 1))
        return Estimates(quality, quality, prompts.input_tokens[:, None] + np.array([50.0, 900.0]), quality)


# ---- lengths


def test_lengths_by_hand() -> None:
    """Means of 20 and 100; the first prompt's answers are ½ and 1 of them, the second's 1½ and missing."""
    made = with_lengths(np.array([[10.0, 100.0, NAN], [30.0, NAN, NAN], [NAN, NAN, NAN]]))
    np.testing.assert_allclose(mean_output_tokens(made), [20.0, 100.0, 0.0])
    np.testing.assert_allclose(relative_lengths(made), [0.75, 1.5, NAN])


def test_one_endless_answer_counts_for_ten() -> None:
    """A length is at most ten times the model's mean, and models whose answers have no length don't count."""
    length = np.ones((40, 2))
    length[0, 0], length[:, 1] = 1000.0, 0.0
    assert relative_lengths(with_lengths(length))[0] == LONGEST


def test_nothing_counted_is_nothing_known() -> None:
    """Without a single length there is no relative length, rather than zero."""
    assert np.isnan(relative_lengths(with_lengths(np.full((3, 2), NAN)))).all()
    assert np.isnan(relative_lengths(with_lengths(np.zeros((3, 2))))).all()


def test_lengths_agree_with_pandas() -> None:
    """Means, and means of ratios, are those of a table that skips missing cells."""
    rng = np.random.default_rng(0)
    length = rng.lognormal(4.0, 0.5, (50, 4))
    length[rng.random(length.shape) < 0.4] = NAN
    table = pd.DataFrame(length)
    np.testing.assert_allclose(mean_output_tokens(with_lengths(length)), table.mean())
    np.testing.assert_allclose(relative_lengths(with_lengths(length)), (table / table.mean()).mean(axis=1))


def test_expected_lengths_by_hand() -> None:
    """Answers of 50 and 30 against means of 100 and 20 are one mean answer long; uncounted models are left out."""
    tokens, asked = np.array([[60.0, 40.0, 10.0]]), np.array([10.0])
    np.testing.assert_allclose(relative_length(tokens, asked, np.array([100.0, 20.0, 0.0])), [1.0])
    np.testing.assert_allclose(relative_length(tokens, asked, np.zeros(3)), [1.0])
    np.testing.assert_allclose(relative_length(tokens, asked, np.array([1.0, 1.0, 0.0])), [LONGEST])


def test_an_estimator_that_is_there_already_is_asked() -> None:
    """Expectations are its qualities, lengths its tokens beyond the input's: (50/100 + 900/600) / 2."""
    quality, length = Served(Fixed(), np.array([100.0, 600.0])).expect(prompts_of(np.eye(3)))
    np.testing.assert_allclose(quality, [[0.25, 0.75]] * 3)
    np.testing.assert_allclose(length, [1.0] * 3)


# ---- the fit


def test_a_short_history_is_its_means() -> None:
    """Twenty rows: ten are held out, and everyone is expected at the shrunk means of the ten others, whatever is
    asked.
    """
    history, prompts = topical(20, 3, 0)
    known, held = fit_known(history, prompts, 1)
    others = np.setdiff1d(np.arange(20), held.rows)
    assert len(held.rows) == 10
    means = shrunk_means(history.score[others])
    np.testing.assert_allclose(held.expected, np.tile(means, (10, 1)))
    quality, length = known.expect(topical(4, 3, 0, of=1)[1])
    np.testing.assert_allclose(quality, np.tile(means, (4, 1)))
    np.testing.assert_array_equal(length, np.ones(4))


def test_a_single_row_is_enough() -> None:
    """With one row nothing can be held out, and what is known is its scores drawn together."""
    known, held = fit_known(outcomes_of(np.array([[1.0, 0.0]])), prompts_of(np.eye(5)[:1]), 0)
    assert held.expected.shape == (0, 2)
    np.testing.assert_allclose(known.expect(prompts_of(np.eye(5)[1:3]))[0], [[0.75, 0.25]] * 2)


def test_expectations_are_nearer_the_truth_than_means() -> None:
    """On new prompts of a world of four topics they are at least a third nearer to what is scored than means are."""
    history, prompts = topical(700, 4, 1, signal=6.0)
    fresh, new = topical(400, 4, 1, signal=6.0, of=1)
    known, held = fit_known(history, prompts, 0)
    found = known.expect(new)[0]
    means = np.tile(history.score.mean(axis=0), (400, 1))
    assert ((found - fresh.score) ** 2).mean() < 0.67 * ((means - fresh.score) ** 2).mean()
    assert held.rows.tolist() == sorted(set(held.rows.tolist()))
    assert len(held.rows) == 100
    # What was held out is foreseen about as well as new prompts are.
    inside = ((held.expected - history.score[held.rows]) ** 2).mean()
    assert inside == pytest.approx(((found - fresh.score) ** 2).mean(), rel=0.3)


def test_held_out_scores_of_pure_chance_are_not_foreseen() -> None:
    """If scores are coin flips, held-out expectations don't go with them, as they would had they been seen."""
    rng = np.random.default_rng(2)
    score = rng.integers(0, 2, (900, 3)).astype(np.float64)
    _, held = fit_known(outcomes_of(score), prompts_of(rng.normal(size=(900, 8))), 0)
    left, seen = held.expected - held.expected.mean(axis=0), score[held.rows] - score[held.rows].mean(axis=0)
    assert abs((left * seen).sum()) < 0.15 * (seen**2).sum()


def test_lengths_follow_the_prompt() -> None:
    """Answers that are longer where the vector says so are expected to be."""
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(400, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    made = outcomes_of(rng.integers(0, 2, (400, 2)).astype(np.float64))
    length = np.exp(vectors[:, :1]) * np.array([100.0, 700.0])
    known, _ = fit_known(replace(made, output_tokens=length), prompts_of(vectors), 0)
    found = known.expect(prompts_of(vectors))[1]
    assert np.corrcoef(found, np.exp(vectors[:, 0]))[0, 1] > 0.97
    assert found.mean() == pytest.approx(1.0, abs=0.02)


def test_gaps_are_not_zeros() -> None:
    """With half of the scores missing at random, expectations stay about where they were, and don't halve."""
    history, prompts = topical(500, 4, 4)
    whole, _ = fit_known(history, prompts, 0)
    gaps, _ = fit_known(with_gaps(history, 0.5, 1), prompts, 0)
    new = topical(200, 4, 4, of=1)[1]
    off = gaps.expect(new)[0].mean(axis=0) - whole.expect(new)[0].mean(axis=0)
    assert np.abs(off).max() < 0.08


@settings(max_examples=25, deadline=None)
@given(scored(), st.integers(0, 5))
def test_expectations_are_sound(made: tuple[Outcomes, Prompts], rows: int) -> None:
    """Any history gives finite expectations in [0, 1], for its own held-out rows too, and finite lengths."""
    history, prompts = made
    known, held = fit_known(history, prompts, 0)
    quality, length = known.expect(prompts.take(np.arange(min(rows, len(prompts)))))
    for found in (quality, held.expected):
        assert np.isfinite(found).all()
        assert ((found >= 0.0) & (found <= 1.0)).all()
    assert ((length > 0.0) & (length <= LONGEST)).all()
    assert held.expected.shape == (len(held.rows), len(history.models))


def test_a_model_scored_in_held_out_rows_alone_still_counts() -> None:
    """A model whose one score was held out is expected at what it is over the whole history, not refused."""
    history, prompts = topical(40, 2, 5)
    held = fit_known(history, prompts, 0)[1].rows
    score = history.score.copy()
    score[:, 1] = NAN
    score[held[0], 1] = 1.0
    quality = fit_known(outcomes_of(score), prompts, 0)[0].expect(prompts)[0]
    np.testing.assert_allclose(quality, np.tile(shrunk_means(score), (40, 1)))


def test_the_same_seed_gives_the_same_fit_and_survives_pickling() -> None:
    """Fits are a matter of history and seed; another process sees the same."""
    history, prompts = topical(250, 3, 6)
    (one, held), (two, again), (_, other) = (fit_known(history, prompts, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(held.rows, again.rows)
    np.testing.assert_array_equal(held.expected, again.expected)
    assert not np.array_equal(held.rows, other.rows)
    sent = pickle.loads(pickle.dumps(two))
    for first, second in zip(one.expect(prompts), sent.expect(prompts), strict=True):
        np.testing.assert_array_equal(first, second)


def test_bad_histories_are_refused() -> None:
    """No rows, prompts that don't match, or a model without a score: each is named."""
    history, prompts = topical(40, 2, 8)
    with pytest.raises(InputError, match="the history is empty"):
        fit_known(history.take(np.zeros(0, np.int64)), prompts.take(np.zeros(0, np.int64)), 0)
    with pytest.raises(InputError, match="40 outcomes but 39 prompts"):
        fit_known(history, prompts.take(np.arange(39)), 0)
    score = history.score.copy()
    score[:, 1] = NAN
    with pytest.raises(InputError, match=r"model 'b' has no `score`"):
        fit_known(named(outcomes_of(score), ("a", "b")), prompts, 0)
    known, _ = fit_known(history, prompts, 0)
    with pytest.raises(InputError, match="the vectors have 3 dimensions"):
        known.expect(prompts_of(np.eye(3)))


def test_neighbours_serve_as_well() -> None:
    """Any fitted estimator will do: expectations are its own."""
    history, prompts = topical(60, 3, 9)
    fitted = fit_neighbours(history, prompts, k=3)
    quality, length = Served(fitted.estimator, mean_output_tokens(history)).expect(prompts)
    np.testing.assert_array_equal(quality, fitted.estimator.estimate(prompts).quality)
    np.testing.assert_allclose(length, 1.0)  # all answers are of five tokens
